"""Pairs: what a network has two of at once, (activation, loss), (filling, dtype), (depth, reduction), and was met so.

A stratum counts one thing in one dtype. A defect that needs two things to meet may hide in full strata, so that a large
run says of which pairs it has met every one that the domain allows, and of which not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec


class Pair(NamedTuple):
    """One pair: its kind, one of KINDS, and the two."""

    kind: str
    first: str
    second: str


KINDS: Final = ("activation, loss", "filling, dtype", "depth, reduction")
_ACTIVATION, _FILLING, _DEPTH = KINDS


def pairs_of(spec: NetworkSpec) -> list[Pair]:
    """The pairs that a network has: each of its activations with its loss, and so on."""
    return [
        *[Pair(_ACTIVATION, name, spec.loss.name) for name in spec.activation_names],
        Pair(_FILLING, spec.values, spec.dtype),
        Pair(_DEPTH, str(spec.depth), spec.reduction),
    ]


def allowed(domain: Domain) -> tuple[Pair, ...]:
    """Every pair that some network of a domain has, kind by kind."""
    plan = domain.plan
    depths = dict.fromkeys(len(widths) - 1 for widths, _ in plan.shapes) or dict.fromkeys(plan.depths)
    hidden = dict.fromkeys(_hidden(domain, deep=max(depths) > 1))
    pairs: list[Pair] = []
    for loss in plan.losses.names:
        outputs = {name for formula in plan.losses.formulas[loss] for name in plan.outputs[formula].names}
        pairs += [Pair(_ACTIVATION, name, loss) for name in ACTIVATIONS if name in outputs or name in hidden]
    pairs += [Pair(_FILLING, values, dtype) for values in domain.values for dtype in domain.dtypes]
    reductions = dict.fromkeys(reduction for _, reduction, _ in plan.strata)
    return (*pairs, *(Pair(_DEPTH, str(depth), reduction) for depth in sorted(depths) for reduction in reductions))


def _hidden(domain: Domain, *, deep: bool) -> Iterator[str]:
    """The names of activations that a hidden layer can have: row-wise ones need a layer of two units or more."""
    if not deep:
        return
    widest = domain.width[1]
    if domain.widths is not None:
        widest = max(domain.widths[1:-1], default=1)
    elif domain.plan.shapes:
        widest = max((width for widths, _ in domain.plan.shapes for width in widths[1:-1]), default=1)
    yield from (each.name for each in domain.activations if widest > 1 or not ACTIVATIONS[each.name].rowwise)


def never_met(domain: Domain, met: Mapping[Pair, int]) -> tuple[Pair, ...]:
    """The pairs that the domain allows and that no network had."""
    return tuple(pair for pair in allowed(domain) if not met.get(pair))


def rows(domain: Domain, met: Mapping[Pair, int]) -> Iterator[tuple[str, str, str, int]]:
    """The table `pairs`: every pair that is allowed or was met, with the number of cases that have it."""
    for pair in dict.fromkeys((*allowed(domain), *sorted(met))):
        yield (*pair, met.get(pair, 0))
