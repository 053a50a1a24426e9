"""What a network may be built of, by name, and the options of each."""

from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest

from backproof.cases.catalogue import ACTIVATIONS as ACTIVATION_ENTRIES
from backproof.cases.catalogue import LOSSES as LOSS_ENTRIES
from backproof.cases.formula import Formula
from backproof.cases.spelling import LARGEST, SMALLEST, SpecError
from backproof.scratch import ACTIVATIONS, LOSSES, Network
from backproof.scratch.errors import OptionError, UnknownNameError
from backproof.scratch.options import build as build_entry


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"activations": ["relU", "identity"]},
            UnknownNameError,
            "layer 1 (`activations[0]`): there is no 'relU'. Did you mean 'relu'? There is: " + ", ".join(ACTIVATIONS),
        ),
        (
            {"activation_options": [{}, {"alpha": 1.0}]},
            UnknownNameError,
            "layer 2 (`activations[1]`), identity, option: there is no 'alpha'. There is: none",
        ),
        (
            {"activations": ["leaky_relu", "identity"], "activation_options": [{"slope": 1.0}, {}]},
            UnknownNameError,
            (
                "layer 1 (`activations[0]`), leaky_relu, option: there is no 'slope'. Did you mean 'negative_slope'? "
                "There is: negative_slope"
            ),
        ),
        (
            {"activations": ["elu", "identity"], "activation_options": [{"alpha": "1"}, {}]},
            OptionError,
            "layer 1 (`activations[0]`), elu: alpha must be a finite number, got '1'",
        ),
        (
            {"activations": ["elu", "identity"], "activation_options": [{"alpha": float("nan")}, {}]},
            OptionError,
            "layer 1 (`activations[0]`), elu: alpha must be a finite number, got nan",
        ),
        (
            {"loss": "multi_margin", "loss_options": {"p": 1.0}},
            OptionError,
            "loss multi_margin: p must be an integer, got 1.0",
        ),
        (
            {"loss": "huber", "loss_options": {"delta": 10**400}},
            OptionError,
            f"loss huber: delta must be a finite number, got {10**400}",
        ),
        (
            {"loss": "poisson_nll", "loss_options": {"full": "no"}},
            OptionError,
            "loss poisson_nll: full must be True or False, got 'no'",
        ),
        (
            {"loss": "poisson_nll", "loss_options": {"full": 2.5}},
            OptionError,
            "loss poisson_nll: full must be True or False, got 2.5",
        ),
        (
            {"activations": ["threshold", "identity"], "activation_options": [{"value": 1.0}, {}]},
            OptionError,
            "layer 1 (`activations[0]`), threshold: the option 'threshold' has no default; give it",
        ),
        (
            {"loss": "mean_squared_error"},
            UnknownNameError,
            "loss: there is no 'mean_squared_error'. Did you mean 'half_squared_error'? There is: " + ", ".join(LOSSES),
        ),
        (
            {"loss": ["mse"]},
            UnknownNameError,
            "loss: there is no ['mse']. Did you mean 'mse'? There is: " + ", ".join(LOSSES),
        ),
        (
            {"activations": [["relu"], "identity"]},
            UnknownNameError,
            "layer 1 (`activations[0]`): there is no ['relu']. Did you mean 'relu'? There is: "
            + ", ".join(ACTIVATIONS),
        ),
        ({"loss": None}, UnknownNameError, "loss: there is no None. There is: " + ", ".join(LOSSES)),
        (
            {"loss": "huber", "loss_options": {"beta": 1.0}},
            UnknownNameError,
            "loss huber, option: there is no 'beta'. Did you mean 'delta'? There is: delta",
        ),
        ({"loss": "gaussian_nll"}, OptionError, "loss gaussian_nll: the option 'var' has no default; give it"),
        (
            {"reduction": "average"},
            UnknownNameError,
            "reduction: there is no 'average'. There is: none, sum, mean, batchmean",
        ),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, str) else "",
)
def test_names_and_options_are_checked(build, refused, changes, error, message):
    """A name that there is not, an option that is missing, and a value that makes no sense."""
    refused(error, message, build, **changes)


def others(entry, number):
    """Each number among the parameters of an entry at another value than its default, as this type of number."""
    return {p.name: number(p.others[0]) for p in entry.parameters if isinstance(p.default, float)}


def assert_float32(found):
    """Every result is float32."""
    for array in (found.loss, *found.weights, *found.biases, found.inputs, *found.deltas):
        assert array.dtype == np.float32


WEIGHT, BIAS, X = np.ones((2, 2), np.float32), np.ones(2, np.float32), np.ones((3, 2), np.float32)
REQUIRED = {"gaussian_nll": {"var": X}, "threshold": {"threshold": 0.5, "value": 0.5}}
NUMBERS = pytest.mark.parametrize("number", [np.float64, np.longdouble, Fraction])


@NUMBERS
@pytest.mark.parametrize("name", [name for name, entry in ACTIVATION_ENTRIES.items() if others(entry, float)])
def test_numbers_of_any_type_leave_the_dtype_of_an_activation(name, number):
    """The options of an activation are Python's numbers, which promote no float32."""
    options = [others(ACTIVATION_ENTRIES[name], number)]
    net = Network([WEIGHT], [BIAS], [name], loss="linear", reduction="sum", activation_options=options)
    assert_float32(net.gradients(X, X))


@NUMBERS
@pytest.mark.parametrize("name", [name for name, entry in LOSS_ENTRIES.items() if others(entry, float)])
def test_numbers_of_any_type_leave_the_dtype_of_a_loss(name, number):
    """The options of a loss too."""
    options = REQUIRED.get(name, {}) | others(LOSS_ENTRIES[name], number)
    y = np.zeros(3, int) if LOSS_ENTRIES[name].targets == "class" else X
    net = Network([WEIGHT], [BIAS], ["identity"], loss=name, reduction="sum", loss_options=options)
    assert_float32(net.gradients(X, y))


@pytest.mark.parametrize(
    ("loss", "options"),
    [("poisson_nll", {"log_input": np.True_, "full": np.False_}), ("multi_margin", {"p": np.int64(2)})],
)
def test_flags_and_integers_are_pythons(build, loss, options):
    """Whatever type they come in."""
    built = build(loss=loss, loss_options=options).objective.loss
    for field in fields(built):
        if field.name in options:
            assert type(getattr(built, field.name)) is field.type


BEYOND_ONE = float(np.nextafter(1, 2))
FLOATS = [-LARGEST, -1.0, -SMALLEST, 0.0, SMALLEST, 1.0, BEYOND_ONE, LARGEST]
INTEGERS = [-(2**63) - 1, -(2**63), -1, 0, 1, 2, 3, 2**63 - 1, 2**63]
PARAMETERS = {
    f"{name}, {parameter.name}": (name, index, parameter)
    for name, entry in (ACTIVATION_ENTRIES | LOSS_ENTRIES).items()
    for index, parameter in enumerate(entry.parameters)
    if not isinstance(parameter.default, str) and not parameter.flag
}


def is_accepted(error, call, *given):
    """Whether the call passes; otherwise it raises this error."""
    try:
        call(*given)
    except error:
        return False
    return True


@pytest.mark.parametrize("which", PARAMETERS)
def test_limits_are_the_catalogues(which):
    """At the edges of each range, and beyond them, an option is taken exactly where a case may have it."""
    name, index, parameter = PARAMETERS[which]
    kind = (ACTIVATIONS | LOSSES)[name]
    defaults = [each.default for each in (ACTIVATION_ENTRIES | LOSS_ENTRIES)[name].parameters]
    for value in INTEGERS if isinstance(parameter.default, int) else FLOATS:
        given = REQUIRED.get(name, {}) | {parameter.name: value}
        in_a_case = is_accepted(SpecError, Formula, name, (*defaults[:index], value, *defaults[index + 1 :]))
        assert is_accepted(OptionError, build_entry, kind, given, name) == in_a_case, value
