"""One shard of a run: specs drawn from (seed, shard), each examined. What comes back does not depend on who did it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from backproof.campaign.tally import Sort, Tally, sort_of
from backproof.candidates.contract import TIMEOUT, Candidate
from backproof.candidates.loading import load
from backproof.candidates.patience import Patience
from backproof.cases.case import build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.cases.spec import NetworkSpec
from backproof.examine import Examiner, Truth
from backproof.judging.verdicts import UNREMARKABLE, Check
from backproof.settling.certificate import Certificate

if TYPE_CHECKING:
    import pyarrow as pa

    from backproof.truth.vectors import Vectors

CASES_PER_SHARD: Final = 250
"""Also the unit of evenness: each shard deals its own decks, so that its strata are as even as 250 cases can be."""

REPEAT_EVERY: Final = 20
"""Every so many cases the candidate is called again, to see whether it keeps a state."""


def drawn(domain: Domain, *, seed: int, cases: int) -> Iterator[NetworkSpec]:
    """The networks of a whole run, shard by shard."""
    for shard, start in enumerate(range(0, cases, CASES_PER_SHARD)):
        yield from sample_specs(domain, seed=seed, shard=shard, count=min(CASES_PER_SHARD, cases - start))


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker needs to know.

    `candidate` is a CANDIDATE text where a process must find it again, else the candidate itself, which knows
    its own `timeout`, in seconds for one case. `ids` names the cases instead of drawing them from the domain; `vectors`
    hold them, with the reference. `keep` asks for the rows of the tables, `whole` for those that agree too, less the
    discrepancies of the sorts in `full`; `certify` for every true error. `stop_after` so many cases that disagree, the
    rest of the shard is left out.
    """

    candidate: Candidate | str
    domain: Domain
    seed: int
    shard: int
    count: int
    timeout: float = TIMEOUT
    truth: Truth = "torch"
    strict_kinks: bool = False
    keep: bool = False
    whole: bool = True
    full: frozenset[Sort] = frozenset()
    certify: bool = False
    stop_after: int | None = None
    ids: tuple[str, ...] = ()
    vectors: Vectors | None = None

    def specs(self) -> list[NetworkSpec]:
        """The specs of this shard."""
        if self.ids:
            return [NetworkSpec.parse(text) for text in self.ids]
        return sample_specs(self.domain, seed=self.seed, shard=self.shard, count=self.count)

    def portable(self) -> Task | None:
        """The task as another process can take it: the candidate as it is, or by its text; None where it has none."""
        if getattr(self.candidate, "travels", False):
            return self
        text = self.candidate if isinstance(self.candidate, str) else getattr(self.candidate, "text", None)
        patience = getattr(self.candidate, "patience", None)
        timeout = self.timeout if patience is None else patience.timeout
        return None if text is None else replace(self, candidate=text, timeout=timeout)


@dataclass(frozen=True)
class Shard:
    """What a task found: the settled tally, and rows of the tables `checks` and `discrepancies` where any were kept."""

    tally: Tally
    checks: pa.Table | None
    discrepancies: pa.Table | None
    certificate: Certificate | None = None
    interrupted: bool = False


def examine_shard(
    task: Task,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Shard:
    """Examine every case of a task; `progress` hears (cases, wrong cases) after each, `stopped` ends it early."""
    candidate = load(task.candidate, timeout=task.timeout)[0]
    patience: Patience | None = getattr(candidate, "patience", None)
    if patience is not None:
        patience.begin()
    certificate = Certificate() if task.certify else None
    examiner = Examiner(candidate, truth=task.truth, certificate=certificate, vectors=task.vectors)
    tally = Tally()
    kept: list[tuple[NetworkSpec, tuple[Check, ...]]] = []
    differing: list[tuple[NetworkSpec, tuple[Check, ...]]] = []
    interrupted = False
    try:
        for number, spec in enumerate(task.specs()):
            if stopped is not None and stopped():
                interrupted = True
                break
            repeat = number % REPEAT_EVERY == 0
            case = build_case(spec) if task.vectors is None else task.vectors.case(spec.id)
            checks = examiner.examine(case, repeat=repeat)
            tally.add(spec, checks, strict_kinks=task.strict_kinks)
            if task.keep:
                if task.whole:
                    kept.append((spec, checks))
                if any(check.verdict not in UNREMARKABLE for check in checks):
                    differing.append((spec, _differing(spec, checks, task.full)))
            if progress is not None:
                progress(tally.cases, tally.wrong_cases)
            if tally.wrong_cases == task.stop_after:
                break
    except KeyboardInterrupt:
        interrupted = True  # the second Ctrl-C, in the middle of a case that does not end
    tables = _table("checks", candidate.name, kept), _table("discrepancies", candidate.name, differing)
    return Shard(tally.settle(), *tables, certificate, interrupted)


def _differing(spec: NetworkSpec, checks: tuple[Check, ...], full: frozenset[Sort]) -> tuple[Check, ...]:
    """What does not agree, and is not of a sort of which there is enough already."""
    found = tuple(check for check in checks if check.verdict not in UNREMARKABLE)
    return tuple(check for check in found if sort_of(spec, check) not in full) if full else found


def _table(name: str, candidate: str, found: list[tuple[NetworkSpec, tuple[Check, ...]]]) -> pa.Table | None:
    rows = [row for spec, checks in found for row in rows_of(candidate, spec, checks)]
    if not rows:
        return None
    # Here and not above: a run that keeps nothing never needs Arrow.
    from backproof.reports.tables import table

    return table(name, rows)


def rows_of(candidate: str, spec: NetworkSpec, checks: tuple[Check, ...]) -> Iterator[tuple[object, ...]]:
    """The checks of one case as rows of the tables `checks` and `discrepancies`."""
    network = (
        spec.id,
        candidate,
        spec.depth,
        "-".join(map(str, spec.widths)),
        spec.batch_size,
        "-".join(formula.id for formula in spec.activations),
        spec.loss.id,
        spec.reduction,
        spec.dtype,
        spec.values,
        spec.seed,
    )
    for check in checks:
        shape, index = check.shape, check.worst_index
        yield (
            *network,
            *check[:3],
            None if shape is None else _joined("x", shape) or "scalar",
            *check[4:11],
            None if index is None else _joined(",", index) or None,
            *check[12:],
        )


@lru_cache(maxsize=4096)
def _joined(separator: str, numbers: tuple[int, ...]) -> str:
    """Numbers as text: a run has the same few shapes and indices again and again."""
    return separator.join(map(str, numbers))
