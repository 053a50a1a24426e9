"""What a run has compared, covered, left out and noted: the lines below the verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from backproof.judging.doubts import REASONS
from backproof.judging.verdicts import Verdict
from backproof.outcome import Report
from backproof.reports.columns import ENOUGH
from backproof.screen.labels import QUANTITIES, SINGULAR, Labelled, labelled, many


def facts(report: Report) -> Iterator[Text | Labelled]:
    """All of them: those of each quantity where cases were named, else counts; without hints nothing but counts."""
    yield from _each(report) if report.ids and report.hints != "none" else _counts(report)
    yield from _odd(report)
    yield from _grouped(report)


def _each(report: Report) -> Iterator[Text]:
    """Every quantity of the cases that were named, in backward order."""
    rows = report.tables["checks"].to_pylist() if "checks" in report.tables else []
    width = max((len(_named(row)) for row in rows), default=0)
    for row in rows:
        verdict = Verdict(row["verdict"])
        style = "red" if verdict.fails else "green" if verdict is Verdict.AGREE else "yellow"
        ratio = "" if row["error_over_bound"] is None else f"  error / bound {row['error_over_bound']:.2g}"
        error = "" if row["max_abs_error"] is None else f", error {row['max_abs_error']:.2g}"
        note = f"  {row['note']}" if row["note"] else ""
        yield Text.assemble(f"{_named(row):<{width}}  ", (f"{verdict.value:<9}", style), ratio, error, note)


def _named(row: dict[str, Any]) -> str:
    layer = "" if row["layer"] is None else f" of layer {row['layer']}"
    return f"{row['quantity']}{layer}"


def _counts(report: Report) -> Iterator[Labelled]:
    tally = report.tally
    judged: Counter[str] = Counter()
    for (quantity, verdict), count in tally.by_quantity.items():
        if Verdict(verdict).compared:
            judged[quantity] += count
    if judged:
        named = [many(judged[quantity], name) for quantity, name in SINGULAR.items() if judged[quantity]]
        yield labelled("Compared", ", ".join(named))
    if len(tally.strata) > 1 and judged:
        yield labelled("Covered", _coverage(report))
        yield from _not_met(report)
    if report.verdict == "agrees" and tally.worst is not None:
        worst = tally.worst
        yield labelled("Closest", f"{worst.ratio:.2g} of the bound at worst, {worst.check.name} in {worst.case}")
    if impossible := [loss for loss in report.domain.losses if not report.domain.plan.outputs[loss].names]:
        possible = {loss.name for loss in report.domain.losses if loss not in impossible}
        names = ", ".join(dict.fromkeys(loss.id if loss.name in possible else loss.name for loss in impossible))
        yield labelled("Left out", f"{names}: no output activation of this domain goes with them")
    yield from _replayed(report)
    yield from _certified(report)
    yield from _divisors(report)


def _replayed(report: Report) -> Iterator[Labelled]:
    """What of a recording was not used, and what it could not serve for."""
    if report.replay is None:
        return
    if report.replay.left_out:
        of = f"{report.replay.left_out:,} of {many(report.replay.recorded, 'recorded network')}"
        yield labelled("Left out", f"{of}: outside the candidate's domain")
    if report.findings is not None and report.tally.wrong_cases:
        yield labelled("Diagnosed", "by exact arithmetic: it asks for networks that were not recorded")


def _certified(report: Report) -> Iterator[Labelled]:
    """The true errors, where they were measured."""
    if report.certificate is None:
        return
    for row in report.certificate.rows():
        errors = f"true error {row.worst_ulps:.3g} ulps at worst, {row.median_ulps:.3g} in the median"
        slack = row.median_bound_over_error
        loose = "" if slack is None else f"; the bound is {slack:.3g} times it"
        beyond = (f"; {many(row.exceeded, 'time')} beyond the bound", "red") if row.exceeded else ""
        followed = f"; {many(row.listed, 'time')} beyond it as PyTorch is, in a listed way" if row.listed else ""
        yield labelled("Certified", f"{SINGULAR[row.quantity]}, {row.dtype}: {errors}{loose}", followed, beyond)


def _coverage(report: Report) -> str:
    covered = {tuple(filter(None, key[1:])) for key, stratum in report.tally.strata.items() if stratum.quantities}
    names = {kind: {key[1] for key in report.tally.strata if key[0] == kind} for kind in ("activation", "loss")}
    missing = [stratum for stratum in report.domain.strata() if tuple(stratum) not in covered]
    kinds = many(len(names["activation"]), "activation"), many(len(names["loss"]), "loss")
    text = f"{', '.join(kinds)}; {len(covered):,} strata"
    if not missing:
        return f"{text}, none left out"
    few = ", ".join("/".join(stratum) for stratum in missing[:3])
    more = _more(report) if report.replay is None else ": they were not recorded"
    return f"{text}; {len(missing)} not met ({few}{', ...' if len(missing) > 3 else ''}){more}"


def _more(report: Report) -> str:
    """What would cover more; nothing where the run ended before its time."""
    return "" if report.stopped else ": --cases more"


def _not_met(report: Report) -> Iterator[Labelled]:
    """Pairs of settings that the domain allows and no network had."""
    if report.never_met and report.replay is None:
        few = ", ".join(f"{pair.first} with {pair.second}" for pair in report.never_met[:3])
        others = ", ..." if len(report.never_met) > 3 else ""
        pairs = f"{many(len(report.never_met), 'pair')} of settings ({few}{others})"
        yield labelled("Not met", f"{pairs}{_more(report)}")


def _grouped(report: Report) -> Iterator[Labelled]:
    """What fails, where it is more than one thing; and of what there are rows of the first networks alone."""
    if len(report.groups) > 1 and report.hints != "none":
        for number, group in enumerate(report.groups[:4]):
            named = " + ".join(group.faults) if report.hints == "all" else ""
            what = named or f"first in {', '.join(f'{quantity} {place}'.strip() for quantity, place in group.places)}"
            text = f"{many(group.cases, 'network')}: {what}, as in {group.shown or group.examples[0]}"
            yield labelled("" if number else "Groups", text)
    if report.left_out and report.directory is not None:
        sorts = many(report.left_out, "sort")
        yield labelled("Left out", f"rows of discrepancies of {sorts} after the first {ENOUGH:,} networks: see sorts")


def _divisors(report: Report) -> Iterator[Labelled]:
    """What `mean` divides by, as the candidate itself showed it; and where it contradicts itself."""
    divided: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row in report.scaling:
        if row.compared == "sum / mean" and row.verdict == "agree":
            divided[row.divisor][row.loss.partition("=")[0]] = None
    if divided and report.verdict == "agrees":
        yield labelled("mean", "divides by ", "; ".join(f"{by} ({', '.join(names)})" for by, names in divided.items()))
    # What fails by an exception or a shape fails everywhere, and is told above.
    told = [row for row in report.contradictions if row.verdict == Verdict.DISAGREE or not report.tally.wrong_cases]
    for row in told[:3]:
        yield labelled("Scale", row.told)


def _odd(report: Report) -> Iterator[Labelled]:
    """Whatever is neither agreement nor failure, so that nothing is taken for agreement that is not."""
    tally, verdicts = report.tally, report.tally.verdicts
    if count := verdicts[Verdict.UNDECIDED]:
        yield labelled(
            "Undecided",
            (many(count, "quantity"), "yellow"),
            ", on which the bound says nothing: no agreement, no blame",
        )
        for reason, number in tally.reasons.most_common():
            yield labelled("", f"{number:,} {reason}: {REASONS.get(reason, reason)}")
    for verdict, label in ((Verdict.REFERENCE_WRONG, "PyTorch"), (Verdict.AGREE, "Noted"), (Verdict.KINK, "Kinks")):
        notes = {note: count for note, count in tally.notes.items() if note.startswith(f"{verdict.value}: ")}
        for note, count in sorted(notes.items()):
            what = {"PyTorch": "is wrong here, exact arithmetic agrees with the candidate: "}.get(label, "")
            yield labelled(label, f"{what}{note.partition(': ')[2]} ({many(count, 'quantity')})")
    if verdicts[Verdict.NOT_OFFERED]:
        absent = [QUANTITIES[q] for q in QUANTITIES if tally.by_quantity[q, Verdict.NOT_OFFERED]]
        yield labelled("Not offered", f"{', '.join(absent)}: optional, and not returned")
    if count := verdicts[Verdict.UNSUPPORTED]:
        yield labelled("Unsupported", f"{many(count, 'network')}, by its own account")
