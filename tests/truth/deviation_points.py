"""The points of the sweep for PyTorch's departures: preactivations, outputs and targets over a dtype's whole range."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.cases import Case, NetworkSpec, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.formula import Formula, accepts, expected_output, target_kind

sys.path.insert(0, str(Path(__file__).parent))
from sweep_allowances import points as allowance_points

Array = NDArray[Any]


class Points:
    """Numbers of one dtype, drawn from one seed."""

    def __init__(self, dtype: str, seed: int) -> None:
        self.dtype = dtype
        self.random = np.random.Generator(np.random.Philox(seed))
        limits = np.finfo(dtype)
        self.least, self.most = float(limits.smallest_normal), float(limits.max)
        self.bits = int(limits.nmant) + 1

    def powers(self, low: float, high: float, count: int) -> Array:
        """Positive numbers, their logarithms even between those of low and high."""
        return np.exp2(self.random.uniform(np.log2(low), np.log2(high), count))

    def signs(self, count: int) -> Array:
        """1 and -1."""
        return self.random.choice((-1.0, 1.0), count)

    def any(self, count: int) -> Array:
        """Of either sign: ordinary, of every exponent, and around where exp, a square, or the number overflows."""
        part = count // 6
        log = np.log(self.most)
        numbers = np.concatenate(
            [
                self.random.normal(size=part),
                self.random.uniform(-1.2 * log, 1.2 * log, part),
                self.random.uniform(-50, 50, part),
                self.powers(self.most**0.5 / 8, self.most**0.5 * 8, part // 2) * self.signs(part // 2),
                self.powers(self.most / 64, self.most, part // 2) * self.signs(part // 2),
                self.powers(self.least, 1.0, part) * self.signs(part),
            ]
        )
        rest = count - numbers.size
        numbers = np.concatenate([numbers, self.powers(self.least, self.most, rest) * self.signs(rest)])
        self.random.shuffle(numbers)
        return numbers

    def probabilities(self, count: int) -> Array:
        """In (0, 1), near both ends too."""
        part = count // 4
        near_one = 1.0 - self.powers(2.0 ** -(self.bits - 1), 1.0, part)
        tiny = self.powers(self.least, 1.0, part), self.powers(2.0**-70, 1.0, part)
        numbers = np.concatenate([self.random.uniform(0.01, 0.99, count - 3 * part), near_one, *tiny])
        self.random.shuffle(numbers)
        return np.clip(numbers, self.least, 1.0 - 2.0**-self.bits)


OUTPUTS: dict[str, Callable[[Points, int], Array]] = {
    "any": Points.any,
    "logits": Points.any,
    "probabilities": Points.probabilities,
    "log_probabilities": lambda points, count: -np.abs(points.any(count)),
    "nonnegative": lambda points, count: np.abs(points.any(count)),
}


def real(points: Points, a: Array) -> Array:
    """Targets of both signs; a third of them near the output, where the difference cancels."""
    y = points.any(a.size).reshape(a.shape)
    near = points.random.random(a.shape) < 1 / 3
    return np.where(near, a * (1.0 + 1e-3 * points.random.normal(size=a.shape)), y)


def classes(points: Points, a: Array) -> Array:
    """Lists of classes, ended by -1."""
    y = np.full(a.shape, -1)
    for row in y:
        count = points.random.integers(0, len(row) + 1)
        row[:count] = points.random.permutation(len(row))[:count]
    return y


def distribution(points: Points, a: Array) -> Array:
    """Rows that sum to 1, some of them one-hot."""
    y = points.random.random(a.shape) * points.random.integers(0, 2, a.shape)
    y[:, 0] += 0.25
    return y / y.sum(axis=1, keepdims=True)


TARGETS: dict[str, Callable[[Points, Array], Array]] = {
    "real": real,
    "unit": lambda points, a: points.random.choice((0.0, 1.0, 0.25, 0.7), a.shape),
    "count": lambda points, a: points.random.choice((0.0, 1.0, 2.0, 3.0, 2.5, 1e6), a.shape),
    "sign": lambda points, a: points.signs(a.size).reshape(a.shape),
    "binary": lambda points, a: points.random.integers(0, 2, a.shape).astype(np.float64),
    "class": lambda points, a: points.random.integers(0, a.shape[1], len(a)),
    "classes": classes,
    "distribution": distribution,
    "log_distribution": lambda points, a: -points.powers(2.0**-20, 64.0, a.size).reshape(a.shape),
}


@dataclass(frozen=True)
class LossPoints:
    """Outputs a (N, O), and the case whose loss is taken there; only its targets, options and loss are used."""

    case: Case
    a: Array

    @property
    def size(self) -> Array:
        """1 + the largest |a| + |y| of each sample, (N, 1)."""
        y = np.abs(self.case.y) if self.case.y.ndim == 2 else np.zeros((len(self.a), 1))
        return 1.0 + np.abs(self.a.astype(np.float64)).max(axis=1, keepdims=True) + y.max(axis=1, keepdims=True)

    def said(self, n: int) -> str:
        """Sample n in words."""
        arrays = {name: array[n] if name == "var" else array for name, array in self.case.loss_arrays.items()}
        return f"a={self.a[n]} y={self.case.y[n]}" + (f" {arrays}" if arrays else "")


def preactivations(formula: Formula, dtype: str, count: int, seed: int) -> Array:
    """At most 2 count z over the whole range, normal numbers and 0, many of them around kinks and thresholds."""
    points = Points(dtype, seed)
    z = np.concatenate([allowance_points(formula, dtype, count, seed), points.any(count).astype(dtype)])
    z = np.unique(z[(np.abs(z) >= points.least) | (z == 0.0)])
    return np.sort(points.random.choice(z, min(z.size, 2 * count), replace=False))


def rows_and_upstream(dtype: str, count: int, seed: int) -> tuple[Array, Array]:
    """(count, 3) preactivations and error signals; some rows far from 0, some signals one-hot or all equal.

    The signals are small enough that their sum does not overflow, which no condition on a forward pass could tell.
    """
    points = Points(dtype, seed)
    z = points.any(3 * count).reshape(count, 3)
    kind = points.random.integers(0, 4, (count, 1))
    z = np.select(
        [kind == 0, kind == 1], [points.random.normal(0, 20, z.shape), points.random.uniform(-50, 50, z.shape)], z
    )
    z = np.where(points.random.random((count, 1)) < 0.2, z + 1e6, z)
    s = np.select(
        [kind == 0, kind == 2],
        [np.eye(3)[points.random.integers(0, 3, count)], np.ones(z.shape)],
        points.any(z.size).reshape(z.shape),
    )
    return z.astype(dtype), np.clip(s, -points.most / 8, points.most / 8).astype(dtype)


def loss_points(formula: Formula, dtype: str, count: int, seed: int) -> LossPoints:
    """A batch of `count` numbers for the loss: one output where it is elementwise and takes single numbers, else 3."""
    points, kind = Points(dtype, seed), target_kind(formula)
    rows = LOSSES[formula.name].per_sample or "distribution" in kind
    outputs = 3 if rows else 1
    name = next(
        name
        for name, entry in ACTIVATIONS.items()
        if accepts(formula, Formula.parse(name, ACTIVATIONS)) and (rows or not entry.rowwise)
    )
    batch = count // outputs
    short = "f64" if dtype == "float64" else "f32"
    case = build_case(NetworkSpec.parse(f"1-{outputs},{name},{formula.id},none,n{batch},{short},normal,s{seed}"))
    a = OUTPUTS[expected_output(formula)](points, batch * outputs).reshape(batch, outputs).astype(dtype)
    if rows and expected_output(formula) != "probabilities":
        close = points.random.random((batch, 1)) < 0.4
        a = np.where(close, np.clip(a, -40, 40), a)
    y = TARGETS[kind](points, a.astype(np.float64))
    y = y if kind in ("class", "classes") else y.astype(dtype)
    arrays = dict(case.loss_arrays)
    if "var" in arrays:
        spread = points.powers(2.0**-60, 2.0**60, a.size).reshape(a.shape)
        arrays["var"] = np.where(points.random.random(a.shape) < 0.5, arrays["var"], spread).astype(dtype)
    return LossPoints(replace(case, y=y, loss_arrays=arrays), a)
