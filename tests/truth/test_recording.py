"""The file of vectors, byte for byte."""

import hashlib
import json
import re
import shutil
import struct
import subprocess
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from backproof.cases import NetworkSpec, build_case
from backproof.judging.bounds import Bounds
from backproof.truth import exact, recording
from backproof.truth.recording import LEVELS, Recording, TooManyError, inputs_of

SPECS = (
    "1-3,sigmoid,mse,mean,n3,f32,normal,s1",
    "2-2-3,relu-softplus,cross_entropy=index+weighted+0,none,n2,f64,normal,s2,bias=01",
)


@pytest.fixture(scope="module")
def written() -> bytes:
    """Two cases of different dtypes, with everything that may be there."""
    found = Recording()
    for text in SPECS:
        case = build_case(NetworkSpec.parse(text))
        bounds = Bounds(case)
        found.add(case, exact.reference(case), {level: bounds.limit(level) for level in LEVELS})
    return b"".join(found.parts({"torch": "none", "seed": "0"}))


def by_hand(data: bytes) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and arrays as somebody reads them who has the page about the format and no library."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length].decode("ascii"))
    metadata = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        letter, size = {"F64": ("d", 8), "I64": ("q", 8), "F32": ("f", 4), "U8": ("B", 1)}[entry["dtype"]]
        assert (8 + length + begin) % size == 0
        assert end - begin == size * prod(entry["shape"])
        numbers = struct.unpack(f"<{prod(entry['shape'])}{letter}", data[8 + length + begin : 8 + length + end])
        arrays[name] = np.array(numbers).reshape(entry["shape"])
    return metadata, arrays


def test_a_reader_without_a_library_reads_what_the_library_reads(written: bytes):
    """Every array to the bit, the library's own checks passed, every byte of the data in one array."""
    metadata, arrays = by_hand(written)
    found = load(written)
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(arrays[name], found[name]) for name in arrays)
    assert metadata["content"] == "backproof vectors"
    assert metadata["cases"] == "2"
    header = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    spans = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert spans[-1][1] == len(written) - 8 - int.from_bytes(written[:8], "little")
    assert next(iter(header)) == "__metadata__"


def test_a_c_program_reads_it(tmp_path: Path):
    """Twenty lines that know the page alone: the same doubles, and a name that is not there is none."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) on this machine: a reader in C is not tested")
    folder = Path(__file__).parents[1] / "vectors"
    subprocess.run([compiler, "-o", tmp_path / "one_array", folder / "one_array.c"], check=True)
    recorded = folder / "small.safetensors"

    def printed(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tmp_path / "one_array", recorded, name], capture_output=True, text=True, check=False)

    wanted = load(recorded.read_bytes())["4.reference.weight.2"]
    done = printed("4.reference.weight.2")
    assert [float(line) for line in done.stdout.split()] == wanted.ravel().tolist()
    assert printed("4.reference.weight.9").returncode == 1


def test_the_arrays_are_those_of_the_cases(written: bytes):
    """By the names that the page gives them, in the case's own dtype."""
    found = load(written)
    assert bytes(found["ids"]).decode().split("\n") == list(SPECS)
    for number, text in enumerate(SPECS):
        for name, array in inputs_of(build_case(NetworkSpec.parse(text))):
            assert found[f"{number}.{name}"].dtype == array.dtype
            assert np.array_equal(found[f"{number}.{name}"], array)
    assert {"1.option.weight", "1.upstream", "1.bias.2"} <= found.keys()
    assert {"1.bias.1", "0.upstream", "1.reference.bias.1"}.isdisjoint(found)
    assert found["1.y"].dtype == np.int64


def test_the_checksum_is_that_of_the_file_with_zeros_in_its_place(written: bytes):
    """As the page says; a single changed bit anywhere shows."""
    digits = by_hand(written)[0]["sha256"].encode()
    assert re.fullmatch(rb"[0-9a-f]{64}", digits)
    assert written.count(digits) == 1
    assert hashlib.sha256(written.replace(digits, b"0" * 64)).hexdigest().encode() == digits


def test_a_wider_bound_is_written_only_where_it_differs(written: bytes):
    """A reader falls back on the tighter one."""
    found = load(written)
    for number, text in enumerate(SPECS):
        case = build_case(NetworkSpec.parse(text))
        last = {}
        for level in LEVELS:
            for quantity, layer, limit in Bounds(case).limit(level).quantities():
                name = quantity if layer is None else f"{quantity}.{layer}"
                same = name in last and np.array_equal(last[name], limit)
                assert (f"{number}.bound.{level}.{name}" in found) != same
                last[name] = limit
                assert found.get(f"{number}.bound.{level}.{name}", limit).shape == limit.shape


def test_more_cases_than_a_header_can_name_are_refused(monkeypatch: pytest.MonkeyPatch):
    """Before a file is written that no reader takes."""
    monkeypatch.setattr(recording, "LONGEST_HEADER", 100)
    with pytest.raises(TooManyError, match=r"^0 cases have more arrays than the header .* a --seed of its own$"):
        list(Recording().parts({}))
