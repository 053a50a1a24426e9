"""The checks of a whole test session as tables: many tests, maybe several candidates, each finding once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from backproof.campaign.shards import rows_of
from backproof.campaign.tally import Tally
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec
from backproof.environment import environment, version
from backproof.judging.verdicts import UNREMARKABLE, Check
from backproof.outcome import Report
from backproof.publishing.publication import screens
from backproof.reports.places import SCREEN
from backproof.screen import told

_PACKAGES: Final = ("pytest", "hypothesis")
"""What decides, besides the packages that compute, which networks a session draws."""


class Noted(NamedTuple):
    """One candidate on one case; test: its place in the order of the tests, number: in the order of the checks."""

    test: int
    number: int
    candidate: str
    case: str
    checks: tuple[Check, ...]


def packed(noted: Sequence[Noted]) -> str:
    """As JSON, which every protocol carries; floats come back as they were."""
    return json.dumps(noted)


def unpacked(text: str) -> list[Noted]:
    """What was packed."""
    return [
        Noted(test, number, candidate, case, tuple(map(Check.read, checks)))
        for test, number, candidate, case, checks in json.loads(text)
    ]


def write(place: Path, noted: Iterable[Noted], *, failures: Mapping[str, str], lost: int = 0) -> str:
    """Write the report directory `place`, and say so in one line.

    The order is that of the tests, whoever ran them; what was found twice, as when Hypothesis tries a network again,
    stands there once. failures: test -> what was diagnosed; lost: workers that died with what they had not told.
    Raises ReportError.
    """
    from backproof.reports import files
    from backproof.reports.rendering import render
    from backproof.reports.tables import table

    found = _distinct(noted)
    tallies: dict[str, Tally] = {}
    rows: list[tuple[object, ...]] = []
    differing: list[tuple[object, ...]] = []
    for each in found:
        spec = NetworkSpec.parse(each.case)
        tallies.setdefault(each.candidate, Tally()).add(spec, each.checks)
        rows += rows_of(each.candidate, spec, each.checks)
        odd = tuple(check for check in each.checks if check.verdict not in UNREMARKABLE)
        differing += rows_of(each.candidate, spec, odd)
    whole = Tally()
    for tally in tallies.values():
        whole.merge(tally.settle())
    reports = [_report(name, tally) for name, tally in tallies.items()]
    verdict = _report(", ".join(tallies), whole)
    missing = f"{lost} of the workers died: what their last tests checked is not in here" if lost else ""
    with files.report_directory(place) as fresh:
        files.write_table(fresh, "checks", table("checks", rows))
        files.write_table(fresh, "discrepancies", table("discrepancies", differing))
        files.write_table(fresh, "strata", table("strata", list(whole.rows())))
        files.write_data_dictionary(fresh)
        about = environment()
        about["packages"].update({name: version(name) for name in _PACKAGES})
        files.write_json(fresh, files.ENVIRONMENT, {**about, "command": "pytest", "cases": whole.cases})
        files.write_json(fresh, "verdict.json", {**verdict.to_json(), "seed": None})
        said = [{**told(report), "text": _screen(report)} for report in reports]
        files.write_json(fresh, SCREEN, screens(*said, notes=[missing] if missing else [], failures=failures))
        render(fresh)
    networks = f"{whole.cases:,} network{'' if whole.cases == 1 else 's'}"
    wrong = f"wrong in {whole.wrong_cases:,} of {networks}" if whole.wrong_cases else f"{networks}, none wrong"
    return f"{', '.join(tallies)}: {wrong}; tables in {place}" + (f"; {missing}" if missing else "")


def _distinct(noted: Iterable[Noted]) -> list[Noted]:
    """In the order of the tests, without what says the same as one before."""
    found: dict[tuple[str, str, str], Noted] = {}
    for each in sorted(noted, key=lambda each: each[:2]):
        # By its text, since a NaN is not equal to itself.
        found.setdefault((each.candidate, each.case, repr(each.checks)), each)
    return list(found.values())


def _report(candidate: str, tally: Tally) -> Report:
    networks = f"{tally.cases:,} network{'' if tally.cases == 1 else 's'} in a test session"
    return Report(
        candidate=candidate,
        truth="torch",
        domain=Domain(),
        seed=0,
        cases=tally.cases,
        strict_kinks=False,
        tally=tally,
        scaling=(),
        interrupted=False,
        ids=(networks,),
        repeatable=False,  # by an id, yes; but what stands there is none
    )


def _screen(report: Report) -> str:
    """What `backproof check` would say, and how to see the smallest failure again."""
    text = str(report).rstrip()
    if report.tally.smallest is not None:
        text += f"\nAgain       backproof check {shlex.quote(report.candidate)} --case {report.tally.smallest[1]}"
    return text
