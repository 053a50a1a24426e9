"""Gradients: what a candidate and a reference return, in one order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

__all__ = ["Array", "Gradients", "ReadOff"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Gradients:
    """The loss C and its derivatives. Index l - 1 of each tuple belongs to layer l.

    loss: (), or under reduction "none" (N, O) or (N,); weights: (O, I) each; biases: (O,) each, None for a layer
    without; inputs: dC/dx (N, I) and deltas: dC/dz (N, O) each, or None where not offered. Under reduction "none" the
    derivatives are those of <upstream, losses>.
    """

    loss: Array
    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    inputs: Array | None
    deltas: tuple[Array, ...] | None

    def quantities(self) -> Iterator[tuple[str, int | None, Array]]:
        """(quantity, layer, array) in backward order: loss; delta, bias and weight of layers L, ..., 1; input.

        Quantities that are None are left out; the loss and the input have layer None.
        """
        yield "loss", None, self.loss
        for index in reversed(range(len(self.weights))):
            if self.deltas is not None:
                yield "delta", index + 1, self.deltas[index]
            bias = self.biases[index]
            if bias is not None:
                yield "bias", index + 1, bias
            yield "weight", index + 1, self.weights[index]
        if self.inputs is not None:
            yield "input", None, self.inputs


class ReadOff(NamedTuple):
    """A gradient that was read off a training step: the rounding that this added, and where the step moved."""

    error: Array
    moved: Array
