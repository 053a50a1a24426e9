"""`backproof explain` from the outside: exit codes, streams, widths."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from backproof.cli import app
from backproof.lessons.library import LESSONS


def run(*arguments: str) -> Result:
    """`backproof explain ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["explain", *arguments])


@pytest.mark.parametrize("name", ["BP3", "bp3", "mean", "axis-0"])
def test_explain_prints_a_lesson(name: str):
    """Exit code 0, on stdout, without escape codes in a pipe."""
    done = run(name)
    assert done.exit_code == 0
    assert done.stderr == ""
    assert "\nRule " in done.stdout
    assert "\nBy hand " in done.stdout
    assert "\x1b" not in done.stdout


def test_explain_alone_lists_all():
    """Every lesson has its line."""
    done = run()
    assert done.exit_code == 0
    first = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert first == {lesson.name for lesson in LESSONS}
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_explain_an_unknown_name():
    """Exit code 2, one line on stderr, with the closest names."""
    done = run("BP7")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("backproof: there is no lesson 'BP7'. Did you mean BP")
    assert done.stderr.count("\n") == 1


def test_explain_in_a_narrow_terminal():
    """Its width is respected by the texts."""
    done = CliRunner().invoke(app, ["explain", "BP2"], env={"FORCE_COLOR": "1", "COLUMNS": "70", "TERM": "xterm"})
    assert done.exit_code == 0
    assert "\x1b[" in done.stdout


def test_explain_needs_no_torch():
    """Whoever has not installed the reference can read the lessons."""
    code = "import sys; sys.modules['torch'] = None; from backproof.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "explain", "softmax"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("softmax   ")
    assert done.stderr == ""
