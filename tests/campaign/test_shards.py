"""One shard: the same cases and rows for the same task, whoever does it."""

from dataclasses import replace
from pathlib import Path

import pytest

from backproof.campaign.shards import REPEAT_EVERY, Task, examine_shard, rows_of
from backproof.candidates.loading import load
from backproof.cases import NetworkSpec
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.judging.verdicts import Check, Verdict, whole_call
from backproof.reports.columns import TABLES

SMALL = Domain(depth=(1, 2), width=(1, 4), batch_size=(1, 4), activations=("tanh", "relu"), losses=("mse", "linear"))
TASK = Task(candidate="scratch", domain=SMALL, seed=5, shard=2, count=30, keep=True)
SPEC = NetworkSpec.parse("3-4-2,leaky_relu=0.2-tanh,mse,mean,n5,f32,normal,s7")


def test_task_draws_from_seed_and_shard_or_takes_ids():
    """Ids stand for themselves."""
    assert TASK.specs() == sample_specs(SMALL, seed=5, shard=2, count=30)
    assert replace(TASK, ids=(SPEC.id,)).specs() == [SPEC]


def test_task_is_portable_where_its_candidate_has_a_text():
    """An object that was handed over stays in this process."""
    (scratch,) = load("scratch")
    assert replace(TASK, candidate=scratch).portable() == TASK
    (function,) = load(lambda network, x, y: None)
    assert replace(TASK, candidate=function).portable() is None


def test_task_takes_its_candidates_seconds_along(tmp_path: Path):
    """What another process finds again by its text is waited for as long as here."""
    path = tmp_path / "net.py"
    path.write_text("def loss_and_gradients(network, x, y):\n    while True: pass\n")
    (endless,) = load(str(path), timeout=0.05)
    task = replace(TASK, candidate=endless, domain=endless.domain, count=1).portable()
    assert (task.candidate, task.timeout) == (f"{path}:loss_and_gradients", 0.05)
    assert "interrupted after 0.05 s" in examine_shard(task).checks["note"].to_pylist()[0]


def test_shard_has_a_row_for_each_check():
    """As many as were counted, with the columns that are declared; no discrepancies where all agrees."""
    shard = examine_shard(TASK)
    assert shard.checks.num_rows == shard.tally.verdicts.total()
    assert shard.checks.column_names == list(TABLES["checks"].names)
    assert len(set(shard.checks["case"].to_pylist())) == 30 == shard.tally.cases
    assert shard.discrepancies is None
    assert not shard.interrupted


def test_shard_is_the_same_every_time():
    """Tally and rows."""
    first, second = examine_shard(TASK), examine_shard(TASK)
    assert first.checks.equals(second.checks)
    assert list(first.tally.rows()) == list(second.tally.rows())
    other = examine_shard(replace(TASK, shard=3))
    assert set(first.checks["case"].to_pylist()).isdisjoint(other.checks["case"].to_pylist())


def test_shard_keeps_no_rows_unless_asked():
    """Counts are enough for the screen."""
    shard = examine_shard(replace(TASK, keep=False))
    assert shard.checks is None
    assert shard.tally.cases == 30


class Zero:
    """Wrong everywhere, and counts its calls."""

    name = "zero"
    domain = SMALL
    calls = 0

    def answer(self, case):
        self.calls += 1
        answer = load("scratch")[0].answer(case)
        return replace(answer, deltas=None, weights=tuple(weight * 0.0 + 7.0 for weight in answer.weights))


def test_shard_sets_apart_what_does_not_agree():
    """Discrepancies are rows of checks; what is merely not offered is none."""
    shard = examine_shard(replace(TASK, candidate=Zero(), count=5))
    assert set(shard.discrepancies["verdict"].to_pylist()) == {"disagree"}
    assert "not_offered" in shard.checks["verdict"].to_pylist()
    rows = shard.checks.to_pylist()
    assert [row for row in rows if row["verdict"] == "disagree"] == shard.discrepancies.to_pylist()


def test_shard_calls_again_every_so_often():
    """Two further calls each time, and two with whole numbers once."""
    candidate = Zero()
    examine_shard(replace(TASK, candidate=candidate, count=REPEAT_EVERY + 1))
    assert candidate.calls == REPEAT_EVERY + 1 + 2 * 2 + 2


def test_shard_tells_its_progress_and_can_be_stopped():
    """After every case; what is done is kept."""
    told = []
    shard = examine_shard(replace(TASK, candidate=Zero()), lambda *done: told.append(done), lambda: len(told) == 3)
    assert told == [(1, 1), (2, 2), (3, 3)]
    assert shard.interrupted
    assert shard.tally.cases == 3
    assert len(set(shard.checks["case"].to_pylist())) == 3


def test_shard_survives_ctrl_c_in_the_middle_of_a_case():
    """The case under way is lost, and no other."""

    class Stuck(Zero):
        def answer(self, case):
            if self.calls == 7:
                raise KeyboardInterrupt
            return super().answer(case)

    shard = examine_shard(replace(TASK, candidate=Stuck()))
    assert shard.interrupted
    assert shard.tally.cases == 3  # the first case called four times more


@pytest.mark.parametrize(
    ("check", "shape", "index"),
    [
        (
            Check("weight", 2, "output", (2, 4), 8, 8, Verdict.AGREE, 0, 0.0, 1.0, 0.0, (1, 3), 1.0, 1.0, None, ""),
            "2x4",
            "1,3",
        ),
        (Check("loss", None, "", (), 1, 1, Verdict.AGREE, 0, 0.0, 1.0, 0.0, (), 1.0, 1.0, None, ""), "scalar", None),
        (whole_call(Verdict.ERROR, "no"), None, None),
    ],
    ids=["array", "scalar", "call"],
)
def test_rows_are_written_as_people_read_them(check: Check, shape: str | None, index: str | None):
    """2x4 and 1,3; empty cells for nothing."""
    (row,) = rows_of("me", SPEC, (check,))
    named = dict(zip(TABLES["checks"].names, row, strict=False))
    assert TABLES["checks"].names[len(row) :] == ("equation", "diagnosis"), "which are filled in at the end of a run"
    assert (named["shape"], named["worst_index"]) == (shape, index)
    assert (named["case"], named["candidate"], named["depth"], named["widths"]) == (SPEC.id, "me", 2, "3-4-2")
    assert (named["activations"], named["loss"], named["dtype"]) == ("leaky_relu=0.2-tanh", "mse", "float32")
    assert (named["quantity"], named["layer"]) == (check.quantity, check.layer)
    assert (named["verdict"], named["note"]) == (check.verdict, check.note)
    assert named["bound"] == check.bound
