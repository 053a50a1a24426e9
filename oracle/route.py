"""Many cases: sample, examine, count, write. The whole route for one candidate, top-down.

    Domain -> NetworkSpec -> Case -> candidate, reference, bound -> verdicts -> tables -> files

Results depend on the candidate, the domain, the seed and the number of cases, never on how many workers share the work,
nor on how often the run was ended and begun again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from backproof.campaign.crew import Stopped, get_ready
from backproof.campaign.dispatch import Campaign, Progress, workers_for
from backproof.campaign.fingerprint import fingerprint
from backproof.campaign.groups import Group, groups
from backproof.campaign.journal import Journal, Notice, finished, left_off, open_journal
from backproof.campaign.shards import CASES_PER_SHARD, Task
from backproof.campaign.tally import Tally
from backproof.candidates.contract import TIMEOUT, Candidate, declares_nothing
from backproof.candidates.finding import text_of
from backproof.candidates.loading import load_one
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec
from backproof.contact.probe import first_contact
from backproof.diagnosis.card import Hints, check_hints
from backproof.diagnosis.diagnosis import Findings, diagnose
from backproof.examine import Truth, reference_of
from backproof.judging.verdicts import Verdict
from backproof.narrowing import check_named, like
from backproof.outcome import Replay, Report
from backproof.publishing.archive import open_archive
from backproof.reports import ReportError
from backproof.reports.columns import ROWS
from backproof.reports.places import check_place
from backproof.scaling import Scaling, scaling
from backproof.settling.certificate import Certificate
from backproof.truth.vectors import Vectors, replayed

__all__ = ["CASES", "Progress", "check"]

CASES: Final = 1000
"""How many networks are examined where nobody says how many."""


def check(
    candidate: object = "scratch",
    domain: Domain | None = None,
    *,
    cases: int | None = None,
    seed: int = 0,
    ids: Sequence[str] = (),
    truth: Truth = "torch",
    vectors: str | os.PathLike[str] | None = None,
    strict_kinks: bool = False,
    certify: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    timeout: float = TIMEOUT,
    report: str | os.PathLike[str] | None = None,
    resume: bool = False,
    stop_after: int | None = None,
    rows: int = ROWS,
    keep: bool = True,
    diagnosis: bool = True,
    hints: Hints = "all",
    command: str | None = None,
    progress: Progress | None = None,
    notice: Notice | None = None,
) -> Report:
    """Hold a candidate to the reference on random networks, and say what came of it.

    candidate: a CANDIDATE text ("scratch", "my_net.py"), a function loss_and_gradients(network, x, y), or a Candidate.
    domain: what to draw from; the candidate's own where it is left out. cases: how many; CASES where it is left out.
    ids: these cases instead of random ones, within the domain. truth: "torch" or "exact", what is held to be right.
    vectors: a recording, whose cases inside the domain are examined, all of them or the first `cases`, by what it holds
    to be right; then PyTorch is not needed, and the truth of cases beside them is exact arithmetic. strict_kinks: a
    difference at a kink fails. certify: measure every true error, by exact arithmetic. workers: processes; by the
    number of cases where it is left out. scheduler: the address of a Dask cluster's, whose workers are to do it.
    report: a directory for the tables; until it is complete, every finished shard is kept beside it, and the same call
    goes on from there (not for a candidate without a text, or whose files are not found: it is not known again).
    resume: there has to be something to go on from. stop_after: end after so many cases that disagree, with the first
    shard, in their order, by which there are as many. rows: how many networks have all of their rows in `checks`, see
    `limits`. keep: hold these rows in the Report, and not only its counts. diagnosis: say which equation is wrong, and
    why. hints: how much of that is told, "none", "where" or "all". command: noted in the report. timeout: seconds that
    a candidate which is named by a text may take for one case. notice: hears what else is to be said. Ctrl-C ends the
    run with what is done, or with KeyboardInterrupt where that is nothing.

    Raises CandidateError, DomainError, SpecError, VectorsError, ReportError, CrewError, ValueError, or without PyTorch
    ReferenceMissingError, each of which says what to do about it.
    """
    if domain is not None and not isinstance(domain, Domain):
        raise TypeError(f"domain: wanted a Domain, like Domain(losses='mse'); got {domain!r:.60}")
    ids = (ids,) if isinstance(ids, str) else ids
    _check_numbers(cases=cases, workers=workers, stop_after=stop_after, seed=seed, rows=rows)
    check_hints(hints)
    recorded = None if vectors is None else Vectors(vectors)
    truth = truth if recorded is None else "exact"
    subject = load_one(candidate, timeout=timeout, apart=True)
    if not ids and recorded is None and scheduler is None and workers_for(cases or CASES, workers) > 1:
        get_ready()  # before PyTorch is loaded here, so that both take place at once
    reference_of(truth)
    if domain is None and not ids:
        first_contact(subject, truth=truth)
    domain = subject.domain if domain is None else domain
    wanted = _wanted(domain, ids, recorded, cases=cases, seed=seed, notice=notice)
    task = Task(
        candidate=subject,
        domain=domain,
        seed=wanted.seed,
        shard=0,
        count=0,
        truth=truth,
        strict_kinks=strict_kinks,
        keep=keep or report is not None,
        certify=certify,
        stop_after=stop_after,
        vectors=recorded,
    )
    tasks = wanted.shards(task, rows)
    campaign = Campaign(
        tasks=tasks,
        workers=workers,
        scheduler=scheduler,
        stop_after=stop_after,
        progress=progress,
        notice=notice,
        certificate=Certificate() if certify else None,
    )
    # What nobody has said that it supports is not asked for in order to explain a named network either.
    beside = like([*map(NetworkSpec.parse, ids)]) if ids and declares_nothing(subject) else domain
    place = None if report is None else Path(report)
    known = None if place is None else fingerprint(subject, tasks[0], ids=wanted.ids, cases=wanted.cases, rows=rows)
    with _journaled(place, known, len(tasks), resume=resume, notice=notice) as campaign.journal:
        with open_archive(place, keep=keep, journal=campaign.journal) as archive:
            with _stoppable() as campaign.stopped, closing(campaign.shards()) as shards:
                for shard in shards:
                    archive.add(shard)
            tally, interrupted = campaign.tally, campaign.interrupted
            if interrupted and not tally.cases:
                raise KeyboardInterrupt  # there is nothing to tell, and an older report stays
            findings: Findings | None = None
            grouped: tuple[Group, ...] = ()
            scales: tuple[Scaling, ...] = ()
            try:
                if diagnosis:
                    findings = _diagnosed(subject, beside, tally, truth=truth, interrupted=interrupted)
                scales = () if ids or interrupted else tuple(scaling(subject, domain, seed=wanted.seed))
                grouped = _grouped(subject, beside, tally, findings, truth=truth)
            except KeyboardInterrupt:  # what is known by now is told
                interrupted = True
            if findings is not None and any(row.verdict == Verdict.DISAGREE for row in scales):
                findings = findings.beside_a_contradiction(alone=not tally.wrong_cases)
            found = archive.finish(
                Report(
                    candidate=subject.name,
                    text=text_of(subject),
                    truth=truth,
                    domain=domain,
                    seed=wanted.seed,
                    cases=wanted.cases,
                    strict_kinks=strict_kinks,
                    tally=tally,
                    certificate=campaign.certificate,
                    scaling=scales,
                    interrupted=interrupted,
                    stop_after=stop_after if campaign.enough else None,
                    rows=rows,
                    ids=wanted.ids if ids else (),
                    replay=wanted.replay,
                    findings=findings,
                    groups=grouped,
                    hints=hints,
                ),
                {"command": command, "seed": wanted.seed, "cases": wanted.cases, "domain": repr(domain)},
            )
        if campaign.journal is not None and interrupted and notice is not None:
            notice(f"{place}: {left_off(campaign.journal)}")
        elif campaign.journal is not None and not interrupted:
            finished(campaign.journal)
    return found


def _check_numbers(**numbers: object) -> None:
    """Raises ValueError for one that is no whole number, or too small."""
    for name, number in numbers.items():
        least = 0 if name in ("seed", "rows") else 1
        if number is not None and not (isinstance(number, (int, np.integer)) and number >= least):
            raise ValueError(f"{name} must be a whole number, at least {least}; got {number!r}")


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """Which networks are to be examined: how many, and by their ids where they are not drawn."""

    cases: int
    seed: int
    ids: tuple[str, ...]
    replay: Replay | None

    def shards(self, task: Task, rows: int) -> list[Task]:
        """The task for each shard; the first `rows` networks have all of their rows in the tables, in whole shards."""
        return [
            replace(
                task,
                shard=number,
                count=min(CASES_PER_SHARD, self.cases - start),
                whole=start < rows,
                ids=self.ids[start : start + CASES_PER_SHARD],
            )
            for number, start in enumerate(range(0, self.cases, CASES_PER_SHARD))
        ]


def _wanted(
    domain: Domain,
    ids: Sequence[str],
    recorded: Vectors | None,
    *,
    cases: int | None,
    seed: int,
    notice: Notice | None,
) -> _Wanted:
    """The networks that are named, else those of the recording inside the domain, else so many random ones.

    Raises SpecError or DomainError for a name that is none, or outside the domain.
    """
    specs = [NetworkSpec.parse(text) for text in ids]
    for spec in specs:
        check_named(domain, spec)
    named = tuple(spec.id for spec in specs)
    if recorded is None:
        return _Wanted(cases=len(named) or cases or CASES, seed=seed, ids=named, replay=None)
    inside = recorded.holding(named) if named else replayed(domain, recorded)
    if cases is not None and cases > len(inside[:cases]) and notice is not None:
        notice(f"{recorded.path} holds {len(inside):,} such networks and not {cases:,}: all of them are examined")
    left_out = 0 if named else len(recorded.ids) - len(inside)
    replay = Replay(file=recorded.path.name, torch=recorded.torch, recorded=len(recorded.ids), left_out=left_out)
    inside = inside[:cases]
    return _Wanted(cases=len(inside), seed=recorded.seed, ids=inside, replay=replay)


@contextmanager
def _journaled(
    place: Path | None, known: dict[str, str] | None, shards: int, *, resume: bool, notice: Notice | None
) -> Iterator[Journal | None]:
    """The journal of a run that writes a report and can be known again."""
    if place is None or known is None:
        if resume:
            what = (
                "that writes a report: name its directory"
                if place is None
                else "whose candidate has a text, and files that are found"
            )
            raise ReportError(f"only a run can be resumed {what}")
        yield None
        return
    check_place(place)
    with open_journal(place, known, shards=shards, resume=resume, notice=notice) as journal:
        yield journal


def _diagnosed(subject: Candidate, domain: Domain, tally: Tally, *, truth: Truth, interrupted: bool) -> Findings | None:
    """Which equations hold, and what is wrong with the others; None where asking further would only take time."""
    if not (tally.compared or tally.wrong_cases) or tally.verdicts[Verdict.TIMEOUT]:
        return None
    if tally.verdicts.total() == tally.verdicts[Verdict.ERROR]:
        return None  # an exception everywhere, as of an empty template, says itself what is wrong
    if interrupted and not tally.wrong_cases:
        return None
    return diagnose(subject, tally.failing_specs(), domain=domain, truth=truth)


def _grouped(
    subject: Candidate, domain: Domain, tally: Tally, findings: Findings | None, *, truth: Truth
) -> tuple[Group, ...]:
    """What fails, by what is wrong in it."""
    if findings is None or not tally.wrong_cases:
        return ()
    return groups(subject, tally, findings, domain=domain, truth=truth)


@contextmanager
def _stoppable() -> Iterator[Stopped]:
    """Ctrl-C asks the run to end after the case under way; a second one ends the case too."""
    pressed: list[int] = []

    def press(number: int, _: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
