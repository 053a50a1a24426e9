"""A candidate's domain, narrowed to what somebody asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from backproof.cases.domain import SPANS, Domain, DomainError
from backproof.cases.spec import Penalty

_SEVERAL: Final = ("activations", "output_activations", "losses", "reductions", "dtypes")


def narrowed(domain: Domain, **wanted: Any) -> Domain:
    """The domain with the fields that are not None in place of its own; each is written as for Domain.

    A field that the domain leaves as wide as it comes may be set to anything; one that it restricts, only within that.
    `values` is no limit of a candidate, and is taken as it is. Raises DomainError.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    result = replace(domain, **asked)
    free = Domain()
    for name in asked:
        has, wants, widest = getattr(domain, name), getattr(result, name), getattr(free, name)
        if name == "values" or has == widest or has is None:
            continue
        if not _inside(name, wants, has):
            raise DomainError(f"the candidate supports {name} {_written(has)}; {_written(wants)} was asked for")
    return result


def _inside(name: str, wants: Any, has: Any) -> bool:
    """Whether what is asked of one field lies in what the candidate supports; "mixed" is any of it."""
    if name in SPANS:
        return bool(has[0] <= wants[0] and wants[1] <= has[1])
    return set(wants) <= set(has) if name in _SEVERAL else has in ("mixed", wants)


def _written(value: Any) -> str:
    if isinstance(value, Penalty):
        return value.id
    if not isinstance(value, tuple):
        return str(value)
    if all(isinstance(entry, int) for entry in value):
        return f"{value[0]} to {value[1]}" if value[0] != value[1] else str(value[0])
    return ", ".join(getattr(entry, "id", str(entry)) for entry in value)
