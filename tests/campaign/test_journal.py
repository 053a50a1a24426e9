"""The journal: what is finished is kept, whole or not at all, and never mixed with what is of another run."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backproof.campaign.crew import CrewError
from backproof.campaign.journal import Journal, finished, open_journal, place_of
from backproof.campaign.shards import Task, examine_shard
from backproof.cases.domain import Domain
from backproof.cases.spec import SpecError
from backproof.reports import ReportError
from backproof.route import check

SMALL = Domain(depth=(1, 2), width=(1, 4), batch_size=(1, 4), activations=("tanh", "relu"), losses=("mse", "linear"))
TASK = Task(candidate="scratch", domain=SMALL, seed=5, shard=2, count=6, truth="exact", keep=True)
RUN = {"candidate": "scratch", "seed": "0"}


def files(directory: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("whole", [True, False], ids=["all rows", "discrepancies"])
@pytest.mark.parametrize("domain", [SMALL, replace(SMALL, values="tiny")], ids=["agrees", "differs"])
def test_a_shard_comes_back_as_it_was(tmp_path: Path, whole: bool, domain: Domain):
    """Its counts and its rows."""
    task = replace(TASK, whole=whole, domain=domain)
    shard = examine_shard(task)
    journal = Journal(tmp_path, 3)
    assert 2 not in journal
    journal.keep(task, shard)
    for each in (journal, Journal(tmp_path, 3)):
        assert 2 in each
        found = each.shard(task)
        assert (found.tally, found.checks, found.discrepancies) == (shard.tally, shard.checks, shard.discrepancies)
    assert str(journal) == "1 of 3 shards"


def test_a_damaged_shard_is_none(tmp_path: Path):
    """It is examined again, as if it were not there; half of a file has another name anyway."""
    journal = Journal(tmp_path, 3)
    journal.keep(TASK, examine_shard(TASK))
    (place,) = tmp_path.iterdir()
    place.write_bytes(place.read_bytes()[:-100])
    assert journal.shard(TASK) is None
    assert 2 not in journal
    place.rename(place.with_suffix(".part"))
    assert len(Journal(tmp_path, 3)) == 0


def test_a_shard_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk: an error that says where, and nothing that could be taken for a shard."""
    shard = examine_shard(TASK)

    def fails(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(ReportError, match=r"cannot write .*000002\.parquet: No space left on device"):
        Journal(tmp_path, 3).keep(TASK, shard)
    assert list(tmp_path.iterdir()) == []


def kept(place: Path, run: dict[str, str], shards: int = 1) -> Path:
    """A journal with so many finished shards."""
    with open_journal(place, run, shards=9) as journal:
        for shard in range(shards):
            (journal.folder / f"{shard:06d}.parquet").write_bytes(b"")
    return journal.folder


def test_the_same_run_goes_on_and_says_so(tmp_path: Path):
    """With what it had; when its report is complete, nothing is left."""
    said = []
    place = tmp_path / "out"
    kept(place, RUN, 4)
    with open_journal(place, RUN, shards=9, resume=True, notice=said.append) as journal:
        assert len(journal) == 4
        finished(journal)
    assert said == [f"{place}: goes on where it was, 4 of 9 shards are done"]
    assert list(tmp_path.iterdir()) == []


def test_another_run_is_noticed_and_left_alone(tmp_path: Path):
    """What changed, from what to what; of several the one that differs least."""
    said = []
    place = tmp_path / "out"
    folder = kept(place, RUN, 4)
    with open_journal(place, {**RUN, "seed": "1"}, shards=9, notice=said.append) as journal:
        assert len(journal) == 0
    unfinished = tmp_path / "out.unfinished"
    (text,) = said
    assert text.startswith(
        f"{unfinished} holds an unfinished run with 4 shards done, but seed 0, now 1. It stays as it"
    )
    assert list(unfinished.iterdir()) == [folder]
    kept(place, {"candidate": "other", "seed": "0"})
    with (
        pytest.raises(ReportError) as raised,
        open_journal(place, {"candidate": "third", "seed": "1"}, shards=9, resume=True),
    ):
        pytest.fail("the block must not run")
    assert str(raised.value) == (
        f"there is nothing to resume for {place}: {unfinished} holds 2 unfinished runs, the nearest of them with 4 "
        "shards done, but candidate scratch, now third; seed 0, now 1."
    )


def test_nothing_to_resume_is_said(tmp_path: Path):
    """Nor is a journal left behind that holds nothing."""
    with (
        pytest.raises(ReportError, match=r"^there is nothing to resume for .*out$"),
        open_journal(tmp_path / "out", RUN, shards=9, resume=True),
    ):
        pytest.fail("the block must not run")
    with open_journal(tmp_path / "out", RUN, shards=9):
        assert place_of(tmp_path / "out").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path):
    """Also that of another run; not that of one that is under way, and nothing that only looks like it."""
    place = tmp_path / "out"
    folder = kept(place, RUN)
    for name, stays in ((".out.killed", False), (".other", True), ("out/../.out.else", True)):
        (folder / "fresh.txt").write_text(name)
        half = tmp_path / Path(name).name
        half.mkdir()
        with open_journal(place, {**RUN, "seed": "1"}, shards=9) as journal:
            assert half.exists() is stays
            journal.begin(tmp_path / ".out.under way")
            (tmp_path / ".out.under way").mkdir(exist_ok=True)
            with open_journal(place, RUN, shards=9):
                assert (tmp_path / ".out.under way").exists()


def test_two_processes_do_not_share_a_journal(tmp_path: Path):
    """The second is told."""
    with (
        open_journal(tmp_path / "out", RUN, shards=9),
        pytest.raises(ReportError, match=r"another process is writing .*out by the same command"),
        open_journal(tmp_path / "out", RUN, shards=9),
    ):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("kind", [ReportError, CrewError, SpecError])
def test_an_error_says_what_is_kept(tmp_path: Path, kind: type[Exception]):
    """Where anything is, and whatever is missing: space, workers, or memory for one of the networks."""
    folder = kept(tmp_path / "out", RUN)

    def fill() -> None:
        with open_journal(tmp_path / "out", RUN, shards=9):
            raise kind("cannot write: No space left on device")

    with pytest.raises(kind) as raised:
        fill()
    assert str(raised.value) == (
        f"cannot write: No space left on device. What is done is kept, 1 of 9 shards in {folder}: "
        "the same command goes on from there"
    )


def test_a_place_where_nothing_can_be_written_is_said(tmp_path: Path):
    """A file where the journals are to lie."""
    (tmp_path / "out.unfinished").write_text("x")
    with (
        pytest.raises(ReportError, match=r"cannot write .*out\.unfinished.*: (File exists|Not a directory)"),
        open_journal(tmp_path / "out", RUN, shards=9),
    ):
        pytest.fail("the block must not run")


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """kill -9 in mid-run: finished shards are not examined again, and no file of the report tells of it."""
    script = textwrap.dedent("""
        import sys, backproof.route
        from backproof.cases.domain import Domain
        backproof.route.CASES_PER_SHARD = 5
        from backproof.campaign import fingerprint
        fingerprint.CASES_PER_SHARD = 5
        backproof.route.check(
            "scratch", Domain(depth=(1, 2), width=(1, 4), batch_size=(1, 4), activations=("tanh", "relu"),
                              losses=("mse", "linear")),
            cases=250, truth="exact", report=sys.argv[1], keep=False, workers=1,
        )
    """)
    place = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", script, str(place)])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("out.unfinished/*/0*.parquet"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = [path.name for path in tmp_path.iterdir()]
    assert "out" not in left
    assert len(left) == 2  # the journal, and the directory that the report was being written into

    monkeypatch.setattr("backproof.route.CASES_PER_SHARD", 5)
    monkeypatch.setattr("backproof.campaign.fingerprint.CASES_PER_SHARD", 5)
    examined, said = [], []

    def noted(task, *rest):
        examined.append(task)
        return examine_shard(task, *rest)

    monkeypatch.setattr("backproof.campaign.dispatch.examine_shard", noted)
    options = {"cases": 250, "truth": "exact", "keep": False, "workers": 1}
    check("scratch", SMALL, **options, report=place, resume=True, notice=said.append)
    assert 0 < len(examined) <= 47
    assert "goes on where it was" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    check("scratch", SMALL, **options, report=tmp_path / "whole")
    assert files(place) == files(tmp_path / "whole")
