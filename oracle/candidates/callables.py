"""Python functions as candidates: called with fresh copies in their own layout, and never trusted to behave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from backproof.candidates.contract import Answer, Array, Failure
from backproof.candidates.ending import TerminatedError
from backproof.candidates.handed import Handed
from backproof.candidates.layout import Declaration, Kind, Layout
from backproof.candidates.patience import Patience
from backproof.candidates.reading import UnreadableError, read
from backproof.candidates.watch import OutOfTimeError, place, within
from backproof.candidates.wording import said
from backproof.cases.case import Case
from backproof.cases.domain import Domain


def common_ground() -> Domain:
    """What a candidate without a Domain is asked for: what nearly every handwritten network has, in float64."""
    return Domain(
        activations=("identity", "sigmoid", "tanh", "relu"),
        output_activations=("identity", "sigmoid", "tanh", "relu", "softmax"),
        losses=("mse", "half_squared_error", "cross_entropy"),
        reductions=("sum", "mean"),
        dtypes="float64",
    )


def elsewhere(*_: object) -> object:
    """What stands in the place of a function that another process has, and that is asked through that process alone."""
    raise RuntimeError("this candidate's function is in another process: ask the candidate, not its function")


class Last:
    """What the last answer of a function held when it was given."""

    def __init__(self) -> None:
        self._given: list[tuple[str, Array, bytes]] = []

    def follow(self, answer: Answer) -> Answer:
        """The next answer as a copy, with the name of an array that its call has changed in the one before."""
        altered = next((name for name, array, held in self._given if array.tobytes() != held), "")
        self._given = [(name, array, array.tobytes()) for name, array in answer.arrays()]
        return replace(answer.copied(), altered=altered)


@dataclass(frozen=True, kw_only=True)
class FunctionCandidate:
    """A function `loss_and_gradients(network, x, y)`; without a declaration it has the default layout.

    `text` is the CANDIDATE text that finds it again in another process; None for a function that was handed over.
    `patience`: how long an answer is waited for, where a timer can end it; see `watch.within`. `last`: for telling that
    an answer was changed by the call after it.
    """

    name: str
    function: Callable[..., object]
    declaration: Declaration | None = None
    text: str | None = None
    patience: Patience = field(default_factory=Patience, compare=False, repr=False)
    last: Last = field(default_factory=Last, compare=False, repr=False)

    is_program: ClassVar[bool] = False
    """Whether it is asked in JSON, whose numbers have no type."""

    @property
    def kind(self) -> Kind:
        """What it returns: gradients, or the parameters after a step."""
        return "gradients" if self.declaration is None else self.declaration.kind

    @property
    def domain(self) -> Domain:
        """The declared domain; without one, the common ground."""
        return common_ground() if self.declaration is None else self.declaration.domain

    def answer(self, case: Case) -> Answer:
        """Call the function on copies of the case's arrays, and read what it returns: a copy, too."""
        if (nothing := self.patience.exhausted) is not None:
            return nothing
        layout = Layout() if self.declaration is None else self.declaration.layout
        begun = time.monotonic()
        answer = self._within(self.patience.seconds, Handed(case, layout))
        if answer.failure == "timeout":
            answer = replace(answer, message=answer.message + self.patience.hurry)
            self.patience.failed("timeout", answer.message)
        else:
            self.patience.answered(time.monotonic() - begun)
        return self.last.follow(answer)

    def _within(self, seconds: float, handed: Handed) -> Answer:
        """What it returns in that time, or raises, or that it does neither."""

        def answered() -> Answer:
            # What it sets for the errors of NumPy's arithmetic ends with the call. Reading may run its code, too: an
            # object says itself how it becomes an array, as does one that it has put into the network.
            with np.errstate():
                answer = self.read(self.called(handed), handed)
                changed = handed.changed(self.may_change)
                return replace(answer, mutated=changed) if changed else answer

        try:
            return within(seconds, answered)
        except UnreadableError as error:
            return Answer(failure=error.failure, message=str(error))
        except NotImplementedError as error:
            # Without a declared domain this is an honest answer; with one, an unfilled homework must not pass.
            failure: Failure = "unsupported" if self.declaration is None else "error"
            return Answer(failure=failure, message=_told(error, self.function))
        except OutOfTimeError as error:
            message = f"interrupted after {seconds:g} s without an answer{place(error, _file(self.function))}"
            return Answer(failure="timeout", message=message)
        except (KeyboardInterrupt, TerminatedError):
            raise
        except BaseException as error:  # noqa: BLE001  whatever it raises is its verdict, not our crash
            return Answer(failure="error", message=_told(error, self.function) + self._wants(error))

    may_change: ClassVar[tuple[str, ...]] = ()
    """What a call may change of what it is handed, by the beginnings of the names."""

    arguments: ClassVar[str] = "network, x, y"
    """What it is called with."""

    def _wants(self, error: BaseException) -> str:
        """What it is called with, where the call itself was refused: by no line of the function's own."""
        if not isinstance(error, TypeError) or place(error):
            return ""
        return f"; it is called as {self.name.rpartition(':')[2]}({self.arguments})"

    def called(self, handed: Handed) -> object:
        """What the function returns."""
        return self.function(handed.network, handed.x, handed.y)

    def read(self, returned: object, handed: Handed) -> Answer:
        """The gradients in what it returned.  Raises UnreadableError."""
        return read(returned, handed.case, handed.layout)


def _told(error: BaseException, function: object) -> str:
    """An exception in one line, with the place that raised it."""
    return said(error) + place(error, _file(function))


def _file(function: object) -> str | None:
    """The file that a function stands in."""
    methods = vars(type(function))
    code = getattr(function, "__code__", None) or getattr(methods.get("__call__"), "__code__", None)
    return getattr(code, "co_filename", None)
