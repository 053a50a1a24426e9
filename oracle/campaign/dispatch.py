"""The shards of a run in their order, whoever examines them: out of the journal, here, by a pool, or by a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from backproof.campaign.crew import Stopped, examined, pool_of, processors
from backproof.campaign.journal import Journal, Notice
from backproof.campaign.limits import full, within_limits
from backproof.campaign.shards import Shard, Task, examine_shard
from backproof.campaign.tally import Tally
from backproof.settling.certificate import Certificate

Progress = Callable[[int, int], None]
"""Hears (cases done, cases wrong) while a run is under way."""

_WORTH_A_POOL: Final = 1_000
"""Below so many cases one process is done before others have imported what they need."""


def workers_for(cases: int, wanted: int | None) -> int:
    """How many processes are to examine so many cases: as many as wanted, or as are worth it."""
    return wanted or (1 if cases < _WORTH_A_POOL else processors())


@dataclass(kw_only=True)
class Campaign:
    """All tasks of a run, by whom they are done, and what has come of it so far.

    workers: processes, by the number of cases where it is None; scheduler: the address of a cluster's; journal: where
    finished shards are kept, if anywhere; stop_after: cases that disagree; notice: hears what else is to be said. tally
    and certificate: of the shards that were taken so far; interrupted: whether somebody ended it; enough: whether
    `stop_after` did.
    """

    tasks: Sequence[Task]
    workers: int | None = None
    scheduler: str | None = None
    journal: Journal | None = None
    stop_after: int | None = None
    progress: Progress | None = None
    notice: Notice | None = None
    stopped: Stopped = lambda: False
    tally: Tally = field(default_factory=Tally)
    certificate: Certificate | None = None
    interrupted: bool = False
    enough: bool = False

    def shards(self) -> Generator[Shard, None, None]:
        """Shard by shard, counted already, with the rows that are within limits.

        Raises ReportError where a shard cannot be kept, CrewError where nobody is left to examine one.
        """
        missing = [task for task in self.tasks if self.journal is None or task.shard not in self.journal]
        begun = {task.shard for task in missing}
        with closing(self._examined(missing)) as fresh:
            for task in self.tasks:
                yield self._counted(next(fresh) if task.shard in begun else self._again(task))
                self.enough = self.stop_after is not None and self.tally.wrong_cases >= self.stop_after
                if self.interrupted or self.enough:
                    return

    def _counted(self, shard: Shard) -> Shard:
        rows = shard.discrepancies
        if rows is not None:
            rows = within_limits(rows, self.tally, shard.tally)
        self.tally.merge(shard.tally)
        if shard.certificate is not None:
            self.certificate = self.certificate or Certificate()
            self.certificate.merge(shard.certificate)
        self.interrupted |= shard.interrupted
        self._told(0, 0)
        return replace(shard, discrepancies=rows)

    def _told(self, cases: int, wrong: int) -> None:
        """Tell the progress, `cases` of the shard under way included."""
        if self.progress is not None:
            self.progress(self.tally.cases + cases, self.tally.wrong_cases + wrong)

    def _again(self, task: Task) -> Shard:
        """A shard that was finished before."""
        found = None if self.journal is None else self.journal.shard(task)
        if found is not None:
            return found
        if self.notice is not None:
            self.notice(f"shard {task.shard} was kept, but its file is damaged: it is examined again")
        shard = examine_shard(self._prepared(task), self._told, self.stopped)
        self._kept(task, shard)
        return shard

    def _prepared(self, task: Task) -> Task:
        """A task with what needs no further rows by now; what is taken later has no say in it."""
        return replace(task, full=full(self.tally)) if task.keep else task

    def _kept(self, task: Task, shard: Shard) -> None:
        if self.journal is not None and not shard.interrupted:
            self.journal.keep(task, shard)

    def _examined(self, tasks: Sequence[Task]) -> Generator[Shard, None, None]:
        """The shards of these tasks, by whoever is to do it."""
        examined_by = partial(examined, prepared=self._prepared, kept=self._kept, stopped=self.stopped)
        if self.scheduler is not None and tasks:
            from backproof.campaign.cluster import cluster

            with cluster(self.scheduler) as crew:
                yield from examined_by(tasks, crew)
            return
        workers = workers_for(sum(task.count for task in tasks), self.workers)
        portable = [elsewhere for task in tasks if (elsewhere := task.portable()) is not None]
        if workers == 1 or len(tasks) < 2 or len(portable) < len(tasks):
            yield from self._here(tasks)
            return
        with pool_of(min(workers, len(tasks))) as crew:
            yield from examined_by(portable, crew)

    def _here(self, tasks: Sequence[Task]) -> Iterator[Shard]:
        for task in tasks:
            shard = examine_shard(self._prepared(task), self._told, self.stopped)
            self._kept(task, shard)
            yield shard
