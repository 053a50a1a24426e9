"""Strategies and sampler produce cases that are valid and varied; and these checks can fail."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings

from backproof.cases import ACTIVATIONS, DTYPES, LOSSES, REDUCTIONS, Domain, NetworkSpec, build_case, sample_specs
from backproof.cases.fillings import FILLINGS
from backproof.cases.formula import target_kind, variants
from backproof.cases.strategies import cases, specs
from backproof.cases.targets import TARGETS

ENOUGH = 1000
ATTEMPTS = 4
"""How often a strategy may draw so many more: Hypothesis takes numbers from the modules that happen to be loaded."""
DRAWN = tuple(name for name, filling in FILLINGS.items() if filling.inputs is None)
WIDE = Domain(values=DRAWN, penalties="mixed")


def drawn(strategy, start, count=ENOUGH):
    """`count` examples as @given draws them."""
    examples = []

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example):
        examples.append(example)

    collect()
    return examples


def what_is_missing(some):
    """Everything that specs of the default domain may have and `some` have not, in words."""
    have = {
        "activations": {activation.name for spec in some for activation in spec.activations},
        "output activations": {spec.activations[-1].name for spec in some},
        "losses": {spec.loss.name for spec in some},
        "reductions": {spec.reduction for spec in some},
        "dtypes": {spec.dtype for spec in some},
        "values": {spec.values for spec in some},
        "targets": {target_kind(spec.loss) for spec in some},
        "biases": {"all" if all(b) else "some" if any(b) else "none" for b in (spec.biases for spec in some)},
        "depths": {spec.depth for spec in some},
        "penalties": {spec.penalty is not None for spec in some},
        "widths": {width for spec in some for width in spec.widths},
        "N against O": {np.sign(spec.batch_size - spec.outputs).item() for spec in some},
        "neighbours": {a == b for spec in some for a, b in zip(spec.widths, spec.widths[1:], strict=False)},
        "layers alike": {len(set(spec.activations)) == 1 for spec in some if spec.depth > 1},
    }
    wanted = {
        "activations": set(ACTIVATIONS),
        "output activations": set(ACTIVATIONS),
        "losses": set(LOSSES),
        "reductions": set(REDUCTIONS),
        "dtypes": set(DTYPES),
        "values": set(DRAWN),
        "targets": set(TARGETS),
        "biases": {"all", "some", "none"},
        "depths": set(range(1, 7)),
        "penalties": {True, False},
        "widths": set(range(1, 17)),
        "N against O": {-1, 0, 1},
        "neighbours": {True, False},
        "layers alike": {True, False},
    }
    return {f"{what}: {one}" for what in wanted for one in wanted[what] - have[what]}


def by_strategy(domain, missing):
    """What even several draws of Hypothesis miss."""
    some = []
    for start in range(ATTEMPTS):
        some += drawn(specs(domain), start)
        if not missing(some):
            break
    return missing(some)


def by_sampler(domain, missing):
    """What the sampler, which draws the same every time, misses."""
    return missing(sample_specs(domain, seed=0, shard=0, count=ENOUGH))


SOURCES = {"strategy": by_strategy, "sampler": by_sampler}


@pytest.mark.parametrize("source", SOURCES)
def test_specs_are_varied(source):
    """Every activation, also as output, every loss, reduction, dtype, filling, bias mix, depth and width is drawn."""
    assert SOURCES[source](WIDE, what_is_missing) == set()


@pytest.mark.parametrize(
    ("narrow", "missing"),
    [
        (Domain(values=DRAWN, penalties="mixed", activations="relu", output_activations=tuple(ACTIVATIONS)), None),
        (Domain(values=DRAWN, penalties="mixed", losses=[n for n in LOSSES if n != "huber"]), "losses: huber"),
        (Domain(values=DRAWN, penalties="mixed", reductions=("sum", "mean")), "reductions: none"),
        (Domain(values=DRAWN, penalties="mixed", dtypes="float64"), "dtypes: float32"),
        (Domain(values=DRAWN, penalties="mixed", biases="always"), "biases: some"),
        (Domain(values=DRAWN, penalties="mixed", depth=(2, 6)), "depths: 1"),
        (Domain(values=DRAWN, penalties="none"), "penalties: True"),
        (Domain(values=("normal", "ones"), penalties="mixed"), "values: integers"),
    ],
    ids=["one hidden activation", "a loss", "a reduction", "a dtype", "biases", "a depth", "penalties", "a filling"],
)
def test_the_check_of_variety_can_fail(narrow, missing):
    """Positive control: a domain that lacks something is found to lack it, and only that kind of thing."""
    found = by_sampler(narrow, what_is_missing)
    if missing is None:
        # Every activation still stands in the output layer, so only likeness of layers could be missing, and is not.
        assert found == set()
    else:
        assert missing in found
        assert {one.partition(":")[0] for one in found} == {missing.partition(":")[0]}


def variants_missing(some):
    """The values of parameters, other than the defaults, that some specs have not."""
    activations = {activation for spec in some for activation in spec.activations}
    losses = {spec.loss.name for spec in some if spec.loss.id != spec.loss.name}
    wanted = {formula for name in ACTIVATIONS for formula in variants(name)}
    return (wanted - activations) | ({name for name, entry in LOSSES.items() if entry.parameters} - losses)


@pytest.mark.parametrize("source", SOURCES)
def test_every_variant_is_drawn(source):
    """Each parameter's other values are drawn, of activations and of losses."""
    assert SOURCES[source](Domain(), variants_missing) == set()


def test_losses_without_parameters_have_no_variant():
    """What is drawn of them is spelled as their name."""
    for spec in sample_specs(Domain(), seed=0, shard=0, count=ENOUGH):
        assert (spec.loss.id == spec.loss.name) or LOSSES[spec.loss.name].parameters


@given(specs(WIDE))
def test_specs_are_valid(spec):
    """A drawn spec is in its domain and survives being written and read."""
    assert WIDE.why_not(spec) is None
    assert NetworkSpec.parse(spec.id) == spec


@given(cases(WIDE))
def test_cases_are_valid(case):
    """A drawn case has finite numbers everywhere, and its arrays fit together."""
    a = case.x
    for weight, bias in zip(case.weights, case.biases, strict=True):
        assert np.isfinite(weight).all()
        assert bias is None or np.isfinite(bias).all()
        a = a @ weight.T
    assert a.shape == (case.spec.batch_size, case.spec.outputs)
    assert np.isfinite(case.x).all()
    assert np.isfinite(case.y).all()


def kinks_hit(values):
    """How many of 200 cases have a first-layer z that is exactly zero, where both x and W are not all zero."""
    domain = Domain(values=values, dtypes="float64", activations="relu", losses="mse")
    hit = 0
    for spec in sample_specs(domain, seed=0, shard=0, count=200):
        case = build_case(spec)
        bias = case.biases[0]
        z = case.x @ case.weights[0].T + (0.0 if bias is None else bias)
        hit += bool((z == 0).any() and case.x.any() and case.weights[0].any())
    return hit


def test_integers_hit_kinks():
    """The filling `integers` puts preactivations exactly on relu's kink in most networks."""
    assert kinks_hit("integers") > 100


def test_normal_numbers_do_not_hit_kinks():
    """Positive control: the normal filling never does, so that the count above counts something."""
    assert kinks_hit("normal") == 0


def test_integers_tie_targets():
    """In the filling `integers` an identity network's output equals its real target now and then: a kink of l1."""
    domain = Domain(values="integers", activations="identity", losses="l1", depth=1, dtypes="float64")
    tied = 0
    for spec in sample_specs(domain, seed=0, shard=0, count=100):
        case = build_case(spec)
        bias = case.biases[0]
        tied += bool((case.x @ case.weights[0].T + (0.0 if bias is None else bias) == case.y).any())
    assert tied > 50


def test_specs_shrink_to_the_smallest_network():
    """What fails everywhere is shown on one neuron: identity, one sample, float64."""
    smallest = find(specs(Domain()), lambda spec: True, settings=settings(database=None, derandomize=True))
    assert smallest.id == "1-1,identity,half_squared_error,sum,n1,f64,normal,s0"


def test_specs_shrink_one_thing_at_a_time():
    """What fails for wide, biasless relu layers is shown on a small network that has just that."""
    smallest = find(
        specs(WIDE),
        lambda spec: spec.outputs >= 2 and spec.activations[-1].name == "relu" and not spec.biases[-1],
        settings=settings(database=None, derandomize=True, max_examples=5 * ENOUGH),
    )
    assert smallest.widths[-1] == 2
    assert smallest.depth == 1
    assert smallest.batch_size == 1
    assert smallest.values == "ones"
    assert smallest.loss.name == "half_squared_error"
