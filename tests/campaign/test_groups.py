"""Failing networks, grouped by what is wrong in them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from backproof.campaign import groups as module
from backproof.campaign.groups import groups
from backproof.campaign.shards import Task, examine_shard
from backproof.candidates.contract import Answer
from backproof.candidates.loading import load
from backproof.cases.domain import Domain
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.hypotheses import Hypothesis, singles

DOMAIN = Domain(
    depth=2, width=2, batch_size=(1, 2), activations="tanh", losses=("mse", "linear"), biases="always", dtypes="float64"
)


class Several:
    """Bias gradients of the wrong sign under mse; under linear weight gradients 1 too large: that has no name."""

    name = "several"
    domain = replace(DOMAIN, reductions="sum")

    def answer(self, case) -> Answer:
        right = load("scratch")[0].answer(case)
        plain = Answer(loss=right.loss, weights=right.weights, biases=right.biases)
        if case.spec.loss.name == "mse":
            return replace(plain, biases=tuple(-bias for bias in right.biases))
        return replace(plain, weights=tuple(weight + 1.0 for weight in right.weights))


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_each_group_is_named_and_made_small_by_itself():
    """What the whole run does not explain may be plain in one of its parts."""
    candidate = Several()
    shard = examine_shard(Task(candidate=candidate, domain=candidate.domain, seed=1, shard=0, count=12, truth="exact"))
    findings = diagnose(candidate, shard.tally.failing_specs(), domain=candidate.domain, truth="exact")
    found = groups(candidate, shard.tally, findings, domain=candidate.domain, truth="exact")
    assert {group.faults for group in found} == {("bias_negated",), ()}
    assert sum(group.cases for group in found) == 12
    for group in found:
        loss = "mse" if group.faults else "linear"
        assert all(f",{loss}," in case for case in (*group.examples, group.shown))
        assert group.row("all")[0] == (" + ".join(group.faults) or None)
        assert group.row("where")[0] is None
        assert group.row("where")[1] == ("bias output" if group.faults else "weight output")


class Faulty(Several):
    """Two planted faults, each under one of the losses."""

    def __init__(self, **hypotheses: Hypothesis) -> None:
        self.hypotheses = hypotheses

    def answer(self, case) -> Answer:
        return self.hypotheses[case.spec.loss.name].answer(case)


def planted(name: str) -> Hypothesis:
    """A fault of the catalogue, everywhere."""
    return next(each for each in singles() if each.names == (name,) and each.plants[0].position == "all")


@pytest.mark.parametrize("asked", [0, 48])
def test_kinds_are_asked_which_mistake_gives_their_numbers(asked: int, monkeypatch: pytest.MonkeyPatch):
    """Each one alone, then all together; what nobody asks any more goes by its first quantity."""
    monkeypatch.setattr(module, "ASKED", asked)
    monkeypatch.setattr(module, "smallest", lambda *_: None)
    monkeypatch.setattr(module, "diagnose", lambda *_, **__: SimpleNamespace(named=False, shown=None))
    mse, linear = planted("bias_negated"), planted("weight_doubled")
    candidate = Faulty(mse=mse, linear=linear)
    shard = examine_shard(Task(candidate=candidate, domain=candidate.domain, seed=1, shard=0, count=12, truth="exact"))
    best = Hypothesis((*mse.plants, *linear.plants))
    findings = SimpleNamespace(hypothesis=best, named=True, diagnoses=(), shown=None)
    found = module.groups(candidate, shard.tally, findings, domain=candidate.domain, truth="exact")
    names = {("bias_negated",), ("weight_doubled",)} if asked else {()}
    assert {group.faults for group in found} == names
    assert {group.places for group in found} == {(("bias", "output"),), (("weight", "output"),)}
    assert all(group.shown == group.examples[0] for group in found)
    assert sum(group.cases for group in found) == 12


def test_what_is_named_and_cannot_be_asked_is_one_group():
    """A state, say: no hypothesis gives its numbers."""
    candidate = Faulty(mse=planted("bias_negated"), linear=planted("weight_doubled"))
    shard = examine_shard(Task(candidate=candidate, domain=candidate.domain, seed=1, shard=0, count=6, truth="exact"))
    shown = SimpleNamespace(case=SimpleNamespace(spec=SimpleNamespace(id="small")))
    state = SimpleNamespace(fault="updates_on_call")
    findings = SimpleNamespace(hypothesis=None, named=True, diagnoses=(state,), shown=shown)
    (group,) = module.groups(candidate, shard.tally, findings, domain=candidate.domain, truth="exact")
    assert (group.faults, group.cases, group.shown) == (("updates_on_call",), 6, "small")
