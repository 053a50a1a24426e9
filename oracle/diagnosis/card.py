"""The diagnosis as people read it: where, the formula used and the one wanted, why, numbers to follow by hand."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from typing import Final, Literal, get_args

import numpy as np

from backproof.candidates.contract import PROGRAM
from backproof.cases.case import Case
from backproof.cases.gradients import Array
from backproof.diagnosis.diagnosis import EQUATIONS, Findings
from backproof.diagnosis.evidence import Exhibit
from backproof.diagnosis.mistake import Diagnosis
from backproof.judging.verdicts import Check
from backproof.truth.arithmetic import Arithmetic
from backproof.truth.objective_bounds import objective
from backproof.truth.rounding import both_ways

Hints = Literal["none", "where", "all"]
"""How much is told: the verdict alone, the equation and its place too, or everything."""


def check_hints(hints: str) -> None:
    """Raises ValueError for what is none of them."""
    if hints not in get_args(Hints):
        raise ValueError(f"hints are none, where or all; got {hints!r}")


Line = tuple[str, str]
"""A label and what stands beside it."""

LABEL_WIDTH: Final = 12
"""The width of the labels where the card is printed."""

MOST_NUMBERS: Final = 40
"""A network with more numbers than these is not written out."""

UNKNOWN: Final = "none that is known gives these numbers"
"""What is said of a mistake without a name."""

_SUBJECTS: Final = {
    "BP0": "the forward pass",
    "loss": "the loss",
    "BP1": "delta, the error signal,",
    "BP2": "delta, the error signal,",
    "BP3": "the bias gradient",
    "BP4": "the weight gradient",
    "batch": "the sum over the batch",
    "scale": "a factor on every gradient",
    "penalty": "the penalty",
    "state": "what one call leaves to the next",
    "step": "the training step",
    "numerics": "the precision of the computation",
    "shape": "the shape of what is returned",
}
_PLACES: Final = {
    "output": "of the output layer",
    "hidden": "of the hidden layers",
    "first": "of the first layer",
    "all": "",
}
_TELLING: Final = {
    "batch=1": "only with a batch of one",
    "batch>1": "only with more than one sample",
    "equal_widths": "only where neighbouring layers are equally wide",
    "unequal_widths": "only where neighbouring layers differ in width",
    "outputs>1": "only with more than one output",
    "mean": "only under the reduction mean",
    "second_call": "only from the second call on",
    "saturated": "only with large numbers",
    "inactive": "only where a unit is inactive",
    "integer_data": "only with data of whole numbers",
}
_FLOWS: Final = {
    "BP0": "what is computed from it is wrong only because of it",
    "BP1": "the other dW and db are wrong only because it flows into them",
    "BP2": "what lies below is wrong only because it flows into it",
}


def lines(findings: Findings, *, candidate: str, hints: Hints = "all") -> Iterator[Line]:
    """The card, line by line; `candidate` is its CANDIDATE text, which may need quotes in a shell."""
    if hints == "none":
        return
    for number, diagnosis in enumerate(findings.diagnoses):
        if number:
            yield "", ""
        yield "Where", place(diagnosis)
        if hints == "all":
            yield from _mistake(diagnosis)
    if findings.conventions is not None and hints == "all":
        yield "Loss", findings.conventions.told
    if findings.shown is not None and hints == "all":
        yield from _by_hand(findings.shown, candidate)
    holding = [name for name in EQUATIONS if findings.equations.get(name) == "holds"]
    if holding:
        yield "Holds", f"{', '.join(_told(name) for name in holding)} (each tested on your own numbers)"
    for reason in dict.fromkeys(findings.untested.values()):
        names = [_told(name) for name, why in findings.untested.items() if why == reason]
        yield "Not tested", f"{', '.join(names)}: {reason}"
    if findings.shown is not None:
        yield "Again", f"backproof check {shlex.quote(candidate)} --case {findings.shown.case.spec.id}"
    if hints == "all":
        learn = [diagnosis.fault or diagnosis.equation for diagnosis in findings.diagnoses]
        if learn:
            yield "Learn", "; ".join(f"backproof explain {name}" for name in dict.fromkeys(learn))


def place(diagnosis: Diagnosis) -> str:
    """Which equation and where, in words: "the bias gradient of every layer (BP3)"."""
    if diagnosis.subject:
        return diagnosis.subject
    subject = _SUBJECTS[diagnosis.equation]
    where = _PLACES[diagnosis.position]
    if diagnosis.position == "all" and diagnosis.equation in ("BP1", "BP2", "BP3", "BP4", "BP0"):
        where = "in every layer" if diagnosis.layer is None else f"of layer {diagnosis.layer}"
    told = f"{subject} {where}".strip().rstrip(",")
    if diagnosis.equation.startswith("BP"):
        told += f" ({diagnosis.equation})"
    if diagnosis.condition is not None:
        told += f", {_TELLING.get(diagnosis.condition, diagnosis.condition)}"
    flows = _FLOWS.get(diagnosis.equation)
    return f"{told}; {flows}" if flows else told


def _told(equation: str) -> str:
    return {"batch": "batch sum", "scale": "scale", "loss": "loss"}.get(equation, equation)


def _mistake(diagnosis: Diagnosis) -> Iterator[Line]:
    if diagnosis.fault is None and not diagnosis.used:
        yield "Mistake", UNKNOWN
    if diagnosis.used:
        yield "Yours", diagnosis.used
    if diagnosis.wanted:
        yield "Right", diagnosis.wanted
    if diagnosis.why:
        yield "Why", diagnosis.why
    if diagnosis.hint:
        yield "Look for", diagnosis.hint
    if diagnosis.also_fits:
        yield "Or", f"{', '.join(diagnosis.also_fits)}: on every network tried, the same numbers"


def whose(candidate: str) -> str:
    """What a candidate is to its author."""
    return "your program" if candidate.startswith(PROGRAM) else "your function"


def of_the_call(check: Check, candidate: str) -> str:
    """What is wrong with a call, where there is no number to speak of, in a sentence."""
    if check.note.startswith("returned "):
        return f"{whose(candidate)} {check.note}"
    return check.note or check.verdict.value


def told(check: Check) -> str:
    """A check in one line, for people."""
    if check.max_abs_error is None:
        return f"  {check.name}: {check.verdict}{f', {check.note}' if check.note else ''}"
    at = f"[{', '.join(map(str, check.worst_index))}]" if check.worst_index else ""
    exact = "" if check.exact_value is None else f", exactly {check.exact_value!r}"
    note = f" ({check.note})" if check.note else ""
    return (
        f"  {check.name}{at}: {check.verdict}{note}; got {check.candidate_value!r}, wanted {check.reference_value!r}"
        f"{exact}; rounding explains {check.bound:.2g}; {check.mismatched} of {check.entries} entries exceed it"
    )


def _by_hand(shown: Exhibit, candidate: str) -> Iterator[Line]:
    """The smallest network written out, and the first wrong number beside the right one."""
    case = shown.case
    arrays = [*case.weights, *(bias for bias in case.biases if bias is not None), case.x, case.y]
    if sum(array.size for array in arrays) <= MOST_NUMBERS:
        yield "By hand", _given(case)
        for text in _forward(case):
            yield "", text
    else:
        yield "By hand", f"{_sizes(case)}: too many numbers to write out; the first wrong one is"
    if shown.answer.learning_rate is not None:
        rate = _power(shown.answer.learning_rate)
        yield "", f"read off a step at learning_rate = {rate}: dC/dW is (W - W') / {rate}, W' what it left"
    wrong = next((check for check in shown.checks if check.verdict.fails), None)
    if wrong is None:
        return
    if wrong.quantity == "call":
        yield "", of_the_call(wrong, candidate)
        return
    if wrong.max_abs_error is None:
        yield "", f"{wrong.name}: {wrong.note or wrong.verdict.value}"
        return
    at = f"[{', '.join(map(str, wrong.worst_index))}]" if wrong.worst_index else ""
    digits = _telling_digits(wrong.candidate_value, wrong.reference_value)
    exact = "" if wrong.exact_value is None else f" = {wrong.exact_value:.{digits}g} exactly"
    yield (
        "",
        (
            f"{_symbol(wrong.quantity, wrong.layer)}{at}   yours {wrong.candidate_value:.{digits}g}   "
            f"right {wrong.reference_value:.{digits}g}{exact}"
        ),
    )


def _telling_digits(own: float | None, right: float | None) -> int:
    """The digits with which two numbers are printed differently: 6 where they are, else up to 17."""
    return next((digits for digits in range(6, 17) if f"{own:.{digits}g}" != f"{right:.{digits}g}"), 17)


def _symbol(quantity: str, layer: int | None) -> str:
    number = "" if layer is None else str(layer)
    return {"weight": f"dC/dW{number}", "bias": f"dC/db{number}", "delta": f"delta{number}", "input": "dC/dx"}.get(
        quantity, "C"
    )


def _power(rate: float) -> str:
    """A learning rate: a power of two as one, where written out it would be a long number."""
    mantissa, exponent = math.frexp(rate)
    return f"2^{exponent - 1}" if mantissa == 0.5 and abs(exponent) > 4 else f"{rate:g}"


def _sizes(case: Case) -> str:
    """The shapes of what `_given` writes out."""
    weights = ", ".join(f"W{at} {weight.shape}" for at, weight in enumerate(case.weights, 1))
    return f"x {case.x.shape}, {weights}, y {case.y.shape}"


def _given(case: Case) -> str:
    parts = [f"x = {_numbers(case.x)}"]
    for at, (weight, bias) in enumerate(zip(case.weights, case.biases, strict=True), 1):
        number = "" if case.spec.depth == 1 else str(at)
        parts.append(f"W{number} = {_numbers(weight)}")
        if bias is not None:
            parts.append(f"b{number} = {_numbers(bias)}")
    parts.append(f"y = {_numbers(case.y)}")
    if case.upstream is not None:
        parts.append(f"upstream = {_numbers(case.upstream)}")
    return "   ".join(parts)


def _forward(case: Case) -> Iterator[str]:
    """What the right forward pass makes of it, and what the loss sends back."""
    arithmetic = Arithmetic.of("float64")
    with np.errstate(all="ignore"):
        layers = both_ways(case, arithmetic).layers
        _, gradient = objective(case, layers[-1].outputs, arithmetic)
    for at, layer in enumerate(layers, 1):
        number = "" if len(layers) == 1 else str(at)
        told = f"z{number} = {_numbers(layer.z.value)}   a{number} = {_numbers(layer.outputs.value)}"
        yield told if layer is not layers[-1] else f"{told}   g = dC/da = {_numbers(gradient.value)}"


def _numbers(array: Array) -> str:
    """An array in four digits: a single number without brackets, rows in brackets of their own."""
    if array.size == 1:
        return f"{float(array.reshape(())):.4g}"
    if array.ndim == 1:
        return f"[{', '.join(f'{float(number):.4g}' for number in array)}]"
    return f"[{', '.join(_row(row) for row in array)}]"


def _row(row: Array) -> str:
    return f"[{', '.join(f'{float(number):.4g}' for number in row)}]"
