"""JUnit XML: what a server reads to show a run as a list of tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

import pyarrow as pa

from backproof.reports.views import digits

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entry(NamedTuple):
    """One test: it passed where nothing is said of it; `error` says that it could not run, `skipped` why it did not."""

    name: str
    failure: str = ""
    error: str = ""
    skipped: str = ""


def junit(suite: str, candidate: str, tests: Sequence[Entry]) -> bytes:
    """The XML of one suite; the same tests make the same bytes."""
    counts = {
        "tests": str(len(tests)),
        "failures": str(sum(bool(test.failure) for test in tests)),
        "errors": str(sum(bool(test.error) for test in tests)),
        "skipped": str(sum(bool(test.skipped) for test in tests)),
    }
    root = ET.Element("testsuites", {"name": suite, **counts})
    inside = ET.SubElement(root, "testsuite", {"name": suite, **counts})
    for test in tests:
        case = ET.SubElement(inside, "testcase", {"classname": _clean(candidate), "name": _clean(test.name)})
        for tag in ("failure", "error", "skipped"):
            if text := _clean(getattr(test, tag)):
                told = ET.SubElement(case, tag, {"message": text.partition("\n")[0]})
                told.text = text
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def of_run(candidate: str, verdict: str, told: str, strata: pa.Table) -> bytes:
    """The XML of a run: a test for each stratum, and one for the run as a whole, which fails with all that was told."""
    whole = {"disagrees": Entry("the whole run", failure=told), "cannot_run": Entry("the whole run", error=told)}
    tests = [*_strata(strata), whole.get(verdict, Entry("the whole run"))]
    return junit("backproof check", candidate, tests)


def _strata(strata: pa.Table) -> Iterator[Entry]:
    for row in strata.to_pylist():
        name = " ".join(row[part] for part in ("stratum", "name", "reduction", "dtype") if row[part])
        if row["disagreements"]:
            worst, case = row["worst_error_over_bound"], row["worst_case"]
            failing, judged = row["disagreements"], row["quantities"]
            told = f"{failing:,} of {judged:,} quantities disagree" if judged else f"{failing:,} calls have failed"
            if worst is not None:
                told += f"; error / bound {digits(worst)} at worst, in {case}"
            yield Entry(name, failure=told)
        elif not row["quantities"]:
            yield Entry(name, skipped=f"nothing could be compared in {row['cases']:,} networks")
        else:
            yield Entry(name)


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold, however they are written."""
    return _NO_XML.sub("\ufffd", text)
