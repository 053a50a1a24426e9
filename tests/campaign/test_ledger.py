"""Counts as JSON: everything comes back as it was."""

import json
from dataclasses import replace
from math import inf

import pytest

from backproof.campaign import ledger
from backproof.campaign.shards import Task, examine_shard
from backproof.campaign.tally import Tally
from backproof.candidates.loading import load
from backproof.cases.domain import Domain

SMALL = Domain(depth=(1, 2), width=(1, 4), batch_size=(1, 4), activations=("tanh", "relu"), losses=("mse", "linear"))


class Odd:
    """Wrong by one in every second case, and infinite in some."""

    name = "odd"
    domain = SMALL

    def answer(self, case):
        answer = load("scratch")[0].answer(case)
        off = inf if case.spec.seed % 5 == 0 else case.spec.seed % 2
        return replace(answer, biases=tuple(None if bias is None else bias + off for bias in answer.biases))


@pytest.mark.parametrize("certify", [False, True])
def test_a_tally_comes_back_as_it_was(certify: bool):
    """Equal, and in the same order: ties are told in the order in which they were met."""
    domain = replace(SMALL, values=("normal", "tiny", "integers"))
    shard = examine_shard(
        Task(candidate=Odd(), domain=domain, seed=1, shard=0, count=30, truth="exact", certify=certify)
    )
    assert shard.tally.wrong_cases
    tally, certificate = ledger.read(ledger.written(shard.tally, shard.certificate))
    assert tally == shard.tally
    assert certificate == shard.certificate
    for name in ("reasons", "notes", "first_wrong", "by_quantity", "strata", "failing", "sorts", "pairs"):
        assert list(getattr(tally, name)) == list(getattr(shard.tally, name))
    merged, again = Tally(), Tally()
    merged.merge(shard.tally)
    again.merge(tally)
    assert list(merged.rows()) == list(again.rows())


def test_nothing_comes_back_as_nothing():
    """A tally of no case; and what is no tally is refused."""
    assert ledger.read(ledger.written(Tally(), None)) == (Tally(), None)
    with pytest.raises((KeyError, ValueError)):
        ledger.read(json.dumps({"cases": 1}))
