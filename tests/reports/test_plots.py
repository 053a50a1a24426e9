"""Plots: the same bytes, no colour that does not know light from dark, and words for those who do not see them."""

import re
from math import inf
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from backproof.reports.measures import Measures, measured
from backproof.reports.plots import PRINTED, pictures, plots
from backproof.reports.tables import table


def figures(small, rows) -> Measures:
    """The figures of some rows."""
    return measured(table("checks", rows).to_batches(), table("pairs", small.pairs))


@pytest.fixture
def drawn(drawn_once):
    """The plots of the small run, by name."""
    return {plot.name: plot for plot in drawn_once}


def test_every_plot_is_an_element_with_words(drawn):
    """Well-formed, an image with a name to assistive technology, text as text, ids of its own."""
    assert list(drawn) == ["coverage", "errors", "depth", "batch_size"]
    ids = []
    for plot in drawn.values():
        root = ET.fromstring(plot.svg.replace("xlink:href", "href"))  # noqa: S314  it was drawn in the line above
        assert (root.get("role"), root.get("aria-label")) == ("img", plot.words)
        assert root.findall(".//text")
        ids += [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_no_colour_is_fixed(drawn):
    """Each is a variable of the page, but for what is not there at all; and no font is asked for."""
    for plot in drawn.values():
        colours = re.findall(r"(?:fill|stroke): ([^;\"]+)", plot.svg)
        assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none"}
        assert "#" not in re.sub(r"url\(#|href=\"#", "", plot.svg)
        assert "font-family" not in plot.svg


def test_the_same_figures_make_the_same_bytes(small, drawn):
    """Whatever somebody's own settings of the library are; these are left as they were."""
    with mpl.rc_context({"lines.linewidth": 9.0, "svg.hashsalt": "other", "font.size": 30}):
        again = plots(figures(small, small.checks))
        assert mpl.rcParams["font.size"] == 30
    assert list(again) == list(drawn.values())


def test_cells_say_what_they_stand_for(drawn):
    """What was met and how near the bound it came, what was not, and what could not be judged."""
    titles = re.findall(r"<title>(.*?)</title>", drawn["coverage"].svg)
    assert titles == [
        "relu, l1: 1 networks, nothing was judged",
        "relu, mse: 1 networks, worst error / bound 40",
        "tanh, l1: 0 networks, nothing was judged",
        "tanh, mse: 1 networks, worst error / bound 40",
    ]
    assert drawn["coverage"].words == (
        "Heatmap of activations (2) by losses (2): 3 of 4 pairs that there can be were met, 2 of them beyond the "
        "bound; the worst is tanh with mse, error / bound 40."
    )


def test_words_say_what_is_seen(drawn):
    """The numbers that a reader of the plot would take from it."""
    assert drawn["errors"].words == (
        "Histogram of error / bound on a logarithmic axis: 3 quantities, median 0.25, worst 40; 1 lie beyond 1."
    )
    assert drawn["batch_size"].words.endswith("the median is 0.25 at 3 and 0.25 at 3, the worst of all 40.")


def test_extremes_are_drawn_at_the_end(small):
    """Zero and infinity have bars of their own; many batch sizes have no marks."""
    rows = [small.check(f"1-1,relu,mse,sum,n{n},f64,normal,s1", "loss", ratio=n / 100) for n in range(1, 50)]
    rows += [small.check(small.deep, "loss", "disagree", ratio) for ratio in (1e-300, 0.0, 1e300, inf)]
    found = {plot.name: plot.svg for plot in plots(figures(small, rows))}
    assert ">∞<" in found["errors"]
    assert ">0<" in found["errors"]
    assert ">10¹⁶<" in found["errors"]
    assert len(found["batch_size"]) < 20_000


def test_hostile_names_stay_text(small):
    """In a cell's title, on an axis, and as mathematics that is none."""
    rows = [small.check("x", "loss") for _ in range(2)]
    rows = [(*row[:5], 'a</svg><script>"', "$\\frac{<b>", *row[7:]) for row in rows]
    (coverage, *_) = plots(figures(small, rows))
    assert "<script" not in coverage.svg
    assert "<b>" not in coverage.svg
    assert "a&lt;/svg&gt;&lt;script&gt;&quot;, $\\frac{&lt;b&gt;: 1 networks" in coverage.svg


def test_nothing_is_drawn_of_nothing(small):
    """Where nothing was judged there is no spread, and where nothing was met no heatmap."""
    assert plots(Measures()) == ()
    unjudged = figures(small, [small.check(small.deep, "loss", "undecided", None)])
    assert [plot.name for plot in plots(unjudged)] == ["coverage"]
    assert "error / bound 0." in plots(unjudged)[0].words


def test_pictures_are_the_same_plots(small):
    """PNG files, the same bytes twice, in the colours of a light page."""
    found = dict(pictures(figures(small, small.checks)))
    assert list(found) == ["coverage", "errors", "depth", "batch_size"]
    assert all(content.startswith(b"\x89PNG") for content in found.values())
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in PRINTED.values())
    assert next(pictures(figures(small, small.checks))) == ("coverage", found["coverage"])
