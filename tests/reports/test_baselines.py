"""Baselines as files: written and read back, or explained."""

from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest

from backproof.reports.baselines import FINEST, VERDICTS, Baseline, BaselineError, Row, allowed, read_baseline

ROW = Row(
    key=("activation", "relu", "", "float64"),
    cases=3,
    verdicts={"agree": 20, "kink": 1},
    observed=0.1,
    allowed=0.25,
    worst_case="1-1,relu,mse,mean,n1,f64,normal,s1,bias=0",
)
BASELINE = Baseline(
    candidate="my_net.py:loss_and_gradients",
    cases=3,
    seed=0,
    reference="torch",
    torch="2.13.0",
    backproof="0.1.0",
    domain='{"losses": ["mse", "l1"]}',
    networks="00ff",
    rows=(ROW, replace(ROW, key=("loss", "mse", "mean", "float64"), observed=None, worst_case="")),
)


@pytest.mark.parametrize(
    ("observed", "wanted"),
    [(0.1, 0.25), (0.124, 0.25), (0.125, 0.5), (0.126, 0.5), (0.3, 1.0), (0.9, 1.0), (1e-9, FINEST), (0.0, FINEST),
     (inf, 1.0), (nan, 1.0)],
)  # fmt: skip
def test_allowed_is_the_next_power_of_two_above_twice_the_observed(observed: float, wanted: float):
    """At most 1, the bound itself, and at least a thousandth of it."""
    assert allowed(observed) == wanted


def test_a_baseline_reads_back(tmp_path: Path):
    """Every field, with observed to three digits; the same baseline makes the same text."""
    path = tmp_path / "baseline.csv"
    path.write_text(BASELINE.text())
    found = read_baseline(path, command="make")
    full = {word: ROW.verdicts.get(word, 0) for word in VERDICTS}
    assert found == replace(BASELINE, rows=tuple(replace(row, verdicts=full) for row in BASELINE.rows))
    assert found.text() == BASELINE.text()
    assert found.rows[1].name == "loss mse mean float64"


def test_allowed_may_be_edited_by_hand(tmp_path: Path):
    """In any editor, with the line ends of any system."""
    path = tmp_path / "baseline.csv"
    path.write_bytes(BASELINE.text().replace(",0.1,0.25,", ",0.1,0.125,").replace("\n", "\r\n").encode())
    assert read_baseline(path, command="make").rows[0].allowed == 0.125


def test_a_missing_baseline_comes_with_the_command_that_makes_one(tmp_path: Path):
    """And a directory is none."""
    with pytest.raises(BaselineError, match=r"^there is no baseline .*none.csv. Make one, and commit it:\n    make$"):
        read_baseline(tmp_path / "none.csv", command="make")
    with pytest.raises(BaselineError, match=r"is a directory; a baseline is one CSV file$"):
        read_baseline(tmp_path, command="make")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BaselineError, match=r"cannot be read: Not a directory$"):
        read_baseline(tmp_path / "file" / "none.csv", command="make")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# backproof baseline", "stratum,name", "is no baseline of ours, and stays as it is"),
        ("# schema: 1", "# schema: 2", r"has schema 2, written by Backproof 0\.1\.0; this version reads schema 1"),
        ("# seed: 0\n", "", r"is damaged: no line '# seed: \.\.\.'. Mend the line, or delete the file .*\n    make"),
        ("# cases: 3", "# cases: many", "is damaged: cases must be a whole number, at least 1; got 'many'"),
        ("# reference: torch", "# reference: jax", "reference must be torch or exact; got 'jax'"),
        ("stratum,name", "name,stratum", "line 11 must name the columns stratum,name,reduction"),
        (",0.1,0.25,", ",0.1,2,", "line 12: allowed is above 0 and at most 1, .* got 2"),
        (",0.1,0.25,", ",0.1,nan,", "line 12: allowed is above 0 and at most 1, .* got nan"),
        (",0.1,0.25,", ",0.1,x,", "line 12: allowed must be a number; got 'x'"),
        (",0.1,0.25,", ",0.25,", "line 12: zip"),
        ("activation,relu,,float64,3", "activation,relu,,float64,-3", "line 12: cases must be a whole number"),
        ("activation,relu,,float64", "loss,mse,mean,float64", "line 13: loss mse mean float64 stands there twice"),
        ("loss,mse", "losses,mse", "line 13: stratum must be activation or loss; got 'losses'"),
    ],
)  # fmt: skip
def test_a_damaged_foreign_or_newer_baseline_is_explained(tmp_path: Path, old: str, new: str, message: str):
    """With the line that is wrong, and what to do."""
    text = BASELINE.text()
    assert old in text
    path = tmp_path / "baseline.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(BaselineError, match=message):
        read_baseline(path, command="make")


def test_what_is_no_text_is_no_baseline(tmp_path: Path):
    """Nor is one without strata."""
    path = tmp_path / "baseline.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BaselineError, match="is no baseline of ours"):
        read_baseline(path, command="make")
    path.write_text(replace(BASELINE, rows=()).text())
    with pytest.raises(BaselineError, match="is damaged: it has no stratum"):
        read_baseline(path, command="make")
