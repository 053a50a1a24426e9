"""A hypothesis: one fault or several, planted in the handwritten network; and when it reproduces an answer.

Two answers are the same when, in every array, they differ by no more than half of the digits: by sqrt(u) of the array's
largest number. Rounding is far below that on the small networks of the evidence, and two different formulas far above,
so that nothing depends on where between the two the line is drawn. The verdict that something is wrong never rests on
it: that is the bound's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np

from backproof.candidates.contract import Answer
from backproof.cases.case import Case
from backproof.cases.gradients import Array
from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.planting import POSITIONS, Plant, Planted, compose

Arrays = dict[tuple[str, int], Array]
"""(quantity, layer) -> array; layer 0 for the loss and dC/dx."""

ERROR: Final = Answer(failure="error", message="the formula cannot be computed on these shapes")


@dataclass(frozen=True)
class Hypothesis:
    """Some plants, as the explanation of what a candidate computes; none for a right one.

    learning_rate: that of the steps from which a candidate's gradients are read off.
    """

    plants: tuple[Plant, ...]
    learning_rate: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """The slugs of its faults."""
        return tuple(plant.fault.name for plant in self.plants)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sorts the simplest first: fewest faults, then without a condition, then everywhere."""
        conditions = sum(plant.condition is not None for plant in self.plants)
        limited = sum(POSITIONS.index(plant.position) for plant in self.plants)
        return len(self.plants), conditions, limited

    @cached_property
    def _planted(self) -> Planted:
        return Planted(self.plants, learning_rate=self.learning_rate)

    def answer(self, case: Case) -> Answer:
        """What the handwritten network computes with these faults; a failed answer where they cannot be computed."""
        try:
            return self._planted.answer(case)
        except Exception:  # noqa: BLE001  a wrong formula may fail in any way: on shapes, on NaN, on nothing at all
            return ERROR


RIGHT: Final = Hypothesis(())


@cache
def singles(rate: float | None = None) -> tuple[Hypothesis, ...]:
    """Every fault of the catalogue, everywhere and in one place only; those of training steps if a rate is given.

    Faults that keep a state are no explanation of single answers, and a loss of precision is none of formulas.
    """
    found = []
    for fault in FAULTS:
        if fault.remembers or fault.dtype is not None or (fault.only_steps and rate is None):
            continue
        for position in POSITIONS:
            try:
                plant = Plant(fault, position)
            except ValueError:
                continue  # a step without a layer is taken everywhere
            found.append(Hypothesis((plant,), 1.0 if rate is None else rate))
    return tuple(found)


def together(first: Hypothesis, second: Hypothesis) -> Hypothesis | None:
    """Both; None where they cannot be planted together."""
    plants = (*first.plants, *second.plants)
    try:
        compose(plants)
    except ValueError:
        return None
    return Hypothesis(plants, first.learning_rate)


def arrays(answer: Answer) -> Arrays:
    """All arrays of an answer."""
    found: Arrays = {}
    for name, array in (("loss", answer.loss), ("input", answer.inputs)):
        if array is not None:
            found[name, 0] = array
    for name, several in (("weight", answer.weights), ("bias", answer.biases), ("delta", answer.deltas or ())):
        for at, array in enumerate(several, 1):
            if array is not None:
                found[name, at] = array
    return found


def sizes(answer: Arrays) -> dict[tuple[str, int], float]:
    """The largest finite magnitude of each array."""
    return {key: float(np.abs(array[np.isfinite(array)]).max(initial=0.0)) for key, array in answer.items()}


def same(own: Array, other: Array, size: float) -> bool:
    """Whether two arrays have one shape, one pattern of infinities and NaNs, and agree to half of their digits."""
    if own.shape != other.shape:
        return False
    share = _HALF_OF_THE_DIGITS[own.dtype.type]
    with np.errstate(all="ignore"):
        limit = share * max(size, float(np.abs(other).max(initial=0.0)))
        if np.isfinite(limit) and float(np.abs(own - other).max(initial=0.0)) <= limit:
            return True
        finite = np.isfinite(own)
        if finite.all() or not np.array_equal(own[~finite], other[~finite], equal_nan=True):
            return False
        limit = share * float(np.abs(own[finite]).max(initial=size))
        return bool((np.abs(own[finite] - other[finite]) <= limit).all())


def agree(own: Arrays, other: Arrays) -> bool:
    """Whether every array that both have is the same in both."""
    size = sizes(own)
    return all(same(array, other[key], size[key]) for key, array in own.items() if key in other)


class _Shares(dict[type, float]):
    """Type of a number -> sqrt(u) of it; that of float64 for whole numbers."""

    def __missing__(self, kind: type) -> float:
        real = kind if issubclass(kind, np.floating) else np.float64
        self[kind] = float(np.sqrt(np.finfo(real).eps / 2.0))
        return self[kind]


_HALF_OF_THE_DIGITS: Final = _Shares()
