"""What may be asked about the rounding of one case: bounds of several widths, and the exact values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backproof.cases.case import Case
from backproof.cases.gradients import Gradients, ReadOff
from backproof.judging.doubts import decides, entry
from backproof.judging.verdicts import Verdict
from backproof.truth.arithmetic import Arithmetic, Forms, Kinks

if TYPE_CHECKING:
    from backproof.truth.exact import Enclosure
    from backproof.truth.recording import Level as RecordedLevel

Array = NDArray[Any]
Level = Literal["accurate", "textbook", "kink", "same side"]
Against = Literal["reference", "truth"]

_KINKS: Final[dict[Level, Kinks]] = {"kink": "any", "same side": "none"}


def _halved(distance: Gradients) -> Gradients:
    """Half of every number, which is exact."""
    return Gradients(
        0.5 * distance.loss,
        tuple(0.5 * weight for weight in distance.weights),
        tuple(None if bias is None else 0.5 * bias for bias in distance.biases),
        None if distance.inputs is None else 0.5 * distance.inputs,
        None if distance.deltas is None else tuple(0.5 * delta for delta in distance.deltas),
    )


class Pair(NamedTuple):
    """One quantity with both its arrays, of the same shape."""

    quantity: str
    layer: int | None
    position: str
    candidate: Array
    reference: Array
    accurate: Array

    @property
    def size(self) -> float:
        """The largest finite entry of the reference."""
        return float(np.abs(self.reference[np.isfinite(self.reference)]).max(initial=0.0))


class _Bound(Protocol):
    """A bound of one kind; see `rounding.bound`."""

    __name__: str

    def __call__(self, case: Case, *, forms: Forms, kinks: Kinks, against: Against, dtype: str | None) -> Gradients: ...


Key = tuple[str, int | None]
"""(quantity, layer)."""


class Bounds:
    """What may be asked about one case's rounding, computed when first asked for: nearly every case needs one bound.

    wide: the quantities that agree by a bound in which an error could hide that matters (`doubts.SHOWN`); the
    comparison notes them, and single samples are asked about them.

    Levels: "accurate" admits the forms that are accurate in the tails, "textbook" every textbook form, "kink" also
    any subgradient wherever the derivative does not exist; "same side" admits textbook forms that take the reference's
    side of every kink within reach, and can bless what is on that side, but accuse nothing.

    read_off: what every bound grows by, per (quantity, layer), where the candidate is a training step.

    recorded: the bounds of this case that a file holds, by their level: they are not computed again.

    plain: the verdicts that need not be held to exact values besides, where the judge's own evaluation shows them.
    """

    def __init__(
        self,
        case: Case,
        read_off: Mapping[tuple[str, int | None], ReadOff] | None = None,
        recorded: Callable[[RecordedLevel], Gradients] | None = None,
    ) -> None:
        self.case = case
        self._recorded = recorded
        self._read_off = read_off or {}
        self.wide: set[Key] = set()
        self.plain: frozenset[Verdict] = frozenset()
        self._found: dict[tuple[str, ...], Gradients] = {}
        self._exact: Enclosure | None = None
        self._truth: Enclosure | None = None
        self._evaluation: Gradients | None = None

    def limit(
        self,
        level: Level = "accurate",
        *,
        dtype: str | None = None,
        against: Against = "reference",
    ) -> Gradients:
        """Per entry, the largest difference from the reference, or the truth, that rounding explains.

        `dtype` is that of the arithmetic that is judged; the case's own, unless given.
        """
        from backproof.truth.rounding import bound

        if self._recorded is not None and level != "same side" and dtype in (None, self.case.spec.dtype):
            key = bound.__name__, level, self.case.spec.dtype, "reference"
            if key not in self._found:
                self._found[key] = self._recorded(level)
        return self._widened(self._once(bound, level, dtype, against))

    def tightest(self, pair: Pair, level: Level, *, dtype: str, against: Against = "reference") -> Array:
        """The limit of one quantity, with the signs of the weights kept where the chained bound decides nothing."""
        from backproof.truth.propagated_bound import propagated_bound

        chained = entry(self.limit(level, dtype=dtype, against=against), pair.quantity, pair.layer)
        if self.chained_is_enough(pair, level, dtype=dtype):
            return chained
        propagated = self._widened(self._once(propagated_bound, level, dtype, against))
        return np.fmin(chained, entry(propagated, pair.quantity, pair.layer))

    def _widened(self, distance: Gradients) -> Gradients:
        """With the rounding of reading gradients off a step; where nothing moved, an exact 0 stays exact."""

        def wider(quantity: str, layer: int, limit: Array) -> Array:
            found = self._read_off.get((quantity, layer))
            if found is None or found.error.shape != limit.shape:
                return limit
            return limit + np.where(found.moved | (limit > 0.0), found.error, 0.0)

        if not self._read_off:
            return distance
        return replace(
            distance,
            weights=tuple(wider("weight", at, limit) for at, limit in enumerate(distance.weights, 1)),
            biases=tuple(
                None if limit is None else wider("bias", at, limit) for at, limit in enumerate(distance.biases, 1)
            ),
        )

    def _once(self, bound: _Bound, level: Level, dtype: str | None, against: Against) -> Gradients:
        dtype = dtype or self.case.spec.dtype
        key = (bound.__name__, level, dtype, against)
        if key not in self._found and against == "truth":
            # The same bound without the reference's share, which is none or, in float64, exactly half.
            distance = self._once(bound, level, dtype, "reference")
            self._found[key] = distance if dtype == "float32" else _halved(distance)
        elif key not in self._found:
            self._found[key] = bound(
                self.case,
                forms="accurate" if level == "accurate" else "textbook",
                kinks=_KINKS.get(level, "sharp"),
                against=against,
                dtype=dtype,
            )
        return self._found[key]

    def chained_is_enough(self, pair: Pair, level: Level, *, dtype: str) -> bool:
        """Whether the chained bound is smaller than the quantity, so that it decides."""
        chained = entry(self.limit(level, dtype=dtype), pair.quantity, pair.layer)
        return decides(float(chained.max()), pair.size)

    def exact(self) -> Enclosure:
        """The true values, enclosed: the arbiter where candidate and reference differ."""
        if self._exact is None:
            from backproof.truth import exact

            self._exact = exact.enclose(self.case, self.limit())
        return self._exact

    @property
    def asked_exactly(self) -> bool:
        """Whether exact arithmetic was asked."""
        return self._exact is not None

    def may_tie(self) -> bool:
        """Whether the case may hit a kink exactly in float64, so that it matters which subgradients are admitted."""
        from backproof.truth.rounding import both_ways, may_tie

        return may_tie(self.case, both_ways(self.case, Arithmetic.of("float64")).layers)

    def evaluation(self) -> Gradients:
        """The judge's own values in float64, no further from the truth than the float64 bound."""
        if self._evaluation is None:
            from backproof.truth.evaluation import evaluate

            self._evaluation = evaluate(self.case)
        return self._evaluation

    def truth(self) -> Enclosure:
        """The true values to the last place of float64, where `exact` stops at a thousandth of the bound."""
        if self._truth is None:
            from backproof.truth import exact

            self._truth = exact.enclose(self.case)
        return self._truth
