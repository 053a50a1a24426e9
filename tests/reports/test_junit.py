"""JUnit XML that servers read."""

from xml.etree import ElementTree as ET

from backproof.reports.junit import Entry, junit


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
