"""The plugin in real sessions: what a failing test shows, and the tables of all checks."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

from backproof.sessions import assertion
from backproof.sessions import session as sessions
from backproof.sessions.recorder import CARGO, Recorder
from backproof.sessions.witnesses import WITNESSES

pytest_plugins = ["pytester"]

NET = """
    from backproof import Domain, candidate

    DOMAIN = Domain(
        depth=1, width=(1, 3), batch_size=(1, 3), activations="identity", losses="linear", reductions="sum",
        biases="always", dtypes="float64", values="ones",
    )

    @candidate(DOMAIN)
    def right(network, x, y):
        return {"weights": [y.T @ x], "biases": [y.sum(axis=0)]}

    @candidate(DOMAIN)
    def doubled(network, x, y):
        return {"weights": [y.T @ x], "biases": [2 * y.sum(axis=0)]}
"""
# Seconds in each further process are PyTorch's import; on ones exact arithmetic gives the same numbers.
CONFTEST = """
    import sys

    if "torch" not in sys.modules:
        from backproof import examine
        from backproof.truth import exact

        examine.reference_of = lambda truth: exact.reference
"""
TESTS = """
    import pytest
    from hypothesis import Phase, given, settings
    from backproof import cases, check_gradients
    from net import DOMAIN, doubled, right

    fixed = settings(derandomize=True, deadline=None, max_examples=12, phases=[Phase.generate, Phase.shrink])

    @fixed
    @given(cases(DOMAIN))
    def test_wrong(case):
        check_gradients(doubled, case)

    @fixed
    @given(cases(DOMAIN))
    def test_right(case):
        check_gradients(right, case)

    @pytest.mark.parametrize("number", range(3))
    def test_nothing(number):
        pass

    @fixed
    @given(cases(DOMAIN))
    def test_again(case):
        check_gradients(right, case)
"""
PROGRAM = """
    import json, os, sys
    with open("started", "a") as file:
        print(os.getpid(), file=file)
    for line in sys.stdin:
        asked = json.loads(line)
        if "describe" in asked:
            said = {"domain": {"depth": 1, "width": [1, 3], "activations": "identity", "losses": "linear",
                               "reductions": "sum", "biases": "always", "dtypes": "float64"}}
        else:
            x, y = asked["x"], asked["y"]
            columns = list(zip(*y))
            said = {"id": asked["id"], "biases": [[sum(column) for column in columns]], "weights": [
                [[sum(a * b for a, b in zip(column, inputs)) for inputs in zip(*x)] for column in columns]
            ]}
        print(json.dumps(said), flush=True)
"""


def content(directory: Path) -> dict[str, bytes]:
    """Every file by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def alone(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A session in a process of its own, with no other plugins than are named."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "backproof.pytest_plugin", *options],
        cwd=folder,
        env={**own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Somebody's network, and tests of it."""
    pytester.makepyfile(conftest=CONFTEST, net=NET, test_net=TESTS)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider")
    return pytester


def test_the_plugin_is_found_where_backproof_is_installed():
    """By its entry point."""
    (found,) = metadata.entry_points(group="pytest11", name="backproof")
    assert found.value == "backproof.pytest_plugin"


def test_a_session_without_a_check_imports_nothing_heavy(pytester: pytest.Pytester):
    """Neither NumPy nor PyTorch, even where a report is asked for; then it says that there is none."""
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            assert "backproof.sessions.recorder" in sys.modules
            assert not {"numpy", "torch", "pyarrow", "pandas", "hypothesis", "flint"} & set(sys.modules)
        """
    )
    done = alone("--backproof-report", "out", folder=pytester.path)
    assert done.returncode == 0, done.stdout
    assert "backproof: no table is written: nothing called check_gradients" in done.stdout
    assert not (pytester.path / "out").exists()


def test_unused_it_imports_itself_alone():
    """Of ours nothing but the two modules that pytest asks for."""
    code = "import sys, backproof.pytest_plugin; print(*(name for name in sys.modules if name.startswith('backproof')))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["backproof", "backproof.pytest_plugin"]


@pytest.mark.no_cover
def test_a_failing_test_shows_the_diagnosis_once_and_none_of_our_frames(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    """One diagnosis for all that Hypothesis tries; then the tables, the same for one process and for two."""
    made = []
    diagnose = assertion.diagnose
    monkeypatch.setattr(assertion, "diagnose", lambda *given, **named: made.append(given) or diagnose(*given, **named))
    result = suite.runpytest_inprocess("--backproof-report", "out", "-p", "no:xdist", "-p", "no:randomly")
    result.assert_outcomes(failed=1, passed=5)
    assert len(made) == 1
    shown = result.stdout.str()
    assert shown.count("  Look for    2 * delta.sum(axis=0)") == 1
    assert "E         Again       backproof check net:doubled --case 1-1,identity,linear,sum,n1,f64," in shown
    assert "assertion.py" not in shown
    assert "_loaded" not in shown
    result.stdout.re_match_lines([r"backproof: net:doubled, net:right: wrong in \d+ of \d+ networks; tables in .*/out"])
    assert len(WITNESSES) == 0

    checks = pd.read_csv(suite.path / "out" / "checks.csv")
    assert checks["candidate"].drop_duplicates().tolist() == ["net:doubled", "net:right"]  # the order of the tests
    assert not checks.duplicated(["candidate", "case", "quantity", "layer"]).any()
    differing = pd.read_csv(suite.path / "out" / "discrepancies.csv")
    assert set(zip(differing["candidate"], differing["quantity"], strict=True)) == {("net:doubled", "bias")}
    summary = (suite.path / "out" / "summary.md").read_text()
    assert "\n## test_net.py::test_wrong\n\n```text\n1-1,identity,linear,sum,n1,f64," in summary
    assert json.loads((suite.path / "out" / "verdict.json").read_text())["verdict"] == "disagrees"

    done = alone("-p", "xdist", "-n", "2", "--backproof-report", "two", folder=suite.path)
    assert done.returncode == 1, done.stdout
    assert content(suite.path / "two") == content(suite.path / "out")


def test_a_program_lives_through_all_examples_and_ends_with_the_session(suite: pytest.Pytester):
    """It is started once, and is no more when pytest is done."""
    suite.makepyfile(program=PROGRAM)
    suite.makepyfile(
        test_net=f"""
        import shlex, sys
        from hypothesis import given, settings
        from backproof import cases, check_gradients
        from net import DOMAIN

        NET = "exec:" + shlex.join([sys.executable, "-I", "-S", "{suite.path}/program.py"])

        @settings(deadline=None, max_examples=12, database=None)
        @given(cases(DOMAIN))
        def test_program(case):
            assert "agree" in {{check.verdict for check in check_gradients(NET, case)}}

        def test_once():
            with open("started") as file:
                assert len(file.readlines()) == 1
        """
    )
    suite.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((suite.path / "started").read_text()), 0)


def test_a_place_that_is_taken_is_said_before_any_test(suite: pytest.Pytester):
    """A folder that is no report stays as it is."""
    result = suite.runpytest_inprocess("--backproof-report", ".")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --backproof-report: * exists and is no report of ours: it stays as it is.*"])
    assert len(WITNESSES) == 0


def test_a_report_that_cannot_be_written_fails_the_session(suite: pytest.Pytester):
    """Where something has taken its place in the meantime; the tests themselves have passed."""
    suite.makepyfile(
        test_net="""
        from pathlib import Path
        from backproof import check_gradients
        from backproof.cases import NetworkSpec, build_case

        CASE = build_case(NetworkSpec.parse("1-1,identity,linear,sum,n1,f64,normal,s0"))
        check_gradients("scratch", CASE)  # while tests are collected

        def test_scratch():
            Path("out").write_text("taken")
        """
    )
    result = suite.runpytest_inprocess("--backproof-report", "out", "-p", "no:xdist")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["backproof: */out exists and is no report of ours: it stays as it is.*"])


def test_several_failures_in_one_test_are_each_told(suite: pytest.Pytester):
    """As Hypothesis raises them, in a group; what is no gradient's failure is not told twice."""
    suite.makepyfile(
        test_net="""
        from backproof import check_gradients
        from backproof.cases import NetworkSpec, build_case
        from net import doubled

        def failure(case):
            try:
                check_gradients(doubled, build_case(NetworkSpec.parse(case)))
            except AssertionError as error:
                vars(error)["text"] = "told of " + case
                return error

        def test_both():
            cases = [f"{n}-1,identity,linear,sum,n1,f64,normal,s0" for n in (1, 2)]
            raise ExceptionGroup("two", [ValueError("no"), *map(failure, cases)])

        def test_neither():
            raise ValueError("no")
        """
    )
    suite.runpytest_inprocess("--backproof-report", "out", "-p", "no:xdist").assert_outcomes(failed=2)
    told = [f"told of {n}-1,identity,linear,sum,n1,f64,normal,s0" for n in (1, 2)]
    summary = (suite.path / "out" / "summary.md").read_text()
    assert summary.count("\n## test_net.py::") == 1
    assert f"\n## test_net.py::test_both\n\n```text\n{told[0]}\n\n{told[1]}\n```\n" in summary


def test_a_worker_that_dies_is_counted(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """And one that is done is not; in a worker itself nothing is written."""
    recorder = Recorder(pytester.path / "out")

    class Node:
        """What pytest-xdist tells of a worker."""

        class gateway:  # noqa: N801  an attribute by that name
            """Its connection."""

            id = "gw0"

    recorder.pytest_testnodedown(Node, None)
    recorder.pytest_testnodedown(Node, "Not properly terminated")
    report = pytest.TestReport("a", ("a", 0, "a"), {}, "passed", None, "call")
    setattr(report, CARGO, {"noted": "[]", "failure": "wrong"})
    recorder.pytest_runtest_logreport(report)
    written = []
    monkeypatch.setattr(sessions, "write", lambda *given, **named: written.append(named) or "written")

    class Session:
        """What pytest tells of a session."""

        class config:  # noqa: N801  an attribute by that name
            """Its settings."""

    monkeypatch.setitem(sys.modules, "backproof.sessions.session", sessions)  # pytester forgets imports
    recorder.pytest_sessionfinish(Session)
    assert written == [{"failures": {"a": "wrong"}, "lost": 1}]
    Session.config.workerinput = {}
    recorder.pytest_sessionfinish(Session)
    assert len(written) == 1
    recorder.close()


def test_a_session_that_checked_nothing_says_so(suite: pytest.Pytester):
    """Whatever its tests did; and there is no directory."""
    suite.makepyfile(test_net="def test_nothing(): pass")
    result = suite.runpytest_inprocess("--backproof-report", "out", "-p", "no:xdist")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["backproof: no table is written: nothing called check_gradients"])
    assert not (suite.path / "out").exists()
