"""JUnit XML: what a server reads to show a run as a list of tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entry(NamedTuple):
    """One test: it passed where `failure` is empty; `error` says that it could not run."""

    name: str
    failure: str = ""
    error: str = ""


def junit(suite: str, candidate: str, tests: Sequence[Entry]) -> bytes:
    """The XML of one suite; the same tests make the same bytes."""
    counts = {
        "tests": str(len(tests)),
        "failures": str(sum(bool(test.failure) for test in tests)),
        "errors": str(sum(bool(test.error) for test in tests)),
    }
    root = ET.Element("testsuites", {"name": suite, **counts})
    inside = ET.SubElement(root, "testsuite", {"name": suite, **counts, "skipped": "0"})
    for test in tests:
        case = ET.SubElement(inside, "testcase", {"classname": _clean(candidate), "name": _clean(test.name)})
        for tag, text in (("failure", test.failure), ("error", test.error)):
            if text:
                told = ET.SubElement(case, tag, {"message": _clean(text).partition("\n")[0]})
                told.text = _clean(text)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold, however they are written."""
    return _NO_XML.sub("\ufffd", text)
