"""`backproof record`: write vectors, cases with PyTorch's results, for machines and languages that have no PyTorch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from backproof.commands import options
from backproof.commands.terminal import (
    check_files,
    foreseen,
    progress,
    spare,
    stdout_to_stderr,
    stop,
    without_torch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = """\
A recording is one safetensors file: a header in JSON, then numbers. It holds no code, and any safetensors library
reads it. Without one:

    offset 0      8 bytes     n, the length of the header: an unsigned integer, little-endian
    offset 8      n bytes     the header: one JSON object in ASCII, with spaces behind it so that n is a multiple of 8
    offset 8+n    to the end  the data: arrays one after another, without gaps, little-endian, rows first (C order)

The header. Its first key is "__metadata__", every other key is the name of an array:

    {"__metadata__":{"content":"backproof vectors",...},
     "0.weight.1":{"dtype":"F64","shape":[4,3],"data_offsets":[0,96]},...}      on one line, without the space

    dtype           F64 double, F32 float, I64 int64_t, U8 bytes. Wider ones lie first, so that each array is aligned
    shape           [] is one number
    data_offsets    [begin, end) in bytes, counted from offset 8+n

The metadata, all of them strings:

    content         backproof vectors
    schema          {schema}; another number is another format
    cases           how many
    backproof       the version that recorded
    torch           the version of PyTorch whose results these are
    seed, domain    how the cases were drawn; domain is JSON, the fields that are not at their defaults
    sha256          SHA-256 of the whole file, in hex, computed with 64 zeros (the character 0) in place of these digits

The arrays. "ids" is text, one line for each case, without a line break behind the last; line k, counted from 0, is the
id of case k, like 3-4-2,sigmoid,mse,mean,n5,f64,normal,s7: widths, activations, loss, reduction, N, dtype, filling of
the arrays, seed, and then perhaps bias=... (1 for each layer that has one) and penalty=.... The arrays of case k begin
with "k."; layers count from 1, N is the batch size, I a layer's inputs, O its outputs.

  What a network is made of, in the dtype of the case:

    k.weight.l      (O, I)      W
    k.bias.l        (O)         b; not there for a layer without
    k.x             (N, I)      data, a sample a row
    k.y             (N, O)      targets; (N) of I64 where they are classes
    k.option.NAME               weight or pos_weight (O), or var (N, O), where the loss takes one
    k.upstream                  reduction none alone: dC/dloss, in the shape of k.reference.loss

  PyTorch's results, F64. Under reduction none the derivatives are those of C = sum(upstream * losses):

    k.reference.loss            []; under reduction none the losses
    k.reference.weight.l        (O, I)      dC/dW
    k.reference.bias.l          (O)         dC/db; not there for a layer without
    k.reference.delta.l         (N, O)      dC/dz
    k.reference.input           (N, I)      dC/dx

  How far from that rounding alone may take a right implementation in the case's dtype, entry by entry, F64, in the
  shape of the array above; infinity where rounding may do anything:

    k.bound.accurate.QUANTITY   by formulas that are accurate in their tails
    k.bound.textbook.QUANTITY   by any textbook formula, like log(softmax(z)); not there where it equals accurate
    k.bound.kink.QUANTITY       and with any subgradient wherever the derivative does not exist; not there where it
                                equals textbook

    QUANTITY is loss, weight.l, bias.l, delta.l or input.

A verdict on one quantity: no entry further off than accurate, or textbook: it agrees, if the bound's largest entry is
smaller than the quantity's (otherwise the bound says nothing: undecided). No further off than kink: another
subgradient. Beyond that it disagrees. `backproof check --vectors` says more: it tests
equations one by one where bounds say nothing, asks exact arithmetic before it blames, and names the mistake.
"""


def record(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    candidate: Annotated[
        str | None, typer.Argument(help="whose domain to record, as for check", show_default="everything")
    ] = None,
    cases: Annotated[int, typer.Option(help="how many random networks", min=1)] = 2000,
    seed: Annotated[int, typer.Option(help="the same seed draws the same networks on every machine", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="the file to write")] = Path("vectors.safetensors"),
    show_format: Annotated[
        bool, typer.Option("--format", help="print the format of the file, byte for byte, and end")
    ] = False,
    activations: options.Activations = None,
    output_activations: options.OutputActivations = None,
    losses: options.Losses = None,
    reductions: options.Reductions = None,
    dtypes: options.Dtypes = None,
    values: options.Values = None,
    depth: options.Depth = None,
    width: options.Width = None,
    batch_size: options.BatchSize = None,
    penalties: options.Penalties = None,
) -> None:
    """Record networks with PyTorch's results and bounds, to check against where there is no PyTorch."""
    if show_format:
        from backproof.truth.recording import SCHEMA

        typer.echo(FORMAT.replace("{schema}", str(SCHEMA)), nl=False)
        return
    fields = options.fields(
        activations=activations,
        output_activations=output_activations,
        losses=losses,
        reductions=reductions,
        dtypes=dtypes,
        values=values,
        depth=depth,
        width=width,
        batch_size=batch_size,
        penalties=penalties,
    )
    spare(candidate, out)
    try:
        check_files(out)  # before minutes are spent
        with stdout_to_stderr():
            size = _recorded(candidate, fields, cases=cases, seed=seed, out=out)
    except foreseen() as error:
        other = "; a recording has its results, and is made where it is: then `check --vectors` needs none"
        stop(candidate or "record", without_torch(error, other), as_json=False)
    typer.echo(
        f"{out}: {cases:,} networks with PyTorch's results and bounds, {size / 1e6:.1f} MB. Where there is no PyTorch:"
    )
    typer.echo(f"    backproof check {shlex.quote(candidate or 'CANDIDATE')} --vectors {shlex.quote(str(out))}")


def _recorded(candidate: str | None, fields: Mapping[str, object], *, cases: int, seed: int, out: Path) -> int:
    from backproof.candidates.loading import load_one
    from backproof.cases.domain import DEFAULT_DOMAIN
    from backproof.contact.probe import first_contact
    from backproof.narrowing import narrowed
    from backproof.vectors_file import record as write

    domain = DEFAULT_DOMAIN
    if candidate is not None:
        subject = load_one(candidate, apart=True)
        first_contact(subject)
        domain = subject.domain
    with progress("record", cases) as told:
        return write(narrowed(domain, **fields), out, cases=cases, seed=seed, progress=told)
