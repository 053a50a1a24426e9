"""The arbiter: enclosures of the true loss and gradients, by ball arithmetic on the case's exact numbers.

Every float in a case is a rational number, and the textbook equations BP0 to BP4 on them have one true result. It is
enclosed in balls (python-flint's arb, by Fredrik Johansson), and the precision is raised until each entry's radius is
small against the rounding bound or the entry itself, or 4096 bits are reached. This says which of candidate and
reference is wrong; it does not say how much error is legitimate, which is the rounding bound's business.

- Parameters mean the float64 numbers in the spec; constants of a definition mean the real numbers
  (ball_activations.py).
- softplus beyond its threshold is a set between two formulas; loss terms at a pole (log 0) have no value, clamps of
  PyTorch are not reproduced (ball_losses.py).
- Exactly on a kink, `kinks` = "torch" takes PyTorch's subgradient, "any" the set of all (ball_ties.py, which lists
  PyTorch's choices).
- A cancellation to exactly 0 of numbers that are not rational (tanh(z) - tanh(z)) never gets tighter than 2^-4096 of
  its terms, and where it decides on which side of a kink z lies, both sides count.

Index legend: `N` batch, `I` inputs and `O` outputs of a layer, `L` layers, `z = a W^T + b`, `a = phi(z)`, `delta =
dC/dz`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
from flint import arb, ctx

from backproof.cases.case import Case
from backproof.cases.catalogue import LOSSES
from backproof.cases.direction import Direction
from backproof.cases.gradients import Array, Gradients
from backproof.truth import ball_network
from backproof.truth.ball_ties import Admitted, Ties
from backproof.truth.balls import SMALLEST, Float64Enclosure, to_float64

PRECISIONS: Final = (128, 256, 512, 1024, 2048, 4096)
"""Bits, tried in turn."""

FLOAT64_UNIT: Final = 2.0**-53
TOLERANCE_SHARE: Final = 1e-3
"""A radius of this share of the tolerance cannot change what the tolerance decides."""

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Enclosure:
    """|truth - middle| <= radius, entry by entry, in float64; the radius includes rounding the midpoint to float64.

    A truth beyond the float64 range has middle +-inf and radius 0 (one beyond the float32 range is an ordinary
    float64 here). Where the truth may or may not lie beyond, the radius is infinite. Where there is no truth (a pole,
    0 times infinity, a mean over nothing), middle is NaN and radius infinite. bits: the precision that was needed.
    """

    middle: Gradients
    radius: Gradients
    bits: int


@dataclass(frozen=True, eq=False)
class Change:
    """The enclosure of a directional derivative, in the shape of the loss; fields as in Enclosure."""

    middle: Array
    radius: Array
    bits: int


def reference(case: Case) -> Gradients:
    """The loss, dC/dW, dC/db, dC/dx and every delta in float64, each within 2 u |truth| where `enclose` gets that far.

    The signature of autograd.reference; under reduction "none" `loss` is unreduced, and C = <upstream, losses>.
    """
    return enclose(case).middle


def enclose(case: Case, tolerance: Gradients | None = None, *, kinks: Admitted = "torch") -> Enclosure:
    """Enclose the loss and all gradients, each to a radius of at most max(tolerance/1000, 2^-53 |truth|).

    tolerance: float64 arrays, entry by entry what the answer is to be held against, such as a rounding bound, or
    None; inf is fine. kinks: "torch" or "any", see the module.
    """
    found, bits = _tightened(
        lambda ties: ball_network.gradients(case, ties).entries(), _entries(case, tolerance), kinks
    )
    return _enclosure(case, found, bits, lead=())


def enclose_per_sample(case: Case, tolerance: Gradients | None = None, *, kinks: Admitted = "torch") -> Enclosure:
    """Enclose what each sample contributes: every array has a leading axis N. No penalty, which belongs to no sample.

    The signature and meaning of autograd.per_sample: the shares add up to C and its gradients.
    """
    found, bits = _tightened(lambda ties: ball_network.shares(case, ties).entries(), _entries(case, tolerance), kinks)
    return _enclosure(case, found, bits, lead=(len(case.x),))


def differential(
    case: Case, direction: Direction, tolerance: Array | None = None, *, kinks: Admitted = "torch"
) -> Change:
    """Enclose the change of `loss` along a direction (the Jacobian-vector product), by forward mode."""
    found, bits = _tightened(
        lambda ties: ball_network.differential(case, direction, ties),
        np.float64(0.0) if tolerance is None else np.ravel(tolerance),
        kinks,
    )
    shape = _loss_shape(case)
    return Change(found.middle.reshape(shape), found.radius.reshape(shape), bits)


def _tightened(
    evaluate: Callable[[Ties], list[arb]], tolerance: Array | np.float64, kinks: Admitted
) -> tuple[Float64Enclosure, int]:
    """Raise the precision until every entry is tight enough, or no entry that is not gets tighter any more.

    The second can happen before 4096 bits only where a set stood in the way that no precision narrows; else a radius
    that does not shrink yet may still do so (a z that leaves its kink, a saturated tanh).
    """
    bits, before = 0, np.asarray(np.inf)
    for bits in PRECISIONS:
        ties = Ties(kinks)
        with ctx.workprec(bits):
            found = to_float64(evaluate(ties))
        wanted = np.fmax(np.fmax(tolerance * TOLERANCE_SHARE, FLOAT64_UNIT * np.abs(found.middle)), SMALLEST)
        wide = ~(found.reach <= wanted)
        if not wide.any() or (ties.sets and not (found.reach < 0.5 * before)[wide].any()):
            break
        before = found.reach
    return found, bits


def _shapes(case: Case, lead: Shape) -> Iterator[Shape]:
    """The shapes of the arrays of BallGradients.entries, in its order."""
    yield lead or _loss_shape(case)
    yield from (lead + weight.shape for weight in case.weights)
    yield from (lead + bias.shape for bias in case.biases if bias is not None)
    yield case.x.shape
    yield from ((len(case.x), len(weight)) for weight in case.weights)


def _loss_shape(case: Case) -> Shape:
    if case.spec.reduction != "none":
        return ()
    samples = len(case.x)
    return (samples,) if LOSSES[case.spec.loss.name].per_sample else (samples, case.spec.widths[-1])


def _enclosure(case: Case, found: Float64Enclosure, bits: int, lead: Shape) -> Enclosure:
    return Enclosure(_gradients(case, found.middle, lead), _gradients(case, found.radius, lead), bits)


def _gradients(case: Case, entries: Array, lead: Shape) -> Gradients:
    """Entries in the order of BallGradients.entries, cut into arrays."""
    shapes = list(_shapes(case, lead))
    ends = np.cumsum([prod(shape) for shape in shapes])
    arrays = iter([part.reshape(shape) for part, shape in zip(np.split(entries, ends[:-1]), shapes, strict=True)])
    return Gradients(
        loss=next(arrays),
        weights=tuple([next(arrays) for _ in case.weights]),
        biases=tuple([None if bias is None else next(arrays) for bias in case.biases]),
        inputs=next(arrays),
        deltas=tuple(arrays),
    )


def _entries(case: Case, tolerance: Gradients | None) -> Array | np.float64:
    """The tolerance in the order of BallGradients.entries; 0 where it says nothing of a quantity."""
    if tolerance is None:
        return np.float64(0.0)
    arrays = [tolerance.loss, *tolerance.weights, *[bias for bias in tolerance.biases if bias is not None]]
    arrays.append(np.zeros(case.x.shape) if tolerance.inputs is None else tolerance.inputs)
    if tolerance.deltas is None:
        arrays += [np.zeros((len(case.x), len(weight))) for weight in case.weights]
    else:
        arrays += tolerance.deltas
    entries: Array = np.concatenate([np.ravel(array) for array in arrays])
    return entries
