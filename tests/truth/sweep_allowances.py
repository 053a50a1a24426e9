"""Measures how far every form of every activation strays from the truth, in units of its allowance.

    python tests/truth/sweep_allowances.py [--points 4000] [--activations tanh,gelu=tanh] [--dtypes float32] [--worst]

prints a line per activation, dtype and form: the largest |computed - true| beyond the floor over u S (for phi) and u S'
(for phi'), of the allowance that is to admit the form, with the z where it happens. At most 1 everywhere, or the
allowance is too small. z runs over the whole range of the dtype: every exponent and the subnormals, densely around 0,
the kinks, the parameters and the onset of saturation. Every form runs as it stands and again with subnormals flushed to
zero. The truth comes from `exact_activations.py`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from activation_forms import SLOPES, VALUES, Options, scratch_forms, torch_forms
from exact_activations import Exact, exact
from numpy.typing import NDArray

from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.formula import Formula
from backproof.truth.curves import CURVES, Allowance, Curve

Array = NDArray[Any]

EXTRA_FORMULAS = (
    *("leaky_relu=0.3", "leaky_relu=-0.5", "leaky_relu=2"),
    *("softplus=0.7+20", "softplus=3+20", "softplus=0.1+30", "softplus=3+4"),
    *("elu=1.7", "elu=0.3", "celu=0.3", "celu=1.7", "celu=3"),
    *("softshrink=0.3", "hardshrink=0.3", "hardtanh=-0.3+0.7", "threshold=0.3+0.1"),
)
"""Parameters beyond the catalogue's: ones that float32 must round, negative slopes, slopes above 1."""


@dataclass(frozen=True)
class Finding:
    """One form's worst entry: error over u S (or S'), its z, how many exceed 1, the |z| from which it is not finite."""

    formula: str
    dtype: str
    quantity: str
    form: str
    kind: str
    worst: float
    at: float
    exceeding: int
    infinite_from: float


def formulas() -> tuple[Formula, ...]:
    """Every elementwise activation with every parameter of the catalogue, and the extra ones."""
    from backproof.cases.formula import variants

    known = [formula for name, entry in ACTIVATIONS.items() if not entry.rowwise for formula in variants(name)]
    return (*known, *(Formula.parse(text, ACTIVATIONS) for text in EXTRA_FORMULAS))


def points(formula: Formula, dtype: str, count: int, seed: int) -> Array:
    """About `count` preactivations in the dtype, sorted, zeros and subnormals among them."""
    rng = np.random.Generator(np.random.Philox(seed))
    limits = np.finfo(dtype)
    exponents = rng.uniform(math.log2(limits.smallest_subnormal), math.log2(limits.max), count // 4)
    parts = [
        np.exp2(exponents) * rng.choice((-1.0, 1.0), exponents.size),
        rng.normal(size=count // 4),
        rng.uniform(-8, 8, count // 4),
        rng.uniform(-45, 45, count // 8),
        rng.choice((-1, 1), count // 8) * rng.uniform(*((690, 760) if dtype == "float64" else (80, 110)), count // 8),
        np.arange(-60, 61) / 10,
        np.arange(-60, 61) / 4,
        [0.0, -0.0, limits.smallest_subnormal, limits.smallest_normal, limits.max / 16, limits.max, 1e19, 2e19, 1e-20],
    ]
    special = [0.0, 0.5, 1.0, 3.0, 6.0, 20.0, *(v for v in formula.values if not isinstance(v, str))]
    special += [kink.position for kink in CURVES[formula.name].kinks(formula.options)]
    if formula.name == "softplus":
        special.append(formula.options["threshold"] / formula.options["beta"])  # type: ignore[operator]
    for position in special:
        steps = np.arange(-24, 25) * limits.eps
        parts.extend((position + position * steps, -position - position * steps, [position + 1e-3, position - 1e-3]))
    z = np.concatenate([np.asarray(part, dtype=dtype) for part in parts])
    return np.unique(np.concatenate([z, -z]))  # -0.0 and 0.0 are one


@dataclass(frozen=True)
class Truth:
    """phi and phi' at z; what may be added to either at a kink, at underflow or in a set; how far z itself is moved."""

    z: Array
    value: Exact
    slope: Exact
    value_slack: Array
    slope_slack: Array
    moved: Array


def truth(formula: Formula, z: Array, *, flush: bool) -> Truth:
    """The truth at z, as if z were exact: kinks count within their own radius alone, and at the tie.

    With `flush`, a subnormal z may be taken for 0, as the bound's e_z says of every z that is not exact.
    """
    curve, options, wide = CURVES[formula.name], formula.options, z.astype(np.float64)
    value, slope = exact(formula.name, wide, options)
    unit = float(np.finfo(z.dtype).eps) / 2
    smallest = float(np.finfo(z.dtype).smallest_normal)
    floor = 0.0 if curve.exact else curve.flushes(options) * smallest
    moved = np.where(np.abs(wide) < smallest, smallest * flush, 0.0)
    value_slack = floor * np.maximum(1.0, np.abs(wide)) + moved * max(map(abs, curve.slope_range(options)))
    slope_slack = floor * np.maximum(1.0, np.abs(wide)) + moved * curve.curvature_sup(options)
    for kink in curve.kinks(options):
        distance = np.abs(wide - kink.position)
        met = distance <= unit * kink.radius_units + moved
        value_slack += np.where(met & ((distance > 0.0) | (moved > 0.0)), kink.value_jump, 0.0)
        slope_slack += np.where(met | (distance == 0.0), kink.slope_jump, 0.0)
    if curve.ambiguity is not None:
        widths = curve.ambiguity(wide, np.zeros_like(wide), options)
        value_slack, slope_slack = value_slack + widths[0], slope_slack + widths[1]
    return Truth(z, value, slope, value_slack, slope_slack, moved)


def measure(computed: Array, known: Exact, slack: Array, allowed: Array, unit: float) -> tuple[Array, Array]:
    """(error beyond the slack over u S, where computed is finite), both shaped as z."""
    finite = np.isfinite(computed) & np.isfinite(known.high)
    error = np.abs((np.where(finite, computed, 0.0).astype(np.float64) - known.high) - known.low) - slack
    over = np.divide(error, unit * allowed, out=np.full(error.shape, np.inf), where=unit * allowed > 0.0)
    return np.where(finite & (error > 0.0), over, 0.0), finite


def flushed(z: Array) -> Array:
    """z with its subnormals as zeros, as XLA and -ffast-math see it."""
    return np.where(np.abs(z) < np.finfo(z.dtype).smallest_normal, np.zeros_like(z), z)


def runs(formula: Formula, z: Array) -> Iterator[tuple[str, str, Array | None, Array | None]]:
    """(form, kind, phi, phi') of every form at z; None where the form has none."""
    options = formula.options
    key = formula.name if options.get("approximate") != "tanh" else "gelu=tanh"
    settled: list[tuple[str, str, Array]] = []
    for label, function in VALUES[key].items():
        a = np.asarray(_within_threshold(formula, z, function(z, options), z), dtype=z.dtype)
        yield label.rstrip(" *!"), _kind(label), a, None
        if not label.endswith("!"):
            settled.append((label.rstrip(" *!"), _kind(label), a))
    for label, slope in SLOPES[key].items():
        results: dict[bytes, None] = {}
        for of_value, kind_of_value, a in settled:
            phi_prime = np.asarray(_within_threshold(formula, z, slope(z, a, options), np.ones_like(z)), dtype=z.dtype)
            if phi_prime.tobytes() in results:
                continue
            kind = "textbook" if "textbook" in (_kind(label), kind_of_value) else "accurate"
            name = label.rstrip(" *!") + (f" of {of_value}" if results else "")
            results[phi_prime.tobytes()] = None
            yield name, kind, None, phi_prime
    yield from scratch_forms(formula, z)
    yield from torch_forms(formula, z)


def _kind(label: str) -> str:
    return "textbook" if "*" in label[-2:] else "accurate"


def _within_threshold(formula: Formula, z: Array, inside: Array, beyond: Array) -> Array:
    """softplus's threshold, where it is small enough to be part of the definition."""
    if formula.name != "softplus" or not CURVES["softplus"].kinks(formula.options):
        return inside
    return np.where(z * formula.options["beta"] > formula.options["threshold"], beyond, inside)


def sweep(
    formula: Formula, dtype: str, *, count: int, seed: int = 0, flush: bool = False, judge: str | None = None
) -> Iterator[Finding]:
    """The findings of one activation in one dtype, over about `count` preactivations.

    judge: the allowance that all forms are held to, instead of the one that is to admit them.
    """
    z = points(formula, dtype, count, seed)
    curve, options = CURVES[formula.name], formula.options
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        known = truth(formula, z, flush=flush)
        allowed = {kind: _units(curve, kind, known, options) for kind in ("accurate", "textbook")}
        torch.set_flush_denormal(flush)
        try:
            found = list(runs(formula, flushed(z) if flush else z))
        finally:
            torch.set_flush_denormal(False)
        for form, kind, *computed in found:
            for quantity, ours, part, slack, units in (
                ("value", computed[0], known.value, known.value_slack, allowed[judge or kind][0]),
                ("slope", computed[1], known.slope, known.slope_slack, allowed[judge or kind][1]),
            ):
                if ours is None:
                    continue
                over, finite = measure(flushed(ours) if flush else ours, part, slack, units, float(limits.eps) / 2)
                if kind == "textbook":
                    over[np.abs(z) > curve.limit(float(limits.max), options)] = 0.0
                at = int(np.argmax(over))
                lost = ~finite & np.isfinite(part.high.astype(dtype))
                infinite = float(np.abs(z[lost]).min()) if lost.any() else math.inf
                name = form + (" (flushed)" if flush else "")
                exceeding = int((over > 1.0).sum())
                yield Finding(
                    formula.id, dtype, quantity, name, kind, float(over[at]), float(z[at]), exceeding, infinite
                )


def _units(curve: Curve, kind: str, known: Truth, options: Options) -> tuple[Array, Array]:
    allowance: Allowance = curve.accurate if kind == "accurate" else curve.textbook
    z = known.z.astype(np.float64)
    return allowance.value(z, known.moved, options), allowance.slope(z, known.moved, options)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--points", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--activations", default="")
    parser.add_argument("--dtypes", default="float64,float32")
    parser.add_argument(
        "--worst", action="store_true", help="only the worst form per activation, dtype, quantity and kind"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for formula in formulas():
        if chosen.activations and formula.id not in chosen.activations.split(","):
            continue
        for dtype in chosen.dtypes.split(","):
            rows = [
                finding
                for flush in (False, True)
                for finding in sweep(formula, dtype, count=chosen.points, seed=chosen.seed, flush=flush)
            ]
            rows.sort(key=lambda row: (row.quantity, row.kind, -row.worst))
            seen = set()
            for row in rows:
                group = (row.quantity, row.kind)
                if chosen.worst and group in seen:
                    continue
                seen.add(group)
                print(
                    f"{row.formula:20} {row.dtype} {row.quantity} {row.kind:8} {row.worst:12.3f} at {row.at:<24.17g}"
                    f" exceeding {row.exceeding:6d}  {row.form}"
                    + (f"  not finite from {row.infinite_from:.4g}" if math.isfinite(row.infinite_from) else "")
                )


if __name__ == "__main__":
    main()
