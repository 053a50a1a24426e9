"""Handwritten backpropagation in NumPy: the first network that Backproof proves, written to be read."""

from backproof.scratch.activations import ACTIVATIONS
from backproof.scratch.backprop import Backprop, Layer, LossAndGradients
from backproof.scratch.errors import RequirementError
from backproof.scratch.losses import LOSSES
from backproof.scratch.network import Network
from backproof.scratch.optimizers import SGD
from backproof.scratch.penalties import Penalty

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "SGD",
    "Backprop",
    "Layer",
    "LossAndGradients",
    "Network",
    "Penalty",
    "RequirementError",
]
