"""The rounding bounds of what is built from BP0 to BP4: per-sample gradients, the total differential, steps of SGD.

All three follow the errors as `rounding.py` does, by the equations of `layer_bounds.py`; legend and sources: there. No
command asks for them: they are what the property tests hold scratch's own such functions to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backproof.cases import Case, Direction, Gradients
from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.divisors import divisor
from backproof.truth.layer_bounds import Parameters, bias_gradient, weight_gradient
from backproof.truth.loss_terms import Losses
from backproof.truth.objective_bounds import objective, penalty_gradient, unreduced
from backproof.truth.rounding import (
    SLACK,
    Layer,
    against_reference,
    error_signals,
    finished,
    forward,
    known,
    parameters_of,
)


def per_sample_bound(case: Case, *, dtype: str | None = None) -> Gradients:
    """How far rounding may move what each sample contributes to C and its gradients, from a float64 reference.

    Every array has a leading axis N, as in `autograd.per_sample`: loss (N,), weights (N, O, I), biases (N, O), inputs
    (N, I), deltas (N, O).  BP3: e_db = e_delta + u D.  BP4: e_dW_jk = (e_delta_j + gamma_2 D_j) A_k + (|delta_j| + 2
    e_delta_j) e_a_k. The penalty belongs to no sample.
    """
    arithmetic = Arithmetic.of(dtype or case.spec.dtype)
    with np.errstate(all="ignore"):
        layers = forward(case, parameters_of(case, arithmetic), arithmetic)
        losses, _ = unreduced(case, layers[-1].outputs, arithmetic)
        _, gradient = objective(case, layers[-1].outputs, arithmetic)
        deltas, upstreams = error_signals(layers, gradient, arithmetic)
        weights = [_outer(delta, layer.inputs, arithmetic) for layer, delta in zip(layers, deltas, strict=True)]
        biases = [
            None if bias is None else delta.error + arithmetic.unit * delta.magnitude
            for bias, delta in zip(case.biases, deltas, strict=True)
        ]
        errors = Gradients(
            _shares(case, losses, arithmetic),
            tuple(weights),
            tuple(biases),
            upstreams[0].error,
            tuple(delta.error for delta in deltas),
        )
        return finished(errors, against_reference(arithmetic), arithmetic)


def differential_bound(case: Case, direction: Direction, *, dtype: str | None = None) -> Array:
    """How far rounding may move dC along a direction, in forward mode, from a float64 reference; in the loss' shape.

    dz = da W^T + a dW^T + db:  e_dz = (e_da + gamma T) |W|^T + (e_a + gamma A) |dW|^T + gamma |db| + (2I + 2) eta, with
    T = |da| + e_da and gamma = gamma_{2I+2}.  da' = phi' dz as `pull_back`.  dC = <g, da>:  e = sum[e_g T + (|g| +
    2 e_g) e_da + gamma_{N O + 4} (|g| + e_g) T], and the penalty's gradient times the direction; under "none" entry by
    entry, with gamma_{O + 4}.
    """
    arithmetic = Arithmetic.of(dtype or case.spec.dtype)
    with np.errstate(all="ignore"):
        layers = forward(case, parameters_of(case, arithmetic), arithmetic)
        tangent = _exact(direction.inputs)
        for layer, dweight, dbias in zip(layers, direction.weights, direction.biases, strict=True):
            dz = _tangent_preactivation(layer, tangent, dweight, dbias, arithmetic)
            tangent = layer.jacobian.push_forward(dz)
        error = _change_of_loss(case, direction, layers[-1].outputs, tangent, arithmetic)
        return known(error, against_reference(arithmetic), arithmetic)


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """torch.optim.SGD's options."""

    lr: float
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    maximize: bool = False


def steps_bound(case: Case, steps: int, options: StepOptions) -> tuple[Parameters, ...]:
    """The parameters after `steps` steps of SGD on the whole batch, and how far two correct programs may differ.

    Both compute in the case's dtype, so the errors are doubled. A step's gradient is taken at uncertain parameters: e_W
    enters BP0 and BP2. With g the gradient, w the parameter, v the velocity, d the direction (Sutskever et al. 2013),
    k = |1 - dampening|, and capitals for magnitudes with their errors, G = |g| + e_g:

        e_g = e_dw + decay e_w + 3u (DW + decay W)
        e_v = momentum e_v + k e_g + 4u (momentum V + (k + |dampening|) G), also for g - dampening g
        e_d = e_g, e_v, or for nesterov e_g + momentum e_v + 3u (G + momentum V)
        e_w = e_w + lr e_d + 4u lr D + u W + eta
    """
    arithmetic = Arithmetic.of(case.spec.dtype)
    with np.errstate(all="ignore"):
        parameters = parameters_of(case, arithmetic)
        weights = [_exact(own.weight) for own in parameters]
        biases = [None if own.bias is None else _exact(own.bias) for own in parameters]
        velocities: dict[tuple[str, int], Rounded] = {}
        for _ in range(steps):
            for kind, index, slope in _gradients(case, parameters, arithmetic):
                own = weights[index] if kind == "weight" else biases[index]
                if own is None:
                    continue
                stepped, velocity = _step(own, slope, velocities.get((kind, index)), options, arithmetic)
                if velocity is not None:
                    velocities[kind, index] = velocity
                if kind == "weight":
                    weights[index] = stepped
                else:
                    biases[index] = stepped
            parameters = tuple(
                Parameters(w.value, None if b is None else b.value, w.error, None if b is None else b.error)
                for w, b in zip(weights, biases, strict=True)
            )
        return tuple(_doubled(own, arithmetic) for own in parameters)


def _doubled(own: Parameters, arithmetic: Arithmetic) -> Parameters:
    weight_error = np.zeros_like(own.weight) if own.weight_error is None else own.weight_error
    return replace(
        own,
        weight_error=known(weight_error, 2.0 * SLACK, arithmetic),
        bias_error=None if own.bias_error is None else known(own.bias_error, 2.0 * SLACK, arithmetic),
    )


def _exact(array: Array) -> Rounded:
    return Rounded(array.astype(np.float64), np.zeros(array.shape))


def _outer(delta: Rounded, inputs: Rounded, arithmetic: Arithmetic) -> Array:
    """BP4 for each sample: the error of delta_j a_k, (N, O, I)."""
    spread = delta.error + arithmetic.gamma(2) * delta.magnitude
    error: Array = spread[:, :, None] * inputs.magnitude[:, None, :]
    error += (delta.magnitude + delta.error)[:, :, None] * inputs.error[:, None, :]
    error += arithmetic.smallest * (error > 0.0)
    arithmetic.overflow_in_place(error, arithmetic.gamma(2))
    return error


def _shares(case: Case, losses: Losses, arithmetic: Arithmetic) -> Array:
    """The error of each sample's share of C: its losses times the upstream, or divided by the batch's divisor."""
    if case.spec.reduction == "none":
        scale = np.abs(np.asarray(case.upstream, dtype=np.float64))
    else:
        scale = np.broadcast_to(1.0 / divisor(case), losses.value.shape)
    entries = scale * (losses.error + arithmetic.gamma(losses.value[0].size + len(case.y) + 4) * losses.size)
    error: Array = entries.reshape(len(case.y), -1).sum(axis=1)
    error += arithmetic.smallest * (error > 0.0)
    return error


def _tangent_preactivation(
    layer: Layer, da: Rounded, dweight: Array, dbias: Array | None, arithmetic: Arithmetic
) -> Rounded:
    """Forward mode through BP0: dz = da W^T + a dW^T + db."""
    weight, tangent = layer.parameters.weight, dweight.astype(np.float64)
    gamma = arithmetic.gamma(2 * weight.shape[1] + 2)
    value = da.value @ weight.T + layer.inputs.value @ tangent.T
    error = (da.error + gamma * da.magnitude) @ np.abs(weight).T
    error += (layer.inputs.error + gamma * layer.inputs.magnitude) @ np.abs(tangent).T
    if dbias is not None:
        value += dbias
        error += gamma * np.abs(dbias)
    error += (error > 0.0) * (arithmetic.smallest * (2.0 * weight.shape[1] + 2.0))
    return Rounded(value, error)


def _change_of_loss(
    case: Case, direction: Direction, outputs: Rounded, tangent: Rounded, arithmetic: Arithmetic
) -> Array:
    """The error of dC = <g, da>, or of every unreduced loss' change."""
    if case.spec.reduction == "none":
        losses, g = unreduced(case, outputs, arithmetic)
        gamma = arithmetic.gamma(g.value.shape[1] + 4)
        entries = _product_error(g, tangent, gamma)
        entries += arithmetic.smallest * (entries > 0.0)
        per_sample: Array = entries if losses.value.ndim == 2 else entries.sum(axis=1)
        return per_sample
    _, g = objective(case, outputs, arithmetic)
    gamma = arithmetic.gamma(g.value.size + 4)
    entries = _product_error(g, tangent, gamma)
    total = entries.sum() + arithmetic.smallest * float((entries > 0.0).sum())
    change = float((np.abs(g.value) * tangent.magnitude).sum())
    penalised = _penalty_change(case, direction, arithmetic)
    if penalised is not None:
        total += penalised.error + 2.0 * arithmetic.unit * (change + penalised.value)
    return np.asarray(total)


def _product_error(g: Rounded, tangent: Rounded, gamma: float) -> Array:
    """e_g T + (|g| + 2 e_g) e_da + gamma (|g| + e_g) T, entry by entry."""
    error: Array = (g.error + gamma * g.magnitude) * tangent.magnitude
    error += (g.magnitude + g.error) * tangent.error
    return error


def _penalty_change(case: Case, direction: Direction, arithmetic: Arithmetic) -> Rounded | None:
    """sum |P| |dw| over the penalised parameters, P the penalty's gradient, and the error of sum P dw."""
    penalty = case.spec.penalty
    if penalty is None:
        return None
    n = penalty.divisor(case.spec.batch_size)
    size, count = 0.0, 0
    parameters = penalty.charged(case.weights, case.biases)
    for parameter, along in zip(parameters, penalty.charged(direction.weights, direction.biases), strict=True):
        slope = (penalty.l1 + penalty.l2 * np.abs(parameter.astype(np.float64))) / n
        size += float((slope * np.abs(along)).sum())
        count += parameter.size
    return Rounded(np.asarray(size), np.asarray(arithmetic.gamma(count + 8) * size))


def _gradients(
    case: Case, parameters: tuple[Parameters, ...], arithmetic: Arithmetic
) -> list[tuple[str, int, Rounded]]:
    """Every dC/dw and dC/db at uncertain parameters, with the penalty: (kind, layer - 1, value and error)."""
    layers = forward(case, parameters, arithmetic)
    _, gradient = objective(case, layers[-1].outputs, arithmetic)
    deltas, _ = error_signals(layers, gradient, arithmetic)
    found = []
    for index, (layer, delta) in enumerate(zip(layers, deltas, strict=True)):
        own = layer.parameters
        slope = Rounded(delta.value.T @ layer.inputs.value, weight_gradient(layer.inputs, delta, arithmetic))
        slope = _penalised(case, slope, own.weight, own.weight_error, arithmetic, is_bias=False)
        found.append(("weight", index, slope))
        if own.bias is not None:
            slope = Rounded(delta.value.sum(axis=0), bias_gradient(delta, arithmetic))
            slope = _penalised(case, slope, own.bias, own.bias_error, arithmetic, is_bias=True)
            found.append(("bias", index, slope))
    return found


def _penalised(
    case: Case,
    slope: Rounded,
    parameter: Array,
    parameter_error: Array | None,
    arithmetic: Arithmetic,
    *,
    is_bias: bool,
) -> Rounded:
    """The gradient plus the penalty's, at an uncertain w: l2 e_w, and l1 twice where the sign of w is in doubt."""
    added = penalty_gradient(case, parameter, arithmetic, is_bias=is_bias)
    penalty = case.spec.penalty
    if added is None or penalty is None:
        return slope
    n = penalty.divisor(case.spec.batch_size)
    own_error = np.zeros_like(parameter) if parameter_error is None else parameter_error
    moved = (penalty.l2 * own_error + 2.0 * penalty.l1 * arithmetic.meets_kink(parameter, own_error)) / n
    value = slope.value + added.value
    return Rounded(value, slope.error + added.error + moved + arithmetic.unit * np.abs(value))


def _step(
    own: Rounded, slope: Rounded, velocity: Rounded | None, options: StepOptions, arithmetic: Arithmetic
) -> tuple[Rounded, Rounded | None]:
    """One step of one parameter, and its new velocity (None without momentum): formulas in `steps_bound`."""
    u, sign = arithmetic.unit, -1.0 if options.maximize else 1.0
    decay, momentum, kept = options.weight_decay, options.momentum, 1.0 - options.dampening
    g = Rounded(
        sign * slope.value + decay * own.value,
        slope.error + decay * own.error + 3.0 * u * (slope.magnitude + decay * own.magnitude),
    )
    direction = g
    if momentum:
        if velocity is None:
            velocity = g
        else:
            taken = abs(kept) + abs(options.dampening)
            rounding = 4.0 * u * (momentum * velocity.magnitude + taken * g.magnitude)
            velocity = Rounded(
                momentum * velocity.value + kept * g.value,
                momentum * velocity.error + abs(kept) * g.error + rounding,
            )
        direction = velocity
        if options.nesterov:
            rounding = 3.0 * u * (g.magnitude + momentum * velocity.magnitude)
            direction = Rounded(g.value + momentum * velocity.value, g.error + momentum * velocity.error + rounding)
    error = own.error + options.lr * (direction.error + 3.0 * u * direction.magnitude)
    error += u * (own.magnitude + options.lr * direction.magnitude) + arithmetic.smallest
    arithmetic.overflow_in_place(error, u)
    return Rounded(own.value - options.lr * direction.value, error), velocity
