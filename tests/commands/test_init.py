"""`backproof init`: one command and one edit."""

import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backproof.cli import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n# my_net\.py\n(.*?)```", README, re.DOTALL).group(1)
REMOVED, ADDED = re.search(r"```diff\n-(.*?)\n\+(.*?)\n```", README).groups()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str):
    """The command line, in this process."""
    return CliRunner().invoke(app, list(arguments))


def test_the_readmes_network_passes_at_once(folder: Path):
    """Written by init, filled in with the README's ten lines as they are once mended, and checked."""
    done = run("init", "my_net.py")
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("    backproof check my_net.py\n")
    body = EXAMPLE.replace(REMOVED, ADDED).partition("def loss_and_gradients(network, x, y):\n")[2]
    text = (folder / "my_net.py").read_text()
    (line,) = (line for line in text.splitlines() if "raise NotImplementedError" in line)
    (folder / "my_net.py").write_text(text.replace(line + "\n", body))
    checked = run("check", "my_net.py", "--cases", "50")
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.splitlines()[1].startswith("AGREES")


def test_an_empty_template_does_not_pass(folder: Path):
    """What raises NotImplementedError where it said that it would answer is an error."""
    run("init", "my_net.py", "--weights", "in_out")
    done = run("check", "my_net.py", "--cases", "3")
    assert done.exit_code != 0
    assert "AGREES" not in done.stdout


def test_a_file_that_exists_is_left_alone(folder: Path):
    """Whatever stands in it."""
    (folder / "my_net.py").write_text("mine")
    done = run("init", "my_net.py")
    assert done.exit_code == 2
    assert done.stderr == "backproof: my_net.py exists already, and is left as it is: name another file\n"
    assert (folder / "my_net.py").read_text() == "mine"


def test_a_program_can_be_run(folder: Path):
    """It is made executable, and the command names it as a program."""
    done = run("init", "my_net", "--kind", "exec")
    assert done.stdout.endswith("    backproof check exec:./my_net\n")
    assert os.access(folder / "my_net", os.X_OK)
    done = run("init", str(folder / "other"), "--kind", "exec")
    assert done.stdout.endswith(f"    backproof check exec:{folder / 'other'}\n")


@pytest.mark.parametrize("kind", ["function", "exec_step"])
def test_the_command_can_be_pasted(folder: Path, kind: str):
    """A path with a space is quoted as the shell wants it, and again as exec: does; it stands in the file as well."""
    place = folder / "a folder"
    place.mkdir()
    file = place / ("net" if kind == "exec_step" else "net.py")
    command = run("init", str(file), "--kind", kind).stdout.splitlines()[-1].strip()
    assert command in file.read_text()
    done = run(*shlex.split(command)[1:], "--cases", "2")
    assert done.exit_code == 2  # the template is there to be filled in
    assert "NotImplementedError" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("my_net.py", "--kind", "func"), "'func' is not a known kind. Did you mean 'function'?"),
        (("my_net.py", "--weights", "inout"), "'inout' is not a known weights. Did you mean 'in_out'?"),
        (("my_net",), "an adapter in Python is a file like my_net.py; got my_net"),
        (("my_net", "--kind", "exec", "--arrays", "lists"), "a program is handed nested lists anyway"),
        (("no/folder/my_net.py",), "no/folder/my_net.py cannot be written: No such file or directory"),
    ],
    ids=["kind", "weights", "suffix", "lists", "folder"],
)
def test_init_says_what_it_cannot_write(folder: Path, arguments: tuple[str, ...], message: str):
    """The word and the closest one, or the file."""
    done = run("init", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert list(folder.iterdir()) == []
