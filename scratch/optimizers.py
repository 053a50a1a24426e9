"""Stochastic gradient descent, with everything torch.optim.SGD has."""

import numpy as np

from backproof.scratch.arrays import Array
from backproof.scratch.backprop import LossAndGradients
from backproof.scratch.errors import RequirementError
from backproof.scratch.network import Network
from backproof.scratch.options import require_finite_number, require_flag, require_option


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
        self.velocities: list[Array | None] = [None] * (2 * len(network.weights))

    def step_in_place(self, gradients: LossAndGradients) -> None:
        """One step along the gradients: the network's own arrays change."""
        parameters = (*self.network.weights, *self.network.biases)
        slopes = (*gradients.weights, *gradients.biases)
        for index, (parameter, slope) in enumerate(zip(parameters, slopes, strict=True)):
            if parameter is not None and slope is not None:
                if not parameter.flags.writeable:
                    raise RequirementError(
                        "SGD: the network's arrays are read-only; build the network from copies of them"
                    )
                step = self.learning_rate * self._direction(index, parameter, slope)
                np.subtract(parameter, step, out=parameter)

    def _direction(self, index: int, parameter: Array, slope: Array) -> Array:
        """d of the parameter of that index; its velocity is kept for the next step."""
        if self.maximize:
            slope = -slope
        if self.weight_decay:
            slope = slope + self.weight_decay * parameter
        if not self.momentum:
            return slope
        velocity = self.velocities[index]
        velocity = slope.copy() if velocity is None else self.momentum * velocity + (1 - self.dampening) * slope
        self.velocities[index] = velocity
        return slope + self.momentum * velocity if self.nesterov else velocity
