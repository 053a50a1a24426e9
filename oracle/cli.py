"""The command line: `backproof check`, and the commands beside it.

Exit codes: 0 agrees, 1 disagrees, 2 cannot run, 130 ended by Ctrl-C and right until then. Progress and messages go to
stderr, the verdict to stdout.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import Annotated

import typer

from backproof.candidates.ending import in_order
from backproof.commands.check import check
from backproof.commands.explain import explain
from backproof.commands.faults import faults
from backproof.commands.guard import guard
from backproof.commands.init import init
from backproof.commands.power import power
from backproof.commands.protocol import protocol
from backproof.commands.record import record
from backproof.commands.report import report

# Matrices of this size do not gain from threads, and lose when every process wants all of them. This must be said
# before NumPy and PyTorch are imported, which the commands leave to the moment they run.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
# A million objects are imported and come to stay. At Python's own threshold (700) the garbage collector looks through
# all of them several times, which takes a quarter of a second of a start that takes three.
gc.set_threshold(50_000)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Tells whether handwritten backpropagation is right, and if not, where.",
)


def main() -> None:
    """The console script."""
    with in_order():
        try:
            app(prog_name="backproof")
        except Exception:  # noqa: BLE001  an exit code of 1 would say that a candidate disagrees
            traceback.print_exc()
            print("backproof: this is a defect of Backproof itself, at the place above", file=sys.stderr)
            sys.exit(2)


def _version(asked: bool) -> None:
    if asked:
        from backproof.environment import version

        typer.echo(f"backproof {version('backproof')}, PyTorch {version('torch') or 'not installed'}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the versions and end.")
    ] = False,
) -> None:
    """What comes before the command."""


app.command()(check)
app.command()(explain)
app.command()(guard)
app.command()(init)
app.command()(power)
app.command()(protocol)
app.command()(record)
app.command()(report)
app.command()(faults)
