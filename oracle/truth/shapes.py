"""The activations' own mathematics in float64: phi, phi' and |phi''| together, as a `Triple`.

Nothing here rounds like a candidate; `allowances.py` says how a candidate may round, `curves.py` joins the two. Every
function takes z of any shape, and the parameters under torch's keyword names, and returns arrays of that shape. phi and
phi' are accurate to a few roundoffs in both tails. No exponential has a positive argument, so that nothing overflows or
warns; where a slope does not exist, it is the one that PyTorch 2.13 picks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Options = Mapping[str, float | int | str]
Triple = tuple[Array, Array, Array]

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


def sech_squared(z: Array) -> Array:
    """1/cosh^2(z) = 4 e/(1 + e)^2 with e = exp(-2|z|)."""
    decay = np.exp(-2.0 * np.minimum(np.abs(z), 400.0))  # the minimum only keeps 2|z| finite
    slope: Array = 4.0 * decay / (1.0 + decay) ** 2
    return slope


def sigmoid(z: Array, options: Options) -> Triple:
    """s = 1/(1 + e) or e/(1 + e), s' = e/(1 + e)^2, |s''| = s' (1 - e)/(1 + e), with e = exp(-|z|)."""
    return _sigmoid(z, np.exp(-np.abs(z)))


def _sigmoid(z: Array, decay: Array) -> Triple:
    """`sigmoid` where e is known."""
    upper = 1.0 / (1.0 + decay)
    lower = decay * upper
    slope = lower * upper
    return np.where(z >= 0.0, upper, lower), slope, slope * (upper - lower)


def logistic_and_integral(z: Array) -> tuple[Array, Array]:
    """`logistic` and its integral log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|)), which have exp(-|z|) in common."""
    decay = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, decay) / (1.0 + decay), np.maximum(z, 0.0) + np.log1p(decay)


def tanh(z: Array, options: Options) -> Triple:
    """tanh, 1/cosh^2, 2 |tanh|/cosh^2."""
    a, slope = np.tanh(z), sech_squared(z)
    return a, slope, 2.0 * np.abs(a) * slope


def tanhshrink(z: Array, options: Options) -> Triple:
    """z - tanh, tanh^2, 2 |tanh|/cosh^2."""
    a, _, curvature = tanh(z, options)
    return z - a, a * a, curvature


def scaled(z: Array, options: Options) -> Array:
    """beta z, |z| held at 1e290 so that it does not overflow: softplus is 0 or z to the last bit long before."""
    return option(options, "beta") * clipped(z, -1e290, 1e290)


def softplus(z: Array, options: Options) -> Triple:
    """log1p(exp(x))/beta, s(x), beta s'(x), with x = beta z; z, 1, 0 where x > threshold."""
    beta, x = option(options, "beta"), scaled(z, options)
    decay = np.exp(-np.abs(x))
    s, slope, _ = _sigmoid(x, decay)
    value, curvature = (np.maximum(x, 0.0) + np.log1p(decay)) / beta, beta * slope
    beyond = x > option(options, "threshold")
    if not beyond.any():
        return value, s, curvature
    return np.where(beyond, z, value), np.where(beyond, 1.0, s), np.where(beyond, 0.0, curvature)


def logsigmoid(z: Array, options: Options) -> Triple:
    """-log1p(exp(-z)), s(-z), s'(z)."""
    x, decay = -z, np.exp(-np.abs(z))
    s, slope, _ = _sigmoid(x, decay)
    return -(np.maximum(x, 0.0) + np.log1p(decay)), s, slope


def silu(z: Array, options: Options) -> Triple:
    """z s, s + z s', |2 s' + z s''|, where z s'' = -|z s''|."""
    s, slope, curvature = sigmoid(z, options)
    return z * s, s + z * slope, np.abs(2.0 * slope - np.abs(z) * curvature)


def mish(z: Array, options: Options) -> Triple:
    """z w, w + z w', |2 w' + z w''|, with w = tanh(log(1 + e^z)) = n/(n + 2), n = e^z (e^z + 2).

    w' = 4 e^z (1 + e^z)/(n + 2)^2, and by its logarithm w'' = w' (1 + s(z) - 4 e^z (1 + e^z)/(n + 2)). For z > 0 all is
    divided by e^2z, so that e = exp(-|z|) alone occurs.
    """
    decay = np.exp(-np.abs(z))
    rising, squared = z > 0.0, decay * decay
    first, second = np.where(rising, 1.0, decay), np.where(rising, decay, 1.0)  # e^z : 1 = first : second
    n = first * (first + 2.0 * second)
    whole = n + 2.0 * np.where(rising, squared, 1.0)
    share = 4.0 * first * (1.0 + decay) / whole
    gate, slope = n / whole, share * np.where(rising, squared, 1.0) / whole
    curvature = slope * (1.0 + first / (1.0 + decay) - share)
    return z * gate, gate + z * slope, np.abs(2.0 * slope + z * curvature)


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


_FIVES = np.array(SCALED_ERFC).reshape(5, 5)


def _scaled_erfc(t: Array) -> Array:
    """The polynomial SCALED_ERFC at t: five of degree 4 by one product with the powers of t, then Horner's rule in t^5.

    That takes a third of the operations on arrays that Horner's rule in t takes; in [-1, 1] both err alike.
    """
    powers = np.empty((5, t.size))
    first, second = t.ravel(), np.square(t.ravel())
    powers[0] = 1.0
    powers[1] = first
    powers[2] = second
    np.multiply(second, first, out=powers[3])
    np.multiply(second, second, out=powers[4])
    parts, fifth = _FIVES.dot(powers), powers[4] * first
    whole: Array = parts[4]
    for part in parts[3::-1]:
        whole *= fifth
        whole += part
    return whole.reshape(t.shape)


def normal_distribution(z: Array, density: Array) -> Array:
    """Phi(z) = erfc(-z/sqrt(2))/2, from Phi(-|z|) = sqrt(pi/2) density(z) erfcx(|z|/sqrt(2)): NumPy has no erfc."""
    x = np.abs(z) / math.sqrt(2.0)
    held = np.minimum(x, 1e9)
    scaled_erfc = _scaled_erfc((held - SCALED_ERFC_CENTRE) / (held + SCALED_ERFC_CENTRE))
    lower = math.sqrt(0.5 * math.pi) * density * scaled_erfc / (1.0 + 2.0 * x)
    return np.where(z > 0, 1.0 - lower, lower)


def gelu(z: Array, options: Options) -> Triple:
    """z Phi, Phi + z density, |density (2 - z^2)|; with the tanh approximation z s(g) and its derivatives."""
    if is_tanh_form(options):
        return gelu_tanh(z)
    density = normal_density(z)
    phi = normal_distribution(z, density)
    inner = np.minimum(np.abs(z), LARGEST_GELU_ARGUMENT)
    return z * phi, phi + z * density, density * np.abs(2.0 - inner * inner)


def gelu_tanh(z: Array) -> Triple:
    """z s, s + z s' g', |2 s' g' + z (s'' g'^2 + s' g'')| at g = 2 sqrt(2/pi) (z + 0.044715 z^3).

    For (1 + tanh(g/2))/2 = s(g). Derivatives are taken at |z| held at 40, where s is 0 or 1 to the last bit.
    """
    inner = clipped(z, -LARGEST_GELU_ARGUMENT, LARGEST_GELU_ARGUMENT)
    cubic, scale = GELU_CUBIC * inner * inner, 2.0 * ROOT_TWO_OVER_PI
    g, first, second = scale * inner * (1.0 + cubic), scale * (1.0 + 3.0 * cubic), scale * 6.0 * GELU_CUBIC * inner
    s, slope, curvature = sigmoid(g, {})
    bend = inner * slope * second - np.abs(inner) * curvature * first * first
    return z * s, s + inner * slope * first, np.abs(2.0 * slope * first + bend)


def exponential_unit(z: Array, *, alpha: float, width: float = 1.0, scale: float = 1.0) -> Triple:
    """scale z for z > 0, else scale alpha expm1(x), x = z/width, with its derivatives scale alpha/width^k exp(x)."""
    x, rising = np.minimum(z, 0.0) / width, z > 0.0
    slope = scale * alpha / width * np.exp(x)
    value = scale * np.where(rising, z, alpha * np.expm1(x))
    return value, np.where(rising, scale, slope), np.where(rising, 0.0, np.abs(slope) / width)


def elu(z: Array, options: Options) -> Triple:
    """alpha expm1(z) below 0."""
    return exponential_unit(z, alpha=option(options, "alpha"))


def celu(z: Array, options: Options) -> Triple:
    """alpha expm1(z/alpha) below 0."""
    return exponential_unit(z, alpha=option(options, "alpha"), width=option(options, "alpha"))


def selu(z: Array, options: Options) -> Triple:
    """elu with the two constants of Klambauer et al. 2017."""
    return exponential_unit(z, alpha=SELU_ALPHA, scale=SELU_SCALE)


def softsign(z: Array, options: Options) -> Triple:
    """z/d, 1/d^2, 2/d^3, d = 1 + |z|."""
    reciprocal = 1.0 / (1.0 + np.abs(z))
    slope = reciprocal * reciprocal
    return z * reciprocal, slope, 2.0 * slope * reciprocal


def flat(z: Array) -> Array:
    """|phi''| of straight pieces: 0, in the shape of z."""
    return np.zeros(z.shape)


def clipped(z: Array, low: float, high: float) -> Array:
    """z held between low and high."""
    return np.minimum(np.maximum(z, low), high)


def hardsigmoid(z: Array, options: Options) -> Triple:
    """(z + 3)/6 and 1/6 in (-3, 3)."""
    return (clipped(z, -3.0, 3.0) + 3.0) / 6.0, np.where(np.abs(z) < 3.0, 1.0 / 6.0, 0.0), flat(z)


def hardswish(z: Array, options: Options) -> Triple:
    """z (z + 3)/6, (2z + 3)/6, 1/3 in (-3, 3); 0, 0 below and z, 1 above."""
    inner = clipped(z, -3.0, 3.0)
    slope = np.where(z >= 3.0, 1.0, np.where(z <= -3.0, 0.0, (2.0 * inner + 3.0) / 6.0))
    return z * ((inner + 3.0) / 6.0), slope, np.where(np.abs(z) < 3.0, 1.0 / 3.0, 0.0)


def selected(z: Array, kept: NDArray[np.bool_], other: Array | float) -> Triple:
    """z and 1 where kept, else `other` and 0."""
    return np.where(kept, z, other), kept.astype(np.float64), flat(z)


def relu(z: Array, options: Options) -> Triple:
    """max(z, 0)."""
    return np.maximum(z, 0.0), (z > 0.0).astype(np.float64), flat(z)


def leaky_relu(z: Array, options: Options) -> Triple:
    """negative_slope z for z <= 0."""
    slope = np.where(z > 0.0, 1.0, option(options, "negative_slope"))
    return slope * z, slope, flat(z)


def relu6(z: Array, options: Options) -> Triple:
    """z held between 0 and 6."""
    return selected(z, (z > 0.0) & (z < 6.0), clipped(z, 0.0, 6.0))


def hardtanh(z: Array, options: Options) -> Triple:
    """z held between min_val and max_val."""
    low, high = option(options, "min_val"), option(options, "max_val")
    return selected(z, (z > low) & (z < high), clipped(z, low, high))


def threshold(z: Array, options: Options) -> Triple:
    """`value` for z <= threshold."""
    return selected(z, z > option(options, "threshold"), option(options, "value"))


def hardshrink(z: Array, options: Options) -> Triple:
    """0 for |z| <= lambd."""
    return selected(z, np.abs(z) > option(options, "lambd"), 0.0)


def softshrink(z: Array, options: Options) -> Triple:
    """z -+ lambd, 0 for |z| <= lambd."""
    lambd = option(options, "lambd")
    return z - clipped(z, -lambd, lambd), (np.abs(z) > lambd).astype(np.float64), flat(z)


def identity(z: Array, options: Options) -> Triple:
    """z."""
    return z, np.ones(z.shape), flat(z)
