"""What is made from the files of a report directory."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from backproof.reports import ReportError
from backproof.reports.rendering import render

pytestmark = pytest.mark.usefixtures("quick")


def content(directory: Path) -> dict[str, bytes]:
    """Every file by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_a_report_is_made_again_to_the_byte(write):
    """Wherever it has been moved to."""
    place = write()
    before = set(content(place))
    written = render(place)
    assert [path.name for path in written] == ["index.html", "summary.md", "junit.xml"]
    made = content(place)
    assert set(made) == before | {"index.html", "summary.md", "junit.xml"}
    moved = place.rename(place.with_name("moved"))
    (moved / "index.html").unlink()
    (moved / "summary.md").write_text("edited")
    render(moved)
    assert content(moved) == made


def test_pictures_are_written_on_request(write):
    """Beside the page."""
    written = render(write(), png=True)
    assert [path.name for path in written[3:]] == ["coverage.png", "errors.png", "depth.png", "batch_size.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[3:])


def test_summary_and_tests_say_what_the_page_says(write, small):
    """The screens of all candidates, single failures, a test for each stratum and one for the run."""
    place = write(screens=[small.screen("one"), small.screen("two", text="two\nsays ``` so\n")])
    render(place)
    summary = (place / "summary.md").read_text()
    assert "````text\none   against PyTorch\nWRONG GRADIENTS in 1 of 2\n\ntwo\nsays ``` so\n````" in summary
    (suite,) = ET.fromstring((place / "junit.xml").read_bytes())  # noqa: S314  it was written above
    told = {case.get("name"): [child.tag for child in case] for case in suite}
    assert told == {
        "activation relu float64": ["failure"],
        "loss mse sum float64": ["failure"],
        "loss l1 mean float64": ["skipped"],
        "the whole run": ["failure"],
    }
    assert {case.get("classname") for case in suite} == {"one, two"}


def test_nothing_is_written_where_something_is_damaged(write):
    """The page that was there stays."""
    place = write()
    (place / "index.html").write_text("before")
    (place / "strata.parquet").write_bytes(b"x")
    with pytest.raises(ReportError, match="is damaged"):
        render(place)
    assert (place / "index.html").read_text() == "before"
    assert not (place / "summary.md").exists()
