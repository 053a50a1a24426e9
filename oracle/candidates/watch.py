"""A clock for code that may not come back: it is interrupted where Python can interrupt it.

A timer signal is all that reaches a function that runs in our own thread. So it works in the main thread of a system
that has such signals, and between two steps of Python: not in the middle of a call to C, and not against code that
catches everything. What resists it has to run in a process of its own, which can be killed: `hosted.py`.
"""

from __future__ import annotations

import importlib
import signal
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, TypeVar

Result = TypeVar("Result")

_OURS: Final = str(Path(__file__).parent)

_IMPORTLIB: Final = str(Path(importlib.__file__).parent)

IMPORT: Final = 30.0
"""Seconds that importing a candidate's file may take."""

AGAIN: Final = 0.25
"""Seconds until an interruption that was caught is repeated."""


class OutOfTimeError(BaseException):
    """The time is up; no Exception, so that `except Exception` in what is interrupted does not catch it."""


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What `call` returns, or OutOfTimeError where it takes longer than that; where no timer can reach it, it may.

    Another timer that is running is left to ring in its time.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return call()
    theirs, interval = signal.getitimer(signal.ITIMER_REAL)
    if 0.0 < theirs <= seconds:
        return call()  # somebody else's alarm rings first
    started = time.monotonic()
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        return _inside(call)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        if theirs:
            signal.setitimer(signal.ITIMER_REAL, max(theirs + started - time.monotonic(), AGAIN), interval)


def _inside(call: Callable[[], Result]) -> Result:
    """The frame below which an interruption may be raised."""
    return call()


def _ring(number: int, frame: FrameType | None) -> None:
    """Interrupt what `_inside` calls, and nothing else: an alarm that comes while the clock is put away must not."""
    while frame is not None and frame.f_code is not _inside.__code__:
        frame = frame.f_back
    if frame is not None:
        raise OutOfTimeError


def place(error: BaseException, home: str | None = None) -> str:
    """` (file:line)`, where an exception was raised: the innermost line in the file `home`, else the innermost of all.

    A file below the current directory is named from there. The lines that called it, in our own code and in Python's
    import, are none; then "".
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS, "<frozen importlib", _IMPORTLIB))
    ]
    inside = [frame for frame in frames if frame.filename == home] or frames
    if not inside:
        return ""
    path = Path(inside[-1].filename)
    here = Path.cwd()
    return f" ({path.relative_to(here) if path.is_relative_to(here) else path}:{inside[-1].lineno})"
