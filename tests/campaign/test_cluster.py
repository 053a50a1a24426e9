"""A Dask cluster over loopback: the same bytes as here, whoever is lost on the way; and what cannot be used."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from distributed import KilledWorker

from backproof.campaign import cluster as module
from backproof.campaign.cluster import Cluster, cluster, examine_there
from backproof.campaign.crew import CrewError, DeathError
from backproof.campaign.fingerprint import versions
from backproof.campaign.shards import Task, examine_shard
from backproof.cases.domain import Domain
from backproof.route import check

SMALL = Domain(depth=1, width=(1, 2), batch_size=(1, 2), activations="tanh", losses="mse", dtypes="float64")
TASK = Task(candidate="scratch", domain=SMALL, seed=0, shard=0, count=2, truth="exact")
NET = """
from backproof.candidates.loading import load
from backproof import Domain, candidate
from backproof.scratch import Network

@candidate(Domain(depth=1, width=(1, 2), batch_size=(1, 2), activations="tanh", losses="mse"))
def loss_and_gradients(network, x, y):
    if len(x) == 2:
        raise RuntimeError("no twos")
    made = Network(network.weights, network.biases, network.activations, loss="mse", reduction=network.reduction,
                   upstream=network.upstream)
    found = made.gradients(x, y)
    return found.loss, found.weights, found.biases
"""


def started(folder: Path, *words: str) -> subprocess.Popen:
    """A part of dask in a folder of its own, which also has what is temporary."""
    folder.mkdir()
    with (folder / "log.txt").open("w") as log:
        command = [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1", "--no-dashboard"]
        own = {**os.environ, "TMPDIR": str(folder)}
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=own)


def end(process: subprocess.Popen) -> None:
    """As somebody does who wants it to put away its things; a worker whose scheduler goes meanwhile may not end."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def until(holds, *processes: subprocess.Popen) -> None:
    """Wait for something that processes are to do."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)


def files(directory: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_cluster_that_loses_a_worker_writes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A real scheduler and two workers, which have never seen the candidate's file; one is killed in mid-run."""
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("backproof.route.CASES_PER_SHARD", 5)
    options = {"cases": 150, "truth": "exact", "keep": False, "diagnosis": False}
    where = tmp_path / "scheduler.json"
    processes = [started(tmp_path / "scheduler", "scheduler", "--port", "0", "--scheduler-file", str(where))]
    try:
        until(lambda: where.exists() and where.read_text(), *processes)
        address = json.loads(where.read_text())["address"]
        monkeypatch.setattr(module, "PATIENCE", 0.2)
        with pytest.raises(CrewError, match=r"has no workers after 0\.2 s: start some, dask worker tcp://"):
            check("scratch", SMALL, **options, scheduler=address)
        monkeypatch.setattr(module, "PATIENCE", 60.0)
        plain = ("worker", address, "--no-nanny", "--nthreads", "1")
        processes += [started(tmp_path / f"worker {number}", *plain) for number in (1, 2)]
        killed = []

        def kill(cases: int, wrong: int) -> None:
            if cases >= 30 and not killed:
                killed.append(processes[1])
                os.kill(processes[1].pid, signal.SIGKILL)

        found = check("net.py", **options, scheduler=address, report=tmp_path / "far", progress=kill)
        assert killed
        assert processes[2].poll() is None
        assert found.tally.cases == 150
        folders = [folder for folder in tmp_path.glob("worker */**/backproof-*") if folder.is_dir()]
        assert folders
        assert all(folder.parent.name.startswith("worker-") for folder in folders), "which dask removes"
    finally:
        for process in reversed(processes):
            end(process)
    left = [folder for folder in folders if folder.exists()]
    assert all(folder.is_relative_to(tmp_path / "worker 1") for folder in left)
    check("net.py", **options, workers=1, report=tmp_path / "near")
    assert files(tmp_path / "far") == files(tmp_path / "near")
    assert "net.py:9" in (tmp_path / "far" / "discrepancies.csv").read_text()


def test_a_worker_of_another_version_is_refused():
    """What differs, from what to what; the same versions do as a process here does."""
    there = examine_there(replace(TASK, candidate=""), "scratch", versions())
    assert there.tally == examine_shard(TASK).tally
    with pytest.raises(CrewError) as raised:
        examine_there(TASK, "scratch", {**versions(), "torch": "1.0"})
    text = str(raised.value)
    assert text.startswith("the worker here is not like the process that began the run, and might find other numbers: ")
    assert "torch 1.0, there " in text


def test_a_scheduler_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch):
    """In a time that somebody waits for; and an address that is none."""
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    for address in ("tcp://127.0.0.1:9", "carrier-pigeon://home"):
        with pytest.raises(CrewError, match=rf"^no scheduler answers at {address} within 0\.2 s: "), cluster(address):
            pytest.fail("the block must not run")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch):
    """What to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(CrewError, match=r"needs dask\.distributed: install the extra, backproof\[cluster\]"),
        cluster("x"),
    ):
        pytest.fail("the block must not run")


class Client:
    """A client without a network."""

    status = "running"

    def __init__(self) -> None:
        self.workers = {"tcp://1": 1}

    def get_executor(self, **options):
        return None

    def nthreads(self):
        if self.workers is None:
            raise OSError("gone")
        return self.workers


def test_a_cluster_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch):
    """The scheduler, or all of its workers for a while."""
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    client = Client()
    crew = Cluster(client, "tcp://far")
    assert crew.window == 4
    client.workers = dict.fromkeys(range(9), 1)
    crew.look()
    assert crew.window == 4  # so soon nobody looks again
    clock[0] = 2.0
    crew.look()
    assert crew.window == 18
    client.workers = {}
    clock[0] += module.PATIENCE
    crew.look()
    clock[0] += 2.0
    with pytest.raises(CrewError, match="the scheduler tcp://far has had no worker for 10 s: start some"):
        crew.look()
    client.workers = None
    for status in ("running", "closed"):
        client.status = status
        clock[0] += 2.0
        with pytest.raises(CrewError, match="the scheduler tcp://far is gone, or does not answer any more"):
            crew.look()


def test_what_becomes_of_a_task_is_told_apart():
    """A shard that ends worker after worker; a scheduler that is gone; a shard."""
    crew = Cluster(Client(), "tcp://far")
    dead, lost, done = Future(), Future(), Future()
    dead.set_exception(KilledWorker("shard", SimpleNamespace(address="tcp://3"), 3))
    lost.cancel()
    done.set_result("a shard")
    with pytest.raises(DeathError, match="the last of them was tcp://3"):
        crew.result(dead)
    with pytest.raises(CrewError, match="is gone"):
        crew.result(lost)
    assert crew.result(done) == "a shard"
