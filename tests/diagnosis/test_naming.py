"""Naming: the planted fault is named, alone or among equals; what is in no catalogue has no name."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.diagnosis import naming
from backproof.diagnosis.evidence import Inquiry, gather
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.hypotheses import Hypothesis
from backproof.diagnosis.naming import Named, name
from backproof.scratch import Backprop

# The search itself is covered by the tests of the diagnosis.
pytestmark = pytest.mark.no_cover

ROOM = Domain(
    depth=(1, 4),
    width=(1, 6),
    batch_size=(1, 7),
    activations=("sigmoid", "tanh", "softplus"),
    losses=("mse", "half_squared_error"),
    reductions=("sum", "mean"),
    dtypes="float64",
)


@pytest.fixture(scope="module")
def named(failing):
    """(slugs, domain) -> what those planted faults are named."""

    def found(*slugs, domain=ROOM):
        plants = []
        for slug in slugs:
            rest, _, condition = slug.partition("?")
            fault, _, position = rest.partition("@")
            plants.append(Plant(BY_NAME[fault], position or "all", condition or None))
        candidate = Planted(plants, domain)
        inquiry = Inquiry(candidate)
        return name(inquiry, gather(inquiry, failing(candidate, 16)))

    return found


@pytest.mark.parametrize(
    "slug",
    [
        "derivative_at_upstream",
        "upstream_from_untransposed_weights",  # computes nothing where layers are not square
        "bias_summed_over_neurons",  # of a shape of its own
        "weight_from_next_sample",
        "gradient_over_batch",
    ],
)
def test_planted_fault_is_named_and_no_other(named, slug):
    """One of every kind of equation; nothing else gives these numbers on networks that tell."""
    assert [each.names for each in named(slug).hypotheses] == [(slug,)]


def test_faults_that_give_the_same_numbers_everywhere_are_listed_side_by_side(named):
    """With one loss that has no second term to forget, several names fit: the planted one is among them."""
    found = named("loss_gradient_exchanged", domain=Domain(losses="mse", activations="tanh", dtypes="float64"))
    names = {each.names for each in found.hypotheses}
    assert ("loss_gradient_exchanged",) in names
    assert len(names) > 1
    assert found.best is found.hypotheses[0]


@pytest.mark.parametrize("position", ["output", "first"])
def test_layers_that_a_fault_is_limited_to_are_named_with_it(named, position):
    """A slope that is missing in one place only."""
    best = named(f"derivative_missing@{position}").best
    assert [plant.slug for plant in best.plants] == [f"derivative_missing@{position}"]


@pytest.mark.parametrize(
    "slug",
    [
        "bias_negated?batch=1",
        "derivative_missing?outputs>1",
        "upstream_negated@equal_widths",
        "reduction_always_batchmean?mean",
        "gradient_times_outputs?mean",
    ],
)
def test_condition_of_a_fault_is_named_with_it(named, slug):
    """Right on other networks: the condition under which it shows is part of the name."""
    found = named(slug)
    assert slug in [plant.slug for each in found.hypotheses for plant in each.plants]
    assert {each.names for each in found.hypotheses} == {found.best.names}


@pytest.mark.parametrize(
    "slugs",
    [("derivative_at_a@hidden", "bias_averaged")],
)
def test_two_faults_of_different_equations_are_both_named(named, slugs):
    """Neither explains the numbers by itself."""
    best = named(*slugs).best
    assert {plant.slug for plant in best.plants} == set(slugs)


@pytest.mark.parametrize("slug", ["derivative_at_a", "bias_summed_over_everything"])
@pytest.mark.parametrize("condition", ["?mean", ""], ids=["under mean", "always"])
def test_fault_beside_a_factor_on_the_cost_is_named_with_it(named, slug, condition):
    """The factor is two faults, on the loss and on its slope, and may be met under the reduction mean alone."""
    cost = (f"loss_over_outputs{condition}", f"gradient_over_outputs{condition}")
    domain = replace(ROOM, losses="half_squared_error", activations=("sigmoid", "tanh"), biases="always")
    best = named(slug, *cost, domain=domain).best
    assert [plant.slug for plant in best.plants] == [slug, *cost]


def test_names_that_fit_the_evidence_are_told_apart_on_further_networks():
    """Two that give the same numbers on one sample differ on several; where none of two fits, both stay."""
    averaged, last, zero, ones = (
        Hypothesis((Plant(BY_NAME[f"bias_{name}"]),)) for name in ("averaged", "of_last_sample", "zero", "of_ones")
    )
    inquiry = Inquiry(Planted(averaged.plants, ROOM))
    exhibits = gather(inquiry, [])[:1]
    assert naming._told_apart(inquiry, [averaged, last], exhibits) == [averaged]
    assert naming._told_apart(inquiry, [ones, zero], exhibits) == [ones, zero]
    assert naming._told_apart(inquiry, [last], exhibits) == [last]


class Unknown(Backprop):
    """A mistake that nobody has made before."""

    def weight_gradient(self, delta, layer):
        return delta.T.dot(np.cos(3.0 * layer.inputs))


def test_unknown_mistake_has_no_name(handwritten, failing, monkeypatch):
    """Better none than a wrong one."""
    monkeypatch.setattr(naming, "PARTNERS", 2)  # all pairs of faults take seconds
    monkeypatch.setattr(naming, "OVERLAPPING", ("scale",))
    monkeypatch.setattr(naming, "EVERY", 100)
    candidate = handwritten(Unknown, ROOM)
    inquiry = Inquiry(candidate)
    found = name(inquiry, gather(inquiry, failing(candidate, 16)))
    assert found == Named(())
    assert found.best is None


def test_right_networks_are_given_no_name(handwritten):
    """Whatever they are asked, there is nothing to explain."""
    inquiry = Inquiry(handwritten(domain=Domain(depth=(1, 3), width=(1, 6))))
    assert name(inquiry, gather(inquiry, sample_specs(inquiry.domain, seed=2, shard=0, count=12))) == Named(())


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "narrow",
    [
        {"widths": (3, 5, 2)},
        {"batch_size": 10},
        {"depth": 1, "losses": "mse", "reductions": "mean"},
        {"biases": "never", "activations": "sigmoid"},
    ],
    ids=str,
)
def test_domain_is_never_left(handwritten, failing, narrow):
    """A candidate is asked for nothing that it does not support, and its mistake is named all the same."""

    class Wrong(Backprop):
        def output_delta(self, loss_gradient, layer):
            return loss_gradient * layer.a

    settings = {"losses": ("mse", "half_squared_error"), "activations": ("sigmoid", "tanh"), "dtypes": "float64"}
    candidate = handwritten(Wrong, Domain(**(settings | narrow)), returns="gradients")
    inquiry = Inquiry(candidate)
    found = name(inquiry, gather(inquiry, failing(candidate, 10)))
    assert candidate.beyond == []
    assert ("derivative_is_activation",) in {each.names for each in found.hypotheses}
    assert found.best.plants[0].position in ("all", "output")
