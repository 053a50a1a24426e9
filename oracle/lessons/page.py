"""A lesson as lines of text: what `backproof explain` prints."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.text import Text

from backproof.lessons.lesson import GROUPS, Contrast, Example, Lesson, Step
from backproof.lessons.spelling import spelled

WIDTH: Final = 100
"""No line is longer, in a pipe either."""
_LABEL: Final = 10
_INDENT: Final = " " * _LABEL
_SAME: Final = "same"
LETTERS: Final = "C cost, z = W a + b, a = phi(z), delta = dC/dz, g = dC/da; N samples, O outputs, I inputs"
"""What every lesson takes for granted."""
_NAMED: Final = 5
"""So many faults are named below the lesson that they belong to."""


def page(lesson: Lesson, width: int = WIDTH, *, faults: Sequence[str] = ()) -> Iterator[Text]:
    """The lesson, line by line, none longer than WIDTH; texts are wrapped in a narrower terminal's width.

    faults: the names of the faults that are about it.
    """
    width = max(min(width, WIDTH), 60)
    fault = lesson.group == "faults"
    yield Text.assemble((lesson.name, "bold"), "" if fault else f"   {lesson.question}")
    yield Text()
    if fault:
        parts = [
            ("Wrong", lesson.mistake),
            ("Right", lesson.rule),
            ("Why", lesson.why),
            ("Look for", lesson.hint),
        ]
    else:
        parts = [("Rule", lesson.rule), ("Why", lesson.why), ("Mistake", lesson.mistake)]
    for label, text in parts:
        yield from _paragraph(label, text, width, "red" if label in ("Wrong", "Mistake") else "")
    yield Text()
    yield from _example(lesson.example(), width)
    yield Text()
    yield from _paragraph("Letters", LETTERS, width)
    yield from _paragraph("See also", ", ".join(lesson.see), width)
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        yield from _paragraph("Faults", ", ".join(faults[:_NAMED]) + more, width)


def listing(lessons: Iterable[Lesson], width: int = WIDTH) -> Iterator[Text]:
    """Every lesson by its group, one line each."""
    width = max(min(width, WIDTH), 60)
    by_heading: dict[str, list[Lesson]] = {}
    for lesson in sorted(lessons, key=lambda lesson: GROUPS.index(lesson.group)):
        heading = f"{lesson.group} of {lesson.chapter}" if lesson.chapter else lesson.group
        by_heading.setdefault(heading, []).append(lesson)
    for heading, own in by_heading.items():
        yield Text(f"{heading[0].upper()}{heading[1:]}", style="bold")
        longest = max(len(lesson.name) for lesson in own)
        for lesson in own:
            yield Text(_one_line(lesson, longest, width))
        yield Text()
    yield Text("backproof explain NAME prints the rule, the usual mistake and a worked example.")


def _one_line(lesson: Lesson, longest: int, width: int) -> str:
    line = f"  {lesson.name:<{longest}}  {' '.join(lesson.question.split())}"
    return line if len(line) <= width else f"{line[: width - 4].rstrip()} ..."


def _paragraph(label: str, text: str, width: int, style: str = "") -> Iterator[Text]:
    """Wrapped, with its label before the first line; a line break in the text stays one."""
    for own in text.splitlines():
        for line in textwrap.wrap(own, width - _LABEL, break_on_hyphens=False):
            yield Text.assemble((f"{label:<{_LABEL}}", "bold"), (line, style))
            label = ""


def _example(example: Example, width: int) -> Iterator[Text]:
    yield from _paragraph("By hand", example.about, width)
    if example.given:
        pairs = "   ".join(f"{name} = {spelled(value)}" for name, value in example.given)
        yield from _kept_together(pairs, width)
    yield from _steps(example.steps, width)
    yield from _contrasts(example.contrasts, width)
    if example.closing:
        yield from _paragraph("", example.closing, width)


def _kept_together(text: str, width: int) -> Iterator[Text]:
    """Wrapped between the pairs `name = value`, not inside one."""
    line = ""
    for pair in text.split("   "):
        if line and len(_INDENT) + len(line) + 3 + len(pair) > width:
            yield Text(_INDENT + line)
            line = ""
        line = f"{line}   {pair}" if line else pair
    yield Text(_INDENT + line)


def _steps(steps: tuple[Step, ...], width: int) -> Iterator[Text]:
    longest = max((len(step.name) for step in steps), default=0)
    widest = max((len(step.formula) for step in steps), default=0)
    for step in steps:
        style = "red" if step.wrong else "green"
        text = Text(f"{_INDENT}{step.name:<{longest}} = ")
        if step.formula:
            text.append(f"{step.formula:<{widest}} = ")
        by = "" if step.worked is None else step.worked.text(step.digits)
        if by not in ("", step.text):
            text.append(f"{by} = ")
        text.append(step.text, style)
        note = ": ".join(["WRONG"] * step.wrong + [step.note] * bool(step.note))
        if note and len(text) + 3 + len(note) > width:
            yield text
            text = Text(f"{_INDENT}{'':<{longest}}")
        if note:
            text.append(f"   {note}", "red" if step.wrong else "dim")
        yield text


def _contrasts(contrasts: tuple[Contrast, ...], width: int) -> Iterator[Text]:
    if not contrasts:
        return
    longest = max(len(line.name) for line in contrasts)
    widest = max(len("right"), *(len(line.right) for line in contrasts))
    yield Text(f"{_INDENT}{'':<{longest}}   {'right':<{widest}}   wrong", style="bold")
    for line in contrasts:
        wrong = line.wrong if line.wrong != line.right else _SAME
        text = Text.assemble(f"{_INDENT}{line.name:<{longest}}   ", (f"{line.right:<{widest}}   ", "green"))
        text.append(wrong, "red" if wrong != _SAME else "dim")
        if line.first:
            text.append("   <- first wrong", "red")
        yield text
