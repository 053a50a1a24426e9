"""A penalty's settings."""

from fractions import Fraction

import numpy as np
import pytest

from backproof.scratch import Network, Penalty
from backproof.scratch.errors import OptionError, PairingError, UnknownNameError


class Settings:
    """A penalty's settings, with one changed."""

    def __init__(self, **changes):
        self.l1, self.l2, self.on_biases, self.divided_by = 0.5, 0.25, False, "N"
        vars(self).update(changes)


def test_penalties_are_checked(build, refused):
    """A negative factor, an unknown divisor, and a penalty without a cost to add it to."""
    refused(OptionError, "penalty: l1 must be at least 0, got -1.0", build, penalty=Settings(l1=-1.0))
    refused(OptionError, "penalty: l2 must be at least 0, got -1.0", build, penalty=Settings(l2=-1.0))
    refused(OptionError, "penalty: l1 must be a finite number, got inf", build, penalty=Settings(l1=np.inf))
    refused(OptionError, "penalty: l2 must be a finite number, got nan", build, penalty=Settings(l2=np.nan))
    refused(OptionError, "penalty: l2 must be a finite number, got '1'", build, penalty=Settings(l2="1"))
    refused(OptionError, "penalty: on_biases must be True or False, got 'no'", build, penalty=Settings(on_biases="no"))
    refused(
        UnknownNameError,
        "penalty, divided_by: there is no 'n'. There is: nothing, N",
        build,
        penalty=Settings(divided_by="n"),
    )
    refused(
        PairingError,
        "penalty: under the reduction 'none' there is no scalar cost to add it to; take 'sum' or 'mean'",
        build,
        penalty=Settings(),
        reduction="none",
        upstream=np.ones((5, 2)),
    )


@pytest.mark.parametrize("number", [np.float64, Fraction])
def test_factors_of_any_type_leave_the_dtype(number):
    """They are Python's floats, which promote no float32."""
    weight, bias, x = np.ones((2, 2), np.float32), np.ones(2, np.float32), np.ones((3, 2), np.float32)
    penalty = Penalty(l1=number(0.25), l2=number(0.5), on_biases=np.True_, divided_by="nothing")
    net = Network([weight], [bias], ["identity"], loss="mse", reduction="sum", penalty=penalty)
    found = net.gradients(x, x)
    for array in (found.loss, *found.weights, *found.biases):
        assert array.dtype == np.float32
