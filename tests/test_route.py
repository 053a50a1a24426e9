"""The whole route for many cases: results, files, workers, interruption."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import backproof
from backproof.candidates.contract import Answer, CandidateError, load
from backproof.cases import NetworkSpec, SpecError
from backproof.cases.domain import Domain
from backproof.reports import ReportError
from backproof.reports.columns import TABLES
from backproof.route import check

SMALL = Domain(depth=(1, 2), width=(1, 4), batch_size=(1, 4), activations=("tanh", "relu"), losses=("mse", "linear"))
FILES = {
    "checks.csv", "checks.parquet", "discrepancies.csv", "discrepancies.parquet", "strata.csv", "strata.parquet",
    "scaling.csv", "scaling.parquet", "pairs.csv", "pairs.parquet", "equations.csv", "equations.parquet", "columns.md",
    "environment.json", "verdict.json", "screen.json", "summary.md", "junit.xml", "index.html",
}  # fmt: skip


class Scripted:
    """A candidate whose answer is a function of the case."""

    name = "scripted"
    domain = SMALL

    def __init__(self, answer) -> None:
        self.answer = answer


def scratch(case) -> Answer:
    """What scratch answers."""
    return load("scratch")[0].answer(case)


def test_check_agrees_with_scratch():
    """The default: a Report with one verdict, counts and tables."""
    report = check("scratch", SMALL, cases=40)
    assert (report.verdict, report.exit_code) == ("agrees", 0)
    assert report.tally.cases == 40
    assert set(report.checks["verdict"]) <= {"agree", "undecided"}
    assert report.discrepancies.empty or set(report.discrepancies["verdict"]) == {"undecided"}
    assert set(report.strata["cases"][report.strata["stratum"] == "loss"]) <= set(range(40))
    assert {row.verdict for row in report.scaling} == {"agree"}
    assert report.directory is None
    assert "AGREES" in str(report)


def test_check_is_a_public_name():
    """`from backproof import check`, with scratch and its domain as defaults."""
    assert backproof.check is check
    assert check(cases=3, keep=False).candidate == "scratch"


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_check_disagrees_with_what_is_wrong():
    """Exit code 1, the rows set apart, and the smallest case named."""
    report = check(Scripted(lambda case: replace(scratch(case), inputs=scratch(case).inputs + 1.0)), cases=20)
    assert (report.verdict, report.exit_code) == ("disagrees", 1)
    assert set(report.discrepancies["quantity"][report.discrepancies["verdict"] == "disagree"]) == {"input"}
    assert report.tally.smallest[1] in set(report.discrepancies["case"])
    smallest = NetworkSpec.parse(report.to_json()["smallest_case"])
    assert smallest.depth <= NetworkSpec.parse(report.tally.smallest[1]).depth
    assert report.to_json()["equations"]["BP2"] == "broken"  # dC/dx is what BP2 sends on below the first layer


def test_check_cannot_run_where_nothing_was_compared():
    """An empty homework does not pass, whatever its verdict is called."""
    for failure in ("error", "unsupported"):
        report = check(Scripted(lambda case, failure=failure: Answer(failure=failure)), cases=5)
        assert (report.verdict, report.exit_code) == ("cannot_run", 2)


def test_check_disagrees_with_a_candidate_that_contradicts_itself():
    """A wrong divisor shows in `scaling` even where no random case has that loss with `mean`."""

    def bent(case):
        answer = scratch(case)
        wrong = case.spec.reduction == "mean" and case.spec.batch_size > 1 and case.spec.dtype == "float64"
        return replace(answer, weights=tuple((2.0 if wrong else 1.0) * weight for weight in answer.weights))

    report = check(Scripted(bent), replace(SMALL, dtypes=("float32",)), cases=4, diagnosis=False)
    assert report.verdict == "agrees"
    report = check(Scripted(bent), SMALL, cases=4, diagnosis=False)
    assert report.contradictions
    assert report.verdict == "disagrees"


def test_check_takes_named_cases():
    """In their order, without drawing anything, and without the scaling table."""
    ids = ["3-2,tanh,mse,sum,n5,f64,normal,s1", "1-1,relu,linear,mean,n1,f32,ones,s2"]
    report = check("scratch", ids=ids)
    assert list(dict.fromkeys(report.checks["case"])) == ids
    assert (report.tally.cases, report.cases, report.scaling) == (2, 2, ())
    with pytest.raises(SpecError):
        check("scratch", ids=["3-2,tanh"])


def test_check_holds_to_exact_arithmetic():
    """No torch in it: the same verdict from the other truth."""
    report = check("scratch", SMALL, cases=5, truth="exact")
    assert report.verdict == "agrees"
    assert report.reference == "exact arithmetic"


def test_check_repeats_itself_and_depends_on_the_seed():
    """The same rows for the same seed."""
    first, again, other = (check("scratch", SMALL, cases=30, seed=seed) for seed in (1, 1, 2))
    assert first.checks.equals(again.checks)
    assert set(first.checks["case"]).isdisjoint(other.checks["case"])


def test_check_covers_more_when_asked_for_more():
    """The first cases are the same: a longer run continues a shorter one."""
    short, long = (check("scratch", SMALL, cases=cases) for cases in (20, 30))
    assert list(dict.fromkeys(long.checks["case"]))[:20] == list(dict.fromkeys(short.checks["case"]))


def test_report_has_every_file_and_they_agree_with_each_other(tmp_path: Path):
    """CSV, Parquet, Markdown and JSON from the same tables."""
    place = tmp_path / "report"
    report = check("scratch", SMALL, cases=10, certify=True, report=place, command="backproof check")
    assert {path.name for path in place.iterdir()} == {*FILES, "accuracy.csv", "accuracy.parquet"}
    assert report.directory == tmp_path / "report"
    for name in report.tables:
        entry = TABLES[name]
        written = pd.read_csv(tmp_path / "report" / f"{name}.csv")
        assert list(written.columns) == list(entry.names)
        assert len(written) == len(report.frame(name)) == len(pd.read_parquet(tmp_path / "report" / f"{name}.parquet"))
    assert "AGREES" in (tmp_path / "report" / "summary.md").read_text()
    environment = (tmp_path / "report" / "environment.json").read_text()
    assert '"command": "backproof check"' in environment
    assert "activations=('tanh', 'relu')" in environment
    assert str(tmp_path) not in (tmp_path / "report" / "verdict.json").read_text()


def files(directory: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.usefixtures("blank_plots")
def test_reports_are_the_same_bytes_for_one_worker_and_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Shards are the unit of work, and their order is theirs."""
    monkeypatch.setattr("backproof.route.CASES_PER_SHARD", 10)
    for workers in (1, 2):
        # The truth that does without PyTorch: a worker of it is there at once.
        report = check("scratch", SMALL, cases=65, workers=workers, report=tmp_path / str(workers), truth="exact")
        assert report.tally.cases == 65
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_report_is_refused_before_anything_is_examined(tmp_path: Path):
    """Nobody waits for a run whose result cannot be written."""
    (tmp_path / "file").write_text("x")
    calls = []
    with pytest.raises(ReportError):
        check(Scripted(calls.append), cases=5, report=tmp_path / "file")
    assert not calls


def test_nothing_is_kept_unless_asked():
    """The counts are enough for the screen; a table that is not there is named."""
    report = check("scratch", SMALL, cases=5, keep=False)
    assert report.verdict == "agrees"
    with pytest.raises(LookupError, match="no table 'checks' was kept; there are none"):
        _ = report.checks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases must be a whole number, at least 1; got 0"),
        ({"workers": 0}, "workers must be a whole number, at least 1; got 0"),
        ({"seed": -1}, "seed must be a whole number, at least 0; got -1"),
        ({"seed": 1.5}, "seed must be a whole number, at least 0; got 1.5"),
        ({"rows": -5}, "rows must be a whole number, at least 0; got -5"),
        ({"hints": "nothing"}, "hints are none, where or all; got 'nothing'"),
        ({"truth": "jax"}, "the reference is torch or exact; got 'jax'"),
    ],
    ids=["cases", "workers", "negative seed", "broken seed", "rows", "hints", "truth"],
)
def test_check_says_what_it_cannot_do(options: dict[str, object], message: str):
    """A number that makes no sense."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        check("scratch", SMALL, **options)


def test_check_takes_one_candidate_at_a_time(tmp_path: Path):
    """A file with two: both are named."""
    path = tmp_path / "two.py"
    path.write_text(
        textwrap.dedent("""
            from backproof import Domain, candidate
            @candidate(Domain())
            def first(network, x, y): ...
            @candidate(Domain())
            def second(network, x, y): ...
        """)
    )
    with pytest.raises(CandidateError, match=r"holds 2 candidates; name one: .*two.py:first, .*two.py:second"):
        check(str(path))


@pytest.mark.no_cover
def test_progress_hears_of_every_case_once(monkeypatch: pytest.MonkeyPatch):
    """Cases only grow, and the wrong ones are counted across shards."""
    monkeypatch.setattr("backproof.route.CASES_PER_SHARD", 10)
    told = []
    wrong = Scripted(lambda case: replace(scratch(case), inputs=None, loss=scratch(case).loss + 1.0))
    check(wrong, cases=25, keep=False, diagnosis=False, progress=lambda *done: told.append(done))
    assert [cases for cases, _ in dict.fromkeys(told)] == list(range(1, 26))
    assert told[-1] == (25, 25)


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


def test_a_second_ctrl_c_ends_a_case_that_does_not_end():
    """The first asks, the second insists."""

    def answer(case):
        if answer.calls == 7:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second signal must end the case")
        answer.calls += 1
        return scratch(case)

    answer.calls = 0
    report = check(Scripted(answer), cases=500)
    assert report.interrupted
    assert report.tally.cases == 3  # the first case takes five calls


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


def test_check_runs_outside_the_main_thread():
    """Where signals are not ours to handle."""
    found = []
    thread = threading.Thread(target=lambda: found.append(check("scratch", SMALL, cases=3, keep=False)))
    thread.start()
    thread.join()
    assert found[0].verdict == "agrees"


def test_a_worker_that_dies_is_replaced(tmp_path: Path):
    """A candidate that has no process of its own, and ends the worker's once: the shard is examined by another one."""
    died = tmp_path / "died"
    (tmp_path / "deadly.py").write_text(
        "import os\nfrom pathlib import Path\nfrom backproof.candidates import load\n"
        "def loss_and_gradients(network, x, y):\n"
        f"    died = Path({str(died)!r})\n"
        "    if len(x) == 2 and not died.exists():\n"
        "        died.touch()\n"
        "        os._exit(3)\n"
        "    return [], [], []\n"
    )
    code = textwrap.dedent("""
        from backproof import Domain, check
        from backproof.candidates import load
        if __name__ == "__main__":
            domain = Domain(depth=1, width=1, batch_size=(1, 2), activations="tanh", losses="mse")
            options = {"cases": 251, "workers": 2, "truth": "exact", "diagnosis": False, "keep": False}
            found = check(load("deadly.py")[0], domain, **options)
            print(found.tally.cases, found.interrupted, found.verdict)
    """)
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert died.exists()
    assert done.stdout == "251 False cannot_run\n"


class Negated(Scripted):
    """Every bias gradient with the wrong sign."""

    def __init__(self, domain=SMALL) -> None:
        super().__init__(self.negate)
        self.domain = replace(domain, losses=(domain.losses[0],), dtypes=("float64",))

    def negate(self, case) -> Answer:
        """Scratch's answer, but for the biases."""
        right = scratch(case)
        biases = tuple(None if bias is None else -bias for bias in right.biases)
        return Answer(loss=right.loss, weights=right.weights, biases=biases)


@pytest.mark.no_cover
@pytest.mark.usefixtures("blank_plots")
def test_what_is_wrong_is_diagnosed_and_written(tmp_path, monkeypatch):
    """The table of the equations and the script of the smallest network stand beside the others, if all may be told."""
    for hints, written in (("all", True), ("where", False), ("none", False)):
        place = tmp_path / hints
        found = check(Negated(), SMALL, cases=12, report=place, hints=hints)
        (diagnosis,) = found.findings.diagnoses
        monkeypatch.setattr("backproof.route.diagnose", lambda *_, findings=found.findings, **__: findings)  # once
        assert (diagnosis.equation, diagnosis.fault) == ("BP3", "bias_negated")
        assert (place / "smallest.py").exists() is written
        text = " ".join(file.read_text() for file in place.iterdir() if file.suffix != ".parquet")
        assert ("bias_negated" in text) is written
        assert (diagnosis.wanted in text) is written
        assert [(group.faults, group.cases) for group in found.groups] == [(("bias_negated",), found.tally.wrong_cases)]
        assert found.groups[0].shown == found.findings.shown.case.spec.id
        assert (place / "groups.csv").exists() is (hints != "none")
        assert found.hints == hints


def test_nothing_is_diagnosed_where_asking_further_would_only_take_time():
    """Not if it is not wanted, not if every call fails, not after a call that never ended."""
    assert check(Negated(), cases=4, diagnosis=False).findings is None

    def fail(case):
        raise NotImplementedError

    assert check(Scripted(fail), cases=4).findings is None
    late = check(Scripted(lambda _: Answer(failure="timeout", message="10 seconds")), cases=4)
    assert late.findings is None


def test_right_candidate_is_asked_which_equations_hold():
    """Agreement comes with the equations that were tested, and with no diagnosis."""
    found = check("scratch", SMALL, cases=10).findings
    assert found.diagnoses == ()
    assert set(found.equations.values()) <= {"holds", "not_tested"}
    assert found.equations["BP1"] == "holds"
