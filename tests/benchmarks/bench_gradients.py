"""Everybody's derivatives of the same networks: `tox run -e bench` runs this once for each number of threads."""

from typing import Any

import pytest

from benchmarks.contenders import TASKS, Task, of_task
from benchmarks.problems import PER_SAMPLE_BYTES, Problem, problems
from benchmarks.race import Race


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("problem", problems(), ids=lambda problem: problem.id)
def test_race(task: Task, problem: Problem, benchmark: Any) -> None:
    """Nothing fails here for being slow; a wrong contender does, before anything is timed."""
    if not any(contender.enters(problem) for contender in of_task(task)):
        pytest.skip(f"the task {task} is not measured with {problem.loss}")
    if task == "per sample" and problem.per_sample_bytes > PER_SAMPLE_BYTES:
        pytest.skip(f"the gradients of {problem.size.batch_size} samples take {problem.per_sample_bytes >> 20} MiB")
    race = Race(task, problem)
    race.rounds.warm_up()
    benchmark.pedantic(race.rounds.take, rounds=problem.size.rounds)
    benchmark.extra_info["gradients"] = list(race.rows())
    benchmark.extra_info["left_out"] = [
        {"task": task, "problem": problem.id, "contender": name, "reason": reason}
        for name, reason in race.left_out.items()
    ]
