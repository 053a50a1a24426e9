"""Where a report may stand. Nothing is written here and nothing heavy imported, so that it can be asked early."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from backproof.reports import ReportError

ENVIRONMENT: Final = "environment.json"
"""The file by which a directory is recognised as a report."""


def check_place(path: Path) -> None:
    """Raises ReportError where `path` holds something that is no report, or where nothing can be written there."""
    try:
        if path.exists() and not (path.is_dir() and ((path / ENVIRONMENT).is_file() or not any(path.iterdir()))):
            raise ReportError(f"{path} exists and is no report of ours: it stays as it is. Name another directory.")
        nearest = next(folder for folder in path.absolute().parents if folder.exists())
    except PermissionError:
        hindrance = errno.EACCES
    else:
        hindrance = 0 if os.access(nearest, os.W_OK | os.X_OK) else errno.EACCES
        if not nearest.is_dir():
            hindrance = errno.ENOTDIR
    if hindrance:
        raise ReportError(f"cannot write a report at {path}: {os.strerror(hindrance)}")
