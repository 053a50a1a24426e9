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
from pathlib import Path
from typing import Final

from backproof.candidates import builtin

_PROGRAM: Final = "exec:"


def sources(text: str) -> dict[str, bytes]:
    """Name -> content of the files of a CANDIDATE text, the first of them its own; none for a built-in one.

    Of a Python file those too that it imports from beside it, named from its folder; of a module likewise; of a program
    every word of its command that is a file.
    """
    if text in builtin.BUILTIN:
        return {}
    if text.startswith(_PROGRAM):
        words = shlex.split(text.removeprefix(_PROGRAM))
        files = (Path(shutil.which(word) or word) for word in words)
        return {word: file.read_bytes() for word, file in zip(words, files, strict=True) if file.is_file()}
    start = file_of(text)
    if start is None or not start.is_file():
        return {}
    found: dict[str, bytes] = {}
    waiting = [start]
    while waiting:
        file = waiting.pop(0)
        name = file.relative_to(start.parent).as_posix()
        if name not in found:
            found[name] = file.read_bytes()
            waiting += _nearby(found[name], start.parent)
    return found


def file_of(text: str) -> Path | None:
    """The Python file that a CANDIDATE text names; of a module, the file that it is found in without being imported."""
    path, _, _ = text.partition(".py")
    if text == f"{path}.py" or text.startswith(f"{path}.py:"):
        return Path(f"{path}.py")
    try:
        found = importlib.util.find_spec(text.partition(":")[0])
    except (ImportError, ValueError):
        return None
    return None if found is None or found.origin is None else Path(found.origin)


def _nearby(content: bytes, folder: Path) -> Iterator[Path]:
    """The files in a folder that some Python code imports: modules, and every file of a package."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        for name in names:
            first = folder / name.partition(".")[0]
            if first.with_suffix(".py").is_file():
                yield first.with_suffix(".py")
            elif (first / "__init__.py").is_file():
                yield from sorted(first.rglob("*.py"))


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
