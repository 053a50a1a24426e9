"""The smallest network that shows a mistake: small enough to follow by hand.

Hypothesis shrinks a failing network of the candidate's domain: fewer layers, narrower ones, fewer samples, and numbers
that are ones, then small integers, before they are anything else.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from backproof.cases.case import build_case
from backproof.cases.domain import Domain
from backproof.cases.settings import DomainError
from backproof.cases.spec import NetworkSpec
from backproof.diagnosis.evidence import Exhibit, Inquiry
from backproof.diagnosis.hypotheses import Hypothesis, agree, arrays, singles
from backproof.diagnosis.naming import Named

FAMILIAR: Final = ("identity", "sigmoid", "tanh", "relu", "softmax", "mse", "half_squared_error", "cross_entropy")
"""What a network to follow by hand is best made of."""

TRIED: Final = 150
"""How many networks Hypothesis may look at for a failing one, and about as many again to shrink it."""
BY_HAND: Final = ("integers", "decimals")
"""Fillings that are easy to compute with, the easiest first; ones are not among them: they hide which is which."""


def smallest(
    inquiry: Inquiry, failing: NetworkSpec, hypothesis: Hypothesis | None, rivals: tuple[Hypothesis, ...] = ()
) -> Exhibit | None:
    """The smallest exhibit that is wrong, and by the hypothesis where there is one, while none of the rivals fits it.

    Shrunk within the candidate's domain, from networks like the failing one. None where no smaller network fails.
    """
    # Half of what a run of a right candidate would import, which shrinks nothing.
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    from backproof.cases.strategies import specs

    kind = settings(
        max_examples=TRIED,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    for domain in _around(inquiry.domain, failing):
        try:
            with _nothing_stored():
                found = find(
                    specs(domain),
                    _shows(inquiry, hypothesis, rivals),
                    settings=kind,
                    random=random.Random(0),  # noqa: S311  a fixed choice of examples, and no secret
                )
        except NoSuchExample:
            continue
        return inquiry.exhibit(build_case(found))
    return None


@contextmanager
def _nothing_stored() -> Iterator[None]:
    """Hypothesis makes no folder in the current directory: even without a database it keeps what it reads in modules.

    Where nothing can be written, it does without.
    """
    from hypothesis.configuration import set_hypothesis_home_dir, storage_directory

    before: Any = storage_directory(intent_to_write=False)  # a path, or in later versions something that has one
    set_hypothesis_home_dir(os.devnull)
    try:
        yield
    finally:
        set_hypothesis_home_dir(getattr(before, "path", before))


def _shows(
    inquiry: Inquiry, hypothesis: Hypothesis | None, rivals: tuple[Hypothesis, ...]
) -> Callable[[NetworkSpec], bool]:
    def shows(spec: NetworkSpec) -> bool:
        exhibit = inquiry.exhibit(build_case(spec))
        if not exhibit.wrong:
            return False
        if hypothesis is None or not hypothesis.plants:
            return True
        return reproduces(hypothesis, exhibit) and not any(reproduces(rival, exhibit) for rival in rivals)

    return shows


def reproduces(hypothesis: Hypothesis, exhibit: Exhibit) -> bool:
    """Whether the hypothesis gives the candidate's numbers on an exhibit, or fails where the candidate fails."""
    answer = hypothesis.answer(exhibit.case)
    if answer.failure is not None or exhibit.answer.failure is not None:
        return answer.failure is not None and exhibit.answer.failure is not None
    return agree(arrays(exhibit.answer), arrays(answer))


def _around(domain: Domain, spec: NetworkSpec) -> list[Domain]:
    """Domains to shrink in: the failing kind of network only, with numbers for doing sums by hand, then with its own.

    Fillings that the domain names are a limit like any other: then sums by hand are done with these.
    """
    low = domain.width[0]
    kind: dict[str, Any] = {
        "activations": tuple(dict.fromkeys(spec.activations[:-1])) or domain.activations,
        "output_activations": (spec.activations[-1],),
        "losses": (spec.loss,),
        "reductions": spec.reduction,
        "dtypes": spec.dtype,
        "penalties": "none" if spec.penalty is None else spec.penalty,
    }
    if domain.widths is None:
        kind["width"] = (low, max(low, min(domain.width[1], max(spec.widths), 5)))
        kind["depth"] = (domain.depth[0], max(domain.depth[0], min(domain.depth[1], spec.depth)))
    found = []
    by_hand = tuple(name for name in BY_HAND if not domain.names_values or name in domain.values)
    for values in filter(None, dict.fromkeys((by_hand[:1], by_hand, (spec.values,)))):
        try:
            found.append(replace(domain, **kind, values=values))
        except DomainError:
            continue
    return found


def shown(inquiry: Inquiry, wrong: Sequence[Exhibit], named: Named) -> Exhibit | None:
    """The smallest network that shows it: by the named fault and no other, else by that fault, else any that fails."""
    best = named.best
    parts = () if best is None or len(best.plants) < 2 else tuple(replace(best, plants=(one,)) for one in best.plants)
    # Where one of two mistakes explains all, as in a single layer, no network of that kind shows them both.
    telling = [exhibit for exhibit in wrong if not any(reproduces(part, exhibit) for part in parts)]
    kind = min((exhibit.case.spec for exhibit in telling or wrong), key=_unfamiliar)
    if best is not None:
        fitting = {hypothesis.names for hypothesis in named.hypotheses}
        # On a network of a layer or two, what is everywhere is also what is in one place.
        rivals = parts + tuple(
            each
            for each in singles(inquiry.learning_rate(kind.dtype))
            if each.plants[0].position == "all" and each.names not in fitting
        )
        for others in (rivals, ()):
            found = smallest(inquiry, kind, best, others)
            if found is not None:
                return found
    return smallest(inquiry, kind, None) or min(wrong, key=lambda each: (each.case.spec.depth, each.case.x.size))


def _unfamiliar(spec: NetworkSpec) -> tuple[int, bool]:
    """How many of its parts are none of those that one learns first."""
    strange = sum(formula.name not in FAMILIAR for formula in (*spec.activations, spec.loss))
    return strange + (spec.penalty is not None), spec.reduction not in ("sum", "mean")
