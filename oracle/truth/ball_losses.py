"""Every loss with its gradient by the network's output a in ball arithmetic, one record per name.

A record is `make(case, ties)`, which returns row(n, outputs) -> (losses, gradient): the unreduced losses of sample n,
O of them for an elementwise loss and one for a per-sample one, and the gradient of their sum by a, shape (O,). No
reduction and no upstream factor is applied here, and the losses in DIVIDED_BY_OUTPUTS leave out their 1/O as well:
divisions come last.

N batch, O outputs, y targets, d = a - y. Parameters are the float64 numbers in the spec; class weights, pos_weight
and var the case's own. A term whose factor is exactly 0 is dropped, whatever it multiplies (0 log 0 = 0). PyTorch's
clamps of log p and of p (1 - p) are not part of the truth, which has a pole there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from flint import arb

from backproof.cases.case import Case
from backproof.truth.ball_margins import hinge_embedding, multi_margin, multilabel_margin
from backproof.truth.ball_rows import Outputs, Row, class_weights, elementwise, summed_over_outputs, targets_of
from backproof.truth.ball_ties import TORCH_TIES, Pair, Ties, absolute, line, piecewise
from backproof.truth.balls import (
    ONE,
    ZERO,
    ball,
    balls,
    log_of,
    log_one_plus_exp,
    logistic,
    softmax,
    sums_of_others,
    total,
)


def _of_distance(case: Case, function: Callable[[arb], Pair]) -> Row:
    """The elementwise loss function(a - y)."""
    return elementwise(case, lambda a, y: function(a - y))


def _mse(case: Case, ties: Ties) -> Row:
    """d^2; 2d."""
    return _of_distance(case, lambda d: (d * d, 2 * d))


def _half_squared_error(case: Case, ties: Ties) -> Row:
    """1/2 sum_o d^2 per sample; d."""
    return summed_over_outputs(_of_distance(case, lambda d: (d * d / 2, d)))


def _linear(case: Case, ties: Ties) -> Row:
    """sum_o y a per sample; y."""
    return summed_over_outputs(elementwise(case, lambda a, y: (y * a, y)))


def _l1(case: Case, ties: Ties) -> Row:
    """|d|; sign(d), and at 0 anything in [-1, 1]."""
    return _of_distance(case, absolute("l1", ties))


def _smooth_l1(case: Case, ties: Ties) -> Row:
    """d^2/(2 beta) for |d| < beta, else |d| - beta/2; d/beta, else sign(d)."""
    beta = ball(case.loss_options["beta"])
    pieces = (line(arb(-1), -beta / 2), lambda d: (d * d / (2 * beta), d / beta), line(ONE, -beta / 2))
    return _of_distance(case, piecewise((-beta, beta), pieces, TORCH_TIES["smooth_l1"], ties))


def _huber(case: Case, ties: Ties) -> Row:
    """d^2/2 for |d| < delta, else delta (|d| - delta/2); d, else delta sign(d)."""
    delta = ball(case.loss_options["delta"])
    offset = -delta * delta / 2
    pieces = (line(-delta, offset), lambda d: (d * d / 2, d), line(delta, offset))
    return _of_distance(case, piecewise((-delta, delta), pieces, TORCH_TIES["huber"], ties))


def _gaussian_nll(case: Case, ties: Ties) -> Row:
    """1/2 (log v + d^2/v), with `full` + 1/2 log(2 pi); d/v, v = max(var, eps)."""
    options = case.loss_options
    eps, constant_term = ball(options["eps"]), (2 * arb.pi()).log() if options["full"] else ZERO
    variances = [[variance.max(eps) for variance in balls(row)] for row in options["var"]]
    targets = targets_of(case)

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        distances = [a - y for a, y in zip(outputs.a, targets[n], strict=True)]
        slopes = [d / v for d, v in zip(distances, variances[n], strict=True)]
        rows = zip(distances, slopes, variances[n], strict=True)
        return [(v.log() + d * slope + constant_term) / 2 for d, slope, v in rows], slopes

    return row


def _surprise(y: arb, p: arb, complement: arb, ties: Ties) -> Pair:
    """-y log p; -y/p. Exactly 0 where y is, whatever p is; a pole where p is exactly 0 and y is not."""
    if y.is_zero():
        return ZERO, ZERO
    if p.is_zero():
        return ties.pole(), ties.pole()
    return -y * log_of(p, complement), -y / p


def _bce(case: Case, ties: Ties) -> Row:
    """-(y log p + (1 - y) log(1 - p)); (1 - y)/(1 - p) - y/p = (p - y)/(p (1 - p)), p = a."""
    targets = targets_of(case)

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        losses, gradient = [], []
        for p, q, y in zip(outputs.a, outputs.complement, targets[n], strict=True):
            (hit, hit_slope), (miss, miss_slope) = _surprise(y, p, q, ties), _surprise(1 - y, q, p, ties)
            losses.append(hit + miss)
            gradient.append(hit_slope - miss_slope)
        return losses, gradient

    return row


def _categorical_cross_entropy(case: Case, ties: Ties) -> Row:
    """-sum_o y log a per sample; -y/a."""
    targets = targets_of(case)

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        pairs = [_surprise(y, p, q, ties) for p, q, y in zip(outputs.a, outputs.complement, targets[n], strict=True)]
        return [total(value for value, _ in pairs)], [slope for _, slope in pairs]

    return row


def _with_logits(rewards: Sequence[arb]) -> Callable[[int, arb, arb], Pair]:
    """(1 - y) log(1 + exp(a)) + w y log(1 + exp(-a)); (1 - y) s(a) - w y s(-a), w = rewards[o]."""

    def entry(o: int, a: arb, y: arb) -> Pair:
        s, complement = logistic(a)
        positive, negative = rewards[o] * y, 1 - y
        return negative * log_one_plus_exp(a) + positive * log_one_plus_exp(-a), negative * s - positive * complement

    return entry


def _bce_with_logits(case: Case, ties: Ties) -> Row:
    """-(w y log s(a) + (1 - y) log s(-a)), w = pos_weight[o]."""
    targets, entry = targets_of(case), _with_logits(class_weights(case, "pos_weight"))

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        pairs = [entry(o, a, y) for o, (a, y) in enumerate(zip(outputs.a, targets[n], strict=True))]
        return [value for value, _ in pairs], [slope for _, slope in pairs]

    return row


def _multilabel_soft_margin(case: Case, ties: Ties) -> Row:
    """-sum_o w_o (y log s(a) + (1 - y) log s(-a)) per sample, to be divided by O; w the class weights."""
    weights = class_weights(case)
    targets, entry = targets_of(case), _with_logits([ONE] * len(weights))

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        pairs = [entry(o, a, y) for o, (a, y) in enumerate(zip(outputs.a, targets[n], strict=True))]
        weighted = [(weight * value, weight * slope) for weight, (value, slope) in zip(weights, pairs, strict=True)]
        return [value for value, _ in weighted], [slope for _, slope in weighted]

    return summed_over_outputs(row)


def _soft_margin(case: Case, ties: Ties) -> Row:
    """log(1 + exp(-y a)); -y s(-y a)."""
    return elementwise(case, lambda a, y: (log_one_plus_exp(-y * a), -y * logistic(-y * a)[0]))


def _cross_entropy(case: Case, ties: Ties) -> Row:
    """-sum_c r_c log p_c per sample, p = softmax(a); p_i sum_c r_c - r_i = p_i sum_{c != i} r_c - r_i (1 - p_i).

    r_c = w_c ((1 - t) y_c + t/K) with t = label_smoothing and y one-hot for class indices; all 0 where the index is
    ignored.
    """
    options = case.loss_options
    weights, classes = class_weights(case), case.spec.widths[-1]
    smoothing = ball(options["label_smoothing"])

    def smoothed(shares: Sequence[arb]) -> list[arb]:
        rows = zip(weights, shares, strict=True)
        return [weight * ((1 - smoothing) * share + smoothing / classes) for weight, share in rows]

    def of_index(index: int) -> list[arb]:
        if index == options["ignore_index"]:
            return [ZERO] * classes
        # PyTorch weighs the smoothing term by the weights of all classes, and the other by the target's.
        return smoothed([ONE if index == c else ZERO for c in range(classes)])

    rates = list(map(of_index, case.y.tolist())) if case.y.ndim == 1 else list(map(smoothed, targets_of(case)))

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        found, others = softmax(outputs.a), sums_of_others(rates[n])
        loss = total(-rate * log for rate, log in zip(rates[n], found.logs, strict=True) if not rate.is_zero())
        rows = zip(found.probabilities, found.complements, rates[n], others, strict=True)
        return [loss], [p * other - rate * complement for p, complement, rate, other in rows]

    return row


def _nll(case: Case, ties: Ties) -> Row:
    """-w_y a_y per sample; -w_y at y; nothing where y is ignored."""
    weights, classes, ignored = class_weights(case), case.y.tolist(), case.loss_options["ignore_index"]

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        gradient = [ZERO] * len(outputs.a)
        if classes[n] == ignored:
            return [ZERO], gradient
        gradient[classes[n]] = -weights[classes[n]]
        return [-weights[classes[n]] * outputs.a[classes[n]]], gradient

    return row


def _kl_div(case: Case, ties: Ties) -> Row:
    """y (log y - a); -y. With log_target y is itself a logarithm: exp(y) (y - a); -exp(y)."""
    if case.loss_options["log_target"]:
        return elementwise(case, lambda a, y: (y.exp() * (y - a), -y.exp()))
    return elementwise(case, lambda a, y: (ZERO, ZERO) if y.is_zero() else (y * (y.log() - a), -y))


def _poisson_nll(case: Case, ties: Ties) -> Row:
    """log_input: exp(a) - y a; exp(a) - y. Else a - y log(a + eps); 1 - y/(a + eps).

    `full` adds y log y - y + 1/2 log(2 pi y) where y > 1.
    """
    options = case.loss_options
    eps = ball(options["eps"])

    def stirling(y: arb) -> arb:
        return y * y.log() - y + (2 * arb.pi() * y).log() / 2 if options["full"] and y > 1 else ZERO

    def of_log(a: arb, y: arb) -> Pair:
        rate = a.exp()
        return rate - y * a + stirling(y), rate - y

    def of_rate(a: arb, y: arb) -> Pair:
        if y.is_zero():
            return a, ONE
        rate = a + eps
        return a - y * rate.log() + stirling(y), 1 - y / rate

    return elementwise(case, of_log if options["log_input"] else of_rate)


LOSSES: Final[Mapping[str, Callable[[Case, Ties], Row]]] = {
    "half_squared_error": _half_squared_error,
    "mse": _mse,
    "linear": _linear,
    "l1": _l1,
    "smooth_l1": _smooth_l1,
    "huber": _huber,
    "categorical_cross_entropy": _categorical_cross_entropy,
    "cross_entropy": _cross_entropy,
    "bce": _bce,
    "bce_with_logits": _bce_with_logits,
    "nll": _nll,
    "kl_div": _kl_div,
    "poisson_nll": _poisson_nll,
    "gaussian_nll": _gaussian_nll,
    "hinge_embedding": hinge_embedding,
    "soft_margin": _soft_margin,
    "multilabel_soft_margin": _multilabel_soft_margin,
    "multi_margin": multi_margin,
    "multilabel_margin": multilabel_margin,
}

TAKES_COMPLEMENTS: Final = frozenset({"bce", "categorical_cross_entropy"})
"""The losses that read Outputs.complement."""

DIVIDED_BY_OUTPUTS: Final = frozenset({"multilabel_soft_margin", "multi_margin", "multilabel_margin"})
"""The losses that PyTorch divides by O within each sample, under every reduction. Their rows here are not."""
