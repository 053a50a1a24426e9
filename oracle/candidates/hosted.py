"""Python functions in a process of their own: what they break there costs one verdict, and not the run.

`os._exit`, a crash in C, a loop that catches every interruption, memory that runs out, settings of NumPy and PyTorch,
what is printed by C code onto stdout: none of it reaches the process that judges. `host.py` is the other end.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import ClassVar, Final

from backproof.candidates.callables import FunctionCandidate, elsewhere
from backproof.candidates.child import ChildError, StrayError, quoted
from backproof.candidates.contract import TIMEOUT, Answer, CandidateError
from backproof.candidates.correspondence import START, Correspondence
from backproof.candidates.host import LOST, Load, Question, number_of, packed, unpacked
from backproof.candidates.layout import Declaration
from backproof.candidates.patience import Patience
from backproof.cases.case import Case

GRACE: Final = 2.0
"""Seconds after which a function that was to be interrupted has not been, and its process is ended."""
LIMIT: Final = 1 << 31
"""Bytes of an answer: the host has refused what is enormous."""

# What faulthandler says of each call under way in a crash, the innermost first.
_CALL: Final = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class HostedCandidate(FunctionCandidate):
    """A function that its host calls; `function` is never called here.

    `declared` is the declaration that the host has found; another one may be tried. numbers: those of the next
    questions to the host, for all of its candidates.
    """

    host: Correspondence = field(compare=False, repr=False)
    numbers: Iterator[int] = field(compare=False, repr=False)
    declared: Declaration | None

    travels: ClassVar[bool] = True
    """Whether a pickle of it works in another process: with a host of its own."""

    def __reduce__(self) -> tuple[object, ...]:
        """Another process starts another host."""
        other = None if self.declaration is self.declared else (self.declaration,)
        return _again, (self.text, self.patience.timeout, other)

    def answer(self, case: Case) -> Answer:
        """What the function answers, or what it did to its process instead."""
        if (nothing := self.patience.exhausted) is not None:
            return nothing
        seconds = self.patience.seconds
        question = Question(self.name, seconds, case)
        if self.declaration is not self.declared:
            question = replace(question, redeclared=True, declaration=self.declaration)
        number, begun = next(self.numbers), time.monotonic()
        try:
            line = self.host.ask(packed(question, number), seconds=seconds, limit=LIMIT)
            answer = _answer(line, number)
        except ChildError as error:
            self.host.close()  # what was misunderstood once may answer the question before
            message = self._told(error, seconds) + self.patience.hurry * (error.failure == "timeout")
            # Whether a copy of the process answers before or after the process itself is chance.
            self.patience.failed(error.failure, message, forgivable=not isinstance(error, StrayError))
            return Answer(failure=error.failure, message=message)
        if answer.message.startswith(("BdbQuit", "EOFError")):
            answer = replace(answer, message=f"{answer.message}; it has no terminal here, but has with --in-process")
        if answer.failure == "timeout":
            answer = replace(answer, message=answer.message + self.patience.hurry)
            self.patience.failed("timeout", answer.message)
        else:
            self.patience.answered(time.monotonic() - begun)
        return answer

    def _told(self, error: ChildError, seconds: float) -> str:
        """What a function did to its process, for somebody who wrote no process."""
        if error.failure == "timeout":
            return (
                f"no answer within {seconds:g} s, and it could not be interrupted (a call to C that takes long? an "
                "except that catches everything?): its process was ended"
            )
        if isinstance(error, StrayError):
            return (
                "its process gave another answer than the one it was asked for: did a copy of it, which os.fork() has "
                "made, return, too? It has to end with os._exit"
            )
        if LOST in error.noise:
            return f"the process that it ran in is gone: {LOST}"
        file = Path((self.text or "").partition(":")[0])
        calls = list(_CALL.finditer(error.noise))
        own = [call for call in calls if Path(call["file"]).name == file.name] or calls
        where = f" ({file if own[0]['file'].endswith(file.name) else own[0]['file']}:{own[0]['line']})" if own else ""
        return f"the process that it ran in is gone: {error.bare}{where}"


def _answer(line: bytes, number: int) -> Answer:
    """The answer to the question with that number.  Raises StrayError where it is none."""
    with suppress(Exception):  # two processes that write at once make a line that nobody wrote
        if number_of(line) == number and isinstance(answer := unpacked(line), Answer):
            return answer
    raise StrayError(f"no answer to question {number}: {quoted(line)}")


def hosted(text: str, *, timeout: float = TIMEOUT) -> tuple[HostedCandidate, ...]:
    """The functions that `text` names, as `finding.find`, in a process of their own.  Raises CandidateError."""
    # With our own search path, so that the host finds the same modules, and nothing else before them.
    code = f"import sys; sys.path[:] = {sys.path!r}; from backproof.candidates.host import main; main()"
    command = [sys.executable, "-c", code]
    host = Correspondence(
        command,
        greeting=packed(Load(text, max(START, timeout))),
        timeout=timeout,
        grace=GRACE,
        echo=True,
        objection=_refused,
    )
    try:
        found = unpacked(host.greet())
    except ChildError as error:
        raise CandidateError(
            f"importing {text} did not come to an end: {error}. What is to run only when the file is a script, like "
            'training, goes below `if __name__ == "__main__":`'
        ) from None
    if isinstance(found, CandidateError):
        host.close()
        raise found
    numbers = count(1)
    return tuple(
        HostedCandidate(
            name=each.name,
            function=elsewhere,
            declaration=each.declaration,
            declared=each.declaration,
            text=each.text,
            patience=Patience(timeout),
            host=host,
            numbers=numbers,
        )
        for each in found
    )


def _refused(line: bytes) -> str:
    """Why there are no candidates any more: a file that is gone, or was broken, while its functions were asked."""
    found = unpacked(line)
    return str(found) if isinstance(found, CandidateError) else ""


@lru_cache(maxsize=4)
def _host_again(text: str, timeout: float) -> HostedCandidate:
    """One host for each text in a worker process, whatever the number of its tasks."""
    return hosted(text, timeout=timeout)[0]


def _again(text: str, timeout: float, other: tuple[Declaration | None] | None) -> HostedCandidate:
    found = _host_again(text, timeout)
    return found if other is None else replace(found, declaration=other[0])
