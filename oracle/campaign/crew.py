"""Who examines the shards of a run: this process, a pool of others, or a cluster. What comes of it is the same.

A worker that dies in the middle of a shard is replaced, and the shard begun again by another. One that has ended
several of them is looked through case by case, so that what ends them has a name.
"""

from __future__ import annotations

import copy
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import forkserver, get_context, parent_process, util
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol

from backproof.campaign.shards import CASES_PER_SHARD, Shard, Task, examine_shard
from backproof.campaign.tally import Tally
from backproof.candidates.child import end_all

if TYPE_CHECKING:
    from pebble import ProcessPool

Stopped = Callable[[], bool]
"""Whether somebody has asked the run to end."""

Kept = Callable[[Task, Shard], None]
"""Hears of every shard as soon as it is done, in whatever order."""

Prepared = Callable[[Task], Task]
"""A task with what the run has learned until it is begun."""

ATTEMPTS: Final[int] = 3
"""How many workers may end in the middle of one shard before it is taken for the cause."""

CULPRITS: Final[int] = 3
"""How many of the cases that end a worker are looked for in a shard."""

_GLANCE: Final = 0.2
"""Seconds between two looks at whether the run is to end."""

NOTHING: Final = Shard(Tally(), None, None, None, interrupted=True)
"""What a run that is ended yields at last."""


class CrewError(RuntimeError):
    """Nobody is left to examine shards, or a shard ends whoever examines it; what is finished is kept."""


class DeathError(Exception):
    """A worker ended in the middle of a task; the text says how."""


class Crew(Protocol):
    """Workers that take tasks."""

    @property
    def window(self) -> int:
        """How many shards may be under way, so that memory stays bounded: twice as many as workers."""
        ...

    @property
    def attempts(self) -> int:
        """How often a shard is begun before it is taken for the cause of its workers' end."""
        ...

    @property
    def searches(self) -> bool:
        """Whether workers may be lost in search of the networks that end them."""
        ...

    def submit(self, task: Task) -> Future[Shard]:
        """A task for the next worker that is free."""
        ...

    def result(self, future: Future[Shard]) -> Shard:
        """What came of it.  Raises DeathError where its worker ended, CrewError where the crew is lost."""
        ...

    def look(self) -> None:
        """Raises CrewError where nobody is left to wait for."""
        ...


@dataclass
class _Job:
    """A task under way, by which future, and how often it was begun; the shard, when it is done."""

    task: Task
    future: Future[Shard]
    begun: int = 1
    shard: Shard | None = None


def examined(tasks: Iterable[Task], crew: Crew, *, prepared: Prepared, kept: Kept, stopped: Stopped) -> Iterator[Shard]:
    """The shards of all tasks, in their order; after a wish to stop, those that are done, and NOTHING.

    Raises CrewError where a shard ends worker after worker.
    """
    waiting, under_way = deque(tasks), deque[_Job]()
    while waiting or under_way:
        while waiting and len(under_way) < crew.window:
            task = prepared(waiting.popleft())
            under_way.append(_Job(task, crew.submit(task)))
        wait([job.future for job in under_way if job.shard is None], timeout=_GLANCE, return_when=FIRST_COMPLETED)
        for job in under_way:
            if job.shard is None and job.future.done():
                _finish(job, crew, kept)
        while under_way and under_way[0].shard is not None:
            shard = under_way.popleft().shard
            if shard is not None:
                yield shard
        if stopped():
            yield from [job.shard for job in under_way if job.shard is not None]
            yield NOTHING
            return
        crew.look()


def _finish(job: _Job, crew: Crew, kept: Kept) -> None:
    """Take the shard of a job that is done, or begin it again."""
    try:
        job.shard = crew.result(job.future)
    except DeathError as death:
        if job.begun == crew.attempts:
            raise CrewError(_blamed(job.task, crew, str(death))) from None
        job.begun += 1
        job.future = crew.submit(job.task)
    else:
        kept(job.task, job.shard)


def _blamed(task: Task, crew: Crew, death: str) -> str:
    """What to say of a shard that ends its workers: which cases do, asked one by one."""
    culprits = []
    first = task.shard * CASES_PER_SHARD + 1
    which = f"networks {first:,} to {first + task.count - 1:,}"
    if not crew.searches:
        return f"worker after worker died in the middle of {which}; {death}. To see why: the same with --workers 1"
    for spec in task.specs():
        try:
            crew.result(crew.submit(replace(task, ids=(spec.id,), keep=False, certify=False, stop_after=None)))
        except DeathError:
            culprits.append(spec.id)
            if len(culprits) == CULPRITS:
                break
    who = "1 worker process" if crew.attempts == 1 else f"{crew.attempts} worker processes, one after the other,"
    said = f"{who} died in the middle of {which}: {death}"
    if not culprits:
        return f"{said}. None of these networks does that by itself: is there enough memory? Fewer --workers need less"
    same = "this network does the same" if len(culprits) == 1 else "each of these networks does the same"
    return f"{said}. By itself, {same}: {'; '.join(culprits)}. To see it: --workers 1 --case {culprits[0]}"


class Pool:
    """Fresh processes on this machine."""

    searches: Final = True

    def __init__(self, pool: ProcessPool, workers: int) -> None:
        self.attempts = ATTEMPTS
        self._pool, self._workers = pool, workers

    @property
    def window(self) -> int:
        """Twice as many shards as workers."""
        return 2 * self._workers

    def submit(self, task: Task) -> Future[Shard]:
        """A task for the next worker that is free.

        It is sent as bytes: to unpickle one starts its candidate, and what goes wrong there is to be told as the
        task's own failure. Of a worker that fails while it takes a task, the pool would not know which one it had.
        """
        found: Future[Shard] = self._pool.schedule(_examined_here, args=[pickle.dumps(task)])
        return found

    def result(self, future: Future[Shard]) -> Shard:
        """What came of it; a worker that ended is replaced already."""
        from pebble import ProcessExpired

        try:
            return future.result()
        except ProcessExpired as death:
            raise DeathError(_told(death.exitcode)) from None
        except BrokenProcessPool as error:
            raise CrewError(f"workers end before they begin ({error}). To see why: the same with --workers 1") from None

    def look(self) -> None:
        """There is always somebody: whoever dies is replaced."""


def _told(code: int | None) -> str:
    """How a process ended."""
    if code is None or code >= 0:
        return f"the candidate ended it with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as a system does that runs out of memory" if name == "SIGKILL" else ""
    return f"it was ended by {name}{hint}"


_LOADED: Final = ("backproof.cli", "backproof.campaign.shards", "backproof.scratch", "backproof.truth.autograd")
"""What every worker needs, and takes seconds to import."""

_FORKS: Final = sys.platform == "linux"
"""Elsewhere a fork of a process that has loaded numerical libraries is not safe, or there is none."""


_CONTEXT: Final[Any] = get_context("forkserver" if _FORKS else "spawn")


class Worker(_CONTEXT.Process):  # type: ignore[misc]  # which class it is depends on the system
    """A process that does not run the script again which has called `check`: no task needs anything of it."""

    @staticmethod
    def _Popen(process: Any) -> Any:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return _CONTEXT.Process._Popen(process)  # noqa: SLF001  the one place where a process begins
        finally:
            sys.modules["__main__"] = script


def get_ready() -> None:
    """Begin to load, in another process, what the workers of a pool need: they are forked from it, loaded.

    It costs this process nothing, which may import the same meanwhile; later calls do nothing.
    """
    if _FORKS:
        forkserver.set_forkserver_preload([*_LOADED])
        forkserver.ensure_running()


@contextmanager
def pool_of(workers: int) -> Iterator[Pool]:
    """A pool of so many processes, which are ended with the block."""
    from pebble import ProcessPool

    get_ready()
    context = copy.copy(_CONTEXT)
    context.Process = Worker
    pool = ProcessPool(max_workers=workers, context=context, initializer=_become_worker)
    try:
        yield Pool(pool, workers)
    finally:
        pool.stop()  # type: ignore[no-untyped-call]  # this one of pebble's methods has no types
        pool.join()


def _become_worker() -> None:
    """Ctrl-C is the parent's to handle, and what a candidate prints is no result; no candidate's process stays."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr
    util.Finalize(None, end_all, exitpriority=0)  # which the pool's own answer to SIGTERM comes to, too


def _examined_here(packed: bytes) -> Shard:
    """What a worker does; nobody takes it any more when the parent was killed."""
    task: Task = pickle.loads(packed)  # noqa: S301  it comes from the process that began the run
    parent = parent_process()
    return examine_shard(task, stopped=None if parent is None else lambda: not parent.is_alive())


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
