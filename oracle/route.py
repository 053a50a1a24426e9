"""Many cases: sample, examine, count, write. The whole route for one candidate, top-down.

    Domain -> NetworkSpec -> Case -> candidate, reference, bound -> verdicts -> tables -> files

Results depend on the candidate, the domain, the seed and the number of cases, never on how many workers share the work.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from backproof.archive import open_archive
from backproof.candidates.contract import TIMEOUT, Candidate, CandidateError, load
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec
from backproof.certificate import Certificate
from backproof.diagnosis.card import Hints
from backproof.diagnosis.diagnosis import Findings, diagnose
from backproof.examine import Truth, reference_of
from backproof.outcome import Replay, Report
from backproof.probe import first_contact
from backproof.scaling import scaling
from backproof.shards import CASES_PER_SHARD, Shard, Task, examine_shard
from backproof.tally import Tally
from backproof.truth.vectors import Vectors, replayed
from backproof.verdicts import Verdict

Progress = Callable[[int, int], None]
"""Hears (cases done, cases wrong) while a run is under way."""

Stopped = Callable[[], bool]
"""Whether somebody has asked the run to end."""

CASES: Final = 1000
"""How many networks are examined where nobody says how many."""

_GLANCE: Final = 0.2
"""Seconds between two looks at whether it is to end."""

_WORTH_A_POOL: Final = 4_000
"""Below so many cases one process is done before others have imported what they need."""


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
    timeout: float = TIMEOUT,
    report: str | os.PathLike[str] | None = None,
    keep: bool = True,
    diagnosis: bool = True,
    hints: Hints = "all",
    command: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Hold a candidate to the reference on random networks, and say what came of it.

    candidate: a CANDIDATE text ("scratch", "my_net.py"), a function loss_and_gradients(network, x, y), or a Candidate.
    domain: what to draw from; the candidate's own where it is left out. cases: how many; CASES where it is left out.
    ids: these cases instead of random ones. truth: "torch" or "exact", what is held to be right. vectors: a recording,
    whose cases inside the domain are examined, all of them or the first `cases`, by what it holds to be right; then
    PyTorch is not needed, and the truth of cases beside them is exact arithmetic. strict_kinks: a difference at a kink
    fails. certify: measure every true error, by exact arithmetic. workers: processes; by the number of cases where it
    is left out. report: a directory for the tables. keep: hold all rows in the Report, and not only its counts.
    diagnosis: say which equation is wrong, and why. hints: how much of that is told, "none", "where" or "all". command:
    noted in the report. timeout: seconds that a candidate which is named by a text may take for one case. Ctrl-C ends
    the run with what is done.

    Raises CandidateError, DomainError, SpecError, VectorsError, ReportError or ValueError, each of which says what to
    do about it.
    """
    if cases is not None and cases < 1:
        raise ValueError(f"cases must be at least 1; got {cases}")
    recorded = None if vectors is None else Vectors(vectors)
    truth = truth if recorded is None else "exact"
    subject = _one(candidate, timeout)
    reference_of(truth)
    if domain is None and not ids:
        first_contact(subject, truth=truth)
    domain = subject.domain if domain is None else domain
    ids = named = tuple(NetworkSpec.parse(text).id for text in ids)
    replay = None
    if recorded is not None:
        inside = replayed(domain, recorded) if not named else recorded.holding(named)
        ids = inside[:cases]
        left_out = 0 if named else len(recorded.ids) - len(inside)
        replay = Replay(file=recorded.path.name, torch=recorded.torch, recorded=len(recorded.ids), left_out=left_out)
        seed = recorded.seed
    cases = len(ids) or cases or CASES
    tally, interrupted = Tally(), False
    certificate = Certificate() if certify else None
    with open_archive(None if report is None else Path(report), keep=keep) as archive:
        tasks = [
            Task(
                candidate=subject,
                domain=domain,
                seed=seed,
                shard=number,
                count=min(CASES_PER_SHARD, cases - start),
                truth=truth,
                strict_kinks=strict_kinks,
                keep=archive.wants_rows,
                certify=certify,
                ids=ids[start : start + CASES_PER_SHARD],
                vectors=recorded,
            )
            for number, start in enumerate(range(0, cases, CASES_PER_SHARD))
        ]
        with _stoppable() as stopped:
            for shard in _examined(tasks, workers, progress, stopped):
                tally.merge(shard.tally)
                archive.add(shard)
                if certificate is not None and shard.certificate is not None:
                    certificate.merge(shard.certificate)
                interrupted |= shard.interrupted
        findings = _diagnosed(subject, domain, tally, truth=truth, interrupted=interrupted) if diagnosis else None
        found = Report(
            candidate=subject.name,
            truth=truth,
            domain=domain,
            seed=seed,
            cases=cases,
            strict_kinks=strict_kinks,
            tally=tally,
            certificate=certificate,
            scaling=() if named or interrupted else tuple(scaling(subject, domain, seed=seed)),
            interrupted=interrupted,
            ids=named,
            replay=replay,
            findings=findings,
            hints=hints,
        )
        return archive.finish(found, {"command": command, "seed": seed, "cases": cases, "domain": repr(domain)})


def _diagnosed(subject: Candidate, domain: Domain, tally: Tally, *, truth: Truth, interrupted: bool) -> Findings | None:
    """Which equations hold, and what is wrong with the others; None where asking further would only take time."""
    if not (tally.compared or tally.wrong_cases) or tally.verdicts[Verdict.TIMEOUT]:
        return None
    if tally.verdicts.total() == tally.verdicts[Verdict.ERROR]:
        return None  # an exception everywhere, as of an empty template, says itself what is wrong
    if interrupted and not tally.wrong_cases:
        return None
    return diagnose(subject, tally.failing_specs(), domain=domain, truth=truth)


def _one(candidate: object, timeout: float) -> Candidate:
    """The one candidate that is meant; a Python function that a text names runs in a process of its own."""
    found = load(candidate, timeout=timeout, apart=True)
    if len(found) != 1:
        names = ", ".join(one.name for one in found)
        raise CandidateError(f"{candidate} holds {len(found)} candidates; name one: {names}")
    return found[0]


def _examined(
    tasks: Sequence[Task], workers: int | None, progress: Progress | None, stopped: Stopped
) -> Iterator[Shard]:
    """The shards of all tasks in their order, whoever examines them."""
    if workers is None:
        workers = 1 if sum(task.count for task in tasks) < _WORTH_A_POOL else _processors()
    if workers < 1:
        raise ValueError(f"workers must be at least 1; got {workers}")
    portable = [elsewhere for task in tasks if (elsewhere := task.portable()) is not None]
    done = wrong = 0

    def told(cases: int, failures: int) -> None:
        if progress is not None:
            progress(done + cases, wrong + failures)

    alone = workers == 1 or len(tasks) == 1 or len(portable) < len(tasks)
    shards = _here(tasks, told, stopped) if alone else _elsewhere(portable, workers, stopped)
    for shard in shards:
        told(shard.tally.cases, shard.tally.wrong_cases)
        done, wrong = done + shard.tally.cases, wrong + shard.tally.wrong_cases
        yield shard


def _here(tasks: Sequence[Task], progress: Progress, stopped: Stopped) -> Iterator[Shard]:
    for task in tasks:
        shard = examine_shard(task, progress, stopped)
        yield shard
        if shard.interrupted:
            return


def _elsewhere(tasks: Sequence[Task], workers: int, stopped: Stopped) -> Iterator[Shard]:
    """A pool of fresh processes; twice as many shards as workers are under way, so that memory stays bounded."""
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn"), initializer=_become_worker)
    waiting, under_way = deque(tasks), deque[Future[Shard]]()
    try:
        while waiting or under_way:
            while waiting and len(under_way) < 2 * workers:
                under_way.append(pool.submit(examine_shard, waiting.popleft()))
            wait(under_way, timeout=_GLANCE, return_when=FIRST_COMPLETED)
            while under_way and under_way[0].done():
                yield under_way.popleft().result()
            if stopped():
                yield from [future.result() for future in under_way if future.done()]
                yield Shard(Tally(), None, None, None, interrupted=True)
                return
    except BrokenProcessPool as error:
        raise CandidateError(
            "a worker process died in the middle of a shard: the candidate ended it, or memory ran out. "
            "Run again with --workers 1 to see where."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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


def _become_worker() -> None:
    """Ctrl-C is the parent's to handle, and what a candidate prints is no result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr


def _processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
