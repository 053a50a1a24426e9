"""The other ways to check a gradient, at the settings that people leave them at: what Backproof's power stands beside.

    gradcheck       torch.autograd.gradcheck, slow and fast: forward differences of PyTorch's own forward pass against
                    a torch.autograd.Function whose backward returns the candidate's gradients
    assert_close    torch.testing.assert_close: the candidate's gradients against PyTorch's, by the dtype's tolerances
    course notes    |a - n| / max(|a|, |n|) < 1e-7 in the 2-norm of all parameters, n by central differences of step
                    1e-5.  Source: the notes of Stanford's CS231n and the exercises of deeplearning.ai, which ask for
                    1e-7 or less; they divide by the maximum, or by the sum, which is a factor 2 at most

They are called as PyTorch documents them. The forward pass is torch.nn.functional's and shares nothing with the judge.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backproof.candidates.contract import Answer
from backproof.cases.case import Case

Array = NDArray[Any]

LOSSES: Final[dict[str, Callable[..., Tensor]]] = {"mse": F.mse_loss, "cross_entropy": F.cross_entropy}
"""The losses whose reduced value the rivals can compute."""

STEP: Final = 1e-5
"""Of the course notes' central differences."""

ACCEPTED: Final = 1e-7
"""The relative error that the course notes accept."""

_AT_ONCE: Final = 256
"""Parameters whose differences are taken together."""


def gradcheck(case: Case, claimed: Answer, *, layers: Sequence[int], fast: bool) -> bool:
    """Whether torch.autograd.gradcheck accepts the claimed gradients of these layers, numbered from 0.

    It compares each input's Jacobian by itself, so that the layers left out would neither add to what it finds nor take
    from it. Where fast mode refuses, it would go on to compute all slow differences for its message; that is cut short.
    """
    with _own_settings():
        parameters = [
            tensor.requires_grad_(at // 2 in layers)
            for at, tensor in enumerate(_parameters(case))
            if tensor is not None
        ]
        gradients = [torch.from_numpy(np.array(array)) for array in _gradients(claimed)]
        loss = _loss(case)
        # What an accepting run calls: the value, two differences for each input, and the value again.
        calls, enough = 0, 8 + 2 * len(parameters)

        def function(*values: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            if fast and calls > enough:
                raise _RefusedError
            return _Claimed.apply(loss, gradients, *values)  # type: ignore[no-any-return, no-untyped-call]  # no types

        try:
            return torch.autograd.gradcheck(function, tuple(parameters), fast_mode=fast, raise_exception=False)
        except _RefusedError:
            return False


class _RefusedError(Exception):
    """Fast mode has refused, and is about to explain itself at length."""


class _Claimed(torch.autograd.Function):
    """PyTorch's loss with the candidate's gradients, which belong to the point where gradcheck asks for them."""

    @staticmethod
    def forward(ctx: Any, loss: Callable[..., Tensor], gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss(*parameters)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, *[upstream[0] * gradient for gradient in ctx.gradients])


def assert_close(claimed: Answer, reference: Answer) -> bool:
    """Whether torch.testing.assert_close accepts every weight and bias gradient, the reference cast to their dtype."""
    for array, wanted in zip(_gradients(claimed), _gradients(reference), strict=True):
        expected = torch.from_numpy(np.array(wanted, dtype=array.dtype))
        try:
            torch.testing.assert_close(torch.from_numpy(np.array(array)), expected)
        except AssertionError:
            return False
    return True


def course_notes(claimed: Answer, differences: Array) -> bool:
    """Whether |a - n| / max(|a|, |n|) < 1e-7 for all parameters together, n from `central_differences`."""
    analytic = np.concatenate([array.ravel() for array in _gradients(claimed)], dtype=np.float64)
    size = max(float(np.linalg.norm(analytic)), float(np.linalg.norm(differences)))
    return size == 0.0 or float(np.linalg.norm(analytic - differences)) / size < ACCEPTED


def central_differences(case: Case) -> Array:
    """(C(p + h) - C(p - h)) / 2h for every parameter p, in the order of `_gradients`, in the case's own arithmetic."""
    with _own_settings(), torch.no_grad():
        parameters = [tensor for tensor in _parameters(case) if tensor is not None]
        shapes = [tensor.shape for tensor in parameters]
        sizes = [tensor.numel() for tensor in parameters]
        flat, loss = torch.cat([tensor.ravel() for tensor in parameters]), _loss(case)

        def value(vector: Tensor) -> Tensor:
            parts = torch.split(vector, sizes)
            return loss(*[part.view(shape) for part, shape in zip(parts, shapes, strict=True)])

        values, found = torch.func.vmap(value), []
        for start in range(0, len(flat), _AT_ONCE):
            count = min(_AT_ONCE, len(flat) - start)
            moves = torch.zeros(count, len(flat), dtype=flat.dtype)
            moves[torch.arange(count), start + torch.arange(count)] = STEP
            found.append((values(flat + moves) - values(flat - moves)) / (2 * STEP))
        return np.asarray(torch.cat(found).numpy(), dtype=np.float64)


def _loss(case: Case) -> Callable[..., Tensor]:
    """C as a function of the parameters W^1, b^1, W^2, ... of the layers, those that there are."""
    spec, loss, options = case.spec, LOSSES[case.spec.loss.name], case.loss_options
    x, y = torch.from_numpy(np.array(case.x)), torch.from_numpy(np.array(case.y))
    activations = [(getattr(F, formula.name, None), formula.options) for formula in spec.activations]

    def value(*parameters: Tensor) -> Tensor:
        given, a = iter(parameters), x
        for (phi, settings), has_bias in zip(activations, spec.biases, strict=True):
            a = F.linear(a, next(given), next(given) if has_bias else None)
            a = a if phi is None else phi(a, **settings)
        return loss(a, y, reduction=spec.reduction, **options)

    return value


def _parameters(case: Case) -> Iterator[Tensor | None]:
    for weight, bias in zip(case.weights, case.biases, strict=True):
        yield torch.from_numpy(np.array(weight))
        yield None if bias is None else torch.from_numpy(np.array(bias))


def _gradients(answer: Answer) -> Iterator[Array]:
    """dW^1, db^1, dW^2, ... of an answer that has them all."""
    for pair in zip(answer.weights, answer.biases, strict=True):
        yield from (array for array in pair if array is not None)


@contextmanager
def _own_settings() -> Iterator[None]:
    """One thread, as the rest of the measurement has it; and no warning that float32 is too coarse for gradcheck."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Input #", category=UserWarning)
            yield
    finally:
        torch.set_num_threads(threads)
