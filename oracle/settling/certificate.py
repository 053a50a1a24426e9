"""What exact arithmetic says of every quantity: the true error in ulps, and how tight the bound is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import numpy as np

from backproof.cases.case import Array, Case
from backproof.judging.bounds import Bounds
from backproof.judging.doubts import entry
from backproof.judging.offered import Offered, given_for
from backproof.settling.histograms import median, rounded
from backproof.truth.arithmetic import own_dtype

Key = tuple[str, str]
"""(quantity, dtype): that of the case, or of the answer where that is float32."""


@dataclass
class Accuracy:
    """One kind of quantity in one dtype. The histograms are to three digits: small, and merged exactly."""

    quantities: int = 0
    exceeded: int = 0
    listed: int = 0
    worst_ulps: float = 0.0
    worst_case: str = ""
    ulps: Counter[float] = field(default_factory=Counter)
    slack: Counter[float] = field(default_factory=Counter)

    def merge(self, other: Accuracy) -> None:
        """Add another part of the run."""
        self.quantities += other.quantities
        self.exceeded += other.exceeded
        self.listed += other.listed
        self.ulps.update(other.ulps)
        self.slack.update(other.slack)
        self.meet(other.worst_ulps, other.worst_case)

    def meet(self, ulps: float, case: str) -> None:
        """Note an error if it is the largest so far; ties go to the id that sorts first."""
        if case and (not self.worst_case or (-ulps, case) < (-self.worst_ulps, self.worst_case)):
            self.worst_ulps, self.worst_case = ulps, case


class AccuracyRow(NamedTuple):
    """One row of the table `accuracy`."""

    quantity: str
    dtype: str
    quantities: int
    exceeded: int
    listed: int
    worst_ulps: float
    median_ulps: float | None
    median_bound_over_error: float | None
    worst_case: str | None


@dataclass
class Certificate:
    """Every quantity of a run held to its true value."""

    accuracies: dict[Key, Accuracy] = field(default_factory=dict)

    def add(self, case: Case, answer: Offered, bounds: Bounds) -> None:
        """Enclose the true values of one case, and measure the answer against them.

        ulps: the largest error, in units in the last place of the quantity's largest entry. slack: bound / error at the
        entry where it is smallest. exceeded: the error is beyond the bound for textbook forms, which no correct
        implementation's is. listed: the same where PyTorch too leaves the bound, in a listed way; whoever does as
        PyTorch does is neither praised nor blamed. Entries whose truth, or bound, is infinite or unknown are left out.
        An array of float32 is measured as one, whatever the case asks for, as the comparison judges it.
        """
        # Not bounds.exact(): that is as precise as a verdict needs, a thousandth of the bound.
        from backproof.truth.exact import enclose

        enclosure = enclose(case)
        for quantity, layer, middle in enclosure.middle.quantities():
            given = given_for(answer, quantity, layer)
            if given is None or given.shape != middle.shape:
                continue
            dtype = "float32" if own_dtype(given) == "float32" else case.spec.dtype
            radius = entry(enclosure.radius, quantity, layer)
            limit = entry(bounds.limit("textbook", dtype=dtype, against="truth"), quantity, layer)
            self._measure(case, quantity, layer, _Measured(given, middle, radius, limit, dtype))

    def _measure(self, case: Case, quantity: str, layer: int | None, measured: _Measured) -> None:
        from backproof.truth.deviations import met

        if not measured.known.any():
            return
        accuracy = self.accuracies.setdefault((quantity, measured.dtype), Accuracy())
        ulps = measured.ulps
        accuracy.quantities += 1
        if measured.exceeded:
            departs = any(met(case, dtype=measured.dtype, quantity=quantity, layer=layer))
            accuracy.listed += departs
            accuracy.exceeded += not departs
        if ulps is not None:
            accuracy.ulps.update(rounded([ulps]))
            accuracy.meet(ulps, case.spec.id)
        slack = measured.slack
        if slack < inf:
            accuracy.slack.update(rounded([slack]))

    def merge(self, other: Certificate) -> None:
        """Add another part of the run."""
        for key, accuracy in other.accuracies.items():
            self.accuracies.setdefault(key, Accuracy()).merge(accuracy)

    @property
    def exceeded(self) -> int:
        """Quantities whose true error is beyond the bound."""
        return sum(accuracy.exceeded for accuracy in self.accuracies.values())

    def rows(self) -> Iterator[AccuracyRow]:
        """The table `accuracy`, sorted."""
        for (quantity, dtype), accuracy in sorted(self.accuracies.items(), key=lambda item: item[0]):
            yield AccuracyRow(
                quantity,
                dtype,
                accuracy.quantities,
                accuracy.exceeded,
                accuracy.listed,
                accuracy.worst_ulps,
                median(accuracy.ulps),
                median(accuracy.slack),
                accuracy.worst_case or None,
            )


@dataclass(frozen=True)
class _Measured:
    """One quantity: what was given, the true value |truth - middle| <= radius, the limit for the error, its dtype."""

    given: Array
    middle: Array
    radius: Array
    limit: Array
    dtype: str

    @property
    def known(self) -> Array:
        known: Array = np.isfinite(self.middle) & np.isfinite(self.radius) & np.isfinite(self.limit)
        return known

    @property
    def error(self) -> Array:
        """At most this far from the truth: the radius counts in the candidate's favour."""
        with np.errstate(invalid="ignore"):
            distance = np.abs(self.given.astype(np.float64) - self.middle) - self.radius
        return np.where(self.known, np.maximum(np.where(np.isnan(distance), inf, distance), 0.0), 0.0)

    @property
    def exceeded(self) -> bool:
        return bool((self.error > np.where(self.known, self.limit, inf)).any())

    @property
    def slack(self) -> float:
        """The smallest bound / error; infinite where no entry errs."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = np.where(self.error > 0.0, self.limit / self.error, inf)
        return float(ratios.min())

    @property
    def ulps(self) -> float | None:
        """None where the truth is zero to the dtype, which has no last place there."""
        limits = np.finfo(self.dtype)
        largest = min(np.abs(self.middle[self.known]).max(), np.float64(limits.max))
        if largest < limits.smallest_normal:
            return None
        with np.errstate(over="ignore"):
            return float(self.error.max() / np.float64(np.spacing(largest.astype(self.dtype))))
