"""What a candidate is handed: copies of a case in its own layout, and whether they are still what they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from backproof.candidates.layout import Layout
from backproof.cases.case import Case
from backproof.cases.spec import Penalty


@dataclass
class Network:
    """The network that a candidate is handed: fresh, writable arrays in the candidate's own layout.

    weights[l] (O, I), biases[l] (O,) or None, as NumPy arrays or as nested lists; activations[l] a name,
    activation_options[l] its parameters; loss a name, loss_options its parameters; reduction; penalty (None, or .l1 .l2
    .on_biases .divided_by); upstream: under reduction "none" the factors of the unreduced losses, else None.
    """

    weights: list[Any]
    biases: list[Any]
    activations: list[str]
    activation_options: list[dict[str, Any]]
    loss: str
    loss_options: dict[str, Any]
    reduction: str
    penalty: Penalty | None
    upstream: Any


class Handed:
    """A case as it is handed over, with what it held before the call."""

    def __init__(self, case: Case, layout: Layout) -> None:
        self.case, self.layout = case, layout
        spec, hand = case.spec, layout.hand
        self.network = network = Network(
            weights=[hand(layout.give_weight(weight)) for weight in case.weights],
            biases=[None if bias is None else hand(layout.give_bias(bias)) for bias in case.biases],
            activations=[formula.name for formula in spec.activations],
            activation_options=[dict(formula.options) for formula in spec.activations],
            loss=spec.loss.name,
            loss_options={
                name: hand(layout.give_outputs(value)) if isinstance(value, np.ndarray) else value
                for name, value in case.loss_options.items()
            },
            reduction=spec.reduction,
            penalty=spec.penalty,
            upstream=None if case.upstream is None else hand(layout.give_outputs(case.upstream)),
        )
        self.x, self.y = hand(layout.give_samples(case.x)), hand(layout.give_targets(case.y, spec))
        self._held = [_held("x", self.x), _held("y", self.y)]
        if network.upstream is not None:
            self._held.append(_held("network.upstream", network.upstream))
        for name, place in (("weights", network.weights), ("biases", network.biases)):
            self._held += [_held(f"network.{name}[{at}]", value, place, at) for at, value in enumerate(place)]
        self._held.append(_held("network.activations", network.activations))
        self._held += [
            _held(f"network.activation_options[{at}]", options, network.activation_options, at)
            for at, options in enumerate(network.activation_options)
        ]
        self._held += [
            _held(f"network.loss_options[{name!r}]", value, network.loss_options, name)
            for name, value in network.loss_options.items()
        ]

    def changed(self, allowed: tuple[str, ...] = ()) -> str:
        """The name of the first thing that is not what it was, or ""; names that begin as `allowed` may."""
        return next(
            (held.name for held in self._held if not (allowed and held.name.startswith(allowed)) and held.changed()), ""
        )


class _Held(NamedTuple):
    """One thing that was handed over, with what it held; place[key] is where it stood, if it stood in another."""

    name: str
    value: Any
    before: object
    place: Any
    key: Any

    def changed(self) -> bool:
        """Whether it holds something else now, or something that holds something else stands in its place."""
        if _content(self.value) != self.before:
            return True
        if self.place is None:
            return False
        try:
            now = self.place[self.key]
        except LookupError:
            return True
        return now is not self.value and self.value is not None and _differ(self.value, now)


def _held(name: str, value: Any, place: Any = None, key: Any = None) -> _Held:
    return _Held(name, value, _content(value), place, key)


def _content(value: Any) -> object:
    """What an array, or anything made of lists, holds.

    Bytes, because comparing them is ten times as fast as comparing arrays and takes NaN for equal to itself.
    """
    return (value.shape, value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)


def _differ(value: Any, now: Any) -> bool:
    """Whether what was put in the place of a value is no copy of it; of another library's, which may not say, it is."""
    try:
        return now is None or not np.array_equal(value, np.asarray(now))
    except Exception:  # noqa: BLE001  becoming an array is the candidate's own code
        return False
