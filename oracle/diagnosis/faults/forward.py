"""BP0 got wrong: the forward pass."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.diagnosis.faults.options import other_gelu, with_defaults
from backproof.scratch import Backprop, Layer
from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array
from backproof.scratch.smooth_activations import Sigmoid, Softmax

BP0 = Chapter("BP0", wanted="a^l = phi(a^{l-1} W^l^T + b^l)")


@BP0.fault(
    "preactivation_without_bias",
    used="z = a^{l-1} W^T",
    why="the bias shifts where the neuron starts to act; left out, the network is another one, and so is its gradient",
    hint="a @ W.T without + b",
)
class WithoutBias(Backprop):
    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        return super().preactivation(inputs, weight, None)


@BP0.fault(
    "preactivation_with_bias_subtracted",
    used="z = a^{l-1} W^T - b",
    why="the bias is added; as a threshold it is subtracted, but then its gradient changes its sign as well",
    hint="a @ W.T - b",
)
class WithBiasSubtracted(Backprop):
    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        return super().preactivation(inputs, weight, None if bias is None else -bias)


@BP0.fault(
    "preactivation_with_one_bias",
    used="z_o = sum over i of w_oi a_i + b_1, the first neuron's bias for every o",
    why="each neuron has a bias of its own",
    hint="b[0] where b is meant, or a bias of shape (1,) that is broadcast",
)
class WithOneBias(Backprop):
    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        one = None if bias is None else np.full_like(bias, bias[0])
        return super().preactivation(inputs, weight, one)


@BP0.fault(
    "preactivation_with_untransposed_weights",
    used="z = a^{l-1} W + b",
    why="row o of W holds the weights of neuron o, so samples in rows meet W^T: only square weights hide the mistake",
    hint="a @ W where a @ W.T is meant",
)
class WithUntransposedWeights(Backprop):
    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        return super().preactivation(inputs, weight.T, bias)


@BP0.fault(
    "preactivation_averaged",
    used="z = a^{l-1} W^T / I + b",
    why="a neuron sums its weighted inputs; averaged, every weight acts as if it were smaller",
    hint="np.mean(W * a, axis=1) where a sum is meant",
)
class Averaged(Backprop):
    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        return super().preactivation(inputs, weight / weight.shape[1], bias)


@BP0.fault(
    "activation_missing",
    used="a^l = z^l",
    why="without phi the layer is linear; its slope phi' is then no longer that of what it puts out",
    hint="a line a = sigmoid(z) that is missing for this layer, often the output",
)
class ActivationMissing(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return z


@BP0.fault(
    "activation_twice",
    used="a^l = phi(phi(z^l))",
    why="phi belongs to each layer once; where the loss or the next layer applies it, the layer must not",
    hint="softmax in the network and again before the logarithm, or a = sigmoid(a) after a = sigmoid(z)",
)
class ActivationTwice(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return activation.phi(activation.phi(z))


@BP0.fault(
    "activation_of_negative",
    used="a^l = phi(-z^l)",
    why="1 / (1 + e^-z) rises with z; without the minus in the exponent it falls, and its slope changes its sign",
    hint="1 / (1 + np.exp(z)), or np.minimum(z, 0) where the maximum is meant",
)
class ActivationOfNegative(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return activation.phi(-z)


@BP0.fault(
    "activation_of_sigmoid",
    used="a^l = 1 / (1 + e^-z)",
    why="the network says which phi each layer has; another function has another output and another slope",
    hint="sigmoid(z) in every layer, whatever network.activations says",
)
class ActivationOfSigmoid(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return Sigmoid().phi(z)


@BP0.fault(
    "activation_of_tanh",
    used="a^l = tanh(z)",
    why="the network says which phi each layer has; another function has another output and another slope",
    hint="np.tanh(z) in every layer, whatever network.activations says",
)
class ActivationOfTanh(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return np.tanh(z)


@BP0.fault(
    "activation_of_relu",
    used="a^l = max(z, 0)",
    why="the network says which phi each layer has; another function has another output and another slope",
    hint="np.maximum(z, 0) in every layer, or for leaky_relu without its slope on the left",
)
class ActivationOfRelu(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return np.maximum(z, 0)


@BP0.fault(
    "activation_of_softmax",
    used="a^L = softmax(z), and the loss applies the softmax once more",
    wanted="a^L = z where the loss takes logits",
    why="a loss on logits has the softmax in it: probabilities handed to it are squeezed a second time",
    hint="softmax(z) in the forward pass beside cross_entropy, which wants z",
)
class ActivationOfSoftmax(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return Softmax().phi(z)


@BP0.fault(
    "activation_of_other_gelu",
    used="a = z (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2 for gelu, z Phi(z) for its approximation",
    wanted="a = z Phi(z) for gelu, the form with tanh for gelu with approximate=tanh",
    why="the two forms of gelu differ by up to 5e-4: PyTorch's default is the exact one",
    hint="the formula with tanh and 0.044715 where approximate is none, or erf where it is tanh",
)
class ActivationOfOtherGelu(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return other_gelu(activation).phi(z)


@BP0.fault(
    "activation_with_default_parameters",
    used="a^l = phi(z^l) with the default slope, alpha, beta, ...",
    wanted="a^l = phi(z^l) with the layer's own parameters",
    why="leaky_relu with the slope 0.2 is not leaky_relu with 0.01: the parameters belong to the function",
    hint="network.activation_options is not read",
)
class ActivationWithDefaults(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return np.asarray(with_defaults(activation).phi(z))


@BP0.fault(
    "activation_truncated_at_one",
    used="a^l = min(phi(z^l), 1)",
    why="relu and its like have no upper end: cut at 1 they are another function",
    hint="np.clip(z, 0, 1) where np.maximum(z, 0) is meant",
)
class ActivationTruncatedAtOne(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return np.minimum(activation.phi(z), 1)


@BP0.fault(
    "softmax_over_the_batch",
    used="a_no = e^z_no / sum over m of e^z_mo",
    wanted="a_no = e^z_no / sum over k of e^z_nk",
    why="the probabilities of one sample's classes sum to 1; those of one class over the samples need not",
    hint="axis=0 where samples are rows; axis=1 where they are columns; with one sample every output is 1",
)
class SoftmaxOverTheBatch(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return activation.phi(z.T).T if activation.rowwise else super().activation(z, activation)


@BP0.fault(
    "activation_of_first_layer_everywhere",
    used="a^l = phi^1(z^l)",
    wanted="a^l = phi^l(z^l)",
    why="each layer has a phi of its own, and the output's is often another one than the hidden layers'",
    hint="activations[0] in the loop where activations[l] is meant",
)
class ActivationOfFirstLayer(Backprop):
    def forward(
        self, x: Array, weights: Sequence[Array], biases: Sequence[Array | None], activations: Sequence[Activation]
    ) -> list[Layer]:
        return super().forward(x, weights, biases, [activations[0]] * len(activations))


@BP0.fault(
    "activation_of_next_layer",
    used="a^l = phi^{l+1}(z^l)",
    wanted="a^l = phi^l(z^l)",
    why="phi of layer l is applied to z of layer l; counting layers from 0 and from 1 mixes them up",
    hint="activations[l + 1] in the loop where activations[l] is meant",
)
class ActivationOfNextLayer(Backprop):
    def forward(
        self, x: Array, weights: Sequence[Array], biases: Sequence[Array | None], activations: Sequence[Activation]
    ) -> list[Layer]:
        return super().forward(x, weights, biases, [*activations[1:], activations[-1]])
