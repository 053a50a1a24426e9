"""The catalogue: every fault is told in full, shows on some network, and touches nothing but what it says."""

import re
from collections import Counter
from typing import get_args

import numpy as np
import pytest

from backproof.diagnosis.faults import BY_NAME, FAULTS
from backproof.diagnosis.faults.fault import STEPS, Equation
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.scratch import Backprop

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)

GRADIENTS = {"delta", "bias", "weight", "input"}
EVERYTHING = {"loss", *GRADIENTS}
# What a wrong step may change, and does change in some network.
REACH = {
    "forward": EVERYTHING,
    "preactivation": EVERYTHING,
    "activation": EVERYTHING,
    "loss_value": {"loss"},
    "penalty_value": {"loss"},
    "loss_gradient": GRADIENTS,
    "deltas": GRADIENTS,
    "hidden_delta": GRADIENTS,
    "upstream": GRADIENTS,
    "times_derivative": GRADIENTS,
    "activation_derivative": GRADIENTS,
    "bias_gradient": {"bias"},
    "weight_gradient": {"weight"},
}
# Where the step does not tell, the equation says what may be touched; a fault touches some of it.
REACH_OF_WHOLE = {
    "BP1": GRADIENTS,
    "BP3": {"bias"},
    "loss": EVERYTHING,
    "scale": EVERYTHING,
    "batch": EVERYTHING,
    "state": {"loss", "bias", "weight"},
    "step": {"bias", "weight"},
    "numerics": EVERYTHING,
    "penalty": {"bias", "weight"},
    "shape": {"bias", "weight"},
}


def answers(fault, case):
    """What a fault answers; if it keeps something, then after a call on another batch of the same shape."""
    planted = Planted([Plant(fault)], learning_rate=0.25)
    if fault.equation not in {"state", "step"}:
        return planted.answer(case)
    other = type(case)(
        spec=case.spec,
        weights=tuple(weight / 2 for weight in case.weights),
        biases=tuple(None if bias is None else bias / 2 for bias in case.biases),
        x=case.x[::-1] / 2,
        y=case.y[::-1],
        loss_arrays=case.loss_arrays,
        upstream=case.upstream,
    )
    planted.answer(other)
    return planted.answer(case)


def test_the_catalogue_is_as_large_as_it_says():
    """Slugs are unique, there are 60 at least, and every equation has some."""
    assert len(BY_NAME) == len(FAULTS) >= 60
    assert set(Counter(fault.equation for fault in FAULTS)) == set(get_args(Equation))


def test_a_record_is_complete():
    """Every text is there, in one line that fits a screen; the slug pastes into any shell and any address."""
    for fault in FAULTS:
        assert re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)+", fault.name)
        assert fault.equation in get_args(Equation), fault.name
        for text in (fault.used, fault.wanted, fault.why, fault.hint):
            assert text == " ".join(text.split()) != "", fault.name
        assert fault.used != fault.wanted, fault.name
        assert not fault.why.endswith("."), fault.name


def test_a_fault_overrides_its_step_and_no_other():
    """A subclass of Backprop itself with one method: the wrong formula."""
    for fault in FAULTS:
        assert fault.backprop.__bases__ == (Backprop,), fault.name
        assert [name for name in STEPS if name in vars(fault.backprop)] == [fault.step], fault.name
        assert {name for name, value in vars(fault.backprop).items() if callable(value)} == {fault.step}, fault.name


def test_what_faults_keep_on_the_instance_does_not_collide():
    """Two faults in one class must not share what they remember; only the learning rate is everybody's."""
    kept = Counter(
        name
        for backprop in {fault.backprop.__qualname__: fault.backprop for fault in FAULTS}.values()
        for name in vars(backprop)
        if not name.startswith("_") and name not in STEPS
    )
    assert {name for name, count in kept.items() if count > 1} <= {"learning_rate"}


def test_members_of_a_family_share_its_slug_and_equation():
    """A family is several faults of one step; what training steps alone show may be another equation's."""
    families = Counter(fault.family for fault in FAULTS if fault.family)
    assert all(count > 1 for count in families.values())
    for family in families:
        assert len({fault.step for fault in FAULTS if fault.family == family}) == 1


@every_fault
def test_a_fault_changes_what_it_says_and_nothing_else(fault, telling, changed):
    """On some network it goes beyond what rounding explains; on none does it touch another quantity, even by a bit."""
    touched, wrong = set(), set()
    for case, right, reach in telling:
        if case.spec.values == "saturated" and fault.equation != "numerics":
            continue
        try:
            answer = answers(fault, case)
        except ValueError:
            continue  # shapes that do not fit in this network
        keys = changed(answer, right)
        touched |= {quantity for quantity, _ in keys}
        wrong |= {quantity for quantity, _ in changed(answer, right, reach)}
        assert fault.equation != "BP2" or case.spec.depth not in {layer for _, layer in keys}, case.spec.id
    if fault.step in REACH and fault.equation != "numerics":
        assert wrong == touched == REACH[fault.step]
    else:
        assert wrong
        assert touched <= REACH_OF_WHOLE[fault.equation]


SINGLE_SAMPLE = [
    fault
    for fault in FAULTS
    if fault.equation in {"BP0", "loss", "BP1", "BP2", "BP3", "BP4"} and fault.family != "loss_scaled"
]


@pytest.mark.parametrize("fault", SINGLE_SAMPLE, ids=lambda fault: fault.name)
def test_what_an_equation_is_charged_with_shows_on_one_sample(fault, single, changed):
    """BP0 to BP4 and the loss are equations of one sample: their faults need no batch."""
    wrong = set()
    for case, right, reach in single:
        try:
            wrong |= changed(answers(fault, case), right, reach)
        except ValueError:
            continue  # shapes that do not fit in this network
    assert wrong


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.equation == "batch"], ids=lambda fault: fault.name
)
def test_what_the_batch_is_charged_with_does_not_show_on_one_sample(fault, single, changed):
    """For N = 1 the answer is scratch's own, bit for bit."""
    for case, right, _ in single:
        assert not changed(answers(fault, case), right), case.spec.id


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.equation == "state"], ids=lambda fault: fault.name
)
def test_state_leaves_the_first_call_right(fault, telling, changed):
    """Only what an earlier call has left is wrong."""
    for case, right, _ in telling[:4]:
        assert not changed(Planted([Plant(fault)]).answer(case), right), case.spec.id


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.family == "activation_naive"], ids=lambda f: f.name
)
def test_naive_formulas_leave_the_finite_numbers(fault, telling):
    """Where scratch is finite, the textbook's formula is not, in saturated rows; elsewhere it never is the culprit."""
    lost = 0
    for case, right, _ in telling:
        answer = answers(fault, case)
        finite = all(np.isfinite(array).all() for array in (answer.loss, *answer.weights))
        if case.spec.values == "saturated" and all(np.isfinite(array).all() for array in right.weights):
            lost += not finite
        else:
            assert finite or not all(np.isfinite(array).all() for array in (right.loss, *right.weights)), case.spec.id
    assert lost


@every_fault
def test_a_fault_leaves_earlier_answers_as_they_were(fault, build):
    """What was returned is not overwritten by a second call; the case's own arrays are read-only anyway."""
    case = build("3-3-3,tanh-sigmoid,linear,sum,n3,f64,normal,s1,penalty=0.1+0.3")
    planted = Planted([Plant(fault)], learning_rate=0.5)
    first = planted.answer(case)
    kept = [np.copy(array) for array in (first.loss, *first.weights, *first.biases)]
    planted.answer(case)
    for before, after in zip(kept, (first.loss, *first.weights, *first.biases), strict=True):
        assert np.array_equal(before, after, equal_nan=True)
