"""Stochastic gradient descent, with everything torch.optim.SGD has."""

import numpy as np

from backproof.scratch.arrays import Array
from backproof.scratch.backprop import LossAndGradients
from backproof.scratch.errors import RequirementError, ShapeError
from backproof.scratch.network import Network, as_ieee
from backproof.scratch.options import require_finite_number, require_flag, require_option
from backproof.scratch.requirements import named_layer


class SGD:
    """w <- w - learning_rate d for every weight and bias w of a network, with

        g = dC/dw (-dC/dw to maximize) + weight_decay w
        v = g at the first step, then momentum v + (1 - dampening) g
        d = g without momentum, v with it, g + momentum v for nesterov

    The first v is g undampened, as in torch.  Sutskever et al. 2013.

    Raises OptionError for a number that is not finite, for a negative learning rate, momentum or weight decay, and for
    nesterov without momentum or with dampening; RequirementError where an array of the network is read-only.
    """

    def __init__(
        self,
        network: Network,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        self.network = network
        self.learning_rate = require_finite_number("SGD", "learning_rate", learning_rate)
        self.momentum = require_finite_number("SGD", "momentum", momentum)
        self.dampening = require_finite_number("SGD", "dampening", dampening)
        self.weight_decay = require_finite_number("SGD", "weight_decay", weight_decay)
        self.nesterov = require_flag("SGD", "nesterov", nesterov)
        self.maximize = require_flag("SGD", "maximize", maximize)
        for name in ("learning_rate", "momentum", "weight_decay"):
            value = getattr(self, name)
            require_option(value >= 0, "SGD", name, value, "at least 0")
        if self.nesterov:
            require_option(self.momentum > 0, "SGD with nesterov", "momentum", self.momentum, "greater than 0")
            require_option(self.dampening == 0, "SGD with nesterov", "dampening", self.dampening, "0")
        for where, parameter in self._parameters():
            _require_writeable(parameter, where)
        self.velocities: list[Array | None] = [None] * (2 * len(network.weights))

    def step_in_place(self, gradients: LossAndGradients) -> None:
        """One step along the gradients: the network's own arrays change, all of them or, where it raises, none.

        Raises ShapeError where a gradient has not the shape of what it moves, and RequirementError where that has
        become read-only.
        """
        slopes = (*gradients.weights, *gradients.biases)
        velocities = list(self.velocities)
        steps: list[tuple[Array, Array]] = []
        for index, ((where, parameter), slope) in enumerate(zip(self._parameters(), slopes, strict=True)):
            if parameter is None or slope is None:
                continue
            _require_writeable(parameter, where)
            if slope.shape != parameter.shape:
                raise ShapeError(f"{where}: wanted a gradient of its shape {parameter.shape}, got {slope.shape}")
            direction, velocities[index] = self._direction(parameter, slope, self.velocities[index])
            steps.append((parameter, self.learning_rate * direction))
        self.velocities = velocities
        with as_ieee():  # whatever NumPy is set to raise, the step is done as a whole
            for parameter, step in steps:
                np.subtract(parameter, step, out=parameter)

    def _direction(self, parameter: Array, slope: Array, velocity: Array | None) -> tuple[Array, Array | None]:
        """d of a parameter, and its v, which is kept for the next step."""
        if self.maximize:
            slope = -slope
        if self.weight_decay:
            slope = slope + self.weight_decay * parameter
        if not self.momentum:
            return slope, velocity
        velocity = slope.copy() if velocity is None else self.momentum * velocity + (1 - self.dampening) * slope
        return slope + self.momentum * velocity if self.nesterov else velocity, velocity

    def _parameters(self) -> list[tuple[str, Array | None]]:
        """Every weight, then every bias, with the name of its layer."""
        weights, biases = self.network.weights, self.network.biases
        return [
            *((named_layer(index, "weights"), weight) for index, weight in enumerate(weights)),
            *((named_layer(index, "biases"), bias) for index, bias in enumerate(biases)),
        ]


def _require_writeable(parameter: Array | None, where: str) -> None:
    """Raises RequirementError where an array must not change."""
    if parameter is not None and not parameter.flags.writeable:
        raise RequirementError(
            f"{where}: SGD wants an array that may change, got a read-only one; build the network from a copy of it"
        )
