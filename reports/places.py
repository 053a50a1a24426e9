"""Where a report may stand, and how one file gets to its place. Nothing heavy is imported: it is asked early."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from backproof.reports import ReportError

ENVIRONMENT: Final = "environment.json"
"""The file by which a directory is recognised as a report: it names the version of Backproof that wrote it."""

SCREEN: Final = "screen.json"
"""What a person was told, as data: the screen of each candidate, line by line."""

SCHEMA: Final = 1
"""Of SCREEN, and so of the directory as a whole."""

_OPEN: Final = (Path("/dev"), Path("/dev/fd"))
"""Where the files that a process has open have names."""


def is_report(directory: Path) -> bool:
    """Whether Backproof has written a directory, which a new report may then replace."""
    try:
        found = json.loads((directory / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    packages = found.get("packages") if isinstance(found, dict) else None
    return isinstance(packages, dict) and "backproof" in packages


def check_place(path: Path) -> None:
    """Raises ReportError where `path` holds something that is no report, or where nothing can be written there."""
    try:
        if path.exists() and not (path.is_dir() and (is_report(path) or not any(path.iterdir()))):
            raise ReportError(f"{path} exists and is no report of ours: it stays as it is. Name another directory.")
        here, wanted = Path.cwd(), path.resolve()
        if wanted in (here, *here.parents):
            raise ReportError(
                f"a report takes its directory's place, and you are in {wanted}: name another, like --report report"
            )
        if path.name == "..":
            raise ReportError(f"{path} has no name that a report could be given: name {wanted}")
        nearest = next(folder for folder in path.absolute().parents if folder.exists())
    except PermissionError:
        hindrance = errno.EACCES
    else:
        hindrance = 0 if os.access(nearest, os.W_OK | os.X_OK) else errno.EACCES
        if not nearest.is_dir():
            hindrance = errno.ENOTDIR
    if hindrance:
        raise ReportError(f"cannot write a report at {path}: {os.strerror(hindrance)}")


def place(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file, whole or not at all: what was at `path` before stays there until the new one is complete.

    A link stays a link, and what it points to is written; so is a device or a pipe, which nothing can take the place
    of. Raises ReportError.
    """
    if path.is_dir():
        raise ReportError(f"{path} is a directory: name a file")
    try:
        if _flows(path):
            with path.open("ab") as opened:
                opened.writelines(parts)
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{target.name}.", dir=target.parent, delete=False) as written:
            fresh = Path(written.name)
            try:
                written.writelines(parts)
                written.close()
                fresh.chmod(0o644)  # a temporary file is private; a result is there to be read
                fresh.replace(target)
            finally:
                fresh.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error


def _flows(path: Path) -> bool:
    """Whether it is a device, a pipe, or a file that this process has open, as /dev/stdout may be."""
    return path.exists() and (not path.is_file() or path.parent in _OPEN)
