"""What a case costs, how runs begin, and what they take."""

from typing import Any

import pytest

from benchmarks.runs import run_rows, start_up_row
from benchmarks.stages import ROUTES, Route, Stages


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_stages(route: Route, benchmark: Any) -> None:
    """Stage by stage, over PyTorch's own forward and backward pass on the same cases."""
    stages = Stages(route)
    stages.warm_up()
    benchmark.pedantic(stages.take, rounds=route.rounds)
    benchmark.extra_info["pipeline"] = list(stages.rows())


def test_start_up(benchmark: Any) -> None:
    """One case, beyond importing torch."""
    rows = benchmark.pedantic(lambda: [start_up_row(rounds=5)], rounds=1)
    benchmark.extra_info["runs"] = rows


def test_runs(benchmark: Any) -> None:
    """Two workers against one, and memory by the number of cases."""
    rows = benchmark.pedantic(lambda: list(run_rows(rounds=2)), rounds=1)
    benchmark.extra_info["runs"] = rows
