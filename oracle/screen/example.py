"""The first failure in full: where it lies, what the numbers are, and what repeats it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich.text import Text

from backproof.diagnosis import card
from backproof.judging.verdicts import ANSWERED, Check, Verdict
from backproof.outcome import Report
from backproof.screen.labels import Labelled, labelled, many

_TOLD_ANYWAY: Final = (Verdict.ERROR, Verdict.TIMEOUT)
"""What a candidate's own code says, or does not, is no hint."""

_COLOURS: Final = {"Yours": "red", "Right": "green"}


def example(report: Report) -> Iterator[Text | Labelled]:
    """Where the first failure on the way back lies, with numbers from the smallest failing case."""
    tally = report.tally
    if tally.smallest is None:
        return
    if report.findings is not None and report.findings.diagnoses:
        for label, told in card.lines(report.findings, candidate=report.candidate, hints=report.hints):
            if not label and not told:
                yield Text()  # between two mistakes
            elif label == "Again":
                if report.findings.shown is not None:
                    yield from _again(report, report.findings.shown.case.spec.id)
            else:
                yield labelled(label, (told, _COLOURS[label]) if label in _COLOURS else told)
        yield Text()
        return
    _, case, check = tally.smallest
    if report.hints == "none" and check.verdict not in _TOLD_ANYWAY:
        return
    yield labelled("Where", "; ".join(_where(report)))
    if check.quantity == "call":
        yield labelled("What", card.of_the_call(check, report.candidate))
        if check.verdict is Verdict.TIMEOUT and report.text is not None:
            yield labelled("", "--timeout gives it longer, if it only needs longer")
    elif check.max_abs_error is None:
        yield labelled("What", f"{check.name}: {check.verdict.value}{f', {check.note}' if check.note else ''}")
    else:
        at = f"[{', '.join(map(str, check.worst_index))}]" if check.worst_index else ""
        yield labelled("What", f"{check.name}{at}: {check.verdict.value}{f', {check.note}' if check.note else ''}")
        if report.hints == "all":
            yield labelled("Yours", (f"{check.candidate_value!r}", "red"))
            yield labelled("Right", (_right(check, report), "green"))
            yield labelled("Off by", f"{check.max_abs_error:.3g} at most; rounding explains {check.bound:.3g}")
    if report.findings is not None and report.hints == "all" and check.max_abs_error is not None:
        yield labelled("Mistake", card.UNKNOWN)
    yield from _again(report, case)
    yield Text()


def _again(report: Report, case: str) -> Iterator[Labelled]:
    """What repeats a case: the command; for a function that no text finds, the call, where its name says it."""
    exact = report.truth == "exact"  # PyTorch took no part
    if not report.repeatable:
        return
    if report.text is not None:
        command = f"backproof check {shlex.quote(report.text)} --case {case}{' --reference exact' if exact else ''}"
        yield Labelled("Again", Text(command), whole=True)
    elif report.candidate.isidentifier():
        reference = ', truth="exact"' if exact else ""
        yield Labelled("Again", Text(f'check({report.candidate}, ids=["{case}"]{reference})'), whole=True)


def _where(report: Report) -> Iterator[str]:
    """In how many calls the candidate gave no answer, and what is wrong first where it gave one."""
    tally = report.tally
    counts = Counter(tally.first_wrong)
    if failed := counts.pop(("call", ""), 0):
        whose = card.whose(report.candidate)
        answers = any(tally.by_quantity["call", verdict] for verdict in ANSWERED)
        what = "is at fault" if answers else "failed"
        yield f"{whose} {what} in {failed:,} of {many(tally.cases, 'call')}"
    places = [_place(quantity, position, count) for (quantity, position), count in counts.most_common(4)]
    if places:
        yield f"first wrong on the way back: {'; '.join(places)}"


def _place(quantity: str, position: str, count: int) -> str:
    what = {"input": "the input gradient", "loss": "the loss"}.get(quantity, f"the {quantity}")
    where = {"output": " of the output layer", "hidden": " of a hidden layer", "first": " of the first layer"}
    return f"{what}{where.get(position, '')} ({count:,})"


def _right(check: Check, report: Report) -> str:
    said = f"{check.reference_value!r} says {report.reference}"
    if report.truth == "exact" or check.exact_value is None:
        return said
    return f"{said}, {check.exact_value!r} exact arithmetic"
