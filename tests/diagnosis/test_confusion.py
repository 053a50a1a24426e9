"""The check is checked at a small size: what is planted is found, and named rightly, alone or among its equals."""

from dataclasses import replace

import pytest

from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis.confusion import (
    MET,
    QUANTITIES,
    Trial,
    _trial,
    alone,
    by_equation,
    confusion,
    differs,
    in_pairs,
    kills,
    one_shape,
    summary,
)
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant
from backproof.diagnosis.hypotheses import Hypothesis
from backproof.reports.columns import TABLES

ROOM = Domain(
    depth=(1, 3),
    width=(1, 5),
    batch_size=(1, 6),
    activations=("sigmoid", "tanh"),
    losses=("mse", "half_squared_error"),
    reductions=("sum", "mean"),
    dtypes="float64",
    penalties="mixed",
)
TRIAL = Trial(faults=("bias_negated",), equation="BP3", tried=20, differ=12, found=12, named=("bias_negated",))


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["penalty_not_on_biases", "gradients_accumulated", "learning_rate_twice"])
def test_planted_fault_is_found_and_rightly_named(name):
    """One of a penalty, of a state, of a training step; those of samples and batches are in the naming's tests."""
    fault = BY_NAME[name]
    trial = alone(fault, domain=one_shape() if fault.remembers else ROOM)
    assert (trial.missed, trial.undecided) == (0, 0)
    assert trial.found == trial.differ == MET
    assert max(trial.caught.values()) == MET
    assert trial.result in ("rightly", "among equals")
    assert trial.equation == fault.equation
    assert len(trial.row()) == len(TABLES["faults"].columns)


@pytest.mark.parametrize("name", ["loss_log_of_zero", "loss_gradient_zero_over_zero"])
def test_faults_of_a_saturated_output_are_found_where_its_label_says_so(name):
    """0 log 0, 0/0 where an output has reached its label; at the wrong label no program on probabilities is right."""
    trial = alone(BY_NAME[name])
    assert trial.missed == 0
    assert trial.found > 0
    assert trial.result == "rightly"


@pytest.mark.no_cover
def test_pairs_of_faults_are_found_and_both_named():
    """Three pairs of different equations."""
    trials = list(in_pairs(3, seed=1, domain=ROOM))
    assert [trial.missed for trial in trials] == [0, 0, 0]
    assert {trial.result for trial in trials} <= {"rightly", "among equals", "equivalent"}
    assert all(len(trial.faults) == len(set(trial.equation.split("+"))) == 2 for trial in trials)
    assert by_equation(trials) == {"pairs": trials}


@pytest.mark.no_cover
def test_both_faults_are_named_where_a_zero_has_many_reasons_on_the_first_network():
    """Behind a flat output every delta is zero anyway, by many faults alike; the next networks tell them apart."""
    domain = Domain(
        widths=(3, 2, 1, 2),
        batch_size=5,
        activations="mish",
        losses="linear",
        reductions="sum",
        output_activations=("softmin", "tanh"),
        dtypes="float64",
    )
    both = Hypothesis((Plant(BY_NAME["bias_row"]), Plant(BY_NAME["hidden_delta_zero"])))
    assert _trial(both, domain, 1).result == "rightly"


@pytest.mark.no_cover
def test_both_faults_are_named_where_one_shows_alone_on_some_networks():
    """Both are on the way of every number, and only networks without a softmax tell what the other is."""
    domain = Domain(
        depth=(1, 3),
        width=(1, 5),
        batch_size=(1, 6),
        losses=("linear", "mse"),
        output_activations=("softmax", "tanh", "identity", "log_softmax"),
        dtypes="float64",
    )
    both = Hypothesis((Plant(BY_NAME["activation_of_negative"]), Plant(BY_NAME["softmax_normalised_over_everything"])))
    assert _trial(both, domain, 1).result == "rightly"


def test_fault_that_changes_nothing_is_recognised_as_equivalent():
    """The slope at a in place of z is the same for relu: a is positive where z is."""
    relu = Domain(activations="relu", losses="mse", dtypes="float64", depth=(1, 2), width=(1, 3), batch_size=(1, 2))
    trial = alone(BY_NAME["derivative_at_a"], domain=relu)
    assert (trial.result, trial.differ, trial.named) == ("equivalent", 0, ())


def test_what_differs_is_what_is_off_by_more_than_half_of_the_digits():
    """Other numbers, or none at all; not the same ones."""
    case = build_case(NetworkSpec.parse("2-3,relu,mse,sum,n2,f64,normal,s1"))
    at_a, negated, fails = (
        Hypothesis((Plant(BY_NAME[name]),))
        for name in ("derivative_at_a", "bias_negated", "preactivation_with_untransposed_weights")
    )
    assert not differs(at_a, case)
    assert differs(negated, case)
    assert differs(fails, case)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({}, "rightly"),
        ({"named": ()}, "unexplained"),
        ({"named": ("bias_zero",)}, "wrongly"),
        ({"named": ("bias_zero",), "also_fits": ("bias_negated",)}, "among equals"),
        ({"differ": 0, "found": 0, "named": ()}, "equivalent"),
        ({"faults": ("bias_negated", "loss_halved"), "named": ("loss_halved", "bias_negated")}, "rightly"),
        ({"faults": ("bias_negated", "loss_halved")}, "wrongly"),
    ],
)
def test_result_of_a_trial(fields, result):
    """Rightly alone, among equals, wrongly, not at all; or nothing to see. A half of a pair is no right name."""
    assert replace(TRIAL, **fields).result == result


def test_row_of_a_trial_has_the_declared_columns():
    """In the order of the table, with None for what is not there."""
    trial = replace(
        TRIAL, differ=10, found=7, undecided=1, caught={"bias": 7}, also_fits=("a", "b"), equations=("BP3",)
    )
    names = [column.name for column in TABLES["faults"].columns]
    assert dict(zip(names, trial.row(), strict=True)) == {
        "faults": "bias_negated",
        "equation": "BP3",
        "tried": 20,
        "differ": 10,
        "found": 7,
        "undecided": 1,
        "missed": 2,
        "caught": "bias 7",
        "result": "rightly",
        "named": "bias_negated",
        "also_fits": "a, b",
        "broken": "BP3",
    }
    assert replace(TRIAL, named=()).row()[-3:] == (None, None, None)


def test_confusion_is_between_the_equations_of_fault_and_name():
    """Equals count as their own, a wrong name by its equation, none or no difference by its word, pairs not at all."""
    trials = [
        TRIAL,
        replace(TRIAL, named=("bias_zero",), also_fits=("bias_negated",)),
        replace(TRIAL, named=("weight_zero", "loss_halved")),
        replace(TRIAL, named=()),
        replace(TRIAL, differ=0),
        replace(TRIAL, faults=("bias_negated", "loss_halved")),
    ]
    assert confusion(trials) == {
        ("BP3", "BP3"): 2, ("BP3", "BP4+loss"): 1, ("BP3", "unexplained"): 1, ("BP3", "equivalent"): 1,
    }  # fmt: skip


def test_kill_matrix_counts_the_faults_that_a_quantity_gives_away():
    """Of each equation, and of the pairs; a quantity that catches none stands there with 0."""
    pair = replace(TRIAL, faults=("bias_negated", "loss_halved"), equation="BP3+loss", caught={"loss": 3, "bias": 12})
    caught = kills([replace(TRIAL, caught={"bias": 12}), replace(TRIAL, caught={"bias": 1, "weight": 2}), pair])
    nothing = dict.fromkeys(QUANTITIES, 0)
    assert caught == {"BP3": {**nothing, "bias": 2, "weight": 1}, "pairs": {**nothing, "loss": 1, "bias": 1}}


def test_trials_are_counted_by_equation_and_by_result():
    """Pairs have a group of their own."""
    pair = replace(TRIAL, faults=("bias_negated", "loss_halved"), equation="BP3+loss", named=())
    assert by_equation([TRIAL, pair]) == {"BP3": [TRIAL], "pairs": [pair]}
    assert summary([TRIAL, pair, TRIAL]) == {
        "rightly": 2, "among equals": 0, "wrongly": 0, "unexplained": 1, "equivalent": 0,
    }  # fmt: skip
