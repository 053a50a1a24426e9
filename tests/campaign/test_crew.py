"""Whoever examines shards: their order, what is done when a worker dies, and when nobody is left."""

import pickle
import signal
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from backproof.campaign import crew
from backproof.campaign.crew import NOTHING, CrewError, DeathError, examined
from backproof.campaign.shards import Shard, Task
from backproof.campaign.tally import Tally
from backproof.candidates.loading import load
from backproof.cases.domain import Domain

TASK = Task(candidate="scratch", domain=Domain(losses="mse"), seed=0, shard=0, count=4, truth="exact")


def shard_of(task: Task) -> Shard:
    """One that can be told from others."""
    return Shard(Tally(cases=task.shard), None, None)


class Scripted:
    """Workers that die as often as it is written, and work backwards: the last that was submitted is done first."""

    def __init__(self, deaths: dict[int, int] | None = None, deadly: str = "") -> None:
        self.deaths, self.deadly = Counter(deaths or {}), deadly
        self.window, self.most = 4, 0
        self.attempts, self.searches = crew.ATTEMPTS, True
        self.under_way: list[tuple[Task, Future]] = []
        self.submitted: list[Task] = []

    def submit(self, task: Task) -> Future:
        future: Future = Future()
        self.submitted.append(task)
        self.under_way.append((task, future))
        self.most = max(self.most, len(self.under_way))
        if len(self.under_way) == self.window or task.shard >= 8 or task.ids:
            self.work()
        return future

    def work(self) -> None:
        task, future = self.under_way.pop()
        if (not task.ids and self.deaths[task.shard] > 0) or self.deadly in task.ids:
            self.deaths[task.shard] -= 1
            future.set_exception(DeathError("it was ended by SIGKILL"))
        else:
            future.set_result(shard_of(task))

    def result(self, future: Future) -> Shard:
        return future.result()

    def look(self) -> None:
        if self.under_way:
            self.work()


def run(workers: Scripted, *, stopped=lambda: False, shards: int = 10) -> tuple[list[int], list[int]]:
    """The shards as they come, and as they were kept."""
    kept: list[int] = []
    tasks = [replace(TASK, shard=number) for number in range(shards)]
    found = examined(
        tasks,
        workers,
        prepared=lambda task: replace(task, keep=True),
        kept=lambda task, _: kept.append(task.shard),
        stopped=stopped,
    )
    return [-1 if shard is NOTHING else shard.tally.cases for shard in found], kept


def test_shards_come_in_order_and_are_kept_as_they_are_done():
    """With no more of them under way than the window has room for, each as prepared."""
    workers = Scripted()
    found, kept = run(workers)
    assert found == sorted(kept) == list(range(10))
    assert kept != found
    assert workers.most <= workers.window
    assert all(task.keep for task in workers.submitted)


def test_a_shard_whose_worker_died_is_examined_again():
    """A few times, and nobody notices."""
    workers = Scripted({3: crew.ATTEMPTS - 1, 5: 1})
    assert run(workers)[0] == list(range(10))
    assert Counter(task.shard for task in workers.submitted)[3] == crew.ATTEMPTS


def test_a_shard_that_ends_its_workers_is_named():
    """The networks that do it, or that none does by itself; the other shards are kept."""
    culprit = replace(TASK, shard=3).specs()[2].id
    with pytest.raises(CrewError) as raised:
        run(Scripted({3: 9}, deadly=culprit))
    assert str(raised.value) == (
        "3 worker processes, one after the other, died in the middle of networks 751 to 754: it was ended by SIGKILL. "
        f"By itself, this network does the same: {culprit}. To see it: --workers 1 --case {culprit}"
    )
    workers = Scripted({3: 9})
    workers.searches = False
    with pytest.raises(CrewError, match="worker after worker died in the middle of networks 751 to 754; it was ended"):
        run(workers)
    with pytest.raises(CrewError, match="None of these networks does that by itself"):
        run(Scripted({0: 9}, deadly="none"))


def test_stopping_yields_what_is_done_and_says_so():
    """Nothing further is begun."""
    workers = Scripted()
    found, kept = run(workers, stopped=lambda: bool(workers.submitted))
    assert found[-1] == -1
    assert sorted(found[:-1]) == sorted(kept)
    assert len(workers.submitted) <= workers.window


HANGING = """
import os, time
from backproof import Domain, candidate

@candidate(Domain(depth=1, losses="mse", activations="tanh"))
def loss_and_gradients(network, x, y):
    with open({mark!r}, "w") as mark:
        mark.write(f"{{os.getpid()}}\\n")
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""


def test_a_pool_that_is_left_leaves_no_process_of_a_candidate(tmp_path: Path, is_gone):
    """One that cannot be interrupted, in the middle of an answer, as after Ctrl-C."""
    mark = tmp_path / "mark"
    (tmp_path / "net.py").write_text(HANGING.format(mark=str(mark)))
    (candidate,) = load(str(tmp_path / "net.py"), apart=True, timeout=600.0)
    with crew.pool_of(1) as pool:
        pool.submit(replace(TASK, candidate=candidate, domain=candidate.domain))
        deadline = time.monotonic() + 120
        while not (mark.exists() and mark.read_text().endswith("\n")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    candidate.host.close()
    assert is_gone(int(mark.read_text()))


def test_a_worker_does_not_go_on_for_a_parent_that_was_killed(monkeypatch: pytest.MonkeyPatch):
    """Nobody would take what it finds."""
    for alive, cases in ((True, TASK.count), (False, 0)):
        monkeypatch.setattr(crew, "parent_process", lambda alive=alive: SimpleNamespace(is_alive=lambda: alive))
        assert crew._examined_here(pickle.dumps(TASK)).tally.cases == cases


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (3, "the candidate ended it with exit code 3"),
        (-signal.SIGSEGV, "it was ended by SIGSEGV"),
        (-signal.SIGKILL, "it was ended by SIGKILL, as a system does that runs out of memory"),
        (-200, "it was ended by signal 200"),
    ],
)
def test_an_end_is_told_in_words(code: int, told: str):
    """Exit codes and signals."""
    assert crew._told(code) == told


def test_processors_are_those_that_may_be_used():
    """At least one."""
    assert crew.processors() >= 1
