"""What a candidate is made of: its files, and what changes when they do."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backproof.campaign.fingerprint import changes, fingerprint, short, versions
from backproof.campaign.shards import Task
from backproof.campaign.sources import digest, file_of, own_digest, path_of, sources
from backproof.candidates.finding import wrap
from backproof.candidates.loading import load
from backproof.candidates.patience import Patience


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


def test_a_module_is_found_from_the_current_directory_and_not_imported(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """As the host finds it, whose path has that directory; what runs before it and what it imports comes with it."""
    for name, text in {
        "house/__init__.py": "raise RuntimeError('imported')\n",
        "house/inner/__init__.py": "",
        "house/inner/net.py": "from . import beside\nfrom ..shared import f\nfrom .... import x\nimport other\n",
        "house/inner/beside.py": "from .far.away import g\n",
        "house/inner/far/away.py": "",
        "house/shared.py": "",
        "house/unused.py": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(folder))])
    importlib.invalidate_caches()
    assert list(sources("house.inner.net:loss")) == [
        "house/inner/net.py",
        "house/inner/__init__.py",
        "house/__init__.py",
        "house/inner/beside.py",
        "house/shared.py",
        "other.py",
        "house/inner/far/away.py",
    ]
    assert next(iter(sources("house.inner:loss"))) == "house/inner/__init__.py"
    assert "house" not in sys.modules
    assert file_of("house.nowhere:loss") is file_of("house.shared.net:loss") is file_of("house.inner.far:f") is None


def test_of_an_installed_module_only_its_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What lies beside it there is no part of it."""
    folder = tmp_path / "site-packages"
    for name in ("house", "other"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("import other, house\n")
    (folder / "house" / "deep.py").write_text("")
    monkeypatch.syspath_prepend(folder)
    assert list(sources("house:loss")) == ["house/__init__.py", "house/deep.py"]


def test_a_folder_may_be_called_like_a_file(folder: Path):
    """The finder's own way to read a text: up to the last .py."""
    (folder / "my.python").mkdir()
    (folder / "my.python" / "net.py").write_text("")
    for text in ("my.python/net.py", "my.python/net.py:loss"):
        assert list(sources(text)) == ["net.py"]
        assert path_of(text) == Path("my.python/net.py")
    assert path_of("exec:./net.py") is None


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
    settings = {"ids": (), "cases": 5, "rows": 9}
    first = fingerprint(candidate, task, **settings)
    assert first == fingerprint(candidate, task, **settings)
    other = fingerprint(candidate, task, **{**settings, "cases": 6, "ids": ("a",)})
    assert short(first) != short(other)
    told = changes(first, other)
    assert told[0] == "cases 5, now 6"
    assert told[1].startswith("named cases nothing, now ")
    assert len(told) == 2
    assert {"torch", "numpy", "python", "machine", "Backproof's sources"} <= set(versions())


def test_a_fingerprint_knows_a_candidates_seconds_and_that_it_has_files(folder: Path):
    """A timeout is a result of the seconds that there were; what has no files might be another one tomorrow."""
    found = replace(wrap(lambda network, x, y: None), text="net.py", patience=Patience(3.0))
    task = Task(candidate=found, domain=found.domain, seed=0, shard=0, count=5)
    settings = {"ids": (), "cases": 5, "rows": 9}
    first = fingerprint(found, task, **settings)
    later = fingerprint(replace(found, patience=Patience(60.0)), task, **settings)
    assert changes(first, later) == ["its seconds 3, now 60"]
    for text in (None, "nowhere:loss"):
        assert fingerprint(replace(found, text=text), task, **settings) is None
