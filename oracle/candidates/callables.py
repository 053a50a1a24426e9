"""Python functions as candidates: called with fresh copies in their own layout, and never trusted to behave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.contract import Answer, Failure
from backproof.candidates.layout import Declaration, Kind, Layout
from backproof.candidates.patience import Patience
from backproof.candidates.reading import UnreadableError, read
from backproof.candidates.watch import OutOfTimeError, place, within
from backproof.candidates.wording import said
from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.cases.spec import Penalty

Array = NDArray[Any]


def common_ground() -> Domain:
    """What a candidate without a Domain is asked for: what nearly every handwritten network has, in float64."""
    return Domain(
        activations=("identity", "sigmoid", "tanh", "relu"),
        output_activations=("identity", "sigmoid", "tanh", "relu", "softmax"),
        losses=("mse", "half_squared_error", "cross_entropy"),
        reductions=("sum", "mean"),
        dtypes="float64",
    )


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


def elsewhere(*_: object) -> object:
    """What stands in the place of a function that another process has, and that is asked through that process alone."""
    raise RuntimeError("this candidate's function is in another process: ask the candidate, not its function")


@dataclass(frozen=True, kw_only=True)
class FunctionCandidate:
    """A function `loss_and_gradients(network, x, y)`; without a declaration it has the default layout.

    `text` is the CANDIDATE text that finds it again in another process; None for a function that was handed over.
    `patience`: how long an answer is waited for, where a timer can end it; see `watch.within`.
    """

    name: str
    function: Callable[..., object]
    declaration: Declaration | None = None
    text: str | None = None
    patience: Patience = field(default_factory=Patience, compare=False, repr=False)

    @property
    def kind(self) -> Kind:
        """What it returns: gradients, or the parameters after a step."""
        return "gradients" if self.declaration is None else self.declaration.kind

    @property
    def domain(self) -> Domain:
        """The declared domain; without one, the common ground."""
        return common_ground() if self.declaration is None else self.declaration.domain

    def answer(self, case: Case) -> Answer:
        """Call the function on copies of the case's arrays, and read what it returns."""
        if (nothing := self.patience.exhausted) is not None:
            return nothing
        layout = Layout() if self.declaration is None else self.declaration.layout
        answer = self._within(self.patience.seconds, Handed(case, layout))
        if answer.failure == "timeout":
            answer = replace(answer, message=answer.message + self.patience.hurry)
            self.patience.failed("timeout", answer.message)
        else:
            self.patience.answered()
        return answer

    def _within(self, seconds: float, handed: Handed) -> Answer:
        """What it returns in that time, or raises, or that it does neither."""

        def answered() -> Answer:
            # What it sets for the errors of NumPy's arithmetic ends with the call. Reading may run its code, too: an
            # object says itself how it becomes an array.
            with np.errstate():
                return self.read(self.called(handed), handed)

        try:
            return replace(within(seconds, answered), mutated=handed.changed(self.may_change))
        except UnreadableError as error:
            return Answer(failure=error.failure, message=str(error))
        except NotImplementedError as error:
            # Without a declared domain this is an honest answer; with one, an unfilled homework must not pass.
            failure: Failure = "unsupported" if self.declaration is None else "error"
            return Answer(failure=failure, message=_told(error, self.function))
        except OutOfTimeError as error:
            message = f"interrupted after {seconds:g} s without an answer{place(error, _file(self.function))}"
            return Answer(failure="timeout", message=message)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  whatever it raises is its verdict, not our crash
            return Answer(failure="error", message=_told(error, self.function))

    may_change: ClassVar[tuple[str, ...]] = ()
    """What a call may change of what it is handed, by the beginnings of the names."""

    def called(self, handed: Handed) -> object:
        """What the function returns."""
        return self.function(handed.network, handed.x, handed.y)

    def read(self, returned: object, handed: Handed) -> Answer:
        """The gradients in what it returned.  Raises UnreadableError."""
        return read(returned, handed.case, handed.layout)


class Handed:
    """A case as it is handed over, with what it held before the call."""

    def __init__(self, case: Case, layout: Layout) -> None:
        self.case, self.layout = case, layout
        spec, hand = case.spec, layout.hand
        options = {
            name: hand(layout.give_outputs(value)) if isinstance(value, np.ndarray) else value
            for name, value in case.loss_options.items()
        }
        self.network = Network(
            weights=[hand(layout.give_weight(weight)) for weight in case.weights],
            biases=[None if bias is None else hand(layout.give_bias(bias)) for bias in case.biases],
            activations=[formula.name for formula in spec.activations],
            activation_options=[formula.options for formula in spec.activations],
            loss=spec.loss.name,
            loss_options=options,
            reduction=spec.reduction,
            penalty=spec.penalty,
            upstream=None if case.upstream is None else hand(layout.give_outputs(case.upstream)),
        )
        self.x, self.y = hand(layout.give_samples(case.x)), hand(layout.give_targets(case.y, spec))
        named = [("x", self.x), ("y", self.y), ("network.upstream", self.network.upstream)]
        named += [(f"network.weights[{at}]", weight) for at, weight in enumerate(self.network.weights)]
        named += [(f"network.biases[{at}]", bias) for at, bias in enumerate(self.network.biases)]
        named += [(f"network.loss_options[{name!r}]", value) for name, value in options.items()]
        self._before = [(name, held, _bytes(held)) for name, held in named if isinstance(held, (np.ndarray, list))]

    def changed(self, allowed: tuple[str, ...] = ()) -> str:
        """The name of the first array that no longer holds what it held, or ""; names that begin as `allowed` may."""
        return next(
            (
                name
                for name, held, before in self._before
                if not (allowed and name.startswith(allowed)) and _bytes(held) != before
            ),
            "",
        )


def _bytes(held: Any) -> bytes:
    """What an array or a nested list holds.

    Bytes, because comparing them is ten times as fast as comparing arrays and takes NaN for equal to itself.
    """
    return held.tobytes() if isinstance(held, np.ndarray) else repr(held).encode()


def _told(error: BaseException, function: object) -> str:
    """An exception in one line, with the place that raised it."""
    return said(error) + place(error, _file(function))


def _file(function: object) -> str | None:
    """The file that a function stands in."""
    methods = vars(type(function))
    code = getattr(function, "__code__", None) or getattr(methods.get("__call__"), "__code__", None)
    return getattr(code, "co_filename", None)
