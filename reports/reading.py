"""A report directory, read again: what is there, whether it is whole, and whether this version can read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from backproof.reports import ReportError
from backproof.reports.columns import TABLES
from backproof.reports.places import ENVIRONMENT, SCHEMA, SCREEN
from backproof.reports.tables import parts, schema

VERDICT: Final = "verdict.json"
"""The object that --json prints."""

SMALLEST: Final = "smallest.py"

Line = tuple[str, str]
"""A label, empty where a line goes on, and what stands beside it."""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What was said of one candidate.

    head: who, against what, on how many networks. tone: "agrees", "disagrees", "cannot_run", or another where there is
    nothing of the kind to say. word: the verdict as it is shown, headline: the sentence behind it. card: what is
    wrong and why, facts: what was compared and what else is to be known. text: all of it, as a terminal showed it.
    """

    candidate: str
    head: str
    tone: str
    word: str
    headline: str
    card: tuple[Line, ...]
    facts: tuple[Line, ...]
    text: str

    @staticmethod
    def of(fields: object) -> Screen:
        """What was read as JSON.  Raises TypeError or ValueError."""
        if not isinstance(fields, dict):
            raise TypeError("a screen is an object")
        names = ("candidate", "head", "tone", "word", "headline", "text")
        texts = {name: _text(fields.get(name), name) for name in names}
        return Screen(**texts, card=_lines(fields.get("card"), "card"), facts=_lines(fields.get("facts"), "facts"))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One report directory.

    environment: how it came about. verdict: the object of --json; empty where a command has none. screens: one for each
    candidate. notes: what is to be known besides. told: (title, text) of single failures. tables: the names of those
    that are there.
    """

    directory: Path
    environment: Mapping[str, Any]
    verdict: Mapping[str, Any]
    screens: tuple[Screen, ...]
    notes: tuple[str, ...]
    told: tuple[tuple[str, str], ...]
    tables: tuple[str, ...]

    @property
    def candidate(self) -> str:
        """Who was examined; several names joined."""
        return ", ".join(screen.candidate for screen in self.screens)

    @property
    def cases(self) -> int:
        """How many networks were examined; 0 where it does not say."""
        count = self.verdict.get("cases")
        return count if isinstance(count, int) else 0

    @property
    def smallest(self) -> str:
        """The smallest failing network as a script; empty where there is none."""
        place = self.directory / SMALLEST
        return _read(place) if place.is_file() else ""

    def table(self, name: str) -> pa.Table:
        """A whole table; without rows where the run has none of that name.  Raises ReportError."""
        if name not in self.tables:
            return schema(name).empty_table()
        return pa.Table.from_batches(self.batches(name), schema(name))

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """A table part by part, in its order: what does not fit into memory at once.  Raises ReportError."""
        if name in self.tables:
            path = self.directory / f"{name}.parquet"
            try:
                yield from parts(path)
            except (OSError, pa.ArrowException) as error:
                raise damaged(path, str(error).partition("\n")[0]) from None


def read_run(directory: Path) -> Run:
    """The report in `directory`; the tables are looked at, and read when they are asked for.

    Raises ReportError where it is no report, is not whole, or was written by another version; the text says what to do.
    """
    if not directory.is_dir():
        there = "is a file" if directory.exists() else "is not there"
        raise ReportError(f"{directory} {there}: a report is the directory that `backproof check --report` wrote")
    if not (directory / ENVIRONMENT).is_file():
        raise ReportError(
            f"{directory} is no report of ours: it has no {ENVIRONMENT}. Name the directory that "
            "`backproof check --report` wrote"
        )
    environment = _object(directory / ENVIRONMENT)
    if not (directory / SCREEN).is_file():
        raise ReportError(f"{directory} has no {SCREEN}: {_other_version(environment)}")
    said = _object(directory / SCREEN)
    if said.get("schema") != SCHEMA:
        raise ReportError(
            f"{directory / SCREEN} has schema {said.get('schema')!r}, and this version reads schema {SCHEMA}: "
            f"{_other_version(environment)}"
        )
    try:
        screens = tuple(Screen.of(fields) for fields in _list(said.get("screens"), "screens"))
        notes = tuple(_text(note, "a note") for note in _list(said.get("notes"), "notes"))
        told = _lines(said.get("told"), "told")
    except (TypeError, ValueError) as error:
        raise damaged(directory / SCREEN, str(error)) from None
    tables = tuple(name for name in TABLES if (directory / f"{name}.parquet").is_file())
    for name in tables:
        _check_columns(directory / f"{name}.parquet", name, environment)
    verdict = _object(directory / VERDICT) if (directory / VERDICT).is_file() else {}
    _check_kinds(directory / ENVIRONMENT, environment, packages=dict)
    _check_kinds(directory / VERDICT, verdict, cases=int, equations=dict)
    of_a_run = ("checks.parquet", VERDICT, "discrepancies.parquet", "strata.parquet")
    missing = [file for file in of_a_run if not (directory / file).is_file()]
    if missing and len(missing) < len(of_a_run):
        raise damaged(directory, f"{missing[0]} is missing")
    return Run(
        directory=directory,
        environment=environment,
        verdict=verdict,
        screens=screens,
        notes=notes,
        told=told,
        tables=tables,
    )


def damaged(path: Path, why: str) -> ReportError:
    """The error for a file that cannot be what was written."""
    return ReportError(f"{path} is damaged: {why}. Write the report again, by the command that made it")


def _check_kinds(path: Path, found: Mapping[str, Any], **kinds: type) -> None:
    """Raises ReportError where a field that is there is of another kind."""
    for name, kind in kinds.items():
        if not isinstance(found.get(name), kind | None):
            raise damaged(path, f"{name} is {found[name]!r:.40}")


def _check_columns(path: Path, name: str, environment: Mapping[str, Any]) -> None:
    try:
        found, wanted = parquet.read_schema(path), schema(name)
    except (OSError, pa.ArrowException) as error:
        raise damaged(path, str(error).partition("\n")[0]) from None
    if found.equals(wanted):
        return
    lacking = [column for column in wanted.names if column not in found.names]
    beside = [column for column in found.names if column not in wanted.names]
    why = f"no column {', '.join(lacking)}" if lacking else f"a column {', '.join(beside)}" if beside else "other types"
    raise ReportError(f"{path} has {why}: {_other_version(environment)}")


def _other_version(environment: Mapping[str, Any]) -> str:
    packages = environment.get("packages")
    version = packages.get("backproof") if isinstance(packages, dict) else None
    command = environment.get("command")
    again = f": {command}" if isinstance(command, str) else ""
    return f"Backproof {version or 'of another version'} wrote it otherwise. Write it again{again}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(path))
    except ValueError as error:
        raise damaged(path, f"no JSON ({error})") from None
    if not isinstance(found, dict):
        raise damaged(path, "no JSON object")
    return found


def _list(found: object, name: str) -> list[object]:
    if not isinstance(found, list):
        raise TypeError(f"{name} must be a list")
    return found


def _text(found: object, name: str) -> str:
    if not isinstance(found, str):
        raise TypeError(f"{name} must be a text")
    return found


def _lines(found: object, name: str) -> tuple[Line, ...]:
    pairs = [_list(pair, name) for pair in _list(found, name)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{name} must be pairs of texts")
    return tuple((_text(label, name), _text(text, name)) for label, text in pairs)
