"""Broken functions in ball arithmetic, and what is taken where the derivative does not exist.

A ball that lies on one side of a kink meets one formula. One that straddles it, at the precision at hand, is a set:
value and slope are the hulls of all the formulas that it touches. One that is exactly on it (radius 0) is no accident
of precision: the value is the function's own, and the slope either PyTorch's choice (`admit` = "torch") or the hull
of the slopes on both sides (`admit` = "any"), the set of subgradients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flint import arb

from backproof.truth.balls import ZERO, hull

Admitted = Literal["torch", "any"]

Pair = tuple[arb, arb]
"""A function's value and its slope."""

TORCH_TIES: Final[Mapping[str, tuple[int, ...]]] = {
    # Per kink, from left to right: the piece, counted from 0 at the far left, that is taken exactly at the kink.
    "relu": (0,),  # 0, not 1
    "leaky_relu": (0,),  # negative_slope
    "relu6": (0, 2),  # 0 at 0 and at 6
    "hardtanh": (0, 2),  # 0 at both ends
    "hardsigmoid": (0, 2),  # 0 at both ends
    "hardswish": (0, 2),  # 0 at -3, 1 at 3 (before 2.8 another)
    "elu": (0,),  # alpha
    "selu": (0,),  # scale alpha
    "celu": (0,),  # 1 from both sides
    "softshrink": (1, 1),  # 0 at both ends
    "hardshrink": (1, 1),  # 0 at both ends
    "threshold": (0,),  # 0
    # Losses: the kink is where the distance, the hinge's inside or the residual's size changes branch.
    "l1": (1, 1),  # sign(0) = 0
    "smooth_l1": (1, 1),  # no jump of the slope
    "huber": (1, 1),  # no jump of the slope
    "hinge_embedding": (1,),  # the slope of the hinge, not 0 (0 in 2.15)
    "multi_margin": (0,),  # 0
    "multilabel_margin": (0,),  # 0
    # The penalty's l1 |w|.
    "penalty": (1, 1),  # sign(0) = 0
}
"""PyTorch's choices, in the version that `deviations.py` names; tests/truth/test_ball_ties.py runs it at every tie."""


@dataclass
class Ties:
    """What is admitted at a tie, and how many sets stood in the way that no precision narrows.

    sets: subgradient sets, poles hit exactly, and truths that are sets by definition.
    """

    admit: Admitted
    sets: int = 0

    def set_of(self, first: arb, second: arb) -> arb:
        """A set that stays one at every precision."""
        self.sets += 1
        return hull(first, second)

    def pole(self) -> arb:
        """The value of a function exactly where it has none."""
        self.sets += 1
        return arb.nan()


def piecewise(
    kinks: Sequence[arb], pieces: Sequence[Callable[[arb], Pair]], owners: Sequence[int], ties: Ties
) -> Callable[[arb], Pair]:
    """The function that is pieces[0] left of kinks[0], pieces[1] between kinks[0] and kinks[1], and so on.

    kinks: ascending and exact; two may coincide. owners[k]: the piece that holds exactly at kinks[k], see TORCH_TIES.
    """

    def evaluate(z: arb) -> Pair:
        low = 0
        while low < len(kinks) and kinks[low] < z:
            low += 1
        high = low
        while high < len(kinks) and not z < kinks[high]:
            high += 1
        if low == high:
            return pieces[low](z)
        if all(z == kink for kink in kinks[low:high]):  # an equality of balls holds only where both are exact
            value, slope = pieces[owners[low]](z)
            if ties.admit == "any":
                left, right = pieces[low](z)[1], pieces[high](z)[1]
                slope = left if left == right else ties.set_of(left, right)
            return value, slope
        value, slope = pieces[low](z)
        for piece in pieces[low + 1 : high + 1]:
            other_value, other_slope = piece(z)
            value, slope = hull(value, other_value), hull(slope, other_slope)
        return value, slope

    return evaluate


def constant(number: arb) -> Callable[[arb], Pair]:
    """A flat piece."""
    return lambda z: (number, ZERO)


def line(slope: arb, offset: arb = ZERO) -> Callable[[arb], Pair]:
    """A straight piece, slope z + offset."""
    return lambda z: (slope * z + offset, slope)


def absolute(name: str, ties: Ties) -> Callable[[arb], Pair]:
    """|z| and its sign. A flat piece of no width between the two stands for the tie, where PyTorch takes 0."""
    return piecewise((ZERO, ZERO), (line(arb(-1)), constant(ZERO), line(arb(1))), TORCH_TIES[name], ties)
