"""A loss at outputs that are off: every form of it, held against the bound around outputs whose truth is known.

The network's outputs a are drawn in the dtype, and stand for what a candidate computed. The truth is a rational number
up to e away from each, with e drawn entry by entry from 2^-60 to 2^-3 of the outputs' size, and what the bound is
evaluated at is as far from that truth on any side, for it is computed too. Then no form of the loss may stray from its
value at the true outputs, in ball arithmetic, by more than the bound says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import arb, ctx
from loss_forms import GRADIENTS, VALUES
from numpy.typing import NDArray

from backproof.cases import Case, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.formula import Formula, accepts, expected_output, variants
from backproof.cases.spec import NetworkSpec
from backproof.truth import ball_losses
from backproof.truth.arithmetic import Arithmetic, Forms, Kinks, Rounded
from backproof.truth.ball_rows import Outputs
from backproof.truth.ball_ties import Ties
from backproof.truth.loss_bounds import LOSS_BOUNDS

Array = NDArray[Any]
SAMPLES, CLASSES = 24, 3
BITS = 256
OVERFLOWS = 80.0
"""The |a| from which exp(a), or a sum of such, may overflow in float32."""


@dataclass(frozen=True, eq=False)
class Perturbed:
    """One loss with the outputs that were computed, the true ones, and the error that lies between them.

    computed: (N, O) in the dtype; truth: (N, O) exact balls, row by row; outputs: what the bound is evaluated at, with
    e.
    """

    case: Case
    computed: Array
    truth: list[list[arb]]
    outputs: Rounded


@dataclass(frozen=True)
class Excess:
    """A form that strays: by how many bounds at worst, from which outputs."""

    form: str
    worst: float
    at: tuple[int, ...]
    computed: float
    truth: float
    bound: float


def case_of(loss: Formula, dtype: str, *, values: str = "normal") -> Case:
    """A case with that loss, for its targets and arrays; the outputs are drawn elsewhere."""
    activation = next(name for name in ACTIVATIONS if accepts(loss, variants(name)[0]))
    short = "f32" if dtype == "float32" else "f64"
    return build_case(NetworkSpec.parse(f"2-{CLASSES},{activation},{loss.id},sum,n{SAMPLES},{short},{values},s1"))


def drawn_outputs(loss: Formula, dtype: str, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Outputs that the loss expects, of sizes from 2^-6 to 2^6 row by row."""
    size = 2.0 ** generator.uniform(-6.0, 6.0, (shape[0], 1))
    numbers = size * generator.standard_normal(shape)
    expected = expected_output(loss)
    if expected == "probabilities":
        numbers = np.exp(numbers - np.logaddexp.reduce(numbers, axis=1, keepdims=True))
        numbers = np.clip(numbers, 2.0**-40, 1.0 - 2.0**-20)
    elif expected == "log_probabilities":
        numbers = numbers - np.logaddexp.reduce(numbers, axis=1, keepdims=True)
    elif expected == "nonnegative":
        numbers = np.abs(numbers)
    return numbers.astype(dtype)


def perturbed(loss: Formula, dtype: str, seed: int, *, erring: bool = True, whole: bool = False) -> Perturbed:
    """Outputs of the loss as the module says, most truths at an end of their reach.

    erring: whether there is an error at all, or only the rounding of the loss itself. whole: the outputs are integers
    and so are the targets, so that kinks are hit.
    """
    generator = np.random.default_rng(seed)
    case = case_of(loss, dtype, values="integers" if whole else "normal")
    computed = drawn_outputs(loss, dtype, generator, (SAMPLES, CLASSES))
    if whole:
        computed = np.rint(computed)
    size = np.maximum(np.abs(computed.astype(np.float64)), 2.0**-6)
    error = size * 2.0 ** generator.integers(-60, -2, computed.shape) * erring
    if dtype == "float64":
        # float64 holds no truth that is nearer than this to what was computed, but for that itself.
        error[error < 2.0**-50 * size] = 0.0
    side = generator.choice([-1.0, -0.5, 0.0, 0.5, 1.0], computed.shape)
    with ctx.workprec(BITS):
        truth = [
            [arb(a) + arb(t) * arb(e) for a, t, e in zip(*rows, strict=True)]
            for rows in zip(computed.tolist(), side.tolist(), error.tolist(), strict=True)
        ]
    reference = np.array([[float(entry) for entry in row] for row in truth])
    astray = generator.choice([-1.0, 0.0, 1.0], computed.shape) * error
    return Perturbed(case, computed, truth, Rounded(reference + astray, error))


def true_losses(given: Perturbed, ties: Ties | None = None) -> tuple[list[arb], list[arb]]:
    """The unreduced losses and their gradient at the true outputs, row-major."""
    name = given.case.spec.loss.name
    row = ball_losses.LOSSES[name](given.case, Ties("torch") if ties is None else ties)
    within = given.computed.shape[1] if name in ball_losses.DIVIDED_BY_OUTPUTS else 1
    losses: list[arb] = []
    gradient: list[arb] = []
    for n, a in enumerate(given.truth):
        found = row(n, Outputs(a, [1 - entry for entry in a]))
        losses += [entry / within for entry in found[0]]
        gradient += [entry / within for entry in found[1]]
    return losses, gradient


def excesses(given: Perturbed, *, forms: Forms, kinks: Kinks = "sharp", factor: float = 1.0) -> Iterator[Excess]:
    """The forms admitted by `forms` that stray from the truth by more than the bound; all multiplied by a factor."""
    case, dtype = given.case, given.case.spec.dtype
    name, options = case.spec.loss.name, case.loss_options
    arithmetic = Arithmetic.of(dtype, forms=forms, kinks=kinks)
    y = case.y if case.y.dtype.kind == "i" else case.y.astype(np.float64)
    with np.errstate(all="ignore"), ctx.workprec(BITS):
        bounds = LOSS_BOUNDS[name](given.outputs, y, options, arithmetic)
        tables = ("value", VALUES), ("gradient", GRADIENTS)
        for (kind, table), bound, truth in zip(tables, bounds, true_losses(given), strict=True):
            for label, form in table[name].items():
                if (label.endswith("*") and forms == "accurate") or (label.startswith("other tie") and kinks != "any"):
                    continue
                computed = np.asarray(form(given.computed, case.y, options)) * factor
                assert computed.dtype == dtype, f"{name}, {label}: computed in {computed.dtype}"
                assert computed.shape == bound.error.shape, f"{name}, {label}: shape {computed.shape}"
                admitted = bound.error
                if label.endswith("*"):
                    # Where such a form takes the logarithm of 0 it says nothing, and nothing is said of it.
                    admitted = np.where(np.isfinite(computed), bound.error, np.inf)
                if label.startswith("unshifted"):
                    # exp(a) overflows there, and the form is no correct one.
                    beyond = np.abs(given.computed).max(axis=1) >= OVERFLOWS
                    admitted = np.where(beyond if bound.error.ndim == 1 else beyond[:, None], np.inf, bound.error)
                worst = strayed(computed, truth, admitted)
                if worst is not None:
                    yield replace(worst, form=f"{kind}: {label}")


def strayed(computed: Array, truth: list[arb], bound: Array) -> Excess | None:
    """The entry that is farthest outside its bound, if any; an infinite or NaN bound admits everything."""
    worst: Excess | None = None
    errors = bound.ravel().tolist()
    for flat, (own, true, error) in enumerate(zip(computed.ravel().tolist(), truth, errors, strict=True)):
        if not error < np.inf:
            continue
        distance = abs(arb(own) - true)
        if not distance <= arb(error):
            excess = float(distance) / max(error, 5e-324)
            if worst is None or excess > worst.worst or np.isnan(excess):
                at = tuple(int(index) for index in np.unravel_index(flat, computed.shape))
                worst = Excess("", excess, at, own, float(true), error)
    return worst


def formulas(*names: str) -> list[Formula]:
    """Every variant of the named losses, and further parameters that float32 must round."""
    known = [formula for name in names for formula in variants(name)]
    further = ("smooth_l1=0.3", "huber=0.7", "hinge_embedding=0.3", "multi_margin=1+0.7", "poisson_nll=0+0+0.1")
    return known + [Formula.parse(text, LOSSES) for text in further if text.partition("=")[0] in names]


def told(excesses: Iterator[Excess]) -> str:
    """One line per form; empty where none strays."""
    return "\n".join(
        f"{x.form} at {x.at}: {x.worst:.3g} bounds; {x.computed!r} for {x.truth!r} +- {x.bound!r}" for x in excesses
    )
