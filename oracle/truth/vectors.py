"""Recorded vectors: cases with PyTorch's results and the bounds, read where there may be no PyTorch.

`Vectors.reference` has the signature of the other references, case -> Gradients; it knows the recorded cases alone.
The file is mapped into memory, holds nothing but numbers and text, and is believed only when its checksum is right.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.cases.gradients import Array, Gradients
from backproof.cases.spec import NetworkSpec
from backproof.truth.recording import CONTENT, LONGEST_HEADER, NO_CHECKSUM, SCHEMA, Level, inputs_of

_SOMETHING_ELSE: Final = (
    (b"PK\x03\x04", "a zip archive, as PyTorch and NumPy save them"),
    (b"\x80\x02", "a pickle, which would run code when it is read"),
    (b"\x80\x03", "a pickle, which would run code when it is read"),
    (b"\x80\x04", "a pickle, which would run code when it is read"),
    (b"\x80\x05", "a pickle, which would run code when it is read"),
    (b"\x93NUMPY", "an array as NumPy saves it"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "compressed: unpack it first"),
    (b"{", "JSON"),
)
_AGAIN: Final = "Record it again: backproof record --help"
_CHUNK: Final = 1 << 20


class VectorsError(ValueError):
    """A file that is no recording of ours, or not one that can be believed; the text says why."""


class NotRecordedError(LookupError):
    """A case that the file does not hold."""


class Vectors:
    """A recording.

    ids: its cases, in their order. torch: the version of PyTorch whose results they are; backproof: of what recorded
    them; seed and domain: how they were drawn; sha256: the checksum.

    Raises VectorsError, naming the file, for anything that is not a whole recording of this schema.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = Path(path)
        metadata = _checked(self.path)
        self.torch, self.backproof = metadata["torch"], metadata["backproof"]
        self.domain, self.sha256 = metadata["domain"], metadata["sha256"]
        try:
            self.seed = int(metadata["seed"])
            self._file = _mapped(safe_open, self.path)
            self._names: frozenset[str] = frozenset(self._file.keys())
            self.ids = tuple(bytes(self._array("ids")).decode("ascii").split("\n"))
            self._specs = {text: NetworkSpec.parse(text) for text in self.ids}
        except (SafetensorError, ValueError) as error:
            raise VectorsError(f"{self.path} is damaged: {error}. {_AGAIN}") from None
        self._numbers = {text: number for number, text in enumerate(self.ids)}
        self._last: Case | None = None

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._numbers

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _opened, (str(self.path), self.sha256)

    def holding(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        """The same ids.  Raises VectorsError where one was not recorded."""
        for text in ids:
            if text not in self:
                raise VectorsError(f"{self.path} does not hold {text}; the first that it holds is {self.ids[0]}")
        return ids

    def specs(self) -> Iterator[NetworkSpec]:
        """The recorded networks, in their order."""
        yield from self._specs.values()

    def case(self, case_id: str) -> Case:
        """A recorded case, with the arrays of the file.  Raises NotRecordedError."""
        number = self._number(case_id)
        spec = self._specs[case_id]
        outputs = spec.widths[1:]
        weights = tuple(self._array(f"{number}.weight.{layer}") for layer in range(1, spec.depth + 1))
        biases = tuple(
            self._array(f"{number}.bias.{layer}") if present else None for layer, present in enumerate(spec.biases, 1)
        )
        options = {
            name: self._array(f"{number}.option.{name}")
            for name in ("weight", "pos_weight", "var")
            if f"{number}.option.{name}" in self._names
        }
        upstream = self._array(f"{number}.upstream") if spec.reduction == "none" else None
        x, y = self._array(f"{number}.x"), self._array(f"{number}.y")
        wanted = [*zip(outputs, spec.widths, strict=False), (spec.batch_size, spec.inputs)]
        if [weight.shape for weight in (*weights, x)] != wanted:
            raise VectorsError(f"{self.path}: the arrays of {case_id} have not the shapes that it says. {_AGAIN}")
        self._last = Case(spec, weights, biases, x, y, options, upstream)
        return self._last

    def reference(self, case: Case) -> Gradients:
        """The recorded results for a case.  Raises NotRecordedError where the file holds no such arrays."""
        number = self._number(case.spec.id)
        for name, array in inputs_of(case) if case is not self._last else ():
            named = f"{number}.{name}"
            if named not in self._names or not np.array_equal(self._array(named), array):
                raise NotRecordedError(f"{self.path} holds {case.spec.id} with other arrays")
        return self._gradients("reference", number, case.spec)

    def limit(self, case: Case, level: Level) -> Gradients:
        """A recorded bound on the distance from the reference."""
        number, spec = self._number(case.spec.id), case.spec
        if level == "accurate":
            return self._gradients("bound.accurate", number, spec)
        # Of a wider bound only the arrays that differ were written.
        tighter = self.limit(case, "textbook" if level == "kink" else "accurate")
        return self._gradients(f"bound.{level}", number, spec, tighter)

    def _gradients(self, kind: str, number: int, spec: NetworkSpec, otherwise: Gradients | None = None) -> Gradients:
        """All quantities of one kind; where one was not written, what stands in `otherwise`."""
        known: dict[tuple[str, int | None], Array] = {}
        if otherwise is not None:
            known = {(quantity, layer): array for quantity, layer, array in otherwise.quantities()}

        def found(quantity: str, layer: int | None) -> Array:
            name = f"{number}.{kind}.{quantity}" + ("" if layer is None else f".{layer}")
            instead = known.get((quantity, layer))
            return self._array(name) if instead is None or name in self._names else instead

        layers = range(1, spec.depth + 1)
        return Gradients(
            loss=found("loss", None),
            weights=tuple(found("weight", layer) for layer in layers),
            biases=tuple(found("bias", layer) if spec.biases[layer - 1] else None for layer in layers),
            inputs=found("input", None),
            deltas=tuple(found("delta", layer) for layer in layers),
        )

    def _number(self, case_id: str) -> int:
        try:
            return self._numbers[case_id]
        except KeyError:
            raise NotRecordedError(f"{self.path} does not hold {case_id}") from None

    def _array(self, name: str) -> Array:
        if name not in self._names:
            raise VectorsError(f"{self.path} has no array {name}: it is no whole recording. {_AGAIN}")
        array: Array = self._file.get_tensor(name)
        array.flags.writeable = False
        return array


def _mapped(safe_open: Any, path: Path) -> Any:
    """The file as the library maps it; it says nothing of its methods' types."""
    return safe_open(str(path), framework="np")


def replayed(domain: Domain, vectors: Vectors) -> tuple[str, ...]:
    """The ids of the recorded cases that a domain contains.  Raises VectorsError where it contains none."""
    reasons: dict[str, None] = {}
    ids = []
    for spec in vectors.specs():
        why = domain.why_not(spec)
        if why is None:
            ids.append(spec.id)
        else:
            reasons[why] = None
    if not ids:
        raise VectorsError(
            f"none of the {len(vectors.ids):,} cases in {vectors.path} is of the candidate's domain: "
            f"{'; '.join(list(reasons)[:3])}. Record some that are: backproof record CANDIDATE"
        )
    return tuple(ids)


@lru_cache(maxsize=1)
def _opened(path: str, sha256: str) -> Vectors:
    """The same recording in another process, opened once for all of its shards."""
    found = Vectors(path)
    if found.sha256 != sha256:
        raise VectorsError(f"{path} has changed in the middle of a run")
    return found


def _checked(path: Path) -> dict[str, str]:
    """The metadata of a recording whose bytes are those that were written.  Raises VectorsError."""
    if path.is_dir():
        raise VectorsError(f"{path} is a directory; a recording is one file, like vectors.safetensors")
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            first = file.read(8)
            if size == 0:
                raise VectorsError(f"{path} is empty. {_AGAIN}")
            length = int.from_bytes(first, "little")
            for magic, what in _SOMETHING_ELSE:
                if first.startswith(magic) and length > min(size - 8, LONGEST_HEADER):
                    raise VectorsError(f"{path} is {what}, and no recording of ours: those are safetensors files")
            if len(first) < 8 or length > LONGEST_HEADER:
                raise VectorsError(f"{path} is no safetensors file: it does not begin with the length of a header")
            if length > size - 8:
                raise VectorsError(
                    f"{path} is truncated: its header alone has {length:,} bytes, and the file {size:,}. {_AGAIN}"
                )
            header = file.read(length)
            metadata = _metadata(path, header)
            wanted = metadata.get("sha256", "")
            digest = hashlib.sha256(first)
            digest.update(header.replace(wanted.encode(), NO_CHECKSUM.encode(), 1) if wanted else header)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        hint = "A recording is made where PyTorch is: backproof record --help"
        raise VectorsError(f"{path}: no such file. {hint}") from None
    except OSError as error:
        raise VectorsError(f"{path} cannot be read: {error.strerror or error}") from None
    needed = _data_length(header)
    if needed > size - 8 - length:
        raise VectorsError(
            f"{path} is truncated: {needed - (size - 8 - length):,} of its {needed + length + 8:,} bytes are missing. "
            f"{_AGAIN}"
        )
    if digest.hexdigest() != wanted:
        raise VectorsError(
            f"{path} was changed after it was recorded: its checksum is {digest.hexdigest()[:12]}..., and says "
            f"{wanted[:12] or 'nothing'}.... {_AGAIN}"
        )
    return metadata


def _metadata(path: Path, header: bytes) -> dict[str, str]:
    try:
        # The metadata come first in our files, so that the many entries behind them need not be read twice.
        start = header.index(b'{"__metadata__":') + len(b'{"__metadata__":')
        said, _ = json.JSONDecoder().raw_decode(header[start : start + _CHUNK].decode("utf-8", "replace"))
    except ValueError:
        raise VectorsError(f"{path} is no recording of ours: its header names no metadata of Backproof") from None
    if not isinstance(said, dict) or said.get("content") != CONTENT:
        raise VectorsError(f"{path} is a safetensors file of something else, and no recording of ours")
    if said.get("schema") != str(SCHEMA):
        raise VectorsError(
            f"{path} has schema {said.get('schema')}, recorded by Backproof {said.get('backproof')}; this version "
            f"reads schema {SCHEMA}. Record it again with this version, or read it with that one"
        )
    if missing := {"torch", "backproof", "seed", "domain", "sha256"} - set(said):
        raise VectorsError(f"{path} is damaged: its metadata have no {', '.join(sorted(missing))}. {_AGAIN}")
    return said


def _data_length(header: bytes) -> int:
    """Where the last array ends, by the header; 0 where that cannot be told."""
    last = header.rpartition(b'"data_offsets":[')[2].partition(b"]")[0].partition(b",")[2]
    return int(last) if last.isdigit() else 0
