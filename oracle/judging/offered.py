"""What a candidate gave, as it is judged: quantity by quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from backproof.truth.arithmetic import own_dtype

Array = NDArray[Any]


class Offered(Protocol):
    """What a candidate gave, in the default layout; None stands for what it did not return."""

    @property
    def loss(self) -> Array | None:
        """C, or the unreduced losses."""
        ...

    @property
    def weights(self) -> Sequence[Array | None]:
        """dC/dW per layer, (O, I)."""
        ...

    @property
    def biases(self) -> Sequence[Array | None]:
        """dC/db per layer, (O,)."""
        ...

    @property
    def inputs(self) -> Array | None:
        """dC/dx, (N, I)."""
        ...

    @property
    def deltas(self) -> Sequence[Array | None] | None:
        """dC/dz per layer, (N, O)."""
        ...


def coarsest(offered: Offered, dtype: str) -> str:
    """float32 where a gradient of parameters is, else `dtype`: in what an answer as a whole was computed."""
    given = (*offered.weights, *offered.biases)
    return "float32" if any(array is not None and own_dtype(array) == "float32" for array in given) else dtype


def given_for(offered: Offered, quantity: str, layer: int | None) -> Array | None:
    """What was offered for a quantity of the reference."""
    if layer is None:
        return offered.loss if quantity == "loss" else offered.inputs
    arrays = offered.weights if quantity == "weight" else offered.biases if quantity == "bias" else offered.deltas
    return None if arrays is None else arrays[layer - 1]
