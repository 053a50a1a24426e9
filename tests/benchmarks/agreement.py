"""Right before fast: every contender, PyTorch among them, is held to scratch in float64 by the project's own bound.

There is no tolerance: the bound says entry by entry how far rounding alone can move a correct answer in the problem's
dtype. Where it is wider than all of a quantity, as for float32 in wide networks, it decides nothing there; those
quantities are told, and the same code is held to the float64 bound, which is small everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backproof.judging.doubts import decides
from backproof.truth.derived_bounds import differential_bound, per_sample_bound
from backproof.truth.rounding import bound
from benchmarks.contenders.by_hand import network_of
from benchmarks.contenders.contender import Found, Task
from benchmarks.problems import Array, Problem


class WrongContenderError(AssertionError):
    """A contender's numbers are further off than rounding explains: its time would say nothing."""


@dataclass(frozen=True, eq=False)
class Judge:
    """What is right on one problem, and how far rounding may move each entry from it."""

    problem: Problem
    right: Found
    allowed: Found

    @property
    def undecided(self) -> list[str]:
        """The quantities whose bound is wider than everything in them: there it says nothing."""
        return [
            name
            for (name, right), (_, allowed) in zip(_quantities(self.right), _quantities(self.allowed), strict=True)
            if not decides(float(allowed.max()), float(np.abs(right).max()))
        ]

    def hold(self, name: str, found: Found) -> None:
        """Raises WrongContenderError where `found` is further off than the bound, of another shape, or another dtype.

        What a contender does not compute is not asked for.
        """
        right, allowed = dict(_quantities(self.right)), dict(_quantities(self.allowed))
        given = dict(_quantities(found))
        if not given or given.keys() - right.keys():
            raise WrongContenderError(f"{name} on {self.problem.id}: got {list(given) or 'nothing'}")
        for quantity, array in given.items():
            where = f"{name} on {self.problem.id}, {quantity}"
            if array.shape != right[quantity].shape:
                raise WrongContenderError(f"{where}: got shape {array.shape}, wanted {right[quantity].shape}")
            # A loss alone may come in float64, as scikit-learn's does: it is one number beside many.
            if array.dtype != self.problem.dtype and quantity != "loss":
                raise WrongContenderError(f"{where}: got {array.dtype}, wanted {self.problem.dtype}")
            self._hold_numbers(where, array, right[quantity], allowed[quantity])

    @staticmethod
    def _hold_numbers(where: str, got: Array, wanted: Array, allowed: Array) -> None:
        beyond = np.atleast_1d(~(np.abs(got.astype(np.float64) - wanted) <= allowed))
        if beyond.any():
            at = tuple(int(index[0]) for index in np.nonzero(beyond))
            numbers = [float(np.atleast_1d(array)[at]) for array in (got, wanted, allowed)]
            raise WrongContenderError(
                "{} at {}: got {!r}, wanted {!r}; rounding explains {:.2g}".format(where, list(at), *numbers)
            )


def judge_of(task: Task, problem: Problem) -> Judge:
    """Scratch's float64 answer to a problem, with the bound for the problem's dtype."""
    case, wide = problem.case, problem.in_float64
    network = network_of(wide)
    if task == "jvp":
        along = problem.direction
        change = network.differential(
            wide.x,
            wide.y,
            [weight.astype(np.float64) for weight in along.weights],
            [None if bias is None else bias.astype(np.float64) for bias in along.biases],
            along.inputs.astype(np.float64),
        )
        return Judge(problem, Found(loss=change), Found(loss=np.asarray(differential_bound(case, along))))
    if task == "per sample":
        return Judge(problem, _found(network.per_sample_gradients(wide.x, wide.y)), _found(per_sample_bound(case)))
    return Judge(problem, _found(network.gradients(wide.x, wide.y, by_inputs=False)), _found(bound(case)))


class _Derivatives(Protocol):
    """What scratch's answers and the bounds have in common."""

    @property
    def loss(self) -> Array: ...
    @property
    def weights(self) -> tuple[Array, ...]: ...
    @property
    def biases(self) -> tuple[Array | None, ...]: ...


def _found(derivatives: _Derivatives) -> Found:
    biases = [bias for bias in derivatives.biases if bias is not None]
    return Found(derivatives.loss, derivatives.weights, biases)


def _quantities(found: Found) -> Iterator[tuple[str, Array]]:
    if found.loss is not None:
        yield "loss", np.asarray(found.loss)
    for name, arrays in (("dW", found.weights), ("db", found.biases)):
        for layer, array in enumerate(arrays or (), 1):
            yield f"{name} of layer {layer}", array
