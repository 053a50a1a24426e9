"""A candidate's own array layout, and the declaration that states it: `@candidate(Domain(...), weights="in_out")`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from backproof.cases.domain import Domain

Array = NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., object])
Samples = Literal["rows", "columns"]
Weights = Literal["out_in", "in_out"]
Bias = Literal["vector", "row", "column"]

MARK: Final = "__backproof__"
"""The attribute by which a declared function is recognised."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a candidate stores its arrays; Backproof hands them over and takes them back in that layout.

    samples: "rows" (N, I) or "columns" (I, N); weights: "out_in" (O, I) or "in_out" (I, O); bias: "vector" (O,),
    "row" (1, O) or "column" (O, 1). Raises ValueError for any other word.
    """

    samples: Samples = "rows"
    weights: Weights = "out_in"
    bias: Bias = "vector"

    def __post_init__(self) -> None:
        for field, kind in (("samples", Samples), ("weights", Weights), ("bias", Bias)):
            if getattr(self, field) not in get_args(kind):
                raise ValueError(f"{field} must be one of {', '.join(get_args(kind))}; got {getattr(self, field)!r}")

    def give_samples(self, array: Array) -> Array:
        """A fresh writable copy of (N, I), or of (N,), as the candidate wants it."""
        return np.array(array.T if self.samples == "columns" else array, order="C")

    def give_weight(self, array: Array) -> Array:
        """A fresh writable copy of (O, I)."""
        return np.array(array.T if self.weights == "in_out" else array, order="C")

    def give_bias(self, array: Array) -> Array:
        """A fresh writable copy of (O,)."""
        return np.array(array.reshape({"vector": (-1,), "row": (1, -1), "column": (-1, 1)}[self.bias]))

    def take_samples(self, array: Array) -> Array:
        """What came back for (N, I), in the default layout; a view."""
        return np.transpose(array) if self.samples == "columns" and array.ndim == 2 else array

    def take_weight(self, array: Array) -> Array:
        """What came back for (O, I)."""
        return np.transpose(array) if self.weights == "in_out" and array.ndim == 2 else array

    def take_bias(self, array: Array) -> Array:
        """What came back for (O,)."""
        if self.bias == "row" and array.ndim == 2 and array.shape[0] == 1:
            return array.reshape(-1)
        if self.bias == "column" and array.ndim == 2 and array.shape[1] == 1:
            return array.reshape(-1)
        return array


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a function says of itself: the networks it supports, and its layout."""

    domain: Domain
    layout: Layout


def candidate(
    domain: Domain, *, samples: Samples = "rows", weights: Weights = "out_in", bias: Bias = "vector"
) -> Callable[[Function], Function]:
    """Declare what a function `loss_and_gradients(network, x, y)` supports; it is then never asked for anything else.

        @candidate(Domain(activations="sigmoid", losses="half_squared_error", reductions="sum"), weights="in_out")
        def loss_and_gradients(network, x, y): ...

    `samples`, `weights` and `bias` are those of `Layout`. The function itself is returned unchanged.
    Raises ValueError for a layout that does not exist, TypeError for a domain that is not a Domain.
    """
    from backproof.cases.domain import Domain

    if not isinstance(domain, Domain):
        raise TypeError(f"@candidate wants a Domain, as in @candidate(Domain(activations='sigmoid')); got {domain!r}")
    declaration = Declaration(domain=domain, layout=Layout(samples=samples, weights=weights, bias=bias))

    def declare(function: Function) -> Function:
        setattr(function, MARK, declaration)
        return function

    return declare
