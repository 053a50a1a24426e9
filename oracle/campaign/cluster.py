"""Shards on a Dask cluster: `--scheduler ADDRESS`, with dask.distributed, the extra `cluster`.

Workers get the task and the candidate, and send back what a process of this machine would. A worker that is lost is
the scheduler's to notice: it gives its shard to another one. One with other versions is refused by its first shard.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from backproof.campaign.crew import CrewError, DeathError
from backproof.campaign.fingerprint import changes, versions
from backproof.campaign.shards import Shard, Task, examine_shard
from backproof.campaign.shipment import Shipment, shipment

PATIENCE: Final = 10.0
"""Seconds that a scheduler is waited for, and that a run waits while there is no worker."""

_LOOK: Final = 1.0
"""Seconds between two looks at whether there are workers."""

_ONE: Final = threading.Lock()
"""A worker with several threads examines one shard at a time: what shards do is not made for threads."""


class Cluster:
    """The workers of a scheduler."""

    attempts: Final = 1
    searches: Final = False

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._executor = client.get_executor(pure=False)
        self._versions = versions()
        self._sent: dict[int, Shipment | str] = {}
        self._looked = self._seen = time.monotonic()
        self._threads = len(client.nthreads())

    @property
    def window(self) -> int:
        """Twice as many shards as workers, of which there may be more or fewer by now."""
        return max(4, 2 * self._threads)

    def submit(self, task: Task) -> Future[Shard]:
        """A task for the next worker that is free.  Raises CandidateError where its candidate cannot be sent."""
        candidate = task.candidate
        if not isinstance(candidate, str) and id(candidate) not in self._sent:
            self._sent[id(candidate)] = shipment(candidate)
        packed = candidate if isinstance(candidate, str) else self._sent[id(candidate)]
        found: Future[Shard] = self._executor.submit(examine_there, replace(task, candidate=""), packed, self._versions)
        return found

    def result(self, future: Future[Shard]) -> Shard:
        """What came of it."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        try:
            return future.result()
        except KilledWorker as death:
            raise DeathError(f"the last of them was {death.last_worker.address}") from None
        except (CancelledError, CommClosedError):
            raise self._lost() from None

    def look(self) -> None:
        """See how many workers there are, now and then."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        if self._client.status != "running":
            raise self._lost()
        try:
            self._threads = len(self._client.nthreads())
        except OSError:
            raise self._lost() from None
        if self._threads:
            self._seen = now
        elif now - self._seen > PATIENCE:
            raise CrewError(f"the scheduler {self._address} has had no worker for {PATIENCE:g} s: start some")

    def _lost(self) -> CrewError:
        return CrewError(f"the scheduler {self._address} is gone, or does not answer any more")


def examine_there(task: Task, candidate: Shipment | str, wanted: Mapping[str, str]) -> Shard:
    """What a worker does.  Raises CrewError where it is another version's, and so would make other numbers."""
    differing = changes(wanted, versions(), "there")
    if differing:
        raise CrewError(
            f"the worker {_name()} is not like the process that began the run, and might find other numbers: "
            f"{'; '.join(differing)}. Install the same there"
        )
    with _ONE:
        found = candidate if isinstance(candidate, str) else candidate.unpacked(_folder())
        return examine_shard(replace(task, candidate=found))


def _name() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return "here"


def _folder() -> str | None:
    """A worker's own: the next one on the machine removes that of one that was killed."""
    from distributed import get_worker

    try:
        return str(get_worker().local_directory)
    except ValueError:
        return None


@contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """The cluster of a scheduler like tcp://10.0.0.1:8786.  Raises CrewError where there is none that can be used."""
    try:
        import distributed
    except ModuleNotFoundError:
        raise CrewError("--scheduler needs dask.distributed: install the extra, backproof[cluster]") from None
    connect: Any = distributed.Client  # whose methods have no types
    try:
        client = connect(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise CrewError(f"no scheduler answers at {address} within {PATIENCE:g} s: {why}") from None
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise CrewError(
                f"the scheduler {address} has no workers after {PATIENCE:g} s: start some, dask worker {address}"
            ) from None
        yield Cluster(client, address)
    finally:
        client.close(timeout=PATIENCE)
