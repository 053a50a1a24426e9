"""The two candidates that ship with Backproof: `scratch`, and PyTorch's own arithmetic, held to the same bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.scratch import Backprop, Network


def network_of(case: Case, backprop: Callable[[], Backprop] = Backprop) -> Network:
    """The handwritten network of a case; with what makes a subclass of Backprop, with its mistake."""
    spec = case.spec
    return Network(
        case.weights,
        case.biases,
        [formula.name for formula in spec.activations],
        loss=spec.loss.name,
        reduction=spec.reduction,
        activation_options=[formula.options for formula in spec.activations],
        loss_options=case.loss_options,
        penalty=spec.penalty,
        upstream=case.upstream,
        backprop=backprop,
    )


class Scratch:
    """The handwritten NumPy network of `backproof.scratch`."""

    name: Final = "scratch"
    text: Final = "scratch"

    def __init__(self) -> None:
        self.domain = Domain()

    def answer(self, case: Case) -> Answer:
        """dC/dW, dC/db, dC/dx and every delta, by `scratch.Network`."""
        found = network_of(case).gradients(case.x, case.y)
        return Answer(
            loss=found.loss, weights=found.weights, biases=found.biases, inputs=found.inputs, deltas=found.deltas
        )


class Torch:
    """PyTorch in the case's own dtype: float32 arithmetic against the float64 reference, float64 against itself."""

    name: Final = "torch"
    text: Final = "torch"
    deviates_as_listed: ClassVar[bool] = True
    """Whether a failure of it may be one of PyTorch's listed deviations, which are its own."""

    def __init__(self) -> None:
        self.domain = Domain()

    def answer(self, case: Case) -> Answer:
        """The same quantities, by PyTorch's autograd; unsupported where PyTorch refuses what its own overflow made."""
        from backproof.truth import autograd

        try:
            return Answer.of(autograd.gradients(case))
        except RuntimeError as error:
            return Answer(failure="unsupported", message=f"PyTorch refuses: {' '.join(str(error).split())}")


BUILTIN: Final[Mapping[str, Callable[[], Candidate]]] = MappingProxyType({"scratch": Scratch, "torch": Torch})
