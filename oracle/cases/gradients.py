"""Gradients: what a candidate and a reference return, in one order; Direction: a tangent to move along."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from backproof.cases.fillings import bell
from backproof.cases.streams import raw_words

if TYPE_CHECKING:
    from backproof.cases.case import Case

__all__ = ["Array", "Direction", "Gradients", "ReadOff", "draw_direction"]

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


@dataclass(frozen=True, eq=False)
class Direction:
    """A tangent of the parameters and of x, in their shapes: dW (O, I), db (O,) or None, dx (N, I)."""

    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    inputs: Array


def draw_direction(case: "Case") -> Direction:
    """A direction for `case`, in its dtype: bell-shaped numbers of size 1 for every weight, bias and input.

    They come from the spec's id, by another stream than the case's arrays.
    """
    arrays = [*case.weights, *case.biases, case.x]
    size = sum(array.size for array in arrays if array is not None)
    words = raw_words("direction," + case.spec.id, 2 * size).reshape(2, size)
    numbers = bell(words).astype(case.spec.dtype, copy=False)
    numbers.flags.writeable = False
    tangents: list[Array | None] = []
    stop = 0
    for array in arrays:
        start, stop = stop, stop + (0 if array is None else array.size)
        tangents.append(None if array is None else numbers[start:stop].reshape(array.shape))
    layers = len(case.weights)
    weights = tuple(tangent for tangent in tangents[:layers] if tangent is not None)
    return Direction(weights, tuple(tangents[layers:-1]), numbers[numbers.size - case.x.size :].reshape(case.x.shape))
