"""A dead man's switch: a call that does not come back ends with its process when nobody is left to end it.

Whoever asked kills a process that takes too long. Where it was killed itself, the process would stay for ever: between
two questions it finds its stdin closed, but in the middle of one it may be in C, or catch everything. So a thread in C
ends it, which needs neither Python nor anybody who asks.
"""

from __future__ import annotations

import faulthandler
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Final

SPARE: Final = 5.0
"""Seconds after its time that a call is still left: whoever asked ends it before."""
IDLE: Final = 1.0
"""Seconds without a question after which nothing is watched any more."""
_NOWHERE: Final = 0
"""The file that the thread would tell what it ends: stdin, which is empty."""


class Deadman:
    """The switch of this process. Starting a thread takes longer than many an answer: one serves for a while."""

    def __init__(self) -> None:
        self._until = 0.0

    def watch(self, seconds: float) -> None:
        """Whatever goes on for so many seconds, and SPARE, ends the process."""
        now = time.monotonic()
        if 0.0 <= self._until - (now + seconds + SPARE) <= IDLE:
            return
        with suppress(RuntimeError):  # no further thread can be started: then it is without
            faulthandler.dump_traceback_later(seconds + SPARE + IDLE, exit=True, file=_NOWHERE)
            self._until = now + seconds + SPARE + IDLE

    def rest(self) -> None:
        """Nothing is watched until the next call of `watch`."""
        faulthandler.cancel_dump_traceback_later()
        self._until = 0.0

    def lines(self, requests: BinaryIO) -> Iterator[bytes]:
        """The lines of a pipe as they come; while none does, the switch is at rest."""
        while True:
            if not select.select([requests], [], [], IDLE)[0]:
                self.rest()
            line = requests.readline()
            if not line:
                return
            yield line
