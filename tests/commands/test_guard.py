"""`backproof guard`: exit codes, files, and what is said."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from backproof.cli import app

NETWORK = """
import numpy as np
from backproof import Domain, candidate

@candidate(Domain(activations="tanh", losses="mse", reductions="sum", biases="always", depth=1, width=(1, 3)))
def loss_and_gradients(network, x, y):
    a = np.tanh(x @ network.weights[0].T + network.biases[0])
    delta = 2 * (a - y) * (1 - a * a)
    return np.sum((a - y) ** 2), [delta.T @ x], [delta.sum(axis=0)]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a right network, one that raises, and a file of two."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    Path("broken.py").write_text(NETWORK.replace("2 * (a - y) *", "missing *"))
    Path("two.py").write_text(NETWORK + NETWORK.replace("loss_and_gradients", "other"))
    return tmp_path


def run(*arguments: str) -> Result:
    """The command as typed."""
    return CliRunner().invoke(app, ["guard", *arguments], env={"COLUMNS": "200"})


def test_a_baseline_is_made_held_and_broken():
    """The whole life: missing, made, held with its files, broken by a candidate that --update does not take."""
    missing = run("net.py", "--baseline", "base.csv", "--junit", "junit.xml")
    assert (missing.exit_code, missing.stdout) == (2, "")
    command = "backproof guard net.py --baseline base.csv --update"
    assert missing.stderr == f"backproof: there is no baseline base.csv. Make one, and commit it:\n    {command}\n"
    assert ET.parse("junit.xml").getroot().get("errors") == "1"  # noqa: S314  the file is our own
    made = run("net.py", "--baseline", "base.csv", "--update", "--cases", "10")
    assert made.exit_code == 0, made.stderr
    assert made.stdout.startswith("base.csv: 2 strata of net.py:loss_and_gradients, 10 random networks, seed 0\n")
    held = run("net.py", "--baseline", "base.csv", "--junit", "junit.xml", "--summary", "summary.md")
    assert held.exit_code == 0, held.stderr
    assert held.stdout.splitlines()[0].endswith("guarded by base.csv   10 random networks, seed 0")
    assert "HOLDS       none of 2 strata" in held.stdout
    assert ET.parse("junit.xml").getroot().get("tests") == "3"  # noqa: S314
    assert Path("summary.md").read_text().startswith("## Backproof guard: `net.py:loss_and_gradients` holds")
    before = Path("base.csv").read_bytes()
    broken = run("broken.py", "--baseline", "base.csv")
    assert broken.exit_code == 1
    assert "CANNOT RUN" in broken.stdout
    assert re.search("^FAILS +2 of 2 strata are worse than allowed$", broken.stdout, re.MULTILINE)
    assert "activation tanh float64  no longer covered: nothing of it could be compared" in broken.stdout
    assert "Accept it" not in broken.stdout
    refused = run("broken.py", "--baseline", "base.csv", "--update")
    assert refused.exit_code == 2
    assert refused.stderr.endswith("base.csv is not written: a baseline accepts accuracy, and no mistakes\n")
    assert Path("base.csv").read_bytes() == before
    Path("base.csv").write_text("\n".join(f"{line.rpartition(',')[0]}," for line in before.decode().splitlines()))
    assert run("net.py", "--baseline", "base.csv").exit_code == 2


def test_a_smaller_allowance_by_hand_is_held_and_can_be_accepted():
    """An accuracy regression inside the bound, with the command that accepts it."""
    run("net.py", "--baseline", "base.csv", "--update", "--cases", "10")
    lines = Path("base.csv").read_text().splitlines()
    edited = [line if line.startswith("#") or "allowed" in line else tightened(line) for line in lines]
    Path("base.csv").write_text("\n".join(edited) + "\n")
    failed = run("net.py", "--baseline", "base.csv")
    assert failed.exit_code == 1, failed.stdout
    assert "allowed 1e-09, was" in failed.stdout
    assert "Accept it" in failed.stdout
    assert "backproof guard net.py --baseline base.csv --update" in failed.stdout


def tightened(line: str) -> str:
    """A row in which next to nothing is allowed."""
    head, quote, case = line.partition(',"')
    return f"{head.rpartition(',')[0]},1e-9{quote}{case}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cases", "3"), "change them with --update"),
        (("--update", "--junit", "x.xml"), "run again without it"),
        (("--update", "--reference", "jax"), "the reference is torch or exact; got 'jax'"),
        (("--update", "--seed", "-1"), "Invalid value for '--seed'"),
    ],
    ids=["cases", "junit", "reference", "seed"],
)
def test_options_that_make_no_sense_are_said(arguments: tuple[str, ...], message: str):
    """Exit code 2, before the candidate's code is run."""
    done = run("net.py", "--baseline", "base.csv", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_a_file_that_cannot_be_written_is_said_before_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Also the baseline; and where the place is lost in between, what came of it is shown all the same."""
    run("net.py", "--baseline", "base.csv", "--update", "--cases", "10")
    (folder / "taken").write_text("")
    with monkeypatch.context() as patch:
        for name in ("guard", "accepted"):
            patch.setattr(f"backproof.guard.{name}", lambda *_, **__: pytest.fail("the run must not begin"))
        for words in (("base.csv", "--summary", "taken/file"), ("taken/file", "--update")):
            refused = run("net.py", "--baseline", *words)
            assert (refused.exit_code, refused.stdout) == (2, "")
            assert refused.stderr.startswith("backproof: cannot write taken/file: ")
    monkeypatch.setattr("backproof.commands.guard.check_files", lambda *_: None)
    lost = run("net.py", "--baseline", "base.csv", "--summary", "taken/file")
    assert lost.exit_code == 2
    assert "HOLDS" in lost.stdout
    assert lost.stderr.startswith("backproof: cannot write taken/file: ")


def test_a_file_with_two_candidates_is_asked_which(folder: Path):
    """And a place for the XML that cannot be written is said beside it."""
    done = run("two.py", "--baseline", "base.csv", "--junit", str(folder))
    assert done.exit_code == 2
    assert "two.py holds 2 candidates; name one: " in done.stderr
    assert "is a directory: name a file" in done.stderr
