"""Finds where PyTorch leaves its own forward pass: every activation and loss, value and gradient, over the whole range.

    python tests/truth/sweep_deviations.py [--points 3000] [--seed 0] [--only bce,gelu=tanh]

prints the tables of DEVIATIONS.md: the rows of DEVIATIONS with what PyTorch gives and what is true, and what was
counted. A point departs where PyTorch is further from exact arithmetic than the bound of the textbook forms, or is not
finite where the truth is a number of the dtype; it loses its digits where PyTorch gives 0 and the truth is a normal
number. Every such point should meet a row: `unlisted` counts those that do not.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flint import arb, ctx
from numpy.typing import NDArray

from backproof.cases.catalogue import ACTIVATIONS, DTYPES, LOSSES
from backproof.cases.formula import Formula, variants
from backproof.truth import autograd
from backproof.truth.arithmetic import Arithmetic, Rounded
from backproof.truth.ball_activations import ELEMENTWISE, ROWWISE
from backproof.truth.ball_losses import DIVIDED_BY_OUTPUTS
from backproof.truth.ball_losses import LOSSES as BALL_LOSSES
from backproof.truth.ball_rows import Outputs
from backproof.truth.ball_ties import Ties
from backproof.truth.balls import Float64Enclosure, to_float64
from backproof.truth.deviations import DEVIATIONS, Deviation
from backproof.truth.layer_bounds import activation
from backproof.truth.loss_bounds import LOSS_BOUNDS
from backproof.truth.rowwise_bounds import ROWWISE_BOUNDS

sys.path.insert(0, str(Path(__file__).parent))
from deviation_examples import tables
from deviation_points import LossPoints, loss_points, preactivations, rows_and_upstream

Array = NDArray[Any]
WORK_BITS = 2600
"""Enough for 1 - tanh(z) at every z of which it is a normal float64."""

MORE_ACTIVATIONS = ("leaky_relu=0.3", "elu=1.7", "celu=0.3", "celu=1.7", "softplus=0.7+20", "softplus=1+1000")
MORE_ACTIVATIONS += ("softshrink=0.3", "hardshrink=0.3", "hardtanh=-0.3+0.7", "threshold=0.3+0.1")
MORE_LOSSES = ("smooth_l1=0.3", "huber=0.3", "hinge_embedding=0.3", "multi_margin=1+0.3", "multi_margin=2+0.3")
MORE_LOSSES += ("poisson_nll=0+1+1e-10", "gaussian_nll=0+0.3", "cross_entropy=index+none+-100+0.3")
"""Parameters beyond the catalogue's: ones that float32 rounds, and a threshold that does not keep exp from overflow."""

OURS = frozenset({"half_squared_error", "linear", "categorical_cross_entropy"})
"""Losses of the textbooks, which PyTorch does not have and `autograd` composes."""


@dataclass(frozen=True)
class Found:
    """What one formula does in one dtype, in value or gradient: how many points, and how many depart or lose digits.

    met: how many points meet each row, by name; by_row: how many of them depart, or lose digits. unlisted: a sentence
    on each that departs and meets none.
    """

    formula: str
    dtype: str
    quantity: str
    points: int
    departing: int
    lost: int
    met: Counter[str] = field(default_factory=Counter)
    by_row: Counter[str] = field(default_factory=Counter)
    unlisted: tuple[str, ...] = ()


def compared(
    formula: Formula,
    arithmetic: Arithmetic,
    quantity: str,
    *,
    computed: Array,
    truth: Float64Enclosure,
    limit: Array,
    masks: dict[str, Array],
    said: Sequence[str],
    times: float = 1.0,
) -> Found:
    """One kind of number against the truth, all arrays shaped (points,); `said` describes each point.

    times: what was computed is so many times the truth, and the limit.
    """
    middle, radius = times * truth.middle, times * truth.radius
    known = np.isfinite(middle) & np.isfinite(radius) & (np.abs(middle) <= arithmetic.largest)
    error = np.abs(computed.astype(np.float64) - middle)
    # Whatever is smaller than the smallest normal number may be flushed to 0.
    beyond = error > times * (np.where(np.isnan(limit), np.inf, limit) + arithmetic.smallest) + radius
    departs = known & (~np.isfinite(computed) | beyond)
    lost = known & (computed == 0.0) & (np.abs(middle) - radius > times * arithmetic.smallest) & ~departs
    wanted = {row.name: row for row in DEVIATIONS if row.concerns in (quantity, "both")}
    met, by_row = Counter[str](), Counter[str]()
    listed = np.zeros_like(departs)
    for name, mask in masks.items():
        if name not in wanted or arithmetic.dtype not in wanted[name].dtypes:
            continue
        here = mask & (departs if wanted[name].leaves_bound else lost) & ~listed
        met[name] += int((mask & known).sum())
        by_row[name] += int(here.sum())
        listed |= here
    unlisted = tuple(
        f"{said[at]}: PyTorch {computed[at]!r}, true {middle[at]!r}" for at in np.flatnonzero(departs & ~listed)
    )
    return Found(
        formula.id,
        arithmetic.dtype,
        quantity,
        len(computed),
        int(departs.sum()),
        int(lost.sum()),
        met,
        by_row,
        unlisted,
    )


def rows_of(name: str) -> Iterator[Deviation]:
    """The rows about an activation or loss."""
    return (row for row in DEVIATIONS if name in {what.partition("=")[0] for what in row.what})


def limits(evaluate: Any, dtype: str) -> Array:
    """The textbook bound; where it says nothing, that of the accurate forms."""
    textbook, accurate = (evaluate(Arithmetic.of(dtype, forms=forms)) for forms in ("textbook", "accurate"))
    return np.where(np.isfinite(textbook), textbook, accurate)


def torch_ways(formula: Formula, z: Array, upstream: Array) -> Iterator[tuple[Array, Array]]:
    """phi and the product of `upstream` with its Jacobian: whole arrays, every other entry of one, forward mode."""
    function = autograd._activation(formula)
    rowwise = ACTIVATIONS[formula.name].rowwise
    leaves = [torch.from_numpy(z.copy())]
    if not rowwise:
        leaves.append(torch.from_numpy(np.repeat(z, 2))[::2])
    for leaf in leaves:
        value = function(leaf.requires_grad_())
        (gradient,) = torch.autograd.grad(value, leaf, torch.from_numpy(upstream))
        yield value.detach().numpy(), gradient.numpy()
    if not rowwise:
        with warnings.catch_warnings():
            # The first forward-mode call of a process compiles torch's own formulas with torch.jit.script.
            warnings.filterwarnings("ignore", message="`torch.jit.script", category=DeprecationWarning)
            value, tangent = torch.func.jvp(function, (torch.from_numpy(z.copy()),), (torch.from_numpy(upstream),))
        yield value.numpy(), tangent.numpy()


def sweep_activation(formula: Formula, dtype: str, points: int, seed: int) -> Iterator[Found]:
    """An elementwise activation and its slope."""
    z, arithmetic = preactivations(formula, dtype, points, seed), Arithmetic.of(dtype)
    with ctx.workprec(WORK_BITS):
        function = ELEMENTWISE[formula.name](formula.options, Ties("torch"))
        pairs = [function(arb(float(entry))) for entry in z]
        truths = [to_float64([pair[part] for pair in pairs]) for part in (0, 1)]
    exact = Rounded(z.astype(np.float64)[:, None], np.zeros((z.size, 1)))
    bounds = (
        limits(lambda arithmetic: activation(exact, formula, arithmetic)[0].error[:, 0], dtype),
        limits(lambda arithmetic: activation(exact, formula, arithmetic)[1].slope.error[:, 0], dtype),
    )
    # What flows in: 1, so that the gradient is the slope; and what overflows only where a form enlarges it on the way.
    for upstream in (1.0, 2.0 ** (math.floor(math.log2(arithmetic.largest)) - 20)):
        signal = Rounded(np.full(exact.value.shape, upstream), np.zeros(exact.value.shape))
        masks = {
            row.name: np.broadcast_to(row.mask(exact, signal, formula.options, arithmetic), signal.value.shape)[:, 0]
            for row in rows_of(formula.name)
        }
        said = [f"{formula.id} {dtype} z={entry!r} upstream={upstream:g}" for entry in z]
        for computed in torch_ways(formula, z, np.full_like(z, upstream)):
            for part, quantity in enumerate(("value", "gradient")):
                if quantity == "value" and upstream != 1.0:
                    continue
                yield compared(
                    formula, arithmetic, quantity,
                    computed=computed[part], truth=truths[part], limit=bounds[part], masks=masks, said=said,
                    times=1.0 if quantity == "value" else upstream,
                )  # fmt: skip


def sweep_rowwise(formula: Formula, dtype: str, points: int, seed: int) -> Iterator[Found]:
    """A row-wise activation, and the product of a random error signal with its Jacobian."""
    z, s = rows_and_upstream(dtype, points // 6, seed)
    arithmetic, exact = Arithmetic.of(dtype), Rounded(z.astype(np.float64), np.zeros(z.shape))
    signal = Rounded(s.astype(np.float64), np.zeros(s.shape))
    with ctx.workprec(WORK_BITS):
        found = [ROWWISE[formula.name]([arb(float(entry)) for entry in row]) for row in z]
        pulled = [row.pull([arb(float(entry)) for entry in part]) for row, part in zip(found, s, strict=True)]
        truths = [to_float64([entry for row in found for entry in row.value])]
        truths.append(to_float64([entry for row in pulled for entry in row]))
    bound = ROWWISE_BOUNDS[formula.name]
    bounds = (
        limits(lambda arithmetic: bound(exact, arithmetic)[0].error.ravel(), dtype),
        limits(lambda arithmetic: bound(exact, arithmetic)[1].pull_back(signal).error.ravel(), dtype),
    )
    masks = {
        row.name: np.broadcast_to(row.mask(exact, signal, formula.options, arithmetic), z.shape).ravel()
        for row in rows_of(formula.name)
    }
    said = [f"{formula.id} {dtype} z={row} s={part}" for row, part in zip(z, s, strict=True) for _ in row]
    for computed in torch_ways(formula, z, s):
        for part, quantity in enumerate(("value", "gradient")):
            yield compared(
                formula, arithmetic, quantity,
                computed=computed[part].ravel(), truth=truths[part], limit=bounds[part], masks=masks, said=said,
            )  # fmt: skip


def exact_loss(at: LossPoints) -> tuple[Float64Enclosure, Float64Enclosure]:
    """The unreduced losses and the gradient of their sum."""
    losses: list[arb] = []
    gradients: list[arb] = []
    name, outputs = at.case.spec.loss.name, at.a.shape[1]
    with ctx.workprec(WORK_BITS):
        row = BALL_LOSSES[name](at.case, Ties("torch"))
        for n, a in enumerate(at.a):
            balls = [arb(float(entry)) for entry in a]
            loss, gradient = row(n, Outputs(balls, [1 - entry for entry in balls]))
            divisor = outputs if name in DIVIDED_BY_OUTPUTS else 1
            losses += [entry / divisor for entry in loss]
            gradients += [entry / divisor for entry in gradient]
        return to_float64(losses), to_float64(gradients)


def sweep_loss(formula: Formula, dtype: str, points: int, seed: int) -> Iterator[Found]:
    """A loss and its gradient by the outputs a."""
    at, arithmetic = loss_points(formula, dtype, points // 3, seed), Arithmetic.of(dtype)
    case, options, y = at.case, at.case.loss_options, at.case.y
    leaf = torch.from_numpy(at.a.copy()).requires_grad_()
    value = autograd._objective(case, np.dtype(dtype)).unreduced(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    exact = Rounded(at.a.astype(np.float64), np.zeros(at.a.shape))
    target = y.astype(np.float64) if y.dtype.kind == "f" else y
    masks = {row.name: row.at_output(exact, y, options, arithmetic) for row in rows_of(formula.name)}
    for part, quantity, computed, truth in zip(
        (0, 1), ("value", "gradient"), (value.detach().numpy(), gradient.numpy()), exact_loss(at), strict=True
    ):
        bound = limits(
            lambda arithmetic, part=part: LOSS_BOUNDS[formula.name](exact, target, options, arithmetic)[part].error,
            dtype,
        )
        # What the bound adds afterwards: the floor for underflow, and a reduction's own roundings.
        floor = 8 * arithmetic.smallest * (at.size if computed.ndim == 2 else at.size[:, 0])
        bound = bound + floor + 3 * arithmetic.unit * np.abs(computed)
        shape = computed.shape if computed.ndim == 2 else (len(computed), 1)
        here = {
            name: np.broadcast_to(mask if computed.ndim == 2 else mask.any(axis=1, keepdims=True), shape).ravel()
            for name, mask in masks.items()
        }
        said = [f"{formula.id} {dtype} {at.said(n)}" for n in range(len(at.a)) for _ in range(shape[1])]
        yield compared(
            formula, arithmetic, quantity,
            computed=computed.ravel(), truth=truth, limit=bound.ravel(), masks=here, said=said,
        )  # fmt: skip


def sweep(points: int, seed: int, only: Sequence[str] = ()) -> Iterator[Found]:
    """Everything, or what is named."""
    elementwise = [formula for name, entry in ACTIVATIONS.items() if not entry.rowwise for formula in variants(name)]
    elementwise += [Formula.parse(text, ACTIVATIONS) for text in MORE_ACTIVATIONS]
    losses = [formula for name in LOSSES if name not in OURS for formula in variants(name)]
    losses += [Formula.parse(text, LOSSES) for text in MORE_LOSSES]
    with np.errstate(all="ignore"):
        for dtype in DTYPES:
            for kind, formulas in ((sweep_activation, elementwise), (sweep_loss, losses)):
                for formula in formulas:
                    if not only or formula.id in only:
                        yield from kind(formula, dtype, points, seed)
            for name in ROWWISE:
                if not only or name in only:
                    yield from sweep_rowwise(Formula.parse(name, ACTIVATIONS), dtype, points, seed)


def main() -> None:
    """Prints the tables, and what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--points", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(*tables(), sep="\n\n")
    found = list(sweep(chosen.points, chosen.seed, [name for name in chosen.only.split(",") if name]))
    print("\n| row | dtype | points that meet it | depart | lose their digits |")
    print("| --- | --- | ---: | ---: | ---: |")
    for row in DEVIATIONS:
        for dtype in row.dtypes:
            there = [entry for entry in found if entry.dtype == dtype]
            count = f"{sum(entry.by_row[row.name] for entry in there):,}"
            cells = (
                f"{sum(entry.met[row.name] for entry in there):,}",
                *((count, "") if row.leaves_bound else ("", count)),
            )
            print("| " + " | ".join((row.name.replace("|", "\\|"), dtype, *cells)) + " |")
    total, departing = sum(entry.points for entry in found), sum(entry.departing for entry in found)
    unlisted = [sentence for entry in found for sentence in entry.unlisted]
    print(f"\n{total:,} numbers of PyTorch {torch.__version__}; {departing:,} depart, {len(unlisted)} of them unlisted")
    print(f"{sum(entry.lost for entry in found):,} lose their digits: " + ", ".join(_lost_unlisted(found)))
    print(*unlisted, sep="\n")


def _lost_unlisted(found: Sequence[Found]) -> list[str]:
    """Where digits are lost without a row."""
    names = {row.name for row in DEVIATIONS if not row.leaves_bound}
    rest = Counter[str]()
    for entry in found:
        rest[f"{entry.formula} {entry.dtype} {entry.quantity}"] += entry.lost - sum(entry.by_row[n] for n in names)
    return [f"{count} unlisted in {name}" for name, count in (+rest).items()] or ["0 unlisted"]


if __name__ == "__main__":
    main()
