"""ACTIVATIONS: every activation by name.

Names and parameters are torch.nn.functional's. What each activation is stands in piecewise_activations and
smooth_activations.
"""

from backproof.scratch.activation import Activation
from backproof.scratch.piecewise_activations import (
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyRelu,
    Relu,
    Relu6,
    Softshrink,
    Threshold,
)
from backproof.scratch.smooth_activations import (
    Celu,
    Elu,
    Gelu,
    Logsigmoid,
    LogSoftmax,
    Mish,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softmin,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
)

ACTIVATIONS: dict[str, type[Activation]] = {
    "threshold": Threshold,
    "relu": Relu,
    "relu6": Relu6,
    "hardtanh": Hardtanh,
    "hardsigmoid": Hardsigmoid,
    "hardswish": Hardswish,
    "elu": Elu,
    "selu": Selu,
    "celu": Celu,
    "leaky_relu": LeakyRelu,
    "logsigmoid": Logsigmoid,
    "gelu": Gelu,
    "silu": Silu,
    "mish": Mish,
    "softplus": Softplus,
    "softsign": Softsign,
    "softshrink": Softshrink,
    "hardshrink": Hardshrink,
    "tanhshrink": Tanhshrink,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "identity": Identity,
    "softmax": Softmax,
    "softmin": Softmin,
    "log_softmax": LogSoftmax,
}
