"""The whole route for many cases: results, files, workers, diagnosis."""

import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import backproof
from backproof.candidates.contract import Answer, CandidateError
from backproof.cases import NetworkSpec, SpecError
from backproof.reports import ReportError
from backproof.reports.columns import TABLES
from backproof.route import check

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from scripted import SMALL, Scripted, scratch

FILES = {
    "checks.csv", "checks.parquet", "discrepancies.csv", "discrepancies.parquet", "strata.csv", "strata.parquet",
    "scaling.csv", "scaling.parquet", "pairs.csv", "pairs.parquet", "equations.csv", "equations.parquet", "columns.md",
    "environment.json", "verdict.json", "screen.json", "summary.md", "junit.xml", "index.html",
}  # fmt: skip


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


@pytest.mark.parametrize(("bias_factor", "scale"), [(1.0, "broken"), (2.0, "not_tested")])
def test_check_disagrees_with_a_candidate_that_contradicts_itself(bias_factor: float, scale: str):
    """A wrong divisor shows in `scaling` even where no random case has that loss with `mean`; then no scale holds."""

    def bent(case):
        answer = scratch(case)
        wrong = case.spec.loss.name == "huber" and case.spec.reduction == "mean" and case.spec.batch_size > 1
        weights = tuple((2.0 if wrong else 1.0) * weight for weight in answer.weights)
        biases = tuple(None if bias is None else bias_factor * bias for bias in answer.biases)
        return replace(answer, weights=weights, biases=biases)

    consistent = check(Scripted(bent), SMALL, cases=4)
    assert not consistent.contradictions
    assert consistent.to_json()["equations"]["scale"] == "holds"
    report = check(Scripted(bent), replace(SMALL, losses=("mse", "huber")), cases=4)
    assert report.contradictions
    assert report.verdict == "disagrees"
    assert bool(report.tally.wrong_cases) is (bias_factor != 1.0)
    assert report.to_json()["equations"]["scale"] == scale
    assert ("Not tested  scale: answers to the same arrays contradict" in str(report)) is (scale == "not_tested")


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


def test_check_runs_outside_the_main_thread():
    """Where signals are not ours to handle."""
    found = []
    thread = threading.Thread(target=lambda: found.append(check("scratch", SMALL, cases=3, keep=False)))
    thread.start()
    thread.join()
    assert found[0].verdict == "agrees"


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
