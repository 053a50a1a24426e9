"""Activations and losses with other parameters than they should have."""

from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import Any, cast

import numpy as np

from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array
from backproof.scratch.classification_losses import LOGITS, CrossEntropy
from backproof.scratch.exponentials import sigmoid, softmax
from backproof.scratch.objective import Loss, Objective
from backproof.scratch.smooth_activations import Gelu


def with_defaults(made: Any) -> Any:
    """The same activation or loss with the default for every parameter that has one."""
    required = {option.name: getattr(made, option.name) for option in fields(made) if option.default is MISSING}
    return type(made)(**required)


def other_gelu(activation: Activation) -> Activation:
    """The tanh form for the exact gelu, the exact one for the tanh form; anything else is returned as it is."""
    if not isinstance(activation, Gelu):
        return activation
    return Gelu(approximate="none" if activation.approximate == "tanh" else "tanh")


def probabilities(a: Array, loss: Loss) -> Array:
    """What outputs say as probabilities, where the loss takes logits; for any other loss the outputs themselves."""
    if loss.expected_output() != LOGITS:
        return a
    return softmax(a) if isinstance(loss, CrossEntropy) else sigmoid(a)


def as_rows(y: Array, outputs: int) -> Array:
    """Targets (N, O): class indices as one-hot rows, any other as they are."""
    return y if y.ndim == 2 else (y[:, None] == np.arange(outputs)).astype(np.float64)


class LossInstead:
    """A loss with some of its methods replaced."""

    def __init__(self, loss: Loss, **methods: Callable[[Array, Array], Any]) -> None:
        self._loss = loss
        vars(self).update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loss, name)


def loss_instead(objective: Objective, **methods: Callable[[Array, Array], Any]) -> Objective:
    """The same cost of a loss that has these methods in place of its own."""
    return replace(objective, loss=cast("Loss", LossInstead(objective.loss, **methods)))
