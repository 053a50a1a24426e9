"""What many cases add up to: counts, strata, the worst numbers, the smallest failure. Tallies merge in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Final, NamedTuple

from backproof.campaign.pairs import Pair, pairs_of
from backproof.cases.spec import NetworkSpec
from backproof.judging.verdicts import UNREMARKABLE, Check, Verdict
from backproof.settling.histograms import median, rounded

Kind = tuple[str, str, str, str]
"""A kind of failure: loss, output activation, and the first quantity on the way back that fails, with its position."""

Key = tuple[str, str, str, str]
"""A stratum: ("activation", name, "", dtype) or ("loss", name, reduction, dtype)."""

Sort = tuple[str, str, str, str]
"""What a discrepancy is like: its verdict, quantity and position, and the loss."""

Size = tuple[int, ...]
"""Depth, widths added up, samples: what makes one failing case smaller than another."""

EXAMPLES: Final = 3
"""How many failing cases of a kind are remembered by their ids."""


COUNTERS: Final = ("reasons", "notes", "first_wrong", "by_quantity", "sorts", "pairs")
"""The fields of a tally that are plain counts."""


def sort_of(spec: NetworkSpec, check: Check) -> Sort:
    """The sort of a discrepancy."""
    return check.verdict.value, check.quantity, check.position, spec.loss.name


def strata_of(spec: NetworkSpec) -> list[Key]:
    """The strata that a case counts in: each activation that a layer of it has, and its loss with the reduction."""
    keys: list[Key] = [("activation", name, "", spec.dtype) for name in spec.activation_names]
    return [*keys, ("loss", spec.loss.name, spec.reduction, spec.dtype)]


def _is_wrong(verdict: Verdict, strict_kinks: bool) -> bool:
    return verdict is not Verdict.AGREE and (verdict.fails or (strict_kinks and verdict is Verdict.KINK))


class Worst(NamedTuple):
    """The largest error / bound of a quantity, and where; ties go to the id that sorts first, whoever found it."""

    ratio: float
    case: str
    check: Check

    @property
    def rank(self) -> tuple[float, str]:
        """Sorts the worst first."""
        return (-self.ratio, self.case)


@dataclass
class Stratum:
    """One stratum's counts. `ratios` is a histogram of error / bound, to three digits: small, and merged exactly."""

    cases: int = 0
    quantities: int = 0
    disagreements: int = 0
    kinks: int = 0
    undecided: int = 0
    worst: float = 0.0
    worst_case: str = ""
    ratios: Counter[float] = field(default_factory=Counter)

    def merge(self, other: Stratum) -> None:
        """Add the counts of another part of the run."""
        self.cases += other.cases
        self.quantities += other.quantities
        self.disagreements += other.disagreements
        self.kinks += other.kinks
        self.undecided += other.undecided
        self.ratios.update(other.ratios)
        self.meet(other.worst, other.worst_case)

    def meet(self, ratio: float, case: str) -> None:
        """Note a ratio if it is the largest so far."""
        if case and (not self.worst_case or (-ratio, case) < (-self.worst, self.worst_case)):
            self.worst, self.worst_case = ratio, case

    @property
    def median(self) -> float | None:
        """The median of error / bound over the decided quantities; None where there are none."""
        return median(self.ratios)


class Failing(NamedTuple):
    """The failing cases of one kind: how many, and the smallest of them, (size, id) each, the smallest first."""

    cases: int
    smallest: tuple[tuple[Size, str], ...]

    def merged(self, other: Failing) -> Failing:
        """With those of another part of the run."""
        smallest = sorted({*self.smallest, *other.smallest})[:EXAMPLES]
        return Failing(self.cases + other.cases, tuple(smallest))


@dataclass
class Tally:
    """Everything about a run but its rows.

    cases: examined; wrong_cases: with a quantity that fails; verdicts: per quantity; reasons: why undecided; notes:
    of quantities that agree or are the reference's fault; first_wrong: (quantity, position) of the first failure on
    the way back; by_quantity: verdicts per kind of quantity; worst: largest error / bound of all; smallest: the
    smallest failing case with its first failing check; failing: how many cases of each kind fail, and the smallest.
    sorts: cases with a discrepancy of each sort; pairs: cases in which both of a pair are met. ratios: per case, the
    strata that it counts in and the error / bound of each quantity, as settled: what `strata` has as histograms.
    """

    cases: int = 0
    wrong_cases: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    first_wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_quantity: Counter[tuple[str, str]] = field(default_factory=Counter)
    strata: dict[Key, Stratum] = field(default_factory=dict)
    worst: Worst | None = None
    smallest: tuple[Size, str, Check] | None = None
    failing: dict[Kind, Failing] = field(default_factory=dict)
    sorts: Counter[Sort] = field(default_factory=Counter)
    pairs: Counter[Pair] = field(default_factory=Counter)
    ratios: list[tuple[list[Key], list[float]]] = field(default_factory=list)
    _pending: list[tuple[NetworkSpec, tuple[Check, ...], int]] = field(default_factory=list)

    def add(self, spec: NetworkSpec, checks: tuple[Check, ...], *, strict_kinks: bool = False) -> None:
        """Take in one case, and note at once whether it fails; `strict_kinks` makes a kink a failure.

        All else is counted by `settle`, where many cases in a row cost half as much as one by one between other work.
        """
        wrong = [check for check in checks if _is_wrong(check.verdict, strict_kinks)]
        self.cases += 1
        if wrong:
            self._fail(spec, wrong)
        self._pending.append((spec, checks, len(wrong)))

    def _fail(self, spec: NetworkSpec, wrong: list[Check]) -> None:
        self.wrong_cases += 1
        first = wrong[0]
        self.first_wrong[first.quantity, first.position] += 1
        size = (spec.depth, sum(spec.widths), spec.batch_size)
        self._meet_smallest((size, spec.id, first))
        kind = spec.loss.name, spec.activations[-1].name, first.quantity, first.position
        self._meet_failing(kind, Failing(1, ((size, spec.id),)))

    def failing_specs(self) -> list[NetworkSpec]:
        """The smallest failing case of each kind, the smallest first."""
        return [NetworkSpec.parse(text) for _, text in sorted(each.smallest[0] for each in self.failing.values())]

    def _meet_worst(self, found: Worst) -> None:
        if self.worst is None or found.rank < self.worst.rank:
            self.worst = found

    def _meet_smallest(self, found: tuple[Size, str, Check]) -> None:
        if self.smallest is None or found[:2] < self.smallest[:2]:
            self.smallest = found

    def _meet_failing(self, kind: Kind, found: Failing) -> None:
        known = self.failing.get(kind)
        self.failing[kind] = found if known is None else known.merged(found)

    def settle(self) -> Tally:
        """Count what was added, and turn the error / bound of single quantities into histograms: before merging."""
        self.pairs.update([pair for spec, _, _ in self._pending for pair in pairs_of(spec)])
        counted = [self._count(spec, checks, wrong) for spec, checks, wrong in self._pending]
        self._pending.clear()
        numbers = rounded([ratio for _, ratios in counted for ratio in ratios])
        start = 0
        for keys, ratios in counted:
            self.measure(keys, numbers[start : start + len(ratios)])
            start += len(ratios)
        return self

    def _count(self, spec: NetworkSpec, checks: tuple[Check, ...], wrong: int) -> tuple[list[Key], list[float]]:
        """Count one case, of which so many quantities fail; its strata, and the error / bound of each quantity."""
        ratios: list[float] = []
        worst: Check | None = None
        excess = -1.0
        kinks = undecided = decided = 0
        sorts: set[Sort] = set()
        for check in checks:
            verdict = check.verdict
            self.by_quantity[check.quantity, verdict] += 1
            if verdict not in UNREMARKABLE:
                sorts.add(sort_of(spec, check))
            if verdict is Verdict.AGREE or verdict.fails:
                ratio = check.error_over_bound
                # What agrees all the same is not held to PyTorch's number, from which it is further than the bound.
                if ratio is not None and (verdict.fails or ratio <= 1.0):
                    ratio = inf if isnan(ratio) else ratio
                    ratios.append(ratio)
                    if ratio > excess:
                        worst, excess = check, ratio
            elif verdict is Verdict.KINK:
                kinks += 1
            elif verdict is Verdict.UNDECIDED:
                undecided += 1
                self.reasons[check.note] += 1
            if verdict.compared:
                decided += 1
                if check.note and not verdict.fails:
                    self.notes[f"{verdict}: {check.note}"] += 1
        if sorts:
            self.sorts.update(sorted(sorts))
        if worst is not None:
            self._meet_worst(Worst(excess, spec.id, worst))
        keys = strata_of(spec)
        for key in keys:
            stratum = self._stratum(key)
            stratum.cases += 1
            stratum.quantities += decided
            stratum.disagreements += wrong
            stratum.kinks += kinks
            stratum.undecided += undecided
            if worst is not None:
                stratum.meet(excess, spec.id)
        return keys, ratios

    def _stratum(self, key: Key) -> Stratum:
        found = self.strata.get(key)
        if found is None:
            found = self.strata[key] = Stratum()
        return found

    def measure(self, keys: list[Key], ratios: list[float]) -> None:
        """Add one case's error / bound, rounded already, to the strata that it counts in."""
        self.ratios.append((keys, ratios))
        for key in keys:
            self.strata[key].ratios.update(ratios)

    def merge(self, other: Tally) -> None:
        """Add another, settled part of the run."""
        self.cases += other.cases
        self.wrong_cases += other.wrong_cases
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))
        for key, stratum in other.strata.items():
            self._stratum(key).merge(stratum)
        for kind, found in other.failing.items():
            self._meet_failing(kind, found)
        if other.worst is not None:
            self._meet_worst(other.worst)
        if other.smallest is not None:
            self._meet_smallest(other.smallest)

    @property
    def verdicts(self) -> Counter[str]:
        """Quantities per verdict."""
        found: Counter[str] = Counter()
        for (_, verdict), count in self.by_quantity.items():
            found[verdict] += count
        return found

    @property
    def compared(self) -> int:
        """Quantities whose numbers were judged."""
        return sum(count for verdict, count in self.verdicts.items() if Verdict(verdict).compared)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The strata, sorted, as rows of the table `strata`."""
        for key in sorted(self.strata):
            stratum, (kind, name, reduction, dtype) = self.strata[key], key
            yield (
                kind, name, reduction or None, dtype, stratum.cases, stratum.quantities, stratum.disagreements,
                stratum.kinks, stratum.undecided, stratum.worst if stratum.worst_case else None, stratum.median,
                stratum.worst_case or None,
            )  # fmt: skip
