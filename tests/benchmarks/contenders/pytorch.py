"""PyTorch: eager, through torch.compile, and the transforms of torch.func.

Tensors are made once. A step is the forward pass and torch.autograd.grad, which hands out fresh gradients, as
`backward()` on parameters whose `.grad` is None does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

from benchmarks.contenders.contender import Contender, Found
from benchmarks.problems import Problem

Step = Callable[[], Any]


def _tensors(problem: Problem) -> tuple[list[Any], list[Any], Any, Any]:
    import torch

    weights, biases = ([torch.from_numpy(array) for array in part] for part in (problem.weights, problem.biases))
    return weights, biases, torch.from_numpy(problem.x), torch.from_numpy(problem.y)


def _cost_of(problem: Problem) -> Callable[..., Any]:
    """C as a function of weights, biases, x and y."""
    import torch
    from torch.nn import functional as F

    losses: dict[str, Callable[..., Any]] = {"mse": F.mse_loss, "cross_entropy": F.cross_entropy}
    loss = losses[problem.loss]

    def cost(weights: list[Any], biases: list[Any], x: Any, y: Any) -> Any:
        a = x
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            a = torch.sigmoid(F.linear(a, weight, bias))
        return loss(F.linear(a, weights[-1], biases[-1]), y)

    return cost


def _stepping(problem: Problem, cost: Callable[..., Any]) -> Step:
    import torch

    weights, biases, x, y = _tensors(problem)
    leaves = [tensor.clone().requires_grad_() for tensor in (*weights, *biases)]
    weights, biases = leaves[: len(weights)], leaves[len(weights) :]

    def step() -> Any:
        loss = cost(weights, biases, x, y)
        return loss, torch.autograd.grad(loss, leaves)

    return step


def _eager(problem: Problem) -> Step:
    return _stepping(problem, _cost_of(problem))


def _compiled(problem: Problem) -> Step:
    import torch

    torch.compiler.reset()
    return _stepping(problem, torch.compile(_cost_of(problem), dynamic=False))


def _per_sample(problem: Problem) -> Step:
    import torch

    weights, biases, x, y = _tensors(problem)
    cost = _cost_of(problem)

    def share(weights: list[Any], biases: list[Any], sample: Any, target: Any) -> Any:
        return cost(weights, biases, sample[None], target[None]) / len(x)

    each = torch.func.vmap(torch.func.grad_and_value(share, argnums=(0, 1)), in_dims=(None, None, 0, 0))

    def step() -> Any:
        (by_weights, by_biases), loss = each(weights, biases, x, y)
        return loss, (*by_weights, *by_biases)

    return step


def _jvp(problem: Problem) -> Step:
    import torch

    weights, biases, x, y = _tensors(problem)
    cost = _cost_of(problem)
    along = problem.direction
    tangents = (
        [torch.from_numpy(array.copy()) for array in along.weights],
        [torch.from_numpy(array.copy()) for array in along.biases if array is not None],
        torch.from_numpy(along.inputs.copy()),
    )

    def cost_at(weights: list[Any], biases: list[Any], x: Any) -> Any:
        return cost(weights, biases, x, y)

    def step() -> Any:
        return torch.func.jvp(cost_at, (weights, biases, x), tangents)[1]

    with warnings.catch_warnings():
        # The first forward-mode call of a process compiles torch's own formulas with torch.jit.script.
        warnings.filterwarnings("ignore", message="`torch.jit.script", category=DeprecationWarning)
        step()
    return step


def _read(result: Any, problem: Problem) -> Found:
    loss, gradients = result
    return Found.of_parameters(loss.detach().numpy(), [tensor.numpy() for tensor in gradients])


EAGER: Final = Contender(
    name="PyTorch eager",
    task="gradients",
    prepare=_eager,
    read=_read,
    package="torch",
    calls="F.linear, torch.sigmoid, F.mse_loss or F.cross_entropy, torch.autograd.grad",
    baseline=True,
    needed=True,
)
COMPILED: Final = Contender(
    name="PyTorch compiled",
    task="gradients",
    prepare=_compiled,
    read=_read,
    package="torch",
    calls="the same through torch.compile(dynamic=False)",
    fragile=True,  # it needs a C++ compiler
    losses=("mse",),  # compiling takes longer than all rounds together
)
PER_SAMPLE: Final = Contender(
    name="torch.func.vmap(grad)",
    task="per sample",
    prepare=_per_sample,
    read=_read,
    package="torch",
    calls="torch.func.vmap(torch.func.grad_and_value(...)) by W and b",
    baseline=True,
    needed=True,
    losses=("cross_entropy",),
)
JVP: Final = Contender(
    name="torch.func.jvp",
    task="jvp",
    prepare=_jvp,
    read=lambda change, problem: Found(loss=change.numpy()),
    package="torch",
    calls="torch.func.jvp by W, b and x",
    baseline=True,
    needed=True,
    losses=("cross_entropy",),
)
