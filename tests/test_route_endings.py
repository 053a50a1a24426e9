"""Runs that end before their time: by Ctrl-C, once or twice, and by the death of a worker, after which they go on."""

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from backproof.candidates.contract import CandidateError
from backproof.route import check

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from scripted import SMALL, Scripted, scratch


def test_ctrl_c_keeps_what_is_done():
    """The verdict is on what was examined, and says so; the signal's handler is put back."""
    before = signal.getsignal(signal.SIGINT)
    seen = Counter()

    def answer(case):
        seen["calls"] += 1
        if seen["calls"] == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return scratch(case)

    report = check(Scripted(answer), cases=500)
    assert report.interrupted
    assert 0 < report.tally.cases < 20
    assert (report.verdict, report.exit_code) == ("agrees", 130)
    assert report.to_json()["stopped"] == f"after {report.tally.cases} of 500 networks"
    assert f"Stopped     after {report.tally.cases} of 500 networks" in str(report)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_does_not_hide_what_disagrees():
    """A run that has found a mistake has its exit code."""

    def press(cases: int, wrong: int) -> None:
        if cases == 3 and not pressed:
            pressed.append(cases)
            os.kill(os.getpid(), signal.SIGINT)

    pressed: list[int] = []
    wrong = Scripted(lambda case: replace(scratch(case), loss=scratch(case).loss + 1.0))
    report = check(wrong, cases=500, diagnosis=False, progress=press)
    assert report.interrupted
    assert (report.verdict, report.exit_code) == ("disagrees", 1)


@pytest.mark.parametrize(("shards", "told"), [(0, "no shard of 250 networks was done, so "), (1, "kept are 1 of 2 ")])
def test_ctrl_c_says_what_is_kept_to_go_on_from(tmp_path: Path, shards: int, told: str):
    """Of a shard that was begun, nothing; then a folder for the rest would only mislead."""
    said: list[str] = []
    pressed: list[int] = []

    def press(cases: int, wrong: int) -> None:
        if cases == 250 * shards + 3 and not pressed:
            pressed.append(cases)
            os.kill(os.getpid(), signal.SIGINT)

    place = tmp_path / "out"
    check("scratch", SMALL, cases=500, truth="exact", report=place, progress=press, notice=said.append)
    assert said[-1].startswith(f"{place}: {told}")
    assert (tmp_path / "out.unfinished").exists() == bool(shards)


def test_ctrl_c_before_anything_is_done_leaves_an_older_report(tmp_path: Path):
    """There is nothing to tell: the exception is Python's own, and what was there stays."""
    place = tmp_path / "out"
    check("scratch", SMALL, cases=2, truth="exact", report=place)
    before = (place / "verdict.json").read_bytes()

    def answer(case):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        check(Scripted(answer), cases=500, report=place)
    assert (place / "verdict.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("step", ["diagnose", "scaling", "groups"])
def test_ctrl_c_after_the_networks_costs_no_verdict(monkeypatch: pytest.MonkeyPatch, step: str):
    """Whoever is impatient with the diagnosis still has what it is about."""

    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"backproof.route.{step}", pressed)
    wrong = Scripted(lambda case: replace(scratch(case), loss=scratch(case).loss + 1.0))
    report = check(wrong, cases=4)
    assert report.interrupted
    assert (report.tally.wrong_cases, report.exit_code) == (4, 1)
    assert (report.findings is None) == (step == "diagnose")


def test_a_candidate_that_workers_cannot_have_is_said(tmp_path: Path):
    """It is there for the process that asks, and gone for those that are to share the work: then that is said."""
    file = tmp_path / "fleeting.py"
    file.write_text("import os\nos.unlink(__file__)\ndef loss_and_gradients(network, x, y):\n    return 0.0, [], []\n")
    with pytest.raises(CandidateError, match=r"no file .*fleeting\.py"):
        check(str(file), SMALL, cases=600, workers=2, truth="exact", diagnosis=False)


def test_a_second_ctrl_c_ends_a_case_that_does_not_end():
    """The first asks, the second insists."""

    def answer(case):
        if answer.calls == 8:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second signal must end the case")
        answer.calls += 1
        return scratch(case)

    answer.calls = 0
    report = check(Scripted(answer), cases=500)
    assert report.interrupted
    assert report.tally.cases == 3  # the first case takes six calls


def test_ctrl_c_ends_a_pool_too(monkeypatch: pytest.MonkeyPatch):
    """Shards that are done count; those that wait are never begun."""
    monkeypatch.setattr("backproof.route.CASES_PER_SHARD", 5)
    pressed = []

    def press(cases: int, wrong: int) -> None:
        if not pressed:
            pressed.append(cases)
            os.kill(os.getpid(), signal.SIGINT)

    report = check("scratch", SMALL, cases=500, workers=2, keep=False, truth="exact", progress=press)
    assert pressed
    assert report.interrupted
    assert 5 <= report.tally.cases <= 100
    assert report.tally.cases % 5 == 0
    assert report.verdict == "agrees"


def test_a_worker_that_dies_is_replaced(tmp_path: Path):
    """A candidate that has no process of its own, and ends the worker's once: the shard is examined by another one.

    The script has no `if __name__ == "__main__"`, and no worker runs it again.
    """
    died = tmp_path / "died"
    (tmp_path / "deadly.py").write_text(
        "import os\nfrom pathlib import Path\nfrom backproof.candidates.loading import load\n"
        "def loss_and_gradients(network, x, y):\n"
        f"    died = Path({str(died)!r})\n"
        "    if len(x) == 2 and not died.exists():\n"
        "        died.touch()\n"
        "        os._exit(3)\n"
        "    return [], [], []\n"
    )
    code = textwrap.dedent("""
        from backproof import Domain, check
        from backproof.candidates.loading import load
        domain = Domain(depth=1, width=1, batch_size=(1, 2), activations="tanh", losses="mse")
        options = {"cases": 251, "workers": 2, "truth": "exact", "diagnosis": False, "keep": False}
        found = check(load("deadly.py")[0], domain, **options)
        print(found.tally.cases, found.interrupted, found.verdict)
    """)
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert died.exists()
    assert done.stdout == "251 False cannot_run\n"
