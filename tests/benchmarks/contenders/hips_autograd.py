"""HIPS autograd: value_and_grad of a loss in its NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.contenders.contender import Contender, Found
from benchmarks.problems import Problem


def _prepare(problem: Problem) -> Callable[[], Any]:
    import autograd.numpy as anp
    from autograd import value_and_grad

    x, y = problem.x, problem.y
    rows, layers = np.arange(len(y)), len(problem.weights)

    def loss_of(parameters: list[Any]) -> Any:
        a = x
        for weight, bias in zip(parameters[: layers - 1], parameters[layers:-1], strict=True):
            a = 1 / (1 + anp.exp(-(anp.dot(a, weight.T) + bias)))
        z = anp.dot(a, parameters[layers - 1].T) + parameters[-1]
        if problem.loss == "mse":
            return anp.mean((z - y) ** 2)
        z = z - anp.max(z, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - z[rows, y])

    differentiated = value_and_grad(loss_of)
    parameters = [*problem.weights, *problem.biases]
    return lambda: differentiated(parameters)


def _read(result: Any, problem: Problem) -> Found:
    loss, gradients = result
    return Found.of_parameters(np.asarray(loss), gradients)


VALUE_AND_GRAD: Final = Contender(
    name="HIPS autograd",
    task="gradients",
    prepare=_prepare,
    read=_read,
    package="autograd",
    calls="autograd.value_and_grad of dot, exp, mean",
)
