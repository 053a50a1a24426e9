"""Where a report may stand, asked before anything is written; and one file, whole or not at all."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backproof.reports import ReportError
from backproof.reports.files import report_directory
from backproof.reports.places import ENVIRONMENT, check_place, place

OURS = '{"packages": {"backproof": "0.1.0"}}'


def test_a_free_place_is_left_free(tmp_path: Path):
    """A new directory below others that are not there, an empty one, and an older report: nothing is touched."""
    check_place(tmp_path / "deep" / "report")
    check_place(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ENVIRONMENT).write_text(OURS)
    check_place(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", '{"packages": {"numpy": "2.4"}}', None])
def test_what_somebody_else_calls_an_environment_is_no_report(tmp_path: Path, content: str | None):
    """The name is a common one: a directory that another program wrote stays as it is."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.tex").write_text("x")
    if content is None:
        (tmp_path / "p" / ENVIRONMENT).mkdir()
    else:
        (tmp_path / "p" / ENVIRONMENT).write_text(content)
    with pytest.raises(ReportError, match="is no report of ours: it stays as it is"):
        check_place(tmp_path / "p")


def test_what_comes_to_the_place_in_the_meantime_stays(tmp_path: Path):
    """A run may take hours: the directory is asked once more before it is replaced."""
    path = tmp_path / "report"

    def write() -> None:
        with report_directory(path) as fresh:
            (fresh / ENVIRONMENT).write_text(OURS)
            path.mkdir()
            (path / "thesis.tex").write_text("x")

    with pytest.raises(ReportError, match="is no report of ours: it stays as it is"):
        write()
    assert (path / "thesis.tex").read_text() == "x"
    assert [each.name for each in tmp_path.iterdir()] == ["report"]


def test_what_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file in the way, a folder that is no report, and one that nobody may write to or look into."""
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ReportError, match="is no report of ours: it stays as it is"):
        check_place(tmp_path)
    with pytest.raises(ReportError, match=r"^cannot write a report at .*/thesis.tex/report: Not a directory$"):
        check_place(tmp_path / "thesis.tex" / "report")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ReportError, match=r"^cannot write a report at .*/report: Permission denied$"):
        check_place(tmp_path / "report")

    def closed(_: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(ReportError, match=r"^cannot write a report at .*/report: Permission denied$"):
        check_place(tmp_path / "report")


def test_where_somebody_is_no_report_can_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The current directory would be one that is not there any more; nor can it be named from within."""
    (tmp_path / ENVIRONMENT).write_text(OURS)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for path in (Path(), tmp_path / "empty", Path("nowhere/.."), Path("..")):
        with pytest.raises(
            ReportError, match=rf", and you are in {path.resolve()}: name another, like --report report$"
        ):
            check_place(path)
    (tmp_path / "other" / "below").mkdir(parents=True)
    (tmp_path / "other" / ENVIRONMENT).write_text(OURS)
    with pytest.raises(ReportError, match=rf"has no name that a report could be given: name {tmp_path / 'other'}$"):
        check_place(tmp_path / "other" / "below" / "..")


def test_a_place_that_is_lost_after_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What could be written a moment ago cannot be any more: the same sentence."""

    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(ReportError, match=r"No space left on device$"), report_directory(tmp_path / "report"):
        pytest.fail("the block must not run")


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


def test_a_link_stays_and_its_target_is_written(tmp_path: Path):
    """Whether the target is there yet or not."""
    target, link = tmp_path / "results" / "file", tmp_path / "link"
    link.symlink_to(target)
    for text in (b"first", b"second"):
        place(link, [text])
        assert link.is_symlink()
        assert target.read_bytes() == text
    assert target.stat().st_mode & 0o777 == 0o644
    assert sorted(tmp_path.iterdir()) == [link, target.parent]


def test_what_is_no_file_is_written_and_not_replaced(tmp_path: Path):
    """A pipe that somebody reads, and a device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        place(pipe, [b"one, ", b"two"])
        assert os.read(reader, 99) == b"one, two"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    null = tmp_path / "null"
    null.symlink_to(os.devnull)
    place(null, [b"nowhere"])
    assert Path(os.devnull).is_char_device()
    assert sorted(tmp_path.iterdir()) == [null, pipe]


def test_a_file_that_is_open_is_written_to_its_end():
    """What stdout goes to is not taken away from it."""
    code = (
        "from pathlib import Path; from backproof.reports.places import place; "
        "print('one', flush=True); place(Path('/dev/stdout'), [b'two\\n']); print('three')"
    )
    with tempfile.TemporaryFile() as out:
        appended = os.dup(out.fileno())
        fcntl.fcntl(appended, fcntl.F_SETFL, os.O_APPEND)
        subprocess.run([sys.executable, "-c", code], stdout=appended, check=True)
        os.close(appended)
        out.seek(0)
        assert out.read() == b"one\ntwo\nthree\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    """A directory, and a file for a folder."""
    with pytest.raises(ReportError, match="is a directory: name a file"):
        place(tmp_path, [])
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match=r"^cannot write .*/file/under: "):
        place(tmp_path / "file" / "under", [])
