"""Baselines: the accuracy that is accepted of a candidate, stratum by stratum, as a CSV file to commit and to edit.

Lines that begin with # say how the numbers came about; below them stands one row per stratum.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import frexp, inf, ldexp
from pathlib import Path
from typing import Final

from backproof.reports import ReportError

SCHEMA: Final = 1
FINEST: Final = 2.0**-10
"""Below a thousandth of the bound there is no accuracy to lose: another order of summation takes it there and back."""

VERDICTS: Final = ("agree", "reference_wrong", "kink", "undecided", "not_offered", "unsupported")
"""What a candidate that is accepted may get, from the best to the worst."""

_MARK: Final = "# backproof baseline"
_SAID: Final = ("schema", "candidate", "cases", "seed", "reference", "torch", "backproof", "domain", "networks")
_KEY: Final = ("stratum", "name", "reduction", "dtype")
_COLUMNS: Final = (*_KEY, "cases", *VERDICTS, "observed", "allowed", "worst_case")

Key = tuple[str, str, str, str]
"""A stratum: ("activation", name, "", dtype) or ("loss", name, reduction, dtype)."""


class BaselineError(ReportError):
    """A baseline that is not there, or cannot be read; the text says what to do."""


def allowed(observed: float) -> float:
    """The next power of two above twice the observed worst error / bound; at most 1, and at least FINEST."""
    if not 0.0 < observed < inf:
        return FINEST if observed == 0.0 else 1.0
    _, exponent = frexp(2.0 * observed)  # 2 * observed = m 2^exponent with m < 1: so the power of two above it
    return min(1.0, max(FINEST, ldexp(1.0, exponent)))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One stratum: how many cases and verdicts, the worst error / bound and where, and what is allowed of it.

    verdicts: word -> quantities. observed: None where nothing was decided.
    """

    key: Key
    cases: int
    verdicts: Mapping[str, int]
    observed: float | None
    allowed: float
    worst_case: str = ""

    @property
    def name(self) -> str:
        """The stratum as people read it."""
        return " ".join(part for part in self.key if part)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """How the numbers came about, and the strata.

    reference: "torch" or "exact"; torch: its version. domain: JSON, the fields of Domain that are not at their
    defaults. networks: a digest of the ids of the cases, by which it shows that they can still be drawn.
    """

    candidate: str
    cases: int
    seed: int
    reference: str
    torch: str
    backproof: str
    domain: str
    networks: str
    rows: tuple[Row, ...]

    def text(self) -> str:
        """The file."""
        said = {"schema": SCHEMA, **{name: getattr(self, name) for name in _SAID[1:]}}
        lines = [_MARK, *(f"# {name}: {' '.join(str(value).split())}" for name, value in said.items())]
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in self.rows:
            observed = "" if row.observed is None else f"{row.observed:.3g}"
            counts = (row.verdicts.get(word, 0) for word in VERDICTS)
            writer.writerow((*row.key, row.cases, *counts, observed, repr(row.allowed), row.worst_case))
        return "\n".join(lines) + "\n" + table.getvalue()


def read_baseline(path: Path, *, command: str) -> Baseline:
    """The baseline at `path`; `command` makes one.  Raises BaselineError."""
    if path.is_dir():
        raise BaselineError(f"{path} is a directory; a baseline is one CSV file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise BaselineError(f"there is no baseline {path}. Make one, and commit it:\n    {command}") from None
    except UnicodeDecodeError:
        lines = []
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {error.strerror or error}") from error
    if not lines or lines[0].strip() != _MARK:
        raise BaselineError(f"{path} is no baseline of ours, and stays as it is: those begin with {_MARK!r}")
    start = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = dict(_stated(line) for line in lines[1:start])
    schema = said.get("schema", "")
    if schema.isdigit() and int(schema) > SCHEMA:
        raise BaselineError(
            f"{path} has schema {schema}, written by Backproof {said.get('backproof', 'of a later version')}; this "
            f"version reads schema {SCHEMA}: upgrade it, or make the baseline again"
        )
    again = f"Mend the line, or delete the file and make it again:\n    {command}"
    if missing := [name for name in _SAID if name not in said]:
        raise BaselineError(f"{path} is damaged: no line '# {missing[0]}: ...'. {again}")
    try:
        return Baseline(
            candidate=said["candidate"],
            cases=_count(said["cases"], "cases", 1),
            seed=_count(said["seed"], "seed", 0),
            reference=_one_of(said["reference"], "reference", ("torch", "exact")),
            torch=said["torch"],
            backproof=said["backproof"],
            domain=said["domain"],
            networks=said["networks"],
            rows=_rows(lines[start:], start + 1),
        )
    except ValueError as error:
        raise BaselineError(f"{path} is damaged: {error}. {again}") from None


def _stated(line: str) -> tuple[str, str]:
    name, _, value = line.removeprefix("#").partition(":")
    return name.strip(), value.strip()


def _rows(lines: Sequence[str], number: int) -> tuple[Row, ...]:
    reader = csv.reader(lines)
    if tuple(next(reader, ())) != _COLUMNS:
        raise ValueError(f"line {number} must name the columns {','.join(_COLUMNS)}")
    found: dict[Key, Row] = {}
    for at, cells in enumerate(reader, number + 1):
        try:
            row = _row(dict(zip(_COLUMNS, cells, strict=True)))
        except ValueError as error:
            raise ValueError(f"line {at}: {error}") from None
        if row.key in found:
            raise ValueError(f"line {at}: {row.name} stands there twice")
        found[row.key] = row
    if not found:
        raise ValueError("it has no stratum")
    return tuple(found.values())


def _row(cells: Mapping[str, str]) -> Row:
    limit = _number(cells["allowed"], "allowed")
    if not 0.0 < limit <= 1.0:
        raise ValueError(f"allowed is above 0 and at most 1, beyond which a result is wrong; got {cells['allowed']}")
    return Row(
        key=(
            _one_of(cells["stratum"], "stratum", ("activation", "loss")),
            cells["name"],
            cells["reduction"],
            cells["dtype"],
        ),
        cases=_count(cells["cases"], "cases", 0),
        verdicts={word: _count(cells[word], word, 0) for word in VERDICTS},
        observed=_number(cells["observed"], "observed") if cells["observed"] else None,
        allowed=limit,
        worst_case=cells["worst_case"],
    )


def _count(text: str, name: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"{name} must be a whole number, at least {least}; got {text!r}")
    return int(text)


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number; got {text!r}") from None


def _one_of(text: str, name: str, words: Iterable[str]) -> str:
    if text not in words:
        raise ValueError(f"{name} must be {' or '.join(words)}; got {text!r}")
    return text
