"""How many rows are kept: the first of each sort, whatever the shards are."""

from dataclasses import replace

import pytest

from backproof.campaign import limits
from backproof.campaign.limits import full, left_out, within_limits
from backproof.campaign.shards import Task, examine_shard
from backproof.campaign.tally import Tally
from backproof.candidates.loading import load
from backproof.cases.domain import Domain

SMALL = Domain(
    depth=(1, 3), width=2, batch_size=1, activations="tanh", losses=("mse", "linear"), dtypes="float64", biases="always"
)


class Wrong:
    """Every bias gradient is one too large."""

    name = "wrong"
    domain = SMALL

    def answer(self, case):
        answer = load("scratch")[0].answer(case)
        return replace(answer, biases=tuple(bias + 1.0 for bias in answer.biases), deltas=None, inputs=None)


def shards(*, count: int, several: int):
    """So many shards, and the tally before each."""
    tally = Tally()
    for number in range(several):
        task = Task(candidate=Wrong(), domain=SMALL, seed=3, shard=number, count=count, truth="exact", keep=True)
        shard = examine_shard(replace(task, whole=False, full=full(tally)))
        yield tally, shard
        tally.merge(shard.tally)


def test_discrepancies_are_those_of_the_first_networks_of_each_sort(monkeypatch: pytest.MonkeyPatch):
    """Every row of these networks, none of later ones, and the number of those that are left out."""
    monkeypatch.setattr(limits, "ENOUGH", 7)
    cases: dict[tuple[str, str, str], set[str]] = {}
    rows = []
    for before, shard in shards(count=8, several=4):
        if shard.discrepancies is None:  # full before it began
            continue
        rows += within_limits(shard.discrepancies, before, shard.tally).to_pylist()
        tally = before  # of all shards, in the end
    for row in rows:
        cases.setdefault((row["quantity"], row["position"], row["loss"]), set()).add(row["case"])
    met = {sort[1:]: count for sort, count in tally.sorts.items()}
    assert max(met.values()) > 7 > min(met.values())
    assert {sort: len(ids) for sort, ids in cases.items()} == {sort: min(count, 7) for sort, count in met.items()}
    assert {sort[1:]: count for sort, count in left_out(tally).items()} == {
        sort: count - 7 for sort, count in met.items() if count > 7
    }
    assert {row[1:3] for row in limits.rows(tally)} == {("bias", "first"), ("bias", "hidden"), ("bias", "output")}


def test_few_discrepancies_are_kept_as_they_are():
    """The same object, without a look at its rows."""
    for before, shard in shards(count=5, several=2):
        assert within_limits(shard.discrepancies, before, shard.tally) is shard.discrepancies
        assert shard.checks is None
        assert not full(before)
