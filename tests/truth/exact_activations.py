"""phi and phi' of every elementwise activation in ball arithmetic, written for the sweep: what rounding strays from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

Options = Mapping[str, float | int | str]
Pair = tuple[arb, arb]
Function = Callable[[float, Options], Pair]

PRECISIONS = (128, 320, 1100, 2600, 4400)
SUFFICIENT_BITS = 75  # of the result; a float64 has 53, and the sweep looks at units of its roundoff
NEGLIGIBLE = arb(2) ** -1200  # far below the smallest subnormal


@dataclass(frozen=True)
class Exact:
    """A number as a float64 and what is missing, |high + low - true| < 2^-70 |true|."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]


def logistic(x: arb) -> arb:
    """1/(1 + exp(-x))."""
    return 1 / (1 + (-x).exp())


def sigmoid(z: float, o: Options) -> Pair:
    """s and s(z) s(-z)."""
    s = logistic(arb(z))
    return s, s * logistic(-arb(z))


def tanh(z: float, o: Options) -> Pair:
    """tanh and 1/cosh^2."""
    x = arb(z)
    return x.tanh(), 1 / x.cosh() ** 2


def tanhshrink(z: float, o: Options) -> Pair:
    """z - tanh and tanh^2."""
    x = arb(z)
    return x - x.tanh(), x.tanh() ** 2


def softplus(z: float, o: Options) -> Pair:
    """log1p(exp(beta z))/beta, and z beyond the threshold."""
    beta, threshold = arb(float(o["beta"])), arb(float(o["threshold"]))
    x = beta * arb(z)
    if x > threshold:
        return arb(z), arb(1)
    return x.exp().log1p() / beta, logistic(x)


def logsigmoid(z: float, o: Options) -> Pair:
    """-log1p(exp(-z)) and s(-z)."""
    x = arb(z)
    return -(-x).exp().log1p(), logistic(-x)


def silu(z: float, o: Options) -> Pair:
    """z s and s (1 + z s(-z))."""
    x, s = arb(z), logistic(arb(z))
    return x * s, s * (1 + x * logistic(-x))


def mish(z: float, o: Options) -> Pair:
    """z w and w + z w', w = tanh(log(1 + e^z)), by the exponential that does not overflow."""
    x = arb(z)
    e = (-abs(x)).exp()
    n, m = (1 + 2 * e, 1 + 2 * e + 2 * e * e) if z > 0 else (e * (e + 2), e * (e + 2) + 2)
    w = n / m
    return x * w, w + x * 4 * e * (1 + e) * (e if z > 0 else 1) / m**2


def gelu(z: float, o: Options) -> Pair:
    """z Phi and Phi + z density; or z s(g) and its derivative."""
    x = arb(z)
    if o["approximate"] == "tanh":
        scale = 2 * (2 / arb.pi()).sqrt()
        s = logistic(scale * (x + arb("0.044715") * x**3))
        t = logistic(-scale * (x + arb("0.044715") * x**3))
        return x * s, s * (1 + x * t * scale * (1 + 3 * arb("0.044715") * x**2))
    phi = (-x / arb(2).sqrt()).erfc() / 2
    return x * phi, phi + x * (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _unit(z: float, alpha: arb, width: arb, scale: arb) -> Pair:
    if z > 0:
        return scale * arb(z), scale
    x = arb(z) / width
    return scale * alpha * x.expm1(), scale * alpha / width * x.exp()


def elu(z: float, o: Options) -> Pair:
    """alpha expm1(z)."""
    return _unit(z, arb(float(o["alpha"])), arb(1), arb(1))


def celu(z: float, o: Options) -> Pair:
    """alpha expm1(z/alpha)."""
    return _unit(z, arb(float(o["alpha"])), arb(float(o["alpha"])), arb(1))


def selu(z: float, o: Options) -> Pair:
    """elu with alpha and scale of Klambauer et al. 2017, equation 14."""
    alpha, scale = arb("1.6732632423543772848170429916717"), arb("1.0507009873554804934193349852946")
    return _unit(z, alpha, arb(1), scale)


def softsign(z: float, o: Options) -> Pair:
    """z/(1 + |z|)."""
    x = arb(z)
    return x / (1 + abs(x)), 1 / (1 + abs(x)) ** 2


def softshrink(z: float, o: Options) -> Pair:
    """z -+ lambd."""
    lambd = float(o["lambd"])
    if abs(z) <= lambd:
        return arb(0), arb(0)
    return arb(z) - (arb(lambd) if z > 0 else -arb(lambd)), arb(1)


def hardsigmoid(z: float, o: Options) -> Pair:
    """(z + 3)/6 between -3 and 3."""
    if abs(z) >= 3:
        return arb(int(z > 0)), arb(0)
    return (arb(z) + 3) / 6, arb(1) / 6


def hardswish(z: float, o: Options) -> Pair:
    """z (z + 3)/6 between -3 and 3."""
    if abs(z) >= 3:
        return arb(z) * int(z > 0), arb(int(z > 0))
    return arb(z) * (arb(z) + 3) / 6, (2 * arb(z) + 3) / 6


def leaky_relu(z: float, o: Options) -> Pair:
    """negative_slope z for z <= 0."""
    slope = arb(1) if z > 0 else arb(float(o["negative_slope"]))
    return slope * arb(z), slope


def _copied(z: float, low: float, high: float) -> Pair:
    return arb(min(max(z, low), high)), arb(int(low < z < high))


EXACT: dict[str, Function] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "tanhshrink": tanhshrink,
    "softplus": softplus,
    "logsigmoid": logsigmoid,
    "silu": silu,
    "mish": mish,
    "gelu": gelu,
    "elu": elu,
    "celu": celu,
    "selu": selu,
    "softsign": softsign,
    "softshrink": softshrink,
    "hardsigmoid": hardsigmoid,
    "hardswish": hardswish,
    "leaky_relu": leaky_relu,
    "identity": lambda z, o: (arb(z), arb(1)),
    "relu": lambda z, o: _copied(z, 0.0, float("inf")),
    "relu6": lambda z, o: _copied(z, 0.0, 6.0),
    "hardtanh": lambda z, o: _copied(z, float(o["min_val"]), float(o["max_val"])),
    "hardshrink": lambda z, o: (arb(z), arb(1)) if abs(z) > float(o["lambd"]) else (arb(0), arb(0)),
    "threshold": lambda z, o: (arb(z), arb(1)) if z > float(o["threshold"]) else (arb(float(o["value"])), arb(0)),
}


def exact(name: str, z: NDArray[np.float64], options: Options) -> tuple[Exact, Exact]:
    """phi(z) and phi'(z), each to 70 bits, at a kink with PyTorch's subgradient; read-only, for they are kept."""
    return _exact(name, z.tobytes(), tuple(options.items()))


@cache
def _exact(name: str, z: bytes, options: tuple[tuple[str, float | int | str], ...]) -> tuple[Exact, Exact]:
    found = [_enough(EXACT[name], point, dict(options)) for point in np.frombuffer(z).tolist()]
    return _split([pair[0] for pair in found]), _split([pair[1] for pair in found])


def _enough(function: Function, z: float, options: Options) -> Pair:
    previous = ctx.prec
    try:
        for precision in PRECISIONS:
            ctx.prec = precision
            pair = function(z, options)
            if all(ball.rel_accuracy_bits() >= SUFFICIENT_BITS or abs(ball) < NEGLIGIBLE for ball in pair):
                return pair
    finally:
        ctx.prec = previous
    message = f"{function} at {z!r} is not known to {SUFFICIENT_BITS} bits with {PRECISIONS[-1]} bits of work"
    raise ArithmeticError(message)


def _split(balls: list[arb]) -> Exact:
    high = [float(ball.mid()) for ball in balls]
    previous, ctx.prec = ctx.prec, PRECISIONS[-1]
    low = [float(ball.mid() - arb(part)) for ball, part in zip(balls, high, strict=True)]
    ctx.prec = previous
    split = Exact(np.array(high), np.array(low))
    split.high.setflags(write=False)
    split.low.setflags(write=False)
    return split
