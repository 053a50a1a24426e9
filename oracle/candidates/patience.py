"""How long an answer is waited for, and when one that never comes is not waited for any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backproof.candidates.contract import TIMEOUT, Answer, Failure

GIVE_UP: Final = 20
"""Failures in a row after which a candidate is not asked any more."""
HURRY: Final = 16
"""The part of its time that it is left after timeouts in a row: each halves it, an answer restores it."""
ROOM: Final = 2.0
"""It is left so many times what its slowest answer took all the same: code that compiles for each shape, say."""


@dataclass(eq=False)
class Patience:
    """What is left of it, from case to case. timeout: seconds for one case, as long as there are answers.

    A thousand cases that all hang are to cost a minute, and not three hours.
    """

    timeout: float = TIMEOUT
    _late: int = 0
    _slowest: float = 0.0
    _in_vain: int = 0
    _unforgiven: int = 0
    _last: str = ""
    _failure: Failure = "error"

    @property
    def seconds(self) -> float:
        """How long the next answer is waited for."""
        part = min(2.0**self._late, HURRY)
        while part > 1.0 and self.timeout < ROOM * self._slowest * part:
            part /= 2.0
        return self.timeout / part

    @property
    def hurry(self) -> str:
        """Why that is less than was said, as the end of a sentence; "" where it is not."""
        if self.seconds == self.timeout:
            return ""
        return f"; it had {self.timeout:g} s at first, and each timeout in a row leaves it less, down to a {HURRY}th"

    def begin(self) -> None:
        """Another shard: what was in vain before says nothing of it. How long to wait is kept."""
        self._in_vain = self._unforgiven = 0

    def answered(self, took: float = 0.0) -> None:
        """There was an answer, which took so many seconds: what went wrong before is forgiven, if it can be."""
        self._late, self._in_vain = 0, self._unforgiven
        self._slowest = max(self._slowest, took)

    def failed(self, failure: Failure, message: str, *, forgivable: bool = True) -> None:
        """There was none, and waiting for it, or starting again after it, took time.

        It is not forgivable where an answer between two failures means nothing, since it comes by chance.
        """
        self._in_vain += 1
        self._unforgiven += not forgivable
        self._late += failure == "timeout"
        self._failure, self._last = failure, message

    @property
    def exhausted(self) -> Answer | None:
        """The answer in place of all further ones, where there were only failures of late."""
        if self._in_vain < GIVE_UP:
            return None
        often = f"{GIVE_UP} times{'' if self._unforgiven else ' in a row'}"
        message = f"not asked any more, for it failed {often}, at last: {self._last}"
        return Answer(failure=self._failure, message=message)
