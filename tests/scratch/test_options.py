"""What a network may be built of, by name, and the options of each."""

import pytest

from backproof.scratch import ACTIVATIONS, LOSSES
from backproof.scratch.errors import OptionError, UnknownNameError


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
            {"activations": ["threshold", "identity"], "activation_options": [{"value": 1.0}, {}]},
            OptionError,
            "layer 1 (`activations[0]`), threshold: the option 'threshold' has no default; give it",
        ),
        (
            {"loss": "mean_squared_error"},
            UnknownNameError,
            "loss: there is no 'mean_squared_error'. Did you mean 'half_squared_error'? There is: " + ", ".join(LOSSES),
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
