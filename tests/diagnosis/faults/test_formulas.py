"""The wrong formulas, on numbers that a person can follow: each entry is what its record says, worked out by hand."""

import numpy as np
import pytest

from backproof.diagnosis.faults import BY_NAME, FAULTS
from backproof.diagnosis.faults.factors import FACTORS
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.scratch import ACTIVATIONS, LOSSES, Layer, Penalty
from backproof.scratch.objective import Objective


def array(*rows):
    """Rows of whole numbers as floats."""
    return np.array(rows, dtype=np.float64)


# Three samples, two outputs, two inputs; the layer below has its own z.
DELTA = array([1, 2], [3, 4], [5, 6])
BELOW = Layer(
    weight=array([1, 0], [0, 3]),
    bias=None,
    activation=ACTIVATIONS["identity"](),
    inputs=array([1, 1], [2, 0], [0, 2]),
    z=array([0, 1], [1, 0], [1, 1]),
    a=array([1, 0], [0, 1], [1, 2]),
    below=None,
)
LAYER = Layer(
    weight=array([1, 2], [3, 4]),
    bias=array(10, -1),
    activation=ACTIVATIONS["identity"](),
    inputs=BELOW.a,
    z=array([2, 0], [1, 1], [0, 3]),
    a=array([1, 0], [0, 1], [2, 2]),
    below=BELOW,
)
# The right ones: db = (9, 12), dW = ((6, 13), (8, 16)), upstream = ((7, 10), (15, 22), (23, 34)).

BIASES = {
    "bias_summed_over_neurons": (3, 7, 11),
    "bias_summed_over_everything": (21, 21),
    "bias_averaged_over_everything": (3.5, 3.5),
    "bias_zero": (0, 0),
    "bias_of_ones": (1, 1),
    "bias_negated": (-9, -12),
    "bias_doubled": (18, 24),
    "bias_halved": (4.5, 6),
    "bias_divided_by_outputs": (4.5, 6),
    "bias_times_activation": (11, 16),
    "bias_times_bias": (90, -12),
    "bias_times_derivative": (9, 12),
    "bias_from_weight_gradient": (19, 24),
    "bias_averaged_from_weight_gradient": (9.5, 12),
    "bias_averaged": (3, 4),
    "bias_of_first_sample": (1, 2),
    "bias_of_last_sample": (5, 6),
    "bias_not_summed": ([1, 2], [3, 4], [5, 6]),
    "bias_scalar": 21,
    "bias_row": ([9, 12],),
    "bias_column": ([9], [12]),
}
WEIGHTS = {
    "weight_from_preactivation": ([8, 6], [10, 8]),
    "weight_from_own_activation": ([11, 13], [14, 16]),
    "weight_from_network_inputs": ([7, 11], [10, 14]),
    "weight_from_two_layers_below": ([7, 11], [10, 14]),
    "weight_from_slope_below": ([9, 9], [12, 12]),
    "weight_without_inputs": ([9, 9], [12, 12]),
    "weight_without_delta": ([2, 3], [2, 3]),
    "weight_from_weights": ([9, 18], [36, 48]),
    "weight_summed_over_neurons": ([14, 29], [14, 29]),
    "weight_times_derivative": ([6, 13], [8, 16]),
    "weight_zero": ([0, 0], [0, 0]),
    "weight_negated": ([-6, -13], [-8, -16]),
    "weight_doubled": ([12, 26], [16, 32]),
    "weight_halved": ([3, 6.5], [4, 8]),
    "weight_divided_by_outputs": ([3, 6.5], [4, 8]),
    "weight_divided_by_inputs": ([3, 6.5], [4, 8]),
    "weight_averaged": ([2, 13 / 3], [8 / 3, 16 / 3]),
    "weight_of_first_sample": ([1, 0], [2, 0]),
    "weight_of_last_sample": ([5, 10], [6, 12]),
    "weight_from_next_sample": ([8, 7], [10, 10]),
    "weight_of_summed_samples": ([18, 27], [24, 36]),
    "weight_from_mean_inputs": ([6, 9], [8, 12]),
    "weight_transposed": ([6, 8], [13, 16]),
    "weight_of_each_sample": ([[1, 0], [2, 0]], [[0, 3], [0, 4]], [[5, 10], [6, 12]]),
    "weight_elementwise": (6, 16),
}
UPSTREAM = {
    "upstream_averaged": ([3.5, 5], [7.5, 11], [11.5, 17]),
    "upstream_from_untransposed_weights": ([5, 11], [11, 25], [17, 39]),
    "upstream_from_weights_below": ([1, 6], [3, 12], [5, 18]),
    "upstream_is_sum_of_deltas": ([3, 3], [7, 7], [11, 11]),
    "upstream_is_delta": ([1, 2], [3, 4], [5, 6]),
    "upstream_from_weight_gradient": ([14, 29], [14, 29], [14, 29]),
    "upstream_of_last_neuron": ([6, 8], [12, 16], [18, 24]),
    "upstream_of_first_neuron": ([1, 2], [3, 6], [5, 10]),
    "upstream_negated": ([-7, -10], [-15, -22], [-23, -34]),
    "upstream_with_normalised_weights": (
        [1 / 3 + 6 / 7, 2 / 3 + 8 / 7],
        [3 * (1 / 3) + 4 * (3 / 7), 3 * (2 / 3) + 4 * (4 / 7)],
        [5 * (1 / 3) + 6 * (3 / 7), 5 * (2 / 3) + 6 * (4 / 7)],
    ),
    "upstream_averaged_over_batch": ([15, 22], [15, 22], [15, 22]),
    # W - dW = ((-5, -11), (-5, -12)) and W - dW / 2 = ((-2, -4.5), (-1, -4))
    "upstream_with_updated_weights_1": ([-15, -35], [-35, -81], [-55, -127]),
    "upstream_with_updated_weights": ([-15, -35], [-35, -81], [-55, -127]),
    "upstream_with_updated_weights_0_5": ([-4, -12.5], [-10, -29.5], [-16, -46.5]),
}
FORMULAS = [
    *(("bias_gradient", name, expected) for name, expected in BIASES.items()),
    *(("weight_gradient", name, expected) for name, expected in WEIGHTS.items()),
    *(("upstream", name, expected) for name, expected in UPSTREAM.items()),
]


def near(found, expected):
    """Equal but for what a handful of roundings can do."""
    expected = np.asarray(expected, dtype=np.float64)
    return found.shape == expected.shape and bool((abs(found - expected) <= 8 * np.spacing(abs(expected))).all())


@pytest.mark.parametrize(("step", "name", "expected"), FORMULAS, ids=[name for _, name, _ in FORMULAS])
def test_gradients_by_hand(step, name, expected):
    """What goes into the bias, the weights and the layer below, from three samples of two neurons."""
    assert BY_NAME[name].step == step
    assert near(getattr(BY_NAME[name].backprop(), step)(DELTA, LAYER), expected)


def test_the_formulas_of_layers_are_all_worked_out():
    """A fault of these steps that is added is worked out here too; two of the learning rates stand for all."""
    names = {name for _, name, _ in FORMULAS} | {
        "upstream_with_updated_weights_0_1",
        "upstream_with_updated_weights_0_01",
    }
    assert names == {fault.name for fault in FAULTS if fault.step in {"bias_gradient", "weight_gradient", "upstream"}}


# One sample of one neuron: what is sent back, z, and the factor that takes the place of phi'(z); a = phi(z).
SLOPES = [
    ("derivative_missing", "sigmoid", 4.0, 0.0, 4.0),
    ("derivative_at_upstream", "sigmoid", 4.0, 0.0, -12.0),
    ("derivative_at_upstream_times_upstream", "sigmoid", 4.0, 0.0, -48.0),
    ("derivative_at_upstream", "tanh", 4.0, 0.0, -15.0),
    ("derivative_at_upstream_for_z", "relu", -2.0, 1.0, 0.0),
    ("derivative_at_upstream_for_z", "relu", 2.0, -1.0, 2.0),
    ("derivative_at_a", "hardsigmoid", 6.0, -3.0, 1.0),
    ("derivative_at_z_for_a", "sigmoid", 1.0, 2.0, -2.0),
    ("derivative_at_z_for_a", "tanh", 1.0, 2.0, -3.0),
    ("derivative_is_activation", "relu", 5.0, 3.0, 15.0),
    ("derivative_twice", "sigmoid", 16.0, 0.0, 1.0),
    ("derivative_negated", "sigmoid", 4.0, 0.0, -1.0),
    ("derivative_divided", "sigmoid", 4.0, 0.0, 16.0),
    ("derivative_is_one_minus_a", "sigmoid", 4.0, 0.0, 2.0),
    ("derivative_of_negative", "leaky_relu", 4.0, 1.0, 0.04),
    ("derivative_of_negative", "relu", 4.0, -1.0, 4.0),
    ("derivative_with_default_parameters", "leaky_relu", 4.0, -1.0, 0.04),
    ("derivative_without_product_rule", "silu", 4.0, 0.0, 2.0),
    ("derivative_and_sign_of_upstream", "relu", -4.0, 1.0, 0.0),
    ("derivative_and_sign_of_upstream", "relu", 4.0, -1.0, 0.0),
    ("derivative_of_sigmoid_from_a", "relu", 4.0, 3.0, -24.0),
    ("derivative_of_sigmoid_at_z", "tanh", 4.0, 0.0, 1.0),
    ("derivative_of_tanh_from_a", "relu", 4.0, 3.0, -32.0),
    ("derivative_of_tanh_at_z", "sigmoid", 4.0, 0.0, 4.0),
    ("derivative_of_relu", "sigmoid", 4.0, 1.0, 4.0),
    ("derivative_of_leaky_relu", "relu", 4.0, -1.0, 0.04),
    ("derivative_of_softplus", "tanh", 4.0, 0.0, 2.0),
]


@pytest.mark.parametrize(("name", "activation", "upstream", "z", "expected"), SLOPES)
def test_slopes_by_hand(name, activation, upstream, z, expected):
    """delta of one neuron, at places where the slope is a number that one knows."""
    options = {"negative_slope": 0.5} if name == "derivative_with_default_parameters" else {}
    phi = ACTIVATIONS[activation](**options)
    a = phi.phi(array([z]))
    layer = Layer(array([1]), None, phi, array([z]), array([z]), a, None)
    assert near(BY_NAME[name].backprop().times_derivative(array([upstream]), layer), [[expected]])


# Probabilities of 1/4 and 3/4: J of softmax is ((3, -3), (-3, 3)) / 16.
JACOBIANS = [
    ("softmax_jacobian_diagonal", "softmax", (0.25, 0.75), (3.0, 6.0)),
    ("softmax_jacobian_without_diagonal", "softmax", (0.25, 0.75), (-7.0, -21.0)),
    ("softmax_jacobian_transposed", "softmax", (0.25, 0.75), (-3.0, 3.0)),
    ("softmax_jacobian_diagonal", "softmin", (0.25, 0.75), (-3.0, -6.0)),
    ("softmax_jacobian_without_diagonal", "softmin", (0.25, 0.75), (7.0, 21.0)),
    ("softmax_jacobian_without_diagonal", "log_softmax", (np.log(0.5), np.log(0.5)), (-24.0, -24.0)),
    ("softmax_jacobian_transposed", "log_softmax", (np.log(0.25), np.log(0.75)), (-12.0, 4.0)),
]


@pytest.mark.parametrize(("name", "activation", "a", "expected"), JACOBIANS)
def test_jacobians_by_hand(name, activation, a, expected):
    """g = (16, 32) through the wrong half of a Jacobian."""
    layer = Layer(array([1], [1]), None, ACTIVATIONS[activation](), array([1]), array(a), array(a), None)
    found = BY_NAME[name].backprop().times_derivative(array([16, 32]), layer)
    assert np.array_equal(np.round(found, 12), array(expected))


# a = ((1, 3), (2, 2)) and y = ((0, 1), (2, 5)): a - y = ((1, 2), (0, -3)).
SENT_BACK = [
    ("loss_gradient_of_squared_error", "mse", ([1, 2], [0, -3])),
    ("loss_gradient_is_loss", "mse", ([1, 4], [0, 9])),
    ("loss_gradient_is_loss", "half_squared_error", ([2.5, 2.5], [4.5, 4.5])),
    ("loss_gradient_of_ones", "mse", ([1, 1], [1, 1])),
    ("loss_gradient_absolute", "mse", ([2, 4], [0, 6])),
    ("loss_gradient_sign", "mse", ([1, 1], [0, -1])),
    ("loss_gradient_without_targets", "mse", ([2, 6], [4, 4])),
    ("loss_gradient_exchanged", "mse", ([-2, -4], [0, 6])),
    ("loss_gradient_averaged_over_outputs", "mse", ([3, 3], [-3, -3])),
    ("loss_gradient_averaged_over_batch", "mse", ([1, -1], [1, -1])),
    ("loss_gradient_summed_over_batch", "mse", ([2, -2], [2, -2])),
    ("gradient_of_first_sample", "mse", ([2, 4], [0, 0])),
    ("gradient_of_last_sample", "mse", ([0, 0], [0, -6])),
    ("loss_gradient_with_default_options", "mse", ([2, 4], [0, -6])),
    ("loss_gradient_of_predicted_class", "mse", ([0, 0], [-1, -5])),
    ("gradient_halved_over_batch", "mse", ([0.5, 1], [0, -1.5])),
    ("gradient_doubled_times_entries", "mse", ([16, 32], [0, -48])),
]
OUTPUTS, TARGETS = array([1, 3], [2, 2]), array([0, 1], [2, 5])


@pytest.mark.parametrize(("name", "loss", "expected"), SENT_BACK)
def test_what_the_loss_sends_back_by_hand(name, loss, expected):
    """g of two samples with two outputs, summed."""
    objective = Objective(LOSSES[loss](), "sum")
    assert near(BY_NAME[name].backprop().loss_gradient(OUTPUTS, TARGETS, objective), expected)


def test_probabilities_by_hand():
    """Logits of 0 are probabilities of 1/2; y = 1: p - y = -1/2, times 1/4 with the slope left in, sigmoid(1/2) - 1."""
    objective = Objective(LOSSES["bce_with_logits"](), "sum")

    def sent_back(name):
        return BY_NAME[name].backprop().loss_gradient(array([0]), array([1]), objective)

    assert near(sent_back("loss_gradient_times_slope_of_probabilities"), [[-0.125]])
    assert near(sent_back("loss_gradient_of_probabilities"), [[1 / (1 + np.exp(-0.5)) - 1]])
    assert near(sent_back("loss_gradient_without_second_term"), [[-0.5]])
    bce = Objective(LOSSES["bce"](), "sum")
    without = BY_NAME["loss_gradient_without_second_term"].backprop()
    assert near(without.loss_gradient(array([0.5]), array([1]), bce), [[-2]])
    assert near(without.loss_gradient(array([0.5]), array([0]), bce), [[0]])


def test_every_factor_of_the_conventions_is_there_once():
    """1, 2 and 1/2, times and over N, O and N O, and the sign: for N = 3 and O = 5 all of them differ."""
    factors = [factor.of(3, 5) for factor in FACTORS]
    counts = (3, 5, 15)
    expected = (
        [c * n for c in (1, 2, 0.5) for n in counts] + [c / n for c in (1, 2, 0.5) for n in counts] + [2, 0.5, -1]
    )
    assert sorted(factors) == sorted(expected)
    assert len(set(factors)) == len(factors)
    assert len({factor.text for factor in FACTORS}) == len(factors)


# w = (2, -3) with l1 = 1, l2 = 4, not divided: the slope is (9, -13), the value 5 + 2 * 13 = 31.
PENALTIES = {
    "penalty_missing_in_gradient": (0, 0),
    "penalty_negated": (-9, 13),
    "penalty_doubled": (18, -26),
    "penalty_halved": (4.5, -6.5),
    "penalty_over_batch": (1.8, -2.6),
    "penalty_times_batch": (45, -65),
    "penalty_l1_without_sign": (9, -11),
    "penalty_l1_and_l2_exchanged": (6, -7),
    "penalty_is_value": (10, 21),
    "penalty_on_biases": (9, -13),
    "penalty_not_on_biases": (9, -13),
    "decay_not_times_learning_rate": (9, -13),
}
PENALTY_VALUES = {
    "penalty_missing_in_loss": 0,
    "penalty_negated_in_loss": -31,
    "penalty_doubled_in_loss": 62,
    "penalty_halved_in_loss": 15.5,
    "penalty_over_batch_in_loss": 6.2,
    "penalty_times_batch_in_loss": 155,
    "penalty_of_norm": 5 + 2 * np.sqrt(13),
    "penalty_on_biases_in_loss": 31,
}


@pytest.mark.parametrize("name", [*PENALTIES, *PENALTY_VALUES])
def test_penalties_by_hand(name):
    """What a weight pays, and what it is pulled by; N = 5."""
    penalty = Penalty(l1=1, l2=4, on_biases=False, divided_by="nothing")
    backprop = BY_NAME[name].backprop()
    step = backprop.penalty_gradient if name in PENALTIES else backprop.penalty_value
    expected = [PENALTIES[name]] if name in PENALTIES else PENALTY_VALUES[name]
    assert near(np.asarray(step(array([2, -3]), penalty, 5)), expected)


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("penalty_on_biases", 0, (9, -13)),
        ("penalty_on_biases_in_loss", 31, (0, 0)),
        ("penalty_l1_without_sign", 0, (0, 0)),
        ("penalty_is_value", 0, (0, 0)),
        ("penalty_of_norm", 0, (0, 0)),
    ],
)
def test_penalties_on_biases_by_hand(name, value, slope):
    """A bias pays nothing here, unless the fault is that it does."""
    penalty = Penalty(l1=1, l2=4, on_biases=False, divided_by="nothing")
    backprop = BY_NAME[name].backprop()
    assert near(np.asarray(backprop.penalty_value(array(2, -3), penalty, 5)), value)
    assert near(backprop.penalty_gradient(array(2, -3), penalty, 5), slope)


def test_every_penalty_fault_is_worked_out():
    """A fault of the penalty that is added is worked out here too."""
    worked_out = {*PENALTIES, *PENALTY_VALUES}
    assert worked_out == {fault.name for fault in FAULTS if fault.step.startswith("penalty")}


# x = w = b = 1, y = 3, mse, eta = 1/4: dC/dw = dC/db = 2 (w + b - y) = -2.
STEPS = {
    "bias_not_stepped": (-2, 0),
    "bias_not_stepped_in_first_layer": (-2, 0),
    "first_layer_not_stepped": (0, 0),
    "output_layer_not_stepped": (0, 0),
    "step_upwards": (2, 2),
    "learning_rate_twice": (-0.5, -0.5),
    "learning_rate_missing": (-8, -8),
    "learning_rate_missing_for_biases": (-2, -8),
    "learning_rate_over_batch": (-2, -2),
    "step_normalised": (-np.sqrt(0.5), -np.sqrt(0.5)),
    "step_of_moving_average": (-0.2, -0.2),
    "decay_added_0_1": (-1.9, -2),
    "decay_of_wrong_sign_0_1": (-2.1, -2),
    # One sample: what happens after it comes too late to matter.
    "step_after_each_sample": (-2, -2),
    # After the step w = b = 3/2: the output is 3, and the second gradient 0.
    "two_epochs": (-2, -2),
    # With w = 3/2 and b = 1 the output is 5/2: dC/db = -1.
    "biases_after_weights": (-2, -1),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_by_hand(name, build):
    """The gradient that a training step has used, read from (w - w') / eta."""
    case = build("1-1,identity,mse,sum,n1,f64,ones,s0")
    case = type(case)(case.spec, case.weights, case.biases, case.x, array([3]), case.loss_arrays, None)
    answer = Planted([Plant(BY_NAME[name])], learning_rate=0.25).answer(case)
    weight, bias = STEPS[name]
    assert near(answer.weights[0], [[weight]])
    assert near(answer.biases[0], [bias])


def test_momentum_adds_up(build):
    """v = 0.5 v + g: g, then 1.5 g, then 1.75 g."""
    case = build("3-2,tanh,mse,sum,n4,f64,normal,s1")
    right, candidate = Planted(()).answer(case), Planted([Plant(BY_NAME["momentum_0_5"])])
    for factor in (1, 1.5, 1.75):
        answer = candidate.answer(case)
        assert near(answer.weights[0], factor * right.weights[0])
        assert near(answer.biases[0], factor * right.biases[0])


def test_steps_after_each_sample_start_from_what_the_one_before_left(build):
    """x = 1 twice, y = 3 and 3, eta = 1/4: the first gradient is -2, then w = b = 3/2 and the second is 0."""
    case = build("1-1,identity,mse,sum,n2,f64,ones,s0")
    case = type(case)(case.spec, case.weights, case.biases, case.x, array([3], [3]), case.loss_arrays, None)
    answer = Planted([Plant(BY_NAME["step_after_each_sample"])], learning_rate=0.25).answer(case)
    assert near(answer.weights[0], [[-2]])
    assert near(Planted(()).answer(case).weights[0], [[-4]])


@pytest.mark.parametrize(
    ("loss", "reduction", "value", "slope"),
    [("mse", "mean", 2, 2), ("mse", "batchmean", 4, 4), ("half_squared_error", "mean", 2, 2)],
)
def test_targets_against_each_other_by_hand(loss, reduction, value, slope, build):
    """a = (2, 2) against y = (2, 0), each with both: errors 0, 2, 0, 2, where 0 and 2 are meant."""
    case = build(f"1-1,identity,{loss},{reduction},n2,f64,ones,s0")
    case = type(case)(case.spec, case.weights, case.biases, case.x, array([2], [0]), case.loss_arrays, None)
    answer = Planted([Plant(BY_NAME["targets_broadcast"])]).answer(case)
    assert near(answer.loss, value)
    assert near(answer.biases[0], [slope])
