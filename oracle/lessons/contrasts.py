"""A fault in numbers: the first small network on which it shows, and what it computes beside what is right."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from backproof.cases import Array, Case
from backproof.diagnosis.faults import FAULTS, Fault
from backproof.diagnosis.faults.planting import Placed, Plant, compose
from backproof.lessons.lesson import Contrast, Example
from backproof.lessons.networks import before, sampled, written
from backproof.lessons.solved import Solved, described, given
from backproof.lessons.spelling import DIGITS, spelled

RATE: Final = 0.5
"""The learning rate with which faults of training steps are shown."""
PRECISE: Final = 9
"""Significant digits with which a small difference is shown."""
_LONGEST: Final = 28
"""An array that takes more characters than this is shown by one of its entries."""


# Words in a fault's record that speak of classes, and the losses that do.
_OF_CLASSES: Final = ("class", "argmax", "label", "one_hot")
_CLASSIFYING: Final = ("cross_entropy", "categorical_cross_entropy", "nll", "bce", "bce_with_logits")


class UnseenFaultError(LookupError):
    """A fault that none of the small networks shows."""


@dataclass(frozen=True, eq=False)
class Row:
    """A quantity, as it is and as the mistake makes it."""

    name: str
    right: Array
    wrong: Array

    @property
    def fits(self) -> bool:
        """Whether the mistake's array has the right shape."""
        return self.wrong.shape == self.right.shape

    def differs(self, digits: int) -> bool:
        """Whether the two are printed differently."""
        return not _alike(self.right, self.wrong, digits)


def _alike(one: Array, other: Array, digits: int) -> bool:
    """Whether two arrays are printed alike."""
    if one.shape != other.shape:
        return False
    return one.tobytes() == other.tobytes() or spelled(one, digits) == spelled(other, digits)


@dataclass(frozen=True, eq=False)
class Trial:
    """A fault on a case: its rows, whether another call came before, and what it raised."""

    case: Case
    rows: tuple[Row, ...]
    digits: int
    second_call: bool = False
    raised: str = ""

    @cached_property
    def shows(self) -> bool:
        """Whether anything is wrong beside dC/dx, which few networks are asked for."""
        return bool(self.raised) or any(row.differs(self.digits) for row in self.rows if row.name != "dC/dx")

    @property
    def fits(self) -> bool:
        """Whether all shapes are right, so that only numbers tell."""
        return not self.raised and all(row.fits for row in self.rows)

    def looks_like(self, other: "Trial") -> bool:
        """Whether both mistakes are printed alike."""
        if (self.raised, len(self.rows)) != (other.raised, len(other.rows)):
            return False
        pairs = zip(self.rows, other.rows, strict=True)
        return all(_alike(one.wrong, two.wrong, self.digits) for one, two in pairs)


def contrasted(fault: Fault) -> Example:
    """What the fault computes beside what is right, on the network that `shown` finds.  Raises UnseenFaultError."""
    return _told(fault, shown(fault))


@lru_cache(maxsize=8)
def shown(fault: Fault) -> Trial:
    """The first trial on the networks that are written down, or else on sampled ones.  Raises UnseenFaultError."""
    siblings = [other for other in FAULTS if (other.equation, other.step) == (fault.equation, fault.step)]
    return first_trial(fault, written, sampled, siblings=[other for other in siblings if other != fault])


def first_trial(fault: Fault, *stages: Callable[[], Sequence[Case]], siblings: Sequence[Fault] = ()) -> Trial:
    """The fault on the first network on which it gives wrong numbers in arrays of the right shapes.

    Networks with the functions that the fault's record speaks of come first; one on which no sibling gives the same
    numbers is taken before one on which some does, as twice N is not told from twice where N = 1. A further stage is
    entered only where none before it shows the fault, and so are further digits. If shapes are wrong wherever it shows,
    or it raises, that counts. Raises UnseenFaultError where it shows on none.
    """
    for cases in stages:
        ordered = _ordered(fault, cases())
        for digits in (DIGITS, PRECISE) if fault.dtype is None else (PRECISE,):
            shared: Trial | None = None
            misfit: Trial | None = None
            for case in ordered:
                trial = _tried(fault, case, digits)
                if trial.shows and trial.fits:
                    if not any(_tried(other, case, digits).looks_like(trial) for other in siblings):
                        return trial
                    shared = shared or trial
                elif trial.shows:
                    misfit = misfit or trial
            found = shared or misfit
            if found is not None:
                return found
    raise UnseenFaultError(f"{fault.name}: it shows on none of {sum(len(cases()) for cases in stages)} small networks")


def _ordered(fault: Fault, cases: Sequence[Case]) -> list[Case]:
    """Networks with a penalty for faults of penalties alone; what the fault's record speaks of comes first."""
    words = f"{fault.name} {fault.used} {fault.wanted} {fault.hint}".replace("-", "_")
    charged = [case for case in cases if (case.spec.penalty is not None) == fault.step.startswith("penalty")]
    return sorted(charged or cases, key=lambda case: _rank(fault, case, words))


def _rank(fault: Fault, case: Case, words: str) -> tuple[bool, bool, bool]:
    spec = case.spec
    named = {formula.name for formula in spec.activations} | {spec.loss.name}
    spoken_of = any(name in words for name in named - {"identity", "linear", "half_squared_error", "l1", "threshold"})
    classes = any(word in words for word in _OF_CLASSES)
    linear = "activation" in fault.step and all(formula.name == "identity" for formula in spec.activations)
    return not spoken_of, classes and spec.loss.name not in _CLASSIFYING, linear


@lru_cache(maxsize=1024)
def _right(case: Case, *, stepped: bool, forward: bool) -> tuple[tuple[str, Array], ...]:
    return tuple(_quantities(Solved(case), stepped=stepped, forward=forward))


@lru_cache(maxsize=4096)
def _tried(fault: Fault, case: Case, digits: int) -> Trial:
    """The fault on that case; for what is kept from call to call after another call, if the first shows nothing."""
    trial = _compared(fault, case, _planted(fault), digits)
    if trial.shows or fault.equation not in ("state", "step"):
        return trial
    planted = _planted(fault)
    Solved(before(case), lambda: planted)
    return _compared(fault, case, planted, digits, second_call=True)


def _planted(fault: Fault) -> Placed:
    planted = compose((Plant(fault),))()
    planted.learning_rate = RATE
    return planted


def _compared(fault: Fault, case: Case, planted: Placed, digits: int, *, second_call: bool = False) -> Trial:
    seen = {"stepped": fault.only_steps, "forward": fault.equation == "BP0"}
    try:
        wrong = dict(_quantities(Solved(case, lambda: planted), **seen))
    except (ValueError, TypeError, IndexError) as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Trial(case, (), digits, second_call, message)
    rows = tuple(Row(name, array, wrong[name]) for name, array in _right(case, **seen) if name in wrong)
    return Trial(case, rows, digits, second_call)


def _quantities(net: Solved, *, stepped: bool, forward: bool) -> Iterator[tuple[str, Array]]:
    """Everything on the way forward and back, in the order in which it is computed.

    stepped: the parameters after a step for their gradients. forward: a also where it should be z.
    """
    depth = len(net.layers)
    for layer in range(1, depth + 1):
        own = "" if depth == 1 else str(layer)
        yield f"z{own}", net.quantity(f"z {layer}")
        if net.case.spec.activations[layer - 1].name != "identity" or forward:
            yield f"a{own}", net.quantity(f"a {layer}")
    yield "C", net.quantity("loss")
    yield "dC/da" if depth == 1 else f"dC/da{depth}", net.quantity("dC/da")
    for layer in range(depth, 0, -1):
        own = "" if depth == 1 else str(layer)
        if layer < depth:
            yield f"dC/da{own}", _upstream(net, layer)
        formula = net.layers[layer - 1].activation
        if not formula.rowwise and net.case.spec.activations[layer - 1].name != "identity":
            yield f"phi'{own}", _slope(net, layer)
        yield f"delta{own}", net.quantity(f"delta {layer}")
        for symbol, kind, parameter in (
            ("b", "bias", net.case.biases[layer - 1]),
            ("W", "weight", net.case.weights[layer - 1]),
        ):
            if parameter is not None:
                gradient = net.quantity(f"{kind} {layer}")
                if stepped:
                    yield f"new {symbol}{own}", np.asarray(parameter - RATE * gradient)
                else:
                    yield f"d{symbol}{own}", gradient
    if net.found.inputs is not None and not stepped:
        yield "dC/dx", net.found.inputs


def _upstream(net: Solved, layer: int) -> Array:
    """What comes back to a hidden layer."""
    with np.errstate(all="ignore"):
        return np.asarray(net.backprop.upstream(net.found.deltas[layer], net.layers[layer]))


def _slope(net: Solved, layer: int) -> Array:
    """phi' as the network, right or wrong, takes it."""
    here = net.layers[layer - 1]
    with np.errstate(all="ignore"):
        return np.asarray(net.backprop.activation_derivative(here.z, here.a, here))


def _told(fault: Fault, trial: Trial) -> Example:
    case = trial.case
    about = described(case) + (f"; learning rate {RATE:g}" if fault.only_steps else "")
    closing = ""
    if trial.second_call:
        earlier = before(case)
        about += "; second call"
        parameters = ", ".join(f"{name} = {spelled(value)}" for name, value in given(earlier) if name[0] in "xW")
        closing = f"This is the second call. The first was made with {parameters}."
    if trial.raised:
        closing = f"On this network the mistake does not get through: {trial.raised}"
    lines, found = [], False
    for row in trial.rows:
        differs = row.differs(trial.digits)
        lines.append(_line(row, trial.digits, first=differs and not found))
        found = found or differs
    return Example(about=about, given=given(case), contrasts=tuple(lines), closing=closing)


def _line(row: Row, digits: int, *, first: bool) -> Contrast:
    """Both arrays; where they are long, the first entry in which they differ; where they do not fit, their shapes."""
    texts = spelled(row.right, digits), spelled(row.wrong, digits)
    if max(map(len, texts)) <= _LONGEST:
        return Contrast(name=row.name, right=texts[0], wrong=texts[1], first=first)
    if row.right.shape != row.wrong.shape:
        shapes = f"shape {row.right.shape}", f"shape {row.wrong.shape}"
        return Contrast(name=row.name, right=shapes[0], wrong=shapes[1], first=first)
    entries = [
        (at, spelled(row.right[at], digits), spelled(row.wrong[at], digits)) for at in np.ndindex(row.right.shape)
    ]
    at, right, wrong = next((entry for entry in entries if entry[1] != entry[2]), entries[0])
    return Contrast(name=f"{row.name}[{', '.join(map(str, at))}]", right=right, wrong=wrong, first=first)
