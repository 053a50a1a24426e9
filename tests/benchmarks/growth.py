"""How time grows with depth, width, batch size and the number of cases, and the exponents that fit.

An exponent is the slope of the least-squares line through log(time) over log(size), over the larger half of the sizes:
the small ones are all overhead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from backproof.candidates.builtin import Scratch
from backproof.cases import Domain
from backproof.route import check
from backproof.scratch import Network
from benchmarks.agreement import WrongContenderError
from benchmarks.contenders import by_hand, pytorch
from benchmarks.problems import Problem, Size
from benchmarks.recomputed import Recomputed
from benchmarks.rounds import Rounds, Spread

SCRATCH: Final = "scratch"
RECOMPUTED: Final = "chain rule recomputed for each layer"
PYTORCH: Final = "PyTorch eager"

Step = Callable[[], Any]


@dataclass(frozen=True)
class Axis:
    """One thing that grows, while everything else stays.

    at: its values; steps: what is timed at one of them, by name; expected: what the time of each should be a power of.
    """

    name: str
    fixed: str
    at: Sequence[int]
    steps: Callable[[int], Mapping[str, Step]]
    expected: Mapping[str, float]
    rounds: int = 15


def _problem(widths: Sequence[int], batch_size: int) -> Problem:
    return Problem(Size("-".join(map(str, widths)), batch_size, rounds=0), "mse", "float64")


def _both(problem: Problem) -> dict[str, Step]:
    return {SCRATCH: by_hand.SCRATCH.prepare(problem), PYTORCH: pytorch.EAGER.prepare(problem)}


def _of_depth(depth: int) -> Mapping[str, Step]:
    problem = _problem([64] * (depth + 1), 64)
    return {**_both(problem), RECOMPUTED: recomputed(problem)}


def recomputed(problem: Problem) -> Step:
    """The same network with nothing reused.  Raises WrongContenderError unless its gradients are scratch's own."""
    network = by_hand.network_of(problem.case)
    slow: Network = by_hand.network_of(problem.case)
    slow.backprop = Recomputed()
    given, wanted = (each.gradients(problem.x, problem.y, by_inputs=False) for each in (slow, network))
    if not all(map(np.array_equal, given.weights, wanted.weights)):
        raise WrongContenderError(f"{RECOMPUTED} on {problem.id}: not scratch's numbers")
    return partial(slow.gradients, problem.x, problem.y, by_inputs=False)


def _of_width(width: int) -> Mapping[str, Step]:
    return _both(_problem([width] * 3, 64))


def _of_batch(batch_size: int) -> Mapping[str, Step]:
    return _both(_problem([64] * 4, batch_size))


def _of_cases(cases: int) -> Mapping[str, Step]:
    return {"backproof check": partial(check, Scratch(), Domain(), cases=cases, workers=1, keep=False, diagnosis=False)}


AXES: Final = (
    Axis(
        "depth",
        "width 64, N = 64",
        (4, 8, 16, 32, 64, 128),
        _of_depth,
        {SCRATCH: 1.0, PYTORCH: 1.0, RECOMPUTED: 2.0},
        rounds=7,
    ),
    Axis("width", "2 layers, N = 64", (64, 128, 256, 512, 1024), _of_width, {SCRATCH: 2.0, PYTORCH: 2.0}),
    Axis(
        "batch size", "3 layers of width 64", (64, 128, 256, 512, 1024, 2048), _of_batch, {SCRATCH: 1.0, PYTORCH: 1.0}
    ),
    Axis("cases", "default domain, one worker", (250, 500, 1000, 2000), _of_cases, {"backproof check": 1.0}, rounds=3),
)


class Growth:
    """The times along one axis: every size in every round, so that they all meet the same machine."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.rounds = {size: Rounds(axis.steps(size)) for size in axis.at}

    def take(self) -> None:
        """One round."""
        for rounds in self.rounds.values():
            rounds.take()

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """One row per size and contender."""
        for name in self.axis.expected:
            for size, rounds in self.rounds.items():
                spread = Spread.of(rounds.seconds[name])
                yield {
                    "axis": self.axis.name,
                    "fixed": self.axis.fixed,
                    "contender": name,
                    "at": size,
                    "seconds": spread.median,
                    "seconds_low": spread.low,
                    "seconds_high": spread.high,
                    "rounds": len(rounds.seconds[name]),
                }

    def exponents(self) -> Iterator[Mapping[str, Any]]:
        """One row per contender: the exponent, its spread over rounds, and what it should be."""
        count = len(self.axis.at)
        sizes = self.axis.at[min(count // 2, count - 2) :]
        for name, expected in self.axis.expected.items():
            by_round = zip(*[self.rounds[size].seconds[name] for size in sizes], strict=True)
            spread = Spread.of([exponent(sizes, seconds) for seconds in by_round])
            yield {
                "axis": self.axis.name,
                "fixed": self.axis.fixed,
                "contender": name,
                "exponent": spread.median,
                "low": spread.low,
                "high": spread.high,
                "expected": expected,
                "from": sizes[0],
                "to": sizes[-1],
            }


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log(seconds) over log(sizes) by least squares."""
    x = np.array([math.log(size) for size in sizes])
    y = np.array([math.log(second) for second in seconds])
    x -= x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def shortened(axis: Axis, sizes: int, rounds: int) -> Axis:
    """The first few sizes of an axis, for a quick look."""
    return replace(axis, at=axis.at[:sizes], rounds=rounds)
