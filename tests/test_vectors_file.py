"""Vectors written: the same bytes for the same command, whole or not at all."""

from pathlib import Path

import pytest

from backproof import vectors_file
from backproof.campaign.shards import drawn
from backproof.cases import Domain
from backproof.reports import ReportError
from backproof.truth.recording import TooManyError
from backproof.truth.vectors import Vectors
from backproof.vectors_file import record

TINY = Domain(depth=1, width=(1, 2), batch_size=2, losses="mse")


def test_the_same_cases_make_the_same_bytes(tmp_path: Path):
    """Those that `check` would examine, with how they were drawn; progress hears of each."""
    told = []
    for name in ("one", "two"):
        size = record(TINY, tmp_path / name, cases=6, seed=3, progress=lambda *done: told.append(done))
        assert size == (tmp_path / name).stat().st_size
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert told[:6] == [(number, 0) for number in range(1, 7)]
    vectors = Vectors(tmp_path / "one")
    assert vectors.ids == tuple(spec.id for spec in drawn(TINY, seed=3, cases=6))
    assert (vectors.seed, vectors.domain) == (3, '{"batch_size": 2, "depth": 1, "losses": "mse", "width": [1, 2]}')
    assert vectors.torch.startswith("2.")
    record(TINY, tmp_path / "two", cases=6, seed=4)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


def test_too_many_cases_leave_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And no remains beside it."""

    class Full(vectors_file.Recording):
        def parts(self, metadata):
            yield b"begun"
            raise TooManyError("too many")

    monkeypatch.setattr(vectors_file, "Recording", Full)
    path = tmp_path / "vectors"
    path.write_text("as it was")
    with pytest.raises(ReportError, match=r"vectors is not written: too many$"):
        record(TINY, path, cases=1, seed=0)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]
