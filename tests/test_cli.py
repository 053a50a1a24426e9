"""The command line: usage, what goes to which stream, and where PyTorch is not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backproof.cli import app

SMALL = ("--cases", "2", "--depth", "1-2", "--width", "1-4", "--batch-size", "1-3", "--losses", "mse")
"""What even exact arithmetic has done at once."""


def run(*arguments: str) -> Result:
    """`backproof check ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["check", *arguments], env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--depth", "deep"), "a number or a range is wanted, like 4 or 1-30; got 'deep'"),
        (("--reference", "jax"), "the reference is torch or exact; got 'jax'"),
        (("--cases", "0"), "Invalid value for '--cases'"),
        (("--workers", "0"), "Invalid value for '--workers'"),
        (("--no-such-option",), "No such option"),
    ],
    ids=["depth", "reference", "cases", "workers", "unknown"],
)
def test_a_wrong_option_is_said_in_the_way_of_the_shell(arguments: tuple[str, ...], message: str):
    """Exit code 2 and the usage."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_the_package_is_the_command():
    """`python -m backproof` does what `backproof` does."""
    done = subprocess.run([sys.executable, "-m", "backproof", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("backproof ")


def test_help_and_version():
    """Both end well."""
    assert "--strict-kinks" in run("--help").stdout
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert re.match(r"backproof \d+\.\d+\.\d+, PyTorch 2\.", done.stdout)
    bare = CliRunner().invoke(app, [])
    assert "check" in bare.output


def test_a_terminal_gets_a_progress_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch):
    """On stderr, with the cases done; the verdict alone stays on stdout."""
    monkeypatch.setattr("backproof.commands.terminal.REDRAW", 0.0)
    arguments = ["check", "--cases", "5", "--losses", "mse"]
    done = CliRunner().invoke(app, arguments, env={"FORCE_COLOR": "1", "COLUMNS": "120", "TERM": "xterm"})
    assert done.exit_code == 0
    seen = re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", done.stderr)
    assert "scratch" in seen
    assert "5/5" in seen
    assert "5/5" not in done.stdout


def installed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -c 'main()'` in a process of its own, as the console script does it."""
    return subprocess.run(
        [sys.executable, "-c", "from backproof.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_pipe_gets_plain_text_and_no_progress():
    """No escape codes on either stream, with and without NO_COLOR."""
    done = installed("check", *SMALL, "--reference", "exact", NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_without_torch_the_message_says_what_to_do(tmp_path: Path):
    """A torch that cannot be imported; the exact reference does without it."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')\n")
    done = installed("check", "--cases", "2", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        "backproof: PyTorch, the reference, is not installed: install backproof[torch], or take --reference exact "
        '(truth="exact" in Python), which needs neither PyTorch nor a recording\n'
    )
    done = installed("check", *SMALL, "--reference", "exact", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_a_defect_of_ours_is_no_verdict(tmp_path: Path):
    """What nobody has foreseen shows itself, with the exit code of what could not be done."""
    (tmp_path / "sitecustomize.py").write_text(
        "import backproof.route\n"
        "def check(*_, **__):\n    raise ZeroDivisionError('division by zero')\n"
        "backproof.route.check = check\n"
    )
    done = installed("check", *SMALL, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert done.stderr.endswith("backproof: this is a defect of Backproof itself, at the place above\n")
