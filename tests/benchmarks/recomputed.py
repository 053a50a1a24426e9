"""What backpropagation saves: the same gradients by the chain rule alone, with nothing kept from one layer to the next.

Backpropagation computes delta^{l+1} once and goes one step down to delta^l: L steps for L layers. Whoever writes down
the chain rule for each layer by itself,

    delta^l = ((dC/da^L phi'(z^L)) W^L phi'(z^{L-1})) W^{L-1} ... phi'(z^l),

begins at the output every time: L + (L - 1) + ... + 1 = L (L + 1) / 2 steps. The numbers are the same to the last bit,
since they are the same steps in the same order; only that most are done again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproof.scratch import Backprop, Layer
from backproof.scratch.arrays import Array


class Recomputed(Backprop):
    """Every delta from the output down, as if there were no other."""

    def deltas(self, layers: Sequence[Layer], loss_gradient: Array) -> list[Array]:
        """delta^1 to delta^L: quadratic in L."""
        return [self.delta_of(index, layers, loss_gradient) for index in range(len(layers))]

    def delta_of(self, index: int, layers: Sequence[Layer], loss_gradient: Array) -> Array:
        """The delta of `layers[index]`, (N, O)."""
        above = layers[-1]
        delta = self.output_delta(loss_gradient, above)
        for layer in reversed(layers[index:-1]):
            delta = self.hidden_delta(self.upstream(delta, above), layer, above)
            above = layer
        return delta
