"""A penalty's settings."""

import numpy as np

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
