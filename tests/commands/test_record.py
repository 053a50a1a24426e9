"""`backproof record`: the file, and the page about its format."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backproof.cases import NetworkSpec
from backproof.cli import app
from backproof.truth.recording import SCHEMA
from backproof.truth.vectors import Vectors


def run(*arguments: str) -> Result:
    """The command as typed."""
    return CliRunner().invoke(app, ["record", *arguments], env={"COLUMNS": "200"})


def test_the_domain_of_a_candidate_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Narrowed as for check; what to do with the file is said."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(
        "from backproof import Domain, candidate\n"
        "@candidate(Domain(activations=('tanh', 'relu'), losses='mse'))\n"
        "def loss_and_gradients(network, x, y):\n    raise NotImplementedError\n"
    )
    done = run(
        "net.py", "--cases", "4", "--depth", "1-2", "--width", "2", "--batch-size", "1-3", "--out", "v.safetensors"
    )
    assert done.exit_code == 0, done.stderr
    assert re.match(r"v.safetensors: 4 networks with PyTorch's results and bounds, 0\.0 MB\.", done.stdout)
    assert done.stdout.endswith("    backproof check net.py --vectors v.safetensors\n")
    for spec in Vectors("v.safetensors").specs():
        assert {formula.name for formula in spec.activations} <= {"tanh", "relu"}
        assert (spec.loss.name, spec.dtype, set(spec.widths)) == ("mse", "float64", {2})
    refused = run("net.py", "--losses", "l1")
    assert refused.exit_code == 2
    assert "the candidate supports losses mse; l1 was asked for" in refused.stderr


def test_without_a_candidate_everything_is_recorded(tmp_path: Path):
    """As far as the options let it; a file of several candidates is asked which."""
    done = run("--cases", "3", "--losses", "linear", "--out", str(tmp_path / "v"))
    assert done.exit_code == 0, done.stderr
    assert {spec.loss.name for spec in Vectors(tmp_path / "v").specs()} == {"linear"}
    (tmp_path / "two.py").write_text(
        "from backproof import Domain, candidate\n"
        "@candidate(Domain())\ndef first(network, x, y): ...\n@candidate(Domain())\ndef second(network, x, y): ...\n"
    )
    refused = run(str(tmp_path / "two.py"))
    assert refused.exit_code == 2
    assert "holds 2 candidates; name one: " in refused.stderr


def test_a_place_that_cannot_be_written_is_said_before_anything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not after minutes of work."""
    monkeypatch.setattr("backproof.vectors_file.record", lambda *_, **__: pytest.fail("nothing is to be recorded"))
    done = CliRunner().invoke(app, ["record", "--cases", "3", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert f"{tmp_path} is a directory: name a file" in done.stderr


def test_the_page_about_the_format_names_everything_in_a_file():
    """Every array, every metadata key, and the schema; in lines that fit a terminal."""
    done = run("--format")
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert f"schema          {SCHEMA}; another number" in done.stdout
    path = Path(__file__).parents[1] / "vectors" / "small.safetensors"
    vectors = Vectors(path)
    named = {re.sub(r"\d+$", "l", name.partition(".")[2]) for name in vectors._names if name != "ids"}
    for name in named:
        kind, _, quantity = name.rpartition("bound.")[2].partition(".") if "bound." in name else (name, "", "")
        if "bound." in name:
            assert f"k.bound.{kind}.QUANTITY" in done.stdout
            assert quantity in done.stdout.partition("QUANTITY is")[2]
        else:
            assert f"k.{'option.NAME' if name.startswith('option.') else name} " in done.stdout
    data = path.read_bytes()
    header = data[8 : 8 + int.from_bytes(data[:8], "little")].decode()
    for key in re.findall(r'"(\w+)":', header.partition("}")[0].partition('"__metadata__":')[2]):
        assert re.search(rf"^    (seed, )?{key}\b", done.stdout, re.MULTILINE), key


def test_the_example_of_an_id_on_the_page_is_one():
    """It parses back."""
    (text,) = re.findall(r"like (\S+,s\d+)", run("--format").stdout)
    assert NetworkSpec.parse(text).id == text
