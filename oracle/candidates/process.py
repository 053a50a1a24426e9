"""A program in any language as a candidate: `exec:./my_net`, asked in JSON, one line a case."""

from __future__ import annotations

import difflib
import shlex
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import ClassVar

from backproof.candidates import protocol
from backproof.candidates.callables import FunctionCandidate, elsewhere
from backproof.candidates.child import ChildError
from backproof.candidates.contract import PROGRAM, TIMEOUT, Answer, CandidateError
from backproof.candidates.correspondence import Correspondence
from backproof.candidates.layout import Layout
from backproof.candidates.patience import Patience
from backproof.candidates.reading import UnreadableError, read
from backproof.candidates.steps import stepped, stepping
from backproof.cases.case import Case


@dataclass(frozen=True, kw_only=True)
class ProcessCandidate(FunctionCandidate):
    """The program that a CANDIDATE text `exec:COMMAND` runs; it lives through all cases. See `program`.

    It is declared where it describes itself; `function` is never called.
    """

    program: Correspondence = field(compare=False, repr=False)
    numbers: Iterator[int] = field(compare=False, repr=False)
    says_domain: bool

    is_program: ClassVar[bool] = True
    travels: ClassVar[bool] = True
    """Whether a pickle of it works in another process: with a program of its own."""

    def __reduce__(self) -> tuple[object, ...]:
        """Another process starts a program of its own."""
        return _again, (self.text, self.patience.timeout)

    def answer(self, case: Case) -> Answer:
        """What the program answers to one case, or what it did instead."""
        if (nothing := self.patience.exhausted) is not None:
            return nothing
        if self.kind == "step":
            return stepping(lambda rate: self._answered(case, rate), self.declaration, case.spec.dtype)
        return self._answered(case)

    def _answered(self, case: Case, rate: float | None = None) -> Answer:
        """The answer to one request; rate: that of the step to take, None where gradients are wanted."""
        layout = Layout() if self.declaration is None else self.declaration.layout
        number, begun = next(self.numbers), time.monotonic()
        try:
            question, limit = protocol.request(number, case, layout, learning_rate=rate), protocol.limit(case)
            line = self.program.ask(question, seconds=self.patience.seconds, limit=limit)
            said = protocol.read_reply(line, number)
        except ChildError as error:
            # What a process says after it was misunderstood once may be meant for the question before.
            self.program.close()
            message = str(error) + self.patience.hurry * (error.failure == "timeout")
            self.patience.failed(error.failure, message)
            return Answer(failure=error.failure, message=message)
        self.patience.answered(time.monotonic() - begun)
        if isinstance(said, str):
            return self._unsupported(said)
        try:
            found = read(said, case, layout) if rate is None else stepped(said, case, layout, rate)
            return replace(found, written=line)
        except UnreadableError as error:
            return Answer(failure=error.failure, message=str(error))

    def close(self) -> None:
        """End the program."""
        self.program.close()

    def _unsupported(self, what: str) -> Answer:
        """Without a declared domain this is an honest answer; with one, what was promised must be done."""
        if self.says_domain:
            return Answer(failure="error", message=f"it says unsupported ({what}), within the domain that it describes")
        return Answer(failure="unsupported", message=what)


def program(text: str, *, timeout: float = TIMEOUT) -> ProcessCandidate:
    """Start the program of a CANDIDATE text `exec:COMMAND`, and ask it what it is.

    COMMAND is split as a shell splits it, and run without one. timeout: seconds for one answer.
    Raises CandidateError where the program cannot be started, or describes itself in words that mean nothing.
    """
    correspondence = Correspondence(_command(text), greeting=protocol.DESCRIBE, timeout=timeout)
    try:
        said = protocol.read_description(correspondence.greet())
    except ChildError as error:
        correspondence.close()
        raise CandidateError(
            f"{text}: asked {protocol.DESCRIBE.decode()}, to which {{}} is an answer: {error}"
        ) from None
    except CandidateError as error:
        correspondence.close()
        raise CandidateError(f"{text}: {error}") from None
    return ProcessCandidate(
        name=text,
        text=text,
        function=elsewhere,
        declaration=said.declaration,
        patience=Patience(timeout),
        program=correspondence,
        numbers=count(1),
        says_domain=said.says_domain,
    )


def _again(text: str, timeout: float) -> ProcessCandidate:
    return program(text, timeout=timeout)


def _command(text: str) -> list[str]:
    """The program and its arguments.  Raises CandidateError, a sentence for each way that there is none."""
    try:
        command = shlex.split(text.removeprefix(PROGRAM))
    except ValueError as error:
        raise CandidateError(f"cannot split {text!r} into a command: {error}") from None
    if not command:
        raise CandidateError("exec: wants a command: exec:./my_net, or with arguments 'exec:node my_net.js'")
    program = command[0]
    if shutil.which(program) is not None:
        return command
    path, whole = Path(program), text.removeprefix(PROGRAM)
    if not path.is_file() and Path(whole).is_file():
        raise CandidateError(f"{text}: no file {program}. A path with spaces is quoted: {PROGRAM}{shlex.quote(whole)}")
    if path.is_dir():
        raise CandidateError(f"{text}: {program} is a directory")
    if "/" not in program:
        hint = f" Did you mean {PROGRAM}./{program}?" if path.is_file() else ""
        raise CandidateError(f"{text}: no program {program!r} on the PATH.{hint}")
    if path.is_file():
        raise CandidateError(f"{text}: {program} is not executable: chmod +x {program}")
    near = difflib.get_close_matches(path.name, sorted(p.name for p in path.parent.glob("*") if p.is_file()), n=1)
    hint = f" Did you mean {PROGRAM}{program[: -len(path.name)]}{near[0]}?" if near else ""
    raise CandidateError(f"{text}: no file {program}.{hint}")
