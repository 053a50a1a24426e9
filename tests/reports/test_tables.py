"""Rows to tables, frames and Markdown."""

from math import inf, nan
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from backproof.reports import files, tables
from backproof.reports.columns import TABLES
from backproof.reports.files import write_table
from backproof.reports.tables import frame, markdown, parts, schema, table

ROWS = [
    ("mse", "id|1", 7, 9, "sum / mean", 63.0, "N*O", 63.0, 62.999999, "agree", ""),
    ("l1", "id2", 7, 9, "sum / mean", 63.0, "N*O", None, None, "error", ""),
]


def test_table_has_the_declared_columns_and_types():
    """Also without rows."""
    for rows in (ROWS, []):
        made = table("scaling", rows)
        assert made.schema == schema("scaling")
        assert made.num_rows == len(rows)
    assert schema("scaling").names == list(TABLES["scaling"].names)


def test_table_refuses_rows_of_another_length():
    """A row with a cell too many is a mistake of ours."""
    with pytest.raises(ValueError, match="zip"):
        table("scaling", [ROWS[0], (*ROWS[1], 1)])


@pytest.mark.parametrize("written", [2, 100])
def test_a_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int):
    """All rows in their order, never more than so many at once, whatever the groups of the file hold."""
    rows = table("scaling", [(*ROWS[0][:2], number, *ROWS[0][3:]) for number in range(7)])
    monkeypatch.setattr(files, "ROWS_AT_ONCE", written)
    write_table(tmp_path, "scaling", rows)
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 3)
    found = list(parts(tmp_path / "scaling.parquet"))
    assert max(part.num_rows for part in found) == 3
    assert pa.Table.from_batches(found).equals(rows)


def test_frame_has_nullable_types():
    """Strings, integers that may be missing, floats."""
    made = frame(table("scaling", ROWS))
    assert isinstance(made["batch_size"].dtype, pd.Int64Dtype)
    assert isinstance(made["loss"].dtype, pd.StringDtype)
    assert made["loss_ratio"].dtype == "float64"
    assert made["loss_ratio"].isna().tolist() == [False, True]
    assert made["batch_size"].tolist() == [7, 7]


def test_markdown_shows_three_digits_and_escapes_what_would_break_a_table():
    """Bars and line breaks of a hostile name stay in their cell."""
    text = markdown(table("scaling", ROWS), ("case", "gradient_ratio", "verdict"))
    assert text.splitlines() == [
        "| case | gradient_ratio | verdict |",
        "|---|---|---|",
        "| id\\|1 | 63 | agree |",
        "| id2 |  | error |",
    ]
    hostile = pa.table({"name": ["a\nb\\|c"], "value": [inf]})
    assert markdown(hostile, ("name", "value")).splitlines()[-1] == "| a b\\\\\\|c | inf |"
    assert markdown(pa.table({"value": [nan]}), ("value",)).endswith("| nan |")
