"""The chained bound: how far rounding alone may move each number that backpropagation computes.

The error is followed through the forward pass and back, equation by equation; each equation is one short function of
`layer_bounds.py`, and e_g of g = dC/da^L comes from `objective_bounds.py`.

It is an a priori componentwise bound: it depends on the case alone, never on what a candidate computed, and it holds
for any order of summation, fused multiply-add, blocking, loops over samples, accumulation in higher precision and
flush-to-zero. It does not hold for products in reduced precision (TF32, bfloat16) or for Strassen-like products.

First-order terms come from the equations, second-order terms from taking every magnitude at |v| + e and every slope's
supremum within SEARCH times the error. In a product v w the term e_v e_w counts three times: once since the candidate's
v and w are both off, and once each since the v and the w that stand here are themselves off the true ones. Products of
|W| grow with depth where true errors do not, so on deep or wide networks the bound is sound and says little; the
comparison then answers `undecided`. Sources: Higham 2002, chapters 3 and 5; the allowances of each activation stand in
`allowances.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from backproof.cases import Case, Gradients
from backproof.truth.arithmetic import Arithmetic, Array, Forms, Kinks, Rounded, highest, lowest
from backproof.truth.layer_bounds import (
    Jacobian,
    Parameters,
    activation,
    bias_gradient,
    given,
    in_sums,
    preactivation,
    upstream,
    weight_gradient,
)
from backproof.truth.objective_bounds import objective, with_penalty

Against = Literal["reference", "truth"]

SLACK = 1.0 + 2.0**-20
"""The bound is itself computed in float64, on values that are; a relative 2^-20 is a billion times what that costs, and
also covers the float64 reference's own error where the candidate computes in float32 (2^-29 of the candidate's)."""


def bound(
    case: Case,
    *,
    forms: Forms = "accurate",
    kinks: Kinks = "sharp",
    against: Against = "reference",
    dtype: str | None = None,
) -> Gradients:
    """Per entry, the largest difference that rounding alone can explain, as float64 arrays (infinite: any difference).

    against "truth": between a correct implementation in `dtype` (the case's, unless given) and the true value of the
    case's numbers. against "reference": between it and a float64 reference. A float64 candidate and its reference
    each err by the bound, so it is doubled; a float32 candidate's own error is 2^29 times the reference's, which
    SLACK covers.
    """
    arithmetic = arithmetic_for(case, dtype, forms=forms, kinks=kinks)
    if kinks == "any":
        sharp = replace(arithmetic, kinks="sharp")
        arithmetic = arithmetic if may_tie(case, both_ways(case, sharp).layers) else sharp
    errors = both_ways(case, arithmetic).errors
    with np.errstate(all="ignore"):
        return finished(errors, SLACK if against == "truth" else against_reference(arithmetic), arithmetic)


def arithmetic_for(case: Case, dtype: str | None, *, forms: Forms, kinks: Kinks) -> Arithmetic:
    """The arithmetic in `dtype`, the case's unless given, as far as it can be told from the case's own numbers.

    A float32 program that is given float64 numbers rounds each of them once, before anything else. At most three of
    them meet in one operation (x, W and y in x W - y), which has a rounding itself: three times the unit roundoff. A
    gradient that is a copy of y has the rounding of y.
    """
    arithmetic = Arithmetic.of(dtype or case.spec.dtype, forms=forms, kinks=kinks)
    narrowed = arithmetic.dtype == "float32" and case.spec.dtype == "float64"
    return replace(arithmetic, unit=3.0 * arithmetic.unit, narrows=True) if narrowed else arithmetic


def against_reference(arithmetic: Arithmetic) -> float:
    """What turns an error into a distance from a float64 reference: 2 for a float64 candidate, 1 for float32."""
    return (2.0 if arithmetic.dtype == "float64" else 1.0) * SLACK


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the forward pass with its errors: inputs (N, I), z and outputs (N, O)."""

    parameters: Parameters
    inputs: Rounded
    z: Rounded
    outputs: Rounded
    jacobian: Jacobian


@dataclass(frozen=True, slots=True)
class Passes:
    """What the forward and the backward pass leave: layers and deltas in layer order, and every error.

    upstreams: dC/da of every layer's outputs, from dC/da^0, which is dC/dx, to dC/da^L.
    """

    layers: list[Layer]
    loss: Rounded
    deltas: list[Rounded]
    upstreams: list[Rounded]
    errors: Gradients

    @property
    def inputs(self) -> Rounded:
        """dC/dx."""
        return self.upstreams[0]


@lru_cache(maxsize=8)
def both_ways(case: Case, arithmetic: Arithmetic) -> Passes:
    """Forward and back with every error; remembered for the last few, since several questions are asked of one case."""
    with np.errstate(all="ignore"):
        layers = forward(case, parameters_of(case, arithmetic), arithmetic)
        loss, gradient = objective(case, layers[-1].outputs, arithmetic)
        deltas, upstreams = error_signals(layers, gradient, arithmetic)
        weights, biases = parameter_errors(case, layers, deltas, arithmetic)
    errors = Gradients(loss.error, weights, biases, upstreams[0].error, tuple(delta.error for delta in deltas))
    return Passes(layers, loss, deltas, upstreams, errors)


def may_tie(case: Case, layers: list[Layer]) -> bool:
    """Whether some kink may be hit exactly: only there does it matter which subgradients are admitted.

    What is compared with a kink is z, the outputs in the loss, and under an l1 penalty a parameter. A z or an output is
    exact only where its error is 0.
    """
    charged = case.spec.penalty is not None and case.spec.penalty.l1 != 0.0
    compared = [layers[-1].outputs, *(layer.z for layer in layers)]
    return charged or any(not lowest(number.error) > 0.0 for number in compared)


def parameters_of(case: Case, arithmetic: Arithmetic) -> tuple[Parameters, ...]:
    """The case's weights and biases, exact but for those that flush-to-zero may flush."""
    biases = [None if bias is None else np.asarray(bias, np.float64) for bias in case.biases]
    return tuple(
        Parameters.given(np.asarray(weight, np.float64), bias, arithmetic)
        for weight, bias in zip(case.weights, biases, strict=True)
    )


def forward(case: Case, parameters: tuple[Parameters, ...], arithmetic: Arithmetic) -> list[Layer]:
    """BP0 through all layers. An x that flush-to-zero may flush has the error eta."""
    layers: list[Layer] = []
    outputs = given(np.asarray(case.x, np.float64), arithmetic)
    for own, formula in zip(parameters, case.spec.activations, strict=True):
        inputs, z = outputs, preactivation(outputs, own, arithmetic)
        outputs, jacobian = activation(z, formula, arithmetic)
        layers.append(Layer(own, inputs, z, outputs, jacobian))
    return layers


def error_signals(
    layers: list[Layer], gradient: Rounded, arithmetic: Arithmetic
) -> tuple[list[Rounded], list[Rounded]]:
    """BP1 and BP2: the deltas of layers 1..L, and dC/da of layers 0..L, from the last, g = dC/da^L."""
    deltas: list[Rounded] = []
    upstreams = [gradient]
    for layer in reversed(layers):
        deltas.append(layer.jacobian.pull_back(upstreams[-1]))
        upstreams.append(upstream(deltas[-1], layer.parameters, arithmetic))
    return deltas[::-1], upstreams[::-1]


def parameter_errors(
    case: Case, layers: list[Layer], deltas: list[Rounded], arithmetic: Arithmetic
) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
    """BP3 and BP4 through all layers, with the penalty: the errors of every dW and db."""
    weights: list[Array] = []
    biases: list[Array | None] = []
    for layer, delta, weight, bias in zip(layers, deltas, case.weights, case.biases, strict=True):
        summed = in_sums(delta, arithmetic, added=0 if case.spec.penalty is None else 1)
        error = weight_gradient(layer.inputs, delta, arithmetic, summed=summed)
        weights.append(with_penalty(error, case, weight, arithmetic, is_bias=False))
        if bias is None:
            biases.append(None)
        else:
            penalised = case.spec.penalty is not None and case.spec.penalty.on_biases
            error = bias_gradient(delta, arithmetic, alone=not penalised, summed=summed)
            biases.append(with_penalty(error, case, bias, arithmetic, is_bias=True))
    return tuple(weights), tuple(biases)


def finished(errors: Gradients, factor: float, arithmetic: Arithmetic) -> Gradients:
    """Every error times the factor, infinite where nothing is known: see `known`, which is asked once for them all."""
    arrays = [errors.loss, *errors.weights, *errors.biases, errors.inputs, *(errors.deltas or ())]
    flat = known(np.concatenate([array.ravel() for array in arrays if array is not None]), factor, arithmetic)
    start = 0

    def cut(array: Array) -> Array:
        nonlocal start
        start += array.size
        return flat[start - array.size : start].reshape(array.shape)

    return Gradients(
        cut(errors.loss),
        tuple(map(cut, errors.weights)),
        tuple(None if bias is None else cut(bias) for bias in errors.biases),
        None if errors.inputs is None else cut(errors.inputs),
        None if errors.deltas is None else tuple(map(cut, errors.deltas)),
    )


def known(error: Array, factor: float, arithmetic: Arithmetic) -> Array:
    """error * factor, infinite where it is not a number, and where the sum that it belongs to may overflow.

    error > u times the sum of the magnitudes: beyond u times the largest number, some order of that sum may overflow.
    """
    limit = arithmetic.unit * arithmetic.largest
    if highest(error) <= limit:
        return np.asarray(error * factor)
    return np.where(error <= limit, error * factor, np.inf)
