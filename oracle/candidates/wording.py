"""Text that comes from candidates, fit for every screen and file: printable, and of bounded length."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 1000
"""Characters that a message may have."""
HEAD: Final = 600
"""Characters that are kept of a longer one, from its beginning."""
TAIL: Final = 200
"""Characters that are kept of its end, where the place is told."""


def printable(text: str) -> str:
    r"""The text with escapes like \x1b or \ud800 for what cannot be printed; cut in the middle where it is too long."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)
    if len(text) <= LONGEST:
        return text
    return f"{text[:HEAD]} [{len(text) - HEAD - TAIL:,} characters left out] {text[-TAIL:]}"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def said(error: BaseException) -> str:
    """`ValueError: what it says`, in one line."""
    name, text = type(error).__name__, words(error)
    return f"{name}: {text}" if text else name


def words(error: BaseException) -> str:
    """What an exception says, in one line; it may fail at that, too, in code of its own."""
    try:
        return printable(" ".join(str(error).split()))
    except Exception as failure:  # noqa: BLE001  a candidate's defect is a verdict, and the run goes on
        return f"(its __str__ raised {type(failure).__name__})"
