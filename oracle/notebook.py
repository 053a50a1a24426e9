"""How a Report shows itself in a notebook: the screen of the command line, with the verdict in colour."""

from __future__ import annotations

from html import escape
from typing import Final

_COLOURS: Final = {"agrees": "#1a7f37", "disagrees": "#cf222e", "cannot_run": "#9a6700"}


def as_html(screen: str, verdict: str) -> str:
    """The screen in HTML; whatever stands in it, names and messages of other people's code too, is text."""
    colour = _COLOURS[verdict]
    return (
        f'<div style="border-left: 4px solid {colour}; padding-left: 1em">'
        f'<p style="color: {colour}; margin: 0"><b>{escape(verdict.replace("_", " "))}</b></p>'
        f'<pre style="margin: 0; white-space: pre-wrap">{escape(screen)}</pre></div>'
    )


def as_markdown(screen: str, verdict: str) -> str:
    """The screen as a block of code, behind a fence that is longer than any in it."""
    from backproof.reports.summary import fenced

    return f"**{verdict.replace('_', ' ')}**\n\n{fenced(screen)}\n"
