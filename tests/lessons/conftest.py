"""What the tests of lessons share: an example's numbers once more, by PyTorch and by Python's own arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from backproof.cases import Array, Case
from backproof.lessons.lesson import Worked
from backproof.truth import autograd


def _by_torch(case: Case, quantity: str) -> Array:
    """The quantity that Solved.quantity names, by autograd."""
    found = autograd.reference(case)
    kind, _, layer = quantity.partition(" ")
    if not layer:
        if kind == "dC/da":
            return _loss_gradient(case)
        return autograd.losses(case) if kind == "losses" else {"loss": found.loss, "input": found.inputs}[kind]
    index = int(layer) - 1
    if kind in {"delta", "weight", "bias"}:
        return {"delta": found.deltas, "weight": found.weights, "bias": found.biases}[kind][index]
    z = autograd._forward(case.spec, autograd._variables(case, np.dtype(np.float64)))[0][index].requires_grad_()
    a = autograd._activation(case.spec.activations[index])(z)
    tensor = {"z": z, "a": a}.get(kind)
    if kind == "slope":
        (tensor,) = torch.autograd.grad(a.sum(), z)
    return tensor.detach().numpy()


def _loss_gradient(case: Case) -> Array:
    float64 = np.dtype(np.float64)
    output = autograd._forward(case.spec, autograd._variables(case, float64))[1].requires_grad_()
    (slope,) = torch.autograd.grad(autograd._objective(case, float64).value(output)[1], output)
    return slope.numpy()


def _evaluated(worked: Worked) -> Any:
    """The formula with its operands at full precision, by Python."""
    names = {f"p{number}": operand for number, operand in enumerate(worked.operands)}
    known = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "max": max, "int": int}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        numbers = {name: np.float64(operand) for name, operand in names.items()}
        return eval(worked.template.format(*names), known | numbers)  # noqa: S307  our own formulas


@pytest.fixture(scope="session")
def by_torch() -> Callable[[Case, str], Array]:
    """case, quantity -> its value by autograd."""
    return _by_torch


@pytest.fixture(scope="session")
def evaluated() -> Callable[[Worked], Any]:
    """A formula with numbers in it -> its value."""
    return _evaluated
