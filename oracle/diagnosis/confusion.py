"""The check is checked: every fault planted in the handwritten network, found or not, and named rightly or not.

Two matrices come of it. Found: on how many random networks a fault changes the numbers, on how many of these the
check says so, and by which quantities. Named: which name each planted fault got, alone or among those that give the
same numbers everywhere; a fault that changes nothing on any network tried is equivalent to a right one, and said to be.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Literal, get_args

import numpy as np

from backproof.candidates.contract import Answer
from backproof.cases.case import Case, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import iterate_specs
from backproof.cases.spec import NetworkSpec
from backproof.comparison import compare
from backproof.diagnosis.diagnosis import Findings, diagnose
from backproof.diagnosis.faults import BY_NAME, FAULTS, Fault
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.hypotheses import RIGHT, Hypothesis, agree, arrays, together
from backproof.examine import Examiner
from backproof.judging.bounds import Bounds
from backproof.judging.verdicts import Check, Verdict

Result = Literal["rightly", "among equals", "wrongly", "unexplained", "equivalent"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)

QUANTITIES: Final = ("loss", "delta", "bias", "weight", "input", "call")
"""What a check compares, and the call itself, which may fail."""
MET: Final = 12
"""On how many networks on which a fault changes the numbers it is examined."""
RATE: Final = 0.3
"""The learning rate of planted training steps: not 1, at which a rate that is applied twice would not show."""
TRIED: Final = 600
"""How many networks are searched for them."""


def arena() -> Domain:
    """Where faults are planted: every activation, loss, reduction and penalty, in small networks of float64."""
    return Domain(
        depth=(1, 4),
        width=(1, 6),
        batch_size=(1, 8),
        dtypes="float64",
        penalties="mixed",
        values=("normal", "saturated", "integers"),
    )


def one_shape() -> Domain:
    """Where faults are planted that keep something from call to call: it must fit the next call."""
    return Domain(widths=(3, 4, 2), batch_size=5, dtypes="float64", activations=("sigmoid", "tanh"), losses="mse")


def far_out() -> Domain:
    """Where faults are planted that overflow or lose digits: large numbers, in networks that still tell something."""
    return Domain(
        depth=(1, 2),
        width=(1, 4),
        batch_size=(1, 3),
        dtypes="float64",
        activations=("sigmoid", "tanh", "softplus", "identity", "elu"),
        output_activations=("identity", "sigmoid", "tanh", "softplus", "softmax", "log_softmax"),
        values=("saturated", "normal", "integers"),
    )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What became of some faults planted together.

    differ: networks among `tried` on which they change numbers by more than half of the digits; found: how many of
    these the check fails; undecided: how many of the others rounding leaves open, so that nothing is claimed; the rest
    is missed. caught: on how many of these each quantity fails. named: the slugs of the diagnosis, also_fits what it
    listed beside them. equations: what it holds to be broken.
    """

    faults: tuple[str, ...]
    equation: str
    tried: int
    differ: int
    found: int
    undecided: int = 0
    caught: Mapping[str, int] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    also_fits: tuple[str, ...] = ()
    equations: tuple[str, ...] = ()

    @property
    def missed(self) -> int:
        """Networks on which the check says that wrong numbers agree: a defect of the check."""
        return self.differ - self.found - self.undecided

    @property
    def result(self) -> Result:
        """Named rightly alone, rightly among equals, wrongly, not at all; or there was nothing to see."""
        if not self.differ:
            return "equivalent"
        if not self.named:
            return "unexplained"
        wanted = set(self.faults)
        if wanted == set(self.named):
            return "rightly"
        return "among equals" if wanted <= {*self.named, *self.also_fits} else "wrongly"

    def row(self) -> tuple[object, ...]:
        """The trial as a row of the table `faults`."""
        return (
            " + ".join(self.faults),
            self.equation,
            self.tried,
            self.differ,
            self.found,
            self.undecided,
            self.missed,
            ", ".join(f"{quantity} {count}" for quantity, count in self.caught.items()) or None,
            self.result,
            " + ".join(self.named) or None,
            ", ".join(self.also_fits) or None,
            ", ".join(self.equations) or None,
        )


def alone(fault: Fault, *, domain: Domain | None = None, seed: int = 0) -> Trial:
    """One fault, planted on random networks until it has shown on MET of them."""
    if domain is None:
        domain = one_shape() if fault.remembers else far_out() if fault.equation == "numerics" else arena()
    return _trial(Hypothesis((Plant(fault),), RATE if fault.only_steps else 1.0), domain, seed)


def in_pairs(count: int, *, seed: int = 0, domain: Domain | None = None) -> Iterator[Trial]:
    """`count` pairs of faults of different equations, planted together; pairs that cannot be are drawn again."""
    drawn = random.Random(seed)  # noqa: S311  the same pairs for the same seed, and no secret
    usable = [fault for fault in FAULTS if not (fault.only_steps or fault.dtype or fault.remembers)]
    made = 0
    while made < count:
        first, second = drawn.sample(usable, 2)
        if first.equation == second.equation:
            continue
        both = together(Hypothesis((Plant(first),)), Hypothesis((Plant(second),)))
        if both is not None:
            made += 1
            yield _trial(both, arena() if domain is None else domain, seed)


def _trial(hypothesis: Hypothesis, domain: Domain, seed: int) -> Trial:
    subject = _Subject(hypothesis, domain)
    examiner = Examiner(subject)
    differing: list[NetworkSpec] = []
    found = undecided = tried = 0
    caught: Counter[str] = Counter()
    each_shows = _each_shows(hypothesis)
    for spec in islice(iterate_specs(domain, seed=seed, shard=0), TRIED):
        tried += 1
        case = build_case(spec)
        if not differs(hypothesis, case) or not each_shows(case):
            continue
        checks = _judged(examiner, hypothesis, case)
        wrong = any(check.verdict.fails for check in checks)
        if not wrong and _is_rounding(hypothesis, case):
            continue
        differing.append(spec)
        found += wrong
        caught.update({check.quantity for check in checks if check.verdict.fails})
        undecided += not wrong and any(check.verdict is Verdict.UNDECIDED for check in checks)
        if len(differing) == MET:
            break
    equation = "+".join(plant.fault.equation for plant in hypothesis.plants)
    if not differing:
        return Trial(faults=hypothesis.names, equation=equation, tried=tried, differ=0, found=0)
    differing.sort(key=lambda spec: (spec.depth, sum(spec.widths), spec.batch_size))
    findings = diagnose(_Subject(hypothesis, domain), differing, domain=domain, shrink=False)
    named = tuple(diagnosis.fault for diagnosis in findings.diagnoses if diagnosis.fault is not None)
    return Trial(
        faults=hypothesis.names,
        equation=equation,
        tried=tried,
        differ=len(differing),
        found=found,
        undecided=undecided,
        caught={quantity: caught[quantity] for quantity in QUANTITIES if caught[quantity]},
        named=named if findings.named else (),
        also_fits=tuple(dict.fromkeys(other for diagnosis in findings.diagnoses for other in diagnosis.also_fits)),
        equations=_broken(findings),
    )


def _judged(examiner: Examiner, hypothesis: Hypothesis, case: Case) -> tuple[Check, ...]:
    """The verdicts on a planted network, as a run gives them; where it remembers, on its answer after another call."""
    if not any(plant.fault.remembers for plant in hypothesis.plants):
        return examiner.examine(case)
    answer = _answer(hypothesis, case)
    return compare(case, answer, examiner.reference(case), Bounds(case))


def _is_rounding(hypothesis: Hypothesis, case: Case) -> bool:
    """Whether everything that the planted network returns is as near to the right numbers as rounding explains."""
    planted, right = arrays(_answer(hypothesis, case)), arrays(RIGHT.answer(case))
    limits = arrays(Answer.of(Bounds(case).limit("textbook")))
    with np.errstate(all="ignore"):
        return all(
            planted[key].shape == right[key].shape
            and bool(((planted[key] == right[key]) | (np.abs(planted[key] - right[key]) <= limits[key])).all())
            and np.isfinite(limits[key]).all()
            for key in planted
        )


def _broken(findings: Findings) -> tuple[str, ...]:
    return tuple(equation for equation, status in findings.equations.items() if status == "broken")


class _Subject(Planted):
    """Planted faults as a candidate that can be made again; `learning_rate` where its gradients are read off steps."""

    def __init__(self, hypothesis: Hypothesis, domain: Domain) -> None:
        super().__init__(hypothesis.plants, domain, learning_rate=hypothesis.learning_rate)
        self.learning_rate = hypothesis.learning_rate if _of_steps(hypothesis) else None

    def afresh(self) -> Planted:
        """The same faults, before the first call."""
        return Planted(self.plants, self.domain, learning_rate=self.backprop.learning_rate)


def _of_steps(hypothesis: Hypothesis) -> bool:
    return any(plant.fault.only_steps for plant in hypothesis.plants)


def differs(hypothesis: Hypothesis, case: Case) -> bool:
    """Whether the hypothesis returns other numbers than a right network, or none."""
    return _differ(hypothesis, RIGHT, case)


def _each_shows(hypothesis: Hypothesis) -> Callable[[Case], bool]:
    """For faults planted together: whether taking away any one of them changes the numbers."""
    parts = [Hypothesis(tuple(plant for plant in hypothesis.plants if plant is not left)) for left in hypothesis.plants]
    if len(parts) < 2:
        return lambda _: True
    return lambda case: all(_differ(hypothesis, part, case) for part in parts)


def _answer(hypothesis: Hypothesis, case: Case) -> Answer:
    """What the planted network returns; where a fault keeps something, after a call with other data."""
    if not any(plant.fault.remembers for plant in hypothesis.plants):
        return hypothesis.answer(case)
    planted = Planted(hypothesis.plants, learning_rate=hypothesis.learning_rate)
    planted.answer(build_case(replace(case.spec, seed=case.spec.seed + 1)))
    return planted.answer(case)


def _differ(first: Hypothesis, second: Hypothesis, case: Case) -> bool:
    one, other = _answer(first, case), _answer(second, case)
    if one.failure is not None or other.failure is not None:
        return one.failure != other.failure
    own, right = arrays(one), arrays(other)
    return own.keys() != right.keys() or not agree(own, right)


def confusion(trials: Sequence[Trial]) -> dict[tuple[str, str], int]:
    """(equation of the fault, equation of the name it got) -> how many single faults, in the order of the equations.

    What is rightly named among equals counts as its own; what has no name, or shows nowhere, under that word.
    """
    counts: dict[tuple[str, str], int] = {}
    for trial in trials:
        if len(trial.faults) > 1:
            continue
        if trial.result in ("rightly", "among equals"):
            named = trial.equation
        elif trial.result == "wrongly":
            named = "+".join(BY_NAME[name].equation for name in trial.named)
        else:
            named = trial.result
        counts[trial.equation, named] = counts.get((trial.equation, named), 0) + 1
    return counts


def kills(trials: Sequence[Trial]) -> dict[str, dict[str, int]]:
    """Equation -> quantity -> how many faults of this equation it catches on some network; pairs at the end."""
    return {
        equation: {quantity: sum(quantity in trial.caught for trial in group) for quantity in QUANTITIES}
        for equation, group in by_equation(trials).items()
    }


def by_equation(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Trials by the equation that the fault breaks; pairs together, at the end."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.equation if len(trial.faults) == 1 else "pairs", []).append(trial)
    return found


def summary(trials: Sequence[Trial]) -> dict[Result, int]:
    """How many trials ended in which way."""
    return {result: sum(trial.result == result for trial in trials) for result in RESULTS}
