"""Case: a spec with its arrays, which follow from the spec alone, bit for bit, on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress, pairwise
from math import prod
from operator import mul
from typing import Any

import numpy as np

from backproof.cases.catalogue import LOSSES
from backproof.cases.digits import digits_rows
from backproof.cases.fillings import FILLINGS, Scales, fan_in_exponent
from backproof.cases.formula import target_kind
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

    In order: weights, biases, x, upstream; y; one word for each row; the arrays of the loss. Raises SpecError where
    memory does not hold them.
    """
    try:
        return _built(spec)
    except (MemoryError, OverflowError):
        raise spec.too_large("the arrays") from None


def _built(spec: NetworkSpec) -> Case:
    filling, dtype = FILLINGS[spec.values], spec.dtype
    kind = TARGETS[target_kind(spec.loss)]
    draw = kind.draw
    samples, outputs = spec.batch_size, spec.outputs
    losses = (samples,) if LOSSES[spec.loss.name].per_sample else (samples, outputs)
    shapes = _loss_array_shapes(spec)
    parameters, network, upstream_stop, y_stop, row_stop, stop = accumulate(
        (
            _parameter_count(spec),
            samples * spec.inputs,
            prod(losses) if spec.reduction == "none" else 0,
            samples * outputs,
            samples,
            sum(map(prod, shapes.values())),
        )
    )
    words = raw_words(spec.id, 2 * stop).reshape(2, stop)
    row_words = words[0, y_stop:row_stop]

    # The numbers of any sign are drawn and rounded in one go; what follows scales them by powers of two: exact.
    numbers = filling.numbers(words).astype(dtype, copy=False)
    _scale_parameters_in_place(spec, numbers[:parameters])
    _scale_data_in_place(numbers[parameters:network], filling.scales[dtype], row_words)
    _scale_data_in_place(numbers[upstream_stop:y_stop], filling.scales[dtype], row_words)
    if upstream_stop > network:
        _avoid_zero_in_place(numbers[network:upstream_stop])
    # Whatever is cut from a locked array is locked as well.
    weights, biases = _parameters(spec, _locked(numbers))
    x = numbers[parameters:network].reshape(samples, -1)
    upstream = numbers[network:upstream_stop].reshape(losses) if upstream_stop > network else None
    labels = None
    if filling.inputs is not None:
        x, labels = digits_rows(row_words, dtype)
        # The true labels count where the network has an output for each digit.
        labels = labels if outputs == 10 else None
    if labels is not None and kind.one_hot is not None:
        y = kind.one_hot(np.equal.outer(labels, np.arange(outputs)).astype(np.int64))
    elif draw is not None:
        y_words = words[:, upstream_stop:y_stop].reshape(2, samples, outputs)
        y = draw(TargetWords(filling, spec.loss, y_words, labels))
    else:
        y = numbers[upstream_stop:y_stop].reshape(samples, outputs)
    y = y if y.dtype == np.int64 else y.astype(dtype, copy=False)
    loss_arrays = {}
    if shapes:
        positives = _locked(filling.positives(words[0, row_stop:]).astype(dtype))
        loss_arrays = {name: positives.reshape(shape) for name, shape in shapes.items()}
    return Case(spec, weights, biases, x, _locked(y), loss_arrays, upstream)


def _parameter_count(spec: NetworkSpec) -> int:
    """How many numbers the weights and the biases have together."""
    weights: int = sum(map(mul, spec.widths, spec.widths[1:]))
    return weights + sum(compress(spec.widths[1:], spec.biases))


def _loss_array_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """The arrays that the loss takes beside y; no loss takes two."""
    if spec.loss.name == "gaussian_nll":
        return {"var": (spec.batch_size, spec.outputs)}
    return {name: (spec.outputs,) for name, value in spec.loss.options.items() if value == "weighted"}


def _scale_parameters_in_place(spec: NetworkSpec, numbers: Array) -> None:
    """Weights and biases to the sizes of their filling."""
    filling = FILLINGS[spec.values]
    scales = filling.scales[spec.dtype]
    stop = 0
    for inputs, outputs in pairwise(spec.widths):
        start, stop = stop, stop + inputs * outputs
        exponent = scales.weight - fan_in_exponent(inputs) if filling.fan_in else scales.weight
        if exponent:
            weight = numbers[start:stop]
            weight *= 2.0**exponent
    if scales.bias:
        biases = numbers[stop:]
        biases *= 2.0**scales.bias


def _scale_data_in_place(numbers: Array, scales: Scales, row_words: Words) -> None:
    """To the size of the filling's data, and row by row to sizes from 1 to 2^rows."""
    if scales.data:
        numbers *= 2.0**scales.data
    if scales.rows:
        rows = numbers.reshape(len(row_words), -1)
        rows *= np.ldexp(1.0, below(row_words, scales.rows + 1))[:, np.newaxis].astype(numbers.dtype)


def _avoid_zero_in_place(upstream: Array) -> None:
    """Not at the size of the filling's data, which would only underflow; and never all zero."""
    if not upstream.any():
        upstream[0] = 1.0


def _parameters(spec: NetworkSpec, numbers: Array) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
    """Weights and biases, cut from the front of `numbers`."""
    weights: list[Array] = []
    biases: list[Array | None] = []
    stop = 0
    for inputs, outputs in pairwise(spec.widths):
        start, stop = stop, stop + inputs * outputs
        weights.append(numbers[start:stop].reshape(outputs, inputs))
    for outputs, present in zip(spec.widths[1:], spec.biases, strict=True):
        start, stop = stop, stop + outputs * present
        biases.append(numbers[start:stop] if present else None)
    return tuple(weights), tuple(biases)


def _locked(array: Array) -> Array:
    array.flags.writeable = False
    return array
