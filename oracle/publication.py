"""What is written into the directory of a finished run, beside the rows that went there while it was under way.

First what only the run knows, as data; then, when all of that is there, what is read off these files alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backproof.diagnosis.script import script
from backproof.environment import environment
from backproof.outcome import Report


def publish(directory: Path, report: Report, command: Mapping[str, Any]) -> None:
    """Write what the report says; command: what is noted of how it came about."""
    from backproof.reports import files

    for name in ("strata", "scaling", "equations", "accuracy"):
        if name in report.tables:
            files.write_table(directory, name, report.tables[name])
    files.write_data_dictionary(directory)
    files.write_json(directory, files.ENVIRONMENT, {**environment(), **command})
    files.write_json(directory, "verdict.json", report.to_json())
    if report.findings is not None and report.findings.shown is not None and report.hints == "all":
        (directory / "smallest.py").write_text(script(report.findings.shown), encoding="utf-8")
    (directory / "screen.txt").write_text(str(report), encoding="utf-8")


def complete(directory: Path) -> None:
    """Write what follows from the files that are there, so that it can be written again from them at any time."""
    from pyarrow import parquet

    from backproof.reports.summary import summary

    strata, scaling = (parquet.read_table(directory / f"{name}.parquet") for name in ("strata", "scaling"))
    screen = (directory / "screen.txt").read_text(encoding="utf-8")
    (directory / "summary.md").write_text(summary(screen, strata, scaling), encoding="utf-8")
