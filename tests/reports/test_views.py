"""Tables as the page shows them."""

from math import inf, nan

import pytest

from backproof.reports.measures import measured
from backproof.reports.tables import table
from backproof.reports.views import Cell, digits, named, pairs_view, ratio, spreads_view, view, whole


def test_cells_have_what_they_are_sorted_by(small):
    """A number in full beside its three digits, nothing where there is none; columns without content are left out."""
    found = view(
        table("strata", small.strata), "strata",
        ("name", "reduction", "dtype", "kinks", "worst_error_over_bound", "worst_case"), mark="m", caption="c",
    )  # fmt: skip
    assert [head.label for head in found.columns] == [
        "name", "reduction", "dtype", "kinks", "worst error / bound", "worst network",
    ]  # fmt: skip
    assert found.columns[4].look == "number"
    assert found.columns[4].meaning == "largest error / bound of a quantity"
    name, _, _, kinks, worst, case = found.rows[0]
    assert name == Cell(text="relu")
    assert kinks == Cell(text="0", value="0", look="number")
    assert worst == Cell(text="40", value="40.0", look="number bad")
    assert case.look == "code"
    assert found.rows[2][4] == Cell(text="", value="", look="number")
    assert [head.label for head in view(table("strata", []), "strata", ("name", "kinks"), mark="m", caption="").columns]


def test_verdicts_look_like_what_they_say(small):
    """What fails, what agrees, and what says nothing; the error of the latter is not held against the candidate."""
    rows = [small.check(small.deep, "loss", verdict, 7.0) for verdict in ("agree", "reference_wrong", "disagree")]
    found = view(table("checks", rows), "checks", ("verdict", "error_over_bound", "seed"), mark="m", caption="")
    assert [row[0].look for row in found.rows] == ["good", "open", "bad"]
    assert [row[1].look for row in found.rows] == ["number", "number", "number bad"]
    assert found.rows[0][2].text == "1"


def test_layers_stand_beside_their_quantities(small):
    """As one reads them."""
    assert named(table("checks", small.checks))["quantity"].to_pylist() == ["loss", "weight 2", "weight 1", "loss"]


def test_plots_have_their_tables(small):
    """The same numbers for those who do not see them."""
    measures = measured(table("checks", small.checks).to_batches(), table("pairs", small.pairs))
    pairs = pairs_view(measures)
    assert [cell.text for cell in pairs.rows[1]] == ["relu", "mse", "1", "3", "40"]
    assert [cell.text for cell in pairs.rows[2]] == ["tanh", "l1", "0", "0", ""]
    depths = spreads_view("layers", measures.by_depth, mark="d")
    assert [[cell.text for cell in row] for row in depths.rows] == [["2", "3", "0", "0.25", "40", "40"]]
    assert depths.folded == "By layers, as a table"


@pytest.mark.parametrize(
    ("number", "text"), [(0.0, "0"), (1e-20, "1e-20"), (12345.0, "1.23e+04"), (inf, "∞"), (-inf, "−∞"), (nan, "nan")]
)
def test_digits_are_three(number, text):
    """Which is what a reader takes in."""
    assert digits(number) == text


def test_what_has_no_order_is_sorted_as_nothing():
    """A NaN, and a number that is not there."""
    assert ratio(nan).value == ""
    assert ratio(None) == Cell(text="", value="", look="number")
    assert ratio(inf) == Cell(text="∞", value="inf", look="number bad")
    assert whole(1234) == Cell(text="1,234", value="1234", look="number")
