"""Tidy tables: rows in, Arrow tables with the declared columns out, and from these the frames and the Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from pyarrow import parquet

from backproof.reports.columns import TABLES, Kind

if TYPE_CHECKING:
    import pandas as pd

_TYPES: dict[Kind, Any] = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64()}

_DTYPES: dict[Kind, str] = {"text": "string", "whole": "Int64", "number": "float64"}


ROWS_AT_ONCE: Final = 8_192
"""How many rows of a table are in memory at once, where it may have any number: a group of a Parquet file."""


def schema(name: str) -> pa.Schema:
    """The Arrow schema of a table of TABLES."""
    return pa.schema([(column.name, _TYPES[column.kind]) for column in TABLES[name].columns])


def table(name: str, rows: Sequence[Sequence[object]]) -> pa.Table:
    """The table `name` with these rows, each in the order of its columns; None is an empty cell.

    Columns that are filled in later are empty.
    """
    wanted = schema(name)
    later = TABLES[name].later
    given = list(wanted)[: len(wanted) - later]
    columns: Iterable[Sequence[object]] = zip(*rows, strict=True) if rows else ([] for _ in given)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, given, strict=True)]
    arrays += [pa.nulls(len(rows), field.type) for field in list(wanted)[len(given) :]]
    return pa.Table.from_arrays(arrays, schema=wanted)


def parts(path: Path) -> Iterator[pa.RecordBatch]:
    """A Parquet file part by part, in its order.  Raises OSError or ArrowException."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(batch_size=ROWS_AT_ONCE)


def frame(found: pa.Table) -> pd.DataFrame:
    """A table as a pandas frame: strings, nullable integers and floats."""
    import pandas as pd

    made: pd.DataFrame = found.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.string(): pd.StringDtype()}.get)
    return made


def dtypes(name: str) -> dict[str, str]:
    """The pandas dtype of each column, as `pandas.read_csv` takes it: what CSV cannot say of itself."""
    return {column.name: _DTYPES[column.kind] for column in TABLES[name].columns}


def markdown(found: pa.Table, names: Sequence[str]) -> str:
    """Some columns of a table as a Markdown table; numbers with three digits, which is what a reader takes in."""
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(cell(value) for value in row.values())} |" for row in found.select(names).to_pylist()]
    return "\n".join(lines)


def cell(value: object) -> str:
    """What stands in a cell of a Markdown table: one line that cannot end the cell or begin a tag."""
    if value is None:
        return ""
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
