"""Report directories read again: whole, or refused with what to do about it."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from backproof.reports import ReportError
from backproof.reports.columns import TABLES
from backproof.reports.reading import read_run


def test_what_was_written_is_read(write):
    """The tables by name, what was told, the environment; a table that is not there is empty."""
    run = read_run(write(smallest="print(1)"))
    assert run.tables == ("checks", "discrepancies", "strata", "equations", "pairs", "scaling")
    assert run.candidate == "my_net.py:f"
    assert run.screens[0].word == "WRONG GRADIENTS"
    assert run.screens[0].card[1:3] == (("By hand", "x = 1"), ("", "dC/dW = 2"))
    assert run.verdict["verdict"] == "disagrees"
    assert run.environment["command"] == "backproof check"
    assert run.smallest == "print(1)"
    assert run.table("checks").num_rows == 4
    assert run.table("faults").num_rows == 0
    assert run.table("faults").column_names == list(TABLES["faults"].names)
    assert read_run(write("other")).smallest == ""


def test_what_is_no_report_is_named(tmp_path: Path):
    """A place where nothing is, a file, and a folder of something else."""
    with pytest.raises(ReportError, match=r"^.*/nothing is not there: a report is the directory that `backproof check"):
        read_run(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match="/file is a file: a report is the directory"):
        read_run(tmp_path / "file")
    with pytest.raises(ReportError, match=r"is no report of ours: it has no environment\.json\. Name the directory"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("screen.json", None, r"has no screen.json: Backproof 0.1.0 wrote it otherwise. Write it again: backproof"),
        ("screen.json", {"schema": 7}, "has schema 7, and this version reads schema 1: Backproof 0.1.0 wrote it"),
        ("screen.json", {"schema": 1}, "is damaged: screens must be a list. Write the report again, by the command"),
        ("screen.json", {"schema": 1, "screens": ["x"]}, "is damaged: a screen is an object"),
        ("screen.json", {"schema": 1, "screens": [{}]}, "is damaged: candidate must be a text"),
        ("screen.json", {"schema": 1, "screens": [], "notes": [], "told": [["x"]]}, "told must be pairs of texts"),
        ("screen.json", "[1]", "is damaged: no JSON object"),
        ("screen.json", "{", "is damaged: no JSON \\("),
        ("screen.json", b"\xff", "is damaged: 'utf-8' codec"),
        ("checks.parquet", None, "is damaged: checks.parquet is missing"),
        ("verdict.json", None, "is damaged: verdict.json is missing"),
        ("strata.parquet", None, "is damaged: strata.parquet is missing"),
        ("checks.parquet", b"PAR1", "checks.parquet is damaged: "),
    ],
)
def test_what_is_damaged_is_named(write, name, content, why):
    """Which file, what is wrong with it, and how to have it again."""
    place = write()
    if content is None:
        (place / name).unlink()
    else:
        text = json.dumps(content) if isinstance(content, dict) else content
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ReportError, match=why):
        read_run(place)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda found: found.drop_columns(["note", "verdict"]), "has no column verdict, note: Backproof 9.9 wrote it"),
        (lambda found: found.append_column("mood", pa.nulls(len(found), pa.string())), "has a column mood: Backproof"),
        (lambda found: found.set_column(0, "case", pa.array(range(len(found)))), "has other types: Backproof"),
    ],
)
def test_tables_of_another_version_are_named(write, change, why):
    """By what is missing in them or beside it, with the version that wrote them."""
    place = write(packages={"backproof": "9.9"}, command=None)
    parquet.write_table(change(parquet.read_table(place / "checks.parquet")), place / "checks.parquet")
    with pytest.raises(ReportError, match=f"checks.parquet {why}.*otherwise. Write it again$"):
        read_run(place)


def test_a_table_that_ends_early_is_damaged(write):
    """What its head promises is not there; it is found when it is read."""
    place = write()
    whole = (place / "strata.parquet").read_bytes()
    middle = bytearray(whole)
    middle[8:80] = bytes(72)
    (place / "strata.parquet").write_bytes(middle)
    with pytest.raises(ReportError, match=re.escape("strata.parquet is damaged")):
        read_run(place).table("strata")
