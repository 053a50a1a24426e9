"""The closed set of verdicts, and the record of one: a check."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple


class Verdict(StrEnum):
    """One word per quantity, from a closed set. `AGREE` is the only one that says that the candidate is right."""

    AGREE = "agree"
    KINK = "kink"
    DISAGREE = "disagree"
    REFERENCE_WRONG = "reference_wrong"
    UNDECIDED = "undecided"
    SHAPE = "shape"
    MISSING = "missing"
    NON_FINITE = "non_finite"
    MUTATED_INPUT = "mutated_input"
    NONDETERMINISTIC = "nondeterministic"
    ERROR = "error"
    TIMEOUT = "timeout"
    NOT_OFFERED = "not_offered"
    UNSUPPORTED = "unsupported"

    @property
    def fails(self) -> bool:
        """Whether one such quantity makes the whole run fail (`--strict-kinks` adds `KINK` to these)."""
        return self not in _PASSING

    @property
    def compared(self) -> bool:
        """Whether numbers were judged: the other verdicts say nothing about the value of a gradient."""
        return self in _COMPARED


_PASSING = {Verdict(v) for v in ("agree", "kink", "reference_wrong", "undecided", "not_offered", "unsupported")}
_COMPARED = {Verdict(v) for v in ("agree", "kink", "disagree", "reference_wrong", "non_finite")}


ANSWERED: Final = (Verdict.MUTATED_INPUT, Verdict.NONDETERMINISTIC)
"""What is wrong with a call that gave an answer, whose numbers are judged besides."""

UNREMARKABLE: Final = (Verdict.AGREE, Verdict.NOT_OFFERED)
"""What is left out of the table `discrepancies`."""


class Check(NamedTuple):
    """The verdict on one quantity of one case, and the numbers it rests on: those of the entry with the largest ratio.

    A named tuple, not a dataclass: a run makes a dozen of them per network, and they become table rows as they are.
    `layer` counts from 1; `position` is "output", "hidden" or "first" ("" for the loss and the input).
    """

    quantity: str
    layer: int | None
    position: str
    shape: tuple[int, ...] | None
    entries: int | None
    nonzero: int | None
    verdict: Verdict
    mismatched: int | None
    max_abs_error: float | None
    bound: float | None
    error_over_bound: float | None
    worst_index: tuple[int, ...] | None
    candidate_value: float | None
    reference_value: float | None
    exact_value: float | None
    note: str

    @classmethod
    def read(cls, values: Iterable[Any]) -> Check:
        """The check that was written as JSON, where tuples became lists and the verdict a text."""
        check = cls(*values)
        shape, index = (None if each is None else tuple(each) for each in (check.shape, check.worst_index))
        return check._replace(shape=shape, worst_index=index, verdict=Verdict(check.verdict))

    @property
    def name(self) -> str:
        """The quantity as people are told it: "bias gradient of layer 2"."""
        if self.layer is None:
            return {"input": "input gradient", "call": "the call itself"}.get(self.quantity, self.quantity)
        return f"{self.quantity}{'' if self.quantity == 'delta' else ' gradient'} of layer {self.layer}"


def whole_call(verdict: Verdict, note: str) -> Check:
    """A verdict on the call itself, where there is no array to speak of: an exception, a changed input, a state."""
    return Check("call", None, "", None, None, None, verdict, None, None, None, None, None, None, None, None, note)
