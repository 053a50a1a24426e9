"""Case: a spec with its arrays, which follow from the spec alone, bit for bit, on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

import numpy as np

from backproof.cases.catalogue import LOSSES, target_kind
from backproof.cases.digits import digits_rows
from backproof.cases.fillings import FILLINGS, Filling, bell, fan_in_exponent
from backproof.cases.gradients import Array, Direction
from backproof.cases.spec import NetworkSpec
from backproof.cases.streams import Words, below, raw_words
from backproof.cases.targets import TARGETS, TargetWords

__all__ = ["Array", "Case", "build_case", "draw_direction"]


@dataclass(frozen=True, eq=False)
class Case:
    """A network with its data. All arrays are read-only, in spec.dtype unless they hold class indices (int64).

    weights: (O, I) each; biases: (O,) each, None for a layer without; x: (N, I); y: (N, O), or (N,) class indices; loss_arrays:
    `weight` (O,), `pos_weight` (O,) or `var` (N, O), where the loss takes one; upstream: under reduction "none" the factors of the
    unreduced losses, (N, O) or (N,), else None.
    """

    spec: NetworkSpec
    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    x: Array
    y: Array
    loss_arrays: Mapping[str, Array]
    upstream: Array | None

    @property
    def loss_options(self) -> dict[str, Any]:
        """torch's keyword -> value or array, for this loss: parameters, and the arrays `weight`, `pos_weight` and `var`."""
        options: dict[str, Any] = {name: value for name, value in self.spec.loss.options.items() if name != "target"}
        for name in ("weight", "pos_weight"):
            if name in options:
                options[name] = self.loss_arrays.get(name)
        if "var" in self.loss_arrays:
            options["var"] = self.loss_arrays["var"]
        return options

    def sample(self, index: int) -> "Case":
        """The same network on the single sample `index`, counted from 0: batch size 1.  Raises IndexError."""
        if not 0 <= index < self.spec.batch_size:
            raise IndexError(f"a case of {self.spec.batch_size} samples has no sample {index}; they count from 0")
        return self._restricted(slice(index, index + 1), 1)

    def rows(self, indices: Sequence[int]) -> "Case":
        """The same network on the samples `indices`, in that order; one may stand there twice.

        The spec of the result has the new batch size; the arrays are those of this case, not those that build_case would give it.
        """
        return self._restricted(np.asarray(indices, dtype=np.intp), len(indices))

    def _restricted(self, chosen: Any, batch_size: int) -> "Case":
        def taken(array: Array) -> Array:
            return _locked(array[chosen])

        loss_arrays = {name: taken(array) if name == "var" else array for name, array in self.loss_arrays.items()}
        upstream = None if self.upstream is None else taken(self.upstream)
        spec = replace(self.spec, batch_size=batch_size)
        return replace(self, spec=spec, x=taken(self.x), y=taken(self.y), loss_arrays=loss_arrays, upstream=upstream)


def build_case(spec: NetworkSpec) -> Case:
    """The case of `spec`.

    Every array has its own, fixed stretch of the stream that belongs to the spec's id: none depends on the order of drawing.
    """
    filling = FILLINGS[spec.values]
    scales = filling.scales[spec.dtype]
    samples, outputs = spec.batch_size, spec.outputs
    sizes = _network_sizes(spec)
    drawn = sum(sizes)
    targets = samples * outputs
    per_class = {name: outputs for name, value in spec.loss.options.items() if value == "weighted"}
    positives = {"var": targets} if spec.loss.name == "gaussian_nll" else per_class
    losses = (samples,) if LOSSES[spec.loss.name].per_sample else (samples, outputs)
    upstreams = (samples if len(losses) == 1 else targets) if spec.reduction == "none" else 0
    # The stream: weights, biases and x; y; a word for each row; arrays of the loss; upstream.
    stops = list(accumulate((drawn, targets, samples, sum(positives.values()), upstreams)))
    words = raw_words(spec.id, 2 * stops[-1]).reshape(2, stops[-1])
    row_words = words[0, stops[1] : stops[2]]

    rows = np.ldexp(1.0, below(row_words, scales.rows + 1))[:, np.newaxis] if scales.rows else None
    weights, biases, x = _network_arrays(spec, filling, words[:, :drawn], sizes, rows)
    labels = None
    if filling.inputs is not None:
        x, labels = digits_rows(row_words, spec.dtype)
    y = _targets(spec, filling, words[:, stops[0] : stops[1]].reshape(2, samples, outputs), rows, labels)
    loss_arrays = {}
    if positives:
        drawn_positives = filling.positives(words[0, stops[2] : stops[3]]).astype(spec.dtype)
        shape = (samples, outputs) if "var" in positives else (outputs,)
        loss_arrays = {name: _locked(drawn_positives.reshape(shape)) for name in positives}
    upstream = _upstream(words[:, stops[3] :], filling, spec.dtype).reshape(losses) if upstreams else None
    return Case(spec, weights, biases, x, y, loss_arrays, upstream)


def _network_sizes(spec: NetworkSpec) -> list[int]:
    """How many numbers each weight, each bias (0 where there is none) and x has: W^1, b^1, ..., W^L, b^L, x."""
    sizes = []
    for inputs, outputs, bias in zip(spec.widths, spec.widths[1:], spec.biases, strict=False):
        sizes += [inputs * outputs, outputs if bias else 0]
    return [*sizes, spec.batch_size * spec.inputs]


def _network_arrays(
    spec: NetworkSpec, filling: Filling, words: Words, sizes: list[int], rows: Array | None
) -> tuple[tuple[Array, ...], tuple[Array | None, ...], Array]:
    """Weights, biases and x: drawn and rounded in one go, then scaled in place by powers of two, which is exact."""
    scales = filling.scales[spec.dtype]
    numbers = filling.numbers(words[0], words[1]).astype(spec.dtype, copy=False)
    pieces = []
    stop = 0
    for size in sizes:
        pieces.append(numbers[stop : stop + size])
        stop += size
    for layer, inputs in enumerate(spec.widths[:-1]):
        exponent = scales.weight - fan_in_exponent(inputs) * filling.fan_in
        if exponent:
            pieces[2 * layer] *= _POWERS[spec.dtype](2.0**exponent)
        if scales.bias:
            pieces[2 * layer + 1] *= _POWERS[spec.dtype](2.0**scales.bias)
    x = pieces[-1].reshape(spec.batch_size, spec.inputs)
    if scales.data:
        x *= _POWERS[spec.dtype](2.0**scales.data)
    if rows is not None:
        x *= rows.astype(spec.dtype)
    for piece in pieces:
        piece.flags.writeable = False
    weights = [
        piece.reshape(outputs, inputs)
        for piece, inputs, outputs in zip(pieces[:-1:2], spec.widths, spec.widths[1:], strict=False)
    ]
    biases = [piece if bias else None for piece, bias in zip(pieces[1::2], spec.biases, strict=True)]
    return tuple(weights), tuple(biases), _locked(x)


_POWERS: Final = {"float64": np.float64, "float32": np.float32}


def _targets(spec: NetworkSpec, filling: Filling, words: Words, rows: Array | None, labels: Array | None) -> Array:
    kind = TARGETS[target_kind(spec.loss)]
    # The true labels count where the network has a class for each digit.
    labels = labels if spec.outputs == 10 else None
    if labels is not None and kind.one_hot is not None:
        y = kind.one_hot(np.equal.outer(labels, np.arange(spec.outputs)).astype(np.int64))
    else:
        y = kind.draw(TargetWords(filling, spec.loss, filling.scales[spec.dtype], words[0], words[1], rows, labels))
    return _locked(y if y.dtype == np.int64 else y.astype(spec.dtype, copy=False))


def _upstream(words: Words, filling: Filling, dtype: str) -> Array:
    """Numbers of the filling at their own size, not at that of its data; never all zero."""
    upstream = filling.numbers(words[0], words[1]).astype(dtype, copy=False)
    if not upstream.any():
        upstream[0] = 1.0
    return _locked(upstream)


def draw_direction(case: Case) -> Direction:
    """A direction for `case`, in its dtype: bell-shaped numbers of size 1 for every weight, bias and input, from the spec's id."""
    spec = case.spec
    sizes = _network_sizes(spec)
    words = raw_words("direction," + spec.id, 2 * sum(sizes)).reshape(2, sum(sizes))
    pieces = np.split(_locked(bell(words[0], words[1]).astype(spec.dtype)), list(accumulate(sizes[:-1])))
    weights = [piece.reshape(weight.shape) for piece, weight in zip(pieces[:-1:2], case.weights, strict=True)]
    biases = [piece if bias else None for piece, bias in zip(pieces[1::2], spec.biases, strict=True)]
    return Direction(tuple(weights), tuple(biases), pieces[-1].reshape(case.x.shape))


def _locked(array: Array) -> Array:
    array.flags.writeable = False
    return array
