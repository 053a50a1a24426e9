"""Case: a spec with its arrays, which follow from the spec alone, bit for bit, on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress, pairwise
from math import prod
from operator import mul
from typing import Any

import numpy as np

from backproof.cases.catalogue import LOSSES, target_kind
from backproof.cases.digits import digits_rows
from backproof.cases.fillings import FILLINGS, Scales, fan_in_exponent
from backproof.cases.gradients import Array
from backproof.cases.spec import NetworkSpec
from backproof.cases.streams import Words, below, raw_words
from backproof.cases.targets import TARGETS, TargetWords

__all__ = ["Array", "Case", "build_case"]


@dataclass(frozen=True, eq=False)
class Case:
    """A network with its data. All arrays are read-only, in spec.dtype unless they hold class indices (int64).

    weights: (O, I) each; biases: (O,) each, None for a layer without; x: (N, I); y: (N, O), or (N,) class indices;
    loss_arrays: `weight` (O,), `pos_weight` (O,) or `var` (N, O), where the loss takes one; upstream: under reduction
    "none" the factors of the unreduced losses, (N, O) or (N,), else None.
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
        """torch's keyword -> value or array: the parameters of the loss, and `weight`, `pos_weight` and `var`."""
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

        The spec of the result has the new batch size; its arrays are rows of this case's, not what build_case gives.
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
    """The case of `spec`: each array has its own, fixed stretch of the stream that belongs to the spec's id.

    In order: weights, biases, x, upstream; y; one word for each row; the arrays of the loss.
    """
    filling, dtype = FILLINGS[spec.values], spec.dtype
    kind = TARGETS[target_kind(spec.loss)]
    draw = kind.draw
    samples, outputs = spec.batch_size, spec.outputs
    losses = (samples,) if LOSSES[spec.loss.name].per_sample else (samples, outputs)
    shapes = _loss_array_shapes(spec)
    network, upstream_stop, y_stop, row_stop, stop = accumulate(
        (
            _network_size(spec),
            prod(losses) if spec.reduction == "none" else 0,
            samples * outputs,
            samples,
            sum(map(prod, shapes.values())),
        )
    )
    words = raw_words(spec.id, 2 * stop).reshape(2, stop)

    # The numbers of any sign are drawn and rounded in one go; what follows scales them by powers of two: exact.
    numbers = filling.numbers(words[:, : y_stop if draw is None else upstream_stop]).astype(dtype, copy=False)
    upstream = _upstream(numbers[network:upstream_stop].reshape(losses)) if upstream_stop > network else None
    weights, biases, x = _network_arrays(spec, numbers[:network])
    y: Array = numbers[upstream_stop:].reshape(samples, -1)  # empty where y is not real: then drawn below
    row_words = words[0, y_stop:row_stop]
    _scale_data_in_place((x, y), filling.scales[spec.dtype], row_words)
    labels = None
    if filling.inputs is not None:
        x, labels = digits_rows(row_words, spec.dtype)
        # The true labels count where the network has an output for each digit.
        labels = labels if outputs == 10 else None
    if labels is not None and kind.one_hot is not None:
        y = kind.one_hot(np.equal.outer(labels, np.arange(outputs)).astype(np.int64))
    elif draw is not None:
        y_words = words[:, upstream_stop:y_stop].reshape(2, samples, outputs)
        y = draw(TargetWords(filling, spec.loss, y_words, labels))
    y = y if y.dtype == np.int64 else y.astype(dtype, copy=False)
    loss_arrays = {}
    if shapes:
        positives = filling.positives(words[0, row_stop:]).astype(dtype)
        loss_arrays = {name: _locked(positives.reshape(shape)) for name, shape in shapes.items()}
    return Case(spec, weights, biases, _locked(x), _locked(y), loss_arrays, upstream)


def _network_size(spec: NetworkSpec) -> int:
    """How many numbers the weights, the biases and x have together."""
    weights: int = sum(map(mul, spec.widths, spec.widths[1:]))
    return weights + sum(compress(spec.widths[1:], spec.biases)) + spec.batch_size * spec.inputs


def _loss_array_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """The arrays that the loss takes beside y; no loss takes two."""
    if spec.loss.name == "gaussian_nll":
        return {"var": (spec.batch_size, spec.outputs)}
    return {name: (spec.outputs,) for name, value in spec.loss.options.items() if value == "weighted"}


def _network_arrays(spec: NetworkSpec, numbers: Array) -> tuple[tuple[Array, ...], tuple[Array | None, ...], Array]:
    """Weights, biases and x as pieces of `numbers`: weights and biases to their sizes and read-only, x as it is."""
    filling = FILLINGS[spec.values]
    scales = filling.scales[spec.dtype]
    weights: list[Array] = []
    stop = 0
    for inputs, outputs in pairwise(spec.widths):
        start, stop = stop, stop + inputs * outputs
        weight = numbers[start:stop].reshape(outputs, inputs)
        exponent = scales.weight - fan_in_exponent(inputs) if filling.fan_in else scales.weight
        if exponent:
            weight *= 2.0**exponent
        weight.flags.writeable = False
        weights.append(weight)
    if scales.bias:
        numbers[stop : numbers.size - spec.batch_size * spec.inputs] *= 2.0**scales.bias
    biases: list[Array | None] = []
    for outputs, present in zip(spec.widths[1:], spec.biases, strict=True):
        start, stop = stop, stop + outputs * present
        biases.append(_locked(numbers[start:stop]) if present else None)
    return tuple(weights), tuple(biases), numbers[stop:].reshape(spec.batch_size, spec.inputs)


def _scale_data_in_place(arrays: tuple[Array, ...], scales: Scales, row_words: Words) -> None:
    """To the size of the filling's data, and row by row to sizes from 1 to 2^rows."""
    factor: float | Array = 2.0**scales.data
    if scales.rows:
        factor = np.ldexp(factor, below(row_words, scales.rows + 1))[:, np.newaxis].astype(arrays[0].dtype)
    elif not scales.data:
        return
    for array in arrays:
        np.multiply(array, factor, out=array)


def _upstream(upstream: Array) -> Array:
    """Not at the size of the filling's data, which would only underflow; and never all zero."""
    if not upstream.any():
        upstream.flat[0] = 1.0
    return _locked(upstream)


def _locked(array: Array) -> Array:
    array.flags.writeable = False
    return array
