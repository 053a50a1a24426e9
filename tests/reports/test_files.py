"""Report directories: whole or not at all, and the same bytes for the same tables."""

import json
from math import inf, nan
from pathlib import Path

import pandas as pd
import pytest

from backproof.reports import ReportError, files
from backproof.reports.columns import TABLES
from backproof.reports.files import (
    ENVIRONMENT,
    TableWriter,
    report_directory,
    write_data_dictionary,
    write_json,
    write_table,
)
from backproof.reports.tables import table

ROW = ("mse", 'id,"1"', 7, 9, "sum / mean", 63.0, "N*O", 0.1, 1e-7, "agree", "")
OLD, NEW = (json.dumps({"packages": {"backproof": version}}) for version in ("0.1.0", "0.2.0"))
EMPTY = ("l1", "id2", 7, 9, "sum / mean", inf, "N*O", nan, None, "error", "")


def content(directory: Path) -> dict[str, bytes]:
    """Every file by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_directory_appears_when_all_is_written(tmp_path: Path):
    """Until then there is nothing at its place; afterwards there is nothing beside it."""
    place = tmp_path / "deep" / "report"
    with report_directory(place) as fresh:
        (fresh / ENVIRONMENT).write_text("{}")
        assert not place.exists()
        assert fresh.parent == place.parent
    assert content(place) == {ENVIRONMENT: b"{}"}
    assert [path.name for path in place.parent.iterdir()] == ["report"]
    assert place.stat().st_mode & 0o555 == 0o555


def test_directory_is_not_there_when_writing_fails(tmp_path: Path):
    """An exception leaves nothing behind."""

    def write_half() -> None:
        with report_directory(tmp_path / "report") as fresh:
            (fresh / "half").write_text("x")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_an_older_report_is_replaced_only_by_a_complete_one(tmp_path: Path):
    """It stays while a new one is written, and if that fails."""
    place = tmp_path / "report"
    with report_directory(place) as fresh:
        (fresh / ENVIRONMENT).write_text(OLD)
    with pytest.raises(KeyError), report_directory(place) as fresh:
        raise KeyError
    assert content(place) == {ENVIRONMENT: OLD.encode()}
    with report_directory(place) as fresh:
        (fresh / ENVIRONMENT).write_text(NEW)
        assert content(place) == {ENVIRONMENT: OLD.encode()}
    assert content(place) == {ENVIRONMENT: NEW.encode()}
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("older", [True, False], ids=["the older one", "the new one"])
def test_an_older_report_is_there_if_it_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
):
    """Neither it nor the new one may be moved, as where something is mounted there; nothing is left beside it."""
    place = tmp_path / "report"
    with report_directory(place) as fresh:
        (fresh / ENVIRONMENT).write_text(OLD)
    rename = Path.rename

    def busy(self: Path, target: Path) -> Path:
        if self == place if older else self.name.startswith(".report.") and target == place:
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(ReportError, match="Device or resource busy"), report_directory(place) as fresh:
        (fresh / ENVIRONMENT).write_text(NEW)
    monkeypatch.undo()
    assert content(place) == {ENVIRONMENT: OLD.encode()}
    assert list(tmp_path.iterdir()) == [place]


def test_an_older_report_is_back_after_a_kill_in_the_middle(tmp_path: Path):
    """The next one that is written there finds it, whatever then comes of that; what was in its way is removed."""
    place = tmp_path / "re[p]ort"
    aside = tmp_path / ".re[p]ort.old.abc"
    for there, content_then in ((False, OLD.encode()), (True, NEW.encode())):
        (aside / place.name).mkdir(parents=True)
        (aside / place.name / ENVIRONMENT).write_text(OLD)
        if there:
            (place / ENVIRONMENT).write_text(NEW)
        with pytest.raises(KeyError), report_directory(place):
            raise KeyError
        assert content(place) == {ENVIRONMENT: content_then}
        assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_report_stays_as_it_is(tmp_path: Path, kind: str):
    """--report . must not cost anybody a folder."""
    place = tmp_path / "precious"
    if kind == "file":
        place.write_text("x")
    else:
        place.mkdir()
        (place / "thesis.tex").write_text("x")
    with (
        pytest.raises(ReportError, match="exists and is no report of ours: it stays as it is"),
        report_directory(place),
    ):
        pytest.fail("the block must not run")
    assert place.exists()


def test_an_empty_folder_may_be_filled(tmp_path: Path):
    """Somebody made it for this."""
    (tmp_path / "report").mkdir()
    with report_directory(tmp_path / "report") as fresh:
        (fresh / ENVIRONMENT).write_text("{}")
    assert content(tmp_path / "report") == {ENVIRONMENT: b"{}"}


def test_a_place_where_nothing_can_be_written_is_said_before_the_run(tmp_path: Path):
    """A file where a folder is needed."""
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ReportError, match=r"cannot write a report at .*report: (Not a directory|File exists)"),
        report_directory(tmp_path / "file" / "report"),
    ):
        pytest.fail("the block must not run")


def test_tables_read_back_as_they_were(tmp_path: Path):
    """CSV and Parquet, with quotes, commas, infinities and empty cells."""
    write_table(tmp_path, "scaling", table("scaling", [ROW, EMPTY]))
    for read in (pd.read_csv(tmp_path / "scaling.csv"), pd.read_parquet(tmp_path / "scaling.parquet")):
        assert list(read.columns) == list(TABLES["scaling"].names)
        assert read["case"].tolist() == ['id,"1"', "id2"]
        assert read["gradient_ratio"].tolist()[0] == 1e-7
        assert read["gradient_ratio"].isna().tolist() == [False, True]
        assert read["expected"].tolist() == [63.0, inf]


def test_parts_make_the_bytes_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However the rows came, and whenever they were written out."""
    parts = [table("scaling", [ROW]), table("scaling", []), table("scaling", [EMPTY, ROW])]
    for name, groups in (("whole", [table("scaling", [ROW, EMPTY, ROW])]), ("parts", parts)):
        (tmp_path / name).mkdir()
        with TableWriter(tmp_path / name, "scaling") as writer:
            for part in groups:
                writer.write(part)
    assert content(tmp_path / "whole") == content(tmp_path / "parts")
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    (tmp_path / "grouped").mkdir()
    with TableWriter(tmp_path / "grouped", "scaling") as writer:
        for part in parts:
            writer.write(part)
    assert content(tmp_path / "grouped")["scaling.csv"] == content(tmp_path / "whole")["scaling.csv"]
    assert pd.read_parquet(tmp_path / "grouped" / "scaling.parquet").equals(
        pd.read_parquet(tmp_path / "whole" / "scaling.parquet")
    )


def test_json_has_one_form(tmp_path: Path):
    """Sorted keys, and no NaN that JSON does not know."""
    write_json(tmp_path, "a.json", {"b": 1, "a": [1.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1.5, None], "b": 1}
    assert (tmp_path / "a.json").read_text().index('"a"') < (tmp_path / "a.json").read_text().index('"b"')
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path, "b.json", {"a": nan})


def test_data_dictionary_names_every_column(tmp_path: Path):
    """Generated from the declaration, so that it cannot lag behind."""
    write_data_dictionary(tmp_path)
    text = (tmp_path / "columns.md").read_text()
    for name, entry in TABLES.items():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(f"| {column.name} | {column.kind} | {column.meaning} |" in section for column in entry.columns)
