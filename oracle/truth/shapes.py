"""The activations' own mathematics in float64: phi, phi' and |phi''|, accurate in both tails, silent for any finite z.

Nothing here rounds like a candidate; `allowances.py` says how a candidate may round, `curves.py` joins the two. Every
function takes z of any shape, and the parameters under torch's keyword names, and returns an array of that shape. No
exponential has a positive argument, so that nothing overflows; where a slope does not exist, it is the one that
PyTorch 2.13 picks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Options = Mapping[str, float | int | str]

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
GELU_CUBIC = 0.044715
ROOT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)
LARGEST_GELU_ARGUMENT = (
    40.0  # exp(-40^2/2) is 0 in float64: gelu is 0 or z to the last bit, and z^2 would overflow at 1e155
)


def option(options: Options, name: str) -> float:
    """One numeric parameter of the activation, under torch's keyword."""
    return float(options[name])


def is_tanh_form(options: Options) -> bool:
    """Whether gelu is meant with its tanh approximation."""
    return options["approximate"] == "tanh"


def logistic(z: Array) -> Array:
    """s(z) = 1/(1 + exp(-z)), to a few roundoffs of itself for negative z as well."""
    decay = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, decay) / (1.0 + decay)


def logistic_slope(z: Array) -> Array:
    """s'(z) = s(z) s(-z) = e/(1 + e)^2 with e = exp(-|z|)."""
    decay = np.exp(-np.abs(z))
    return decay / (1.0 + decay) ** 2


def logistic_curvature(z: Array) -> Array:
    """s''(z) = s'(z) (1 - 2 s(z)), signed; 1 - 2 s(z) = -sign(z) (1 - e)/(1 + e)."""
    decay = np.exp(-np.abs(z))
    return -np.sign(z) * decay * (1.0 - decay) / (1.0 + decay) ** 3


def sech_squared(z: Array) -> Array:
    """1/cosh^2(z) = 4 e/(1 + e)^2 with e = exp(-2|z|)."""
    decay = np.exp(-2.0 * np.minimum(np.abs(z), 400.0))  # the minimum only keeps 2|z| finite
    slope: Array = 4.0 * decay / (1.0 + decay) ** 2
    return slope


def log_one_plus_exp(z: Array) -> Array:
    """log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|))."""
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def mish_gate(z: Array) -> Array:
    """w(z) = tanh(log(1 + exp(z))) = n/(n + 2), n = e^z (e^z + 2)."""
    decay = np.exp(-np.abs(z))
    squared = decay * decay
    numerator = np.where(z > 0, 1.0 + 2.0 * decay, 2.0 * decay + squared)
    gate: Array = numerator / (numerator + 2.0 * np.where(z > 0, squared, 1.0))
    return gate


def mish_gate_slope(z: Array) -> Array:
    """w'(z) = 4 e^z (1 + e^z)/(n + 2)^2, n as in `mish_gate`."""
    decay = np.exp(-np.abs(z))
    return np.where(
        z > 0,
        4.0 * decay * decay * (1.0 + decay) / (1.0 + 2.0 * decay * (1.0 + decay)) ** 2,
        4.0 * decay * (1.0 + decay) / (decay * (decay + 2.0) + 2.0) ** 2,
    )


def mish_gate_curvature(z: Array) -> Array:
    """w''(z) = w'(z) (1 + s(z) - 4 e^z (1 + e^z)/(n + 2)), by the logarithm of w'; n as in `mish_gate`."""
    decay = np.exp(-np.abs(z))
    share = np.where(
        z > 0,
        4.0 * (1.0 + decay) / (1.0 + 2.0 * decay * (1.0 + decay)),
        4.0 * decay * (1.0 + decay) / (decay * (decay + 2.0) + 2.0),
    )
    return mish_gate_slope(z) * (1.0 + logistic(z) - share)


# (1 + 2x) exp(x^2) erfc(x) for x >= 0, as a polynomial in t = (x - 3.75)/(x + 3.75), lowest power first. The variable
# is that of Shepherd and Laframboise 1981; the coefficients are our own Chebyshev projection in ball arithmetic, of
# degree 24, which tests/truth/test_curves.py makes again.
SCALED_ERFC_CENTRE = 3.75
SCALED_ERFC = (
    1.2375126308378275,
    -0.14024059858554697,
    0.0035854154854644293,
    0.0822767384901452,
    -0.10880393014174886,
    0.09230432116037748,
    -0.05869339858963677,
    0.028362277418956406,
    -0.009746579558029276,
    0.0017556258528952954,
    0.0002937136655913448,
    -0.0002901540805408417,
    5.164909889268241e-05,
    2.238423915508223e-05,
    -1.1444146237700524e-05,
    -9.73559896736775e-07,
    1.751637648849062e-06,
    -5.7218230603224086e-08,
    -2.5866850716155884e-07,
    2.3263508708859124e-08,
    3.8675334242222354e-08,
    -3.744210080962018e-09,
    -5.1739902140113095e-09,
    3.1114333809799254e-10,
    4.2514714447963895e-10,
)


def normal_density(z: Array) -> Array:
    """exp(-z^2/2)/sqrt(2 pi), with z^2 taken exactly: z = c + r, c of 26 bits, so that z^2 = c^2 + r (z + c)."""
    inner = np.minimum(np.abs(z), LARGEST_GELU_ARGUMENT)
    coarse = np.round(inner * 2.0**20) / 2.0**20
    return (
        np.exp(-0.5 * coarse * coarse) * np.exp(-0.5 * (inner - coarse) * (inner + coarse)) / math.sqrt(2.0 * math.pi)
    )


def normal_distribution(z: Array) -> Array:
    """Phi(z) = erfc(-z/sqrt(2))/2, from Phi(-|z|) = sqrt(pi/2) density(z) erfcx(|z|/sqrt(2)): NumPy has no erfc."""
    x = np.abs(z) / math.sqrt(2.0)
    t = (np.minimum(x, 1e9) - SCALED_ERFC_CENTRE) / (np.minimum(x, 1e9) + SCALED_ERFC_CENTRE)
    scaled = np.full_like(t, SCALED_ERFC[-1])
    for coefficient in SCALED_ERFC[-2::-1]:
        scaled *= t
        scaled += coefficient
    lower = math.sqrt(0.5 * math.pi) * normal_density(z) * scaled / (1.0 + 2.0 * x)
    return np.where(z > 0, 1.0 - lower, lower)


def gelu_tanh_inner(z: Array) -> tuple[Array, Array, Array]:
    """g = 2 sqrt(2/pi) (z + 0.044715 z^3) with g' and g''; 1/2 (1 + tanh(g/2)) = s(g). |z| is held at 40."""
    inner = np.clip(z, -LARGEST_GELU_ARGUMENT, LARGEST_GELU_ARGUMENT)
    square = GELU_CUBIC * inner * inner
    scale = 2.0 * ROOT_TWO_OVER_PI
    return scale * inner * (1.0 + square), scale * (1.0 + 3.0 * square), scale * 6.0 * GELU_CUBIC * inner


def scaled(z: Array, options: Options) -> Array:
    """beta z, |z| held at 1e290 so that it does not overflow: softplus is 0 or z to the last bit long before."""
    return option(options, "beta") * np.clip(z, -1e290, 1e290)


def softplus_value(z: Array, options: Options) -> Array:
    """log1p(exp(beta z))/beta; z where beta z > threshold."""
    x = scaled(z, options)
    return np.where(x > option(options, "threshold"), z, log_one_plus_exp(x) / option(options, "beta"))


def softplus_slope(z: Array, options: Options) -> Array:
    """s(beta z); 1 where beta z > threshold."""
    x = scaled(z, options)
    return np.where(x > option(options, "threshold"), 1.0, logistic(x))


def softplus_curvature(z: Array, options: Options) -> Array:
    """beta s'(beta z); 0 where beta z > threshold."""
    x = scaled(z, options)
    return np.where(x > option(options, "threshold"), 0.0, option(options, "beta") * logistic_slope(x))


def gelu_value(z: Array, options: Options) -> Array:
    """z Phi(z), or z s(g(z)) with the tanh approximation's g."""
    if is_tanh_form(options):
        return z * logistic(gelu_tanh_inner(z)[0])
    return z * normal_distribution(z)


def gelu_slope(z: Array, options: Options) -> Array:
    """Phi + z density; or s(g) + z s'(g) g'."""
    if is_tanh_form(options):
        g, first, _ = gelu_tanh_inner(z)
        return logistic(g) + z * logistic_slope(g) * first
    return normal_distribution(z) + z * normal_density(z)


def gelu_curvature(z: Array, options: Options) -> Array:
    """|density (2 - z^2)|; or |2 s'(g) g' + z (s''(g) g'^2 + s'(g) g'')|."""
    if is_tanh_form(options):
        g, first, second = gelu_tanh_inner(z)
        slope = logistic_slope(g)
        return np.abs(2.0 * slope * first + z * (logistic_curvature(g) * first * first + slope * second))
    inner = np.minimum(np.abs(z), LARGEST_GELU_ARGUMENT)
    return normal_density(z) * np.abs(2.0 - inner * inner)


def exponential_unit(z: Array, *, alpha: float, width: float = 1.0, scale: float = 1.0) -> Array:
    """scale z for z > 0, scale alpha expm1(z/width) else."""
    return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0) / width))


def exponential_unit_slope(z: Array, *, alpha: float, width: float = 1.0, scale: float = 1.0, order: int = 1) -> Array:
    """scale for z > 0, scale alpha/width exp(z/width) else; or the curvature, order 2."""
    exponential = scale * alpha / width**order * np.exp(np.minimum(z, 0.0) / width)
    return np.where(z > 0, scale if order == 1 else 0.0, exponential if order == 1 else np.abs(exponential))


def clipped(z: Array, low: float, high: float) -> Array:
    """z held between low and high."""
    return np.minimum(np.maximum(z, low), high)


def softshrink_value(z: Array, options: Options) -> Array:
    """z - lambd, 0, z + lambd."""
    lambd = option(options, "lambd")
    return z - clipped(z, -lambd, lambd)


def hardswish_slope(z: Array, options: Options) -> Array:
    """0, (2z + 3)/6 in (-3, 3), 1."""
    return np.where(z >= 3.0, 1.0, np.where(z <= -3.0, 0.0, (2.0 * clipped(z, -3.0, 3.0) + 3.0) / 6.0))
