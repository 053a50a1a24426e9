"""Samples of a domain, spread evenly over its strata, and what a sample covered."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from backproof.cases.decks import EvenSampler
from backproof.cases.domain import Domain, build_spec
from backproof.cases.spec import NetworkSpec

__all__ = ["Coverage", "EvenSampler", "Stratum", "iterate_specs", "sample_specs"]

# (activation, dtype), with the activation in any layer, or (loss, reduction, dtype)
Stratum: TypeAlias = tuple[str, ...]


def iterate_specs(domain: Domain, *, seed: int, shard: int) -> Iterator[NetworkSpec]:
    """Specs of `domain` without end. The same domain, seed and shard give the same ones, on every machine."""
    choose = EvenSampler(seed, shard).choose
    while True:
        yield build_spec(domain, choose)


def sample_specs(domain: Domain, *, seed: int, shard: int, count: int) -> list[NetworkSpec]:
    """The first `count` of iterate_specs; each has a seed of its own."""
    return list(islice(iterate_specs(domain, seed=seed, shard=shard), count))


class Coverage:
    """How many specs fall into each stratum. A spec counts once for each of its activations."""

    def __init__(self, specs: Iterable[NetworkSpec] = ()) -> None:
        self._counts: Counter[Stratum] = Counter()
        for spec in specs:
            self.add(spec)

    def add(self, spec: NetworkSpec) -> None:
        """Count one more spec."""
        self._counts.update((name, spec.dtype) for name in spec.activation_names)
        self._counts[spec.loss.name, spec.reduction, spec.dtype] += 1

    def strata(self) -> dict[Stratum, int]:
        """Stratum -> number of specs: those of activations first, in alphabetical order."""
        return dict(sorted(self._counts.items(), key=lambda item: (len(item[0]), item[0])))

    def missing(self, domain: Domain) -> tuple[Stratum, ...]:
        """The strata that specs of `domain` could cover and these did not."""
        return tuple(stratum for stratum in domain.strata() if not self._counts[stratum])
