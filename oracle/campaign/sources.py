"""What a candidate is made of, as far as it can be seen: the files that its text names, and what they import nearby.

By these files a run knows its candidate again after an interruption, and other machines get a copy of it. What a file
imports from elsewhere (installed packages), what it reads, and what a program loads, is not among them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import shlex
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

from backproof.candidates import builtin
from backproof.candidates.contract import PROGRAM
from backproof.candidates.finding import FILE, MODULE, search_path

_INSTALLED: Final = ("site-packages", "dist-packages")
"""Folders in which everything lies beside everything: of a module there, its own package is what it is made of."""


def sources(text: str) -> dict[str, bytes]:
    """Name -> content of the files of a CANDIDATE text, the first of them its own; none for a built-in one.

    Of a Python file those too that it imports from beside it, named from its folder; of a module likewise, from the
    folder of its outermost package, with the packages that it stands in; of a program every word of its command that is
    a file. None, too, where there is no file, or none that is found.
    """
    if text in builtin.BUILTIN:
        return {}
    if text.startswith(PROGRAM):
        words = shlex.split(text.removeprefix(PROGRAM))
        files = (Path(shutil.which(word) or word) for word in words)
        return {word: file.read_bytes() for word, file in zip(words, files, strict=True) if file.is_file()}
    start = file_of(text)
    if start is None or not start.is_file():
        return {}
    folder = _outermost(start, text)
    found: dict[str, bytes] = {}
    waiting = [start, *_packages_of(start, folder)]
    while waiting:
        file = waiting.pop(0)
        name = file.relative_to(folder).as_posix()
        if name not in found:
            found[name] = file.read_bytes()
            waiting += _nearby(found[name], file, folder, start)
    return found


def path_of(text: str) -> Path | None:
    """The path in a CANDIDATE text that names a Python file."""
    matched = None if text.startswith(PROGRAM) else FILE.fullmatch(text)
    return None if matched is None else Path(matched["path"])


def file_of(text: str) -> Path | None:
    """The Python file that a CANDIDATE text names; of a module, the file that it is found in.

    No package is imported for that: what stands in its __init__.py is the candidate's own code.
    """
    if (path := path_of(text)) is not None:
        return path
    matched = MODULE.fullmatch(text)
    found = None if matched is None else _module(matched["module"])
    return None if found is None or found.origin is None else Path(found.origin)


def _module(name: str) -> ModuleSpec | None:
    """A module, found package by package where the finder finds it, which has the current directory on its path."""
    first, *others = name.split(".")
    try:
        found = PathFinder.find_spec(first, search_path()) or importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    for part in others:
        if found is None or found.submodule_search_locations is None:
            return None
        found = PathFinder.find_spec(part, [*found.submodule_search_locations])
    return found


def _outermost(start: Path, text: str) -> Path:
    """The folder that names are counted from: that of a file, and of a module that of its outermost package."""
    matched = None if path_of(text) is not None else MODULE.fullmatch(text)
    packages = 0 if matched is None else matched["module"].count(".") + (start.stem == "__init__")
    return start.parents[packages]


def _packages_of(file: Path, folder: Path) -> Iterator[Path]:
    """The __init__.py of every package below a folder that a file stands in: all of them run before it."""
    for parent in file.parents:
        if parent == folder:
            return
        if (parent / "__init__.py").is_file():
            yield parent / "__init__.py"


def _nearby(content: bytes, file: Path, folder: Path, start: Path) -> Iterator[Path]:
    """The files below a folder that the code of one of them imports: modules, and every file of a package."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _outside(alias.name, folder, start)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from _outside(node.module, folder, start)
        elif isinstance(node, ast.ImportFrom) and node.level <= len(file.relative_to(folder).parents):
            package = file.parents[node.level - 1]
            inside = package if node.module is None else package.joinpath(*node.module.split("."))
            for name in (inside, *(inside / alias.name for alias in node.names)):
                if name != package:  # which has been imported before
                    yield from _files(name)


def _outside(name: str, folder: Path, start: Path) -> Iterator[Path]:
    """What `import name` runs, by its first part, unless that is installed and another's."""
    found = folder / name.partition(".")[0]
    if folder.name not in _INSTALLED or found in (start.with_suffix(""), *start.parents):
        yield from _files(found)


def _files(found: Path) -> Iterator[Path]:
    """The file of a module by its path without the suffix, or all files of a package."""
    if (found / "__init__.py").is_file():
        yield from sorted(found.rglob("*.py"))
    elif found.with_name(f"{found.name}.py").is_file():
        yield found.with_name(f"{found.name}.py")


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of files and their names, as much of it as tells two apart."""
    total = hashlib.sha256()
    for name, content in files.items():
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:16]


@cache
def own_digest() -> str:
    """Of Backproof as it is installed, from a clone or from a wheel: its version does not change at every edit."""
    import backproof.reports
    import backproof.scratch

    found: dict[str, bytes] = {}
    for package in (backproof, backproof.reports, backproof.scratch):
        folder = Path(str(package.__file__)).parent
        for file in folder.rglob("*.py"):
            found[f"{package.__name__.replace('.', '/')}/{file.relative_to(folder).as_posix()}"] = file.read_bytes()
    return digest(dict(sorted(found.items())))
