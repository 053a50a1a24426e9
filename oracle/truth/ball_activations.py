"""Every activation phi with its slope phi' in ball arithmetic, one record per name.

z = preactivation, a = phi(z). An elementwise record is `make(options, ties)`, which returns z -> (phi(z), phi'(z)); a
row-wise one returns, for the K outputs of one sample, a `Rowwise` with the products with its Jacobian from both
sides. The formulas are the textbook's, in stable forms.

Which real number a parameter is: one that the spec holds (negative_slope = 0.01) is the float64 in the spec, not the
decimal 1/100. A constant of the definition (selu's alpha, gelu's 0.044715, hardsigmoid's 1/6) is the real number that
PyTorch's documentation prints. A candidate that rounds one of them to its dtype is off by one roundoff of it, which
is the rounding bound's business.

softplus is linear beyond its `threshold` in PyTorch's documentation "for numerical stability": where it is so
large that this is all it does, the truth beyond is the set between both formulas, in value and in slope, so that
neither a candidate with the threshold nor one without it is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flint import arb

from backproof.truth.ball_ties import TORCH_TIES, Pair, Ties, constant, line, piecewise
from backproof.truth.balls import ONE, ZERO, ball, log_one_plus_exp, logistic, softmax, sums_of_others, total
from backproof.truth.curves import is_numerical

Options = Mapping[str, Any]
Function = Callable[[arb], Pair]

IDENTITY: Final = line(ONE)
FLAT: Final = constant(ZERO)


def _identity(options: Options, ties: Ties) -> Function:
    """z."""
    return lambda z: (z, ONE)


def _sigmoid(options: Options, ties: Ties) -> Function:
    """s(z) = 1/(1 + exp(-z)); s'(z) = s(z) s(-z)."""

    def evaluate(z: arb) -> Pair:
        s, complement = logistic(z)
        return s, s * complement

    return evaluate


def _tanh(options: Options, ties: Ties) -> Function:
    """tanh(z); 1/cosh^2(z) = 1 - tanh^2(z), which is cheaper and cancels only where tanh is near 1."""
    half = ONE / 2

    def evaluate(z: arb) -> Pair:
        t = z.tanh()
        return t, 1 - t * t if abs(t) < half else z.sech() ** 2

    return evaluate


def _tanhshrink(options: Options, ties: Ties) -> Function:
    """z - tanh(z); tanh^2(z)."""

    def evaluate(z: arb) -> Pair:
        t = z.tanh()
        return z - t, t * t

    return evaluate


def _softsign(options: Options, ties: Ties) -> Function:
    """z/(1 + |z|); 1/(1 + |z|)^2, which has no kink."""

    def evaluate(z: arb) -> Pair:
        scale = 1 / (1 + abs(z))
        return z * scale, scale * scale

    return evaluate


def _softplus(options: Options, ties: Ties) -> Function:
    """log(1 + exp(beta z))/beta; s(beta z). Where beta z > threshold: z and 1, or the set that holds both pairs.

    The set is the truth where the threshold is numerical, so large that float32 sees no jump there (`is_numerical`);
    a smaller one changes the function that anyone sees, and is part of its definition.
    """
    beta, threshold = ball(options["beta"]), ball(options["threshold"])
    numerical = is_numerical(float(options["threshold"]))

    def evaluate(z: arb) -> Pair:
        scaled = beta * z
        value, slope = log_one_plus_exp(scaled) / beta, logistic(scaled)[0]
        if scaled <= threshold:
            return value, slope
        if scaled > threshold and not numerical:
            return z, ONE
        return ties.set_of(value, z), ties.set_of(slope, ONE)

    return evaluate


def _logsigmoid(options: Options, ties: Ties) -> Function:
    """log s(z) = -log(1 + exp(-z)); s(-z)."""
    return lambda z: (-log_one_plus_exp(-z), logistic(z)[1])


def _silu(options: Options, ties: Ties) -> Function:
    """z s(z); s(z) (1 + z s(-z))."""

    def evaluate(z: arb) -> Pair:
        s, complement = logistic(z)
        return z * s, s * (1 + z * complement)

    return evaluate


def _mish(options: Options, ties: Ties) -> Function:
    """z t with t = tanh(log(1 + exp(z))); t + z (1 - t^2) s(z).

    With e = exp(-|z|): t = e(e + 2)/(e(e + 2) + 2) and 1 - t = 2/(e(e + 2) + 2) for z <= 0, and for z > 0, multiplied
    by e^2, t = (1 + 2e)/(1 + 2e + 2e^2) and 1 - t = 2e^2/(1 + 2e + 2e^2).
    """

    def evaluate(z: arb) -> Pair:
        if z > 0:
            e = (-z).exp()
            rising, falling = 1 + 2 * e, 2 * e * e
            s = 1 / (1 + e)
        else:
            e = z.exp()
            rising, falling = e * (e + 2), arb(2)
            s = e / (1 + e)
        scale = 1 / (rising + falling)
        t, complement = rising * scale, falling * scale
        return z * t, t + z * complement * (1 + t) * s

    return evaluate


def _gelu(options: Options, ties: Ties) -> Function:
    """none: z P(z); P(z) + z p(z), with the normal distribution P(z) = erfc(-z/sqrt(2))/2 and its density p.

    tanh: z (1 + tanh(g))/2 = z s(2g); s(2g) + z s(2g) s(-2g) 2g', with g = sqrt(2/pi) (z + 0.044715 z^3).
    """
    if options["approximate"] == "tanh":
        cubic, scale = arb("0.044715"), 2 * (2 / arb.pi()).sqrt()

        def approximate(z: arb) -> Pair:
            square = cubic * z * z
            s, complement = logistic(scale * z * (1 + square))
            return z * s, s * (1 + z * complement * scale * (1 + 3 * square))

        return approximate
    root, height = arb(2).rsqrt(), (2 * arb.pi()).rsqrt()

    def evaluate(z: arb) -> Pair:
        share = (-z * root).erfc() / 2
        return z * share, share + z * height * (-z * z / 2).exp()

    return evaluate


def _relu(options: Options, ties: Ties) -> Function:
    """max(z, 0)."""
    return piecewise((ZERO,), (FLAT, IDENTITY), TORCH_TIES["relu"], ties)


def _leaky_relu(options: Options, ties: Ties) -> Function:
    """z, negative_slope z for z < 0."""
    return piecewise((ZERO,), (line(ball(options["negative_slope"])), IDENTITY), TORCH_TIES["leaky_relu"], ties)


def _relu6(options: Options, ties: Ties) -> Function:
    """min(max(z, 0), 6)."""
    return piecewise((ZERO, arb(6)), (FLAT, IDENTITY, constant(arb(6))), TORCH_TIES["relu6"], ties)


def _hardtanh(options: Options, ties: Ties) -> Function:
    """min(max(z, min_val), max_val)."""
    low, high = ball(options["min_val"]), ball(options["max_val"])
    return piecewise((low, high), (constant(low), IDENTITY, constant(high)), TORCH_TIES["hardtanh"], ties)


def _hardsigmoid(options: Options, ties: Ties) -> Function:
    """0 up to -3, z/6 + 1/2, 1 from 3."""
    middle = line(ONE / 6, ONE / 2)
    return piecewise((arb(-3), arb(3)), (FLAT, middle, constant(ONE)), TORCH_TIES["hardsigmoid"], ties)


def _hardswish(options: Options, ties: Ties) -> Function:
    """0 up to -3, z (z + 3)/6, z from 3; slope (2z + 3)/6 between."""
    return piecewise(
        (arb(-3), arb(3)),
        (FLAT, lambda z: (z * (z + 3) / 6, (2 * z + 3) / 6), IDENTITY),
        TORCH_TIES["hardswish"],
        ties,
    )


def _elu(options: Options, ties: Ties) -> Function:
    """z, for z < 0 alpha (exp(z) - 1)."""
    alpha = ball(options["alpha"])
    return piecewise((ZERO,), (lambda z: (alpha * z.expm1(), alpha * z.exp()), IDENTITY), TORCH_TIES["elu"], ties)


def _selu(options: Options, ties: Ties) -> Function:
    """scale z, for z < 0 scale alpha (exp(z) - 1)."""
    scale = arb("1.0507009873554804934193349852946")
    steep = scale * arb("1.6732632423543772848170429916717")
    return piecewise((ZERO,), (lambda z: (steep * z.expm1(), steep * z.exp()), line(scale)), TORCH_TIES["selu"], ties)


def _celu(options: Options, ties: Ties) -> Function:
    """z, for z < 0 alpha (exp(z/alpha) - 1), slope exp(z/alpha)."""
    alpha = ball(options["alpha"])

    def bent(z: arb) -> Pair:
        scaled = z / alpha
        return alpha * scaled.expm1(), scaled.exp()

    return piecewise((ZERO,), (bent, IDENTITY), TORCH_TIES["celu"], ties)


def _softshrink(options: Options, ties: Ties) -> Function:
    """z - lambd above lambd, z + lambd below -lambd, 0 between."""
    lambd = ball(options["lambd"])
    pieces = (line(ONE, lambd), FLAT, line(ONE, -lambd))
    return piecewise((-lambd, lambd), pieces, TORCH_TIES["softshrink"], ties)


def _hardshrink(options: Options, ties: Ties) -> Function:
    """z outside [-lambd, lambd], 0 in it."""
    lambd = ball(options["lambd"])
    return piecewise((-lambd, lambd), (IDENTITY, FLAT, IDENTITY), TORCH_TIES["hardshrink"], ties)


def _threshold(options: Options, ties: Ties) -> Function:
    """z above threshold, value up to it."""
    pieces = (constant(ball(options["value"])), IDENTITY)
    return piecewise((ball(options["threshold"]),), pieces, TORCH_TIES["threshold"], ties)


ELEMENTWISE: Final[Mapping[str, Callable[[Options, Ties], Function]]] = {
    "identity": _identity,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "softplus": _softplus,
    "elu": _elu,
    "selu": _selu,
    "celu": _celu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "logsigmoid": _logsigmoid,
    "softsign": _softsign,
    "tanhshrink": _tanhshrink,
    "softshrink": _softshrink,
    "hardshrink": _hardshrink,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "threshold": _threshold,
}


@dataclass(frozen=True)
class Rowwise:
    """A row-wise activation at one row z, shape (K,): a = phi(z), and products with its Jacobian J_ij = da_i/dz_j.

    complement: 1 - a where a is a probability. pull: s -> s J, from dC/da to dC/dz; push: dz -> J dz.
    """

    value: list[arb]
    complement: list[arb] | None
    pull: Callable[[Sequence[arb]], list[arb]]
    push: Callable[[Sequence[arb]], list[arb]]


def _softmax(row: Sequence[arb], sign: int = 1) -> Rowwise:
    """p_i = exp(z_i)/sum exp(z). J = diag(p) - p p^T.

    (J s)_i = p_i (s_i - sum_j p_j s_j) = p_i ((1 - p_i) s_i - sum_{j != i} p_j s_j), which does not cancel at p_i = 1.
    """
    found = softmax(row)

    def product(s: Sequence[arb]) -> list[arb]:
        if all(
            entry == s[0] for entry in s
        ):  # then p_i (s_0 - s_0 sum p) is exactly 0, which the balls of p do not know
            return [ZERO] * len(s)
        others = sums_of_others([p * entry for p, entry in zip(found.probabilities, s, strict=True)])
        return [
            sign * p * (complement * entry - other)
            for p, complement, entry, other in zip(found.probabilities, found.complements, s, others, strict=True)
        ]

    return Rowwise(found.probabilities, found.complements, product, product)


def _softmin(row: Sequence[arb]) -> Rowwise:
    """softmax(-z)."""
    return _softmax([-z for z in row], sign=-1)


def _log_softmax(row: Sequence[arb]) -> Rowwise:
    """log p. J = I - 1 p^T.

    (s J)_i = (1 - p_i) s_i - p_i sum_{j != i} s_j,  (J dz)_i = (1 - p_i) dz_i - sum_{j != i} p_j dz_j.
    """
    found = softmax(row)

    def pull(s: Sequence[arb]) -> list[arb]:
        if total(s).is_zero():  # then p drops out of s - p sum s
            return list(s)
        rows = zip(found.probabilities, found.complements, s, sums_of_others(s), strict=True)
        return [complement * entry - p * other for p, complement, entry, other in rows]

    def push(dz: Sequence[arb]) -> list[arb]:
        others = sums_of_others([p * entry for p, entry in zip(found.probabilities, dz, strict=True)])
        rows = zip(found.complements, dz, others, strict=True)
        return [complement * entry - other for complement, entry, other in rows]

    return Rowwise(found.logs, None, pull, push)


ROWWISE: Final[Mapping[str, Callable[[Sequence[arb]], Rowwise]]] = {
    "softmax": _softmax,
    "softmin": _softmin,
    "log_softmax": _log_softmax,
}


def complements(name: str, z: Sequence[arb], a: Sequence[arb]) -> list[arb]:
    """1 - a of an elementwise activation; sigmoid's is s(-z), which does not cancel."""
    if name == "sigmoid":
        return [logistic(entry)[1] for entry in z]
    return [1 - entry for entry in a]
