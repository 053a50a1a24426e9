"""What a Report shows in a notebook: its own screen, and nothing that could run there."""

import pytest

from backproof import check
from backproof.candidates.contract import Answer
from backproof.cases import Domain
from backproof.notebook import as_html, as_markdown

SCREEN = "net</pre><script>alert(1)</script>   a < b\n```\nAGREES & more\n"


def test_html_takes_everything_for_text():
    """Names and messages of other people's code are escaped; the verdict stands in front."""
    shown = as_html(SCREEN, "cannot_run")
    assert "<script>" not in shown
    assert "net&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;   a &lt; b" in shown
    assert "AGREES &amp; more" in shown
    assert "<b>cannot run</b>" in shown
    assert shown.count("</pre>") == 1


def test_markdown_has_a_fence_that_holds():
    """Backticks in the text do not end the block."""
    shown = as_markdown(SCREEN, "disagrees")
    first, _, fence, *lines = shown.splitlines()
    assert (first, fence) == ("**disagrees**", "````text")
    assert lines[-1] == "````"
    assert "\n".join(lines[:-1]) == SCREEN.rstrip()


@pytest.mark.parametrize("verdict", ["agrees", "disagrees", "cannot_run"])
def test_every_verdict_has_its_colour(verdict: str):
    """Three words, three colours."""
    others = {"agrees", "disagrees", "cannot_run"} - {verdict}
    assert all(as_html("", verdict) != as_html("", other).replace(other, verdict) for other in others)


class Refuses:
    """A candidate that says no, in letters that mean something in HTML."""

    name = "<b>net</b>"
    domain = Domain(depth=1)

    def answer(self, case):
        return Answer(failure="unsupported", message="<i>")


def test_a_report_shows_itself():
    """The two methods that notebooks look for."""
    report = check(Refuses(), cases=2)
    assert "&lt;b&gt;net&lt;/b&gt;" in report._repr_html_()
    assert "<b>cannot run</b>" in report._repr_html_()
    assert report._repr_markdown_().startswith("**cannot run**\n\n```text\n<b>net</b>")
