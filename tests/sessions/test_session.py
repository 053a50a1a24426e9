"""The tables of a test session, from what its tests noted."""

import json
from math import inf, nan
from pathlib import Path

import pandas as pd
import pytest

from backproof.cases import NetworkSpec, build_case
from backproof.judging.verdicts import Verdict, whole_call
from backproof.reports import ReportError
from backproof.sessions.assertion import check_gradients
from backproof.sessions.session import Noted, packed, unpacked, write

CASES = ["3-2,tanh,mse,sum,n5,f64,normal,s1", "1-1,relu,linear,mean,n1,f32,ones,s2"]
RIGHT = [check_gradients("scratch", build_case(NetworkSpec.parse(case))) for case in CASES]


def test_what_is_packed_comes_back_as_it_was():
    """Also numbers that are none, infinities, and verdicts without numbers."""
    odd = RIGHT[0][0]._replace(max_abs_error=nan, bound=inf, verdict=Verdict.NON_FINITE)
    noted = [Noted(-1, 0, "a", CASES[0], RIGHT[0]), Noted(3, 1, "b", CASES[1], (odd, whole_call(Verdict.ERROR, "no")))]
    back = unpacked(packed(noted))
    assert repr(back) == repr(noted)
    assert back[0] == noted[0]


def test_tables_hold_each_finding_once_in_the_order_of_the_tests(tmp_path: Path):
    """Whoever told first; two candidates, and one that answers the same call in two ways, are kept apart."""
    other = tuple(check._replace(verdict=Verdict.DISAGREE) for check in RIGHT[0])
    noted = [
        Noted(2, 0, "one", CASES[0], RIGHT[0]),
        Noted(2, 1, "one", CASES[0], other),
        Noted(1, 9, "two", CASES[0], RIGHT[0]),
        Noted(1, 8, "one", CASES[1], RIGHT[1]),
        Noted(3, 7, "one", CASES[1], RIGHT[1]),
    ]
    place = tmp_path / "out"
    told = write(place, noted, failures={"test_it.py::test_one": "what was wrong"})
    assert told == f"one, two: wrong in 1 of 4 networks; tables in {place}"
    checks = pd.read_csv(place / "checks.csv")
    found = checks[["case", "candidate"]].drop_duplicates().to_numpy().tolist()
    assert found == [[CASES[1], "one"], [CASES[0], "two"], [CASES[0], "one"]]
    assert len(checks) == len(RIGHT[1]) + 3 * len(RIGHT[0])
    assert set(pd.read_csv(place / "discrepancies.csv")["verdict"]) == {"disagree"}
    strata = pd.read_csv(place / "strata.csv").set_index("name")
    assert strata.loc["tanh", ["cases", "disagreements"]].tolist() == [3, len(RIGHT[0])]
    assert pd.read_parquet(place / "checks.parquet").shape == checks.shape
    verdict = json.loads((place / "verdict.json").read_text())
    assert (verdict["candidate"], verdict["verdict"], verdict["cases"]) == ("one, two", "disagrees", 4)
    about = json.loads((place / "environment.json").read_text())
    assert {"pytest", "hypothesis", "torch"} <= set(about["packages"])
    summary = (place / "summary.md").read_text()
    assert "two   against PyTorch" in summary
    assert "1 network in a test session\nAGREES" in summary
    assert f"Again       backproof check one --case {CASES[0]}" in summary
    assert "## test_it.py::test_one\n\n```text\nwhat was wrong\n```" in summary
    assert sorted(path.name for path in place.iterdir()) == [
        "checks.csv", "checks.parquet", "columns.md", "discrepancies.csv", "discrepancies.parquet",
        "environment.json", "index.html", "junit.xml", "screen.json", "strata.csv", "strata.parquet", "summary.md",
        "verdict.json",
    ]  # fmt: skip


def test_what_died_with_a_worker_is_not_passed_over(tmp_path: Path):
    """What others told is written, and that something is missing."""
    told = write(tmp_path / "out", [Noted(0, 0, "one", CASES[0], RIGHT[0])], failures={}, lost=1)
    missing = "1 of the workers died: what their last tests checked is not in here"
    assert told == f"one: 1 network, none wrong; tables in {tmp_path / 'out'}; {missing}"
    assert missing in (tmp_path / "out" / "summary.md").read_text()


def test_a_place_that_is_taken_stays_as_it_is(tmp_path: Path):
    """Whole or not at all."""
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ReportError, match="is no report of ours"):
        write(tmp_path, [Noted(0, 0, "one", CASES[0], RIGHT[0])], failures={})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
