"""What a network must be given. All that arrives is checked here, once; a message says what, where, got and wanted.

Layers count from 1, as in the equations; messages give the Python index too: layer 2 (`weights[1]`).
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from backproof.scratch.arrays import Array
from backproof.scratch.errors import DtypeError, NotFiniteError, PairingError, ShapeError, TargetError

DTYPES = (np.dtype(np.float64), np.dtype(np.float32))


@cache
def named_layer(index: int, where: str) -> str:
    """What people are told of the layer at `index` of `where`: "layer 2 (`weights[1]`)"."""
    return f"layer {index + 1} (`{where}[{index}]`)"


def require_parameters(
    weights: Sequence[Array], biases: Sequence[Array | None]
) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
    """Weights (O, I) that fit one another and biases (O,) or None, all finite and of one dtype, float32 or float64."""
    weights = tuple(np.asarray(weight) for weight in weights)
    biases = tuple(None if bias is None else np.asarray(bias) for bias in biases)
    if not weights:
        raise ShapeError("weights: a network has at least one layer, got none")
    if len(biases) != len(weights):
        raise ShapeError(
            f"biases: wanted one for each of the {len(weights)} layers (None where there is none), got {len(biases)}"
        )
    dtype = weights[0].dtype
    width: int | None = None
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        where = named_layer(index, "weights")
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(f"{where}: wanted shape (O, I), at least one of each; got {weight.shape}")
        if width is not None and weight.shape[1] != width:
            raise ShapeError(
                f"{where}: wanted shape (O, {width}), since layer {index} has {width} outputs; got {weight.shape}"
                + (". Is it transposed?" if weight.shape[0] == width else "")
            )
        width = weight.shape[0]
        require_numbers(weight, dtype if index else None, where)
        if bias is not None:
            where = named_layer(index, "biases")
            if bias.shape != (width,):
                raise ShapeError(f"{where}: wanted shape ({width},), one for each output; got {bias.shape}")
            require_numbers(bias, dtype, where)
    return weights, biases


def require_inputs(x: Array, width: int, dtype: np.dtype[Any]) -> Array:
    """X (N, I) in the network's dtype; integers are taken as the same numbers. N may be 0."""
    x = _in_dtype(np.asarray(x), dtype, "x")
    if x.ndim != 2 or x.shape[1] != width:
        raise ShapeError(
            f"x: wanted shape (N, {width}), since layer 1 (`weights[0]`) has {width} inputs; got {x.shape}"
        )
    _require_finite(x, "x")
    return x


@dataclass(frozen=True)
class TargetKind:
    """A kind of target: what is wanted, in words, and which entries of y are so."""

    wanted: str
    holds: Callable[[Array], Array] | None = None


def _sums_to_one(y: Array) -> Array:
    """Rows >= 0 that sum to 1 to rounding.

    Dividing by a computed sum of O numbers errs by at most O u in each entry, adding the quotients by (O - 1) u; u =
    eps / 2.
    """
    whole = np.abs(y.sum(axis=1, keepdims=True) - 1) <= y.shape[1] * np.finfo(y.dtype).eps
    return (y >= 0) & whole


# Kinds in floating point; class indices have their own rules below.
TARGETS = MappingProxyType(
    {
        "real": TargetKind("numbers"),
        "log_distribution": TargetKind("logarithms of probabilities"),
        "unit": TargetKind("numbers in [0, 1]", lambda y: (y >= 0) & (y <= 1)),
        "count": TargetKind("counts, at least 0", lambda y: y >= 0),
        "sign": TargetKind("1 or -1", lambda y: np.abs(y) == 1),
        "binary": TargetKind("0 or 1", lambda y: (y == 0) | (y == 1)),
        "distribution": TargetKind("rows of probabilities that sum to 1", _sums_to_one),
    }
)


def require_targets(
    y: Array, kind: str, loss: str, shape: tuple[int, ...], dtype: np.dtype[Any], *, ignore: int | None
) -> Array:
    """Y of the kind that the loss takes: of `shape`, (N, O), in the network's dtype, or class indices as integers."""
    if kind in ("class", "classes"):
        return _require_classes(y, kind, loss, shape, ignore)
    wanted = TARGETS[kind]
    y = _in_dtype(y, dtype, "y")
    if y.shape != shape:
        raise ShapeError(f"y: {loss} wants targets of the outputs' shape {shape}, {wanted.wanted}; got {y.shape}")
    _require_finite(y, "y")
    if wanted.holds is not None:
        holds = wanted.holds(y)
        if not _all_hold(holds):
            first = tuple(int(i) for i in np.argwhere(~holds)[0])
            raise TargetError(
                f"y: {loss} wants {wanted.wanted}; got y[{_index(first)}] = {y[first]} in the row {y[first[0]]}"
            )
    return y


def _require_classes(y: Array, kind: str, loss: str, shape: tuple[int, ...], ignore: int | None) -> Array:
    """Class indices (N,) in [0, O) or ignored; or lists (N, O) of them that -1 ends."""
    samples, outputs = shape
    wanted_shape = (samples,) if kind == "class" else shape
    what = "class indices" if kind == "class" else "lists of class indices that -1 ends"
    if y.dtype.kind not in "iu":
        raise TargetError(f"y: {loss} wants {what}, integers of shape {wanted_shape}; got {y.dtype} of shape {y.shape}")
    if y.shape != wanted_shape:
        raise ShapeError(f"y: {loss} wants {what}, of shape {wanted_shape}; got {y.shape}")
    allowed = (y >= (0 if kind == "class" else -1)) & (y < outputs)
    if not _all_hold(allowed) and ignore is not None:
        allowed |= y == ignore
    if not _all_hold(allowed):
        first = tuple(int(i) for i in np.argwhere(~allowed)[0])
        besides = f", or ignore_index={ignore}" if ignore is not None else ""
        raise TargetError(
            f"y: {loss} has {outputs} classes, 0 to {outputs - 1}{besides}; got y[{_index(first)}] = {y[first]}"
        )
    return y


def require_loss_arrays(
    loss: str, options: Mapping[str, Any], shapes: Mapping[str, str], outputs: int, dtype: np.dtype[Any]
) -> None:
    """The arrays among a loss's options: class weights (O,), or a variance (N, O) whose N is only known with x."""
    for name, letters in shapes.items():
        array = options.get(name)
        if array is None:
            continue
        where = f"{loss}, {name}"
        if not isinstance(array, np.ndarray):
            raise DtypeError(f"{where}: wanted an array of shape ({letters}), got {array!r}")
        require_numbers(array, dtype, where)
        if letters == "O" and array.shape != (outputs,):
            raise ShapeError(f"{where}: wanted shape ({outputs},), one for each output; got {array.shape}")


def require_variance(var: Array, shape: tuple[int, ...]) -> None:
    """The variance that gaussian_nll is given: (N, O), or (N, 1) for one per sample."""
    if var.shape not in (shape, (shape[0], 1)):
        raise ShapeError(f"gaussian_nll, var: wanted shape {shape} or {(shape[0], 1)}, as the outputs; got {var.shape}")


# What a loss expects of the outputs -> which outputs it takes.
_TAKES = MappingProxyType(
    {
        "any": ("any", "nonnegative", "probabilities", "log_probabilities"),
        "logits": ("any", "nonnegative", "log_probabilities"),
        "nonnegative": ("nonnegative", "probabilities"),
        "probabilities": ("probabilities",),
        "log_probabilities": ("log_probabilities",),
    }
)


_WORDS = MappingProxyType(
    {
        "nonnegative": "never negative",
        "probabilities": "probabilities",
        "log_probabilities": "logarithms of probabilities",
    }
)


def require_pairing(loss: str, expected: str, activation: str, outputs_of: Mapping[str, str]) -> None:
    """Raises PairingError if the loss makes no sense on what the last activation puts out, by the table outputs_of."""
    if outputs_of[activation] in _TAKES[expected]:
        return
    if expected == "logits":
        raise PairingError(
            f"{loss} applies its own sigmoid or softmax and wants logits, but the last layer's {activation} puts out "
            f"probabilities already: take identity there, or a loss on probabilities (bce, categorical_cross_entropy)"
        )
    fitting = [name for name, kind in outputs_of.items() if kind in _TAKES[expected]]
    raise PairingError(
        f"{loss} wants outputs that are {_WORDS[expected]}, which those of the last layer's {activation} need not be: "
        f"take one of {', '.join(fitting)} there"
    )


def require_upstream(upstream: Array, shape: tuple[int, ...]) -> None:
    """Upstream, dC/d(loss), in the shape of the unreduced losses."""
    if upstream.shape != shape:
        raise ShapeError(f"upstream: wanted the shape of the unreduced losses, {shape}; got {upstream.shape}")


def require_tangents(
    tangents: Sequence[Array | None], parameters: Sequence[Array | None], name: str, dtype: np.dtype[Any]
) -> tuple[Array | None, ...]:
    """A tangent for each parameter, in its shape; None stands for zero, and must where there is no parameter."""
    if len(tangents) != len(parameters):
        raise ShapeError(f"{name}: wanted one for each of the {len(parameters)} layers, got {len(tangents)}")
    checked: list[Array | None] = []
    for index, (tangent, parameter) in enumerate(zip(tangents, parameters, strict=True)):
        where = named_layer(index, name)
        if tangent is not None and parameter is None:
            raise ShapeError(f"{where}: wanted None, since the layer has no bias; got shape {np.shape(tangent)}")
        shape = () if parameter is None else parameter.shape
        checked.append(None if tangent is None else require_tangent(tangent, shape, where, dtype))
    return tuple(checked)


def require_tangent(tangent: Array, shape: tuple[int, ...], where: str, dtype: np.dtype[Any]) -> Array:
    """A direction for one array, in its shape, finite."""
    tangent = _in_dtype(np.asarray(tangent), dtype, where)
    if tangent.shape != shape:
        raise ShapeError(f"{where}: wanted the shape {shape} of what it changes, got {tangent.shape}")
    _require_finite(tangent, where)
    return tangent


def _in_dtype(array: Array, dtype: np.dtype[Any], where: str) -> Array:
    """The array in the network's dtype: integers are converted, another floating-point type is refused."""
    if array.dtype.kind in "iub":
        return array.astype(dtype)
    if array.dtype != dtype:
        raise DtypeError(
            f"{where}: wanted {dtype}, the dtype of the weights, got {array.dtype}; convert it with .astype(np.{dtype})"
        )
    return array


def require_numbers(array: Array, dtype: np.dtype[Any] | None, where: str) -> None:
    """Finite numbers of the given dtype, or of either floating-point type."""
    if array.dtype not in DTYPES:
        raise DtypeError(f"{where}: wanted float64 or float32, got {array.dtype}; convert it with .astype(np.float64)")
    if dtype is not None and array.dtype != dtype:
        raise DtypeError(f"{where}: wanted {dtype}, the dtype of layer 1 (`weights[0]`), got {array.dtype}")
    _require_finite(array, where)


def _require_finite(array: Array, where: str) -> None:
    if math.isfinite(np.vdot(array, array)):  # one pass without a temporary; infinite also if only the squares overflow
        return
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise NotFiniteError(f"{where}: wanted finite numbers, got {array[first]} at [{_index(first)}]")


def _all_hold(entries: Array) -> bool:
    """Whether all of these are true: counted, which takes a third of the time of `all`."""
    return int(np.count_nonzero(entries)) == entries.size


def _index(index: tuple[int, ...]) -> str:
    return ", ".join(map(str, index))
