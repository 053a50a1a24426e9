"""`backproof power` from the outside: exit codes, streams, the tidy table."""

import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from backproof.cli import app
from backproof.power import tightness
from backproof.power.checkers import CHECKERS, PLACES
from backproof.reports.columns import TABLES


def run(*arguments: str) -> Result:
    """`backproof power ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["power", *arguments])


def test_power_prints_the_table_and_writes_it(tmp_path):
    """Markdown on stdout, progress on stderr, the tidy table where it is asked for."""
    path = tmp_path / "power.csv"
    grid = ("--depths", "1", "--widths", "4", "--cases", "1", "--dtypes", "float64")
    done = run(*grid, "--csv", str(path), "--report", str(tmp_path / "out"))
    assert done.exit_code == 0
    assert done.stdout.startswith("## Smallest relative error that is always found")
    assert done.stderr.startswith("1/1 ")
    found = pd.read_csv(path)
    assert len(found) == len(CHECKERS) * len(PLACES)
    kept = pd.read_parquet(tmp_path / "out" / "power.parquet")
    assert kept.columns.tolist() == found.columns.tolist() == list(TABLES["power"].names)
    assert kept["smallest"].equals(found["smallest"])
    assert kept["heard"].dropna().tolist() == found["heard"].dropna().tolist()


def test_power_says_at_once_that_a_table_cannot_be_written(monkeypatch, tmp_path):
    """Before minutes of measuring; and where the place is lost in between, what stood there before is whole."""
    (tmp_path / "taken").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr("backproof.power.table.power", lambda *_, **__: pytest.fail("nothing must be measured"))
        done = run("--csv", str(tmp_path / "taken" / "x.csv"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("backproof: cannot write ")
    assert done.stderr.count("\n") == 1
    monkeypatch.setattr("backproof.commands.power.check_files", lambda *_: None)
    monkeypatch.setattr(tightness, "MEASUREMENTS", tightness.MEASUREMENTS[5:6])
    lost = run("--tightness", "--networks", "1", "--csv", str(tmp_path / "taken" / "x.csv"))
    assert (lost.exit_code, lost.stdout) == (2, "")
    assert "backproof: cannot write " in lost.stderr


def test_power_writes_a_report(monkeypatch, tmp_path):
    """The declared table with its page, where a directory is named; what is taken by something else stays."""
    monkeypatch.setattr(tightness, "MEASUREMENTS", tightness.MEASUREMENTS[5:6])
    place = tmp_path / "out"
    for _ in range(2):
        done = run("--tightness", "--networks", "1", "--report", str(place))
        assert done.exit_code == 0, done.output
    found = pd.read_csv(place / "tightness.csv")
    assert found.columns.tolist() == list(TABLES["tightness"].names)
    assert found["met"].tolist() == ["yes"]
    assert pd.read_parquet(place / "tightness.parquet")["count"].tolist() == found["count"].tolist()
    page = (place / "index.html").read_text()
    assert "How tight the bounds are" in page
    assert "ninth of ten" in page
    (tmp_path / "thesis.tex").write_text("x")
    taken = run("--tightness", "--report", str(tmp_path))
    assert (taken.exit_code, taken.stdout) == (2, "")
    assert "is no report of ours: it stays as it is" in taken.stderr


def test_power_prints_the_tightness_instead(monkeypatch):
    """The figures of the bounds themselves, where they are asked for."""
    monkeypatch.setattr(tightness, "MEASUREMENTS", tightness.MEASUREMENTS[5:6])
    done = run("--tightness", "--networks", "1")
    assert done.exit_code == 0
    assert done.stdout.startswith("| figure | networks | dtype |")


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--depths", "two", "whole numbers are wanted, like 1,8,30; got 'two'"),
        ("--dtypes", "", "dtypes must name at least one; got none"),
        ("--dtypes", "float16", "float16"),
        ("--widths", "0", "0"),
    ],
)
def test_power_of_what_does_not_exist(option, text, message):
    """Exit code 2, and what to do on stderr."""
    done = run(option, text)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert message in done.stderr


def test_power_needs_torch():
    """It says so in one line; there is nothing to measure by without the reference."""
    code = "import sys; sys.modules['torch'] = None; from backproof.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "power"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "install backproof[torch]" in done.stderr
    assert done.stderr.count("\n") == 1
