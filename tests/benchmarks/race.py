"""One task on one problem: who can run is made ready, held to the truth, and then timed in turns."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.agreement import judge_of
from benchmarks.contenders import Contender, Task, of_task
from benchmarks.problems import Problem
from benchmarks.rounds import Rounds, Spread

Row = dict[str, Any]
"""A row of the table `gradients`; the columns are those of `Race.rows`."""


class Race:
    """The contenders of one task on one problem.

    left_out: who does not run, with the reason. Raises WrongContenderError before anything is timed.
    """

    def __init__(self, task: Task, problem: Problem) -> None:
        self.task, self.problem = task, problem
        self.left_out: dict[str, str] = {}
        judge = judge_of(task, problem)
        self.undecided = judge.undecided
        steps: dict[str, Callable[[], Any]] = {}
        for contender in of_task(task):
            if not contender.enters(problem):
                continue
            if not contender.installed:
                self.left_out[contender.name] = f"{contender.package} is not installed"
                continue
            try:
                step = contender.prepare(problem)
                found = contender.read(step(), problem)
            except Exception as error:
                if not contender.fragile:
                    raise
                self.left_out[contender.name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                continue
            judge.hold(contender.name, found)
            steps[contender.name] = step
        # What lies here so far is never looked through again: a collection costs each what its own steps leave behind.
        gc.collect()
        gc.freeze()
        self.rounds = Rounds(steps)

    def rows(self) -> Iterator[Row]:
        """One row per contender that was timed."""
        baseline = next(contender.name for contender in of_task(self.task) if contender.baseline)
        for contender in self._timed():
            seconds = Spread.of(self.rounds.seconds[contender.name])
            ratio = Spread.of(self.rounds.ratios(contender.name, baseline))
            yield {
                "task": self.task,
                "widths": self.problem.size.widths,
                "batch_size": self.problem.size.batch_size,
                "loss": self.problem.loss,
                "dtype": self.problem.dtype,
                "threads": int(os.environ.get("OMP_NUM_THREADS", "0")),
                "contender": contender.name,
                "ratio": ratio.median,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
                "processor_ratio": Spread.of(self.rounds.processor_ratios(contender.name, baseline)).median,
                "seconds": seconds.median,
                "seconds_low": seconds.low,
                "seconds_high": seconds.high,
                "cores": self.rounds.cores(contender.name),
                "rounds": len(self.rounds.seconds[contender.name]),
                "calls_per_turn": self.rounds.calls[contender.name],
                "undecided": "; ".join(self.undecided),
            }

    def _timed(self) -> list[Contender]:
        return [contender for contender in of_task(self.task) if contender.name in self.rounds.steps]
