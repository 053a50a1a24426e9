"""The losses of hinges in ball arithmetic: max(m, 0)^p of the margin's violation m. Records as in ball_losses.py."""

from collections.abc import Callable
from itertools import takewhile

from flint import arb

from backproof.cases.case import Case
from backproof.truth.ball_rows import Outputs, Row, class_weights, elementwise
from backproof.truth.ball_ties import TORCH_TIES, Pair, Ties, constant, line, piecewise
from backproof.truth.balls import ONE, ZERO, ball, total


def _hinge(name: str, ties: Ties, power: int = 1) -> Callable[[arb], Pair]:
    """max(m, 0)^power of the margin's violation m, and its slope by m."""
    rising: Callable[[arb], Pair] = line(ONE) if power == 1 else lambda m: (m * m, 2 * m)
    return piecewise((ZERO,), (constant(ZERO), rising), TORCH_TIES[name], ties)


def hinge_embedding(case: Case, ties: Ties) -> Row:
    """y = 1: a; 1.  y = -1: max(margin - a, 0); -1 or 0."""
    margin, hinge = ball(case.loss_options["margin"]), _hinge("hinge_embedding", ties)

    def entry(a: arb, y: arb) -> Pair:
        if y == 1:
            return a, ONE
        value, slope = hinge(margin - a)
        return value, -slope

    return elementwise(case, entry)


def multi_margin(case: Case, ties: Ties) -> Row:
    """w_y sum_{i != y} max(margin - a_y + a_i, 0)^p per sample, to be divided by O."""
    options = case.loss_options
    weights, classes, margin = class_weights(case), case.y.tolist(), ball(options["margin"])
    hinge = _hinge("multi_margin", ties, options["p"])

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        target, weight = classes[n], weights[classes[n]]
        loss, gradient = ZERO, [ZERO] * len(outputs.a)
        for i, a in enumerate(outputs.a):
            if i != target:
                value, slope = hinge(margin - outputs.a[target] + a)
                loss += weight * value
                gradient[i] = weight * slope
        gradient[target] = -total(gradient)
        return [loss], gradient

    return row


def multilabel_margin(case: Case, ties: Ties) -> Row:
    """The sum over j in y and i not in y of max(1 - a_j + a_i, 0) per sample, to be divided by O; -1 ends the list."""
    listed = [list(takewhile(lambda index: index >= 0, row)) for row in case.y.tolist()]
    hinge = _hinge("multilabel_margin", ties)

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        loss, gradient = ZERO, [ZERO] * len(outputs.a)
        for j in listed[n]:
            for i, a in enumerate(outputs.a):
                if i not in listed[n]:
                    value, slope = hinge(1 - outputs.a[j] + a)
                    loss += value
                    gradient[i] += slope
                    gradient[j] -= slope
        return [loss], gradient

    return row
