"""Why an equation was not tested: what the candidate's numbers would have to show, and did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproof.diagnosis.additivity import Additivity
from backproof.diagnosis.equations import Charges
from backproof.diagnosis.evidence import Exhibit


def reasons(
    equations: Mapping[str, str], exhibits: Sequence[Exhibit], read: Charges, added: Additivity
) -> dict[str, str]:
    """Equation -> why it was not tested, for those that are "not_tested"."""
    return {
        equation: _reason(equation, exhibits, read, added)
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
    if equation in read.suspect:
        return "it or another equation is wrong: these numbers do not tell which"
    if equation in ("batch", "scale"):
        return "single samples are wrong already"
    if not read.readable:
        return "no reading of the gradients of single samples fits the other equations"
    return "what it rests on is wrong already"
