"""Direction: a tangent to move along, drawn for a case."""

from dataclasses import dataclass

from backproof.cases.case import Case
from backproof.cases.fillings import bell
from backproof.cases.gradients import Array
from backproof.cases.streams import raw_words

__all__ = ["Direction", "draw_direction"]


@dataclass(frozen=True, eq=False)
class Direction:
    """A tangent of the parameters and of x, in their shapes: dW (O, I), db (O,) or None, dx (N, I)."""

    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    inputs: Array


def draw_direction(case: Case) -> Direction:
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
