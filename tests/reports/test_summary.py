"""The Markdown summary."""

from backproof.reports.summary import summary
from backproof.reports.tables import table

AGREES = ("loss", "mse", "mean", "float64", 7, 70, 0, 0, 0, 0.5, 0.01, "id1")
FAILS = ("activation", "relu", None, "float32", 7, 70, 3, 0, 0, 9.0, 0.01, "id2")


def test_summary_shows_the_screen_and_the_nearest_strata():
    """The largest error / bound first; nothing about disagreement where there is none."""
    rows = [AGREES, ("loss", "l1", "mean", "float64", 7, 70, 0, 0, 0, 0.75, 0.01, "id1")]
    text = summary("scratch   against\nAGREES\n", table("strata", rows), table("scaling", []))
    assert text.startswith("# Backproof\n\n```text\nscratch   against\nAGREES\n```\n")
    assert "disagree\n" not in text
    assert text.index("| loss | l1 ") < text.index("| loss | mse ")
    assert "divides by" not in text


def test_summary_lists_failing_strata_first():
    """Those with a disagreement, and what a reduction divides by."""
    scaling = [("mse", "id", 7, 9, "sum / mean", 63.0, "N*O", 63.0, 63.0, "agree", "")]
    text = summary("", table("strata", [AGREES, FAILS]), table("scaling", scaling))
    failing = text.partition("## Strata that disagree")[2].partition("##")[0]
    assert "relu" in failing
    assert "mse" not in failing
    assert "| mse | 7 | 9 | sum / mean | 63 | N*O | 63 | 63 | agree |" in text


def test_single_failures_stand_behind_the_screen():
    """Each under its own title, as text whatever it holds; strata only where there are any."""
    told = [("test_net.py::test_a", "wrong\n```\n"), ("two\nlines", "again")]
    text = summary("one\n", table("strata", []), table("scaling", []), told=told)
    assert text == (
        "# Backproof\n\n```text\none\n```\n\n"
        "## test_net.py::test_a\n\n````text\nwrong\n```\n````\n\n"
        "## two lines\n\n```text\nagain\n```\n"
    )
