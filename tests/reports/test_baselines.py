"""Baselines as files: written and read back, or explained."""

from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest

from backproof.reports.baselines import (
    FINEST,
    VERDICTS,
    Baseline,
    BaselineError,
    Row,
    Verdicts,
    allowed,
    read_baseline,
)

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
    verdicts=Verdicts(
        usual={"loss": "agree", "weight": "agree", "input": "not_offered"},
        unusual={2: {"weight.1": "kink", "loss": "kink", "input": "agree"}},
    ),
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


def test_verdicts_are_said_in_few_words():
    """The usual one of each kind of quantity, and each that differs; what a call got is none of the usual ones."""
    found = {
        0: {"loss": "agree", "weight.1": "agree", "weight.2": "undecided"},
        1: {"loss": "agree", "weight.1": "agree"},
        2: {"call": "unsupported"},
        3: {"call": "unsupported"},
    }
    verdicts = Verdicts.among(found)
    assert dict(verdicts.lines()) == {
        "usual": "agree loss weight",
        "case 0": "undecided weight.2",
        "case 2": "unsupported call",
        "case 3": "unsupported call",
    }
    assert {case: {name: verdicts.of(case, name) for name in words} for case, words in found.items()} == found
    assert verdicts.of(1, "call") == verdicts.of(1, "bias.1") == "agree"


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
        ("# schema: 2", "# schema: 3", r"has schema 3, written by Backproof 0\.1\.0; this version reads schema 2"),
        ("# schema: 2", "# schema: 1", r"has schema 1, in which verdicts were only counted, .*anew:\n    make"),
        ("# usual: agree loss", "# others: agree loss", r"is damaged: no line '# usual: \.\.\.'"),
        ("# case 2: agree input", "# case x: agree input", "is damaged: a case must be a whole number, at least 0; g"),
        ("kink loss", "kinks loss", r"is damaged: a verdict in the line '# case 2: \.\.\.' must be agree or .* got 'k"),
        ("not_offered input", "", r"is damaged: a verdict in the line '# usual: \.\.\.' must be agree or .*; got ''"),
        ("# seed: 0\n", "", r"is damaged: no line '# seed: \.\.\.'. Mend the line, or delete the file .*\n    make"),
        ("# cases: 3", "# cases: many", "is damaged: cases must be a whole number, at least 1; got 'many'"),
        ("# reference: torch", "# reference: jax", "reference must be torch or exact; got 'jax'"),
        ("stratum,name", "name,stratum", "line 13 must name the columns stratum,name,reduction"),
        (",0.1,0.25,", ",0.1,2,", "line 14: allowed is above 0 and at most 1, .* got 2"),
        (",0.1,0.25,", ",0.1,nan,", "line 14: allowed is above 0 and at most 1, .* got nan"),
        (",0.1,0.25,", ",0.1,x,", "line 14: allowed must be a number; got 'x'"),
        (",0.1,0.25,", ",0.25,", "line 14: wanted 1. cells, as many as columns; got 1."),
        (",0.1,0.25,", ",-1,0.25,", "line 14: observed must be empty or at least 0; got -1"),
        ("# cases: 3", "# cases: 99999999999999999999", "its strata count 6 cases in all, and the line '# cases"),
        ("activation,relu,,float64,3", "activation,relu,,float64,4", "activation relu float64 has 4 cases of 3"),
        ("activation,relu,,float64,3", "activation,relu,,float64,-3", "line 14: cases must be a whole number"),
        ("activation,relu,,float64", "loss,mse,mean,float64", "line 15: loss mse mean float64 stands there twice"),
        ("loss,mse", "losses,mse", "line 15: stratum must be activation or loss; got 'losses'"),
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
