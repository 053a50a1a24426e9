"""`backproof check`, as far as it is about large runs: resuming, ending early, who does the work."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from backproof.cli import app
from backproof.commands.check import _asked, _exit_code
from backproof.commands.terminal import progress

SMALL = ("--depth", "1", "--width", "2", "--losses", "mse", "--activations", "tanh", "--reference", "exact")


def run(*words: str):
    """The result of the command."""
    return CliRunner().invoke(app, ["check", "scratch", *SMALL, *words])


def test_the_command_that_is_noted_says_nothing_of_how_it_was_worked_out():
    """By how many, where, in how many goes: the report is the same."""
    words = [
        "check",
        "a.py",
        "--workers",
        "2",
        "--cases=9",
        "--resume",
        "--scheduler=tcp://x",
        "--workers=3",
        "--seed",
        "1",
    ]
    assert list(_asked(words)) == ["check", "a.py", "--cases=9", "--seed", "1"]


def test_what_cannot_be_resumed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Exit code 2, and what to do; a notice of another run is no part of stdout."""
    monkeypatch.chdir(tmp_path)
    done = run("--cases", "4", "--resume")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "backproof: only a run can be resumed that writes a report: name its directory\n"
    done = run("--cases", "4", "--resume", "--report", "out")
    assert done.exit_code == 2
    assert done.stderr == "backproof: there is nothing to resume for out\n"
    assert run("--cases", "4", "--report", "out").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_cluster_has_workers_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """Both at once mean nothing; a scheduler that does not answer is no traceback."""
    done = run("--scheduler", "tcp://127.0.0.1:9", "--workers", "2")
    assert done.exit_code == 2
    assert "a cluster has workers of its own" in " ".join(done.stderr.split())
    monkeypatch.setattr("backproof.campaign.cluster.PATIENCE", 0.2)
    done = run("--scheduler", "tcp://127.0.0.1:9", "--cases", "4")
    assert done.exit_code == 2
    assert done.stderr.startswith("backproof: no scheduler answers at tcp://127.0.0.1:9 within 0.2 s: ")


def test_rows_may_be_fewer(tmp_path: Path):
    """Whole shards of them; the counts are of all."""
    assert run("--cases", "4", "--rows", "0", "--report", str(tmp_path / "out")).exit_code == 0
    assert len((tmp_path / "out" / "checks.csv").read_text().splitlines()) == 1
    assert "cases" in (tmp_path / "out" / "strata.csv").read_text()


def test_progress_shows_rate_and_what_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """On a terminal; elsewhere there is none."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("backproof.commands.terminal.REDRAW", 0.0)
    for total in (1000, None):
        with progress("net.py", total) as told:
            told(0, 0)
            for cases in (10, 250, 500):
                told(cases, 3)
        shown = capsys.readouterr().err
        assert "3 wrong" in shown
        assert f"500/{total or '?'}" in re.sub(r" +", "", shown)
        assert "a second" in shown


def test_the_exit_code_of_several_candidates_is_the_worst():
    """That one was interrupted is less than that another disagrees, or that nothing could be compared."""
    for codes, code in (((0, 0), 0), ((0, 130), 130), ((130, 1), 1), ((2, 130), 2), ((1, 2, 0), 2)):
        assert _exit_code([SimpleNamespace(exit_code=each) for each in codes]) == code
