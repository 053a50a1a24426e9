"""A candidate's domain, narrowed to what somebody asks for; and whether it may be asked for one network by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from backproof.cases.domain import SPANS, Domain, DomainError
from backproof.cases.spec import NetworkSpec, Penalty

_SEVERAL: Final = ("activations", "output_activations", "losses", "reductions", "dtypes")


def narrowed(domain: Domain, **wanted: Any) -> Domain:
    """The domain with the fields that are not None in place of its own; each is written as for Domain.

    A field that the domain leaves as wide as it comes may be set to anything; one that it restricts, only within that.
    A declared domain that says nothing of penalties has none. `values` is no limit of a candidate, and is taken as it
    is. Raises DomainError.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    result = replace(domain, **asked)
    for name in asked:
        if name == "values" or _is_free(domain, name):
            continue
        has = domain.outputs if name == "output_activations" else getattr(domain, name)
        wants = getattr(result, name)
        if not _inside(name, wants, has):
            told = f"the candidate supports {name} {_written(has)}; {_written(wants)} was asked for"
            raise DomainError(told + _declares(domain, name))
    return result


def like(specs: Sequence[NetworkSpec]) -> Domain:
    """Networks of no other kind, of any usual size: what a candidate that declares nothing may be asked beside these.

    It was asked for them by name, and so it claims to know their formulas; of others it has claimed nothing.
    """
    penalties = {spec.penalty for spec in specs}
    biases = {has for spec in specs for has in spec.biases}
    usual = Domain()
    return Domain(
        depth=(1, max(usual.depth[1], *(spec.depth for spec in specs))),
        width=(1, max(usual.width[1], *(width for spec in specs for width in spec.widths))),
        batch_size=(1, max(usual.batch_size[1], *(spec.batch_size for spec in specs))),
        activations=tuple(name for spec in specs for name in spec.activations[:-1] or spec.activations),
        output_activations=tuple(spec.activations[-1] for spec in specs),
        losses=tuple(spec.loss for spec in specs),
        reductions=tuple(spec.reduction for spec in specs),
        dtypes=tuple(spec.dtype for spec in specs),
        biases="mixed" if len(biases) > 1 else "always" if True in biases else "never",
        penalties="mixed" if len(penalties) > 1 else next(iter(penalties)) or "none",
    )


def check_named(domain: Domain, spec: NetworkSpec) -> None:
    """Raises DomainError where `domain` excludes a network that is asked for by name.

    By the same rule: what is left as wide as it comes excludes nothing, nor do fillings. Nor does a number of shapes,
    which one network does not exceed.
    """
    if domain.contains(spec):
        return
    free: dict[str, Any] = {
        "depth": (1, max(domain.depth[1], spec.depth)),
        "batch_size": (1, max(domain.batch_size[1], spec.batch_size)),
        "activations": (*domain.activations, *spec.activations[:-1]),
        "losses": (*domain.losses, spec.loss),
        "penalties": "mixed",
    }
    if domain.widths is None:
        free["width"] = (1, max(domain.width[1], *spec.widths))
    wider = {name: value for name, value in free.items() if _is_free(domain, name)}
    if _is_free(domain, "output_activations"):
        wider["output_activations"] = (*domain.outputs, spec.activations[-1])
    why = replace(domain, values=(spec.values,), shapes=None, **wider).why_not(spec)
    if why is not None:
        declares = _declares(domain, "penalties") if spec.penalty is not None and "penalty" in why else ""
        raise DomainError(f"case {spec.id} is not of the candidate's domain: {why}{declares}")


def _is_free(domain: Domain, name: str) -> bool:
    """Whether a field is as wide as it comes."""
    if name == "penalties":
        return domain.penalties == "none" and not domain.is_declared
    if name == "output_activations":
        return set(domain.outputs) == set(_WIDEST.outputs)
    return bool(getattr(domain, name) == getattr(_WIDEST, name)) or getattr(domain, name) is None


def _declares(domain: Domain, name: str) -> str:
    """How a domain says that it has penalties, where it has said nothing of them."""
    if name != "penalties" or domain.penalties != "none":
        return ""
    return ". If it adds network.penalty, let its Domain say so: penalties='mixed', or one like penalties='0.01+0.1'"


_WIDEST: Final = Domain()


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
