"""What a case costs on its way through Backproof, stage by stage, over PyTorch's own forward and backward pass on it.

    generate        the network is drawn and its arrays are made
    candidate       scratch's answer
    reference       PyTorch's autograd in float64
    bound           how far rounding reaches, entry by entry
    compare         every quantity against reference and bound
    settle          what is left of examining a case: single samples where the bound is wide, exact values where PyTorch
                    and scratch differ
    tally and rows  counts, and the rows of the tables
    tables          those rows as CSV and Parquet
    once a run      a thousandth of `check` of a single case without a report: `scaling` and the diagnosis
    whole           the shards of a run as `check` examines them, second calls of one case in twenty included, the
                    tables, and once a run
    page            a thousandth of what `check` of a single case takes longer with a report: mostly its plots
    with the page   the two before

PyTorch's own pass is in the case's dtype, with tensors made from arrays, on the same cases in the same round.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from backproof.campaign.shards import CASES_PER_SHARD, Task, drawn, examine_shard, rows_of
from backproof.campaign.tally import Tally
from backproof.candidates.builtin import Scratch
from backproof.cases import Domain, build_case
from backproof.comparison import compare
from backproof.examine import ARBITRATED, Examiner, ask, reference_of
from backproof.judging.bounds import Bounds
from backproof.reports.files import TableWriter
from backproof.reports.tables import table
from backproof.route import CASES, check
from backproof.truth import autograd
from benchmarks.rounds import Spread

PYTORCH: Final = "PyTorch's own"
SETTLE: Final = "settle"
ONCE: Final = "once a run"
WHOLE: Final = "whole"
PAGE: Final = "page"
WITH_PAGE: Final = "with the page"
ORDER: Final = (
    *("generate", "candidate", "reference", "bound", "compare", SETTLE, "tally and rows", "tables", ONCE),
    *(WHOLE, PAGE, WITH_PAGE, PYTORCH),
)

_EXAMINE: Final = "examine"
_BARE: Final = "run of one case without a report"
_SINGLE: Final = "run of one case"
_SHARDS: Final = "shards"


@dataclass(frozen=True)
class Route:
    """A domain, how many of its networks are examined in a round, and how many rounds."""

    name: str
    domain: Domain
    cases: int
    rounds: int


ROUTES: Final = (
    Route("default domain", Domain(), cases=CASES, rounds=5),
    Route("width 512", Domain(width=512), cases=20, rounds=3),
)


@dataclass
class _Watch:
    """Seconds by what they were spent on."""

    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what the block takes."""
        start = time.perf_counter()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - start


@dataclass
class Stages:
    """Seconds per case of each stage, one number a round."""

    route: Route
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def warm_up(self) -> None:
        """A few cases that do not count: whatever is imported or built at first use."""
        Stages(replace(self.route, cases=2)).take()

    def take(self) -> None:
        """One round: every case through every stage, PyTorch's own pass beside it; then runs as `check` does them."""
        watch = _Watch()
        rows = self._cases(watch.stage)
        with tempfile.TemporaryDirectory() as place:
            with watch.stage("tables"), TableWriter(Path(place), "checks") as writer:
                writer.write(table("checks", rows))
            with watch.stage(_BARE):
                self._single(None)
            with watch.stage(_SINGLE):
                self._single(Path(place) / "report")
        with watch.stage(_SHARDS):
            self._examined()
        spent = watch.spent
        within = sum(spent[name] for name in ("candidate", "reference", "bound", "compare"))
        spent[SETTLE] = spent.pop(_EXAMINE) - within
        bare, single, shards = spent.pop(_BARE), spent.pop(_SINGLE), spent.pop(_SHARDS)
        per_case = {name: seconds / self.route.cases for name, seconds in spent.items()}
        per_case[ONCE] = bare / CASES
        per_case[PAGE] = (single - bare) / CASES
        per_case[WHOLE] = shards / self.route.cases + per_case["tables"] + per_case[ONCE]
        per_case[WITH_PAGE] = per_case[WHOLE] + per_case[PAGE]
        for name, seconds in per_case.items():
            self.seconds.setdefault(name, []).append(seconds)

    def _cases(self, stage: Callable[[str], AbstractContextManager[None]]) -> list[tuple[object, ...]]:
        """Every case through every stage, and as a whole; the rows of `checks`."""
        candidate, reference, tally = Scratch(), reference_of("torch"), Tally()
        examiner = Examiner(candidate)
        rows: list[tuple[object, ...]] = []
        specs = drawn(self.route.domain, seed=0, cases=self.route.cases)
        for number in range(self.route.cases):
            with stage("generate"):
                case = build_case(next(specs))
            same = build_case(case.spec)  # what is remembered of a case must not help another stage
            if number % 2:
                with stage(_EXAMINE):
                    examiner.examine(same)
            with stage(PYTORCH):
                autograd.gradients(case)
            with stage("candidate"):
                answer = ask(candidate, case)
            with stage("reference"):
                wanted = reference(case)
            bounds = Bounds(case, answer.read_off)
            bounds.plain = frozenset(ARBITRATED)  # as in all networks of a shard but the first few
            with stage("bound"):
                bounds.limit()
            with stage("compare"):
                checks = compare(case, answer, wanted, bounds)
            if not number % 2:  # by turns before and after its parts: whoever comes second finds the caches warm
                with stage(_EXAMINE):
                    examiner.examine(same)
            with stage("tally and rows"):
                tally.add(case.spec, checks)
                rows += rows_of(candidate.name, case.spec, checks)
        with stage("tally and rows"):
            tally.settle()
        return rows

    def _examined(self) -> None:
        for number, start in enumerate(range(0, self.route.cases, CASES_PER_SHARD)):
            count = min(CASES_PER_SHARD, self.route.cases - start)
            task = Task(candidate=Scratch(), domain=self.route.domain, seed=0, shard=number, count=count, keep=True)
            examine_shard(task)

    def _single(self, place: Path | None) -> None:
        check(Scratch(), self.route.domain, cases=1, workers=1, report=place, keep=False)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """One row per stage, in their order."""
        pytorch = self.seconds[PYTORCH]
        for name in ORDER:
            seconds = self.seconds[name]
            ratio = Spread.of([own / base for own, base in zip(seconds, pytorch, strict=True)])
            yield {
                "networks": self.route.name,
                "cases": self.route.cases,
                "stage": name,
                "ratio": ratio.median,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
                "microseconds_per_case": 1e6 * Spread.of(seconds).median,
                "rounds": len(seconds),
            }
