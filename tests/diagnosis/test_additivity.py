"""Batch additivity: what shows only in a batch is told from what a single sample shows already."""

import numpy as np
import pytest

from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.diagnosis.additivity import BATCHES, LARGEST_BATCH, Additivity, additive
from backproof.diagnosis.evidence import Inquiry
from backproof.scratch import Backprop

NETWORKS = ("3-4-2,tanh-sigmoid,mse,sum,n5,f64,normal,s1", "2-3,sigmoid,mse,mean,n3,f64,normal,s2")


class BiasAveraged(Backprop):
    """db averaged over the batch."""

    def bias_gradient(self, delta, layer):
        return delta.mean(axis=0)


class WeightOfFirst(Backprop):
    """dW of the first sample alone."""

    def weight_gradient(self, delta, layer):
        return np.outer(delta[0], layer.inputs[0])


class EverythingAveraged(Backprop):
    """Everything divided by N once more."""

    def loss_gradient(self, a, y, objective):
        return super().loss_gradient(a, y, objective) / len(a)


class SlopeMissing(Backprop):
    """Wrong with one sample already, and nothing more with several."""

    def output_delta(self, loss_gradient, layer):
        return loss_gradient


@pytest.fixture(scope="module")
def apart(handwritten):
    """(Backprop, ids, domain) -> what is additive."""

    def found(backprop, texts=NETWORKS, domain=None):
        inquiry = Inquiry(handwritten(backprop, Domain(penalties="mixed") if domain is None else domain))
        return additive(inquiry, [inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in texts])

    return found


@pytest.mark.parametrize(
    ("backprop", "broken"),
    [(BiasAveraged, {"bias"}), (WeightOfFirst, {"weight"}), (SlopeMissing, set()), (Backprop, set())],
)
def test_what_is_no_sum_of_its_samples_is_broken(apart, backprop, broken):
    """The quantity whose batch is wrong, and not what is wrong with one sample already."""
    assert apart(backprop) == Additivity(frozenset(broken), tested=True)


def test_one_factor_on_everything_is_uniform(apart):
    """Dividing by N once more is no matter of the sum, but of the scale: 1/N in each batch."""
    found = apart(EverythingAveraged)
    assert found.broken == {"weight", "bias"}
    assert found.uniform
    assert [number for number, _ in found.ratios] == [5, 3]
    assert [round(number * ratio, 9) for number, ratio in found.ratios] == [1.0, 1.0]
    assert not apart(BiasAveraged).uniform


def test_one_factor_in_some_batches_only_is_not_uniform(apart):
    """A batch whose entries have no common factor spoils it."""

    class Sometimes(Backprop):
        def bias_gradient(self, delta, layer):
            return delta.mean(axis=0) if len(delta) == 3 else super().bias_gradient(delta, layer)

        def weight_gradient(self, delta, layer):
            return super().weight_gradient(delta, layer) / (3.0 if len(delta) == 3 else 1.0)

    found = apart(Sometimes)
    assert found.broken == {"weight", "bias"}
    assert [number for number, _ in found.ratios] == [5, 3]  # as it should be, and a third
    assert apart(BiasAveraged).ratios == ()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_network_is_additive_under_every_reduction(apart, dtype):
    """All losses, penalties, layers without biases; by candidates that take single samples, and that do not."""
    for batch_size in ((1, LARGEST_BATCH), 4):
        domain = Domain(
            depth=(1, 2),
            width=(1, 5),
            batch_size=batch_size,
            dtypes=dtype,
            penalties="mixed",
            values=("normal", "ones"),
        )
        for spec in sample_specs(domain, seed=5, shard=0, count=18):
            found = apart(Backprop, (spec.id,), domain)
            assert found.broken == set(), spec.id
            assert found.repeated == (found.tested and batch_size == 4)


def test_what_cannot_be_taken_apart_is_not_tested(apart):
    """Single samples, large batches, answers that cannot be read."""

    class Scalar(Backprop):
        def bias_gradient(self, delta, layer):
            return delta.sum()

    untested = Additivity(frozenset(), tested=False)
    assert apart(Backprop, ("2-3,tanh,mse,sum,n1,f64,normal,s1",)) == untested
    assert apart(Backprop, (f"2-3,tanh,mse,sum,n{LARGEST_BATCH + 1},f64,normal,s1",)) == untested
    assert apart(Scalar) == untested


def test_sample_without_a_share_in_the_loss_leaves_its_batch_untested(apart):
    """The mean over no target at all is NaN: such a sample cannot be asked about by itself."""
    domain = Domain(losses="nll", reductions="mean", batch_size=8, output_activations="log_softmax", depth=1)
    ignoring = next(
        spec.id
        for spec in sample_specs(domain, seed=0, shard=0, count=200)
        if (build_case(spec).y == spec.loss.options["ignore_index"]).any()
    )
    assert not apart(Backprop, (ignoring,)).tested


def test_only_so_many_batches_are_taken_apart(handwritten):
    """More would say the same, and cost a call for every sample."""
    candidate = handwritten(Backprop, Domain())
    inquiry = Inquiry(candidate)
    texts = [f"2-3,tanh,mse,sum,n2,f64,normal,s{seed}" for seed in range(BATCHES + 3)]
    exhibits = [inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in texts]
    before = len(candidate.asked)
    assert additive(inquiry, exhibits).tested
    assert len(candidate.asked) - before == 2 * BATCHES


def test_numbers_that_are_not_finite_have_no_common_factor(apart):
    """Infinite gradients are the sum of infinite ones, or not: no ratio either way."""

    class Infinite(Backprop):
        def weight_gradient(self, delta, layer):
            return np.full_like(layer.weight, np.inf if len(delta) > 1 else 1.0)

    found = apart(Infinite)
    assert found.broken == {"weight"}
    assert found.ratios == ()
