"""Recordings read back: the same cases, results and bounds, or a clear refusal."""

import hashlib
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backproof.campaign.shards import Task, examine_shard
from backproof.cases import Domain, NetworkSpec, build_case
from backproof.judging.bounds import Bounds
from backproof.route import check
from backproof.truth import autograd, exact
from backproof.truth.recording import LEVELS, NO_CHECKSUM, inputs_of
from backproof.truth.vectors import NotRecordedError, Vectors, VectorsError, replayed

SMALL = Path(__file__).parents[1] / "vectors" / "small.safetensors"
WHOLE = SMALL.read_bytes()
LENGTH = int.from_bytes(WHOLE[:8], "little")


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """The committed recording."""
    return Vectors(SMALL)


def test_recorded_arrays_are_those_that_the_ids_stand_for(vectors: Vectors):
    """If this fails, what an id means has changed: count SCHEMA up, and record again."""
    assert len(vectors.ids) == 30
    for text in vectors.ids:
        read, built = vectors.case(text), build_case(NetworkSpec.parse(text))
        assert read.spec == built.spec
        for (name, array), (wanted_name, wanted) in zip(inputs_of(read), inputs_of(built), strict=True):
            assert (name, array.dtype, array.shape) == (wanted_name, wanted.dtype, wanted.shape)
            assert np.array_equal(array, wanted)
            assert not array.flags.writeable


def test_bounds_are_those_that_would_be_computed(vectors: Vectors):
    """At every level, whether it was written or fell back on a tighter one; to a rounding of this machine's sums."""
    for text in vectors.ids:
        case = vectors.case(text)
        for level in LEVELS:
            found, wanted = vectors.limit(case, level), Bounds(case).limit(level)
            for (quantity, layer, limit), (*named, computed) in zip(
                found.quantities(), wanted.quantities(), strict=True
            ):
                assert [quantity, layer] == named
                assert np.array_equal(limit.astype(np.float32), computed.astype(np.float32))


def test_replayed_verdicts_are_those_of_a_live_run(vectors: Vectors):
    """Check for check, against PyTorch as it is installed."""
    replay = check("scratch", vectors=SMALL).checks
    live = check("scratch", ids=vectors.ids).checks
    for column in ("case", "quantity", "layer", "verdict", "note"):
        assert replay[column].equals(live[column])


def test_reference_knows_the_recorded_arrays_alone(vectors: Vectors):
    """A sample of a case has an id of its own, and may have one that was recorded with other arrays."""
    case = build_case(NetworkSpec.parse(vectors.ids[0]))
    gradients = vectors.reference(case), autograd.reference(case), Bounds(case).limit()
    for (_, _, found), (_, _, wanted), (_, _, limit) in zip(*(each.quantities() for each in gradients), strict=True):
        assert (np.abs(found - wanted) <= limit).all()
    with pytest.raises(NotRecordedError, match="does not hold 2-2"):
        vectors.reference(case.sample(0))
    with pytest.raises(NotRecordedError, match="with other arrays"):
        vectors.reference(replace(case, x=-case.x))


def test_a_recording_travels_to_another_process_by_its_name(vectors: Vectors, tmp_path: Path):
    """And is told from another one that took its place."""
    path = tmp_path / "moved.safetensors"
    path.write_bytes(WHOLE)
    packed = pickle.dumps(Vectors(path))
    assert pickle.loads(packed).ids == vectors.ids  # noqa: S301  it was made in the line above
    path.write_bytes((SMALL.parent / "sigmoid.safetensors").read_bytes())
    from backproof.truth.vectors import _opened

    _opened.cache_clear()
    with pytest.raises(VectorsError, match="has changed in the middle of a run"):
        pickle.loads(packed)  # noqa: S301


def test_a_worker_replays_what_its_parent_would(vectors: Vectors):
    """A task that was sent to another process opens the recording there."""
    task = Task(
        candidate="scratch", domain=Domain(), seed=0, shard=0, count=3, keep=True, ids=vectors.ids[:3], vectors=vectors
    )
    sent = pickle.loads(pickle.dumps(task))  # noqa: S301  it was made in this line
    assert sent.vectors is not vectors
    assert examine_shard(sent).checks.equals(examine_shard(task).checks)


def test_named_cases_are_replayed_alone(vectors: Vectors):
    """Another one is refused, with one that is there."""
    report = check("scratch", vectors=SMALL, ids=vectors.ids[3:5])
    assert report.ids == vectors.ids[3:5]
    assert (report.tally.cases, report.replay.left_out) == (2, 0)
    with pytest.raises(VectorsError, match=r"does not hold 1-1,.*; the first that it holds is 2-2,hardsigmoid"):
        check("scratch", vectors=SMALL, ids=["1-1,relu,linear,mean,n1,f32,ones,s2"])


def test_a_domain_that_holds_none_is_told_why(vectors: Vectors):
    """With the command that records some."""
    with pytest.raises(VectorsError, match=r"none of the 30 cases .* its depth is 9 to 9, not .*backproof record"):
        replayed(Domain(depth=9), vectors)


def forged(header: dict[str, object], data: bytes) -> bytes:
    """A file with a right checksum, whatever its header says."""
    header = json.loads(json.dumps(header))
    header["__metadata__"]["sha256"] = NO_CHECKSUM
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    text = len(text).to_bytes(8, "little") + text
    return text.replace(NO_CHECKSUM.encode(), hashlib.sha256(text + data).hexdigest().encode()) + data


def changed(change: object) -> bytes:
    """The recording with something else in its header."""
    header = json.loads(WHOLE[8 : 8 + LENGTH])
    change(header)
    return forged(header, WHOLE[8 + LENGTH :])


def said(**words: str) -> bytes:
    """The recording with other metadata."""
    return changed(lambda header: header["__metadata__"].update(words))


def zipped() -> bytes:
    """A zip archive, as torch.save writes."""
    import io

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("archive/data.pkl", "x")
    return held.getvalue()


FLIPPED = bytearray(WHOLE)
FLIPPED[-5000] ^= 1
REFUSED = {
    "empty": (b"", "is empty"),
    "short": (b"abc", "does not begin with the length of a header"),
    "text": (b"stratum,name,reduction", "does not begin with the length of a header"),
    "pickle": (pickle.dumps({"weights": [1.0] * 9}), "is a pickle, which would run code when it is read"),
    "zip": (zipped(), "is a zip archive, as PyTorch and NumPy save them"),
    "json": (b'{"weights":[1.0]}', "is JSON"),
    "header cut": (WHOLE[: LENGTH // 2], "is truncated: its header alone has"),
    "data cut": (WHOLE[:-100], r"is truncated: 100 of its [0-9,]+ bytes are missing"),
    "changed": (bytes(FLIPPED), "was changed after it was recorded: its checksum is"),
    "longer": (WHOLE + b"\0", "was changed after it was recorded"),
    "newer": (
        said(schema="9", backproof="7.1"),
        "has schema 9, recorded by Backproof 7.1; this version reads schema 1",
    ),
    "foreign": (said(content="weights"), "is a safetensors file of something else"),
    "no metadata": (b"\x02\0\0\0\0\0\0\0{}", "its header names no metadata of Backproof"),
    "less metadata": (changed(lambda header: header["__metadata__"].pop("torch")), "its metadata have no torch"),
    "no seed": (said(seed="x"), "is damaged: invalid literal"),
    "no ids": (changed(lambda header: header.update(other=header.pop("ids"))), "has no array ids"),
    "overlapping": (changed(lambda header: header["ids"].update(data_offsets=[0, 1])), "is damaged: "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_recording_is_refused(tmp_path: Path, name: str):
    """By name, with what it is instead, and before a number of it is used."""
    content, message = REFUSED[name]
    path = tmp_path / "vectors.safetensors"
    path.write_bytes(content)
    with pytest.raises(VectorsError, match=rf"vectors\.safetensors.* {message}|vectors\.safetensors {message}"):
        Vectors(path)


def test_what_cannot_be_opened_is_refused(tmp_path: Path):
    """A directory, and nothing at all."""
    with pytest.raises(VectorsError, match="is a directory; a recording is one file"):
        Vectors(tmp_path)
    with pytest.raises(
        VectorsError, match=r"nowhere: no such file\. A recording is made where PyTorch is: backproof record --help"
    ):
        Vectors(tmp_path / "nowhere")


def test_a_forged_recording_is_refused_where_it_is_met(tmp_path: Path):
    """A right checksum over arrays that are not there, or of other shapes."""
    path = tmp_path / "vectors.safetensors"
    path.write_bytes(changed(lambda header: header["0.weight.1"].update(shape=[4, 1])))
    with pytest.raises(VectorsError, match="have not the shapes that it says"):
        check("scratch", vectors=path)
    path.write_bytes(changed(lambda header: header.update(other=header.pop("0.reference.loss"))))
    with pytest.raises(VectorsError, match=r"has no array 0\.reference\.loss: it is no whole recording"):
        check("scratch", vectors=path)


def test_what_is_not_recorded_is_exact(vectors: Vectors):
    """Networks that vouch for a candidate are drawn from its domain, recorded or not."""
    from backproof.candidates.loading import load
    from backproof.examine import Examiner

    examiner = Examiner(load("scratch")[0], truth="exact", vectors=vectors)
    case = build_case(NetworkSpec.parse("2-3,tanh,mse,sum,n2,f64,normal,s77"))
    (wanted, found) = (
        {check.quantity: check.reference_value for check in examiner.examine(case)},
        {quantity: array for quantity, _, array in exact.reference(case).quantities()},
    )
    assert wanted["loss"] == float(found["loss"])
