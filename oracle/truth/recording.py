"""Vectors as a safetensors file: the names of its tensors, the order of its bytes, and its checksum.

The file is written here and not by the safetensors library, which writes its metadata in another order every time: the
same cases make the same bytes. It is read by that library like any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

import numpy as np

from backproof.cases.case import Case
from backproof.cases.gradients import Array, Gradients

SCHEMA: Final = 1
"""Counted up when a name, an order or a meaning below changes, or the arrays that an id stands for."""
CONTENT: Final = "backproof vectors"
"""What the metadata call the file, under "content"."""
Level = Literal["accurate", "textbook", "kink"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""The bounds from the tightest to the widest; of a wider one only the arrays that differ are written."""
NO_CHECKSUM: Final = "0" * 64
"""What stands in place of the checksum while it is computed."""
LONGEST_HEADER: Final = 100_000_000
"""Readers of the format refuse a longer header."""

_TYPES: Final = (("<f8", "F64"), ("<i8", "I64"), ("<f4", "F32"), ("|u1", "U8"))
"""Widest first, so that every array lies where a processor can read it."""


class TooManyError(ValueError):
    """More cases than the header of one file can name."""


def inputs_of(case: Case) -> Iterator[tuple[str, Array]]:
    """(name, array) of what the network is made of, and its data."""
    for layer, (weight, bias) in enumerate(zip(case.weights, case.biases, strict=True), 1):
        yield f"weight.{layer}", weight
        if bias is not None:
            yield f"bias.{layer}", bias
    yield "x", case.x
    yield "y", case.y
    for name, array in case.loss_arrays.items():
        yield f"option.{name}", array
    if case.upstream is not None:
        yield "upstream", case.upstream


def numbers_of(kind: str, gradients: Gradients) -> Iterator[tuple[str, Array]]:
    """(name, array) of gradients or of one level of bounds; `kind` is "reference", or "bound." and one of LEVELS."""
    for quantity, layer, array in gradients.quantities():
        yield f"{kind}.{quantity}" + ("" if layer is None else f".{layer}"), array


class Recording:
    """Cases on their way into a file."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._arrays: dict[str, Array] = {}

    def add(self, case: Case, reference: Gradients, bounds: Mapping[str, Gradients]) -> None:
        """One more case; `bounds` has each of LEVELS."""
        number = len(self._ids)
        self._ids.append(case.spec.id)
        written = [*inputs_of(case), *numbers_of("reference", reference)]
        last: list[Array] = []
        for level in LEVELS:
            found = list(numbers_of(f"bound.{level}", bounds[level]))
            # A wider bound that is the same array says nothing new.
            new = [not last or not np.array_equal(array, last[at]) for at, (_, array) in enumerate(found)]
            written += [named for named, differs in zip(found, new, strict=True) if differs]
            last = [array for _, array in found]
        self._arrays.update((f"{number}.{name}", array) for name, array in written)

    def parts(self, metadata: Mapping[str, str]) -> Iterator[bytes]:
        """The bytes of the file, one after another.  Raises TooManyError."""
        ids = np.frombuffer("\n".join(self._ids).encode("ascii"), dtype=np.uint8)
        arrays = {**self._arrays, "ids": ids}
        entries: dict[str, object] = {}
        ordered: list[bytes] = []
        start = 0
        for dtype, word in _TYPES:
            for name, array in arrays.items():
                if array.dtype == np.dtype(dtype):
                    data = np.ascontiguousarray(array, dtype=dtype).tobytes()
                    entries[name] = {
                        "dtype": word,
                        "shape": list(array.shape),
                        "data_offsets": [start, start + len(data)],
                    }
                    ordered.append(data)
                    start += len(data)
        said = {"content": CONTENT, "schema": str(SCHEMA), "cases": str(len(self._ids)), **metadata}
        header = _header({"__metadata__": {**said, "sha256": NO_CHECKSUM}, **entries})
        if len(header) > LONGEST_HEADER:
            raise TooManyError(
                f"{len(self._ids):,} cases have more arrays than the header of one safetensors file can name: "
                "record fewer, in several files, each with a --seed of its own"
            )
        digest = hashlib.sha256(header)
        for data in ordered:
            digest.update(data)
        yield header.replace(NO_CHECKSUM.encode(), digest.hexdigest().encode(), 1)
        yield from ordered


def _header(entries: Mapping[str, object]) -> bytes:
    """The length of the header, 8 bytes, and the header: JSON with spaces behind it, so that data begin at 8 n."""
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
