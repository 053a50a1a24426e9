"""The smallest network: in the domain, wrong by the named mistake, and of numbers that one can compute with by hand."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir, storage_directory

from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.hypotheses import Hypothesis
from backproof.diagnosis.naming import Named
from backproof.diagnosis.smallest import reproduces, shown, smallest
from backproof.scratch import Backprop

FAILING = NetworkSpec.parse("3-4-5-2,tanh-tanh-sigmoid,half_squared_error,sum,n4,f64,normal,s1")


def of(name, position="all"):
    """A hypothesis of one fault."""
    return Hypothesis((Plant(BY_NAME[name], position),))


@pytest.mark.parametrize(
    ("name", "position", "widths", "batch_size"),
    [
        ("derivative_missing", "all", (1, 1), 1),
        ("weight_from_next_sample", "all", (2, 1), 2),  # one sample has no next one
        ("derivative_missing", "hidden", (1, 1, 1), 1),
        ("bias_summed_over_neurons", "all", (1, 2), 1),
    ],
)
def test_smallest_network_is_as_small_as_the_mistake_allows(name, position, widths, batch_size):
    """One neuron, one sample, unless it takes more to show; in small integers."""
    hypothesis = of(name, position)
    inquiry = Inquiry(Planted(hypothesis.plants, Domain(dtypes="float64")))
    found = smallest(inquiry, FAILING, hypothesis)
    assert sum(found.case.spec.widths) <= sum(widths)
    assert (found.case.spec.depth, found.case.spec.batch_size) == (len(widths) - 1, batch_size)
    assert found.wrong
    assert reproduces(hypothesis, found)
    assert found.case.spec.values == "integers"
    assert all(np.array_equal(array, np.trunc(array)) for array in (*found.case.weights, found.case.x, found.case.y))
    assert smallest(inquiry, FAILING, hypothesis).case.spec == found.case.spec
    assert build_case(NetworkSpec.parse(found.case.spec.id)).spec == found.case.spec


def test_hypothesis_has_no_folder_while_it_shrinks(tmp_path):
    """Nobody wants one beside a network that was checked; whoever had one has it again."""
    seen, hypothesis = set(), of("derivative_missing")

    def home():
        return getattr(found := storage_directory(intent_to_write=False), "path", found)

    class Noting(Planted):
        def answer(self, case):
            seen.add(home())
            return super().answer(case)

    before = home()
    set_hypothesis_home_dir(tmp_path)
    try:
        smallest(Inquiry(Noting(hypothesis.plants, Domain(dtypes="float64"))), FAILING, hypothesis)
        assert (seen, home()) == ({Path(os.devnull)}, tmp_path)
    finally:
        set_hypothesis_home_dir(before)


def test_smallest_network_is_of_the_failing_kind_and_in_the_domain(handwritten):
    """Its loss, its reduction, its output activation; no layer fewer, no sample fewer than the domain has."""

    class Negated(Backprop):
        def bias_gradient(self, delta, layer):
            return -super().bias_gradient(delta, layer)

    narrow = {"depth": (2, 3), "width": (2, 4), "batch_size": (3, 5), "losses": ("mse", "linear"), "biases": "always"}
    domain = Domain(**narrow, activations=("sigmoid", "tanh"), dtypes="float64")
    # Numbers for doing sums by hand are the one thing that is chosen for whoever reads them.
    candidate = handwritten(Negated, replace(domain, values=("normal", "integers", "decimals")))
    failing = NetworkSpec.parse("3-4-2,tanh-sigmoid,linear,mean,n4,f64,normal,s1")
    spec = smallest(Inquiry(candidate, domain=domain), failing, of("bias_negated")).case.spec
    assert candidate.beyond == []
    assert (spec.widths, spec.batch_size, spec.values) == ((2, 2, 2), 3, "integers")
    assert (spec.loss.name, spec.reduction) == ("linear", "mean")
    assert [formula.name for formula in spec.activations] == ["tanh", "sigmoid"]


@pytest.mark.parametrize(
    ("named", "failing", "shown"),
    [
        (("saturated",), "saturated", "saturated"),
        (("normal", "decimals"), "normal", "decimals"),
        (("integers", "tiny"), "tiny", "integers"),
        ("normal", "normal", "normal"),
    ],
    ids=str,
)
def test_fillings_that_a_domain_names_are_kept_to(handwritten, named, failing, shown):
    """Sums by hand are done with one of these, the easiest; above, with small integers where none is named."""

    class Negated(Backprop):
        def bias_gradient(self, delta, layer):
            return -super().bias_gradient(delta, layer)

    candidate = handwritten(Negated, Domain(dtypes="float64", values=named))
    found = smallest(Inquiry(candidate), replace(FAILING, values=failing), of("bias_negated"))
    assert found.case.spec.values == shown
    assert found.wrong
    assert candidate.beyond == []


def test_fixed_network_is_its_own_smallest(handwritten):
    """Widths that are fixed stay; only the batch and the numbers can become simpler."""
    domain = Domain(widths=(3, 4, 2), batch_size=(2, 6), dtypes="float64", losses="half_squared_error")
    failing = NetworkSpec.parse("3-4-2,tanh-sigmoid,half_squared_error,sum,n5,f64,normal,s1")
    found = smallest(Inquiry(Planted(of("bias_negated").plants, domain)), failing, of("bias_negated"))
    assert (found.case.spec.widths, found.case.spec.batch_size) == ((3, 4, 2), 2)


def test_smallest_network_tells_the_mistake_from_its_rivals():
    """On a single sample a bias gradient that is averaged is right, and on one neuron two mistakes are one."""
    hypothesis, rival = of("bias_summed_over_everything"), of("bias_doubled")
    inquiry = Inquiry(Planted(hypothesis.plants, Domain(dtypes="float64")))
    found = smallest(inquiry, FAILING, hypothesis, (rival, of("bias_summed_over_neurons")))
    assert reproduces(hypothesis, found)
    assert not reproduces(rival, found)
    assert not reproduces(of("bias_summed_over_neurons"), found)


def test_mistake_without_a_name_has_a_smallest_network_too(handwritten):
    """Any that is wrong; and none where nothing is."""

    class Squared(Backprop):
        def weight_gradient(self, delta, layer):
            return (delta * delta).T.dot(layer.inputs)

    found = smallest(Inquiry(handwritten(Squared, Domain(dtypes="float64"))), FAILING, None)
    assert found.wrong
    assert (found.case.spec.widths, found.case.spec.batch_size) == ((1, 1), 1)


def test_right_network_has_no_smallest_wrong_one(handwritten, monkeypatch):
    """None, after a number of tries."""
    monkeypatch.setattr("backproof.diagnosis.smallest.TRIED", 5)
    assert smallest(Inquiry(handwritten(domain=Domain(dtypes="float64"))), FAILING, None) is None


def test_formula_that_cannot_be_computed_is_reproduced_by_one_that_cannot(handwritten):
    """An exception is an answer as well: both fail, or neither."""
    fails = of("preactivation_with_untransposed_weights")
    exhibit = Inquiry(handwritten(domain=Domain())).exhibit(build_case(FAILING))
    assert not reproduces(fails, exhibit)
    assert reproduces(fails, Inquiry(Planted(fails.plants)).exhibit(build_case(FAILING)))


def test_two_mistakes_are_shown_on_a_kind_of_network_that_has_both(monkeypatch):
    """A single layer has no hidden delta: the search begins where both are needed for the candidate's numbers."""
    both = Hypothesis((*of("weight_summed_over_neurons").plants, *of("hidden_delta_zero").plants))
    inquiry = Inquiry(Planted(both.plants, Domain(dtypes="float64")))
    single = "3-2,sigmoid,half_squared_error,sum,n2,f64,normal,s1"  # of familiar parts alone, but of one layer
    deep = "3-4-2,softsign-sigmoid,half_squared_error,sum,n2,f64,normal,s1"
    wrong = [inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in (single, deep)]
    searched = []

    def noted(inquiry, failing, hypothesis, rivals=()):
        searched.append(failing.id)
        return smallest(inquiry, failing, hypothesis, rivals)

    monkeypatch.setattr("backproof.diagnosis.smallest.smallest", noted)
    found = shown(inquiry, wrong, Named((both,)))
    assert searched == [deep]
    assert found.case.spec.depth == 2
    assert reproduces(both, found)
