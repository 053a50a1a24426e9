"""The guard: a candidate's accuracy, held to what was accepted before.

It examines exactly the networks of the baseline. It fails where a verdict is worse, where an error is a larger part of
its bound than is allowed, even inside the bound, where a stratum is no longer covered, and where the candidate's domain
has shrunk, so that it is not asked some of these networks any more.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from backproof.campaign.shards import drawn
from backproof.campaign.tally import strata_of
from backproof.candidates.contract import Candidate
from backproof.cases.domain import Domain, DomainError
from backproof.cases.spec import NetworkSpec
from backproof.contact.probe import first_contact
from backproof.environment import release, version
from backproof.examine import Truth
from backproof.outcome import Report
from backproof.reports.baselines import CALL, VERDICTS, Baseline, BaselineError, Key, Row, Verdicts, allowed
from backproof.reports.junit import Entry, junit
from backproof.reports.places import place
from backproof.reports.tables import cell
from backproof.route import CASES, Progress, check
from backproof.scaling import scaling


@dataclass(frozen=True, kw_only=True)
class Held:
    """One stratum of the baseline, as it is now; `complaints` is empty where it holds."""

    row: Row
    observed: float | None
    worst_case: str
    complaints: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """What came of it.

    beside: what is wrong with the run as a whole. notes: what is no failure, and worth knowing.
    """

    candidate: str
    baseline: Baseline
    report: Report
    held: tuple[Held, ...]
    beside: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[Held, ...]:
        """The strata that do not hold."""
        return tuple(each for each in self.held if each.complaints)

    @property
    def holds(self) -> bool:
        """Whether nothing has become worse."""
        return not self.failed and not self.beside

    @property
    def exit_code(self) -> int:
        """0 holds, 1 fails."""
        return 0 if self.holds else 1

    def junit(self) -> bytes:
        """JUnit XML: one test for each stratum, and one for the run as a whole."""
        tests = [Entry(each.row.name, "\n".join(each.complaints)) for each in self.held]
        return junit("backproof guard", self.candidate, [*tests, Entry("the whole run", "\n".join(self.beside))])

    def lines(self) -> Iterator[tuple[str, str]]:
        """(label, text) of what a person reads."""
        if self.holds:
            yield "HOLDS", f"none of {len(self.held)} strata is worse than allowed"
            nearest = max(self.held, key=lambda each: (each.observed or 0.0) / each.row.allowed)
            if nearest.observed is not None:
                yield "Closest", f"{nearest.row.name}: {_of_allowed(nearest)}"
        elif self.failed:
            yield "FAILS", f"{len(self.failed)} of {len(self.held)} strata are worse than allowed"
        else:
            yield "FAILS", f"none of {len(self.held)} strata is worse than allowed, but the run as a whole is"
        for complaint in self.beside:
            yield "Run", complaint
        for each in self.failed:
            yield each.row.name, "; ".join(each.complaints)
        for note in self.notes:
            yield "Noted", note

    def summary(self) -> str:
        """Markdown for the page of a job."""
        named = self.candidate.replace("`", "'")
        parts = [f"## Backproof guard: `{named}` {'holds' if self.holds else 'fails'}"]
        based = f"{self.baseline.cases:,} random networks, seed {self.baseline.seed}, against {self.report.reference}"
        parts.append(based)
        if self.beside or self.notes:
            parts.append("\n".join(f"- {cell(line)}" for line in (*self.beside, *self.notes)))
        if self.failed:
            parts.append(_table(self.failed))
            parts.append(
                "If this is meant, accept it with `backproof guard ... --update`, and commit what that changes."
            )
        rest = [each for each in self.held if not each.complaints]
        if rest:
            parts.append(
                f"<details><summary>{len(rest)} strata hold</summary>\n\n{_table(rest)}\n\n</details>",
            )
        return "\n\n".join(parts) + "\n"


def guard(
    candidate: Candidate,
    baseline: Baseline,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Guarded:
    """Examine the networks of a baseline again, and hold each stratum to it.

    A candidate is asked for nothing outside its domain, whatever that was when the baseline was made.
    Raises BaselineError where these networks cannot be drawn any more, and whatever `check` raises.
    """
    domain = _domain(baseline)
    specs = list(drawn(domain, **_drawing(baseline)))
    if digest(specs) != baseline.networks:
        raise BaselineError(
            f"this version of Backproof draws other networks from that domain and seed than {baseline.backproof} did, "
            "or the baseline's domain, cases or seed were edited: accept the accuracy on the new ones with --update"
        )
    inside = [spec for spec in specs if candidate.domain.contains(spec)]
    if not inside:
        raise BaselineError(
            f"none of the baseline's {len(specs):,} networks is of the candidate's domain: "
            f"{candidate.domain.why_not(specs[0])}. If that is meant, use --update"
        )
    truth: Truth = "exact" if baseline.reference == "exact" else "torch"
    same = candidate.domain == domain
    report = check(
        candidate,
        candidate.domain,
        cases=baseline.cases,
        rows=baseline.cases,
        seed=baseline.seed,
        ids=[] if same else [spec.id for spec in inside],  # its domain draws others
        truth=truth,
        workers=workers,
        progress=progress,
    )
    if not same:
        scales = () if report.interrupted else tuple(scaling(candidate, candidate.domain, seed=baseline.seed))
        report = replace(report, ids=(), scaling=scales)
    return compared(candidate.name, candidate.domain, baseline, report)


def compared(name: str, domain: Domain, baseline: Baseline, report: Report) -> Guarded:
    """A report on a baseline's networks, stratum by stratum."""
    specs = list(drawn(_domain(baseline), **_drawing(baseline)))
    outside = [spec for spec in specs if not domain.contains(spec)]
    now = {row.key: row for row in rows_of(report)}
    worse = _worsened(baseline, report)
    held = []
    for row in baseline.rows:
        found = now.pop(row.key, None)
        complaints = tuple(_complaints(row, found, worse[row.key], name))
        observed, worst = (None, "") if found is None else (found.observed, found.worst_case)
        held.append(Held(row=row, observed=observed, worst_case=worst, complaints=complaints))
    beside = []
    if report.interrupted:
        beside.append(f"stopped after {report.tally.cases:,} of {len(specs) - len(outside):,} networks")
    if outside:
        count, why = f"{len(outside):,} of {len(specs):,}", domain.why_not(outside[0])
        beside.append(f"{count} networks are outside its domain now, and were not asked, like {outside[0].id}: {why}")
    beside += [row.told for row in report.contradictions]
    if report.verdict != "agrees":
        beside.append(f"the verdict on these networks as a whole is {report.verdict}")
    notes = []
    torch = release(version("torch"))
    if baseline.reference == "torch" and torch != baseline.torch:
        notes.append(f"the baseline was made against PyTorch {baseline.torch}, this run against {torch}")
    if now:
        notes.append(f"not in the baseline: {', '.join(row.name for row in now.values())}; --update takes them in")
    if domain != _domain(baseline):
        notes.append("the candidate's domain is another than when the baseline was made; --update takes it over")
    return Guarded(
        candidate=name, baseline=baseline, report=report, held=tuple(held), beside=tuple(beside), notes=tuple(notes)
    )


Worsened = tuple[str, str, str]
"""What one quantity of a case got, what it gets, and the case."""


def _worsened(baseline: Baseline, report: Report) -> Mapping[Key, list[Worsened]]:
    """Every verdict that is worse than that on the same quantity of the same case was, by stratum.

    What fails is told as such. A case that was not supported cannot get worse than that.
    """
    found: defaultdict[Key, list[Worsened]] = defaultdict(list)
    specs = {spec.id: (number, spec) for number, spec in enumerate(drawn(_domain(baseline), **_drawing(baseline)))}
    for case, quantities in verdicts_of(report).items():
        number, spec = specs[case]
        if baseline.verdicts.of(number, CALL) != VERDICTS[0]:
            continue
        for quantity, word in quantities.items():
            before = baseline.verdicts.of(number, quantity)
            if word in VERDICTS and VERDICTS.index(word) > VERDICTS.index(before):
                for key in strata_of(spec):
                    found[key].append((before, word, case))
    return found


def _drawing(baseline: Baseline) -> dict[str, int]:
    return {"seed": baseline.seed, "cases": baseline.cases}


def _complaints(row: Row, now: Row | None, worse: Sequence[Worsened], candidate: str) -> Iterator[str]:
    decided = _decided(row)
    if now is None or (decided and not _decided(now)):
        yield "no longer covered: nothing of it could be compared"
        return
    failing = sum(count for word, count in now.verdicts.items() if word not in VERDICTS)
    if failing:
        words = ", ".join(f"{count} {word}" for word, count in now.verdicts.items() if word not in VERDICTS)
        yield f"{words} of {sum(now.verdicts.values())} quantities"
    elif worse:
        counts = Counter((before, after) for before, after, _ in worse)
        words = ", ".join(f"{count} {after} that did {before}" for (before, after), count in counts.items())
        yield f"verdicts are worse, {words}: backproof check {shlex.quote(candidate)} --case {worse[0][2]}"
    if now.observed is not None and not now.observed <= row.allowed:
        before = "nothing" if row.observed is None else f"{row.observed:.3g}"
        yield (
            f"error / bound {now.observed:.3g}, allowed {row.allowed:g}, was {before}: "
            f"backproof check {shlex.quote(candidate)} --case {now.worst_case}"
        )


def _decided(row: Row) -> int:
    return sum(count for word, count in row.verdicts.items() if word in ("agree", "reference_wrong", "kink"))


def accepted(
    candidate: Candidate,
    path: Path,
    *,
    before: Baseline | None,
    cases: int | None = None,
    seed: int | None = None,
    truth: Truth | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Examine a candidate on its own domain and write what it reaches as its baseline; not where it disagrees.

    cases, seed and truth: those of the baseline before, where they are left out and there was one. The report says
    whether it was written: it was where the candidate agrees and nobody interrupted.
    """
    cases = cases or (CASES if before is None else before.cases)
    seed = seed if seed is not None else 0 if before is None else before.seed
    if truth is None:
        truth = "exact" if before is not None and before.reference == "exact" else "torch"
    first_contact(candidate, truth=truth)
    domain = candidate.domain
    report = check(
        candidate, domain, cases=cases, rows=cases, seed=seed, truth=truth, workers=workers, progress=progress
    )
    if report.verdict == "agrees" and not report.interrupted:
        numbers = {spec.id: number for number, spec in enumerate(drawn(domain, seed=seed, cases=cases))}
        baseline = Baseline(
            candidate=candidate.name,
            cases=cases,
            seed=seed,
            reference=truth,
            torch=release(version("torch")) if truth == "torch" else "",
            backproof=version("backproof") or "",
            domain=json.dumps(domain.settings(), sort_keys=True),
            networks=digest(drawn(domain, seed=seed, cases=cases)),
            verdicts=Verdicts.among({numbers[case]: words for case, words in verdicts_of(report).items()}),
            rows=tuple(rows_of(report)),
        )
        place(path, [baseline.text().encode()])
    return report


def rows_of(report: Report) -> Iterator[Row]:
    """The strata of a report with their verdicts, sorted."""
    verdicts: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    specs: dict[str, list[Key]] = {}
    columns = report.tables["checks"].select(["case", "verdict"]).to_pydict()
    for case, verdict in zip(columns["case"], columns["verdict"], strict=True):
        if case not in specs:
            specs[case] = strata_of(NetworkSpec.parse(case))
        for key in specs[case]:
            verdicts[key][verdict] += 1
    for key, stratum in sorted(report.tally.strata.items()):
        observed = stratum.worst if stratum.worst_case else None
        yield Row(
            key=key,
            cases=stratum.cases,
            verdicts=dict(verdicts[key]),
            observed=observed,
            allowed=1.0 if observed is None else allowed(observed),
            worst_case=stratum.worst_case,
        )


def verdicts_of(report: Report) -> dict[str, dict[str, str]]:
    """Case -> quantity, like "weight.2" -> its verdict."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    columns = report.tables["checks"].select(["case", "quantity", "layer", "verdict"]).to_pydict()
    for case, quantity, layer, verdict in zip(*columns.values(), strict=True):
        name = quantity if layer is None else f"{quantity}.{layer}"
        found[case][name] = verdict
    return found


def digest(specs: Iterable[NetworkSpec]) -> str:
    """By what the same networks are recognised."""
    return hashlib.sha256("\n".join(spec.id for spec in specs).encode()).hexdigest()[:16]


def _domain(baseline: Baseline) -> Domain:
    wrong = f"the baseline's domain {baseline.domain} is none"
    try:
        settings = json.loads(baseline.domain)
        if isinstance(settings, dict) and settings.keys() <= {each.name for each in fields(Domain)}:
            return Domain(**settings)
    except (ValueError, TypeError, DomainError) as error:
        raise BaselineError(f"{wrong}: {error}") from None
    raise BaselineError(f"{wrong}: wanted a JSON object of fields of Domain")


def _of_allowed(each: Held) -> str:
    observed = 0.0 if each.observed is None else each.observed
    return f"error / bound {observed:.3g}, allowed {each.row.allowed:g}"


def _table(rows: Sequence[Held]) -> str:
    lines = ["| stratum | error / bound | was | allowed | complaint |", "|---|---|---|---|---|"]
    for each in rows:
        numbers = (each.observed, each.row.observed, each.row.allowed)
        cells = [each.row.name, *("" if number is None else f"{number:.3g}" for number in numbers)]
        lines.append(f"| {' | '.join(map(cell, [*cells, '; '.join(each.complaints)]))} |")
    return "\n".join(lines)
