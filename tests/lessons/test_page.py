"""How a lesson looks in a terminal and in a pipe."""

import pytest

from backproof.lessons.lesson import Contrast, Example, Lesson, line, worked, wrong
from backproof.lessons.library import LESSONS, find
from backproof.lessons.page import LETTERS, WIDTH, listing, page

LONG = "a word and another, " * 12


def lesson(**fields) -> Lesson:
    """A small one."""
    example = Example(
        about="about",
        given=(("x", [1, 2]), ("y", 3)),
        steps=(
            line("z", 6, by=worked("{} * {}", 2, 3), formula="w x"),
            wrong("dz", 5, by=worked("{} + {}", 2, 3), note="added"),
        ),
        closing="closing",
    )
    known = {"name": "n", "group": "questions", "question": "q?", "rule": "r", "why": "w", "mistake": "m"}
    return Lesson(**{**known, "example": lambda: example, "see": ("BP1",), **fields})


def shown(own: Lesson, width: int = WIDTH) -> list[str]:
    """The page as text."""
    return [text.plain for text in page(own, width)]


def test_a_page():
    """Question, rule, reason, mistake, example, and what else to read."""
    assert shown(lesson(rule="first\nsecond")) == [
        "n   q?",
        "",
        "Rule      first",
        "          second",
        "Why       w",
        "Mistake   m",
        "",
        "By hand   about",
        "          x = [1, 2]   y = 3",
        "          z  = w x = 2 * 3 = 6",
        "          dz = 2 + 3 = 5   WRONG: added",
        "          closing",
        "",
        f"Letters   {LETTERS}",
        "See also  BP1",
    ]


def test_a_page_of_a_fault():
    """Wrong and right formula first, then the two columns of numbers."""
    contrasts = (
        Contrast(name="z", right="1", wrong="1"),
        Contrast(name="delta", right="-0.5", wrong="0.5", first=True),
    )
    own = lesson(group="faults", hint="h", see=(), example=lambda: Example(about="about", contrasts=contrasts))
    assert shown(own) == [
        "n",
        "",
        "Wrong     m",
        "Right     r",
        "Why       w",
        "Look for  h",
        "",
        "By hand   about",
        "                  right   wrong",
        "          z       1       same",
        "          delta   -0.5    0.5   <- first wrong",
        "",
        f"Letters   {LETTERS}",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 300])
def test_texts_are_wrapped(width):
    """In the width of the terminal, at most 100."""
    lines = shown(lesson(why=LONG, mistake=LONG, example=lambda: Example(about=LONG, closing=LONG)), width)
    assert max(map(len, lines)) <= min(width, WIDTH)
    assert " ".join(part for text in lines for part in text.split()).count("and another,") == 48


def test_a_note_that_does_not_fit_goes_below():
    """And arrays are broken between names only."""
    steps = (wrong("z", 5, by=worked("{} + {}", 2, 3), note="x" * 60),)
    given = tuple((f"name{number}", list(range(9))) for number in range(3))
    lines = shown(lesson(example=lambda: Example(about="about", given=given, steps=steps)), 80)
    assert "          z = 2 + 3 = 5" in lines
    assert f"{' ' * 14}WRONG: {'x' * 60}" in lines
    assert sum(text.startswith("          name") for text in lines) == 3


def test_the_list_has_every_lesson_in_its_group():
    """One line each, none too long."""
    lines = [text.plain for text in listing(LESSONS)]
    assert max(map(len, lines)) <= WIDTH
    for own in LESSONS:
        assert sum(text.split()[:1] == [own.name] for text in lines) == 1
    assert lines[0] == "Equations"
    assert lines[-1] == "backproof explain NAME prints the rule, the usual mistake and a worked example."


def test_the_list_cuts_what_is_too_long():
    """With dots, and leaves out a group that is empty."""
    lines = [text.plain for text in listing([lesson(question=LONG)], 80)]
    assert lines[0] == "Questions"
    assert lines[1].startswith("  n  a word and another")
    assert lines[1].endswith(" ...")
    assert len(lines[1]) <= 80


def test_colours_are_for_terminals():
    """What is right is green, what is wrong is red, in the text's own spans."""
    styles = {str(span.style) for text in page(find("BP3")) for span in text.spans}
    assert {"bold", "green", "red"} <= styles
