"""`backproof faults` from the outside: what it prints, what it writes, how it ends."""

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from backproof.cli import app
from backproof.diagnosis import confusion
from backproof.diagnosis.confusion import Trial
from backproof.diagnosis.faults import FAULTS
from backproof.reports.columns import TABLES

RIGHT = Trial(
    faults=("bias_zero",), equation="BP3", tried=20, differ=12, found=12, caught={"bias": 12}, named=("bias_zero",)
)
EQUIVALENT = Trial(faults=("derivative_at_a",), equation="BP1", tried=600, differ=0, found=0)
AMONG = Trial(
    faults=("bias_negated",), equation="BP3", tried=20, differ=12, found=11, undecided=1, named=("bias_of_ones",),
    also_fits=("bias_negated",),
)  # fmt: skip
PAIR = Trial(faults=("bias_zero", "loss_halved"), equation="BP3+loss", tried=30, differ=12, found=12)
WRONG = Trial(faults=("bias_zero",), equation="BP3", tried=20, differ=12, found=12, named=("bias_negated",))
MISSED = Trial(faults=("bias_zero",), equation="BP3", tried=20, differ=12, found=11, named=("bias_zero",))


def run(*arguments: str) -> Result:
    """`backproof faults ARGUMENTS` in this process."""
    return CliRunner().invoke(app, ["faults", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def trials(monkeypatch):
    """Lets the trials of single faults and of pairs come out as they are given."""

    def come_out(*singles, pairs=()):
        monkeypatch.setattr(confusion, "alone", lambda fault, *, seed: next(left))
        monkeypatch.setattr(confusion, "in_pairs", lambda count, *, seed: iter(pairs[:count]))
        left = iter(singles)

    return come_out


def test_one_fault_is_planted_found_and_named(tmp_path):
    """The whole of it, for one fault: the matrix on stdout, the table where it is asked for, exit code 0."""
    done = run("bias_zero", "--report", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "named rightly, alone or among equals: 1 of 1; wrongly: 0" in done.stdout
    table = pd.read_csv(tmp_path / "out" / "faults.csv")
    assert list(table.columns) == [column.name for column in TABLES["faults"].columns]
    row = table.loc[0].to_dict()
    assert (row["faults"], row["equation"], row["named"], row["broken"]) == ("bias_zero", "BP3", "bias_zero", "BP3")
    assert (row["differ"], row["missed"]) == (12, 0)
    assert (tmp_path / "out" / "faults.parquet").exists()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "named rightly, alone or among equals: 1 of 1; wrongly: 0" in page
    assert "bias_zero" in page


def test_a_report_is_replaced_and_nothing_else(trials, tmp_path):
    """The second run takes the place of the first; what is no report of ours is told before anything is planted."""
    for _ in range(2):
        trials(RIGHT)
        assert run("bias_zero", "--report", str(tmp_path / "out")).exit_code == 0
    trials()
    taken = run("bias_zero", "--report", str(tmp_path))
    assert (taken.exit_code, taken.stdout) == (2, "")
    assert "is no report of ours: it stays as it is" in taken.stderr


def test_matrix_counts_by_equation_and_lists_what_is_not_named_alone(trials):
    """A row for each equation, one for the pairs; each fault that is not named rightly alone; the sum."""
    trials(RIGHT, AMONG, EQUIVALENT, pairs=(PAIR,))
    done = run("bias_zero", "bias_negated", "derivative_at_a", "--pairs", "1")
    assert done.exit_code == 0
    matrix, rest = done.stdout.split("planted faults by the quantity")
    killed, named = rest.split("planted faults (rows)")
    assert ["BP3", "0", "0", "1", "0", "0", "0"] in [line.split() for line in killed.splitlines()]
    assert "\u2026" not in matrix  # every column is as wide as its name
    rows = {line.split()[0]: line.split()[1:] for line in matrix.splitlines() if line.strip()}
    # faults, networks, found, undecided, missed, rightly, among equals, wrongly, unexplained, equivalent
    assert rows["BP3"] == ["2", "24", "23", "1", "0", "1", "1", "0", "0", "0"]
    assert rows["BP1"] == ["1", "0", "0", "0", "0", "0", "0", "0", "0", "1"]
    assert rows["pairs"] == ["1", "12", "12", "0", "0", "0", "0", "0", "1", "0"]
    lines = named.splitlines()
    assert [line.split() for line in lines if line.split()[:1] in (["planted"], ["BP3"], ["BP1"])] == [
        ["planted", "BP3", "equivalent"], ["BP3", "2"], ["BP1", "1"],
    ]  # fmt: skip
    assert "among equals  bias_negated: named bias_of_ones; equally bias_negated" in lines
    assert "equivalent    derivative_at_a" in lines
    assert "unexplained   bias_zero + loss_halved" in lines
    assert lines[-1] == "named rightly, alone or among equals: 2 of 3; wrongly: 0"


@pytest.mark.parametrize("bad", [WRONG, MISSED], ids=["named wrongly", "missed"])
def test_defect_of_the_check_ends_with_exit_code_1(trials, bad):
    """A wrong name, or wrong numbers that were called right."""
    trials(bad)
    assert run("bias_zero").exit_code == 1


def test_every_fault_is_planted_where_none_is_named(trials):
    """The whole catalogue, each of them once."""
    trials(*[RIGHT] * len(FAULTS))
    done = run()
    assert done.exit_code == 0
    assert f"named rightly, alone or among equals: {len(FAULTS)} of {len(FAULTS)}" in done.stdout


def test_unknown_fault_names_the_closest():
    """A misspelt name is told, with the live one and where to find all."""
    done = run("bias_zer")
    assert done.exit_code == 2
    told = " ".join(done.stderr.replace("\u2502", " ").split())
    assert "no fault 'bias_zer'. Did you mean 'bias_zero'?" in told
    assert f"`backproof explain` lists all {len(FAULTS)}." in told
    assert "Did you mean" not in run("xyzzy").stderr


def test_report_that_cannot_be_written_ends_with_exit_code_2(trials, tmp_path):
    """A file stands where the directory should be: one sentence on stderr."""
    trials(RIGHT)
    (tmp_path / "out").write_text("mine")
    done = run("bias_zero", "--report", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert done.stderr.startswith("backproof: ")
