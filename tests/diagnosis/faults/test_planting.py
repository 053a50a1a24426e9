"""Planting: where and when a fault is, what two of them make together, and that nothing else changes."""

import numpy as np
import pytest

from backproof.candidates.builtin import network_of
from backproof.cases import Domain
from backproof.diagnosis.faults import BY_NAME, FAULTS
from backproof.diagnosis.faults.planting import (
    CONDITIONS,
    POSITIONS,
    Placed,
    Plant,
    Planted,
    compose,
    positions,
)

# Four layers: unequal, square, square, unequal.
DEEP = "3-4-4-4-2,sigmoid-tanh-silu-softplus,linear,sum,n5,f64,normal,s1"
LAYERS = {
    "all": {1, 2, 3, 4},
    "output": {4},
    "hidden": {1, 2, 3},
    "first": {1},
    "equal_widths": {2, 3},
    "unequal_widths": {1, 4},
}
BACKWARD = {"output_delta", "hidden_delta", "times_derivative", "activation_derivative"}


def planted(*slugs):
    """A candidate with these plants, written name@position?condition."""
    return Planted([plant(slug) for slug in slugs])


def plant(slug):
    """The plant of a slug."""
    name, _, condition = slug.partition("?")
    name, _, position = name.partition("@")
    return Plant(BY_NAME[name], position or "all", condition or None)


def layers_of(keys, quantity):
    """The layers at which a quantity differs."""
    return {layer for name, layer in keys if name == quantity}


def test_no_plants_are_scratch(telling, single, changed):
    """The planting itself changes nothing, not even a bit."""
    correct = Planted(())
    assert correct.name == "scratch"
    for case, right, _ in (*telling, *single):
        assert not changed(correct.answer(case), right), case.spec.id


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["bias_halved", "weight_halved"])
def test_a_fault_of_a_layers_own_gradient_is_at_its_position_alone(name, position, build, changed):
    """BP3 and BP4 flow nowhere: exactly the layers of that position differ."""
    case = build(DEEP)
    quantity = name.partition("_")[0]
    keys = changed(planted(f"{name}@{position}").answer(case), Planted(()).answer(case))
    assert keys == {(quantity, layer) for layer in LAYERS[position]}


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["derivative_twice", "derivative_negated", "derivative_of_relu"])
def test_a_wrong_slope_leaves_the_layers_above_its_position(name, position, build, changed):
    """Deltas are wrong from the position's last layer downwards, and bit-identical above."""
    case = build(DEEP)
    keys = changed(planted(f"{name}@{position}").answer(case), Planted(()).answer(case))
    assert max(layers_of(keys, "delta")) == max(LAYERS[position])
    assert ("loss", 0) not in keys


@pytest.mark.parametrize("position", POSITIONS)
def test_a_wrong_upstream_is_that_of_the_layer_whose_weights_it_uses(position, build, changed):
    """The deltas below that layer are wrong; below the first there is only dC/dx."""
    case = build(DEEP)
    keys = changed(planted(f"upstream_averaged@{position}").answer(case), Planted(()).answer(case))
    assert max(layers_of(keys, "delta"), default=0) == max(LAYERS[position]) - 1
    assert ("input", 0) in keys


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["preactivation_averaged", "activation_of_relu"])
def test_a_wrong_forward_pass_leaves_the_layers_below_its_position(name, position, build):
    """What comes before the position's first layer is bit-identical, and that layer is not."""
    case = build(DEEP)

    def activations(*plants):
        network = network_of(case, compose(plants))
        return [layer.a for layer in network.backprop.forward(case.x, case.weights, case.biases, network.activations)]

    pairs = zip(activations(plant(f"{name}@{position}")), activations(), strict=True)
    wrong = [layer for layer, (found, right) in enumerate(pairs, 1) if not np.array_equal(found, right)]
    assert min(wrong) == min(LAYERS[position])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_position_that_covers_all_layers_is_everywhere(fault, build, changed):
    """Limited to both of two positions that exclude each other, a fault is what it is without a limit."""
    possible = positions(fault)
    if possible == ("all",):
        return
    case = build("3-3-3-3,tanh-sigmoid-softplus,linear,sum,n3,f64,normal,s1,penalty=0+0.3")
    limits = ("equal_widths", "unequal_widths")
    everywhere, limited = (
        Planted(plants, learning_rate=0.5)
        for plants in ([Plant(fault)], [Plant(fault, position) for position in limits])
    )
    assert not changed(limited.answer(case), everywhere.answer(case))


def test_steps_that_are_taken_once_have_no_position():
    """What the loss sends back, a penalty and the whole are not in a layer."""
    for fault in FAULTS:
        once = fault.step in {"forward", "deltas", "loss_value", "loss_gradient", "loss_and_gradients"}
        assert (positions(fault) == ("all",)) == (once or fault.step.startswith("penalty")), fault.name


CONDITIONED = {
    "batch=1": ("3-2,tanh,linear,sum,n1,f64,normal,s1", "3-2,tanh,linear,sum,n2,f64,normal,s1"),
    "batch>1": ("3-2,tanh,linear,sum,n2,f64,normal,s1", "3-2,tanh,linear,sum,n1,f64,normal,s1"),
    "outputs>1": ("3-2,tanh,linear,sum,n2,f64,normal,s1", "3-1,tanh,linear,sum,n2,f64,normal,s1"),
    "mean": ("3-2,tanh,linear,mean,n2,f64,normal,s1", "3-2,tanh,linear,batchmean,n2,f64,normal,s1"),
    "equal_widths": ("3-3-2,tanh,linear,sum,n2,f64,normal,s1", "3-4-3,tanh,linear,sum,n2,f64,normal,s1"),
    "unequal_widths": ("3-3-2,tanh,linear,sum,n2,f64,normal,s1", "3-3-3,tanh,linear,sum,n2,f64,normal,s1"),
    "saturated": ("3-2,relu,linear,sum,n2,f64,saturated,s1", "3-2,relu,linear,sum,n2,f64,normal,s1"),
    "inactive": ("3-9-2,relu-tanh,linear,sum,n5,f64,normal,s1", "3-9-2,tanh,linear,sum,n5,f64,normal,s1"),
    "integer_data": ("3-2,tanh,linear,sum,n2,f64,integers,s2", "3-2,tanh,linear,sum,n2,f64,decimals,s1"),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_that_is_not_met_leaves_the_case_right(condition, build, changed):
    """Where it is met the fault is what it is without it; where not, the answer is scratch's, bit for bit."""
    met, unmet = (build(text) for text in CONDITIONED[condition])
    candidate = planted(f"loss_doubled?{condition}")
    assert changed(candidate.answer(met), Planted(()).answer(met)) == {("loss", 0)}
    assert not changed(candidate.answer(met), planted("loss_doubled").answer(met))
    assert not changed(candidate.answer(unmet), Planted(()).answer(unmet))


def test_from_the_second_call_on(build, changed):
    """The condition that no case shows: the first call is right, all later ones are wrong."""
    case = build(DEEP)
    candidate = planted("bias_zero?second_call")
    right = Planted(()).answer(case)
    assert not changed(candidate.answer(case), right)
    for _ in range(2):
        assert {quantity for quantity, _ in changed(candidate.answer(case), right)} == {"bias"}


def test_what_is_kept_is_kept_across_a_silent_call(build, changed):
    """Two plants, one under a condition: the other's state does not depend on whether the condition is met."""
    case, one = build(DEEP), build(DEEP.replace("n5", "n1"))
    candidate, right = planted("gradients_accumulated", "loss_doubled?batch=1"), Planted(()).answer(case)
    assert not changed(candidate.answer(case), right)
    assert changed(candidate.answer(one), Planted(()).answer(one)) >= {("loss", 0), ("bias", 1)}
    assert {quantity for quantity, _ in changed(candidate.answer(case), right)} == {"weight", "bias"}


@pytest.mark.parametrize(
    ("one", "other", "quantities"),
    [
        ("bias_averaged", "weight_doubled", {"bias": 0, "weight": 1}),
        ("loss_doubled", "upstream_averaged", {"loss": 0, "delta": 1, "weight": 1, "bias": 1, "input": 1}),
        ("weight_from_preactivation@hidden", "bias_zero@first", {"weight": 0, "bias": 1}),
        ("weight_zero@output", "weight_doubled@hidden", {"delta": 0, "bias": 1}),
    ],
    ids=["BP3 and BP4", "loss and BP2", "at positions", "one step at two positions"],
)
def test_two_faults_are_each_as_alone_where_the_other_is_silent(one, other, quantities, build, changed):
    """Together they give the numbers of each, quantity by quantity."""
    case = build(DEEP)
    both = planted(one, other)
    assert both.name == f"{one}+{other}"
    together = both.answer(case)
    for quantity, alone in quantities.items():
        keys = changed(together, planted((one, other)[alone]).answer(case))
        assert quantity not in {name for name, _ in keys}


def test_one_step_at_two_positions_is_each_at_its_own(build):
    """Two faults that replace the same step, at the output and in the hidden layers."""
    case = build(DEEP)
    found, right = planted("weight_zero@output", "weight_from_weights@hidden").answer(case), Planted(()).answer(case)
    other = planted("weight_from_weights").answer(case)
    assert not found.weights[-1].any()
    for layer in range(3):
        assert np.array_equal(found.weights[layer], other.weights[layer])
        assert not np.array_equal(found.weights[layer], right.weights[layer])


def test_faults_of_one_step_multiply_where_one_builds_on_the_other(build):
    """The sum of the deltas' mean, doubled: whichever is named first."""
    case = build(DEEP)
    averaged = planted("bias_averaged").answer(case)
    for order in (("bias_averaged", "bias_doubled"), ("bias_doubled", "bias_averaged")):
        found = planted(*order).answer(case)
        for bias, mean in zip(found.biases, averaged.biases, strict=True):
            assert np.array_equal(bias, 2 * mean)


def test_upstream_and_slope_multiply(build):
    """Two faults in BP2 on different steps: delta = (wrong upstream) * (wrong slope)."""
    case = build("3-4-2,tanh-identity,linear,sum,n1,f64,normal,s1")
    found = planted("upstream_is_sum_of_deltas", "derivative_is_activation@hidden").answer(case)
    network = network_of(case, Placed)
    hidden, _ = network.backprop.forward(case.x, case.weights, case.biases, network.activations)
    assert np.array_equal(found.deltas[0], found.deltas[1].dot(np.ones((2, 4))) * hidden.a)


def test_in_a_network_of_one_layer_the_output_is_the_first(build, changed):
    """Positions that meet there: what is named first counts."""
    case = build("3-2,tanh,linear,sum,n2,f64,normal,s1")
    both = planted("bias_zero@first", "bias_of_ones@output").answer(case)
    assert not changed(both, planted("bias_zero").answer(case))


@pytest.mark.parametrize(
    ("plants", "message"),
    [
        (
            ("bias_zero", "bias_averaged@output"),
            "bias_zero and bias_averaged@output are both in the step bias_gradient at the same place",
        ),
        (
            ("bias_doubled", "bias_doubled"),
            "bias_doubled and bias_doubled are both in the step bias_gradient at the same place",
        ),
    ],
    ids=["two replacements", "the same twice"],
)
def test_what_cannot_be_combined_is_refused(plants, message):
    """Two formulas in one place cannot both be used."""
    with pytest.raises(ValueError, match="both in the step") as raised:
        planted(*plants)
    assert str(raised.value) == f"{message}: plant them at positions that exclude each other, or plant one of them"


def test_conditions_that_exclude_each_other_can_share_a_place(build):
    """One formula for single samples, another one for batches."""
    candidate = planted("bias_zero?batch=1", "bias_averaged?batch>1")
    one, many = build(DEEP.replace("n5", "n1")), build(DEEP)
    assert not candidate.answer(one).biases[0].any()
    assert np.array_equal(candidate.answer(many).biases[0], planted("bias_averaged").answer(many).biases[0])


def test_a_position_or_a_condition_that_there_is_not_is_refused():
    """The message lists the live ones, and the closest."""
    fault = BY_NAME["bias_zero"]
    with pytest.raises(ValueError, match="no position") as raised:
        Plant(fault, "last")
    assert str(raised.value).startswith("no position 'last'.")
    assert str(raised.value).endswith("The positions are: " + ", ".join(POSITIONS))
    with pytest.raises(ValueError, match="no condition") as raised:
        Plant(fault, condition="batch=2")
    assert str(raised.value) == (
        "no condition 'batch=2'. Did you mean 'batch=1'? The conditions are: " + ", ".join([*CONDITIONS, "second_call"])
    )
    with pytest.raises(ValueError, match="never taken there") as raised:
        Plant(BY_NAME["gradient_doubled"], "hidden")
    assert str(raised.value) == (
        "gradient_doubled at position 'hidden': its step loss_gradient is never taken there; it is taken at: all"
    )


def test_a_plant_says_which_equation_it_breaks():
    """The slope belongs to BP1 at the output, to BP2 below it."""
    slope, bias = BY_NAME["derivative_at_a"], BY_NAME["bias_zero"]
    assert [Plant(slope, position).equation for position in ("all", "output", "hidden", "first")] == [
        "BP1",
        "BP1",
        "BP2",
        "BP2",
    ]
    assert Plant(bias, "hidden").equation == "BP3"
    assert Plant(bias, "hidden", "batch>1").slug == "bias_zero@hidden?batch>1"


def test_a_composed_class_is_made_once():
    """Hundreds of hypotheses on dozens of cases: the class is kept."""
    assert compose([plant("bias_zero@hidden")]) is compose([plant("bias_zero@hidden")])


def test_shapes_that_do_not_fit_pass_through(build):
    """An untransposed W raises NumPy's own error in layers of unequal width."""
    with pytest.raises(ValueError, match="not aligned"):
        planted("upstream_from_untransposed_weights").answer(build(DEEP))


def test_shapes_that_do_not_fit_at_x_alone_leave_out_the_inputs_gradient(build):
    """Few networks compute dC/dx: what is wrong there alone must not hide the rest."""
    answer = planted("upstream_from_untransposed_weights").answer(build("3-4-4-4,tanh,linear,sum,n5,f64,normal,s1"))
    assert answer.inputs is None
    assert np.isfinite(answer.weights[0]).all()


def test_a_planted_candidate_has_the_domain_that_it_is_given():
    """And the learning rate of the steps that it is read from."""
    domain = Domain(activations="tanh")
    candidate = Planted([plant("bias_zero")], domain, learning_rate=0.25)
    assert candidate.domain is domain
    assert candidate.backprop.learning_rate == 0.25
