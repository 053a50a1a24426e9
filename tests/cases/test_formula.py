"""Formulas: read from ids, written as ids, refused where they cannot be; and which go together."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.formula import Formula, accepts, least_outputs, target_kind, variants
from backproof.cases.spelling import SpecError

ALL = {**ACTIVATIONS, **LOSSES}


def activation(text: str) -> Formula:
    """The activation that `text` spells."""
    return Formula.parse(text, ACTIVATIONS, "activation")


def loss(text: str) -> Formula:
    """The loss that `text` spells."""
    return Formula.parse(text, LOSSES, "loss")


@pytest.mark.parametrize("name", ALL)
def test_variants_round_trip_through_their_ids(name):
    """Each combination of parameters has its own id, which reads back; the first, the defaults, has the bare name."""
    formulas = variants(name)
    assert formulas[0].id == name
    assert len({formula.id for formula in formulas}) == len(formulas)
    for formula in formulas:
        assert Formula.parse(formula.id, ALL) == formula
        assert set(formula.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789_=+-.")


@pytest.mark.parametrize("name", [name for name, entry in ALL.items() if entry.parameters])
def test_variants_draw_every_other_value(name):
    """A domain that names `name` meets each value of each parameter."""
    for index, parameter in enumerate(ALL[name].parameters):
        assert {formula.values[index] for formula in variants(name)} == {parameter.default, *parameter.others}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("leaky_relu=0.2", (0.2,)),
        ("leaky_relu", (0.01,)),
        ("leaky_relu=0.01", (0.01,)),
        ("softplus=2+1", (2.0, 1.0)),
        ("softplus=2", (2.0, 20.0)),
        ("hardtanh=-2+2", (-2.0, 2.0)),
        ("hardtanh=-0+1e-8", (0.0, 1e-8)),
        ("gelu=tanh", ("tanh",)),
    ],
)
def test_formula_parse_fills_in_defaults(text, values):
    """What an id leaves out at the end has its default."""
    assert activation(text).values == values


def test_formula_id_leaves_out_trailing_defaults():
    """`leaky_relu=0.01` is `leaky_relu`, and an earlier default stays where a later value differs."""
    assert activation("leaky_relu=0.01").id == "leaky_relu"
    assert activation("softplus=1+4").id == "softplus=1+4"
    assert loss("cross_entropy=index+weighted+-100+0").id == "cross_entropy=index+weighted"


def test_formula_options_are_torch_keywords():
    """Options map torch's keyword to the value; flags are bools, as torch wants them."""
    assert activation("hardtanh=-0.5+2").options == {"min_val": -0.5, "max_val": 2.0}
    assert pickle.loads(pickle.dumps(activation("hardtanh=-0.5+2"))).options["max_val"] == 2.0  # noqa: S301  our own
    with pytest.raises(TypeError):
        activation("hardtanh=-0.5+2").options["max_val"] = 1.0
    options = loss("poisson_nll=0+1").options
    assert options == {"log_input": False, "full": True, "eps": 1e-8}
    assert type(options["log_input"]) is bool
    assert type(options["full"]) is bool


@pytest.mark.parametrize(
    ("table", "kind", "text", "message"),
    [
        (
            ACTIVATIONS,
            "activation",
            "rleu",
            "'rleu' is not a known activation. Did you mean 'relu'? There are: identity, ",
        ),
        (ACTIVATIONS, "activation", "mse", "'mse' is not a known activation. "),
        (LOSSES, "loss", "hubr", "'hubr' is not a known loss. Did you mean 'huber'? There are: half_squared_error, "),
        (ACTIVATIONS, "activation", "relu=1", "activation 'relu=1': relu takes no parameters; got 1 values"),
        (ACTIVATIONS, "activation", "softplus=1+2+3", "softplus takes 2 values (beta, threshold); got 3 values"),
        (ACTIVATIONS, "activation", "leaky_relu=", "leaky_relu: negative_slope must be a finite number; got ''"),
        (ACTIVATIONS, "activation", "leaky_relu=nan", "leaky_relu: negative_slope must be a finite number; got 'nan'"),
        (ACTIVATIONS, "activation", "leaky_relu=1_0", "leaky_relu: negative_slope must be a finite number; got '1_0'"),
        (ACTIVATIONS, "activation", "elu=1e999", "elu: alpha must be a finite number; got inf"),
        (
            ACTIVATIONS,
            "activation",
            f"leaky_relu={'9' * 400}",
            f"leaky_relu: negative_slope must be a finite number; got {'9' * 40}...",
        ),
        (
            LOSSES,
            "loss",
            f"nll=none+{2**63}",
            f"nll: ignore_index must be at least {-(2**63)} and at most {2**63 - 1};",
        ),
        (LOSSES, "loss", f"nll=none+{'9' * 400}", "nll: ignore_index must be a whole number; got 999"),
        (ACTIVATIONS, "activation", "softplus=0", "softplus: beta must be greater than 0; got 0"),
        (ACTIVATIONS, "activation", "softplus=1+-5", "softplus: threshold must be at least 0; got -5"),
        (
            ACTIVATIONS,
            "activation",
            "celu=1e-300",
            "celu: alpha must be 0, or of a size that float32 holds: 1.18e-38 to 3.4e+38; got 1e-300",
        ),
        (LOSSES, "loss", "hinge_embedding=-1e39", "margin must be 0, or of a size that float32 holds: 1.18e-38 to 3"),
        (ACTIVATIONS, "activation", "softshrink=-1", "softshrink: lambd must be at least 0; got -1"),
        (ACTIVATIONS, "activation", "hardtanh=1+1", "hardtanh: min_val must be less than max_val; got 1.0 and 1.0"),
        (ACTIVATIONS, "activation", "gelu=erf", "gelu: approximate must be one of none, tanh; got 'erf'"),
        (LOSSES, "loss", "kl_div=2", "kl_div: log_target must be one of 0, 1; got 2"),
        (LOSSES, "loss", "multi_margin=3", "multi_margin: p must be one of 1, 2; got 3"),
        (LOSSES, "loss", "nll=none+0.5", "nll: ignore_index must be a whole number; got 0.5"),
        (
            LOSSES,
            "loss",
            "cross_entropy=index+none+-100+1.5",
            "cross_entropy: label_smoothing must be at least 0 and at most 1; got 1.5",
        ),
        (
            LOSSES,
            "loss",
            "cross_entropy=probabilities+none+1",
            "cross_entropy: ignore_index has no meaning with target=probabilities; leave it at -100",
        ),
    ],
)
def test_formula_parse_says_what_is_wrong(table, kind, text, message):
    """A formula that cannot be is refused with the parameter, what it got and what it wants."""
    with pytest.raises(SpecError) as raised:
        Formula.parse(text, table, kind)
    assert message in str(raised.value)


def test_formula_refuses_what_parse_refuses():
    """Formulas made by hand are checked as well."""
    with pytest.raises(SpecError, match="'rleu' is not a known activation or loss"):
        Formula("rleu")
    with pytest.raises(SpecError, match=r"softplus takes 2 values \(beta, threshold\); got 1: \(1.0,\)"):
        Formula("softplus", (1.0,))
    for value in (None, [1.0], 1j, np.array([0.5, 1.0])):
        with pytest.raises(SpecError, match="elu: alpha must be a finite number; got "):
            Formula("elu", (value,))
    assert Formula("elu", (np.float32(0.5),)).id == Formula("elu", (Fraction(1, 2),)).id == "elu=0.5"


def test_formula_equality_follows_the_id():
    """An int for a float, and minus zero for zero, make the same formula with the same id."""
    assert Formula("threshold", (0, -0.0)) == Formula("threshold", (-0.0, 0))
    assert Formula("threshold", (0, -0.0)).id == Formula("threshold", (-0.0, 0)).id == "threshold=0+0"


@pytest.mark.parametrize(
    ("loss_text", "taken", "refused"),
    [
        ("mse", "identity relu softmax log_softmax", ""),
        ("cross_entropy", "identity relu tanh log_softmax logsigmoid", "softmax softmin sigmoid hardsigmoid"),
        ("bce_with_logits", "identity", "sigmoid"),
        ("multilabel_soft_margin", "identity", "sigmoid"),
        ("bce", "sigmoid hardsigmoid softmax softmin", "identity relu tanh log_softmax"),
        ("categorical_cross_entropy", "softmax", "identity log_softmax"),
        ("nll", "log_softmax logsigmoid", "softmax identity"),
        ("kl_div=1", "log_softmax", "softmax"),
        ("poisson_nll", "identity tanh", ""),
        ("poisson_nll=0", "relu relu6 softplus sigmoid softmax", "identity tanh elu"),
    ],
)
def test_accepts_pairs_losses_with_outputs(loss_text, taken, refused):
    """A loss goes with the outputs that it is meant for, whatever the parameters of the activation."""
    for name in taken.split():
        assert all(accepts(loss(loss_text), formula) for formula in variants(name))
    for name in refused.split():
        assert not any(accepts(loss(loss_text), formula) for formula in variants(name))


def test_target_kind_follows_parameters():
    """The parameters of a loss may change what its targets are."""
    assert target_kind(loss("cross_entropy")) == "class"
    assert target_kind(loss("cross_entropy=probabilities")) == "distribution"
    assert target_kind(loss("kl_div")) == "distribution"
    assert target_kind(loss("kl_div=1")) == "log_distribution"


def test_least_outputs_leaves_a_class_to_hit():
    """Ignoring class 0 needs a second class; ignoring any other does not."""
    assert least_outputs(loss("nll=none+0")) == 2
    assert least_outputs(loss("nll=none+1")) == 1
    assert least_outputs(loss("mse")) == 1
