"""The check itself is checked: one wrong step is caught where it was made, and correct code is never accused."""

import numpy as np
import pytest

from backproof.candidates.builtin import BUILTIN, network_of
from backproof.candidates.contract import Answer
from backproof.cases import Domain
from backproof.cases.case import build_case
from backproof.cases.sampling import sample_specs
from backproof.examine import examine
from backproof.scratch import Backprop

# Curved activations, biases everywhere, at least two samples, two outputs and two layers, and N apart from O: here
# every plant below changes the numbers of every network.
TELLING = Domain(
    depth=(2, 4),
    width=(2, 5),
    batch_size=(6, 9),
    activations={"sigmoid", "tanh", "softplus", "silu"},
    losses={"mse", "half_squared_error", "linear"},
    reductions={"sum", "mean", "batchmean"},
    dtypes="float64",
    biases="always",
)


class WithoutBias(Backprop):
    """BP0: the forward pass forgets to add b."""

    def preactivation(self, inputs, weight, bias):
        return inputs @ weight.T


class WrongActivation(Backprop):
    """BP0: every layer is passed through phi twice."""

    def activation(self, z, activation):
        return activation.phi(activation.phi(z))


class OutputWithoutDerivative(Backprop):
    """BP1: phi' is left out at the output."""

    def output_delta(self, loss_gradient, layer):
        return loss_gradient


class DerivativeAtUpstream(Backprop):
    """BP1: phi' is taken at what the loss sends back, not at z."""

    def output_delta(self, loss_gradient, layer):
        return loss_gradient * layer.activation.derivative(loss_gradient, layer.activation.phi(loss_gradient))


class DerivativeAtOutput(Backprop):
    """BP1 and BP2: phi' is taken at a, not at z."""

    def activation_derivative(self, z, a, layer):
        return layer.activation.derivative(a, layer.activation.phi(a))


class HiddenWithoutDerivative(Backprop):
    """BP2: phi' is left out in the hidden layers."""

    def hidden_delta(self, upstream, layer, above):
        return upstream


class UpstreamAveraged(Backprop):
    """BP2: what comes back from the layer above is averaged over its neurons, not summed."""

    def upstream(self, delta, layer):
        return delta @ layer.weight / delta.shape[1]


class BiasSummedOverNeurons(Backprop):
    """BP3: one scalar, the sum over the batch and the neurons, for every bias of the layer."""

    def bias_gradient(self, delta, layer):
        return np.full(delta.shape[1], delta.sum())


class WeightFromPreactivation(Backprop):
    """BP4: z of the layer below takes the place of its a."""

    def weight_gradient(self, delta, layer):
        return delta.T @ (layer.inputs if layer.below is None else layer.below.z)


class BiasAveraged(Backprop):
    """Batch sum: the bias gradient is a mean over the batch where the weight gradient is a sum."""

    def bias_gradient(self, delta, layer):
        return delta.mean(axis=0)


class WeightOfFirstSample(Backprop):
    """Batch sum: the weight gradient is that of the first sample alone."""

    def weight_gradient(self, delta, layer):
        return delta[:1].T @ layer.inputs[:1]


class GradientHalved(Backprop):
    """Loss scale: every gradient is half of the right one; the loss is right."""

    def loss_gradient(self, a, y, objective):
        return super().loss_gradient(a, y, objective) / 2


class LossDoubled(Backprop):
    """Loss scale: the loss is twice the right one; every gradient is right."""

    def loss_value(self, a, y, objective):
        return 2 * super().loss_value(a, y, objective)


# Each plant, the quantities that it makes wrong in every network, and those that it must leave right.
PLANTS = [
    (WithoutBias, {"loss", "delta L"}, set()),
    (WrongActivation, {"loss"}, set()),
    (OutputWithoutDerivative, {"delta L", "bias L", "weight L"}, {"loss"}),
    (DerivativeAtUpstream, {"delta L", "bias L", "weight L"}, {"loss"}),
    (DerivativeAtOutput, {"delta L", "bias L", "weight L"}, {"loss"}),
    (HiddenWithoutDerivative, {"delta 1", "bias 1", "weight 1"}, {"loss", "delta L", "bias L", "weight L"}),
    (UpstreamAveraged, {"delta 1", "bias 1", "weight 1", "input"}, {"loss", "delta L", "bias L", "weight L"}),
    (BiasSummedOverNeurons, {"bias L", "bias 1"}, {"loss", "delta", "weight", "input"}),
    (WeightFromPreactivation, {"weight L"}, {"loss", "delta", "bias", "input"}),
    (BiasAveraged, {"bias L", "bias 1"}, {"loss", "delta", "weight", "input"}),
    (WeightOfFirstSample, {"weight L", "weight 1"}, {"loss", "delta", "bias", "input"}),
    (GradientHalved, {"delta L", "bias L", "weight L", "input"}, {"loss"}),
    (LossDoubled, {"loss"}, {"delta", "bias", "weight", "input"}),
]


class Planted:
    """The handwritten network with another Backprop, as a candidate."""

    def __init__(self, backprop):
        self.name, self.domain, self.backprop = backprop.__name__, TELLING, backprop

    def answer(self, case):
        """Its loss and gradients, as the built-in candidate hands them over."""
        found = network_of(case, self.backprop).gradients(case.x, case.y)
        return Answer(
            loss=found.loss, weights=found.weights, biases=found.biases, inputs=found.inputs, deltas=found.deltas
        )


def failing(candidate, case):
    """The names of the quantities that fail, with their layer ("L" for the last) and without it."""
    names = set()
    for check in examine(candidate, case):
        if check.verdict.fails:
            layer = "L" if check.layer == case.spec.depth else check.layer
            names |= {check.quantity} if layer is None else {check.quantity, f"{check.quantity} {layer}"}
    return names


@pytest.fixture(scope="module")
def cases():
    """Forty networks on which the plants show."""
    return [build_case(spec) for spec in sample_specs(TELLING, seed=0, shard=0, count=20)]


@pytest.mark.parametrize(("backprop", "wrong", "right"), PLANTS, ids=[plant[0].__name__ for plant in PLANTS])
def test_a_planted_fault_is_caught_where_it_was_made(cases, backprop, wrong, right):
    """In every network what the fault touches is found wrong, and what it does not touch is not accused."""
    assert len({name for name in vars(backprop) if not name.startswith("_")}) == 1, "a plant overrides one step"
    for case in cases:
        found = failing(Planted(backprop), case)
        assert wrong <= found, case.spec.id
        assert not right & found, case.spec.id


def test_the_planting_itself_changes_nothing(cases):
    """Negative control: the same route with the correct Backprop accuses nobody."""
    for case in cases:
        assert failing(Planted(Backprop), case) == set(), case.spec.id


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_correct_implementations_are_not_accused(name):
    """Neither scratch nor PyTorch's own float32 and float64 arithmetic is found wrong; more in test_no_false_alarm."""
    candidate = BUILTIN[name]()
    for spec in sample_specs(Domain(), seed=1, shard=0, count=60):
        assert failing(candidate, build_case(spec)) == set(), spec.id
