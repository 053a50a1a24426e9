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

    seconds: per contender, of one call, one number a round. cores: processor time over time, the whole process.
    """

    steps: Mapping[str, Callable[[], Any]]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    _processor: dict[str, float] = field(default_factory=dict)
    _elapsed: dict[str, float] = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        for name, step in self.steps.items():
            self.calls[name] = _calls_of(step)
            self.seconds[name] = []
            self._processor[name] = self._elapsed[name] = 0.0

    def warm_up(self) -> None:
        """One round that does not count; long calls have had theirs when they were counted."""
        if max(self.calls.values()) == 1:
            return
        self.take()
        for times in self.seconds.values():
            times.clear()
        self._processor = dict.fromkeys(self.steps, 0.0)
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
            self._processor[name] += time.process_time() - busy
            self._elapsed[name] += sum(taken)
            self.seconds[name].append(median(taken))

    def cores(self, name: str) -> float:
        """How many processors were busy, on average, while it was a contender's turn."""
        return self._processor[name] / self._elapsed[name]

    def ratios(self, name: str, baseline: str) -> list[float]:
        """Time over the baseline's in the same round."""
        return [own / base for own, base in zip(self.seconds[name], self.seconds[baseline], strict=True)]


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
