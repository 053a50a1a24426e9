"""How far a correct implementation's phi and phi' may stray from the truth by rounding alone, in units of u.

u is the unit roundoff of the candidate's dtype. Per activation two `Allowance` records, each with S (for phi) and
S' (for phi'), both as a sound upper bound over [z - r, z + r]:

    accurate   forms that keep their accuracy in the tail (logistic as e/(1 + e), expm1, log1p), PyTorch's kernels too
    textbook   every form people write without overflow (tanh from exponentials, exp(z) - 1, log(1 + exp(z)), a(1 - a));
               never below `accurate`

Beside u S stands an absolute floor for underflow, the curve's `flushes` times eta (1 + |z| + r), which
`suprema.allow_in_place` adds where a curve is not `exact`.

Intervals: far = |z| + r, near = max(|z| - r, 0). Every rule is monotone in z or in |z| where it is used, so that its
supremum stands at z - r, z + r, far or near. Parameters are rounded to the candidate's dtype: one that float32 does not
hold costs 1 more wherever it enters (`inexact`), and one that is a power of two makes its product exact
(`inexact_product`).

Swept by tests/truth/sweep_allowances.py (20,000 z per dtype; NumPy 2.4's forms, PyTorch 2.13's kernels) and, apart from
it, with JAX 0.10's (XLA, 3,000 z; mish, gelu and softplus=3 20,000, earlier): the largest error over its allowance, of
both dtypes. W: admitted as textbook alone.

    phi             accurate S       accurate S'      textbook S  textbook S'
                    NumPy Torch XLA  NumPy Torch XLA  NumPy XLA   NumPy XLA
    sigmoid         0.62 0.60 0.56   0.80 0.60 0.54   0.58 0.35   0.44 0.27
    tanh            0.53 0.24  W     0.68 0.26  W     0.45 0.87   0.47 0.86
    tanhshrink      0.97 0.97 0.75   0.81 0.20  W     0.42 0.37   0.39 0.86
    softplus        0.86 0.77 0.75   0.62 0.58  W     0.49 0.27   0.63 0.27
    softplus=3      0.95 0.94 0.94   0.95 0.95  W     0.44 0.35   0.58 0.38
    logsigmoid      0.86 0.86 0.71   0.62 0.47  W     0.49 0.27   0.63 0.31
    silu            0.74 0.55 0.55   0.47 0.43 0.26   0.35 0.38   0.28 0.17
    mish            0.37 0.37 0.53   0.47 0.33  W     0.28 0.53   0.16 0.84
    gelu            0.43 0.66 0.35   0.31 0.52 0.30     -  0.26     -  0.30
    gelu=tanh       0.38 0.31 0.72   0.38 0.62  W     0.23 0.54     -  0.72
    elu             0.24 0.24 0.86   0.58 0.25  W     0.30 0.18   0.26 0.16
    elu=1.7         0.35 0.35 0.62   0.50 0.33  W     0.39 0.23   0.31 0.20
    celu=3          0.33 0.33 0.60   0.63 0.62  W     0.28 0.15   0.26 0.22
    selu            0.77 0.77 0.78   0.56 0.56 0.96   0.30 0.25   0.29 0.21
    softsign        0.75 0.66 0.66   0.71 0.50 0.44     -  0.66   0.70 0.44
    hardsigmoid     0.80 0.60 0.80   0.42 0.42 0.42     -  0.80     -  0.42
    hardswish       0.75 0.66 0.70   0.51 0.41 0.82     -  0.70     -  0.82
    leaky_relu=0.3  0.80 0.80 0.80   0.67 0.67 0.67   0.50 0.12   0.12   -
    softshrink=0.3  0.92 0.92   -    0.00 0.00   -    0.48   -      -    -
    hardtanh        0.00 0.00   -    0.00 0.00   -    0.97   -      -    -

PyTorch's departures from its own forward pass are not in it: hardsigmoid's and celu's derivatives in float64. The
records of the activations that are made of straight pieces stand in `broken_line_allowances.py`.
"""

from __future__ import annotations

import math

import numpy as np

from backproof.truth import shapes
from backproof.truth.curve import Allowance, Rule
from backproof.truth.shapes import Array, Options, option

FLOAT32_UNIT = 2.0**-24


def inexact(parameter: float) -> float:
    """1 if float32 must round the parameter, else 0 (then float64 holds it as well)."""
    return 0.0 if abs(parameter) < 3e38 and float(np.float32(parameter)) == parameter else 1.0


def inexact_product(parameter: float) -> float:
    """Roundings in parameter * z: 0 for a power of two, 1 for another float32 number, 2 where it is rounded itself."""
    return 0.0 if abs(math.frexp(parameter)[0]) == 0.5 else 1.0 + inexact(parameter)


def either(first: Allowance, second: Allowance) -> Allowance:
    """The larger of two allowances, entry by entry: `textbook` must admit what `accurate` admits."""

    def units(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
        value, slope = first.units(z, r, options)
        other_value, other_slope = second.units(z, r, options)
        return np.maximum(value, other_value), np.maximum(slope, other_slope)

    return Allowance(units)


def apart(value: Rule, slope: Rule) -> Allowance:
    """S and S' by rules that share nothing."""
    return Allowance(lambda z, r, options: (value(z, r, options), slope(z, r, options)), keeps_slope=slope is NONE)


def constant(units: float) -> Rule:
    """The same allowance everywhere."""
    return lambda z, r, options: np.full(z.shape, units)


NONE = constant(0.0)


def proportional(units: float) -> Rule:
    """units |z|."""
    return lambda z, r, options: units * far(z, r)


def at_least_one(units: float) -> Rule:
    """units max(1, |z|)."""
    return lambda z, r, options: units * np.maximum(1.0, far(z, r))


def far(z: Array, r: Array) -> Array:
    """The largest |.| in the interval."""
    return np.abs(z) + r


def near(z: Array, r: Array) -> Array:
    """The smallest |.| in the interval."""
    return np.maximum(np.abs(z) - r, 0.0)


# --- logistic family: e = exp(-|z|), log1p(e) ---
#
# An exponential may err by 5u of itself: NumPy's vectorised float32 exp is documented with 3.6 (2.52 ulp; its log with
# 4.0, 3.83 ulp). Libraries that promise no more than 4 ulp (SVML, libmvec) stay within the textbook allowances.


# a = 1/(1 + e) or e/(1 + e): e moves a by (1 - a) of its own relative error, then a sum and a quotient: a (7 - 5a) in
# all, which is 7a at most, and 2.45 at a = 0.7. a (1 - a): a's error times |1 - 2a|, and 2a (1 - a) for the subtraction
# and the product: 9a at most, and 2.1 in all. Textbook: (1 + tanh(z/2))/2, 1 - 1/(1 + exp(z)) round near 1/2 or 1;
# exp(-log(1 + exp(-z))) moves a by a |log a| <= 0.37 per u of the logarithm; the slope (1 - tanh^2)/4.
def sigmoid_units(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
    """8 s and 10 s, or 2.5 where that is less."""
    s = shapes.logistic(z + r)
    return np.minimum(8.0 * s, 2.5), np.minimum(10.0 * s, 2.5)


SIGMOID = Allowance(sigmoid_units)
SIGMOID_TEXTBOOK = apart(value=constant(4.0), slope=constant(5.0))

# tanh is a library's, within 5u. 1 - a^2 doubles a's absolute error where a is near 1: 2u for a library within 1 ulp,
# which is u there, and two roundings. Textbook: quotients of sums of exponentials, whose error is absolute near 0 and
# near 1; 1 - a^2 of these doubles it. So does XLA's float64, which errs by 6.9 near |z| = 20 (it returns 1 - 7u there).
TANH = apart(
    value=lambda z, r, options: 5.0 * np.tanh(far(z, r)),
    slope=lambda z, r, options: 4.0 * shapes.sech_squared(near(z, r)) + 4.0,
)
TANH_TEXTBOOK = apart(value=constant(8.0), slope=constant(16.0))

# z - tanh(z): one rounding of |a| <= |z|, and the library's of tanh (4 in XLA's float32).
# 1 - (1 - tanh^2), which automatic differentiation makes of it, rounds near 1.
# At z = 0 exactly every form has the exact slope 0: tanh(0) = 0, cosh(0) = 1.
TANHSHRINK = apart(
    value=lambda z, r, options: far(z, r) + 4.0 * np.tanh(far(z, r)),
    slope=lambda z, r, options: 6.0 * np.tanh(far(z, r)) ** 2 + 4.0 * (far(z, r) > 0.0),
)
TANHSHRINK_TEXTBOOK = apart(value=lambda z, r, options: 2.0 * far(z, r) + 8.0, slope=constant(16.0))


def softplus_units(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
    """8 a: 5 of e, log1p and a sum. 8 s(x), x = beta z, as the sigmoid.

    max(x, 0) + log1p(e) errs by 5 s(-|x|) <= 2.5 of e, 2 log1p(e) <= 1.39 and the sum's a: by a + 3.9 at most.
    Each rounding of x moves log1p(e^x)/beta by |z| s(x), and s by |x| s'(x) <= min(|x| s(x), 0.224).
    """
    beta = option(options, "beta")
    high, reach, roundings = beta * (z + r), far(z, r), inexact_product(beta)
    s, integral = shapes.logistic_and_integral(high)
    if not roundings and not inexact(beta):
        return np.minimum(8.0 * integral, integral + 3.9) / beta, np.minimum(8.0 * s, 2.5)
    value = 8.0 * integral / beta + (roundings * s + inexact(beta)) * reach
    return value, 8.0 * s + roundings * np.minimum(0.23, beta * reach * s)


# log(1 + exp(x)) loses x below 0: 1 in the sum, 4 of the logarithm. The slope as exp(x - a), which automatic
# differentiation makes of logaddexp, has an argument that is rounded near |x|.
SOFTPLUS = Allowance(softplus_units)
SOFTPLUS_TEXTBOOK = apart(
    value=lambda z, r, options: 8.0 * np.maximum(1.0 / option(options, "beta"), far(z, r)),
    slope=lambda z, r, options: 6.0 * np.maximum(1.0, option(options, "beta") * far(z, r)),
)


# -softplus(-z) with beta = 1. log(s(z)) takes the sigmoid's error: absolute for z > 0, relative to |z| for z < 0.
def logsigmoid_units(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
    """8 |a| or |a| + 3.9, 8 s(-z) or 2.5: as softplus."""
    s, integral = shapes.logistic_and_integral(r - z)
    return np.minimum(8.0 * integral, integral + 3.9), np.minimum(8.0 * s, 2.5)


LOGSIGMOID = Allowance(logsigmoid_units)
LOGSIGMOID_TEXTBOOK = apart(value=at_least_one(8.0), slope=at_least_one(6.0))


# z s(z): the sigmoid's error, and a product. The slope s + z s (1 - s) moves with s by |1 + z (1 - 2s)| <= 1 + |z|; of
# its forms, s (1 + z (1 - s)) rounds four times, by 2s + 4 s |z| in all, and a + s (1 - a) by s (3 + 4|z|). Textbook:
# the sigmoid's absolute error times z.
def silu_units(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
    """(s~ + s) |z| and s~ (1 + |z|) + s (3 + 4|z|), where s~ = min(7s, 2.45) is the sigmoid's error."""
    s, reach = shapes.logistic(z + r), far(z, r)
    moved = np.minimum(7.0 * s, 2.45)
    return (moved + s) * reach, moved * (1.0 + reach) + s * (3.0 + 4.0 * reach)


SILU = Allowance(silu_units)
SILU_TEXTBOOK = apart(value=proportional(5.0), slope=at_least_one(8.0))


# z w, w = tanh(log1p(exp(z))) = n/(n + 2) <= 1.21 s: e enters n twice at most, and w with at most its own relative
# error; then the logarithm, tanh or the sums, and the product: 10 |z| w. The slope w + z w' likewise, in terms of s
# and of s |z|. Textbook: as silu, with a tanh that errs by 8 and 16 in 1 - tanh^2.
def mish_units(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
    """12.1 s |z| and 12 s (1 + |z|)."""
    s, reach = shapes.logistic(z + r), far(z, r)
    return 12.1 * s * reach, 12.0 * s * (1.0 + reach)


MISH = Allowance(mish_units)
MISH_TEXTBOOK = apart(value=proportional(8.0), slope=at_least_one(16.0))


def gelu_textbook_slope(z: Array, r: Array, options: Options) -> Array:
    """8 max(1, |z|); for the tanh approximation 10 max(1, |z|) + 8 |z| g'(z), from its term |z| (1 - t^2) g'(z)/2.

    g' grows with z^2, and a tanh that errs by 7u leaves 14u in 1 - t^2 until t is 1, which is for |z| < 9.
    """
    reach = far(z, r)
    if not shapes.is_tanh_form(options):
        return 8.0 * np.maximum(1.0, reach)
    steepest = np.minimum(reach, 9.0)
    inner_slope = shapes.ROOT_TWO_OVER_PI * (1.0 + 3.0 * shapes.GELU_CUBIC * steepest * steepest)
    return 10.0 * np.maximum(1.0, reach) + 8.0 * steepest * inner_slope


# z (1 + erf(z/sqrt 2))/2 rounds 1 + erf near 1 or near 0 by erf's own error (4.5 of |z| in PyTorch's float32 kernel);
# the slope adds z density(z) <= 0.25, whose z^2/2 is rounded. Tanh approximation: as `gelu_textbook_slope`, with 3u.
GELU = apart(
    value=proportional(6.0),
    slope=lambda z, r, options: (10.0 if shapes.is_tanh_form(options) else 8.0) * np.maximum(1.0, far(z, r)),
)
GELU_TEXTBOOK = apart(value=proportional(8.0), slope=gelu_textbook_slope)

# --- exponential units: nothing is computed for z > 0, except selu's product ---


def below_zero(z: Array, r: Array, units: float | Array) -> Array:
    """`units` where the interval reaches z <= 0, else 0."""
    kept: Array = np.multiply(z <= r, units)
    return kept


def negative_part(z: Array, r: Array) -> Array:
    """min(z - r, 0): the end of the interval where 1 - exp(z) is largest."""
    return np.minimum(z - r, 0.0)


def magnitude(options: Options) -> float:
    """|alpha|."""
    return abs(option(options, "alpha"))


def scaled_exponential(options: Options) -> float:
    """5 |alpha|, and what the product with alpha takes."""
    return (5.0 + inexact_product(option(options, "alpha"))) * magnitude(options)


# alpha expm1(z): expm1 within 4.8 (XLA's float32), the product with alpha. alpha exp(z): 5, and that.
# Textbook: exp(z) - 1 has exp's error and a rounding, near 1; a + alpha, which automatic differentiation makes of
# expm1, has that error in the slope and one rounding more.
ELU = apart(
    value=lambda z, r, options: scaled_exponential(options) * -np.expm1(negative_part(z, r)),
    slope=lambda z, r, options: below_zero(z, r, scaled_exponential(options) * np.exp(np.minimum(z + r, 0.0))),
)
ELU_TEXTBOOK = apart(
    value=lambda z, r, options: below_zero(z, r, 7.0 * magnitude(options)),
    slope=lambda z, r, options: below_zero(z, r, 8.0 * magnitude(options)),
)


def celu_roundings(alpha: float) -> float:
    """Roundings of z/alpha: none for a power of two; else those of the quotient, of 1/alpha where formed, of alpha."""
    return 0.0 if inexact_product(alpha) == 0.0 else 2.0 + inexact(alpha)


def celu_value(z: Array, r: Array, options: Options) -> Array:
    """As elu; a rounding of x = z/alpha moves alpha expm1(x) by alpha |x| e^x <= |a|."""
    alpha = option(options, "alpha")
    return (scaled_exponential(options) + celu_roundings(alpha) * alpha) * -np.expm1(negative_part(z, r) / alpha)


def celu_slope(z: Array, r: Array, options: Options) -> Array:
    """6 phi' with phi' = e^x, x = z/alpha; a rounding of x moves it by |x| e^x <= exp(-1), by nothing at |x| > 2000."""
    alpha = option(options, "alpha")
    exponential = np.exp(np.minimum(z + r, 0.0) / alpha)
    shift = np.minimum(math.exp(-1.0), np.minimum(-negative_part(z, r) / alpha, 2000.0) * exponential)
    return below_zero(z, r, 6.0 * exponential + celu_roundings(alpha) * shift)


CELU = apart(value=celu_value, slope=celu_slope)
CELU_TEXTBOOK = apart(
    value=lambda z, r, options: below_zero(
        z, r, (7.0 + celu_roundings(option(options, "alpha"))) * option(options, "alpha")
    ),
    slope=lambda z, r, options: below_zero(z, r, 9.0 + celu_roundings(option(options, "alpha"))),
)


def selu_value(z: Array, r: Array, options: Options) -> Array:
    """9 |a| below 0: expm1's 5, two constants and two products; 2 |a| above it: scale and its product."""
    negative = shapes.SELU_ALPHA * -np.expm1(negative_part(z, r))
    return shapes.SELU_SCALE * np.maximum(9.0 * negative, 2.0 * (z + r))


def selu_slope(z: Array, r: Array, options: Options) -> Array:
    """9 phi' below 0; above it scale itself is rounded."""
    below = np.maximum(1.0, 9.0 * shapes.SELU_ALPHA * np.exp(np.minimum(z + r, 0.0)))
    return shapes.SELU_SCALE * np.where(z <= r, below, 1.0)


# Textbook: as elu's, times scale alpha = 1.76.
SELU = apart(value=selu_value, slope=selu_slope)
SELU_TEXTBOOK = apart(value=at_least_one(14.0), slope=constant(18.0))

# --- quotients: sums, products and quotients alone, so that every rounding is counted ---


def softsign_slope(z: Array, r: Array, options: Options) -> Array:
    """5/d^2 for the square of 1/d, d = 1 + |z|; 1/d - |z|/d^2, which automatic differentiation computes, (6d - 3)/d^2.

    Of that 2/d are the first quotient's, 4 |z|/d^2 the second's, and 1/d^2 the difference's.
    """
    d = 1.0 + near(z, r)
    units: Array = np.maximum(5.0 / d, 6.0 - 3.0 / d) / d
    return units


# z/d, z (1/d): d, a reciprocal, a product. Textbook: (1 - |a|)^2, where 1 - |a| = 1/d errs by 3u, hence its square by
# 6u/d and 9u^2.
SOFTSIGN = apart(value=lambda z, r, options: 3.0 * far(z, r) / (1.0 + far(z, r)), slope=softsign_slope)
SOFTSIGN_TEXTBOOK = apart(
    value=SOFTSIGN.value, slope=lambda z, r, options: softsign_slope(z, r, options) + 9.0 * FLOAT32_UNIT
)
