"""Gradients by JAX, in doubles: the loss is written down, and jax.grad does the rest."""

import jax
import jax.numpy as jnp
import numpy as np

from backproof import Domain, candidate

jax.config.update("jax_enable_x64", True)

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
}


def objective(parameters, network, x, y):
    """C as `network` asks for it."""
    a = x
    for (weight, bias), name in zip(parameters, network.activations, strict=True):
        a = ACTIVATIONS[name](a @ weight.T + bias)
    terms = {
        "mse": lambda: (a - y) ** 2,
        "half_squared_error": lambda: ((a - y) ** 2).sum(axis=1) / 2,
        "cross_entropy": lambda: -jnp.take_along_axis(jax.nn.log_softmax(a), y[:, None], axis=1)[:, 0],
    }[network.loss]()
    return terms.sum() if network.reduction == "sum" else terms.mean()


@candidate(
    Domain(
        depth=2,
        activations=("sigmoid", "tanh"),
        output_activations="identity",
        losses=("half_squared_error", "cross_entropy=index"),
        reductions="mean",
        biases="always",
        shapes=1,  # JAX compiles every operation for every shape
    )
)
def loss_and_gradients(network, x, y):
    """By reverse mode, without a word about how."""
    parameters = list(zip(network.weights, network.biases, strict=True))
    loss, slopes = jax.value_and_grad(objective)(parameters, network, x, y)
    weights, biases = zip(*slopes, strict=True)
    return np.asarray(loss), list(weights), list(biases)
