"""What a candidate is made of: its files, and what changes when they do."""

from pathlib import Path

import pytest

from backproof.campaign.fingerprint import changes, fingerprint, short, versions
from backproof.campaign.shards import Task
from backproof.campaign.sources import digest, file_of, own_digest, sources
from backproof.candidates.contract import load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A candidate with two files beside it, one of them in a package, and one that it has nothing to do with."""
    (tmp_path / "net.py").write_text("import numpy, layers\nfrom parts.deep import slope\nfrom . import x\n")
    (tmp_path / "layers.py").write_text("import net\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "deep.py").write_text("def half(:\n")
    (tmp_path / "other.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", ["net.py", "net.py:loss", "./net.py:a.b"])
def test_a_file_comes_with_what_it_imports_from_beside_it(folder: Path, text: str):
    """Modules and packages, and what these import; installed ones are not among them."""
    assert list(sources(text)) == ["net.py", "layers.py", "parts/__init__.py", "parts/deep.py"]


def test_modules_programs_and_built_in_ones(folder: Path):
    """A module's file, found without an import; the words of a command that are files; nothing."""
    assert list(sources("layers:loss")) == ["layers.py", "net.py", "parts/__init__.py", "parts/deep.py"]
    assert file_of("parts.deep:loss") is not None
    assert list(sources("exec:nowhere other.py -v")) == ["other.py"]
    assert sources("scratch") == sources("nowhere.at.all:loss") == sources("missing.py") == {}


def test_digests_tell_contents_and_names_apart(folder: Path):
    """Of a candidate, and of Backproof itself."""
    before = digest(sources("net.py"))
    assert before == digest(sources("net.py"))
    (folder / "layers.py").write_text("import net  # changed\n")
    assert digest(sources("net.py")) != before
    assert digest({"a": b"bc"}) != digest({"ab": b"c"})
    assert len(own_digest()) == 16


def test_a_fingerprint_says_what_has_changed(folder: Path):
    """Every line of it by name."""
    (candidate,) = load("scratch")
    task = Task(candidate=candidate, domain=candidate.domain, seed=0, shard=0, count=5)
    settings = {"ids": (), "timeout": 10.0, "cases": 5, "rows": 9}
    first = fingerprint(candidate, task, **settings)
    assert first == fingerprint(candidate, task, **settings)
    other = fingerprint(candidate, task, **{**settings, "cases": 6, "ids": ("a",)})
    assert short(first) != short(other)
    told = changes(first, other)
    assert told[0] == "cases 5, now 6"
    assert told[1].startswith("named cases nothing, now ")
    assert len(told) == 2
    assert {"torch", "numpy", "python", "machine", "Backproof's sources"} <= set(versions())
