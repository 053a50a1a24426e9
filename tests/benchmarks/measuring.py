"""Running the bench files: pytest with pytest-benchmark, a process for each number of threads, tables back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.threads import environment_for

HERE: Final = Path(__file__).parent
PARTS: Final = {"gradients": (1, 2), "pipeline": (1,), "growth": (1,)}
"""Each part, bench_NAME.py, with the numbers of threads it is run with."""

Tables = dict[str, list[dict[str, Any]]]


class BenchError(RuntimeError):
    """A measurement did not end well: nothing is written."""


@dataclass(frozen=True)
class Request:
    """What is to be measured: which parts, how many times all of it, and pytest's -k, if only some of it."""

    parts: Sequence[str] = tuple(PARTS)
    runs: int = 1
    only: str | None = None


def measured(request: Request) -> Tables:
    """All tables, rows of every run, each with the number of its run; after Ctrl-C those that are whole.

    Raises BenchError.
    """
    tables: Tables = {}
    steps = [(number, part) for number in range(1, request.runs + 1) for part in request.parts]
    try:
        for number, part in steps:
            for threads in PARTS[part]:
                for name, rows in _of_process(part, threads, request.only).items():
                    tables.setdefault(name, []).extend({"run": number, **row} for row in rows)
    except KeyboardInterrupt:
        if not any(tables.values()):
            raise BenchError("interrupted before anything was measured") from None
        print("bench: interrupted; what was measured until then is kept", file=sys.stderr)
    if not any(tables.values()):
        raise BenchError(f"nothing was measured: no benchmark is called like {request.only!r}")
    return tables


def _of_process(part: str, threads: int, only: str | None) -> Tables:
    """The tables of one bench file in a fresh process."""
    with tempfile.TemporaryDirectory() as place:
        found = Path(place) / "found.json"
        command = [
            *(sys.executable, "-m", "pytest", str(HERE / f"bench_{part}.py")),
            *("--confcutdir", str(HERE), "-p", "no:cacheprovider", "-q", "--no-header", "-r", "fE"),
            *("-o", "python_files=bench_*.py", "-o", "filterwarnings=default", "--disable-warnings"),
            *("--benchmark-json", str(found), "--benchmark-storage", place, "--benchmark-quiet"),
            *(() if only is None else ("-k", only)),
        ]
        paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, **environment_for(threads), "PYTHONPATH": os.pathsep.join(paths)}
        print(f"bench: {part}, {threads} thread{'s' if threads > 1 else ''}", file=sys.stderr, flush=True)
        done = subprocess.run(command, env=environment, cwd=HERE.parents[1], stdout=sys.stderr, check=False)
        if done.returncode == _NOTHING_COLLECTED:
            return {}
        if done.returncode:
            raise BenchError(f"bench_{part}.py with {threads} threads: pytest ended with {done.returncode}, see above")
        return tables_of(json.loads(found.read_text(encoding="utf-8")))


def tables_of(found: Mapping[str, Any]) -> Tables:
    """What the benchmarks put beside pytest-benchmark's own figures."""
    tables: Tables = {}
    for benchmark in found["benchmarks"]:
        for name, rows in benchmark["extra_info"].items():
            tables.setdefault(name, []).extend(rows)
    return tables


_NOTHING_COLLECTED: Final = 5
