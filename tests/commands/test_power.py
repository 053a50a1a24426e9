"""`backproof power` from the outside: exit codes, streams, the tidy table."""

import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from backproof.cli import app
from backproof.power import tightness
from backproof.power.checkers import CHECKERS, PLACES


def run(*arguments: str) -> Result:
    """`backproof power ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["power", *arguments])


def test_power_prints_the_table_and_writes_it(tmp_path):
    """Markdown on stdout, progress on stderr, the tidy table where it is asked for."""
    path = tmp_path / "power.csv"
    done = run("--depths", "1", "--widths", "4", "--cases", "1", "--dtypes", "float64", "--csv", str(path))
    assert done.exit_code == 0
    assert done.stdout.startswith("## Smallest relative error that is always found")
    assert done.stderr.startswith("1/1 ")
    assert len(pd.read_csv(path)) == len(CHECKERS) * len(PLACES)


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
