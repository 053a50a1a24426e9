"""What a candidate is: something with a name and a domain that answers a case with gradients, or says why it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from backproof.cases.case import Case
    from backproof.cases.domain import Domain
    from backproof.cases.gradients import Gradients, ReadOff

Array = NDArray[Any]
PROGRAM: Final = "exec:"
"""What a CANDIDATE that is a command begins with."""
TIMEOUT: Final = 10.0
"""Seconds that a candidate may take for one case."""
LONGEST: Final = 1e6
"""The most of them that may be asked for; beyond some weeks no clock can wait."""
Failure = Literal["error", "timeout", "unsupported", "shape", "missing"]
"""Why there is nothing to compare; each is the name of a verdict."""


class CandidateError(Exception):
    """A candidate that cannot be had: no such file or name, an import that fails, or something that is not callable."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What a candidate returned for one case, in the default layout, or why there is nothing that can be read.

    loss: (), or under reduction "none" (N, O) or (N,); weights: (O, I) and biases: (O,) per layer, in layer order;
    inputs: (N, I); deltas: (N, O) per layer. None stands for what was not returned. `failure` says that there are no
    gradients, `message` why; `mutated` names the first array of the case that the call changed ("" for none), `altered`
    the first array of the answer before, where that answer was a copy and does not show it. `written`: the line of a
    program that the answer was read from.
    `read_off`: per (quantity, layer), how gradients were read off a training step, at this `learning_rate`; None for
    all other candidates.
    """

    loss: Array | None = None
    weights: tuple[Array | None, ...] = ()
    biases: tuple[Array | None, ...] = ()
    inputs: Array | None = None
    deltas: tuple[Array | None, ...] | None = None
    failure: Failure | None = None
    message: str = ""
    mutated: str = ""
    altered: str = ""
    written: bytes = b""
    read_off: Mapping[tuple[str, int | None], ReadOff] | None = None
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        """A message holds what a candidate says, which need not be fit to print."""
        if self.message:
            object.__setattr__(self, "message", printable(self.message))

    @classmethod
    def of(cls, gradients: Gradients) -> Answer:
        """The answer that is a full set of gradients."""
        return cls(
            loss=gradients.loss,
            weights=gradients.weights,
            biases=gradients.biases,
            inputs=gradients.inputs,
            deltas=gradients.deltas,
        )

    def copied(self) -> Answer:
        """The same numbers in arrays of its own, which no later call can change."""

        def copies(arrays: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
            return tuple(None if array is None else np.array(array) for array in arrays)

        loss, inputs = copies((self.loss, self.inputs))
        deltas = None if self.deltas is None else copies(self.deltas)
        kept = replace(self, loss=loss, inputs=inputs, deltas=deltas)
        return replace(kept, weights=copies(self.weights), biases=copies(self.biases))

    def fits(self, case: Case) -> bool:
        """Whether it has every weight and bias gradient of a case, in its right shape."""
        given, wanted = (
            [None if array is None else array.shape for array in (*each.weights, *each.biases)] for each in (self, case)
        )
        return self.failure is None and given == wanted

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """(name, array) of everything that was returned, as people index it: "weights[1]"."""
        for name, array in (("loss", self.loss), ("inputs", self.inputs)):
            if array is not None:
                yield name, array
        for name, arrays in (("weights", self.weights), ("biases", self.biases), ("deltas", self.deltas or ())):
            yield from ((f"{name}[{at}]", array) for at, array in enumerate(arrays) if array is not None)


class Candidate(Protocol):
    """An implementation of backpropagation under test.

    One that other processes can find again also has `text`, its CANDIDATE text; without it, one process does all.
    """

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def domain(self) -> Domain:
        """The networks that it says it supports: it is never asked for others."""
        ...

    def answer(self, case: Case) -> Answer:
        """Its loss and gradients for one case.

        What the implementation raises may pass through: whoever asks turns it into a failed Answer.
        """
        ...


def declares_nothing(candidate: object) -> bool:
    """Whether a candidate has no declared domain, and is asked for the common ground: a function without @candidate."""
    return getattr(candidate, "declaration", candidate) is None
