"""MyGrad: reverse mode on NumPy arrays, one graph a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.contenders.contender import Contender, Found
from benchmarks.problems import Problem


def _prepare(problem: Problem) -> Callable[[], Any]:
    import mygrad
    from mygrad.nnet.activations import sigmoid
    from mygrad.nnet.losses import softmax_crossentropy

    def mse(z: Any, y: Any) -> Any:
        return mygrad.mean(mygrad.square(z - y))

    mygrad.turn_memory_guarding_off()  # its own advice to those who want speed
    weights, biases = ([mygrad.tensor(array) for array in part] for part in (problem.weights, problem.biases))
    x, y, loss_of = problem.x, problem.y, mse if problem.loss == "mse" else softmax_crossentropy

    def step() -> Any:
        a = x
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            a = sigmoid(mygrad.matmul(a, weight.T) + bias)
        loss = loss_of(mygrad.matmul(a, weights[-1].T) + biases[-1], y)
        loss.backward()
        return loss.data, [weight.grad for weight in weights], [bias.grad for bias in biases]

    return step


def _read(result: Any, problem: Problem) -> Found:
    loss, weights, biases = result
    return Found(np.asarray(loss), weights, biases)


TENSORS: Final = Contender(
    name="MyGrad",
    task="gradients",
    prepare=_prepare,
    read=_read,
    package="mygrad",
    calls="mygrad.matmul, sigmoid, square and mean or softmax_crossentropy, backward; memory guarding off",
)
