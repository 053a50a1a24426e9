"""What a fault is: a named way to get one equation wrong, told in words and planted in the handwritten network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from backproof.scratch import Backprop

Equation = Literal[
    "BP0", "loss", "BP1", "BP2", "BP3", "BP4", "batch", "scale", "penalty", "step", "state", "numerics", "shape"
]

STEPS: Final = (
    "forward",
    "preactivation",
    "activation",
    "loss_value",
    "loss_gradient",
    "penalty_value",
    "penalty_gradient",
    "deltas",
    "output_delta",
    "hidden_delta",
    "upstream",
    "times_derivative",
    "activation_derivative",
    "bias_gradient",
    "weight_gradient",
    "loss_and_gradients",
)
"""Every method of Backprop, each of which a fault may override."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mistake that people make, in one step of backpropagation.

    name: its slug, equation and mistake in words. equation: the one that it breaks; what shows only for N > 1 is
    "batch", a constant factor on everything "scale", what an earlier call left behind "state". step: the method of
    Backprop that goes wrong, `loss_and_gradients` for what is done to the whole. used, wanted: the wrong and the right
    formula in one line (g = dC/da, delta = dC/dz, l layers, N samples, O outputs). why: one sentence for somebody who
    is confused today. hint: what the code probably looks like. backprop: the class that makes this mistake and no
    other: its one method IS the wrong formula. only_steps: it can be seen in training steps alone. dtype: for a loss
    of precision, the accuracy that is left. family: the slug that the members of a family share.
    """

    name: str
    equation: Equation
    step: str
    used: str
    wanted: str
    why: str
    hint: str
    backprop: type[Backprop]
    only_steps: bool = False
    dtype: Literal["float32"] | None = None
    family: str = ""

    @property
    def remembers(self) -> bool:
        """Whether what it returns depends on earlier calls: its class has a place for what they leave."""
        return bool(set(vars(self.backprop).get("__annotations__", {})) - {"learning_rate"})

    @property
    def builds(self) -> bool:
        """Whether the wrong formula starts from the right result: then another fault of the same step fits inside."""
        return "super" in getattr(self.backprop, self.step).__code__.co_names


class Chapter:
    """The faults of one equation, in the order in which they are written down: each a decorator on its class."""

    def __init__(self, equation: Equation, wanted: str) -> None:
        self.equation = equation
        self.wanted = wanted
        self.faults: list[Fault] = []

    def fault(
        self,
        name: str,
        *,
        used: str,
        why: str,
        hint: str,
        wanted: str = "",
        only_steps: bool = False,
        dtype: Literal["float32"] | None = None,
        family: str = "",
    ) -> Callable[[type[Backprop]], type[Backprop]]:
        """Enters the decorated class under `name`; `wanted` stands for the chapter's own where it is left out.

        Raises TypeError where the class overrides no step, or more than one.
        """

        def enter(backprop: type[Backprop]) -> type[Backprop]:
            overridden = [step for step in STEPS if step in vars(backprop)]
            if len(overridden) != 1:
                raise TypeError(f"fault {name!r} must override one step of Backprop; it overrides {overridden}")
            self.faults.append(
                Fault(
                    name=name,
                    equation=self.equation,
                    step=overridden[0],
                    used=used,
                    wanted=wanted or self.wanted,
                    why=why,
                    hint=hint,
                    backprop=backprop,
                    only_steps=only_steps,
                    dtype=dtype,
                    family=family,
                )
            )
            return backprop

        return enter
