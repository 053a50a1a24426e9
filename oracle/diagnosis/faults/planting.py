"""Planting: the handwritten network with faults in it, everywhere or at some layers, always or under a condition."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from backproof.candidates.builtin import network_of
from backproof.candidates.contract import Answer
from backproof.cases.case import Case
from backproof.cases.domain import DEFAULT_DOMAIN, Domain
from backproof.diagnosis.faults.fault import Equation, Fault
from backproof.scratch import Backprop, Layer
from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array

POSITIONS: Final = ("all", "output", "hidden", "first", "equal_widths", "unequal_widths")
"""Where a fault may be: hidden is every layer but the output; the widths are those of the layer's own weight."""

SECOND_CALL: Final = "second_call"
"""The condition that no case shows by itself: every call but the first."""


def _has_width(case: Case, *, equal: bool) -> bool:
    return any((weight.shape[0] == weight.shape[1]) is equal for weight in case.weights)


def _has_flat_unit(case: Case) -> bool:
    network = network_of(case)
    layers = network.backprop.forward(case.x, network.weights, network.biases, network.activations)
    return any(bool((layer.activation.derivative(layer.z, layer.a) == 0).any()) for layer in layers)


CONDITIONS: Final[Mapping[str, Callable[[Case], bool]]] = MappingProxyType(
    {
        "batch=1": lambda case: case.spec.batch_size == 1,
        "batch>1": lambda case: case.spec.batch_size > 1,
        "outputs>1": lambda case: case.spec.outputs > 1,
        "mean": lambda case: case.spec.reduction == "mean",
        "equal_widths": lambda case: _has_width(case, equal=True),
        "unequal_widths": lambda case: _has_width(case, equal=False),
        "saturated": lambda case: case.spec.values == "saturated",
        "inactive": _has_flat_unit,
        "integer_data": lambda case: bool((case.x == np.trunc(case.x)).all()),
    }
)
"""When a fault may show: in a network with some layer of (un)equal widths, some slope that is 0, x of whole numbers."""

_EXCLUSIVE: Final = (
    {"output", "hidden"},
    {"output", "first"},
    {"equal_widths", "unequal_widths"},
    {"batch=1", "batch>1"},
)
# Steps that are taken in a layer, and which of their arguments is that layer; forward steps are known by their order.
_LAYER_ARGUMENT: Final = {
    "output_delta": 1,
    "hidden_delta": 1,
    "upstream": 1,
    "times_derivative": 1,
    "activation_derivative": 2,
    "bias_gradient": 1,
    "weight_gradient": 1,
}
_FORWARD_STEPS: Final = ("preactivation", "activation")
_SLOPE_STEPS: Final = ("times_derivative", "activation_derivative")


def positions(fault: Fault) -> tuple[str, ...]:
    """The positions that a fault may be limited to: "all" alone where its step is taken once for the whole network."""
    if fault.step in _FORWARD_STEPS:
        return POSITIONS
    if fault.step not in _LAYER_ARGUMENT:
        return POSITIONS[:1]
    never = {"output_delta": ("hidden",), "hidden_delta": ("output",)}.get(fault.step, ())
    return tuple(position for position in POSITIONS if position not in never)


@dataclass(frozen=True)
class Plant:
    """A fault with the layers it is limited to, and the condition on the case under which it shows; None: always.

    At "upstream" the layer is the one whose W is used. Raises ValueError for a position or a condition that there is
    not, or that means nothing for the fault's step.
    """

    fault: Fault
    position: str = "all"
    condition: str | None = None

    def __post_init__(self) -> None:
        if self.position not in POSITIONS:
            raise ValueError(_unknown("position", self.position, POSITIONS))
        if self.position not in positions(self.fault):
            raise ValueError(
                f"{self.fault.name} at position {self.position!r}: its step {self.fault.step} is never taken there; "
                f"it is taken at: {', '.join(positions(self.fault))}"
            )
        if self.condition not in (None, SECOND_CALL, *CONDITIONS):
            raise ValueError(_unknown("condition", str(self.condition), (*CONDITIONS, SECOND_CALL)))

    @property
    def slug(self) -> str:
        """The fault's name, then @position and ?condition where they are not the whole."""
        position = "" if self.position == "all" else f"@{self.position}"
        return self.fault.name + position + ("" if self.condition is None else f"?{self.condition}")

    @property
    def equation(self) -> Equation:
        """The equation that it breaks: the slope is a factor of BP1 at the output and of BP2 below."""
        if self.fault.equation == "BP1" and self.fault.step in _SLOPE_STEPS and self.position in ("hidden", "first"):
            return "BP2"
        return self.fault.equation

    def excludes(self, other: "Plant") -> bool:
        """Whether the two are never at the same layer of the same case."""
        pairs = ({self.position, other.position}, {self.condition, other.condition})
        return any(pair in _EXCLUSIVE for pair in pairs)


class Placed(Backprop):
    """Backprop that knows, while a step is taken, which positions the step's layer has.

    silent: the plants whose condition the present case does not meet. learning_rate: that of a training step.
    """

    silent: frozenset[Plant] = frozenset()
    learning_rate: float = 1.0
    _output: Layer | None = None  # the last layer of the pass backwards
    _depth = 0
    _number = 0  # the layer that the forward pass is at
    _square = False  # whether its weight is

    def forward(
        self, x: Array, weights: Sequence[Array], biases: Sequence[Array | None], activations: Sequence[Activation]
    ) -> list[Layer]:
        """Layers 1 to L, counted."""
        self._depth, self._number = len(weights), 0
        return super().forward(x, weights, biases, activations)

    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        """The first step in each layer."""
        self._number += 1
        self._square = weight.shape[0] == weight.shape[1]
        return super().preactivation(inputs, weight, bias)

    def deltas(self, layers: Sequence[Layer], loss_gradient: Array) -> list[Array]:
        """The steps after this one are at `layers`."""
        self._output = layers[-1]
        return super().deltas(layers, loss_gradient)

    def positions(self, step: str, arguments: Sequence[Any]) -> tuple[str, ...]:
        """The positions of the layer at which a step is taken with these arguments."""
        if step in _LAYER_ARGUMENT:
            layer: Layer = arguments[_LAYER_ARGUMENT[step]]
            first, last = layer.below is None, layer is self._output
            square = layer.weight.shape[0] == layer.weight.shape[1]
        else:
            first, last, square = self._number == 1, self._number == self._depth, self._square
        widths = "equal_widths" if square else "unequal_widths"
        return ("all", "output" if last else "hidden", widths, *(["first"] if first else []))


@lru_cache(maxsize=4096)
def _compose(plants: tuple[Plant, ...]) -> type[Placed]:
    for one, other in combinations(plants, 2):
        replaced = one.fault.step == other.fault.step and not (one.fault.builds or other.fault.builds)
        if (replaced or one.fault == other.fault) and not one.excludes(other):
            raise ValueError(
                f"{one.slug} and {other.slug} are both in the step {one.fault.step} at the same place: "
                "plant them at positions that exclude each other, or plant one of them"
            )
    grouped: dict[Fault, list[Plant]] = {}
    # What builds on the right result comes first: its super() then finds the fault that replaces it.
    for plant in sorted(plants, key=lambda plant: not plant.fault.builds):
        grouped.setdefault(plant.fault, []).append(plant)
    bases = [_limited(fault, places) for fault, places in grouped.items()]
    composed: type[Placed] = type("Composed", (Placed, *bases), {})
    return composed


def _limited(fault: Fault, places: Sequence[Plant]) -> type[Backprop]:
    """The fault's class, or one below it that takes the step rightly but at these places."""
    if any(place.position == "all" and place.condition is None for place in places):
        return fault.backprop
    step = fault.step
    wrong = getattr(fault.backprop, step)

    def placed(self: Placed, *arguments: Any, **options: Any) -> Any:
        here = self.positions(step, arguments)
        if any(place.position in here and place not in self.silent for place in places):
            return wrong(self, *arguments, **options)
        return getattr(super(fault.backprop, self), step)(*arguments, **options)

    limited: type[Backprop] = type(fault.backprop.__name__, (fault.backprop,), {step: placed})
    return limited


def compose(plants: Iterable[Plant]) -> type[Placed]:
    """One class that makes all of these mistakes; Placed, which makes none, for none.

    Faults of one step go together at positions or conditions that exclude each other, or as a product, where one of
    them builds on what the other returns. In a network of one layer, which is first and output, what is named first
    counts. Whoever runs it says which conditions are not met, by `silent`. Raises ValueError where plants cannot be
    combined.
    """
    return _compose(tuple(plants))


class Planted:
    """The handwritten network with these plants, as a candidate. One instance keeps its state from call to call.

    What a faulty formula raises, where shapes do not fit, passes through, unless it is dC/dx alone that does not fit:
    that is left out. NumPy's warnings are silent. learning_rate: that of the training step from which the gradients are
    read, for faults that can be seen there alone. Raises ValueError where plants cannot be combined.
    """

    def __init__(self, plants: Iterable[Plant], domain: Domain = DEFAULT_DOMAIN, *, learning_rate: float = 1.0) -> None:
        self.plants = tuple(plants)
        self.name = "+".join(plant.slug for plant in self.plants) or "scratch"
        self.domain = domain
        self.backprop = compose(self.plants)()
        self.calls = 0
        self.backprop.learning_rate = learning_rate
        self._conditioned = [plant for plant in self.plants if plant.condition is not None]

    def answer(self, case: Case) -> Answer:
        """Everything that scratch returns, made with the faulty formulas."""
        if self._conditioned:
            silent = frozenset(plant for plant in self._conditioned if not self._met(plant.condition, case))
            self.backprop.silent = silent
        self.calls += 1
        network = network_of(case, lambda: self.backprop)
        try:
            found = network.gradients(case.x, case.y)
        except ValueError:
            # Shapes that fit everywhere but at x, of which few networks want the gradient.
            found = network.gradients(case.x, case.y, by_inputs=False)
        return Answer(
            loss=found.loss, weights=found.weights, biases=found.biases, inputs=found.inputs, deltas=found.deltas
        )

    def _met(self, condition: str | None, case: Case) -> bool:
        if condition == SECOND_CALL:
            return self.calls > 0
        return condition is None or CONDITIONS[condition](case)


def _unknown(kind: str, name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"no {kind} {name!r}.{hint} The {kind}s are: {', '.join(names)}"
