"""Text that comes from candidates, made printable."""

from pathlib import Path

import pytest

from backproof.candidates.contract import Answer, CandidateError
from backproof.candidates.loading import load
from backproof.candidates.wording import HEAD, LONGEST, TAIL, printable, said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("δ = 0.1, naïve", "δ = 0.1, naïve"),
        ("\ud800 half a letter", "\\ud800 half a letter"),
        ("\x1b[31mred\x00\n", "\\x1b[31mred\\x00\\n"),
    ],
    ids=["letters", "surrogate", "control"],
)
def test_printable_escapes_what_no_screen_shows(text: str, shown: str):
    """Letters of every language stay as they are; what the rest was can still be read."""
    assert printable(text) == shown
    assert printable(shown) == shown


def test_printable_cuts_a_long_text_in_the_middle_and_says_so():
    """Its end names the place; what is added to it later leaves it as it is."""
    assert printable("x" * LONGEST) == "x" * LONGEST
    cut = printable("x" * 1_000_000 + " (net.py:7)")
    assert cut.startswith("x" * HEAD + f" [{1_000_011 - HEAD - TAIL:,} characters left out] x")
    assert cut.endswith("x (net.py:7)")
    assert printable(cut + "; it had 10 s before") == cut + "; it had 10 s before"


def test_said_outlives_an_exception_that_cannot_speak():
    """Its name remains."""

    class Mute(BaseException):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert said(Mute()) == "Mute: (its __str__ raised RuntimeError)"
    assert said(ValueError("two\nlines")) == "ValueError: two lines"
    assert said(KeyError()) == "KeyError"


def test_every_message_of_a_candidate_is_printable(tmp_path: Path):
    """An answer's, and why there is no candidate."""
    path = tmp_path / "net.py"
    path.write_text("raise ValueError('\\x00')")
    assert Answer(failure="error", message="ValueError: \ud800").message == "ValueError: \\ud800"
    with pytest.raises(CandidateError, match=r"failed with ValueError: \\x00 \("):
        load(str(path))
