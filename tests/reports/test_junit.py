"""JUnit XML that servers read."""

from xml.etree import ElementTree as ET

import pytest

from backproof.reports.junit import Entry, junit, of_run
from backproof.reports.tables import table


def test_every_entry_is_a_test_case():
    """Counts on both levels, messages in full and in one line; anything may stand in a name."""
    written = junit(
        "suite", 'my <net> & "yours".py', [Entry("holds"), Entry("a<b\x00c", "first\nsecond"), Entry("x", error="no")]
    )
    root = ET.fromstring(written)  # noqa: S314  it was written in the line above
    (suite,) = root
    for level in (root, suite):
        assert [level.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    cases = suite.findall("testcase")
    assert {case.get("classname") for case in cases} == {'my <net> & "yours".py'}
    assert [case.get("name") for case in cases] == ["holds", "a<b\ufffdc", "x"]
    assert [len(case) for case in cases] == [0, 1, 1]
    failure = cases[1].find("failure")
    assert (failure.get("message"), failure.text) == ("first", "first\nsecond")
    assert cases[2].find("error").text == "no"


def test_the_same_entries_make_the_same_bytes():
    """No time, no host."""
    assert junit("s", "c", [Entry("a", "b")]) == junit("s", "c", [Entry("a", "b")])


@pytest.mark.parametrize(
    ("verdict", "tag"), [("agrees", []), ("disagrees", ["failure"]), ("cannot_run", ["error"]), ("", [])]
)
def test_a_run_is_a_test_for_each_stratum_and_one_for_itself(small, verdict, tag):
    """What disagrees fails, with the worst network; what nothing could be compared of is skipped; the rest passes."""
    strata = [*small.strata, ("activation", "tanh", None, "float32", 4, 9, 0, 0, 0, 0.5, 0.25, "id")]
    strata.append(("loss", "l1", "sum", "float64", 1, 2, 2, 0, 0, None, None, None))
    root = ET.fromstring(of_run("my_net.py:f", verdict, "screen\nmore", table("strata", strata)))  # noqa: S314  ours
    (suite,) = root
    assert suite.get("name") == "backproof check"
    found = {case.get("name"): case for case in suite}
    assert [child.tag for child in found["the whole run"]] == tag
    assert [child.text for child in found["the whole run"]] == ["screen\nmore"] * len(tag)
    (failure,) = found["activation relu float64"]
    assert failure.text == f"1 of 3 quantities disagree; error / bound 40 at worst, in {small.deep}"
    assert found["loss l1 sum float64"][0].text == "2 of 2 quantities disagree"
    assert found["loss l1 mean float64"][0].get("message") == "nothing could be compared in 1 networks"
    assert list(found["activation tanh float32"]) == []
    assert suite.get("skipped") == "1"
