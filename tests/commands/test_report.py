"""`backproof report` from the outside: one run made again, two runs compared, and what cannot be read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backproof.cases.domain import Domain
from backproof.cli import app
from backproof.commands.report import MOST
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.route import check

SMALL = Domain(
    depth=(1, 2), width=(1, 3), batch_size=(1, 3), activations=("tanh", "relu"), losses="mse", dtypes="float64"
)


def run(*arguments: str) -> Result:
    """`backproof report ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """A run that agrees, and one on the same networks that does not."""
    folder = tmp_path_factory.mktemp("runs")
    good = check("scratch", SMALL, cases=6, report=folder / "good", diagnosis=False)
    wrong = Planted([Plant(BY_NAME["bias_negated"])], SMALL)
    bad = check(wrong, SMALL, cases=6, report=folder / "bad", diagnosis=False)
    return good.directory, bad.directory


def test_a_run_is_made_again(runs):
    """To the same bytes, in its place; the files are named, or the verdict is printed for a script."""
    good, _ = runs
    before = {path.name: path.read_bytes() for path in good.iterdir()}
    (good / "index.html").unlink()
    done = run(good)
    assert (done.exit_code, done.stdout) == (0, f"{good}: index.html, summary.md, junit.xml\n")
    assert {path.name: path.read_bytes() for path in good.iterdir()} == before
    assert json.loads(run(good, "--json").stdout)["verdict"] == "agrees"


def test_pictures_are_written_on_request(runs, tmp_path):
    """PNG files beside the page."""
    done = run(runs[1], "--png")
    assert done.stdout.endswith("junit.xml, coverage.png, errors.png, depth.png, batch_size.png\n")
    assert (runs[1] / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_two_runs_are_compared(runs, tmp_path):
    """What is worse comes first, with a network to look at; exit code 1, and 0 the other way round."""
    good, bad = runs
    done = run(good, bad, "--summary", tmp_path / "out" / "summary.md")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("WORSE: ")
    assert lines[1] == f"Before  {good}: scratch, 6 networks, agrees"
    assert "Noted   two candidates are compared: scratch and bias_negated" in lines
    assert "worse   verdict    the whole run: agrees -> disagrees" in lines
    assert any(line.startswith("worse   quantity   bias, ") and line.endswith(": agree -> disagree") for line in lines)
    assert "| worse | verdict | the whole run | agrees | disagrees |" in (tmp_path / "out" / "summary.md").read_text()
    back = run(bad, good)
    assert back.exit_code == 0
    assert back.stdout.startswith("BETTER: ")
    same = run(good, good)
    assert (same.exit_code, same.stdout.splitlines()[0]) == (0, "NOTHING WORSE, nothing better")
    data = run(good, bad, "--json")
    assert data.exit_code == 1
    assert json.loads(data.stdout)["worse"] > 0


def test_many_changes_are_cut_short(runs, monkeypatch):
    """With how many more there are, and where they are told."""
    monkeypatch.setattr("backproof.commands.report.MOST", 1)
    assert MOST > 1
    assert "more: --json has all of them, and so has --summary FILE" in run(*runs).stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("nothing",), "nothing is not there: a report is the directory"),
        ((".",), ". is no report of ours: it has no environment.json"),
        (("good", "nothing"), "nothing is not there"),
        (("good", "good", "--summary", "."), ". is a directory: name a file"),
        (("good", "--summary", "x.md"), "good has its summary.md; this is of two runs"),
        (("good", "good", "--png"), "pictures are of one run: name one directory"),
    ],
)
def test_what_cannot_be_done_is_said(runs, monkeypatch, arguments, why):
    """On stderr, exit code 2, nothing written."""
    monkeypatch.chdir(runs[0].parent)
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.replace("│", " ").split())


def test_no_pytorch_is_needed(runs):
    """A report is read where nothing computes gradients, and quickly."""
    code = (
        "import sys\nsys.argv[1:] = ['report', sys.argv[1], sys.argv[1]]\n"
        "from backproof.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, {'torch', 'hypothesis'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(runs[0])], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
