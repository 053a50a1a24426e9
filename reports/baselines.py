"""Baselines: the accuracy that is accepted of a candidate, stratum by stratum, as a CSV file to commit and to edit.

Lines that begin with # say how the numbers came about, and which verdict every quantity of every case had: the usual
one of its kind, and for single cases what differs from that. Below them stands one row per stratum.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import frexp, inf, ldexp
from pathlib import Path
from typing import Final

from backproof.reports import ReportError

SCHEMA: Final = 2
FINEST: Final = 2.0**-10
"""Below a thousandth of the bound there is no accuracy to lose: another order of summation takes it there and back."""

VERDICTS: Final = ("agree", "reference_wrong", "kink", "undecided", "not_offered", "unsupported")
"""What a candidate that is accepted may get, from the best to the worst."""

CALL: Final = "call"
"""The quantity of a verdict on a whole call, where there is nothing of it to compare."""

_MARK: Final = "# backproof baseline"
_CASE: Final = "case "
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
class Verdicts:
    """The verdict on every quantity of every case, in few words.

    usual: kind of quantity, like "weight" -> its commonest verdict. unusual: case, counted from 0 -> quantity, like
    "weight.2" -> the verdict, where it is another.
    """

    usual: Mapping[str, str] = field(default_factory=dict)
    unusual: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def among(cls, found: Mapping[int, Mapping[str, str]]) -> Verdicts:
        """The same of all: case -> quantity -> verdict."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for quantities in found.values():
            for quantity, word in quantities.items():
                if quantity != CALL:  # a case has it, or all the others
                    counts[_kind(quantity)][word] += 1
        usual = {kind: min(words, key=lambda word: (-words[word], word)) for kind, words in sorted(counts.items())}
        differing = {
            case: {quantity: word for quantity, word in quantities.items() if word != usual.get(_kind(quantity))}
            for case, quantities in sorted(found.items())
        }
        return cls(usual=usual, unusual={case: words for case, words in differing.items() if words})

    def of(self, case: int, quantity: str) -> str:
        """One of them; "agree" for what there was not, so that nothing new is taken for better."""
        return self.unusual.get(case, {}).get(quantity) or self.usual.get(_kind(quantity), VERDICTS[0])

    def lines(self) -> Iterator[tuple[str, str]]:
        """(name, value) of lines that say it."""
        yield "usual", _grouped(self.usual)
        for case, words in self.unusual.items():
            yield f"{_CASE}{case}", _grouped(words)


def _kind(quantity: str) -> str:
    return quantity.partition(".")[0]


def _grouped(words: Mapping[str, str]) -> str:
    """`agree loss weight; not_offered input`: verdicts from the best to the worst, and what had them."""
    groups: dict[str, list[str]] = {}
    for quantity, word in sorted(words.items()):
        groups.setdefault(word, []).append(quantity)
    return "; ".join(f"{word} {' '.join(groups[word])}" for word in VERDICTS if word in groups)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """How the numbers came about, the verdicts, and the strata.

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
    verdicts: Verdicts
    rows: tuple[Row, ...]

    def text(self) -> str:
        """The file."""
        said = {"schema": SCHEMA, **{name: getattr(self, name) for name in _SAID[1:]}}
        said |= self.verdicts.lines()
        lines = [_MARK, *(f"# {name}: {' '.join(str(value).split())}" for name, value in said.items())]
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in self.rows:
            observed = "" if row.observed is None else f"{row.observed:.3g}"
            counts = (row.verdicts.get(word, 0) for word in VERDICTS)
            writer.writerow((*row.key, row.cases, *counts, observed, repr(row.allowed), row.worst_case))
        return "\n".join(lines) + "\n" + table.getvalue()


def read_baseline(path: Path, *, command: str, renew: bool = False) -> Baseline:
    """The baseline at `path`; `command` makes one. renew: of an older schema, how it came about.  Raises BaselineError.

    What is to be renewed has no strata and no verdicts: they are made anew.
    """
    if path.is_dir():
        raise BaselineError(f"{path} is a directory; a baseline is one CSV file")
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
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
    old = schema.isdigit() and int(schema) < SCHEMA
    if old and not renew:
        raise BaselineError(
            f"{path} has schema {schema}, in which verdicts were only counted, and this version reads schema {SCHEMA}. "
            f"Make it anew:\n    {command}"
        )
    again = f"Mend the line, or delete the file and make it again:\n    {command}"
    if missing := [name for name in (*_SAID, *([] if old else ["usual"])) if name not in said]:
        raise BaselineError(f"{path} is damaged: no line '# {missing[0]}: ...'. {again}")
    try:
        found = Baseline(
            candidate=said["candidate"],
            cases=_count(said["cases"], "cases", 1),
            seed=_count(said["seed"], "seed", 0),
            reference=_one_of(said["reference"], "reference", ("torch", "exact")),
            torch=said["torch"],
            backproof=said["backproof"],
            domain=said["domain"],
            networks=said["networks"],
            verdicts=Verdicts() if old else _verdicts(said),
            rows=() if old else _rows(lines[start:], start + 1),
        )
        if not old:
            _check_counts(found)
    except ValueError as error:
        raise BaselineError(f"{path} is damaged: {error}. {again}") from None
    return found


def _check_counts(found: Baseline) -> None:
    """Raises ValueError where the numbers of cases cannot be true together: so many would be drawn in vain.

    Each case counts in the stratum of its loss and in those of its activations, of which some may have been taken out.
    """
    counted = sum(row.cases for row in found.rows)
    if found.cases > counted:
        raise ValueError(f"its strata count {counted:,} cases in all, and the line '# cases: ...' says {found.cases:,}")
    for row in found.rows:
        if row.cases > found.cases:
            raise ValueError(f"{row.name} has {row.cases:,} cases of {found.cases:,}")


def _stated(line: str) -> tuple[str, str]:
    name, _, value = line.removeprefix("#").partition(":")
    return name.strip(), value.strip()


def _verdicts(said: Mapping[str, str]) -> Verdicts:
    cases = {name: words for name, words in said.items() if name.startswith(_CASE)}
    unusual = {_count(name.removeprefix(_CASE), "a case", 0): _ungrouped(name, words) for name, words in cases.items()}
    return Verdicts(usual=_ungrouped("usual", said["usual"]), unusual=unusual)


def _ungrouped(name: str, text: str) -> dict[str, str]:
    found = {}
    for group in text.split(";"):
        word, *quantities = group.split() or [""]
        _one_of(word, f"a verdict in the line '# {name}: ...'", VERDICTS)
        found.update(dict.fromkeys(quantities, word))
    return found


def _rows(lines: Sequence[str], number: int) -> tuple[Row, ...]:
    reader = csv.reader(lines)
    if tuple(next(reader, ())) != _COLUMNS:
        raise ValueError(f"line {number} must name the columns {','.join(_COLUMNS)}")
    found: dict[Key, Row] = {}
    for at, cells in enumerate(reader, number + 1):
        try:
            row = _row(cells)
        except ValueError as error:
            raise ValueError(f"line {at}: {error}") from None
        if row.key in found:
            raise ValueError(f"line {at}: {row.name} stands there twice")
        found[row.key] = row
    if not found:
        raise ValueError("it has no stratum")
    return tuple(found.values())


def _row(written: Sequence[str]) -> Row:
    if len(written) != len(_COLUMNS):
        raise ValueError(f"wanted {len(_COLUMNS)} cells, as many as columns; got {len(written)}")
    cells = dict(zip(_COLUMNS, written, strict=True))
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
        observed=_observed(cells["observed"]),
        allowed=limit,
        worst_case=cells["worst_case"],
    )


def _observed(text: str) -> float | None:
    found = _number(text, "observed") if text else None
    if found is not None and not found >= 0.0:
        raise ValueError(f"observed must be empty or at least 0; got {text}")
    return found


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
