"""Every fault on a network that a person can follow: it shows, and both columns are what they say."""

import numpy as np
import pytest

from backproof.diagnosis.faults import BY_NAME, FAULTS, Fault
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.lessons.contrasts import RATE, UnseenFaultError, contrasted, first_trial, shown
from backproof.lessons.fault_lessons import lesson
from backproof.lessons.networks import before, written
from backproof.lessons.page import WIDTH, page
from backproof.lessons.solved import stated
from backproof.lessons.spelling import spelled
from backproof.scratch import Backprop
from backproof.scratch.smooth_activations import Mish
from backproof.truth import autograd

KINDS = {"d": "weights", "W": "weights", "b": "biases"}


def expected(case, found, *, stepped):
    """Loss, deltas and gradients, or the parameters after a step, of anything that has them, by the rows' names."""
    depth = len(case.weights)
    rows = {"C": found.loss}
    for layer in range(1, depth + 1):
        own = "" if depth == 1 else str(layer)
        rows[f"delta{own}"] = found.deltas[layer - 1]
        pairs = (
            ("W", case.weights[layer - 1], found.weights[layer - 1]),
            ("b", case.biases[layer - 1], found.biases[layer - 1]),
        )
        for symbol, parameter, gradient in pairs:
            if parameter is not None and gradient is not None:
                rows[f"{'new ' if stepped else 'd'}{symbol}{own}"] = (
                    parameter - RATE * gradient if stepped else gradient
                )
    return {name: np.asarray(array) for name, array in rows.items()}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_shows_in_numbers(fault):
    """The right column is PyTorch's, the wrong one the planted network's, and they differ; on a page that fits."""
    trial = shown(fault)
    assert trial.shows
    right = expected(trial.case, autograd.reference(trial.case), stepped=fault.only_steps)
    planted = Planted([Plant(fault)], learning_rate=RATE)
    if trial.second_call:
        planted.answer(before(trial.case))
    if not trial.raised:
        wrong = expected(trial.case, planted.answer(trial.case), stepped=fault.only_steps)
        for row in trial.rows:
            if row.name in right:
                assert spelled(row.right, trial.digits) == spelled(right[row.name], trial.digits), row.name
                assert spelled(row.wrong, trial.digits) == spelled(wrong[row.name], trial.digits), row.name
    lines = [text.plain for text in page(lesson(fault))]
    assert sum(line.endswith("<- first wrong") for line in lines) == (0 if trial.raised else 1)
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) <= 36


class Doubled(Backprop):
    """Twice the right bias gradient."""

    def bias_gradient(self, delta, layer):
        return 2 * super().bias_gradient(delta, layer)


class Misshapen(Backprop):
    """A bias gradient for each sample."""

    def bias_gradient(self, delta, layer):
        return delta


class Raising(Backprop):
    """A product that never fits."""

    def weight_gradient(self, delta, layer):
        raise ValueError("shapes (2,3) and (2,3)\nnot aligned")


class Negated(Backprop):
    """A weight gradient of the wrong sign."""

    def weight_gradient(self, delta, layer):
        return -super().weight_gradient(delta, layer)


class Harmless(Backprop):
    """Nothing wrong."""

    def weight_gradient(self, delta, layer):
        return super().weight_gradient(delta, layer)


class Late(Backprop):
    """Wrong in the eighth digit."""

    def weight_gradient(self, delta, layer):
        return super().weight_gradient(delta, layer) * (1 + 1e-8 * np.pi)


def made(backprop, step, **fields):
    """A fault of our own."""
    known = {"name": "n", "equation": "BP3", "used": "u", "wanted": "r", "why": "w", "hint": "h"}
    return Fault(**{**known, "step": step, "backprop": backprop, **fields})


def network(outputs=1):
    """One layer of so many neurons."""
    return stated(weights=[[[3]] * outputs], biases=[[1] * outputs], x=[[2]], y=[list(range(outputs))])


def test_the_first_wrong_quantity_is_marked():
    """What comes before it is right, and said to be."""
    example = contrasted(made(Doubled, "bias_gradient"))
    marked = [(line.name, line.right, line.wrong) for line in example.contrasts if line.first]
    assert marked == [("db", "[2]", "[4]")]
    assert [line.name for line in example.contrasts if line.right != line.wrong] == ["db"]


def test_wrong_shapes_are_shown_where_nothing_else_is():
    """A network on which shapes are right comes first, if there is one."""
    trial = first_trial(made(Misshapen, "bias_gradient"), lambda: [network(), network(2)])
    assert (trial.shows, trial.fits) == (True, False)
    assert len(trial.case.weights[0]) == 1


def test_what_raises_is_told():
    """In one line, with the message."""
    fault = made(Raising, "weight_gradient")
    assert first_trial(fault, lambda: [network()]).raised == "ValueError: shapes (2,3) and (2,3) not aligned"
    assert contrasted(fault).closing.startswith("On this network the mistake does not get through: ValueError: ")
    assert contrasted(fault).contrasts == ()


def test_a_loss_of_precision_is_shown_in_more_digits():
    """At four digits it would look right."""
    assert first_trial(made(Late, "weight_gradient", dtype="float32"), written).digits == 9
    assert first_trial(made(Late, "weight_gradient"), written).digits == 9
    assert first_trial(made(Doubled, "bias_gradient"), written).digits == 4


def test_a_fault_that_no_network_shows_is_said():
    """Rather than a page without a difference."""
    with pytest.raises(UnseenFaultError, match="n: it shows on none of 3 small networks"):
        first_trial(made(Harmless, "weight_gradient"), lambda: [network()], lambda: [network(2)] * 2)


def test_long_arrays_are_shown_by_an_entry():
    """The first one that differs; by their shapes where these do."""
    wide = stated(weights=[[[1]] * 12], biases=[[0] * 12], x=[[1]], y=[[5] * 12])
    trial = first_trial(made(Doubled, "bias_gradient"), lambda: [wide])
    from backproof.lessons.contrasts import _line

    lines = [_line(row, 4, first=False) for row in trial.rows if row.name in {"z", "db"}]
    assert [(line.name, line.right, line.wrong) for line in lines] == [("z[0, 0]", "1", "1"), ("db[0]", "-4", "-8")]
    trial = first_trial(made(Misshapen, "bias_gradient"), lambda: [wide])
    (line,) = (_line(row, 4, first=True) for row in trial.rows if row.name == "db")
    assert (line.right, line.wrong) == ("shape (12,)", "shape (1, 12)")


def test_networks_are_small():
    """Those that are written down have whole numbers, or halves and quarters."""
    for case in written():
        assert sum(case.spec.widths) <= 8
        assert case.spec.batch_size <= 5
        for array in (*case.weights, *[bias for bias in case.biases if bias is not None], case.x):
            assert np.array_equal(4 * array, np.round(4 * array))


class TimesOutputs(Backprop):
    """Twice the right bias gradient only where there are two neurons."""

    def bias_gradient(self, delta, layer):
        return delta.shape[1] * super().bias_gradient(delta, layer)


def test_a_network_that_tells_a_fault_from_its_siblings_comes_first():
    """Where none does, the first that shows it."""
    doubled, wide = made(Doubled, "bias_gradient"), made(TimesOutputs, "bias_gradient", name="wide")
    stage = [network(2), network(), network(3)]
    assert first_trial(doubled, lambda: stage).case is stage[0]
    assert first_trial(doubled, lambda: stage, siblings=[wide]).case is stage[1]
    assert first_trial(wide, lambda: stage, siblings=[doubled]).case is stage[2]
    assert first_trial(wide, lambda: stage[:2], siblings=[doubled]).case is stage[0]


@pytest.mark.parametrize("name", ["gradient_doubled_times_batch", "loss_over_entries", "first_layer_not_stepped"])
def test_a_fault_is_not_shown_where_it_looks_like_another(name):
    """2 N is not shown where N = 1, nor the first layer where there is one alone."""
    spec = shown(BY_NAME[name]).case.spec
    assert spec.batch_size > 1 or spec.depth > 1


class WrongMish(Backprop):
    """A mistake in an activation that no written network has."""

    def activation(self, z, activation):
        return super().activation(z, activation) * (2 if isinstance(activation, Mish) else 1)


def test_sampled_networks_show_what_the_written_ones_cannot():
    """Rare functions, on the smallest network that has them."""
    fault = made(WrongMish, "activation", equation="BP0")
    with pytest.raises(UnseenFaultError):
        first_trial(fault, written)
    seen = shown(fault).case.spec
    assert "mish" in {formula.name for formula in seen.activations}
    assert max(seen.widths) <= 3


def test_a_layer_without_a_bias_has_no_row_for_it():
    """Nothing is made up."""
    bare = stated(weights=[[[3]]], biases=[None], x=[[2]], y=[[5]])
    trial = first_trial(made(Negated, "weight_gradient"), lambda: [bare])
    assert [row.name for row in trial.rows] == ["z", "C", "dC/da", "delta", "dW", "dC/dx"]
