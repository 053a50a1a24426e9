"""The reference: PyTorch's own losses and activations, differentiated by PyTorch's own autograd.

No derivative is written down here. Where torch lacks a textbook form (`half_squared_error`, `linear`, `batchmean` and
`categorical_cross_entropy`) its value is composed from torch operations, and autograd differentiates that.

Index legend: `N` batch, `I` inputs and `O` outputs of a layer, `z = a W^T + b`, `a = phi(z)`, `delta = dC/dz`.

Every entry point computes on one thread, so that a result does not depend on the number of cores, and switches
gradients on even where the caller has switched them off; both settings are put back afterwards. Arrays go in as copies
and come out as fresh ones, so nothing that torch does can reach a case. This is the only module that imports torch.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backproof.cases.case import Array, Case
from backproof.cases.direction import Direction
from backproof.cases.formula import Formula
from backproof.cases.gradients import Gradients
from backproof.cases.spec import NetworkSpec, Penalty
from backproof.truth.divisors import divisor

_FLOAT64: np.dtype[Any] = np.dtype(np.float64)
_Tensors = Sequence[Tensor]
_Biases = Sequence[Tensor | None]


def reference(case: Case) -> Gradients:
    """dC/dW, dC/db, dC/dx and every delta = dC/dz of `case`, by autograd, in float64 on the case's numbers.

    `loss` is C, or under reduction "none" the unreduced losses, with C = <upstream, losses>. All arrays are float64:
    weights (O, I), biases (O,) or None, inputs (N, I), deltas (N, O).
    """
    return _differentiate(case, _FLOAT64)


def gradients(case: Case) -> Gradients:
    """The same as `reference`, in the case's own dtype: PyTorch as one more implementation under test."""
    return _differentiate(case, case.x.dtype)


def losses(case: Case) -> Array:
    """The unreduced losses in float64: (N, O) for elementwise losses, (N,) for per-sample ones. No penalty."""
    with _own_settings():
        _, output = _forward(case.spec, _variables(case, _FLOAT64))
        return _array(_objective(case, _FLOAT64).unreduced(output))


def per_sample(case: Case) -> Gradients:
    """What each sample contributes to C and to every gradient, by torch.func's vmap over grad, in float64.

    Sample n's share of C is the sum of its losses over the divisor of the whole batch, or <upstream_n, losses_n> under
    reduction "none". The shares add up to C without its penalty, which belongs to no sample. Every array has a leading
    axis N: loss (N,), weights (N, O, I), biases (N, O) or None, inputs (N, I), deltas (N, O).
    """
    spec, by = case.spec, divisor(case)

    def share(weights: _Tensors, biases: _Biases, offsets: _Tensors, x: Tensor, row: dict[str, Tensor]) -> Tensor:
        _, output = _forward(spec, _Variables(weights, biases, x), offsets)
        own = objective.of_sample(row)
        return own.value(output)[1] if spec.reduction == "none" else own.summed(output) / by

    def differentiated(x: Tensor, row: dict[str, Tensor]) -> list[Tensor]:
        by_all = torch.func.grad_and_value(share, argnums=(0, 1, 2, 3))
        found, value = by_all(variables.weights, variables.biases, offsets, x[None], row)
        return [value, found[3][0], *found[0], *found[1], *[delta[0] for delta in found[2]]]

    with _own_settings():
        variables, objective = _variables(case, _FLOAT64).filled(), _objective(case, _FLOAT64)
        offsets = [variables.x.new_zeros(1, width) for width in spec.widths[1:]]
        x, rows = variables.x, objective.rows()
        if spec.loss.name in _WITHOUT_BATCHING_RULE:
            each = [differentiated(x[n], {name: part[n] for name, part in rows.items()}) for n in range(len(x))]
            stacked = [torch.stack(parts) for parts in zip(*each, strict=True)]
        else:
            stacked = torch.func.vmap(differentiated)(x, rows)
    loss, inputs, *layers = map(_array, stacked)
    depth = spec.depth
    return Gradients(
        loss=loss,
        weights=tuple(layers[:depth]),
        biases=tuple([None if bias is None else layers[depth + at] for at, bias in enumerate(case.biases)]),
        inputs=inputs,
        deltas=tuple(layers[2 * depth :]),
    )


def jvp(case: Case, direction: Direction) -> Array:
    """The change of `loss` along `direction`, by torch.func.jvp in float64: a scalar, or under "none" one per loss."""

    def loss(weights: _Tensors, biases: _Biases, x: Tensor) -> Tensor:
        return _cost(case.spec, _Variables(weights, biases, x), objective)[1]

    with _own_settings(), warnings.catch_warnings():
        # The first forward-mode call of a process compiles torch's own formulas with torch.jit.script.
        warnings.filterwarnings("ignore", message="`torch.jit.script", category=DeprecationWarning)
        here, objective = _variables(case, _FLOAT64).filled(), _objective(case, _FLOAT64)
        if case.spec.loss.name in _WITHOUT_FORWARD_MODE:
            objective = objective.linearised(_forward(case.spec, here)[1])
        along = _Variables(
            [_tensor(weight, _FLOAT64) for weight in direction.weights],
            [None if bias is None else _tensor(bias, _FLOAT64) for bias in direction.biases],
            _tensor(direction.inputs, _FLOAT64),
        ).filled()
        _, change, *_ = torch.func.jvp(loss, tuple(here), tuple(along))
        return _array(change)


def sgd_steps(case: Case, steps: int, **options: Any) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
    """Weights and biases after `steps` steps of torch.optim.SGD(**options) on the whole batch, in the case's dtype."""
    dtype = case.x.dtype
    with _own_settings():
        variables, objective = _variables(case, dtype), _objective(case, dtype)
        optimizer = torch.optim.SGD([tensor.requires_grad_() for tensor in variables.parameters()], **options)
        for _ in range(steps):
            optimizer.zero_grad()
            _, _, scalar = _cost(case.spec, variables, objective)
            scalar.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
            optimizer.step()
        return (
            tuple(map(_array, variables.weights)),
            tuple(None if bias is None else _array(bias) for bias in variables.biases),
        )


@contextmanager
def _own_settings() -> Iterator[None]:
    """One thread and gradients on; afterwards whatever the caller had."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def _differentiate(case: Case, dtype: np.dtype[Any]) -> Gradients:
    """One graph and one torch.autograd.grad for all quantities."""
    with _own_settings():
        variables = _variables(case, dtype)
        leaves = [*variables.parameters(), variables.x]
        for leaf in leaves:
            leaf.requires_grad_()
        preactivations, loss, scalar = _cost(case.spec, variables, _objective(case, dtype))
        found = torch.autograd.grad(scalar, [*leaves, *preactivations])
    arrays = iter([tensor.numpy() for tensor in found])
    return Gradients(
        loss=_array(loss),
        weights=tuple([next(arrays) for _ in case.weights]),
        biases=tuple([None if bias is None else next(arrays) for bias in case.biases]),
        inputs=next(arrays),
        deltas=tuple(arrays),
    )


class _Variables(NamedTuple):
    """What C is differentiated by: weights (O, I), biases (O,) or None, x (N, I)."""

    weights: _Tensors
    biases: _Biases
    x: Tensor

    def parameters(self) -> list[Tensor]:
        return [*self.weights, *[bias for bias in self.biases if bias is not None]]

    def filled(self) -> "_Variables":
        """With zeros for absent biases: torch.func takes tensors only."""
        pairs = zip(self.weights, self.biases, strict=True)
        return self._replace(biases=[w.new_zeros(len(w)) if b is None else b for w, b in pairs])


def _variables(case: Case, dtype: np.dtype[Any]) -> _Variables:
    return _Variables(
        [_tensor(weight, dtype) for weight in case.weights],
        [None if bias is None else _tensor(bias, dtype) for bias in case.biases],
        _tensor(case.x, dtype),
    )


@dataclass(frozen=True)
class _Objective:
    """From the network's output a (N, O) to C without its penalty."""

    loss: Callable[..., Tensor]
    reduction: str
    y: Tensor
    options: dict[str, Any]
    upstream: Tensor | None

    def unreduced(self, output: Tensor) -> Tensor:
        return self.loss(output, self.y, reduction="none", **self.options)

    def summed(self, output: Tensor) -> Tensor:
        return self.loss(output, self.y, reduction="sum", **self.options)

    def value(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """The loss as it is reported, and the scalar that is differentiated."""
        if self.upstream is not None:
            losses = self.unreduced(output)
            return losses, (self.upstream * losses).sum()
        if self.reduction == "batchmean":
            loss = self.summed(output) / len(self.y)
        else:
            loss = self.loss(output, self.y, reduction=self.reduction, **self.options)
        return loss, loss

    def rows(self) -> dict[str, Tensor]:
        """What belongs to the samples, each with N as its first axis."""
        own = {"y": self.y, "upstream": self.upstream, "var": self.options.get("var")}
        return {name: tensor for name, tensor in own.items() if tensor is not None}

    def of_sample(self, row: dict[str, Tensor]) -> "_Objective":
        """The same for a batch of one sample, from its part of `rows()`."""
        options = self.options | ({"var": row["var"][None]} if "var" in row else {})
        upstream = row["upstream"][None] if "upstream" in row else None
        return replace(self, y=row["y"][None], options=options, upstream=upstream)

    def linearised(self, output: Tensor) -> "_Objective":
        """The same to first order at `output`: <slope, a> per sample, for losses that reduce over O themselves."""
        at = output.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.summed(at), at)
        return replace(self, loss=_linear, y=slope, options={})


def _objective(case: Case, dtype: np.dtype[Any]) -> _Objective:
    upstream = None if case.upstream is None else _tensor(case.upstream, dtype)
    options = {
        name: _tensor(value, dtype) if isinstance(value, np.ndarray) else value
        for name, value in case.loss_options.items()
    }
    return _Objective(_LOSSES[case.spec.loss.name], case.spec.reduction, _tensor(case.y, dtype), options, upstream)


def _forward(
    spec: NetworkSpec, variables: _Variables, offsets: Sequence[Tensor] | None = None
) -> tuple[list[Tensor], Tensor]:
    """BP0: every z (N, O), and the output a. The gradient by an offset of zero, added to a z, is that layer's delta."""
    preactivations = []
    a = variables.x
    for layer, weight in enumerate(variables.weights):
        z = F.linear(a, weight, variables.biases[layer])
        if offsets is not None:
            z = z + offsets[layer]
        preactivations.append(z)
        a = _activation(spec.activations[layer])(z)
    return preactivations, a


def _cost(spec: NetworkSpec, variables: _Variables, objective: _Objective) -> tuple[list[Tensor], Tensor, Tensor]:
    """Every z, the loss as it is reported, and the scalar C that is differentiated; both with the penalty, if any."""
    preactivations, output = _forward(spec, variables)
    loss, scalar = objective.value(output)
    if spec.penalty is not None:  # never under reduction "none", which a spec with a penalty refuses
        loss = scalar = scalar + _penalty(spec.penalty, variables)
    return preactivations, loss, scalar


def _penalty(penalty: Penalty, variables: _Variables) -> Tensor:
    """l1 sum|w| + 1/2 l2 sum w^2, over the weights or all parameters, as it stands or divided by N."""
    charged = penalty.charged(variables.weights, variables.biases)
    total = torch.stack(
        [penalty.l1 * tensor.abs().sum() + penalty.l2 / 2 * tensor.square().sum() for tensor in charged]
    ).sum()
    return total / penalty.divisor(len(variables.x))


def _tensor(array: Array, dtype: np.dtype[Any]) -> Tensor:
    """A copy: a case's arrays are read-only, which torch does not know. Class indices keep their integers."""
    return torch.from_numpy(array.astype(dtype) if array.dtype.kind == "f" else array.copy())


def _array(tensor: Tensor) -> Array:
    return tensor.detach().numpy()


# Losses that torch 2.13 cannot put under vmap (gaussian_nll looks at its data) or puts there as a loop, with a warning.
_WITHOUT_BATCHING_RULE = frozenset({"gaussian_nll", "soft_margin", "multi_margin", "multilabel_margin"})

# Losses for which torch 2.13 has no forward-mode formula; both reduce over O within a sample.
_WITHOUT_FORWARD_MODE = frozenset({"multi_margin", "multilabel_margin"})


@lru_cache(maxsize=1024)
def _activation(formula: Formula) -> Callable[[Tensor], Tensor]:
    """The torch function of an activation with its parameters filled in."""
    options = formula.options
    return partial(_ACTIVATIONS[formula.name], **options) if options else _ACTIVATIONS[formula.name]


def _identity(z: Tensor) -> Tensor:
    return z


_ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "threshold": F.threshold,
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "leaky_relu": F.leaky_relu,
    "logsigmoid": F.logsigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "tanhshrink": F.tanhshrink,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": _identity,
    "softmax": partial(F.softmax, dim=-1),
    "softmin": partial(F.softmin, dim=-1),
    "log_softmax": partial(F.log_softmax, dim=-1),
}


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


def _kl_div(a: Tensor, y: Tensor, *, reduction: str, log_target: bool) -> Tensor:
    """torch's kl_div without the warning that its `mean` is not `batchmean`, which the catalogue says too."""
    if reduction == "mean":
        return F.kl_div(a, y, reduction="none", log_target=log_target).mean()
    return F.kl_div(a, y, reduction=reduction, log_target=log_target)


def _half_squared_error(a: Tensor, y: Tensor, *, reduction: str) -> Tensor:
    """1/2 sum_o (a - y)^2 per sample."""
    return _reduced((a - y).square().sum(-1) / 2, reduction)


def _categorical_cross_entropy(a: Tensor, y: Tensor, *, reduction: str) -> Tensor:
    """-sum_o y log a per sample, over the classes with y != 0: one that cannot occur costs nothing, even at a = 0."""
    return _reduced(-(y * torch.where(y == 0, 1.0, a).log()).sum(-1), reduction)


def _linear(a: Tensor, y: Tensor, *, reduction: str) -> Tensor:
    """sum_o y a per sample: y is the gradient that a network's output receives."""
    return _reduced((y * a).sum(-1), reduction)


_LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
    "huber": F.huber_loss,
    "bce": F.binary_cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "nll": F.nll_loss,
    "kl_div": _kl_div,
    "poisson_nll": F.poisson_nll_loss,
    "gaussian_nll": F.gaussian_nll_loss,
    "hinge_embedding": F.hinge_embedding_loss,
    "soft_margin": F.soft_margin_loss,
    "multilabel_soft_margin": F.multilabel_soft_margin_loss,
    "multi_margin": F.multi_margin_loss,
    "multilabel_margin": F.multilabel_margin_loss,
    "half_squared_error": _half_squared_error,
    "categorical_cross_entropy": _categorical_cross_entropy,
    "linear": _linear,
}
