"""What the shards of a run depend on, line by line, so that a run knows its own again, and says what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from backproof.campaign.shards import CASES_PER_SHARD, Task
from backproof.campaign.sources import digest, own_digest, sources
from backproof.candidates.builtin import BUILTIN
from backproof.candidates.contract import Candidate
from backproof.environment import environment

Fingerprint = Mapping[str, str]
"""What people are told it is -> what it is."""

_NOTHING: Final = "nothing"


def versions() -> dict[str, str]:
    """What the numbers of a shard depend on beside its task: the machine's kind, and what computes there."""
    found: dict[str, str] = {"Backproof's sources": own_digest()}
    for name, value in environment().items():
        if isinstance(value, Mapping):
            found |= {f"{name} {part}" if name == "blas" else part: str(of) for part, of in value.items()}
        else:
            found[name] = str(value)
    return found


def fingerprint(
    candidate: Candidate, task: Task, *, ids: Sequence[str], cases: int, rows: int
) -> dict[str, str] | None:
    """That of a run, by any of its tasks, and the cases that were named for all of them.

    None for a candidate without a text, and for one whose files are not found: nothing would show that it has changed.
    """
    text = getattr(candidate, "text", None)
    files = {} if text is None else sources(text)
    if text is None or not (files or text in BUILTIN):
        return None
    named = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    patience = getattr(candidate, "patience", None)
    return {
        "candidate": candidate.name,
        "its sources": digest(files),
        "its declaration": repr(getattr(candidate, "declaration", None)),
        "its seconds": _NOTHING if patience is None else f"{patience.timeout:g}",
        "domain": repr(task.domain),
        "seed": str(task.seed),
        "cases": str(cases),
        "cases a shard": str(CASES_PER_SHARD),
        "named cases": named if ids else _NOTHING,
        "recording": _NOTHING if task.vectors is None else task.vectors.sha256,
        "reference": task.truth,
        "strict kinks": str(task.strict_kinks),
        "certified": str(task.certify),
        "stop after": str(task.stop_after or _NOTHING),
        "rows": str(rows),
        **versions(),
    }


def short(found: Fingerprint) -> str:
    """A name for a fingerprint, fit for a folder."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]


def changes(before: Fingerprint, now: Fingerprint, word: str = "now") -> list[str]:
    """What differs, from what to what: "seed 0, now 1"."""
    names = dict.fromkeys((*now, *before))
    return [
        f"{name} {before.get(name, _NOTHING)}, {word} {now.get(name, _NOTHING)}"
        for name in names
        if before.get(name) != now.get(name)
    ]
