"""Hypotheses: faults planted together, and when two answers are the same."""

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.diagnosis.faults import BY_NAME, FAULTS
from backproof.diagnosis.faults.planting import Plant
from backproof.diagnosis.hypotheses import RIGHT, Hypothesis, agree, arrays, same, singles, sizes, together

CASE = build_case(NetworkSpec.parse("3-4-2,tanh-sigmoid,mse,sum,n5,f64,normal,s1,bias=01"))


def of(*slugs):
    """The hypothesis of some faults, each of them name or name@position or name?condition."""
    plants = []
    for slug in slugs:
        name, _, condition = slug.partition("?")
        name, _, position = name.partition("@")
        plants.append(Plant(BY_NAME[name], position or "all", condition or None))
    return Hypothesis(tuple(plants))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_is_half_of_the_digits(dtype):
    """sqrt(u) of the largest number, in the type of the candidate's own numbers."""
    half = np.sqrt(np.finfo(dtype).eps / 2.0)
    own = np.array([[1000.0, 1.0]], dtype)
    near = own.astype(np.float64) + 1000.0 * half * 0.9
    far = own.astype(np.float64) + 1000.0 * half * 1.1
    assert same(own, near, 0.0)
    assert not same(own, far, 0.0)
    assert same(own, far, 2000.0)  # of an array whose numbers are larger than these


def test_same_of_whole_numbers_is_that_of_float64():
    """Integers are compared as exactly as the numbers that they should have been."""
    assert same(np.array([3]), np.array([3.0]), 1.0)
    assert not same(np.array([3]), np.array([3.00001]), 1.0)


def test_same_wants_one_shape_and_one_pattern_of_what_is_not_finite():
    """Infinities and NaNs stand at the same places, with the same sign; the rest is compared."""
    own = np.array([1.0, np.inf, np.nan, -np.inf])
    assert same(own, own.copy(), 1.0)
    assert same(own, np.array([1.0 + 1e-12, np.inf, np.nan, -np.inf]), 1.0)
    assert not same(own, np.array([2.0, np.inf, np.nan, -np.inf]), 1.0)
    assert not same(own, np.array([1.0, -np.inf, np.nan, -np.inf]), 1.0)
    assert not same(own, np.array([1.0, np.inf, 0.0, -np.inf]), 1.0)
    assert not same(np.ones(2), np.array([1.0, np.nan]), 1.0)
    assert not same(np.ones((1, 2)), np.ones(2), 1.0)
    assert same(np.empty(0), np.empty(0), 0.0)


def test_answers_agree_in_what_both_have():
    """Each array by its own size, whichever comes first."""
    small, large, wrong = np.array([1e-6, 0.0]), np.array([1e6, 1.0]), np.array([1.1e-6, 0.0])
    both = {("bias", 1): small, ("weight", 1): large}
    assert agree(both, {("weight", 1): large + 1e-3})
    assert agree({}, both)
    for own, other in ((both, {**both, ("bias", 1): wrong}), ({**both, ("bias", 1): wrong}, both)):
        assert not agree(own, other)


def test_arrays_of_an_answer_have_a_layer_each():
    """Layers count from 1; what was not returned is not there."""
    answer = Scratch().answer(CASE)
    found = arrays(answer)
    assert set(found) == {
        ("loss", 0), ("input", 0), ("weight", 1), ("weight", 2), ("bias", 2), ("delta", 1), ("delta", 2),
    }  # fmt: skip
    assert found["bias", 2] is answer.biases[1]
    assert set(arrays(Answer(weights=answer.weights, biases=answer.biases))) == {
        ("weight", 1), ("weight", 2), ("bias", 2),
    }  # fmt: skip


def test_sizes_leave_out_what_is_not_finite():
    """The largest finite magnitude; 0 where nothing is."""
    assert sizes({("bias", 1): np.array([-3.0, np.inf]), ("bias", 2): np.array([np.nan])}) == {
        ("bias", 1): 3.0,
        ("bias", 2): 0.0,
    }


def test_right_hypothesis_is_scratch():
    """No plant: what the handwritten network computes, to the bit."""
    wanted, found = (arrays(answer) for answer in (Scratch().answer(CASE), RIGHT.answer(CASE)))
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)
    assert RIGHT.names == ()


def test_formula_that_fits_no_shape_is_a_failed_answer():
    """An untransposed W of a layer that is not square: no numbers, and no exception."""
    answer = of("preactivation_with_untransposed_weights").answer(CASE)
    assert answer.failure == "error"
    assert "shapes" in answer.message


def test_simplest_hypothesis_ranks_first():
    """Fewest faults, then without a condition, then everywhere."""
    ranked = [
        of("bias_negated"),
        of("bias_negated@output"),
        of("bias_negated@first"),
        of("bias_negated?batch>1"),
        of("bias_negated", "weight_negated"),
        of("bias_negated?batch=1", "weight_negated?batch=1"),
    ]
    ranks = [each.rank for each in ranked]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_singles_are_the_catalogue_at_every_place_it_may_be():
    """No states, no loss of precision; steps only for candidates that make steps, at their learning rate."""
    found = singles()
    names = {name for each in found for name in each.names}
    excluded = {fault.name for fault in FAULTS if fault.remembers or fault.dtype or fault.only_steps}
    assert names == {fault.name for fault in FAULTS} - excluded
    assert len(found) == len(set(found))
    assert {each.plants[0].position for each in found if each.names == ("hidden_delta_zero",)} == {
        "all", "hidden", "first", "equal_widths", "unequal_widths",
    }  # fmt: skip
    stepping = {name for each in singles(0.5) for name in each.names} - names
    assert "learning_rate_twice" in stepping
    assert {each.learning_rate for each in singles(0.5)} == {0.5}
    assert singles() is found


def test_hypotheses_go_together_where_their_faults_can_be_planted_together():
    """Two formulas for one step at one place cannot be."""
    both = together(of("bias_negated"), of("weight_negated"))
    assert both == of("bias_negated", "weight_negated")
    assert together(of("bias_zero"), of("bias_of_ones")) is None
    assert together(of("bias_zero@output"), of("bias_of_ones@hidden")) is not None
