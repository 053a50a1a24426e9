"""The journal of a run that writes a report: every finished shard at once, so that nothing is lost when the run ends.

It lies beside the report, in DIR.unfinished, with a folder for each run, which is known by its fingerprint: a run whose
candidate, domain, seed or versions are others has another folder, and is never mixed in. A shard is one Parquet file,
its rows with its counts (ledger.py) in the file's metadata, and bears its name only when all of it is there. When the
report is complete, its folder is removed.
"""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backproof.campaign import ledger
from backproof.campaign.crew import CrewError
from backproof.campaign.fingerprint import Fingerprint, changes, short
from backproof.campaign.shards import CASES_PER_SHARD, Shard, Task
from backproof.cases.spec import SpecError
from backproof.judging.verdicts import UNREMARKABLE
from backproof.reports import ReportError

if TYPE_CHECKING:
    import pyarrow as pa
    from filelock import BaseFileLock

Notice = Callable[[str], None]
"""Hears in a sentence what somebody should know of a run and cannot see in its result."""

_NOTED: Final = "run.json"
_FRESH: Final = "fresh.txt"
_COUNTS: Final = b"backproof"


class Journal:
    """The finished shards of one run."""

    def __init__(self, folder: Path, shards: int) -> None:
        self.folder, self.shards = folder, shards
        self._done = {int(file.stem) for file in folder.glob("[0-9]*.parquet")}

    def __contains__(self, shard: int) -> bool:
        return shard in self._done

    def __len__(self) -> int:
        return len(self._done)

    def keep(self, task: Task, shard: Shard) -> None:
        """Write a finished shard, whole or not at all.  Raises ReportError."""
        import pyarrow as pa
        from pyarrow import parquet

        rows = shard.checks if task.whole else shard.discrepancies
        rows = pa.table({}) if rows is None else rows
        counts = base64.b85encode(zlib.compress(ledger.written(shard.tally, shard.certificate).encode()))
        place = self._place(task.shard)
        fresh = place.with_suffix(".part")
        try:
            # Without the schema in another encoding and without statistics, which would be half of so small a file.
            with parquet.ParquetWriter(
                fresh, rows.schema, compression="zstd", store_schema=False, write_statistics=False
            ) as writer:
                writer.write_table(rows)
                writer.add_key_value_metadata({_COUNTS: counts})
            fresh.replace(place)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ReportError(f"cannot write {place}: {error.strerror or error}") from error
        self._done.add(task.shard)

    def shard(self, task: Task) -> Shard | None:
        """A finished shard, as it was examined; None where its file is damaged, and then it is as if it were not."""
        import pyarrow as pa
        from pyarrow import parquet

        place = self._place(task.shard)
        try:
            with parquet.ParquetFile(place) as file:
                counts = file.metadata.metadata[_COUNTS]
                rows = file.read()
            tally, certificate = ledger.read(zlib.decompress(base64.b85decode(counts)).decode())
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, zlib.error):
            self._done.discard(task.shard)
            return None
        whole = rows if rows.num_rows else None
        differing = _differing(rows) if task.whole and whole is not None else whole
        return Shard(tally, whole if task.whole else None, differing, certificate)

    def _place(self, shard: int) -> Path:
        return self.folder / f"{shard:06d}.parquet"

    def begin(self, fresh: Path) -> None:
        """Note the directory that a report is being written into, so that it can be removed if the run is killed."""
        (self.folder / _FRESH).write_text(fresh.name, encoding="utf-8")

    def __str__(self) -> str:
        return f"{len(self)} of {self.shards} shards"


def _differing(rows: pa.Table) -> pa.Table | None:
    """The discrepancies among the rows of `checks`."""
    import pyarrow as pa
    from pyarrow import compute

    remarkable = compute.invert(compute.is_in(rows["verdict"], pa.array([each.value for each in UNREMARKABLE])))
    found = rows.filter(remarkable)
    return found if found.num_rows else None


def place_of(report: Path) -> Path:
    """Where the journals of a report lie."""
    return report.with_name(f"{report.name}.unfinished")


@contextmanager
def open_journal(
    report: Path, found: Fingerprint, *, shards: int, resume: bool = False, notice: Notice | None = None
) -> Iterator[Journal]:
    """The journal of a run; when the block ends well it is still there, for `finished` to remove.

    resume: there has to be one with finished shards. Raises ReportError where there is none then, where another
    process has it, or where nothing can be written; an error that ends the block says what is kept.
    """
    from filelock import FileLock, Timeout

    place = place_of(report)
    folder = place / short(found)
    others = list(_others(place, folder))
    known = folder.is_dir() and any(folder.glob("[0-9]*.parquet"))
    if resume and not known:
        raise ReportError(f"there is nothing to resume for {report}{_why(place, others, found)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        lock.acquire(timeout=0)
        for each in place.glob("*/"):
            _clear(each, report, lock if each == folder else FileLock(each / "lock"))
        (folder / _NOTED).write_text(json.dumps(dict(found), indent=1), encoding="utf-8")
    except Timeout:
        raise ReportError(f"another process is writing {report} by the same command: wait for it, or end it") from None
    except OSError as error:
        raise ReportError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        journal = Journal(folder, shards)
        if notice is not None and known:
            notice(f"{report}: goes on where it was, {journal} are done")
        elif notice is not None and others:
            notice(f"{_why(place, others, found).removeprefix(': ')} It stays as it is, and nothing of it is used")
        yield journal
    except (ReportError, CrewError, SpecError) as error:
        kept = f". What is done is kept, {journal} in {folder}: the same command goes on from there"
        raise type(error)(f"{error}{kept if len(journal) else ''}") from error
    finally:
        lock.release()
        if not any(folder.glob("[0-9]*.parquet")):
            _remove(folder)


def _clear(folder: Path, report: Path, lock: BaseFileLock) -> None:
    """Remove the directory that a killed run was writing its report into; not where the run is still under way."""
    from filelock import Timeout

    noted = folder / _FRESH
    if not noted.is_file():
        return
    try:
        with lock.acquire(timeout=0):
            name = noted.read_text(encoding="utf-8")
            if name.startswith(f".{report.name}.") and Path(name).name == name:
                shutil.rmtree(report.with_name(name), ignore_errors=True)
            noted.unlink()
    except Timeout:
        return


def left_off(journal: Journal) -> str:
    """What a run that somebody ended leaves to go on from."""
    if not len(journal):
        return f"no shard of {CASES_PER_SHARD} networks was done, so that nothing is kept to go on from"
    return f"kept are {journal} of {CASES_PER_SHARD} networks: the same command goes on from there"


def finished(journal: Journal) -> None:
    """Empty a journal that is not needed any more; its block then removes it."""
    for file in journal.folder.glob("[0-9]*.parquet"):
        file.unlink()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:
        return  # others have journals there


def _others(place: Path, own: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """(fingerprint, finished shards) of the other runs that were to be written to the same place."""
    for folder in sorted(place.glob("*/")) if place.is_dir() else ():
        done = sum(1 for _ in folder.glob("[0-9]*.parquet"))
        if folder == own or not done:
            continue
        try:
            yield json.loads((folder / _NOTED).read_text(encoding="utf-8")), done
        except (OSError, ValueError):
            continue


def _why(place: Path, others: list[tuple[dict[str, Any], int]], now: Fingerprint) -> str:
    """What other runs there are, and how the one that differs least from this one does."""
    if not others:
        return ""
    before, done = min(others, key=lambda each: (len(changes(each[0], now)), -each[1]))
    runs = "an unfinished run" if len(others) == 1 else f"{len(others)} unfinished runs, the nearest of them"
    return f": {place} holds {runs} with {done} shards done, but {'; '.join(changes(before, now))}."
