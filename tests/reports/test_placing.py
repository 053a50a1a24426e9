"""One file, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backproof.reports import ReportError
from backproof.reports.placing import place


def test_a_file_is_there_when_it_is_complete(tmp_path: Path):
    """In a new folder, and in the place of another; readable by others."""
    path = tmp_path / "deep" / "file"
    place(path, [b"one, ", b"two"])
    place(path, [b"three"])
    assert path.read_bytes() == b"three"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_not_completed_leaves_no_trace(tmp_path: Path):
    """What was there stays."""

    def broken() -> Iterator[bytes]:
        yield b"begun"
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        place(path, broken())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    """A directory, and a file for a folder."""
    with pytest.raises(ReportError, match="is a directory: name a file"):
        place(tmp_path, [])
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match=r"^cannot write .*/file/under: "):
        place(tmp_path / "file" / "under", [])
