"""A candidate on its way to another machine: a file as its source text, everything else by its name.

A Python file travels with what it imports from beside it (sources.py), and runs on the other machine in a process of
its own, as it does here. Modules and programs have to be there, and the same.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from backproof.campaign.sources import digest, path_of, sources
from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import Answer, Candidate, CandidateError
from backproof.candidates.layout import Declaration
from backproof.candidates.loading import load
from backproof.cases.case import Case
from backproof.cases.domain import Domain

_FOLDERS: Final[list[tempfile.TemporaryDirectory[str]]] = []
"""Where this process has unpacked candidates; they are removed when it ends, unless it is killed."""


class ShipmentError(CandidateError):
    """A candidate that is another one, or none, on the machine that was to examine it."""


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """What another machine needs to have the same candidate.

    text: its CANDIDATE text here; files: (name, content), its own file first, none for what is there by its name;
    digest: of its sources; prefix: how messages name the folder of the file here; redeclared: a declaration that is not
    the file's own, in a tuple.
    """

    text: str
    files: tuple[tuple[str, bytes], ...]
    digest: str
    timeout: float
    prefix: str
    redeclared: tuple[Declaration | None, ...] = ()

    def unpacked(self, below: str | None = None) -> Candidate:
        """The candidate, made here once for all tasks.  Raises CandidateError.

        below: the folder in which its files are to lie, where somebody empties that when this process was killed.
        """
        return _unpacked(self, below)


@dataclass(frozen=True)
class Shipped:
    """A candidate out of a shipment, called what it is called at home."""

    name: str
    found: Candidate
    folder: str
    prefix: str

    @property
    def domain(self) -> Domain:
        """Its domain."""
        return self.found.domain

    def answer(self, case: Case) -> Answer:
        """Its answer; a message names its file as it is named at home."""
        answer = self.found.answer(case)
        if not answer.message:
            return answer
        message = answer.message.replace(f"{self.folder}/", self.prefix)
        if below := _prefix(Path(self.folder) / "file"):  # where the current directory of the other machine is above it
            message = message.replace(below, self.prefix)
        return replace(answer, message=message)


def shipment(candidate: Candidate) -> Shipment | str:
    """What to send of a candidate; of a built-in one its name.  Raises CandidateError where nothing can be sent."""
    text = getattr(candidate, "text", None)
    if text is None:
        raise CandidateError(
            f"{candidate.name} is an object of this process and cannot be sent to others: put it into a file, and name "
            "that, my_net.py or my_net.py:name"
        )
    if not isinstance(candidate, FunctionCandidate):
        return str(text)
    content = sources(text)
    file = path_of(text)
    other = candidate.declaration is not getattr(candidate, "declared", candidate.declaration)
    return Shipment(
        text=text,
        files=tuple(content.items()) if file is not None else (),
        digest=digest(content),
        timeout=candidate.patience.timeout,
        prefix="" if file is None else _prefix(file),
        redeclared=(candidate.declaration,) if other else (),
    )


def _prefix(file: Path) -> str:
    """How messages name a file's folder: from the current one, where it lies below that."""
    here, folder = Path.cwd(), file.absolute().parent
    if folder == here:
        return ""
    return f"{folder.relative_to(here) if folder.is_relative_to(here) else folder}/"


@lru_cache(maxsize=4)
def _unpacked(sent: Shipment, below: str | None) -> Candidate:
    if not sent.files:
        found = digest(sources(sent.text))
        if found != sent.digest:
            raise ShipmentError(f"{sent.text} is not the same on all machines: its files differ, or are not there")
        return _declared(load(sent.text, timeout=sent.timeout, apart=True)[0], sent)
    _FOLDERS.append(tempfile.TemporaryDirectory(prefix="backproof-", dir=below))
    folder = Path(_FOLDERS[-1].name).resolve()
    for name, content in sent.files:
        file = folder / PurePosixPath(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    own = str(path_of(sent.text))
    text = f"{folder / Path(own).name}{sent.text.removeprefix(own)}"
    (found_there,) = load(text, timeout=sent.timeout, apart=True)
    return Shipped(sent.text, _declared(found_there, sent), str(folder), sent.prefix)


def _declared(found: Candidate, sent: Shipment) -> Candidate:
    if sent.redeclared and isinstance(found, FunctionCandidate):
        return replace(found, declaration=sent.redeclared[0])
    return found
