"""Replay without PyTorch: this file runs where none is installed (`tox run -m replay`), and hides it where one is.

It uses nothing of the other tests, not even their conftest.py, which needs PyTorch.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

SMALL = Path(__file__).parent / "vectors" / "small.safetensors"
SIGMOID = Path(__file__).parent / "vectors" / "sigmoid.safetensors"

HIDDEN = """
import json, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
from typer.testing import CliRunner
from backproof.cli import app
done = [CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}) for arguments in json.load(sys.stdin)]
assert "torch" not in sys.modules
print(json.dumps([(each.exit_code, each.stdout, each.stderr) for each in done]))
"""

NETWORK = """
import numpy as np
from backproof import Domain, candidate

DOMAIN = Domain(
    activations="sigmoid", losses="half_squared_error", reductions="sum", biases="always", batch_size=(2, 3)
)

@candidate(DOMAIN)
def loss_and_gradients(network, x, y):
    activations = [x]
    for w, b in zip(network.weights, network.biases):
        activations.append(1 / (1 + np.exp(-(activations[-1] @ w.T + b))))
    error = activations[-1] - y
    delta = error * activations[-1] * (1 - activations[-1])
    weights, biases = [], []
    for w, below in zip(reversed(network.weights), reversed(activations[:-1])):
        weights.insert(0, delta.T @ below)
        biases.insert(0, delta.sum(axis=0))
        delta = (delta @ w) * below * (1 - below)
    return 0.5 * np.sum(error**2), weights, biases
"""


COMMANDS = {
    "scratch": ("check", "scratch", "--vectors", SMALL),
    "right": ("check", "right.py", "--vectors", SIGMOID),
    "wrong": ("check", "wrong.py", "--vectors", SIGMOID),
    "json": ("check", "right.py", "--vectors", SIGMOID, "--cases", 3, "--json"),
    "more": ("check", "right.py", "--vectors", SIGMOID, "--cases", 999),
    "seed": ("check", "right.py", "--vectors", SIGMOID, "--seed", 3),
    "faults": ("faults", "derivative_at_upstream", "--pairs", 0),
    "live": ("check", "scratch", "--cases", 1),
    "record": ("record", "--cases", 1),
    "nowhere": ("check", "scratch", "--vectors", "nowhere"),
    "folder": ("check", "scratch", "--vectors", "folder"),
    "pickle": ("check", "scratch", "--vectors", "pickle"),
    "both": ("check", "scratch", "--vectors", SMALL, "--reference", "exact"),
}


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """Every command, in one process in which PyTorch cannot be imported."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "folder").mkdir()
    (folder / "pickle").write_bytes(b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00")
    (folder / "right.py").write_text(NETWORK)
    (folder / "wrong.py").write_text(NETWORK.replace("delta = error * activations[-1] *", "delta = error *"))
    asked = json.dumps([[str(word) for word in command] for command in COMMANDS.values()])
    ran = subprocess.run(
        [sys.executable, "-c", HIDDEN], input=asked, capture_output=True, text=True, check=False, cwd=folder
    )
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {"folder", "pickle", "right.py", "wrong.py"}
    return dict(zip(COMMANDS, (Done(*each) for each in json.loads(ran.stdout)), strict=True))


def test_scratch_agrees_with_what_was_recorded(done: dict[str, Done]):
    """Every recorded case, with results of PyTorch that is not here."""
    code, out, err = done["scratch"]
    assert code == 0, err
    head = out.splitlines()[0]
    assert head.startswith("scratch   against PyTorch 2.")
    assert head.endswith("recorded in small.safetensors   30 recorded networks")
    assert "AGREES" in out


def test_a_domain_is_honoured(done: dict[str, Done]):
    """Recorded cases that the candidate does not support are left out and counted."""
    code, out, err = done["right"]
    assert code == 0, err
    assert re.search(r"Left out    [0-9]+ of 16 recorded networks: outside the candidate's domain", out)
    assert "Diagnosed" not in out


def test_a_mistake_is_found_and_named(done: dict[str, Done]):
    """The diagnosis asks exact arithmetic, and says so; what repeats a case does not ask for PyTorch either."""
    code, out, err = done["wrong"]
    assert code == 1, err
    assert "Diagnosed   by exact arithmetic: it asks for networks that were not recorded" in out
    assert "(BP1)" in out
    assert re.search(r"^Again .* --case \S+ --reference exact$", out, re.MULTILINE)


def test_json_says_what_was_replayed(done: dict[str, Done]):
    """One object, with the version of PyTorch that recorded."""
    found = json.loads(done["json"].out)
    assert 0 < found["vectors"].pop("left_out") < 16
    assert found["vectors"] == {"file": "sigmoid.safetensors", "torch": found["torch"], "recorded": 16}
    assert (found["verdict"], found["cases"], found["seed"]) == ("agrees", 3, 1)


def test_more_networks_than_were_recorded_and_other_seeds_are_not_ignored(done: dict[str, Done]):
    """There are no others: it is said how many there are, and a seed is refused."""
    code, out, err = done["more"]
    assert (code, "AGREES" in out) == (0, True)
    assert re.search(r"sigmoid\.safetensors holds [0-9]+ such networks and not 999: all of them are examined", err)
    assert done["seed"].code == 2
    assert "--vectors bring their own networks: leave it out" in " ".join(done["seed"].err.split())


def test_without_pytorch_and_without_a_recording_it_is_said_what_to_do(done: dict[str, Done]):
    """Exit code 2, and both ways out."""
    ways = {
        "live": ', or take --reference exact (truth="exact" in Python), which needs neither',
        "record": "; a recording has its results",
        "faults": "; planted faults are held to nothing else",
    }
    for name, way in ways.items():
        assert done[name].code == 2
        missing = "PyTorch, the reference, is not installed: install backproof[torch]"
        assert done[name].err.startswith(f"backproof: {missing}{way}")
        assert ("--reference" in done[name].err) == (name == "live")


@pytest.mark.parametrize("name", ["nowhere", "folder", "pickle"])
def test_what_is_no_recording_is_refused(done: dict[str, Done], name: str):
    """Exit code 2, one paragraph, no traceback."""
    code, out, err = done[name]
    assert (code, out) == (2, "")
    assert err.startswith((f"backproof: {name} ", f"backproof: {name}: no such file"))


def test_a_recording_is_the_reference(done: dict[str, Done]):
    """Two of them make no sense."""
    assert done["both"].code == 2
    assert "--vectors bring their own reference" in done["both"].err
