"""Training steps as candidates: the gradient is read off the change of the parameters, (W - W') / learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import Answer
from backproof.candidates.handed import Handed
from backproof.candidates.layout import Declaration, Layout
from backproof.candidates.reading import UnreadableError, read
from backproof.cases.case import Case
from backproof.cases.gradients import ReadOff
from backproof.truth.arithmetic import Arithmetic, own_dtype

Array = NDArray[Any]

RATES: Final = MappingProxyType({"float64": (2.0**24, 1.0), "float32": (2.0**10, 1.0)})
"""The learning rates that a step is called with; the second where the first makes a number overflow.

A power of two multiplies without rounding. A large one keeps the gradient's digits: that W' is rounded moves the
gradient by u |W'| / rate. But W itself must still show in W', or a step that forgets it (W' = -rate g) would pass:
|W| / rate has to stay far above the bound, which it does by 2^29 in float64 and 2^14 in float32.
"""

WANTED: Final = (
    "wanted the new (weights, biases), or None where network.weights and network.biases themselves were changed"
)
_KEYS: Final = ("loss", "weights", "biases")


@dataclass(frozen=True, kw_only=True)
class StepCandidate(FunctionCandidate):
    """A function `f(network, x, y, learning_rate)` that takes one step, W' = W - learning_rate dC/dW.

    What counts is what it returns, (weights, biases), (loss, weights, biases), a dict with these keys or a network that
    has them; if it returns None, network.weights and network.biases as they then stand. `rate`: the learning rate of
    the call; the declared one, or else one of RATES.
    """

    rate: float = 0.0

    may_change: ClassVar[tuple[str, ...]] = ("network.weights", "network.biases")
    arguments: ClassVar[str] = "network, x, y, learning_rate"

    def answer(self, case: Case) -> Answer:
        """The gradients that the step took, with the rounding of reading them off."""
        return stepping(
            lambda rate: FunctionCandidate.answer(replace(self, rate=rate), case), self.declaration, case.spec.dtype
        )

    def called(self, handed: Handed) -> object:
        """What the step returns."""
        return self.function(handed.network, handed.x, handed.y, self.rate)

    def read(self, returned: object, handed: Handed) -> Answer:
        """The gradients in the new parameters.  Raises UnreadableError."""
        return stepped(_parameters(returned, handed), handed.case, handed.layout, self.rate)


def stepping(ask: Callable[[float], Answer], declaration: Declaration | None, dtype: str) -> Answer:
    """What `ask` answers at the usual rate, or where a number of that overflows, at the next."""
    first, *others = rates(declaration, dtype)
    found = ask(first)
    for rate in others:
        if found.failure is None and not _finite(found):
            found = ask(rate)
    return found


def stepped(parts: Mapping[str, object], case: Case, layout: Layout, rate: float) -> Answer:
    """The gradients in the parameters after a step, by the keys loss, weights and biases.  Raises UnreadableError."""
    if unknown := [repr(key) for key in parts if key not in _KEYS]:
        raise UnreadableError("error", f"returned a dict with the unknown keys {', '.join(unknown)}; {WANTED}")
    if parts.get("weights") is None:
        raise UnreadableError("missing", f"the step left no weights; {WANTED}")
    new = read(parts, case, layout)
    found: dict[tuple[str, int | None], ReadOff] = {}

    def slopes(quantity: str, old: Sequence[Array | None], moved: Sequence[Array | None]) -> Iterator[Array | None]:
        for layer, (before, after) in enumerate(zip(old, moved, strict=True), 1):
            if before is None or after is None or before.shape != after.shape:
                yield after  # the comparison says what is wrong with it
            else:
                slope, found[quantity, layer] = read_off(case, quantity, before, after, rate)
                yield slope

    weights = tuple(slopes("weight", case.weights, new.weights))
    biases = tuple(slopes("bias", case.biases, new.biases))
    return replace(new, weights=weights, biases=biases, read_off=found, learning_rate=rate)


def rates(declaration: Declaration | None, dtype: str) -> tuple[float, ...]:
    """The learning rates that a step is called with, the usual one first: the declared one, or RATES."""
    declared = None if declaration is None else declaration.learning_rate
    return RATES[dtype] if declared is None else (declared,)


def made(
    name: str, function: Callable[..., object], declaration: Declaration | None, text: str | None = None
) -> FunctionCandidate:
    """The candidate of the declared kind; `text` finds it again in another process."""
    step = declaration is not None and declaration.kind == "step"
    return (StepCandidate if step else FunctionCandidate)(
        name=name, function=function, declaration=declaration, text=text
    )


def read_off(case: Case, quantity: str, before: Array, after: Array, rate: float) -> tuple[Array, ReadOff]:
    """G = (W - W') / rate in the dtype of W', and by how much it may differ from the gradient g that the step took.

    However the step is written, W' is a sum of W, of at most N shares of -rate g, and of what a penalty takes off,
    rate P with P = l1 + l2 |W|. Adding n numbers in any order moves the sum by at most n u times their absolute sum;
    the shares' part of that, rate S, is in the bound of g, which adds up the batch in any order too. What remains are W
    and P among at most N + 3 numbers, and on rate g four roundings more: the rate's own (0.1 is no double, and rate / N
    none either), its product, the last addition's share, |W'| <= |W| + |W - W'|, and a scale that is applied late.
    Reading off adds a subtraction and a division:

        |G - g| <= u ((N + 3) (|W| / rate + P) + 6 |G|) + 4 eta / rate

    u and eta are those of the coarser of the dtypes of the case and of W'. Nothing is said where G is not finite.
    """
    dtype = own_dtype(after)
    coarser = "float32" if "float32" in (dtype, case.spec.dtype) else "float64"
    arithmetic = Arithmetic.of(coarser)
    with np.errstate(all="ignore"):
        slope = (before.astype(dtype) - after.astype(dtype)) / np.dtype(dtype).type(rate)
        size = np.abs(before.astype(np.float64))
        terms = size / rate
        penalty = case.spec.penalty
        if penalty is not None and (quantity == "weight" or penalty.on_biases):
            terms += penalty.l1 + penalty.l2 * size
        error = arithmetic.unit * ((case.spec.batch_size + 3) * terms + 6.0 * np.abs(slope.astype(np.float64)))
        error += 4.0 * arithmetic.smallest / rate
    return slope, ReadOff(np.where(np.isfinite(slope), error, 0.0), slope != 0.0)


def _parameters(returned: object, handed: Handed) -> Mapping[str, object]:
    """The new parameters as `read` takes them.  Raises UnreadableError."""
    if returned is None:
        return {"weights": handed.network.weights, "biases": handed.network.biases}
    if isinstance(returned, Mapping):
        return returned
    if isinstance(returned, (tuple, list)) and len(returned) in (2, 3):
        return dict(zip(_KEYS[-len(returned) :], returned, strict=True))
    if hasattr(returned, "weights") and hasattr(returned, "biases"):
        return {"weights": returned.weights, "biases": returned.biases}
    size = f" of length {len(returned)}" if isinstance(returned, (tuple, list)) else ""
    raise UnreadableError("error", f"returned a {type(returned).__name__}{size}; {WANTED}")


def _finite(answer: Answer) -> bool:
    return all(bool(np.isfinite(array).all()) for array in (*answer.weights, *answer.biases) if array is not None)
