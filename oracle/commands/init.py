"""`backproof init`: write an adapter to fill in."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from backproof.contact.adapter import Kind


def init(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    file: Annotated[Path, typer.Argument(help="the file to write, like my_net.py; for a program any name")],
    kind: Annotated[str, typer.Option(help="function, class, step, exec or exec_step")] = "function",
    samples: Annotated[str, typer.Option(help="rows: x is (N, I); columns: (I, N)")] = "rows",
    weights: Annotated[str, typer.Option(help="out_in: W is (O, I); in_out: (I, O)")] = "out_in",
    bias: Annotated[str, typer.Option(help="vector: b is (O,); row: (1, O); column: (O, 1)")] = "vector",
    targets: Annotated[
        str, typer.Option(help="matrix: y is as the outputs; vector: (N,); for classes one_hot or index")
    ] = "matrix",
    arrays: Annotated[str, typer.Option(help="numpy, or lists for nested lists")] = "numpy",
) -> None:
    """Write an adapter with comments, in your layout of arrays, and one place to fill in."""
    from backproof.candidates.contract import PROGRAM
    from backproof.candidates.layout import WORDS, Layout
    from backproof.cases.spelling import unknown_name
    from backproof.contact.adapter import KINDS, adapter, is_program

    for name, word, words in (
        ("kind", kind, tuple(KINDS)),
        *((name, value, WORDS[name]) for name, value in _given(samples, weights, bias, targets, arrays).items()),
    ):
        if word not in words:
            raise typer.BadParameter(unknown_name(name, word, words), param_hint=f"--{name}")
    program = is_program(cast("Kind", kind))
    if not program and file.suffix != ".py":
        raise typer.BadParameter(f"an adapter in Python is a file like {file.stem}.py; got {file}", param_hint="FILE")
    if program and arrays != "numpy":
        raise typer.BadParameter("a program is handed nested lists anyway, as JSON has them", param_hint="--arrays")
    layout = Layout(**_given(samples, weights, bias, targets, arrays))  # type: ignore[arg-type]  # checked above
    place = f'"{file}"' if any(each.isspace() for each in str(file)) else str(file)  # exec: splits as a shell does
    command = place if file.is_absolute() else place.replace(str(file), f"./{file}")
    found = PROGRAM + command if program else str(file)
    address = shlex.quote(found)
    text = adapter(cast("Kind", kind), layout, address=address)
    try:
        with file.open("x", encoding="utf-8") as written:
            written.write(text)
        if program:
            file.chmod(file.stat().st_mode | 0o111)
    except FileExistsError:
        _refuse(f"{file} exists already, and is left as it is: name another file")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            file.unlink(missing_ok=True)  # half of it would be "there already" the next time
        _refuse(f"{file} cannot be written: {error.strerror}")
    typer.echo(f"{file} is written: {KINDS[cast('Kind', kind)]}. Fill in the one place that raises, then run")
    typer.echo(f"    backproof check {address}")


def _given(samples: str, weights: str, bias: str, targets: str, arrays: str) -> dict[str, str]:
    return {"samples": samples, "weights": weights, "bias": bias, "targets": targets, "arrays": arrays}


def _refuse(message: str) -> None:
    typer.echo(f"backproof: {message}", err=True)
    raise typer.Exit(2)
