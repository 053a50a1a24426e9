"""What every command shares: how options are read, how progress is shown, and how a run that cannot start ends."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Final, NoReturn

import typer

REDRAW: Final = 0.1
"""Seconds between two redrawings of a progress bar."""


def names(text: str | None) -> tuple[str, ...] | None:
    """`a,b` as a tuple."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def span(text: str | None) -> int | tuple[int, ...] | None:
    """`4`, or `1-30` for a range."""
    if text is None:
        return None
    low, dash, high = text.partition("-")
    try:
        return (int(low), int(high)) if dash else int(low)
    except ValueError:
        raise typer.BadParameter(f"a number or a range is wanted, like 4 or 1-30; got {text!r}") from None


def foreseen() -> tuple[type[Exception], ...]:
    """Errors whose text is meant for the person at the terminal; any other is a defect of ours, and shows itself."""
    from backproof.campaign.crew import CrewError
    from backproof.candidates.contract import CandidateError
    from backproof.cases.settings import DomainError
    from backproof.cases.spec import SpecError
    from backproof.examine import ReferenceMissingError
    from backproof.reports import ReportError
    from backproof.truth.vectors import VectorsError

    return (CandidateError, CrewError, DomainError, SpecError, ReferenceMissingError, ReportError, VectorsError)


@contextmanager
def progress(name: str, total: int | None) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr, where that is a terminal; what it yields hears (cases, wrong cases).

    total: how many cases there are, None where that is not known yet.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[wrong]}"),
    )
    # A shard of a pool counts 250 networks at once: over less than a minute that is no rate.
    with Progress(*columns, console=console, transient=True, speed_estimate_period=60.0) as bar:
        task = bar.add_task(escape(name), total=total, wrong="", rate="")
        drawn = 0.0

        def told(cases: int, wrong: int) -> None:
            nonlocal drawn
            if time.monotonic() - drawn >= REDRAW:
                speed = bar.tasks[0].speed
                bar.update(
                    task,
                    completed=cases,
                    rate="" if speed is None else f"{speed:,.0f} a second",
                    wrong=f"{wrong:,} wrong" if wrong else "",
                )
                drawn = time.monotonic()

        yield told


def without_torch(error: Exception, otherwise: str) -> Exception:
    """The error; where it is that PyTorch is missing, with what this command can do instead."""
    from backproof.examine import MISSING, ReferenceMissingError

    return RuntimeError(f"{MISSING}{otherwise}") if isinstance(error, ReferenceMissingError) else error


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What is printed in the block goes to stderr, so that stdout has the verdict alone.

    By C code and by other processes too, which know no sys.stdout but a file with the number 1.
    """
    with redirect_stdout(sys.stderr):
        try:
            own = os.dup(1)
            os.dup2(2, 1)
        except OSError:  # one of the two is closed
            yield
            return
        try:
            yield
        finally:
            _flush()
            os.dup2(own, 1)
            os.close(own)


def _flush() -> None:
    """Write what Python and C hold back for stdout, before that is another file again."""
    import ctypes

    with suppress(OSError, ValueError):
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def spare(candidate: str | None, *paths: Path | None) -> None:
    """Raises typer.BadParameter where a file to be written is the one that a CANDIDATE text names, or a word of it."""
    file, _, rest = (candidate or "").partition(":")  # a file and a name in it, or exec: and a command
    own = {Path(word).resolve() for word in (file, *rest.split()) if word}
    for path in paths:
        if path is not None and path.is_file() and path.resolve() in own:
            raise typer.BadParameter(f"{path} is the candidate's own file: it stays as it is. Name another")


def check_files(*paths: Path | None) -> None:
    """Raises ReportError where one of these files cannot be written, before a run that ends by writing them.

    It says what `place` would say then. Folders that are not there are made, and nothing else.
    """
    from backproof.reports import ReportError

    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise ReportError(f"{path} is a directory: name a file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise ReportError(f"cannot write {path}: {error.strerror or error}") from error


def refuse(
    candidate: str, error: BaseException, *, suite: str, junit: Path | None, summary: Path | None, as_json: bool
) -> NoReturn:
    """`stop`, after the JUnit XML and the summary of a run that could not begin; what hinders that is told once."""
    from backproof.publishing.publication import write_error

    hindrance = write_error(junit, summary, suite=suite, candidate=candidate, error=error)
    if hindrance and hindrance != str(error):
        typer.echo(f"backproof: {hindrance}", err=True)
    stop(candidate, error, as_json=as_json)


def stop(candidate: str, error: BaseException, *, as_json: bool) -> NoReturn:
    """One paragraph on stderr that says what to do, and exit code 2."""
    if as_json:
        typer.echo(json.dumps({"schema": 1, "candidate": candidate, "verdict": "cannot_run", "message": str(error)}))
    typer.echo(f"backproof: {error}", err=True)
    raise typer.Exit(2)
