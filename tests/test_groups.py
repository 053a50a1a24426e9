"""Failing networks, grouped by what is wrong in them."""

from dataclasses import replace

from backproof.candidates.contract import Answer, load
from backproof.cases.domain import Domain
from backproof.diagnosis.diagnosis import diagnose
from backproof.groups import groups
from backproof.shards import Task, examine_shard

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
