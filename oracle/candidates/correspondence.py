"""Questions to a process over many cases: started when it is needed, greeted, started again after it failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backproof.candidates.child import Child, ChildError

START: Final = 30.0
"""Seconds that a process may take to start and answer its greeting: compilers and virtual machines warm up."""
GIVE_UP: Final = 20
"""Failures in a row after which a process is not started again."""
HURRY: Final = 16
"""The part of its time that a process is left after timeouts in a row: each halves it, an answer restores it."""
GREETING_LIMIT: Final = 1 << 20
"""Bytes of the answer to the greeting."""


class Correspondence:
    """A command, and the process that runs it at the moment.

    greeting: the line that every new process is sent first; timeout: seconds for an answer; grace: seconds that are
    added to every wait, for a process that minds the timeout itself; echo: pass its stderr on.
    """

    def __init__(
        self, command: Sequence[str], *, greeting: bytes, timeout: float, grace: float = 0.0, echo: bool = False
    ) -> None:
        self.command = tuple(command)
        self.greeting = greeting
        self.timeout = timeout
        self.grace = grace
        self.echo = echo
        self._child: Child | None = None
        self._in_vain = 0
        self._late = 0
        self._last: ChildError | None = None

    def greet(self) -> bytes:
        """Start the process anew; its answer to the greeting.  Raises ChildError."""
        return self._greeted()[1]

    def _greeted(self) -> tuple[Child, bytes]:
        self.close()
        patience = max(START, self.timeout) + self.grace
        try:
            child = Child(self.command, echo=self.echo)
        except OSError as error:
            raise ChildError("error", f"it cannot be started: {error}") from None
        answer = child.ask(self.greeting, patience=patience, limit=GREETING_LIMIT)
        self._child = child
        return child, answer

    def ask(self, line: bytes, *, limit: int) -> bytes:
        """The answer to a line, of at most about `limit` bytes, by a process that is running or is started for it.

        Raises ChildError: what it did instead; and without asking it, when it failed GIVE_UP times in a row.
        """
        if self._last is not None and self._in_vain >= GIVE_UP:
            raise ChildError(
                self._last.failure, f"not asked any more, for it failed {GIVE_UP} times in a row, at last: {self._last}"
            )
        try:
            child = self._child or self._restart()
            patience = self.timeout / min(2.0**self._late, HURRY) + self.grace
            return child.ask(line, patience=patience, limit=limit)
        except BaseException as error:
            self.close()
            if isinstance(error, ChildError):
                self.failed(error)
            raise

    def _restart(self) -> Child:
        try:
            return self._greeted()[0]
        except ChildError as error:
            raise ChildError(error.failure, f"it could not be started again: {error}") from None

    def answered(self) -> None:
        """Its last answer could be read: what went wrong before is forgiven."""
        self._in_vain = self._late = 0

    def failed(self, error: ChildError) -> None:
        """Its last answer is of no use, and neither is the process: the next question goes to a new one."""
        self.close()
        self._last = error
        self._in_vain += 1
        self._late += error.failure == "timeout"

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None
