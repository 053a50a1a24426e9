"""The judge's own evaluation in float64: values of every quantity, by the forward and backward pass of the bound.

It errs by no more than the float64 bound against the truth, as any correct program does: with that bound about it, it
is an enclosure of the truth, wider than one of exact arithmetic and a hundred times as cheap.
"""

from __future__ import annotations

import numpy as np

from backproof.cases import Case, Gradients
from backproof.truth.arithmetic import Arithmetic, Array
from backproof.truth.objective_bounds import penalty_gradient
from backproof.truth.rounding import both_ways


def evaluate(case: Case) -> Gradients:
    """Loss and gradients of a case, float64, in the shapes of the reference."""
    arithmetic = Arithmetic.of("float64")
    found = both_ways(case, arithmetic)
    with np.errstate(all="ignore"):
        weights = tuple(
            _penalised(delta.value.T @ layer.inputs.value, case, weight, arithmetic, is_bias=False)
            for delta, layer, weight in zip(found.deltas, found.layers, case.weights, strict=True)
        )
        biases = tuple(
            None if bias is None else _penalised(delta.value.sum(axis=0), case, bias, arithmetic, is_bias=True)
            for delta, bias in zip(found.deltas, case.biases, strict=True)
        )
    return Gradients(
        found.loss.value, weights, biases, found.inputs.value, tuple(delta.value for delta in found.deltas)
    )


def _penalised(gradient: Array, case: Case, parameter: Array, arithmetic: Arithmetic, *, is_bias: bool) -> Array:
    penalty = penalty_gradient(case, parameter, arithmetic, is_bias=is_bias)
    return gradient if penalty is None else np.asarray(gradient + penalty.value)
