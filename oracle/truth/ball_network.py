"""BP0 to BP4 in ball arithmetic, and the same network differentiated forwards.

Index legend: `N` batch, `I` inputs and `O` outputs of a layer, `z = a W^T + b`, `a = phi(z)`, `delta = dC/dz`. Every
list of balls is a row-major matrix of the shape that `Gradients` has for it. The equations are written once for each
direction, on the case's exact numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from flint import arb, arb_mat

from backproof.cases.case import Case
from backproof.cases.catalogue import LOSSES as CATALOGUE
from backproof.cases.direction import Direction
from backproof.cases.spec import Penalty
from backproof.truth.ball_activations import ELEMENTWISE, ROWWISE, Rowwise, complements
from backproof.truth.ball_losses import DIVIDED_BY_OUTPUTS, LOSSES, TAKES_COMPLEMENTS
from backproof.truth.ball_rows import Outputs
from backproof.truth.ball_ties import Ties, absolute, constant
from backproof.truth.balls import ZERO, Array, ball, balls, total
from backproof.truth.divisors import divisor


@dataclass(frozen=True, eq=False)
class BallGradients:
    """A Gradients of balls, each array a row-major list."""

    loss: list[arb]
    weights: list[list[arb]]
    biases: list[list[arb] | None]
    inputs: list[arb]
    deltas: list[list[arb]]

    def entries(self) -> list[arb]:
        """All of them in the order of the fields."""
        arrays = [
            self.loss,
            *self.weights,
            *[bias for bias in self.biases if bias is not None],
            self.inputs,
            *self.deltas,
        ]
        return [entry for array in arrays for entry in array]

    def over(self, divisor: arb) -> "BallGradients":
        """All of them divided by one number."""
        if divisor == 1:
            return self
        return BallGradients(
            _over(self.loss, divisor),
            [_over(weight, divisor) for weight in self.weights],
            [None if bias is None else _over(bias, divisor) for bias in self.biases],
            _over(self.inputs, divisor),
            [_over(delta, divisor) for delta in self.deltas],
        )


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer after the forward pass: W (O, I), its inputs a^{l-1} (N, I), z and a (N, O), and phi' there.

    slopes: phi'(z) (N, O) of an elementwise phi; rows: the Jacobian of each sample of a row-wise one. The other is
    empty.
    """

    weight: arb_mat
    inputs: arb_mat
    z: list[arb]
    a: list[arb]
    slopes: list[arb]
    rows: list[Rowwise]

    def pull(self, gradient: Sequence[arb]) -> list[arb]:
        """dC/dz from dC/da: dC/da * phi'(z), or row by row dC/da J."""
        if not self.rows:
            return _products(gradient, self.slopes)
        return _chained(row.pull(part) for row, part in zip(self.rows, _split(gradient, len(self.rows)), strict=True))

    def push(self, dz: Sequence[arb]) -> list[arb]:
        """da from dz: phi'(z) * dz, or row by row J dz."""
        if not self.rows:
            return _products(dz, self.slopes)
        return _chained(row.push(part) for row, part in zip(self.rows, _split(dz, len(self.rows)), strict=True))


@dataclass(frozen=True, eq=False)
class Sweep:
    """The forward pass of a case: its layers, the unreduced losses, and dC/da^L of each sample's sum of losses.

    losses: per sample, O or 1 of them; slopes: per sample, O.
    """

    layers: list[Layer]
    losses: list[list[arb]]
    slopes: list[list[arb]]


def sweep(case: Case, ties: Ties) -> Sweep:
    """BP0: a^l = phi(a^{l-1} W^T + b) for every layer, then the losses and dC/da^L, unreduced."""
    layers: list[Layer] = []
    a = matrix(case.x)
    samples = len(case.x)
    for weight, bias, activation in zip(case.weights, case.biases, case.spec.activations, strict=True):
        inputs, exact_weight = a, matrix(weight)
        z = (inputs * exact_weight.transpose()).entries()
        if bias is not None:
            offsets = balls(bias) * samples
            z = [entry + offset for entry, offset in zip(z, offsets, strict=True)]
        if activation.name in ROWWISE:
            rows = [ROWWISE[activation.name](row) for row in _split(z, samples)]
            values, slopes = _chained(row.value for row in rows), []
        else:
            function = ELEMENTWISE[activation.name](activation.options, ties)
            pairs = [function(entry) for entry in z]
            rows, values, slopes = [], [value for value, _ in pairs], [slope for _, slope in pairs]
        layers.append(Layer(exact_weight, inputs, z, values, slopes, rows))
        a = arb_mat(samples, len(weight), values)
    row = LOSSES[case.spec.loss.name](case, ties)
    found = [row(n, outputs) for n, outputs in enumerate(_outputs(case, layers[-1]))]
    return Sweep(layers, [losses for losses, _ in found], [gradient for _, gradient in found])


def gradients(case: Case, ties: Ties) -> BallGradients:
    """BP1 to BP4 with the penalty: the loss, dC/dW, dC/db, dC/dx and every delta.

    The equations are linear in delta, so they run on the sum of the losses, and what the reduction divides by comes
    last: a division by 3 would make the balls of rational gradients inexact, and sums that cancel to 0 no longer
    exactly 0.
    """
    passed = sweep(case, ties)
    deltas, inputs = _deltas(case, passed)
    weights, biases = [], []
    ones = arb_mat(1, len(case.x), [arb(1)] * len(case.x))
    for layer, delta, bias in zip(passed.layers, deltas, case.biases, strict=True):
        weights.append((delta.transpose() * layer.inputs).entries())
        biases.append(None if bias is None else (ones * delta).entries())
    losses = _chained(passed.losses)
    found = BallGradients(
        losses if case.spec.reduction == "none" else [total(losses)],
        weights,
        biases,
        inputs,
        [delta.entries() for delta in deltas],
    ).over(exact_divisor(case))
    return found if case.spec.penalty is None else _with_penalty(found, case, case.spec.penalty, ties)


def _with_penalty(found: BallGradients, case: Case, penalty: Penalty, ties: Ties) -> BallGradients:
    """The penalty added to the loss and to the gradients that it reaches."""
    weights = _penalty_slopes(penalty, case, case.weights, ties)
    biases = _penalty_slopes(penalty, case, case.biases, ties)
    return replace(
        found,
        loss=[found.loss[0] + _penalty(penalty, case)],
        weights=list(map(_added, found.weights, weights)),
        biases=[None if own is None else _added(own, slopes) for own, slopes in zip(found.biases, biases, strict=True)]
        if penalty.on_biases
        else found.biases,
    )


def shares(case: Case, ties: Ties) -> BallGradients:
    """What each sample contributes to C and to every gradient, without the penalty: every list has a leading axis N.

    BP3 and BP4 before the sum over N: db_n = delta_n, dW_n = delta_n a_n^T. A sample's share of C is the sum of its
    losses over the divisor of the whole batch, or <upstream_n, losses_n> under reduction "none".
    """
    passed = sweep(case, ties)
    deltas, inputs = _deltas(case, passed)
    samples = len(case.x)
    weights = []
    for layer, delta in zip(passed.layers, deltas, strict=True):
        rows = zip(_split(delta.entries(), samples), _split(layer.inputs.entries(), samples), strict=True)
        weights.append([d * a for row, inputs_of_row in rows for d in row for a in inputs_of_row])
    if case.upstream is None:
        loss = [total(losses) for losses in passed.losses]
    else:
        factors = _split(balls(case.upstream), samples)
        loss = [total(_products(*pair)) for pair in zip(factors, passed.losses, strict=True)]
    flat = [delta.entries() for delta in deltas]
    biases = [None if bias is None else delta for bias, delta in zip(case.biases, flat, strict=True)]
    return BallGradients(loss, weights, biases, inputs, flat).over(exact_divisor(case))


def differential(case: Case, direction: Direction, ties: Ties) -> list[arb]:
    """The change of `loss` along a direction: dz = a dW^T + da W^T + db, da = phi'(z) dz, dC = <dC/da, da>.

    A single ball; under reduction "none" one for each loss.
    """
    passed = sweep(case, ties)
    samples = len(case.x)
    da = matrix(direction.inputs)
    for layer, dweight, dbias in zip(passed.layers, direction.weights, direction.biases, strict=True):
        dz = (layer.inputs * matrix(dweight).transpose() + da * layer.weight.transpose()).entries()
        if dbias is not None:
            dz = _added(dz, balls(dbias) * samples)
        da = arb_mat(samples, len(dweight), layer.push(dz))
    changes = [_products(*pair) for pair in zip(passed.slopes, _split(da.entries(), samples), strict=True)]
    by, penalty = exact_divisor(case), case.spec.penalty
    if case.spec.reduction == "none":
        losses = [total(row) for row in changes] if CATALOGUE[case.spec.loss.name].per_sample else _chained(changes)
        return [change / by for change in losses]
    change = total(_chained(changes)) / by
    return [change if penalty is None else change + _penalty_change(penalty, case, direction, ties)]


def exact_divisor(case: Case) -> arb:
    """What the rows of ball_losses.py are divided by: the reduction's divisor, and O where the rows leave that out.

    A whole number, or for class weights their exact sum, which float64 would round.
    """
    within = case.spec.widths[-1] if case.spec.loss.name in DIVIDED_BY_OUTPUTS else 1
    weight = case.loss_options.get("weight")
    if case.spec.reduction != "mean" or weight is None or "ignore_index" not in case.loss_options or case.y.ndim != 1:
        return within * ball(divisor(case))
    return total(balls(weight[case.y[case.y != case.loss_options["ignore_index"]]]))


def matrix(array: Array) -> arb_mat:
    """The exact matrix of a two-dimensional array."""
    rows, columns = array.shape
    return arb_mat(rows, columns, balls(array))


def _outputs(case: Case, last: Layer) -> list[Outputs]:
    """a^L sample by sample, with 1 - a where the loss reads it."""
    samples = len(case.x)
    rows = _split(last.a, samples)
    if case.spec.loss.name not in TAKES_COMPLEMENTS:
        return [Outputs(row, ()) for row in rows]
    if last.rows:
        return [Outputs(row.value, row.complement or ()) for row in last.rows]
    name = case.spec.activations[-1].name
    return [Outputs(a, complements(name, z, a)) for z, a in zip(_split(last.z, samples), rows, strict=True)]


def _deltas(case: Case, passed: Sweep) -> tuple[list[arb_mat], list[arb]]:
    """BP1, then BP2: every delta (N, O) and dC/dx (N, I) of the sum of the losses, or of <upstream, losses>."""
    samples = len(case.x)
    if case.upstream is None:
        gradient = _chained(passed.slopes)
    else:
        # One factor for each loss: a per-sample loss passes its own on to all O outputs.
        factors = _split(balls(case.upstream), samples)
        gradient = _chained(
            _products(row if len(row) == len(slopes) else list(row) * len(slopes), slopes)
            for row, slopes in zip(factors, passed.slopes, strict=True)
        )
    deltas: list[arb_mat] = []
    for layer in reversed(passed.layers):
        delta = arb_mat(samples, layer.weight.nrows(), layer.pull(gradient))
        deltas.append(delta)
        gradient = (delta * layer.weight).entries()
    deltas.reverse()
    return deltas, gradient


def _penalty(penalty: Penalty, case: Case) -> arb:
    """l1 sum|w| + 1/2 l2 sum w^2, over the weights or all parameters, divided as the penalty says."""
    charged = [entry for array in penalty.charged(case.weights, case.biases) for entry in balls(array)]
    sizes, squares = total(map(abs, charged)), total(entry * entry for entry in charged)
    return (ball(penalty.l1) * sizes + ball(penalty.l2) / 2 * squares) / penalty.divisor(len(case.x))


def _penalty_slopes(penalty: Penalty, case: Case, arrays: Sequence[Array | None], ties: Ties) -> list[list[arb]]:
    """l1 sign(w) + l2 w, divided as the penalty says, for each array; empty for an absent bias."""
    l1, l2, by = ball(penalty.l1), ball(penalty.l2), penalty.divisor(len(case.x))
    # Without an l1 there is no kink at 0, and no tie to be counted.
    sign = absolute("penalty", ties) if penalty.l1 else constant(ZERO)
    return [
        [] if array is None else [(l1 * sign(entry)[1] + l2 * entry) / by for entry in balls(array)] for array in arrays
    ]


def _penalty_change(penalty: Penalty, case: Case, direction: Direction, ties: Ties) -> arb:
    """The penalty's change along a direction."""
    slopes = _penalty_slopes(penalty, case, penalty.charged(case.weights, case.biases), ties)
    tangents = penalty.charged(direction.weights, direction.biases)
    return total(total(_products(slope, balls(tangent))) for slope, tangent in zip(slopes, tangents, strict=True))


def _products(left: Sequence[arb], right: Sequence[arb]) -> list[arb]:
    return [x * y for x, y in zip(left, right, strict=True)]


def _added(left: Sequence[arb], right: Sequence[arb]) -> list[arb]:
    return [x + y for x, y in zip(left, right, strict=True)]


def _over(entries: Sequence[arb], divisor: arb) -> list[arb]:
    return [entry / divisor for entry in entries]


def _split(entries: Sequence[arb], rows: int) -> list[Sequence[arb]]:
    """A row-major matrix as its rows."""
    width = len(entries) // rows
    return [entries[start : start + width] for start in range(0, len(entries), width)]


def _chained(rows: Iterable[Sequence[arb]]) -> list[arb]:
    """Rows as a row-major matrix."""
    return [entry for row in rows for entry in row]
