"""The verdict in a word, and the line that it begins."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from backproof.judging.verdicts import ANSWERED, Verdict
from backproof.outcome import Report
from backproof.screen.labels import QUANTITIES, many


class Said(NamedTuple):
    """The verdict in a word, how that looks, and what follows it in the line."""

    word: str
    style: str
    rest: str


def headline(report: Report) -> Said:
    """What is to be said of a run before anything else."""
    return {"agrees": _agrees, "disagrees": _disagrees, "cannot_run": _cannot_run}[report.verdict](report)


def _agrees(report: Report) -> Said:
    compared = f"none of {many(report.tally.compared, 'compared quantity')} is further off than rounding explains"
    return Said("AGREES", "bold green", f": {compared}")


def _disagrees(report: Report) -> Said:
    tally = report.tally
    if not tally.wrong_cases:
        return _beside(report)
    wrong = {quantity for (quantity, verdict), count in tally.by_quantity.items() if count and Verdict(verdict).fails}
    judged = {quantity for quantity, verdict in tally.by_quantity if Verdict(verdict).compared}
    unknown = {quantity for quantity, verdict in tally.by_quantity if verdict == Verdict.UNDECIDED}
    right = [QUANTITIES[quantity] for quantity in QUANTITIES if quantity in judged - wrong - unknown]
    silent = any(quantity == "call" and Verdict(verdict) not in ANSWERED for quantity, verdict in tally.by_quantity)
    kinks = report.strict_kinks and not wrong
    what = "OTHER SUBGRADIENTS" if kinks else "WRONG" if "loss" in wrong else "WRONG GRADIENTS"
    what = "FAILED CALLS" if wrong == {"call"} else what
    where = "wherever they were compared" if silent else "in all of them"
    tail = f"; right {where}: {', '.join(right)}" if right and report.hints != "none" else ""
    return Said(what, "bold red", f" in {tally.wrong_cases:,} of {tally.cases:,}{tail}")


def _beside(report: Report) -> Said:
    """What is wrong where every network agrees with the reference."""
    failed = Counter(row.verdict for row in report.contradictions)
    if failed[Verdict.DISAGREE]:
        return Said("WRONG SCALE", "bold red", ": every network agrees, but the candidate contradicts itself")
    if report.certificate is not None and report.certificate.exceeded:
        far = many(report.certificate.exceeded, "true error")
        return Said("INACCURATE", "bold red", f": every network agrees, but {far} beyond what rounding explains")
    what = f"{many(failed.total(), 'comparison')} of reductions and batches failed: {', '.join(sorted(failed))}"
    return Said("FAILED CALLS", "bold red", f": every network agrees, but {what}")


def _cannot_run(report: Report) -> Said:
    verdicts = report.tally.verdicts
    if not report.tally.cases:
        why = "no network was examined"
    elif verdicts[Verdict.UNDECIDED]:
        why = "the bound could decide nothing"
    elif verdicts[Verdict.UNSUPPORTED]:
        why = "it supports none of these networks"
    else:
        why = "no answer could be compared"
    return Said("CANNOT RUN", "bold red", f": {why}")
