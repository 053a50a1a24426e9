"""Report directories: tables as CSV and Parquet, written whole or not at all.

Everything is written into a new directory beside the wanted one, which takes its place only when all of it is there.
The same tables make the same bytes: rows in the order in which they come, floats with the shortest digits that read
back as the same number, and no time, host or path in any file.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import csv, parquet

from backproof.reports import ReportError
from backproof.reports.columns import TABLES
from backproof.reports.places import ENVIRONMENT, check_place
from backproof.reports.tables import ROWS_AT_ONCE, schema

__all__ = [
    "ENVIRONMENT",
    "TableWriter",
    "report_directory",
    "write_data_dictionary",
    "write_json",
    "write_table",
]


@contextmanager
def report_directory(path: Path) -> Iterator[Path]:
    """A new directory to write into, which becomes `path` when the block ends well, and is removed when it does not.

    Raises ReportError at once where `path` holds something that is no report, or where nothing can be written there.
    """
    check_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{escape(_aside(path))}*"):
            _settle(left, path)  # somebody was killed in the middle of it
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise ReportError(f"cannot write a report at {path}: {error.strerror}") from error
    try:
        yield fresh
        fresh.chmod(0o755)  # mkdtemp's directories are private; a report is there to be read
        _take_place(fresh, path)
    except OSError as error:
        raise ReportError(f"cannot write a report at {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _take_place(fresh: Path, path: Path) -> None:
    """Put `fresh` where `path` is; if that fails, what was there is there again.

    What may have come there while the report was made is looked at once more.
    """
    if not path.exists():
        fresh.rename(path)
        return
    check_place(path)
    old = Path(tempfile.mkdtemp(prefix=_aside(path), dir=path.parent))
    try:
        path.rename(old / path.name)
        fresh.rename(path)
    finally:
        _settle(old, path)


def _aside(path: Path) -> str:
    """What the directories begin with that an older report waits in."""
    return f".{path.name}.old."


def _settle(old: Path, path: Path) -> None:
    """Put the older report back where nothing has come in its place; then its directory is of no more use."""
    if not path.exists() and (old / path.name).exists():
        (old / path.name).rename(path)
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)


class TableWriter:
    """One table, written part by part as NAME.csv and NAME.parquet; memory holds no more than one group of rows."""

    def __init__(self, directory: Path, name: str) -> None:
        self._schema = schema(name)
        options = csv.WriteOptions(quoting_style="needed", batch_size=ROWS_AT_ONCE)
        self._csv = csv.CSVWriter(str(directory / f"{name}.csv"), self._schema, write_options=options)
        self._parquet = parquet.ParquetWriter(str(directory / f"{name}.parquet"), self._schema)
        self._waiting: list[pa.Table] = []

    def write(self, part: pa.Table) -> None:
        """Append rows."""
        self._waiting.append(part)
        if sum(table.num_rows for table in self._waiting) >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            rows = pa.concat_tables(self._waiting).combine_chunks()
            self._waiting.clear()
            self._csv.write_table(rows)
            self._parquet.write_table(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._csv.close()
        self._parquet.close()


def write_table(directory: Path, name: str, table: pa.Table) -> None:
    """A whole table."""
    with TableWriter(directory, name) as writer:
        writer.write(table)


def write_json(directory: Path, name: str, content: Mapping[str, Any]) -> None:
    """A JSON file with sorted keys."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    (directory / name).write_text(text, encoding="utf-8")


def write_data_dictionary(directory: Path) -> None:
    """columns.md: what every column of every table means, from the declaration of the columns."""
    lines = [
        "# What the columns mean", "",
        "Parquet knows the types. In a CSV file any cell may be empty; for pandas text is `string`, whole `Int64` and",
        "number `float64`.", "",
    ]  # fmt: skip
    for name, entry in TABLES.items():
        lines += [f"## {name}", "", f"One row: {entry.row}.", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| {column.name} | {column.kind} | {column.meaning} |" for column in entry.columns]
        lines.append("")
    (directory / "columns.md").write_text("\n".join(lines), encoding="utf-8")
