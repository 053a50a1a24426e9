"""A program in any language as a candidate: `exec:./my_net`, asked in JSON, one line a case."""

from __future__ import annotations

import difflib
import shlex
import shutil
from pathlib import Path
from typing import ClassVar, Final

from backproof.candidates import protocol
from backproof.candidates.child import ChildError
from backproof.candidates.contract import TIMEOUT, Answer, CandidateError
from backproof.candidates.correspondence import Correspondence
from backproof.candidates.patience import Patience
from backproof.candidates.protocol import Description
from backproof.candidates.reading import UnreadableError, read
from backproof.cases.case import Case
from backproof.cases.domain import Domain

PREFIX: Final = "exec:"
"""What a CANDIDATE that is a command begins with."""


class ProcessCandidate:
    """The program that a CANDIDATE text `exec:COMMAND` runs; it lives through all cases.

    COMMAND is split as a shell splits it, and run without one. timeout: seconds for one answer.
    Raises CandidateError where the program cannot be started, or describes itself in words that mean nothing.
    """

    def __init__(self, text: str, *, timeout: float = TIMEOUT) -> None:
        self.name = self.text = text
        self.timeout = timeout
        self._number = 0
        self._patience = Patience(timeout)
        self._correspondence = Correspondence(_command(text), greeting=protocol.DESCRIBE, patience=self._patience)
        self._description = self._described()

    travels: ClassVar[bool] = True
    """Whether a pickle of it works in another process: with a program of its own."""

    def __reduce__(self) -> tuple[object, ...]:
        """Another process starts a program of its own."""
        return _again, (self.text, self.timeout)

    @property
    def domain(self) -> Domain:
        """The domain that the program described; without one, the common ground."""
        return self._description.declaration.domain

    def answer(self, case: Case) -> Answer:
        """What the program answers to one case, or what it did instead."""
        if (nothing := self._patience.exhausted) is not None:
            return nothing
        layout = self._description.declaration.layout
        self._number += 1
        try:
            line = self._correspondence.ask(protocol.request(self._number, case, layout), limit=protocol.limit(case))
        except ChildError as error:
            return Answer(failure=error.failure, message=str(error))
        try:
            said = protocol.read_reply(line, self._number)
        except ChildError as error:
            self._correspondence.failed(error)
            return Answer(failure=error.failure, message=str(error))
        self._correspondence.answered()
        if isinstance(said, str):
            return self._unsupported(said)
        try:
            return read(said, case, layout)
        except UnreadableError as error:
            return Answer(failure=error.failure, message=str(error))

    def close(self) -> None:
        """End the program."""
        self._correspondence.close()

    def _unsupported(self, what: str) -> Answer:
        """Without a declared domain this is an honest answer; with one, what was promised must be done."""
        if self._description.says_domain:
            return Answer(failure="error", message=f"it says unsupported ({what}), within the domain that it describes")
        return Answer(failure="unsupported", message=what)

    def _described(self) -> Description:
        try:
            return protocol.read_description(self._correspondence.greet())
        except ChildError as error:
            self.close()
            raise CandidateError(
                f"{self.text}: asked {protocol.DESCRIBE.decode()}, to which {{}} is an answer: {error}"
            ) from None
        except CandidateError as error:
            self.close()
            raise CandidateError(f"{self.text}: {error}") from None


def _again(text: str, timeout: float) -> ProcessCandidate:
    return ProcessCandidate(text, timeout=timeout)


def _command(text: str) -> list[str]:
    """The program and its arguments.  Raises CandidateError, a sentence for each way that there is none."""
    try:
        command = shlex.split(text.removeprefix(PREFIX))
    except ValueError as error:
        raise CandidateError(f"cannot split {text!r} into a command: {error}") from None
    if not command:
        raise CandidateError("exec: wants a command: exec:./my_net, or with arguments 'exec:node my_net.js'")
    program = command[0]
    if shutil.which(program) is not None:
        return command
    path = Path(program)
    if "/" not in program:
        hint = f" Did you mean {PREFIX}./{program}?" if path.is_file() else ""
        raise CandidateError(f"{text}: no program {program!r} on the PATH.{hint}")
    if path.is_file():
        raise CandidateError(f"{text}: {program} is not executable: chmod +x {program}")
    if path.is_dir():
        raise CandidateError(f"{text}: {program} is a directory")
    near = difflib.get_close_matches(path.name, sorted(p.name for p in path.parent.glob("*") if p.is_file()), n=1)
    hint = f" Did you mean {PREFIX}{program[: -len(path.name)]}{near[0]}?" if near else ""
    raise CandidateError(f"{text}: no file {program}.{hint}")
