"""Questions to a process over many cases: started when it is needed, greeted, started again after it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from backproof.candidates.child import Child, ChildError

START: Final = 30.0
"""Seconds that a process may take to start and answer its greeting: compilers and virtual machines warm up."""
GREETING_LIMIT: Final = 1 << 20
"""Bytes of the answer to the greeting."""


class Correspondence:
    """A command, and the process that runs it at the moment.

    greeting: the line that every new process is sent first, and answers within START seconds, or `timeout` if that is
    more; grace: seconds that are added to every wait, for a process that minds the time itself; echo: pass its stderr
    on; objection: why the answer to the greeting is none to go on with, "" where it is.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        greeting: bytes,
        timeout: float,
        grace: float = 0.0,
        echo: bool = False,
        objection: Callable[[bytes], str] = lambda _: "",
    ) -> None:
        self.command = tuple(command)
        self.greeting = greeting
        self.timeout = timeout
        self.grace = grace
        self.echo = echo
        self.objection = objection
        self._child: Child | None = None

    def greet(self) -> bytes:
        """Start the process anew; its answer to the greeting.  Raises ChildError."""
        return self._greeted()[1]

    def _greeted(self) -> tuple[Child, bytes]:
        self.close()
        try:
            child = Child(self.command, echo=self.echo)
        except OSError as error:
            raise ChildError("error", f"it cannot be started: {error}") from None
        seconds = max(START, self.timeout) + self.grace
        answer = child.ask(self.greeting, patience=seconds, limit=GREETING_LIMIT)
        self._child = child
        return child, answer

    def ask(self, line: bytes, *, seconds: float, limit: int) -> bytes:
        """The answer to a line, of at most about `limit` bytes, by a process that is running or is started for it.

        Raises ChildError; the next question then goes to a new process.
        """
        try:
            child = self._child or self._restart()
            return child.ask(line, patience=seconds + self.grace, limit=limit)
        except BaseException:
            self.close()
            raise

    def _restart(self) -> Child:
        try:
            child, answer = self._greeted()
        except ChildError as error:
            raise ChildError(error.failure, f"it could not be started again: {error}") from None
        if why := self.objection(answer):
            raise ChildError("error", f"it could not be started again: {why}")
        return child

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None
