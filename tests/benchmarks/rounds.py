"""The stopwatch: contenders take turns, round after round, so that whatever else the machine does meets all of them.

A turn is as many calls as fill a few milliseconds, of which the median counts, with one call before that is not timed,
since the contender before has filled the caches with its own. Each round begins with another contender. What is
reported is the ratio within a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import numpy as np

TURN: Final = 2e-3
"""Seconds that a turn of quick calls lasts; a call that takes longer is a turn."""

MOST_CALLS: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median and quartiles over rounds."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(numbers: Any) -> Spread:
        """Those of a sequence."""
        low, median, high = np.quantile(np.asarray(numbers, dtype=np.float64), (0.25, 0.5, 0.75)).tolist()
        return Spread(median=median, low=low, high=high)


@dataclass
class Rounds:
    """Times of calls that take turns.

    seconds: per contender, of one call, one number a round. processor: the same of processor time, of all threads,
    which other processes on the machine lengthen less.
    """

    steps: Mapping[str, Callable[[], Any]]
    seconds: dict[str, list[float]] = field(init=False)
    processor: dict[str, list[float]] = field(init=False)
    calls: dict[str, int] = field(init=False)
    _elapsed: dict[str, float] = field(init=False)
    _number: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.calls = {name: _calls_of(step) for name, step in self.steps.items()}
        self._forget()

    def warm_up(self) -> None:
        """One round that does not count; long calls have had theirs when they were counted."""
        if max(self.calls.values()) == 1:
            return
        self.take()
        self._forget()

    def _forget(self) -> None:
        self.seconds = {name: [] for name in self.steps}
        self.processor = {name: [] for name in self.steps}
        self._elapsed = dict.fromkeys(self.steps, 0.0)

    def take(self) -> None:
        """One round: a turn for everybody."""
        names = list(self.steps)
        first = self._number % len(names)
        self._number += 1
        for name in names[first:] + names[:first]:
            step, calls = self.steps[name], self.calls[name]
            if calls > 1:
                step()
            busy = time.process_time()
            taken = [_once(step) for _ in range(calls)]
            self.processor[name].append((time.process_time() - busy) / calls)
            self._elapsed[name] += sum(taken)
            self.seconds[name].append(median(taken))

    def cores(self, name: str) -> float:
        """How many processors were busy, on average, while it was a contender's turn."""
        return self.calls[name] * sum(self.processor[name]) / self._elapsed[name]

    def ratios(self, name: str, baseline: str) -> list[float]:
        """Time over the baseline's in the same round."""
        return _divided(self.seconds[name], self.seconds[baseline])

    def processor_ratios(self, name: str, baseline: str) -> list[float]:
        """The same of processor time."""
        return _divided(self.processor[name], self.processor[baseline])


def _divided(own: list[float], base: list[float]) -> list[float]:
    return [mine / theirs for mine, theirs in zip(own, base, strict=True)]


def _calls_of(step: Callable[[], Any]) -> int:
    first = _once(step)
    if first > 10 * TURN:
        return 1
    fastest = min(first, *(_once(step) for _ in range(2)))
    return max(1, min(MOST_CALLS, round(TURN / max(fastest, 1e-9))))


def _once(step: Callable[[], Any]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
