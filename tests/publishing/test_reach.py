"""Rows that fail get the broken equations that reach them; others get nothing."""

from pathlib import Path

import pandas as pd
import pytest

from backproof.diagnosis.diagnosis import RULES
from backproof.publishing.publication import complete
from backproof.publishing.reach import REACH, charge, charged
from backproof.reports.columns import TABLES
from backproof.reports.tables import table


def rows(*checks: tuple[str, str, str]):
    """Rows of checks of which verdict, quantity and position matter."""
    names = TABLES["checks"].names[:-2]
    empty = dict.fromkeys(names)
    made = [
        empty | {"verdict": verdict, "quantity": quantity, "position": place} for verdict, quantity, place in checks
    ]
    return table("checks", [tuple(row.values()) for row in made])


def broken(*found: tuple[str, str, str | None]):
    """The table equations with these mistakes, and an equation that holds."""
    lines = [(equation, "broken", position, fault, None, None, None, None) for equation, position, fault in found]
    return table("equations", [*lines, ("BP0", "holds", *[None] * 6)])


def test_every_equation_has_its_reach():
    """Those that the diagnosis speaks of, and no others."""
    assert set(REACH) == set(RULES)


@pytest.mark.parametrize(
    ("equation", "position", "reached"),
    [
        ("BP3", "output", {"bias output"}),
        ("BP3", "all", {"bias output", "bias hidden", "bias first"}),
        ("BP4", "hidden", {"weight hidden"}),
        ("BP2", "first", {"delta first", "bias first", "weight first", "input "}),
        ("loss", "all", {"loss "}),
    ],
)
def test_a_mistake_reaches_what_is_computed_from_it(equation, position, reached):
    """Its own layer alone, or everything below the place where it was made."""
    places = [(quantity, place) for quantity in ("delta", "bias", "weight") for place in ("output", "hidden", "first")]
    places += [("loss", ""), ("input", "")]
    found = charged(rows(*(("disagree", *place) for place in places)), broken((equation, position, "slug")))
    named = [" ".join(place) for place, name in zip(places, found["equation"].to_pylist(), strict=True) if name]
    assert set(named) == reached
    assert {name for name in found["diagnosis"].to_pylist() if name} == {"slug"}


def test_a_wrong_delta_reaches_every_gradient():
    """But not the loss, which is computed before."""
    found = charged(rows(("disagree", "loss", ""), ("disagree", "weight", "output"), ("disagree", "input", "")),
                    broken(("BP1", "all", "slug")))  # fmt: skip
    assert found["equation"].to_pylist() == [None, "BP1", "BP1"]
    below = charged(
        rows(("disagree", "weight", "output"), ("disagree", "weight", "first")), broken(("BP2", "hidden", None))
    )
    assert below["equation"].to_pylist() == [None, "BP2"]
    assert below["diagnosis"].to_pylist() == [None, None]


def test_several_mistakes_are_joined():
    """Where each of them reaches a row; a mistake that is found twice stands there once."""
    found = charged(
        rows(("shape", "bias", "output")), broken(("BP3", "output", "a"), ("BP3", "all", "a"), ("BP1", "all", "b"))
    )
    assert (found["equation"][0].as_py(), found["diagnosis"][0].as_py()) == ("BP3 + BP1", "a + b")


def test_what_does_not_fail_is_charged_to_nothing():
    """Nor anything where nothing is broken."""
    kinds = rows(("agree", "bias", "output"), ("kink", "bias", "output"), ("undecided", "bias", "output"))
    assert charged(kinds, broken(("BP3", "all", "a")))["equation"].null_count == 3
    wrong = rows(("disagree", "bias", "output"))
    assert charged(wrong, broken()) is wrong
    assert charged(rows(), broken(("BP3", "all", "a"))).num_rows == 0


def test_tables_on_disk_are_charged(tmp_path: Path):
    """Both of them, as CSV and Parquet, whole; nothing is left beside them, and nothing happens without equations."""
    from backproof.reports.files import write_table

    found = rows(("disagree", "bias", "output"), ("agree", "loss", ""))
    for name in ("checks", "discrepancies"):
        write_table(tmp_path, name, found)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    charge(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_table(tmp_path, "equations", broken(("BP3", "all", "slug")))
    charge(tmp_path)
    for name in ("checks", "discrepancies"):
        written = pd.read_csv(tmp_path / f"{name}.csv")
        assert written["equation"].fillna("").tolist() == ["BP3", ""]
        assert pd.read_parquet(tmp_path / f"{name}.parquet")["diagnosis"].fillna("").tolist() == ["slug", ""]
    assert set(before) | {"equations.csv", "equations.parquet"} == {path.name for path in tmp_path.iterdir()}


def test_a_run_ends_with_charged_rows_and_a_page(tmp_path: Path):
    """From a candidate with a mistake: every failing row has the equation and the name, the others have none."""
    from backproof.cases.domain import Domain
    from backproof.diagnosis.faults import BY_NAME
    from backproof.diagnosis.faults.planting import Plant, Planted
    from backproof.route import check

    domain = Domain(depth=(1, 2), width=(1, 3), batch_size=(1, 3), activations="sigmoid", losses="half_squared_error",
                    reductions="sum", dtypes="float64", biases="always")  # fmt: skip
    wrong = Planted([Plant(BY_NAME["derivative_at_upstream"])], domain)
    report = check(wrong, domain, cases=12, report=tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "checks.csv")
    for found in (written, report.checks):
        failing = found["verdict"] == "disagree"
        assert failing.any()
        assert set(found.loc[failing, "diagnosis"]) == {"derivative_at_upstream"}
        assert set(found.loc[failing, "equation"]) == {"BP1"}
        assert found.loc[~failing, "equation"].isna().all()
    assert report.discrepancies["equation"].eq("BP1").all()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "backproof explain derivative_at_upstream" in page
    complete(tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_text() == page
