"""What a candidate returned, read with care: arrays in the default layout, or a sentence that says what is wrong."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.contract import Answer, Failure
from backproof.candidates.layout import Layout
from backproof.candidates.wording import words
from backproof.cases.case import Case
from backproof.truth.arithmetic import own_dtype

Array = NDArray[Any]

KEYS: Final = ("loss", "weights", "biases", "inputs", "deltas")
ROOM: Final = 1 << 20
"""Entries that an array may always have, be it right or wrong; else 16 times those of the case's largest."""
WANTED: Final = "wanted (loss, weight_gradients, bias_gradients), or a dict with the keys " + ", ".join(KEYS)
EXCHANGED: Final = "weight and bias gradients are exchanged"
"""How the message begins that says so."""


class UnreadableError(Exception):
    """What came back cannot be read as gradients; `failure` is the verdict, the text its explanation."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure: Failure = failure


def read(returned: object, case: Case, layout: Layout) -> Answer:
    """The answer in what a candidate returned for `case`: (loss, weights, biases), or a dict with KEYS.

    Raises UnreadableError, a sentence that its author understands.
    """
    parts = _parts(returned)
    depth, dtype = case.spec.depth, case.spec.dtype
    most = max(ROOM, 16 * max(array.size for array in (*case.weights, case.x, case.y)))

    def per_layer(key: str, take: Callable[[Array], Array]) -> tuple[Array | None, ...]:
        values = parts.get(key)
        if values is None and key == "biases":
            return (None,) * depth
        if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)):
            raise UnreadableError("error", f"{key} must hold one array per layer; got {_kind(values)}")
        if isinstance(values, np.ndarray) and values.ndim == 0:
            raise UnreadableError("error", f"{key} must hold one array per layer; got an array of shape ()")
        if len(values) != depth:
            raise UnreadableError("shape", f"{key} must hold one array per layer, so {depth}; got {len(values)}")
        return tuple(
            None if value is None else take(_array(value, f"{key}[{at}]", dtype, most))
            for at, value in enumerate(values)
        )

    if parts.get("weights") is None:
        raise UnreadableError("missing", f"no weight gradients; {WANTED}")
    _refuse_exchanged(parts, case, layout)
    weights, biases = per_layer("weights", layout.take_weight), per_layer("biases", layout.take_bias)
    loss, inputs = parts.get("loss"), parts.get("inputs")
    # A loss that is a Python number has no dtype any more: it is as accurate as what was computed along with it.
    narrow = any(own_dtype(array) == "float32" for array in (*weights, *biases) if array is not None)
    loss_dtype = "float32" if narrow else dtype
    return Answer(
        loss=None if loss is None else layout.take_losses(_array(loss, "loss", loss_dtype, most), case.spec),
        weights=weights,
        biases=biases,
        inputs=None if inputs is None else layout.take_samples(_array(inputs, "inputs", dtype, most)),
        deltas=None if parts.get("deltas") is None else per_layer("deltas", layout.take_samples),
    )


def _parts(returned: object) -> Mapping[str, object]:
    if isinstance(returned, Mapping):
        unknown = [repr(key) for key in returned if key not in KEYS]
        if unknown:
            raise UnreadableError("error", f"returned a dict with the unknown keys {', '.join(unknown)}; {WANTED}")
        return returned
    if isinstance(returned, (tuple, list)) and len(returned) == 3:
        return dict(zip(KEYS, returned, strict=False))
    if inspect.isgenerator(returned) or inspect.iscoroutine(returned):
        returned.close()
        word = "yield" if inspect.isgenerator(returned) else "async def"
        raise UnreadableError("error", f"returned {_kind(returned)}, which is what {word} makes: {WANTED}")
    size = f" of length {len(returned)}" if isinstance(returned, (tuple, list)) else ""
    raise UnreadableError("error", f"returned {_kind(returned)}{size}; {WANTED}")


def _array(value: object, where: str, dtype: str, most: int) -> Array:
    """Anything numpy.asarray takes. Python's numbers and integers have no dtype of ours: they get the one named.

    What says before that it has more than `most` entries is not even converted: copies of it might fill the memory.
    """
    try:
        shape = tuple(getattr(value, "shape", ()))
        array = np.asarray(value) if math.prod(shape) <= most else None
    except Exception as error:  # noqa: BLE001  becoming an array is the candidate's own code
        raise UnreadableError("error", f"{where} is no array: {words(error)}") from None
    if array is None:
        raise UnreadableError("shape", f"{where} has shape {shape}, {math.prod(shape):,} numbers")
    if isinstance(value, np.ma.MaskedArray) and value.mask.any():
        raise UnreadableError("error", f"{where} is a masked array with entries masked: return them all, as numbers")
    if array.dtype.kind not in "fiub":
        raise UnreadableError("error", f"{where} must hold real numbers; got {_kind(value)} of dtype {array.dtype}")
    if array.dtype.kind == "f" and (hasattr(value, "dtype") or own_dtype(array) == "float32"):
        return array  # also a list of float32 arrays or scalars
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def _refuse_exchanged(parts: Mapping[str, object], case: Case, layout: Layout) -> None:
    """Weights and biases in each other's place have shapes that nothing else has, in the candidate's own layout."""
    weights = [layout.give_weight(weight).shape for weight in case.weights]
    biases = [None if bias is None else layout.give_bias(bias).shape for bias in case.biases]
    found = _shapes(parts.get("weights")), _shapes(parts.get("biases"))
    if found == (biases, weights) != (weights, biases):
        raise UnreadableError("shape", f"{EXCHANGED}: {WANTED}")


def _shapes(values: object) -> list[tuple[int, ...] | None]:
    """The shape of each array in a list; nothing where they have none."""
    if not isinstance(values, (list, tuple)):
        return []
    try:
        return [None if value is None else np.shape(value) for value in values]
    except Exception:  # noqa: BLE001  what is no array is explained where it is read
        return []


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
