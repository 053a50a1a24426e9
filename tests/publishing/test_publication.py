"""What is written of a finished run: in its directory, and in single files."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from backproof.cases.domain import Domain
from backproof.outcome import Report
from backproof.publishing.publication import complete, publish, screens, write_error, write_results, write_table
from backproof.reports.columns import TABLES
from backproof.reports.reading import read_run
from backproof.reports.tables import dtypes, frame
from backproof.route import check

SMALL = Domain(depth=(1, 2), width=(1, 3), batch_size=(1, 3), activations=("tanh", "relu"), losses="mse")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Report:
    """A run that agrees, with its directory."""
    return check("scratch", SMALL, cases=8, certify=True, report=tmp_path_factory.mktemp("run") / "out")


def test_tables_load_with_the_declared_types(finished: Report):
    """CSV and Parquet say the same, in the types that the declaration names, and so does the frame in memory."""
    for name in finished.tables:
        declared = dtypes(name)
        assert list(declared) == list(TABLES[name].names)
        read = pd.read_csv(finished.directory / f"{name}.csv", dtype=declared)
        assert read.dtypes.astype(str).to_dict() == declared
        kept = frame(read_run(finished.directory).table(name))
        # A text that is empty and one that is not there are the same in CSV.
        texts = [column for column, kind in declared.items() if kind == "string"]
        for found in (kept, finished.frame(name)):
            pd.testing.assert_frame_equal(
                found.fillna(dict.fromkeys(texts, "")), read.fillna(dict.fromkeys(texts, "")), check_exact=True
            )


def test_what_was_told_is_kept_as_data(finished: Report):
    """The verdict in a word, the facts line by line, and the whole screen."""
    run = read_run(finished.directory)
    (screen,) = run.screens
    assert (screen.candidate, screen.tone, screen.word) == ("scratch", "agrees", "AGREES")
    assert screen.headline.startswith("none of ")
    assert screen.card == ()
    assert dict(screen.facts)["Compared"].startswith("8 losses, ")
    assert screen.text == str(replace(finished, directory=None))
    assert run.verdict["verdict"] == "agrees"


def test_a_run_that_was_stopped_says_so(finished: Report, tmp_path: Path):
    """On its page as well as on the screen."""
    stopped = replace(finished, interrupted=True, cases=99)
    for name in ("checks", "discrepancies"):
        from backproof.reports.files import write_table as write

        write(tmp_path, name, finished.tables[name])
    publish(tmp_path, stopped, {"command": "backproof check"})
    complete(tmp_path)
    assert read_run(tmp_path).notes == ("Stopped after 8 of 99 networks: all of this is about these.",)
    assert '<p class="warning">Stopped after 8 of 99 networks' in (tmp_path / "index.html").read_text()


def test_single_files_are_those_of_the_directory(finished: Report, tmp_path: Path):
    """The same tests and the same summary, without a directory."""
    report = replace(finished, tables={}, directory=None)
    write_results(report, junit=tmp_path / "j.xml", summary=tmp_path / "s.md")
    assert (tmp_path / "j.xml").read_bytes() == (finished.directory / "junit.xml").read_bytes()
    assert (tmp_path / "s.md").read_text() == (finished.directory / "summary.md").read_text()
    write_results(report)
    (suite,) = ET.fromstring((tmp_path / "j.xml").read_bytes())  # noqa: S314  it was written above
    assert {case.get("name") for case in suite} >= {"activation tanh float64", "the whole run"}


def test_an_error_is_told_to_the_server(tmp_path: Path):
    """And what hinders that is returned."""
    told = {"suite": "backproof check", "candidate": "x.py", "error": ValueError("no such file")}
    assert write_error(None, None, **told) == ""
    assert write_error(tmp_path / "j.xml", tmp_path / "s.md", **told) == ""
    assert '<error message="no such file">' in (tmp_path / "j.xml").read_text()
    assert write_error(tmp_path, None, **told) == f"{tmp_path} is a directory: name a file"


def test_a_table_of_its_own_is_a_report(tmp_path: Path):
    """It has a page, can be made again, and says how it came about."""
    row = ("bias_zero", "BP3", *[1] * 4, *[None] * (len(TABLES["faults"].names) - 6))
    write_table(
        tmp_path / "out", "faults", [row], headline="one of one", text="one\n", command={"command": "c", "seed": 3}
    )
    run = read_run(tmp_path / "out")
    assert (run.tables, run.verdict, run.environment["seed"]) == (("faults",), {}, 3)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "faults.csv", "faults.parquet", "columns.md", "environment.json", "screen.json", "index.html",
    }  # fmt: skip
    page = (tmp_path / "out" / "index.html").read_text()
    assert "one of one" in page
    assert "<title>backproof faults – Backproof</title>" in page
    assert '<a href="faults.csv">' in page


def test_screens_hold_failures_in_their_order():
    """As a test session tells them."""
    content = json.loads(json.dumps(screens({"x": 1}, notes=["n"], failures={"b": "1", "a": "2"})))
    assert content == {"schema": 1, "screens": [{"x": 1}], "notes": ["n"], "told": [["b", "1"], ["a", "2"]]}
