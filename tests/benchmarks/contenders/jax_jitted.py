"""JAX: value_and_grad under jit, waited for until the result is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.contenders.contender import Contender, Found
from benchmarks.problems import Problem


def _prepare(problem: Problem) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)  # else float64 would become float32 without a word
    layers = len(problem.weights)
    x, y, *parameters = map(jnp.asarray, (problem.x, problem.y, *problem.weights, *problem.biases))

    def loss_of(parameters: list[Any], x: Any, y: Any) -> Any:
        a = x
        for weight, bias in zip(parameters[: layers - 1], parameters[layers:-1], strict=True):
            a = jax.nn.sigmoid(a @ weight.T + bias)
        z = a @ parameters[layers - 1].T + parameters[-1]
        if problem.loss == "mse":
            return jnp.mean((z - y) ** 2)
        shares = jax.nn.log_softmax(z)
        return -jnp.take_along_axis(shares, y[:, None], axis=1).mean()

    differentiated = jax.jit(jax.value_and_grad(loss_of))
    return lambda: jax.block_until_ready(differentiated(parameters, x, y))


def _read(result: Any, problem: Problem) -> Found:
    loss, gradients = result
    return Found.of_parameters(np.asarray(loss), [np.asarray(gradient) for gradient in gradients])


VALUE_AND_GRAD: Final = Contender(
    name="JAX jitted",
    task="gradients",
    prepare=_prepare,
    read=_read,
    package="jax",
    calls="jax.jit(jax.value_and_grad(...)), block_until_ready",
)
