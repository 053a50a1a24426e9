"""`backproof check`: exit codes, messages, files, and what its options ask for."""

import json
import os
import re
import runpy
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backproof.candidates.contract import CandidateError
from backproof.cli import app
from backproof.diagnosis.diagnosis import diagnose

RIGHT = textwrap.dedent("""
    import numpy as np
    from backproof import Domain, candidate

    print("noise from the import")

    @candidate(Domain(activations="sigmoid", losses="half_squared_error", reductions="sum", dtypes="float64"))
    def loss_and_gradients(network, x, y):
        print("noise from a call")
        activations = [x]
        for weight, bias in zip(network.weights, network.biases):
            z = activations[-1] @ weight.T + (0.0 if bias is None else bias)
            activations.append(1.0 / (1.0 + np.exp(-z)))
        error = activations[-1] - y
        delta = SLOPE
        weights, biases = [], []
        for l in reversed(range(len(network.weights))):
            weights.insert(0, delta.T @ activations[l])
            biases.insert(0, delta.sum(axis=0))
            if l:
                delta = (delta @ network.weights[l]) * activations[l] * (1.0 - activations[l])
        return 0.5 * np.sum(error**2), weights, biases
""")


@pytest.fixture(scope="module")
def known() -> dict[tuple[str, bool], Any]:
    """What was found out about the networks below, by their names and whether they fail."""
    return {}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[tuple[str, bool], Any]) -> Iterator[Path]:
    """A folder to stand in, with a right and a wrong network; what they leave in sys.path and sys.modules goes.

    A name stands for the same code in every test: its diagnosis is made once, in the first that comes to it.
    """

    def once(candidate: Any, failing: Any, **named: Any) -> Any:
        key = candidate.name, bool(failing)
        if key not in known:
            known[key] = diagnose(candidate, failing, **named)
        return known[key]

    monkeypatch.setattr("backproof.route.diagnose", once)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "right.py").write_text(RIGHT.replace("SLOPE", "error * activations[-1] * (1.0 - activations[-1])"))
    (tmp_path / "wrong.py").write_text(RIGHT.replace("SLOPE", "error * (1.0 - error)"))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("backproof_candidate_"):
            del sys.modules[name]


SMALL = ("--cases", "2", "--depth", "1-2", "--width", "1-4", "--batch-size", "1-3", "--losses", "mse")
"""What even exact arithmetic has done at once."""


def run(*arguments: str) -> Result:
    """`backproof check ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["check", *arguments], env={"COLUMNS": "200"})


def test_check_agrees(folder: Path):
    """Exit code 0 and the verdict on stdout, where a candidate's own printing does not get in its way."""
    done = run("right.py", "--cases", "10")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("right.py:loss_and_gradients   against PyTorch 2.")
    assert done.stdout.splitlines()[0].endswith("10 random networks, seed 0")
    assert "AGREES" in done.stdout
    assert "noise" not in done.stdout
    assert "noise from the import" in done.stderr


def test_check_disagrees(folder: Path):
    """Exit code 1, and a command that repeats the smallest case with the same verdict."""
    done = run("wrong.py", "--cases", "10")
    assert done.exit_code == 1
    assert "WRONG GRADIENTS in 10 of 10; right in all of them: losses" in done.stdout
    (again,) = re.findall(r"Again +backproof check (.*)", done.stdout)
    repeated = run(*again.split())
    assert repeated.exit_code == 1
    assert repeated.stdout.count("disagree") >= 1


def test_check_takes_scratch_and_the_default_domain_by_default():
    """`backproof check` alone is the main job."""
    done = run("--cases", "5")
    assert done.exit_code == 0
    assert done.stdout.startswith("scratch   against PyTorch")


def test_json_is_one_object_and_nothing_else(folder: Path):
    """The keys that are promised, among them what the diagnosis found."""
    done = run("wrong.py", "--cases", "5", "--json", "--seed", "4")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert list(found) == [
        "schema", "candidate", "verdict", "cases", "seed", "torch", "verdicts", "equations", "diagnoses", "conventions",
        "smallest_case", "report",
    ]  # fmt: skip
    assert (found["schema"], found["verdict"], found["cases"], found["seed"]) == (1, "disagrees", 5, 4)
    assert set(found["equations"].values()) <= {"holds", "broken", "not_tested"}
    assert "broken" in found["equations"].values()
    assert list(found["equations"]) == ["BP0", "BP1", "BP2", "BP3", "BP4", "batch", "scale", "loss"]
    assert found["verdicts"]["disagree"] > 0
    assert found["smallest_case"]
    assert list(found["diagnoses"][0]) == [
        "equation", "position", "fault", "also_fits", "used", "wanted", "why", "condition",
    ]  # fmt: skip
    assert (found["conventions"], found["report"]) == (None, None)


def test_json_also_says_that_it_cannot_run(folder: Path):
    """Still one object, and the message on stderr."""
    done = run("nowhere.py", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout) == {
        "schema": 1, "candidate": "nowhere.py", "verdict": "cannot_run", "message": "no file nowhere.py.",
    }  # fmt: skip
    assert done.stderr == "backproof: no file nowhere.py.\n"


def test_report_is_written_where_it_says(folder: Path):
    """The tables, and the line that names them; a second run replaces them byte for byte."""
    done = run("right.py", "--cases", "5", "--report", "out")
    assert done.exit_code == 0
    assert "Report      out/index.html; beside it summary.md, junit.xml, and the tables" in done.stdout
    first = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert {"checks.csv", "checks.parquet", "summary.md", "environment.json"} <= set(first)
    assert run("right.py", "--cases", "5", "--report", "out").exit_code == 0
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == first
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == []


def test_named_cases_are_shown_one_by_one():
    """--case may be repeated."""
    ids = ("3-2,tanh,mse,sum,n5,f64,normal,s1", "2-2,relu,l1,none,n1,f32,ones,s2")
    done = run("--case", ids[0], "--case", ids[1])
    assert done.exit_code == 0
    assert f"case {ids[0]}, {ids[1]}" in done.stdout
    assert done.stdout.count("weight of layer 1") == 2
    for drawn in (("--cases", "5"), ("--seed", "5")):
        refused = run("--case", ids[0], *drawn)
        assert refused.exit_code == 2
        assert "it names the networks itself" in " ".join(refused.stderr.split())


def test_narrowing_options_reach_the_cases(folder: Path):
    """Names, ranges, fillings: every network drawn is inside."""
    done = run(
        "--cases", "12", "--report", "out", "--activations", "leaky_relu=0.2,tanh", "--losses", "mse",
        "--reductions", "mean", "--dtypes", "float32", "--values", "integers", "--depth", "2-3", "--width", "4",
        "--batch-size", "7", "--output-activations", "identity", "--penalties", "0.01+0.1+N",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    import pandas as pd

    rows = pd.read_csv("out/checks.csv")
    assert set(rows["depth"]) == {2, 3}
    assert set(rows["widths"]) == {"4-4-4", "4-4-4-4"}
    assert set(rows["batch_size"]) == {7}
    assert (set(rows["loss"]), set(rows["reduction"]), set(rows["dtype"])) == ({"mse"}, {"mean"}, {"float32"})
    assert set(rows["values"]) == {"integers"}
    assert {name for names in rows["activations"] for name in names.split("-")} == {
        "leaky_relu=0.2",
        "tanh",
        "identity",
    }
    assert rows["case"].str.endswith("penalty=0.01+0.1+N").all()


HUGE = f"{10**30}-2,sigmoid,mse,sum,n2,f64,normal,s1"
OUTSIDE = "3-2,sigmoid,mse,sum,n2,f64,normal,s1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scrach",), "no candidate 'scrach'. Did you mean 'scratch'?"),
        (("nowhere.py",), "no file nowhere.py."),
        (("right.py:backward",), "right.py has no 'backward'."),
        (("no_such_module:f",), "importing module 'no_such_module' failed with ModuleNotFoundError"),
        (("--activations", "sigmoidd"), "activations: 'sigmoidd' is not a known activation. Did you mean 'sigmoid'?"),
        (("--losses", ","), "losses must name at least one loss; got none"),
        (("right.py", "--losses", "mse"), "the candidate supports losses half_squared_error; mse was asked for"),
        (("--case", "3-2,tanh"), "case id '3-2,tanh'"),
        (("right.py", "--case", OUTSIDE), f"case {OUTSIDE} is not of the candidate's domain: mse is not among its "),
        (("right.py", "--penalties", "0.01+0"), "the candidate supports penalties none; 0.01+0 was asked for. If "),
        (("--width", "99999999"), "there is not enough memory for the arrays of network "),
        (("--width", "10000000", "--depth", "1", "--workers", "2"), "there is not enough memory for the arrays of net"),
        (("--case", HUGE), f"there is not enough memory for the arrays of network {HUGE}: ask for narrower layers"),
        (("--case", f"{OUTSIDE}9999999999999999999"), f"case id '{OUTSIDE}9999999999999999999'"),
        (("--timeout", "inf"), "timeout must be a number of seconds, above 0 and at most 1,000,000; got inf"),
        (("--report", "right.py"), "right.py exists and is no report of ours: it stays as it is."),
        (("--report", "right.py/out"), "cannot write a report at right.py/out: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_run_is_one_paragraph(folder: Path, arguments: tuple[str, ...], message: str):
    """Exit code 2, on stderr, and no traceback."""
    done = run(*arguments)
    assert done.exit_code == 2
    said = done.stderr.replace("noise from the import\n", "")
    assert said.startswith(f"backproof: {message}")
    assert said.count("\n") == 1
    assert done.stdout == ""


def test_several_candidates_of_a_file_are_all_checked(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """One screen each, and the worst exit code; one object or one directory cannot hold two."""
    monkeypatch.setattr("backproof.route.diagnose", lambda *_, **__: None)
    two = RIGHT.replace("SLOPE", "error * activations[-1] * (1.0 - activations[-1])").replace(
        "loss_and_gradients", "one"
    )
    two += RIGHT.replace("SLOPE", "error").replace("loss_and_gradients", "two")
    (folder / "two.py").write_text(two)
    done = run("two.py", "--cases", "3")
    assert done.exit_code == 1
    assert re.findall(r"^(two.py:\w+) +against", done.stdout, re.MULTILINE) == ["two.py:one", "two.py:two"]
    assert run("two.py:one", "--cases", "3").exit_code == 0
    refused = run("two.py", "--json")
    assert refused.exit_code == 2
    why = "two.py holds 2 candidates, and --json, --report, --junit and --summary take one: two.py:one, two.py:two"
    assert why in refused.stderr


def test_several_candidates_are_looked_at_before_one_is_examined(folder: Path):
    """What one of them does not support is said by its name, and no work on another is lost."""
    two = RIGHT.replace("SLOPE", "error") + RIGHT.replace("SLOPE", "error").replace(
        "half_squared_error", "mse"
    ).replace("loss_and_gradients", "two")
    (folder / "two.py").write_text(two)
    done = run("two.py", "--cases", "3", "--losses", "half_squared_error")
    assert done.exit_code == 2
    said = "two.py:two: the candidate supports losses mse; half_squared_error was asked for"
    assert f"backproof: {said}" in done.stderr
    assert "noise from a call" not in done.stderr
    assert done.stdout == ""


def test_in_process_means_in_this_process(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A debugger's terminal is here, whatever the number of cases."""
    asked: dict[str, Any] = {}

    def check(*_: Any, **settings: Any) -> None:
        asked.update(settings)
        raise CandidateError("enough")

    monkeypatch.setattr("backproof.route.check", check)
    assert run("right.py", "--in-process").exit_code == 2
    assert asked["workers"] == 1
    for arguments in (("--workers", "2"), ("--scheduler", "tcp://10.0.0.1:8786")):
        refused = run("right.py", "--in-process", *arguments)
        assert refused.exit_code == 2
        assert "others cannot work in this process" in refused.stderr


def test_files_for_a_server(folder: Path):
    """A test for each stratum and the summary where they are asked for; what cannot begin is an error there too."""
    done = run("wrong.py", "--cases", "5", "--junit", "out/junit.xml", "--summary", "out/summary.md")
    assert done.exit_code == 1
    assert (folder / "out" / "summary.md").read_text().startswith("# Backproof\n\n```text\nwrong.py:loss_and_gradients")
    assert (
        '<testcase classname="wrong.py:loss_and_gradients" name="the whole run">'
        in (folder / "out" / "junit.xml").read_text()
    )
    for place in ("out/junit.xml", "out"):
        refused = run("nothing.py", "--junit", place, "--summary", "out/none.md")
        assert (refused.exit_code, refused.stdout) == (2, "")
    assert 'message="no file nothing.py' in (folder / "out" / "junit.xml").read_text()
    assert "nothing.py: cannot run. no file nothing.py" in (folder / "out" / "none.md").read_text()
    assert "backproof: out is a directory: name a file" in refused.stderr


def test_no_output_takes_the_place_of_the_candidate(folder: Path):
    """Its source is not to be had again."""
    source = (folder / "wrong.py").read_text()
    for option in ("--junit", "--summary", "--script"):
        refused = run("wrong.py", "--cases", "5", option, "./wrong.py")
        assert refused.exit_code == 2
        said = " ".join(re.sub("[│╭╮╰╯─]", " ", refused.stderr).split())
        assert "wrong.py is the candidate's own file: it stays as it is. Name another" in said
    assert (folder / "wrong.py").read_text() == source


def test_a_file_that_cannot_be_written_is_said_once_and_before_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A verdict that took an hour is shown all the same where the place is lost in between."""
    (folder / "taken").write_text("")
    for option in ("--junit", "--summary", "--script"):
        with monkeypatch.context() as patch:
            patch.setattr("backproof.route.check", lambda *_, **__: pytest.fail("the run must not begin"))
            refused = run("wrong.py", "--cases", "5", option, "taken/file")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert refused.stderr.count("backproof: cannot write taken/file: ") == 1
    monkeypatch.setattr("backproof.commands.check.check_files", lambda *_: None)
    for option in ("--junit", "--summary", "--script"):
        lost = run("wrong.py", "--cases", "5", option, "taken/file")
        assert lost.exit_code == 2
        assert "WRONG GRADIENTS" in lost.stdout
        assert lost.stderr.count("backproof: cannot write taken/file: ") == 1


@pytest.mark.usefixtures("few_pairs")
def test_strict_kinks_fail(folder: Path):
    """relu's slope of 1 at exactly 0 is a kink, and a failure only when asked."""
    (folder / "kinky.py").write_text(
        textwrap.dedent("""
            import numpy as np
            def loss_and_gradients(network, x, y):
                z = x @ network.weights[0].T + (0.0 if network.biases[0] is None else network.biases[0])
                delta = (np.maximum(z, 0.0) - y) * (z >= 0.0)
                return 0.5 * np.sum((np.maximum(z, 0.0) - y) ** 2), [delta.T @ x], [delta.sum(axis=0)]
        """)
    )
    case = ("--case", "2-3,relu,half_squared_error,sum,n16,f64,integers,s1")
    done = run("kinky.py", *case)
    assert done.exit_code == 0
    assert "kink " in done.stdout
    done = run("kinky.py", *case, "--strict-kinks")
    assert done.exit_code == 1
    assert "OTHER SUBGRADIENTS in 1 of 1" in done.stdout


def test_exact_reference_and_torch_as_a_candidate():
    """Other truths and other defendants."""
    done = run("--reference", "exact", *SMALL)
    assert done.exit_code == 0
    assert "against exact arithmetic" in done.stdout
    assert run("torch", "--cases", "3").exit_code == 0


def test_certify_reports_true_errors(folder: Path):
    """A line and a table per kind of quantity and dtype."""
    done = run("--cases", "4", "--certify", "--losses", "mse", "--dtypes", "float64", "--report", "out")
    assert done.exit_code == 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("Certified")]
    assert len(lines) == 5
    assert re.match(r"Certified   bias gradient, float64: true error \S+ ulps at worst, \S+ in the median", lines[0])
    assert (Path("out") / "accuracy.csv").read_text().startswith('"quantity","dtype","quantities","exceeded"')


def test_script_of_the_smallest_failing_network_runs_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]):
    """--script writes it; what is not written has its reason, and hints are not kept back and written at once."""
    done = run("wrong.py", "--cases", "3", "--script", "smallest.py")
    assert done.exit_code == 1
    runpy.run_path("smallest.py")
    assert "yours" in capsys.readouterr().out
    right = run("right.py", "--cases", "3", "--script", "none.py")
    assert right.exit_code == 0
    assert right.stderr.endswith("backproof: nothing fails, so that none.py was not written\n")
    Path("raising.py").write_text(RIGHT.replace("SLOPE", "missing"))
    raising = run("raising.py", "--cases", "3", "--script", "none.py")
    assert raising.exit_code == 2
    assert raising.stderr.endswith("no failing network has numbers to show, so that none.py was not written\n")
    for hints in ("none", "where"):
        refused = run("wrong.py", "--cases", "3", "--hints", hints, "--script", "none.py")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "which --hints" in refused.stderr
    assert not Path("none.py").exists()


def test_what_a_candidate_writes_past_python_is_not_on_stdout(folder: Path, capfd: pytest.CaptureFixture[str]):
    """C code and other processes know stdout by its number; --json promises one object there and nothing else."""
    right = (folder / "right.py").read_text()
    loud = (
        "import os, sys\n    os.write(1, b'from C')\n    os.system('echo a process')\n    sys.__stdout__.write('held')"
    )
    (folder / "loud.py").write_text(right.replace('print("noise from a call")', loud))
    done = run("loud.py", "--json", "--in-process", "--cases", "3")
    assert (done.exit_code, json.loads(done.stdout)["verdict"]) == (0, "agrees")
    assert capfd.readouterr().out == ""
    os.write(1, b"ours again")
    assert capfd.readouterr().out == "ours again"
