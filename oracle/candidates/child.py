"""A process that is asked one line at a time, and that may do anything: crash, hang, flood, talk out of turn.

Nothing it does can block: one selector feeds its stdin, reads its stdout and drains its stderr, until a deadline. It
leads a process group of its own, so that what it started ends with it, and Ctrl-C at the terminal does not reach it.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from backproof.candidates.contract import Failure

CHUNK: Final = 1 << 16
"""Bytes that are read or written at once."""
NOISE: Final = 1 << 14
"""Bytes of stderr that are kept, the last ones."""
LAST_WORDS: Final = 3
"""Lines of stderr that a message quotes."""
QUOTED: Final = 120
"""Characters of a line that a message quotes."""
_ERROR: Final = re.compile(r"error|exception|panic|assert|fatal", re.IGNORECASE)
_WINDOWS: Final = os.name == "nt"
PARTING: Final = 1.0
"""Seconds for a process that has closed its stdout to end by itself and say why."""


class ChildError(Exception):
    """There is no answer. `failure` is the verdict, the text says why; the process has been ended.

    `bare` is the text without the last lines of stderr, `noise` all that was kept of those.
    """

    def __init__(self, failure: Failure, message: str, noise: str = "") -> None:
        super().__init__(message + _last_words(noise))
        self.failure: Failure = failure
        self.bare, self.noise = message, noise


class StrayError(ChildError):
    """It wrote what answers no question, or not the one that was asked."""

    def __init__(self, message: str) -> None:
        super().__init__("error", message)


_RUNNING: Final[weakref.WeakSet[Child]] = weakref.WeakSet()


def end_all() -> None:
    """End every process that this one has started: for one that ends without all that Python does in the end."""
    for child in list(_RUNNING):
        child.end()


class Child:
    """A running process. `echo` also passes on what it writes to stderr.  Raises OSError where it cannot start."""

    def __init__(self, command: Sequence[str], *, echo: bool = False) -> None:
        if _WINDOWS:
            raise OSError("Windows lacks pipes that can be waited for, and process groups; --in-process needs neither")
        self._process = process = subprocess.Popen(  # noqa: S603  running the candidate is what this is for
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._echo = echo
        self._said, self._noise, self._unsent = bytearray(), bytearray(), memoryview(b"")
        self._selector = selectors.DefaultSelector()
        self._stdin, self._stdout, self._stderr = (
            pipe.fileno() for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None
        )
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe, False)
        self._open = {self._stdout, self._stderr}
        for pipe in self._open:
            self._selector.register(pipe, selectors.EVENT_READ)
        self.end = weakref.finalize(self, _end, process, self._selector)
        """Kill the process and all that it started; also done when the object goes, and when Python ends in order.

        Where a signal is to end Python, that takes `ending.in_order`, or `end_all`.
        """
        _RUNNING.add(self)

    def ask(self, line: bytes, *, patience: float, limit: int) -> bytes:
        """The line that answers `line`, without its end; `patience` in seconds, `limit` in bytes.

        Raises ChildError, after which the process is no more.
        """
        try:
            return self._asked(line, patience, limit)
        except BaseException:  # also Ctrl-C: a process in the middle of an answer is of no use to the next question
            self.end()
            raise

    def _asked(self, line: bytes, patience: float, limit: int) -> bytes:
        self._turn(0.0)
        if self._said.strip():
            raise StrayError(f"nobody had asked for what it wrote before this case: {quoted(self._said)}")
        self._said.clear()
        self._unsent = memoryview(line + b"\n")
        self._write()
        if self._unsent:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        deadline = time.monotonic() + patience
        try:
            while (answer := self._line(limit)) is None:
                if self._stdout not in self._open:
                    raise self._parted()
                left = deadline - time.monotonic()
                if left <= 0.0:
                    raise self._late(patience)
                self._turn(left)
        finally:
            self._stop_writing()
        if self._unsent:
            raise ChildError("error", f"it answered before it had read the request: {quoted(answer)}")
        if self._said.strip():
            raise StrayError(f"more than one line for one request; the second begins {quoted(self._said)}")
        return answer

    def _line(self, limit: int) -> bytes | None:
        """The first line that is not empty, taken out of what was said; None while there is none."""
        while (end := self._said.find(b"\n")) >= 0:
            line = bytes(self._said[:end]).strip()
            del self._said[: end + 1]
            if line:
                return line
        if len(self._said) > limit:
            raise ChildError(
                "error",
                f"a line of more than {limit:,} bytes, which is far more than the gradients of this case take: "
                f"{quoted(self._said)}",
            )
        return None

    def _turn(self, seconds: float) -> None:
        """Wait until something can be read or written, and do it."""
        for key, _ in self._selector.select(seconds):
            if key.fd == self._stdin:
                self._write()
            else:
                self._read(key.fd)

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._stdin, self._unsent[:CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = memoryview(b"")  # its end, or its answer all the same, is yet to be read
        if not self._unsent:
            self._stop_writing()

    def _stop_writing(self) -> None:
        if self._stdin in self._selector.get_map():
            self._selector.unregister(self._stdin)

    def _read(self, pipe: int) -> None:
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(pipe)
            self._open.discard(pipe)
        elif pipe == self._stdout:
            self._said += data
        else:
            self._noise += data
            del self._noise[:-NOISE]
            if self._echo:
                with suppress(OSError, ValueError, AttributeError):  # our own stderr may be full, closed or None
                    sys.stderr.write(data.decode(errors="replace"))

    def _parted(self) -> ChildError:
        """Why a process closed its stdout: how it ended, and its last words."""
        deadline = time.monotonic() + PARTING
        while self._stderr in self._open and (left := deadline - time.monotonic()) > 0.0:
            self._turn(left)
        how = "it closed its stdout and went on"
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(max(deadline - time.monotonic(), 0.05))
            how = f"it ended with exit status {status}" if status >= 0 else f"it was killed by {_signal(-status)}"
        middle = f" in the middle of a line: {quoted(self._said)}" if self._said.strip() else ""
        return ChildError("error", how + middle, self.noise)

    def _late(self, patience: float) -> ChildError:
        begun = f"; the line that it began has no end: {quoted(self._said)}" if self._said.strip() else ""
        advice = "" if begun else "; where it has answered, is its stdout flushed after each line?"
        return ChildError("timeout", f"no answer within {patience:g} s{begun}{advice}", self.noise)

    @property
    def noise(self) -> str:
        """The end of what it wrote to stderr."""
        return self._noise.decode(errors="replace")


def _last_words(noise: str) -> str:
    """The last lines of stderr, and the last that speaks of an error, as the end of a sentence; "" for silence."""
    lines = [line.strip()[:QUOTED] for line in noise.splitlines() if line.strip()]
    last = lines[-LAST_WORDS:]
    if not any(map(_ERROR.search, last)):
        last = [*filter(_ERROR.search, lines)][-1:] + last
    return f"; its last words on stderr: {' | '.join(last)}" if last else ""


def quoted(data: bytes | bytearray) -> str:
    """The first line of what a process wrote, short enough for a message."""
    lines = bytes(data[: 4 * QUOTED]).decode(errors="replace").strip().splitlines()
    text = lines[0] if lines else ""
    return repr(text if len(text) <= QUOTED else text[:QUOTED] + "...")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> None:
    selector.close()
    with suppress(ProcessLookupError, PermissionError):  # PermissionError: what macOS says of a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
