"""Vectors written: cases with the reference's results and the bounds, for machines that have no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from backproof.campaign.shards import drawn
from backproof.cases.case import build_case
from backproof.cases.domain import Domain
from backproof.environment import version
from backproof.examine import reference_of
from backproof.judging.bounds import Bounds
from backproof.reports import ReportError
from backproof.reports.places import place
from backproof.truth.recording import LEVELS, Recording, TooManyError

Told = Callable[[int, int], None]
"""Hears (cases done, 0) while the recording is under way."""


def record(domain: Domain, path: Path, *, cases: int, seed: int, progress: Told | None = None) -> int:
    """Write the first `cases` cases of a domain and seed, those that `check` examines, to `path`; its size in bytes.

    The same domain, seed and versions make the same bytes. Raises ReferenceMissingError without PyTorch, ReportError
    where the file cannot be written.
    """
    reference = reference_of("torch")
    recording = Recording()
    for number, spec in enumerate(drawn(domain, seed=seed, cases=cases), 1):
        case = build_case(spec)
        bounds = Bounds(case)
        recording.add(case, reference(case), {level: bounds.limit(level) for level in LEVELS})
        if progress is not None:
            progress(number, 0)
    said = {
        "backproof": version("backproof") or "",
        "torch": version("torch") or "",
        "seed": str(seed),
        "domain": json.dumps(domain.settings(), sort_keys=True),
    }
    try:
        place(path, recording.parts(said))
    except TooManyError as error:
        raise ReportError(f"{path} is not written: {error}") from None
    return path.stat().st_size
