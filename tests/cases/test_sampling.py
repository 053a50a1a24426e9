"""Samples of a domain: reproducible, even over the strata, and honest about what they covered."""

from collections import Counter
from itertools import islice

import pytest

from backproof.cases import Coverage, Domain, sample_specs
from backproof.cases.sampling import iterate_specs


def test_sample_specs_repeats():
    """Domain, seed and shard decide; a longer sample begins with the shorter one; specs have seeds of their own."""
    specs = sample_specs(Domain(), seed=1, shard=2, count=300)
    assert specs == sample_specs(Domain(), seed=1, shard=2, count=300)
    assert specs[:10] == sample_specs(Domain(), seed=1, shard=2, count=10)
    assert specs == list(islice(iterate_specs(Domain(), seed=1, shard=2), 300))
    assert len({spec.seed for spec in specs}) == 300
    others = sample_specs(Domain(), seed=1, shard=3, count=300) + sample_specs(Domain(), seed=2, shard=2, count=300)
    assert not {spec.id for spec in specs} & {spec.id for spec in others}


def test_sample_specs_does_not_change_with_the_machine_or_version():
    """The first networks of seed 0, written down once."""
    assert [spec.id for spec in sample_specs(Domain(), seed=0, shard=0, count=3)] == [
        "15-4,tanh,linear,batchmean,n8,f64,normal,s23671665,bias=0",
        "1-7-8-3-6-10,softshrink-logsigmoid-gelu=tanh-softsign-log_softmax,nll=weighted,mean,n31,f32,normal,s78107426,bias=01011",
        "11-12-2-10-16,softshrink=1-tanh-sigmoid-sigmoid,categorical_cross_entropy,sum,n22,f64,normal,s32543187",
    ]


@pytest.mark.parametrize("count", [1000, 1234])
def test_losses_are_even_to_within_one(count):
    """(loss, reduction, dtype) differ by at most one in how often they come."""
    strata = Coverage(sample_specs(Domain(), seed=0, shard=0, count=count)).strata()
    losses = [number for stratum, number in strata.items() if len(stratum) == 3]
    assert sum(losses) == count
    assert max(losses) - min(losses) <= 1


def test_activations_of_hidden_layers_are_even():
    """By dtype, elementwise activations of hidden layers differ by at most one in how often they are drawn."""
    specs = sample_specs(Domain(), seed=0, shard=0, count=1000)
    for dtype in ("float64", "float32"):
        met = Counter(f.name for spec in specs if spec.dtype == dtype for f in spec.activations[:-1])
        assert len(met) == 22
        assert max(met.values()) - min(met.values()) <= 1


def test_parameters_depths_and_sizes_are_even():
    """The variants of a formula, depths and batch sizes come equally often too."""
    specs = sample_specs(Domain(), seed=0, shard=0, count=960)
    for counts in (
        Counter(spec.depth for spec in specs),
        Counter(spec.batch_size for spec in specs),
        Counter(f.id for spec in specs for f in spec.activations if f.name == "threshold"),
        Counter(spec.loss.id for spec in specs if spec.loss.name == "poisson_nll"),
    ):
        assert max(counts.values()) - min(counts.values()) <= 1


def test_coverage_counts_specs():
    """An activation counts once a spec, in whichever layers; a loss once a spec."""
    domain = Domain(activations="relu", losses=("mse", "l1"), reductions="sum", dtypes="float64")
    coverage = Coverage(sample_specs(domain, seed=0, shard=0, count=7))
    strata = coverage.strata()
    assert strata[("relu", "float64")] == 7
    assert sorted(strata[(loss, "sum", "float64")] for loss in ("mse", "l1")) == [3, 4]
    assert list(strata) == [("relu", "float64"), ("l1", "sum", "float64"), ("mse", "sum", "float64")]
    assert coverage.missing(domain) == ()


def test_coverage_names_what_is_missing():
    """A sample too small for its domain says what it did not cover, and adding it helps."""
    domain = Domain(activations="relu", losses=("mse", "l1"), reductions="sum", dtypes="float64")
    specs = sample_specs(domain, seed=0, shard=0, count=2)
    coverage = Coverage(specs[:1])
    assert coverage.missing(domain) == ((specs[1].loss.name, "sum", "float64"),)
    coverage.add(specs[1])
    assert coverage.missing(domain) == ()


def test_a_thousand_networks_cover_every_stratum():
    """The default run leaves no stratum of the default domain out."""
    assert Coverage(sample_specs(Domain(), seed=0, shard=0, count=1000)).missing(Domain()) == ()
