"""Gradients by HIPS autograd: the loss is written down in its NumPy, and differentiated."""

import autograd.numpy as np
from autograd import value_and_grad

from backproof import Domain, candidate

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "softmax": lambda z: np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True),
}


@candidate(
    Domain(
        activations=("identity", "sigmoid", "tanh"),
        output_activations=tuple(ACTIVATIONS),
        losses=("mse", "half_squared_error", "categorical_cross_entropy"),
        reductions=("sum", "batchmean"),
    )
)
def loss_and_gradients(network, x, y):
    """What `network` asks for; a layer without a bias has one of zeros that nobody hears of."""

    def objective(parameters):
        a = x
        for (weight, bias), name in zip(parameters, network.activations, strict=True):
            a = ACTIVATIONS[name](np.dot(a, weight.T) + bias)
        total = {
            "mse": lambda: np.sum((a - y) ** 2),
            "half_squared_error": lambda: np.sum((a - y) ** 2) / 2,
            "categorical_cross_entropy": lambda: -np.sum(y * np.log(a)),
        }[network.loss]()
        return total / len(x) if network.reduction == "batchmean" else total

    absent = [bias is None for bias in network.biases]
    parameters = [
        (weight, np.zeros(len(weight)) if bias is None else bias)
        for weight, bias in zip(network.weights, network.biases, strict=True)
    ]
    loss, slopes = value_and_grad(objective)(parameters)
    biases = [None if none else bias for none, (_, bias) in zip(absent, slopes, strict=True)]
    return loss, [weight for weight, _ in slopes], biases
