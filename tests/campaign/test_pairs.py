"""Pairs: every one that a domain allows, and no other, is met when enough networks are drawn."""

from collections import Counter

import pytest

from backproof.campaign.pairs import Pair, allowed, never_met, pairs_of, rows
from backproof.cases import NetworkSpec
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs


def test_a_network_has_each_activation_with_its_loss():
    """An activation in two layers is one pair."""
    spec = NetworkSpec.parse("3-4-4-2,relu-tanh-relu,mse,mean,n5,f32,tiny,s2")
    assert pairs_of(spec) == [
        Pair("activation, loss", "relu", "mse"),
        Pair("activation, loss", "tanh", "mse"),
        Pair("filling, dtype", "tiny", "float32"),
        Pair("depth, reduction", "3", "mean"),
    ]


@pytest.mark.parametrize(
    "domain",
    [
        Domain(
            activations=("tanh", "relu", "softmax"), losses=("mse", "bce", "cross_entropy"), values=("normal", "ones")
        ),
        Domain(activations=("tanh", "softmax"), losses="mse", width=1, output_width=(1, 3)),
        Domain(activations=("tanh", "relu"), output_activations="sigmoid", losses=("mse", "bce"), depth=1),
        Domain(activations=("tanh", "softmax"), losses="mse", widths=(3, 1, 2)),
        Domain(activations=("tanh", "relu"), losses=("mse", "l1"), shapes=3),
    ],
    ids=["wide", "narrow", "shallow", "widths", "shapes"],
)
def test_what_is_allowed_is_what_can_be_met(domain: Domain):
    """Neither a pair that no network has, nor one less."""
    met = Counter(pair for spec in sample_specs(domain, seed=0, shard=0, count=600) for pair in pairs_of(spec))
    assert set(met) == set(allowed(domain))
    assert never_met(domain, met) == ()
    first = allowed(domain)[0]
    assert never_met(domain, Counter({pair: met[pair] for pair in met if pair != first})) == (first,)
    assert next(rows(domain, met)) == (*first, met[first])
    assert next(rows(domain, Counter()))[3] == 0
