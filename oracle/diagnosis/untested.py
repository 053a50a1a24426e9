"""Why an equation was not tested: what the candidate's numbers would have to show, and did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from backproof.diagnosis.additivity import Additivity
from backproof.diagnosis.equations import DEEPEST, Charges
from backproof.diagnosis.evidence import Exhibit
from backproof.judging.verdicts import Verdict

MAKERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"loss": ("loss",), "delta": ("BP1", "BP2"), "bias": ("BP3",), "weight": ("BP4",), "input": ("BP2",)}
)
"""Quantity -> the equations that make it."""

STEPS: Final = ("BP0", "BP1", "BP2", "BP3", "BP4", "batch", "scale")
"""All that a gradient of parameters comes from."""

BESIDE_WHAT_IS_WRONG: Final = "it holds where it was tested, and something is wrong all the same"


def not_finite(exhibits: Sequence[Exhibit]) -> frozenset[str]:
    """The equations that make a number which is not finite, and is in truth: there they were not tested."""
    wrong = (check for exhibit in exhibits for check in exhibit.checks if check.verdict is Verdict.NON_FINITE)
    return frozenset(name for check in wrong for name in MAKERS.get(check.quantity, ()))


def unexplained(exhibits: Sequence[Exhibit]) -> frozenset[str]:
    """What may have made the numbers that are wrong, where nothing is charged with them; of a dW or db every step."""
    disagree = {check.quantity for each in exhibits for check in each.checks if check.verdict is Verdict.DISAGREE}
    made = {name for quantity in disagree for name in MAKERS.get(quantity, ())}
    return frozenset(made.union(STEPS) if disagree & {"weight", "bias"} else made)


def reasons(
    equations: Mapping[str, str],
    exhibits: Sequence[Exhibit],
    read: Charges,
    added: Additivity,
    *,
    doubtful: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Equation -> why it was not tested, for those that are "not_tested".

    doubtful: those that held in their tests, though what they may have made is wrong.
    """
    return {
        equation: BESIDE_WHAT_IS_WRONG if equation in doubtful else _reason(equation, exhibits, read, added)
        for equation, status in equations.items()
        if status == "not_tested"
    }


def _reason(equation: str, exhibits: Sequence[Exhibit], read: Charges, added: Additivity) -> str:
    cases = [exhibit.case for exhibit in exhibits]
    if not any(exhibit.legible for exhibit in exhibits):
        return "no answer has every gradient in its shape"
    if equation == "loss" and all(exhibit.answer.loss is None for exhibit in exhibits):
        return "no loss is returned"
    if all(exhibit.nothing for exhibit in exhibits):
        return "every gradient is 0, which shows nothing of it"
    if equation == "BP2" and all(case.spec.depth == 1 for case in cases):
        return "no network has a hidden layer"
    if equation == "BP3" and not any(any(case.spec.biases) for case in cases):
        return "no layer has a bias"
    if equation in ("batch", "scale") and not added.tested:
        return "no batch could be taken apart into its samples"
    if equation in not_finite(exhibits):
        return "numbers that it makes are not finite, and are in truth"
    if equation not in ("batch", "loss") and all(case.spec.depth > DEEPEST for case in cases):
        return f"networks of more than {DEEPEST} layers are not read sample by sample"
    if equation in read.suspect:
        return "it or another equation is wrong: these numbers do not tell which"
    if equation in ("batch", "scale"):
        return "single samples are wrong already"
    if not read.readable:
        return "no reading of the gradients of single samples fits the other equations"
    return "what it rests on is wrong already"
