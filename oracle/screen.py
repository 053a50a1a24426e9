"""The first screen: what a person reads when a run has ended. Nobody must scroll when all is well."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.text import Text

from backproof.diagnosis import card
from backproof.judging.doubts import REASONS
from backproof.judging.verdicts import Check, Verdict
from backproof.outcome import Report
from backproof.reports.columns import ENOUGH

_SINGULAR: Final = {
    "loss": "loss",
    "delta": "delta",
    "bias": "bias gradient",
    "weight": "weight gradient",
    "input": "input gradient",
}
_QUANTITIES: Final = {quantity: f"{name}{'es' if name.endswith('s') else 's'}" for quantity, name in _SINGULAR.items()}


_TOLD_ANYWAY: Final = (Verdict.ERROR, Verdict.TIMEOUT)
"""What a candidate's own code says, or does not, is no hint."""

_ANSWERED: Final = (Verdict.MUTATED_INPUT, Verdict.NONDETERMINISTIC)
"""What is wrong with a call that gave an answer."""

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_COLOURS: Final = {"Yours": "red", "Right": "green"}


class _Labelled(NamedTuple):
    """A line with its label in front; `whole` keeps what is meant to be copied in one piece."""

    label: str
    text: Text
    whole: bool = False

    @property
    def joined(self) -> Text:
        return Text.assemble((f"{self.label:<{card.LABEL_WIDTH}}", "bold"), self.text)


class _Said(NamedTuple):
    """The verdict in a word, how that looks, and what follows it in the line."""

    word: str
    style: str
    rest: str


def show(report: Report, console: Console) -> None:
    """Print the screen: in the width of a terminal, below one another and not below the labels; in a pipe as it is."""
    for line in _clean(_lines(report)):
        if isinstance(line, Text):
            console.print(line, soft_wrap=not console.is_terminal)
        elif line.whole or not console.is_terminal:
            console.print(line.joined, soft_wrap=True)
        else:
            for number, part in enumerate(
                line.text.wrap(console, max(console.width - card.LABEL_WIDTH, card.LABEL_WIDTH))
            ):
                console.print(_Labelled("" if number else line.label, part).joined, soft_wrap=True)


def plain(report: Report) -> str:
    """The screen without colour or line breaks of a terminal."""
    texts = (line if isinstance(line, Text) else line.joined for line in _clean(_lines(report)))
    return "\n".join(text.plain.rstrip() for text in texts) + "\n"


def told(report: Report) -> dict[str, Any]:
    """The same as data, in the parts that a page arranges anew."""
    verdict = _verdict(report)
    return {
        "candidate": report.candidate,
        "head": _head(report).plain,
        "tone": report.verdict,
        "word": verdict.word,
        "headline": verdict.rest.removeprefix(":").strip(),
        "card": _pairs(_example(report)),
        "facts": _pairs(_facts(report)),
        "text": plain(report),
    }


def _pairs(found: Iterable[Text | _Labelled]) -> list[tuple[str, str]]:
    lines = (("", line.plain) if isinstance(line, Text) else (line.label, line.text.plain) for line in _clean(found))
    return [(label, text.strip()) for label, text in lines if label or text]


def _lines(report: Report) -> Iterator[Text | _Labelled]:
    yield _head(report)
    word, style, rest = _verdict(report)
    yield Text.assemble((word, style), rest)
    yield from _stopped(report)
    yield Text()
    yield from _example(report)
    yield from _facts(report)
    yield from _written(report)


def _clean(lines: Iterable[Text | _Labelled]) -> Iterator[Text | _Labelled]:
    """Without what moves a terminal's cursor or sets its title: messages come from other people's code."""
    for line in lines:
        text = line if isinstance(line, Text) else line.text
        text.plain = _CONTROL.sub("\ufffd", text.plain)
        yield line


def _head(report: Report) -> Text:
    networks = f"{_many(report.tally.cases, 'random network')}, seed {report.seed}"
    networks = networks if report.replay is None else _many(report.tally.cases, "recorded network")
    networks = ("case " if report.repeatable else "") + ", ".join(report.ids) if report.ids else networks
    return Text.assemble((report.candidate, "bold"), f"   against {report.reference}   {networks}")


def _verdict(report: Report) -> _Said:
    return {"agrees": _agrees, "disagrees": _disagrees, "cannot_run": _cannot_run}[report.verdict](report)


def _stopped(report: Report) -> Iterator[_Labelled]:
    if report.stopped:
        yield _line("Stopped", f"{report.stopped}; all of the above is about these")


def _facts(report: Report) -> Iterator[Text | _Labelled]:
    yield from _each(report) if report.ids else _counts(report)
    yield from _odd(report)
    yield from _grouped(report)


def _written(report: Report) -> Iterator[_Labelled]:
    if report.directory is not None:
        beside = "beside it summary.md, junit.xml, and the tables as csv and parquet"
        yield _line("Report", f"{report.directory / 'index.html'}; {beside}")


def _line(label: str, *parts: str | tuple[str, str]) -> _Labelled:
    return _Labelled(label, Text.assemble(*parts))


def _agrees(report: Report) -> _Said:
    compared = f"none of {_many(report.tally.compared, 'compared quantity')} is further off than rounding explains"
    return _Said("AGREES", "bold green", f": {compared}")


def _disagrees(report: Report) -> _Said:
    tally = report.tally
    if not tally.wrong_cases:
        return _beside(report)
    wrong = {quantity for (quantity, verdict), count in tally.by_quantity.items() if count and Verdict(verdict).fails}
    judged = {quantity for quantity, verdict in tally.by_quantity if Verdict(verdict).compared}
    right = [_QUANTITIES[quantity] for quantity in _QUANTITIES if quantity in judged - wrong]
    kinks = report.strict_kinks and not wrong
    what = "OTHER SUBGRADIENTS" if kinks else "WRONG" if "loss" in wrong else "WRONG GRADIENTS"
    what = "FAILED CALLS" if wrong == {"call"} else what
    tail = f"; right in all of them: {', '.join(right)}" if right and report.hints != "none" else ""
    return _Said(what, "bold red", f" in {tally.wrong_cases:,} of {tally.cases:,}{tail}")


def _beside(report: Report) -> _Said:
    """What is wrong where every network agrees with the reference."""
    failed = Counter(row.verdict for row in report.contradictions)
    if failed[Verdict.DISAGREE]:
        return _Said("WRONG SCALE", "bold red", ": every network agrees, but the candidate contradicts itself")
    if report.certificate is not None and report.certificate.exceeded:
        far = _many(report.certificate.exceeded, "true error")
        return _Said("INACCURATE", "bold red", f": every network agrees, but {far} beyond what rounding explains")
    what = f"{_many(failed.total(), 'comparison')} of reductions and batches failed: {', '.join(sorted(failed))}"
    return _Said("FAILED CALLS", "bold red", f": every network agrees, but {what}")


def _cannot_run(report: Report) -> _Said:
    verdicts = report.tally.verdicts
    if not report.tally.cases:
        why = "no network was examined"
    elif verdicts[Verdict.UNDECIDED]:
        why = "the bound could decide nothing"
    elif verdicts[Verdict.UNSUPPORTED]:
        why = "it supports none of these networks"
    else:
        why = "no answer could be compared"
    return _Said("CANNOT RUN", "bold red", f": {why}")


def _example(report: Report) -> Iterator[Text | _Labelled]:
    """Where the first failure on the way back lies, with numbers from the smallest failing case."""
    tally = report.tally
    if tally.smallest is None:
        return
    if report.findings is not None and report.findings.diagnoses:
        contradicted = any(row.verdict == Verdict.DISAGREE for row in report.contradictions)
        for label, told in card.lines(
            report.findings, candidate=report.candidate, hints=report.hints, contradicted=contradicted
        ):
            if label == "Again":
                if report.findings.shown is not None:
                    yield from _again(report, report.findings.shown.case.spec.id)
            else:
                yield _line(label, (told, _COLOURS[label]) if label in _COLOURS else told)
        yield Text()
        return
    _, case, check = tally.smallest
    if report.hints == "none" and check.verdict not in _TOLD_ANYWAY:
        return
    yield _line("Where", "; ".join(_where(report)))
    if check.quantity == "call":
        yield _line("What", card.of_the_call(check, report.candidate))
    elif check.max_abs_error is None:
        yield _line("What", f"{check.name}: {check.verdict.value}{f', {check.note}' if check.note else ''}")
    else:
        at = f"[{', '.join(map(str, check.worst_index))}]" if check.worst_index else ""
        yield _line("What", f"{check.name}{at}: {check.verdict.value}{f', {check.note}' if check.note else ''}")
        if report.hints == "all":
            yield _line("Yours", (f"{check.candidate_value!r}", "red"))
            yield _line("Right", (_right(check, report), "green"))
            yield _line("Off by", f"{check.max_abs_error:.3g} at most; rounding explains {check.bound:.3g}")
    if report.findings is not None and report.hints == "all" and check.max_abs_error is not None:
        yield _line("Mistake", card.UNKNOWN)
    yield from _again(report, case)
    yield Text()


def _again(report: Report, case: str) -> Iterator[_Labelled]:
    """What repeats a case: the command; for a function that no text finds, the call, where its name says it."""
    exact = report.truth == "exact"  # PyTorch took no part
    if not report.repeatable:
        return
    if report.text is not None:
        command = f"backproof check {shlex.quote(report.text)} --case {case}{' --reference exact' if exact else ''}"
        yield _Labelled("Again", Text(command), whole=True)
    elif report.candidate.isidentifier():
        reference = ', truth="exact"' if exact else ""
        yield _Labelled("Again", Text(f'check({report.candidate}, ids=["{case}"]{reference})'), whole=True)


def _where(report: Report) -> Iterator[str]:
    """In how many calls the candidate gave no answer, and what is wrong first where it gave one."""
    tally = report.tally
    counts = Counter(tally.first_wrong)
    if failed := counts.pop(("call", ""), 0):
        whose = card.whose(report.candidate)
        answers = any(tally.by_quantity["call", verdict] for verdict in _ANSWERED)
        what = "is at fault" if answers else "failed"
        yield f"{whose} {what} in {failed:,} of {_many(tally.cases, 'call')}"
    places = [_place(quantity, position, count) for (quantity, position), count in counts.most_common(4)]
    if places:
        yield f"first wrong on the way back: {'; '.join(places)}"


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


def _many(count: int, thing: str) -> str:
    """A count with its noun: 1 loss, 2 losses, 3 quantities."""
    if count != 1:
        thing = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{count:,} {thing}"


def _place(quantity: str, position: str, count: int) -> str:
    what = {"input": "the input gradient", "loss": "the loss"}.get(quantity, f"the {quantity}")
    where = {"output": " of the output layer", "hidden": " of a hidden layer", "first": " of the first layer"}
    return f"{what}{where.get(position, '')} ({count:,})"


def _right(check: Check, report: Report) -> str:
    said = f"{check.reference_value!r} says {report.reference}"
    if report.truth == "exact" or check.exact_value is None:
        return said
    return f"{said}, {check.exact_value!r} exact arithmetic"


def _counts(report: Report) -> Iterator[_Labelled]:
    tally = report.tally
    judged: Counter[str] = Counter()
    for (quantity, verdict), count in tally.by_quantity.items():
        if Verdict(verdict).compared:
            judged[quantity] += count
    if judged:
        named = [_many(judged[quantity], name) for quantity, name in _SINGULAR.items() if judged[quantity]]
        yield _line("Compared", ", ".join(named))
    if len(tally.strata) > 1 and judged:
        yield _line("Covered", _coverage(report))
        yield from _not_met(report)
    if report.verdict == "agrees" and tally.worst is not None:
        worst = tally.worst
        yield _line("Closest", f"{worst.ratio:.2g} of the bound at worst, {worst.check.name} in {worst.case}")
    if impossible := [loss for loss in report.domain.losses if not report.domain.plan.outputs[loss].names]:
        names = ", ".join(dict.fromkeys(loss.name for loss in impossible))
        yield _line("Left out", f"{names}: no output activation of this domain goes with them")
    yield from _replayed(report)
    yield from _certified(report)
    yield from _divisors(report)


def _replayed(report: Report) -> Iterator[_Labelled]:
    """What of a recording was not used, and what it could not serve for."""
    if report.replay is None:
        return
    if report.replay.left_out:
        of = f"{report.replay.left_out:,} of {_many(report.replay.recorded, 'recorded network')}"
        yield _line("Left out", f"{of}: outside the candidate's domain")
    if report.findings is not None and report.tally.wrong_cases:
        yield _line("Diagnosed", "by exact arithmetic: it asks for networks that were not recorded")


def _certified(report: Report) -> Iterator[_Labelled]:
    """The true errors, where they were measured."""
    if report.certificate is None:
        return
    for row in report.certificate.rows():
        errors = f"true error {row.worst_ulps:.3g} ulps at worst, {row.median_ulps:.3g} in the median"
        slack = row.median_bound_over_error
        loose = "" if slack is None else f"; the bound is {slack:.3g} times it"
        beyond = (f"; {_many(row.exceeded, 'time')} beyond the bound", "red") if row.exceeded else ""
        followed = f"; {_many(row.listed, 'time')} beyond it as PyTorch is, in a listed way" if row.listed else ""
        yield _line("Certified", f"{_SINGULAR[row.quantity]}, {row.dtype}: {errors}{loose}", followed, beyond)


def _coverage(report: Report) -> str:
    covered = {tuple(filter(None, key[1:])) for key, stratum in report.tally.strata.items() if stratum.quantities}
    names = {kind: {key[1] for key in report.tally.strata if key[0] == kind} for kind in ("activation", "loss")}
    missing = [stratum for stratum in report.domain.strata() if tuple(stratum) not in covered]
    kinds = _many(len(names["activation"]), "activation"), _many(len(names["loss"]), "loss")
    text = f"{', '.join(kinds)}; {len(covered):,} strata"
    if not missing:
        return f"{text}, none left out"
    few = ", ".join("/".join(stratum) for stratum in missing[:3])
    more = _more(report) if report.replay is None else ": they were not recorded"
    return f"{text}; {len(missing)} not met ({few}{', ...' if len(missing) > 3 else ''}){more}"


def _more(report: Report) -> str:
    """What would cover more; nothing where the run ended before its time."""
    return "" if report.stopped else ": --cases more"


def _not_met(report: Report) -> Iterator[_Labelled]:
    """Pairs of settings that the domain allows and no network had."""
    if report.never_met and report.replay is None:
        few = ", ".join(f"{pair.first} with {pair.second}" for pair in report.never_met[:3])
        others = ", ..." if len(report.never_met) > 3 else ""
        pairs = f"{_many(len(report.never_met), 'pair')} of settings ({few}{others})"
        yield _line("Not met", f"{pairs}{_more(report)}")


def _grouped(report: Report) -> Iterator[_Labelled]:
    """What fails, where it is more than one thing; and of what there are rows of the first networks alone."""
    if len(report.groups) > 1 and report.hints != "none":
        for number, group in enumerate(report.groups[:4]):
            named = " + ".join(group.faults) if report.hints == "all" else ""
            what = named or f"first in {', '.join(f'{quantity} {place}'.strip() for quantity, place in group.places)}"
            text = f"{_many(group.cases, 'network')}: {what}, as in {group.shown or group.examples[0]}"
            yield _line("" if number else "Groups", text)
    if report.left_out and report.directory is not None:
        sorts = _many(report.left_out, "sort")
        yield _line("Left out", f"rows of discrepancies of {sorts} after the first {ENOUGH:,} networks: see sorts")


def _divisors(report: Report) -> Iterator[_Labelled]:
    """What `mean` divides by, as the candidate itself showed it; and where it contradicts itself."""
    divided: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row in report.scaling:
        if row.compared == "sum / mean" and row.verdict == "agree":
            divided[row.divisor][row.loss.partition("=")[0]] = None
    if divided and report.verdict == "agrees":
        yield _line("mean", "divides by ", "; ".join(f"{by} ({', '.join(names)})" for by, names in divided.items()))
    # What fails by an exception or a shape fails everywhere, and is told above.
    told = [row for row in report.contradictions if row.verdict == Verdict.DISAGREE or not report.tally.wrong_cases]
    for row in told[:3]:
        yield _line("Scale", row.told)


def _odd(report: Report) -> Iterator[_Labelled]:
    """Whatever is neither agreement nor failure, so that nothing is taken for agreement that is not."""
    tally, verdicts = report.tally, report.tally.verdicts
    if count := verdicts[Verdict.UNDECIDED]:
        yield _line(
            "Undecided",
            (_many(count, "quantity"), "yellow"),
            ", on which the bound says nothing: no agreement, no blame",
        )
        for reason, number in tally.reasons.most_common():
            yield _line("", f"{number:,} {reason}: {REASONS.get(reason, reason)}")
    for verdict, label in ((Verdict.REFERENCE_WRONG, "PyTorch"), (Verdict.AGREE, "Noted"), (Verdict.KINK, "Kinks")):
        notes = {note: count for note, count in tally.notes.items() if note.startswith(f"{verdict.value}: ")}
        for note, count in sorted(notes.items()):
            what = {"PyTorch": "is wrong here, exact arithmetic agrees with the candidate: "}.get(label, "")
            yield _line(label, f"{what}{note.partition(': ')[2]} ({_many(count, 'quantity')})")
    if verdicts[Verdict.NOT_OFFERED]:
        absent = [_QUANTITIES[q] for q in _QUANTITIES if tally.by_quantity[q, Verdict.NOT_OFFERED]]
        yield _line("Not offered", f"{', '.join(absent)}: optional, and not returned")
    if count := verdicts[Verdict.UNSUPPORTED]:
        yield _line("Unsupported", f"{_many(count, 'network')}, by its own account")
