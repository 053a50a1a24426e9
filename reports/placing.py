"""One file, written whole or not at all: under another name first, which takes its place when all of it is there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from backproof.reports import ReportError


def place(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file; what was at `path` before stays there until the new one is complete.  Raises ReportError."""
    if path.is_dir():
        raise ReportError(f"{path} is a directory: name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as written:
            fresh = Path(written.name)
            try:
                written.writelines(parts)
                written.close()
                fresh.chmod(0o644)  # a temporary file is private; a result is there to be read
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error
