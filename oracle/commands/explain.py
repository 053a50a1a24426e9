"""`backproof explain`: the rule, the usual mistake and a worked example, by name."""

from __future__ import annotations

from typing import Annotated

import typer

from backproof.commands.terminal import stop


def explain(
    name: Annotated[
        str | None,
        typer.Argument(help="BP0 to BP4, mean, softmax, the name of a fault, ...", show_default="list them all"),
    ] = None,
) -> None:
    """Explain an equation, a reduction, a question or a fault, with a worked example; without NAME list them."""
    from rich.console import Console

    from backproof.lessons.library import LESSONS, UnknownLessonError, faults_of, find
    from backproof.lessons.page import WIDTH, listing, page

    console = Console(highlight=False)
    width = console.width if console.is_terminal else WIDTH
    if name is None:
        lines = listing(LESSONS, width)
    else:
        try:
            lesson = find(name)
        except UnknownLessonError as error:
            stop(name, error, as_json=False)
        lines = page(lesson, width, faults=faults_of(lesson))
    for line in lines:
        console.print(line, soft_wrap=True)
