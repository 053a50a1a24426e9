"""A script to paste: one network with its arrays, PyTorch's gradients, and the candidate's numbers beside them.

It needs numpy and torch and nothing of Backproof, so that anybody can repeat the finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from backproof.cases.case import Case
from backproof.cases.formula import Formula
from backproof.cases.gradients import Array
from backproof.diagnosis.evidence import Exhibit

_ACTIVATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "identity": "z",
        "sigmoid": "torch.sigmoid(z)",
        "tanh": "torch.tanh(z)",
        "softmax": "F.softmax(z, dim=1)",
        "softmin": "F.softmin(z, dim=1)",
        "log_softmax": "F.log_softmax(z, dim=1)",
        "hardsigmoid": "F.relu6(z + 3) / 6",
    }
)
"""What is not F.name(z, parameters)."""

_LOSSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "half_squared_error": "0.5 * ((a - y) ** 2).sum(dim=1)",
        "categorical_cross_entropy": "-torch.special.xlogy(y, a).sum(dim=1)",
        "linear": "(y * a).sum(dim=1)",
        "bce": "F.binary_cross_entropy(a, y, reduction='none')",
        "bce_with_logits": "F.binary_cross_entropy_with_logits(a, y, reduction='none'{options})",
        "mse": "(a - y) ** 2",
        "l1": "(a - y).abs()",
        "cross_entropy": "F.cross_entropy(a, y, reduction='none'{options})",
        "kl_div": "F.kl_div(a, y, reduction='none'{options})",
    }
)
"""The unreduced losses; what is not here is F.name_loss, gaussian_nll with the case's var."""


def script(exhibit: Exhibit) -> str:
    """A whole Python script for one exhibit: run it, and read PyTorch's gradients beside the candidate's."""
    return "\n".join(_lines(exhibit)) + "\n"


def _lines(exhibit: Exhibit) -> Iterator[str]:
    case, answer = exhibit.case, exhibit.answer
    spec = case.spec
    yield f"# {spec.id}"
    yield "import numpy as np"
    yield "import torch"
    yield "import torch.nn.functional as F"
    yield ""
    yield f"dtype = torch.{spec.dtype}"
    yield f"x = torch.tensor({_literal(case.x)}, dtype=dtype)"
    target_type = "" if case.y.dtype.kind == "i" else ", dtype=dtype"
    yield f"y = torch.tensor({_literal(case.y)}{target_type})"
    for at, (weight, bias) in enumerate(zip(case.weights, case.biases, strict=True), 1):
        yield f"W{at} = torch.tensor({_literal(weight)}, dtype=dtype, requires_grad=True)"
        if bias is not None:
            yield f"b{at} = torch.tensor({_literal(bias)}, dtype=dtype, requires_grad=True)"
    yield ""
    yield "a = x"
    for at, (formula, bias) in enumerate(zip(spec.activations, case.biases, strict=True), 1):
        yield f"z = a @ W{at}.T" + ("" if bias is None else f" + b{at}")
        yield f"a = {_activation(formula)}"
    yield f"losses = {_loss(case)}"
    yield f"C = {_reduced(case)}"
    if spec.penalty is not None:
        yield from _penalised(case)
    yield "C.backward()"
    yield ""
    yield "# PyTorch's gradients, and below each what was returned instead"
    yield "print('C', C.item())"
    if answer.loss is not None:
        yield f"print('  yours', {np.asarray(answer.loss).tolist()!r})"
    for at in range(spec.depth, 0, -1):
        for name, given, exists in (
            (f"b{at}", answer.biases[at - 1] if answer.biases else None, case.biases[at - 1] is not None),
            (f"W{at}", answer.weights[at - 1] if answer.weights else None, True),
        ):
            if exists:
                yield f"print('dC/d{name}', {name}.grad.numpy())"
                yield f"print('  yours', np.array({'None' if given is None else _literal(given)}))"


def _literal(array: Array) -> str:
    """Numbers that read back as the same ones."""
    return repr(np.asarray(array).tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")


def _activation(formula: Formula) -> str:
    if formula.name in _ACTIVATIONS:
        return _ACTIVATIONS[formula.name]
    return f"F.{formula.name}(z{_options(formula.options)})"


def _options(options: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in options.items())


def _loss(case: Case) -> str:
    spec = case.spec
    options = dict(case.loss_options)
    if spec.loss.name == "gaussian_nll":
        return f"F.gaussian_nll_loss(a, y, {_value(options.pop('var'))}, reduction='none'{_options(options)})"
    written = _LOSSES.get(spec.loss.name, f"F.{spec.loss.name}_loss(a, y, reduction='none'{{options}})")
    told = "".join(f", {name}={_value(value)}" for name, value in options.items() if value is not None)
    return written.replace("{options}", told)


def _value(value: object) -> str:
    return f"torch.tensor({_literal(value)}, dtype=dtype)" if isinstance(value, np.ndarray) else repr(value)


def _reduced(case: Case) -> str:
    from backproof.truth.divisors import divisor

    if case.upstream is not None:
        return f"(torch.tensor({_literal(case.upstream)}, dtype=dtype) * losses).sum()"
    scale = divisor(case)
    return "losses.sum()" if scale == 1.0 else f"losses.sum() / {scale!r}  # {case.spec.reduction}"


def _penalised(case: Case) -> Iterator[str]:
    penalty = case.spec.penalty
    if penalty is None:
        return
    names = penalty.charged(
        [f"W{at}" for at in range(1, case.spec.depth + 1)],
        [None if bias is None else f"b{at}" for at, bias in enumerate(case.biases, 1)],
    )
    divided = f" / {case.spec.batch_size}" if penalty.divided_by == "N" else ""
    yield f"for w in ({', '.join(names)},):"
    yield f"    C = C + ({penalty.l1!r} * w.abs().sum() + 0.5 * {penalty.l2!r} * (w**2).sum()){divided}"
