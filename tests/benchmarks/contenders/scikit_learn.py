"""scikit-learn's multilayer perceptron, by the private method that all of its solvers take their gradients from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.contenders.contender import Contender, Found
from benchmarks.problems import Problem


def _prepare(problem: Problem) -> Callable[[], Any]:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    layers = len(problem.weights)
    classes = problem.loss == "cross_entropy"
    model = (MLPClassifier if classes else MLPRegressor)(activation="logistic", alpha=0.0)
    # As `fit` leaves them, with the problem's numbers in place of random ones.
    model.coefs_ = [np.ascontiguousarray(weight.T) for weight in problem.weights]
    model.intercepts_ = problem.biases
    model.n_layers_, model.out_activation_ = layers + 1, "softmax" if classes else "identity"
    x, y = problem.x, problem.one_hot if classes else problem.y

    def step() -> Any:
        lists = [x] + [None] * layers, [None] * layers, [None] * layers, [None] * layers
        return model._backprop(x, y, None, *lists)

    return step


def _read(result: Any, problem: Problem) -> Found:
    loss, weights, biases = result
    if problem.loss == "cross_entropy":
        return Found(np.asarray(loss), [weight.T for weight in weights], biases)
    # Its loss is half of mse, and its gradients that of half the squared error, which it divides by N and not by N * O.
    weights, biases = ([array * 2 / problem.outputs for array in part] for part in (weights, biases))
    return Found(np.asarray(2 * loss), [weight.T for weight in weights], biases)


BACKPROP: Final = Contender(
    name="scikit-learn",
    task="gradients",
    prepare=_prepare,
    read=_read,
    package="sklearn",
    calls="_backprop of MLPRegressor or MLPClassifier, logistic units, alpha=0",
)
