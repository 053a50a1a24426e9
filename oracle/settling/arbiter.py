"""The last resort: quantities that no bound decides, held to their exact values.

A bound that is not below a gradient says how far rounding might have taken it; it does not say that it has. Where
exact arithmetic shows that it has not, nothing is left to be undecided about:

    the values are the true ones     but for an error that need not show (`doubts.SHOWN`) in the largest true entry
    the true value is zero           and so is the candidate's, but for rounding that is as small against what cancels
                                     there: the products of one sample, before anything is taken off or added up

It comes after everything else, since it costs more than all of that together, and not for networks of any size.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from backproof.cases.case import Array, Case
from backproof.cases.gradients import Gradients
from backproof.comparison import SMALLEST, deviation
from backproof.judging.bounds import Bounds, Key
from backproof.judging.doubts import entry, shows
from backproof.judging.offered import Offered, given_for
from backproof.judging.verdicts import Check, Verdict
from backproof.truth.arithmetic import Arithmetic, own_dtype
from backproof.truth.objective_bounds import objective
from backproof.truth.rounding import both_ways

if TYPE_CHECKING:
    from backproof.truth.exact import Enclosure

PRODUCTS: Final = 2**17
"""How many products of one forward pass exact arithmetic is worth: it takes a microsecond or two for each, thrice."""

TRUE = "by the exact value"
ZERO = "exactly zero, and so it is but for rounding of what cancels there"
"""The notes of agreements that no bound could have given."""


def arbitrate(
    case: Case, checks: tuple[Check, ...], offered: Offered, reference: Gradients, bounds: Bounds
) -> tuple[Check, ...]:
    """The checks, with those that are undecided and exact arithmetic settles agreeing.

    Where PyTorch is not as near to the truth, by a listed deviation, it is wrong beside a candidate that is right.
    """
    if _is_too_large(case):
        return checks
    return tuple(
        _settled(case, check, offered, reference, bounds) if check.verdict is Verdict.UNDECIDED else check
        for check in checks
    )


def _settled(case: Case, check: Check, offered: Offered, reference: Gradients, bounds: Bounds) -> Check:
    quantity, layer = check.quantity, check.layer
    given = given_for(offered, quantity, layer)
    if given is None:
        return check
    middle = entry(bounds.truth().middle, quantity, layer)
    radius = entry(bounds.truth().radius, quantity, layer)
    given = given.reshape(middle.shape)
    dtype = "float32" if own_dtype(given) == "float32" else case.spec.dtype
    at = check.worst_index
    exact = check._replace(exact_value=None if at is None else float(middle[at]))
    if _is_true(given, middle, radius, dtype):
        name = deviation(case, quantity, layer)
        if name is not None and not _is_true(entry(reference, quantity, layer), middle, radius, "float64"):
            return exact._replace(verdict=Verdict.REFERENCE_WRONG, note=name)
        return exact._replace(verdict=Verdict.AGREE, note=TRUE)
    if quantity != "loss" and (np.abs(middle) + radius < np.finfo(np.float64).smallest_normal).all():
        limit = entry(bounds.limit("textbook", dtype=dtype), quantity, layer)
        size = np.abs(given.astype(np.float64))
        if (size <= limit).all() and shows(float(size.max()), uncancelled(case)[quantity, layer], dtype):
            return exact._replace(verdict=Verdict.AGREE, note=ZERO)
    return check


def _is_true(values: Array, middle: Array, radius: Array, dtype: str) -> bool:
    """Whether no entry is further from the truth than an error that need not show; NaN and infinity show nothing."""
    with np.errstate(all="ignore"):
        doubt = np.where(radius > SMALLEST, radius, 0.0)
        largest = float((np.abs(values.astype(np.float64) - middle) + doubt).max())
        return shows(largest, float(np.abs(middle).max()), dtype)


def shares_are_true(case: Case, check: Check, shares: Array) -> bool:
    """Whether what each sample gives to a sum is what it truly gives, but for what need not show in the largest share.

    shares: (N, ...), sample by sample. A sum that cancels is as far from the truth as the roundings of its terms have
    taken it, and no nearer by its own size: its terms are what can be right. An error of `doubts.SHOWN` in any equation
    behind the largest of them shows there.
    """
    if _is_too_large(case) or len(shares) != len(case.x):
        return False
    truth = _exact_shares(case)
    middle = entry(truth.middle, check.quantity, check.layer).reshape(shares.shape)
    radius = entry(truth.radius, check.quantity, check.layer).reshape(shares.shape)
    return _is_true(shares, middle, radius, case.spec.dtype)


@lru_cache(maxsize=1)
def _exact_shares(case: Case) -> Enclosure:
    """All quantities of a case are asked about one after the other."""
    from backproof.truth import exact

    return exact.enclose_per_sample(case)


def _is_too_large(case: Case) -> bool:
    return len(case.x) * sum(weight.size for weight in case.weights) > PRODUCTS


def uncancelled(case: Case) -> dict[Key, float]:
    """The largest entry of every gradient of one sample, were nothing taken off dC/da phi' in the output layer.

    For a row-wise layer, p s in place of p (s - sum p s), or s in place of s - p sum s: what a gradient that is zero
    because its terms cancel would be without one of them.
    """
    arithmetic = Arithmetic.of("float64")
    with np.errstate(all="ignore"):
        layers = both_ways(case, arithmetic).layers
        _, gradient = objective(case, layers[-1].outputs, arithmetic)
        found: dict[Key, float] = {}
        s = gradient.value
        for number, layer in reversed(list(enumerate(layers, 1))):
            delta = layer.jacobian.leading(s)
            found["delta", number] = found["bias", number] = _largest(delta)
            found["weight", number] = float((np.abs(delta).max(axis=1) * np.abs(layer.inputs.value).max(axis=1)).max())
            s = delta @ layer.parameters.weight
        found["input", None] = _largest(s)
        return found


def _largest(array: Array) -> float:
    return float(np.abs(array).max())
