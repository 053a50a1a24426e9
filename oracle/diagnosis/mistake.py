"""One mistake as it is answered: the equation that it breaks, where, its name, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backproof.diagnosis.faults.fault import Fault
from backproof.diagnosis.faults.planting import Plant

RULES: Final = {
    "BP0": "a = phi(W a_below + b)",
    "loss": "C as asked for, from the last layer's a",
    "BP1": "delta = dC/da * phi'(z)",
    "BP2": "delta = (W_above^T delta_above) * phi'(z)",
    "BP3": "db = delta, summed over the batch",
    "BP4": "dW = delta a_below^T, summed over the batch",
    "batch": "the gradient of N samples is the sum of the N gradients of one",
    "scale": "every gradient has the factor that the reduction says",
    "penalty": "dW = ... + l1 sign(W) + l2 W",
    "state": "a call depends on its arguments alone",
    "step": "W <- W - learning_rate * dW, and the same for b",
    "numerics": "the same formula, in the precision of its arguments",
    "shape": "dW has the shape of W, db that of b",
}
"""Each equation in one line, as it is wanted."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One mistake: the equation it breaks, where, and the fault that it is, None where nothing of the catalogue fits.

    position: "output", "hidden", "first" or "all"; layer: the one layer that it is in, where that is none of these.
    also_fits: other faults that give the same numbers wherever this one does. condition: when it shows, None for
    always. subject: what is wrong, where that is not the equation's own.
    """

    equation: str
    position: str = "all"
    layer: int | None = None
    fault: str | None = None
    also_fits: tuple[str, ...] = ()
    used: str = ""
    wanted: str = ""
    why: str = ""
    hint: str = ""
    condition: str | None = None
    subject: str = ""

    @classmethod
    def of(cls, plant: Plant, also_fits: tuple[str, ...] = (), condition: str | None = None) -> Diagnosis:
        """A fault of the catalogue, where it is planted, in the catalogue's words."""
        fault = plant.fault
        return cls(
            equation=_equation(fault, plant.position),
            position=_place(fault, plant.position),
            fault=fault.name,
            also_fits=also_fits,
            used=fault.used,
            wanted=fault.wanted,
            why=fault.why,
            hint=fault.hint,
            condition=condition or _condition(plant),
        )

    def to_json(self, hints: str = "all") -> dict[str, Any]:
        """As `--json` prints it; without the answer where the hints are not "all"."""
        if hints != "all":
            return {"equation": self.equation, "position": self.position, "condition": self.condition}
        return {
            "equation": self.equation,
            "position": self.position,
            "fault": self.fault,
            "also_fits": list(self.also_fits),
            "used": self.used,
            "wanted": self.wanted,
            "why": self.why,
            "condition": self.condition,
        }


def _equation(fault: Fault, position: str) -> str:
    """The equation a plant breaks: a slope that is wrong in hidden layers alone is BP2's, wherever else it is BP1's."""
    return "BP2" if fault.equation == "BP1" and position in ("hidden", "first") else fault.equation


def _place(fault: Fault, position: str) -> str:
    """A plant's position as it is told: BP1 is the output's, BP2 that of hidden layers."""
    if position in ("output", "hidden", "first"):
        return position
    if fault.equation == "BP1":
        return "output" if fault.step in ("output_delta", "loss_gradient") else "all"
    return "hidden" if fault.equation == "BP2" and fault.step in ("hidden_delta", "upstream") else "all"


def _condition(plant: Plant) -> str | None:
    return plant.position if plant.position in ("equal_widths", "unequal_widths") else plant.condition
