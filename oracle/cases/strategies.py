"""Hypothesis strategies for specs and cases, through the same build_spec as the sampler. Only they need Hypothesis."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

from backproof.cases.case import Case, build_case
from backproof.cases.domain import Domain, build_spec
from backproof.cases.spec import NetworkSpec

__all__ = ["cases", "specs"]

T = TypeVar("T")


@st.composite
def specs(draw: st.DrawFn, domain: Domain | None = None) -> NetworkSpec:
    """Specs of `domain` (default: Domain()); they shrink to small networks of simple parts."""

    def choose(_label: str, options: Sequence[T], /) -> T:
        return options[draw(st.integers(0, len(options) - 1))]

    return build_spec(Domain() if domain is None else domain, choose)


def cases(domain: Domain | None = None) -> st.SearchStrategy[Case]:
    """Cases of `domain` (default: Domain()): `specs` with their arrays."""
    return specs(domain).map(build_case)
