"""The propagated bound: the chained bound with the signs of the weights kept, for networks that are deep or wide.

The chained bound multiplies |W| by |W|, layer after layer, and such products grow where the true errors, which the
signed products carry, do not. Here every rounding is a source of its own and reaches a later quantity through the
signed Jacobian between the two, of which the absolute value is taken once, at the end:

    forward    da^l = phi'(z^l) dz^l + rho^l,   dz^{l+1} = W da^l + eps^{l+1}
               |dz^l| <= sum_{k<=l} |J_{l,k}| eps'^k,   J_{l,k} = dz^l/dz^k,   eps' = eps + |W| rho of the layer before
    backward   ddelta^l = phi' (ddelta^{l+1} W) + sigma^l,   sigma^l = |phi'| r + (|s| + 3 e_s) e_phi' + a rounding
               |ddelta^l| <= sum_{k>=l} |B_{l,k}| sigma^k,   B_{l,k} = ddelta^l/ddelta^k

eps is one layer's rounding; rho, what is left of phi after its linear part, is bounded by the suprema within reach, so
that nothing is neglected and the bound is as sound as the chained one. r is the rounding of ddelta W. Where phi has no
linear part worth following (a row-wise activation, or an error as large as phi's whole range), all of it is in rho.
It costs a product of matrices per pair of layers and per sample, so it is asked for only where the chained bound
decides nothing.
"""

from __future__ import annotations

import numpy as np

from backproof.cases import Case, Formula, Gradients
from backproof.truth.arithmetic import Arithmetic, Array, Forms, Kinks, Rounded
from backproof.truth.curves import CURVES
from backproof.truth.jacobians import Diagonal
from backproof.truth.layer_bounds import activation, preactivation, upstream
from backproof.truth.objective_bounds import objective
from backproof.truth.rounding import (
    SLACK,
    Against,
    Layer,
    against_reference,
    arithmetic_for,
    finished,
    parameter_errors,
    parameters_of,
)

Route = Array | None
"""A Jacobian from a source to where its errors are gathered, (N, O, O of the source); None for the source itself."""


def propagated_bound(
    case: Case,
    *,
    forms: Forms = "accurate",
    kinks: Kinks = "sharp",
    against: Against = "reference",
    dtype: str | None = None,
) -> Gradients:
    """Per entry, the largest difference that rounding alone can explain: `rounding.bound`, tighter and dearer."""
    arithmetic = arithmetic_for(case, dtype, forms=forms, kinks=kinks)
    with np.errstate(all="ignore"):
        layers = forward(case, arithmetic)
        loss, gradient = objective(case, layers[-1].outputs, arithmetic)
        deltas = error_signals(layers, gradient, arithmetic)
        inputs = upstream(deltas[0], layers[0].parameters, arithmetic)
        weights, biases = parameter_errors(case, layers, deltas, arithmetic)
        errors = Gradients(loss.error, weights, biases, inputs.error, tuple(delta.error for delta in deltas))
        return finished(errors, SLACK if against == "truth" else against_reference(arithmetic), arithmetic)


def forward(case: Case, arithmetic: Arithmetic) -> list[Layer]:
    """BP0 through all layers, every error propagated with its signs."""
    layers: list[Layer] = []
    routes: list[Route] = []  # J_{l,k} for every source k so far
    sources: list[Array] = []
    x = case.x.astype(np.float64)
    left = arithmetic.flushed(x)
    inputs = Rounded(x, left)
    slope: Array | None = None
    for own, formula in zip(parameters_of(case, arithmetic), case.spec.activations, strict=True):
        fresh = preactivation(inputs, own, arithmetic, own=left)
        if slope is not None:
            step = own.weight[None, :, :] * slope[:, None, :]
            routes = [_followed(step, route) for route in routes]
        routes.append(None)
        sources.append(fresh.error)
        z = Rounded(fresh.value, _gathered(routes, sources))
        outputs, jacobian = activation(z, formula, arithmetic)
        layers.append(Layer(own, inputs, z, outputs, jacobian))
        slope, left = _linear_part(layers[-1], formula)
        inputs = outputs
    return layers


def error_signals(layers: list[Layer], gradient: Rounded, arithmetic: Arithmetic) -> list[Rounded]:
    """BP1 and BP2, every error propagated with its signs: the deltas of layers 1..L."""
    delta = layers[-1].jacobian.pull_back(gradient)
    routes: list[Route] = [None]
    sources, deltas = [delta.error], [delta]
    for layer, above in zip(reversed(layers[:-1]), reversed(layers[1:]), strict=True):
        s = upstream(delta, above.parameters, arithmetic)
        if isinstance(layer.jacobian, Diagonal):
            # What e_s brings from above travels along the routes; here it counts only where it meets e_phi' or u.
            fresh = upstream(delta, above.parameters, arithmetic, own=np.zeros_like(delta.value))
            phi_prime = layer.jacobian.slope
            source = layer.jacobian.pull_back(fresh).error
            inherited = s.error - fresh.error
            source += inherited * (3.0 * phi_prime.error + arithmetic.unit * np.abs(phi_prime.value))
            step = phi_prime.value[:, :, None] * above.parameters.weight.T[None, :, :]
            routes = [_followed(step, route) for route in routes]
            value = s.value * phi_prime.value
        else:
            whole = layer.jacobian.pull_back(s)
            value, source = whole.value, whole.error
            routes = [np.zeros((*value.shape, known.shape[1])) for known in sources]
        routes.append(None)
        sources.append(source)
        delta = Rounded(value, _gathered(routes, sources))
        deltas.append(delta)
    return deltas[::-1]


def _linear_part(layer: Layer, formula: Formula) -> tuple[Array, Array]:
    """phi' along which dz is followed, and rho: what |da| may have beyond it.

    e_a = |phi'| e_z + rho, unless it was cut at the range of phi; then, and for a row-wise activation, nothing is
    followed and rho is all of e_a.
    """
    z, outputs = layer.z, layer.outputs
    if not isinstance(layer.jacobian, Diagonal):
        return np.zeros_like(z.value), outputs.error
    slope = layer.jacobian.slope.value
    least, most = CURVES[formula.name].value_range(formula.options)
    whole = ~(outputs.error >= most - least)
    return np.where(whole, slope, 0.0), np.where(whole, outputs.error - np.abs(slope) * z.error, outputs.error)


def _followed(step: Array, route: Route) -> Array:
    """The Jacobian one layer further."""
    return step if route is None else step @ route


def _gathered(routes: list[Route], sources: list[Array]) -> Array:
    """sum_k |route_k| source_k, (N, O)."""
    total = sum(
        source if route is None else (np.abs(route) @ source[:, :, None])[:, :, 0]
        for route, source in zip(routes, sources, strict=True)
    )
    return np.asarray(total)
