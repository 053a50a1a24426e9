"""The process that a Python candidate runs in: it loads the file, and answers cases until its stdin ends.

Its lines carry a number and a pickle in base64, for both ends are Backproof's own; an answer has the number of its
request. The candidate's own stdin is empty, and what it
prints, in C as well, goes to stderr.
"""

from __future__ import annotations

import base64
import faulthandler
import os
import pickle
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import Answer, CandidateError
from backproof.candidates.deadman import Deadman
from backproof.candidates.layout import Declaration
from backproof.candidates.patience import Patience
from backproof.candidates.steps import made
from backproof.candidates.watch import IMPORT
from backproof.cases.case import Case


@dataclass(frozen=True)
class Load:
    """The greeting: the CANDIDATE text of Python functions, and how long importing them is waited for."""

    text: str
    seconds: float = IMPORT


@dataclass(frozen=True)
class Found:
    """A candidate of the text, as its host tells of it."""

    name: str
    text: str
    declaration: Declaration | None


@dataclass(frozen=True, eq=False)
class Question:
    """A case for a candidate, by the name that it was found under; `redeclared`, as if it were declared so."""

    name: str
    seconds: float
    case: Case
    redeclared: bool = False
    declaration: Declaration | None = None


Reply = Answer | CandidateError | tuple[Found, ...]


LOST: Final = "the file that its answers go to was closed, as os.closerange does"
"""What the host says on stderr where the candidate has closed what it did not open."""


def packed(message: object, number: int = 0) -> bytes:
    """A message as one line, without its end."""
    return b"%d %s" % (number, base64.b64encode(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)))


def unpacked(line: bytes) -> Any:
    """The message in a line that `packed` made."""
    return pickle.loads(base64.b64decode(line.partition(b" ")[2]))  # noqa: S301  the other end is Backproof's own


def number_of(line: bytes) -> int:
    """The number of a line that `packed` made.  Raises ValueError where nobody did."""
    return int(line.partition(b" ")[0])


def main() -> None:
    """What the process does."""
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        faulthandler.enable(all_threads=False)
        try:
            deadman = Deadman()
            serve(deadman.lines(requests), answers, deadman)
        except OSError:
            print(LOST, file=sys.stderr, flush=True)
            os._exit(1)  # whatever else is to be closed may be gone, too


def serve(requests: Iterable[bytes], answers: BinaryIO, deadman: Deadman | None = None) -> None:
    """Answer each line with a line; a copy of the process, which os.fork() has made and that comes back, only once."""
    host, own = Host(), os.getpid()
    for line in requests:
        message = unpacked(line)
        if deadman is not None:
            deadman.watch(message.seconds)
        answers.write(packed(host.reply(message), number_of(line)) + b"\n")
        answers.flush()
        if os.getpid() != own:
            os._exit(0)


class Host:
    """The candidates of one text."""

    def __init__(self) -> None:
        self._candidates: dict[str, FunctionCandidate] = {}

    def reply(self, message: Load | Question) -> Reply:
        """The candidates of a text or why there are none; the answer to a case."""
        if isinstance(message, Question):
            return self._answer(message)
        from backproof.candidates.finding import find

        try:
            found = find(message.text)
        except CandidateError as error:
            return CandidateError(str(error))  # without its cause, which need not survive being sent
        self._candidates = {each.name: each for each in found}
        return tuple(Found(each.name, each.text or each.name, each.declaration) for each in found)

    def _answer(self, question: Question) -> Answer:
        asked = self._candidates[question.name]
        if question.redeclared:
            asked = replace(made(asked.name, asked.function, question.declaration, asked.text), last=asked.last)
        try:
            return replace(asked, patience=Patience(question.seconds)).answer(question.case)
        except KeyboardInterrupt:  # nobody else can raise it here: Ctrl-C at the terminal does not reach this process
            return Answer(failure="error", message="it raised KeyboardInterrupt")
