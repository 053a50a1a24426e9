"""`python -m benchmarks`, which `tox run -e bench` runs: measure everything, print the page, write it with its tables.

Nothing here fails for being slow. What fails is a contender with wrong numbers, and then nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backproof.reports import ReportError
from backproof.reports.files import ENVIRONMENT, report_directory, write_json
from backproof.reports.places import check_place
from benchmarks import machine
from benchmarks.measuring import PARTS, BenchError, Request, Tables, measured
from benchmarks.page import page
from benchmarks.plots import draw

PLACE: Final = Path(__file__).parents[2] / "reports" / "bench"
PAGE: Final = "bench.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 2 where nothing could be measured or written."""
    asked = _parser().parse_args(arguments)
    found = machine.machine()
    try:
        check_place(asked.out)  # before minutes are spent
        tables = measured(Request(parts=asked.parts or tuple(PARTS), runs=asked.runs, only=asked.only))
        print(write(asked.out, tables, found), end="")
    except (BenchError, ReportError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(f"bench: written to {asked.out}", file=sys.stderr)
    return 0


def write(place: Path, tables: Tables, found: dict[str, object]) -> str:
    """The page, the tables and the plots, whole or not at all; returns the page.  Raises ReportError."""
    import pandas as pd

    text = page(tables, found)
    with report_directory(place) as fresh:
        for name, rows in [(name, rows) for name, rows in tables.items() if rows]:
            pd.DataFrame(rows).to_csv(fresh / f"{name}.csv", index=False, lineterminator="\n")
        draw(tables, fresh)
        (fresh / PAGE).write_text(text, encoding="utf-8")
        write_json(fresh, ENVIRONMENT, found)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Time scratch and Backproof beside their rivals.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them if none is named")
    parser.add_argument("--runs", type=int, default=1, help="how many times all of it; the page says if they agree")
    parser.add_argument("--only", metavar="EXPRESSION", help="pytest's -k, like '3-4-2 and float64'")
    parser.add_argument("--out", type=Path, default=PLACE, help="directory for the page, the tables and the plots")
    return parser


if __name__ == "__main__":
    sys.exit(main())
