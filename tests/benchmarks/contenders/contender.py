"""What a contender is: one way to compute the same derivatives, and how to read what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, Literal, Self

from benchmarks.problems import LOSSES, Array, Problem

Task = Literal["gradients", "per sample", "jvp"]
TASKS: Final[dict[Task, str]] = {
    "gradients": "C, dC/dW and dC/db of the batch",
    "per sample": "dC/dW and dC/db of every sample by itself",
    "jvp": "the change of C along a direction of W, b and x",
}


@dataclass(frozen=True, eq=False)
class Found:
    """An answer in the project's layout; None for what is not computed. Per sample, arrays have a leading axis N."""

    loss: Array | None = None
    weights: Sequence[Array] | None = None
    biases: Sequence[Array] | None = None

    @classmethod
    def of_parameters(cls, loss: Array, gradients: Sequence[Array]) -> Self:
        """An answer by all parameters in a row, dC/dW of every layer before dC/db."""
        layers = len(gradients) // 2
        return cls(loss, gradients[:layers], gradients[layers:])


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One record of the registry.

    prepare: everything that a training loop does once; it returns what is done at every step, which is what is timed.
    read: what one step on a problem returned, as Found. package: what must be installed. baseline: whether the times of
    its task are divided by its own. needed: whether a table without it would say nothing; only these run on brief
    problems. fragile: whether it may be unable to run on a machine; then it is left out, with its reason. losses: those
    it is measured with. calls: roughly what is called, for readers of the table.
    """

    name: str
    task: Task
    prepare: Callable[[Problem], Callable[[], Any]]
    read: Callable[[Any, Problem], Found]
    package: str
    calls: str
    baseline: bool = False
    needed: bool = False
    fragile: bool = False
    losses: Sequence[str] = LOSSES

    @property
    def installed(self) -> bool:
        """Whether its package is here."""
        return find_spec(self.package) is not None

    def enters(self, problem: Problem) -> bool:
        """Whether it is measured on a problem."""
        return problem.loss in self.losses and (self.needed or not problem.brief)
