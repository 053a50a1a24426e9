"""Whole runs from the outside: how long `backproof check` takes to start, what a second worker brings, and its memory.

Each run is a process of its own, as its users start it. Memory is the largest resident size that any process of a run
reaches, so that it says whether one grows, and not what all take together.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.rounds import Spread

CHECK: Final = ("-c", "from backproof.cli import main; main()", "check", "scratch")
TORCH: Final = ("-c", "import torch")
FEW: Final = 5_000
MANY: Final = 20_000


@dataclass(frozen=True)
class Run:
    """What one process took."""

    seconds: float
    peak_bytes: int


_LAUNCHER: Final = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(sys.argv[2:])
found = {"seconds": time.perf_counter() - start, "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
sys.exit(code)
"""
"""A process that begins as the copy of another counts what that one held as its own: so a small one starts it."""


def run(arguments: Sequence[str]) -> Run:
    """`python ARGUMENTS`, measured.  Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as place:
        told, said = Path(place) / "told", Path(place) / "said"
        command = [sys.executable, "-c", _LAUNCHER, str(told), sys.executable, *arguments]
        with said.open("wb") as file:
            code = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
        if code:
            raise RuntimeError(f"{' '.join(arguments)}: exit code {code}\n{said.read_text(errors='replace')}")
        found = json.loads(told.read_text())
    # Kibibytes on Linux, bytes on macOS.
    return Run(found["seconds"], found["peak"] * (1 if sys.platform == "darwin" else 1024))


def checked(cases: int, workers: int) -> Run:
    """`backproof check scratch --report DIR`."""
    with tempfile.TemporaryDirectory() as place:
        settings = "--cases", str(cases), "--workers", str(workers), "--report", str(Path(place) / "report")
        return run([*CHECK, *settings])


def start_up_row(rounds: int) -> Mapping[str, Any]:
    """`backproof check` of a single case beyond `import torch`, by turns."""
    extra = [run([*CHECK, "--cases", "1"]).seconds - run(TORCH).seconds for _ in range(rounds)]
    return _row("start-up beyond importing torch", "--cases 1", "seconds", extra)


def run_rows(rounds: int, few: int = FEW, many: int = MANY) -> Iterator[Mapping[str, Any]]:
    """Time and memory of few and of many cases, with one worker and with two."""
    settings = [(cases, workers) for workers in (1, 2) for cases in (few, many)]
    found: dict[tuple[int, int], list[Run]] = {setting: [] for setting in settings}
    for _ in range(rounds):
        for cases, workers in settings:
            found[cases, workers].append(checked(cases, workers))
    for cases, workers in settings:
        setting = f"{cases:,} cases, {'one worker' if workers == 1 else f'{workers} workers'}"
        yield _row("time", setting, "seconds", [each.seconds for each in found[cases, workers]])
        yield _row("peak memory", setting, "MiB", [each.peak_bytes / 2**20 for each in found[cases, workers]])

    def longer(workers: int) -> list[float]:
        pairs = zip(found[many, workers], found[few, workers], strict=True)
        return [most.seconds - least.seconds for most, least in pairs]

    pairs = zip(found[many, 1], found[many, 2], strict=True)
    yield _row("two workers over one", f"{many:,} cases", "times faster", [a.seconds / b.seconds for a, b in pairs])
    further = [alone / shared for alone, shared in zip(longer(1), longer(2), strict=True)]
    yield _row("two workers over one", f"each case beyond {few:,}", "times faster", further)
    pairs = zip(found[many, 1], found[few, 1], strict=True)
    grown = [most.peak_bytes / least.peak_bytes for most, least in pairs]
    yield _row(f"memory of {many:,} cases over that of {few:,}", "one worker", "times", grown)


def _row(figure: str, setting: str, unit: str, numbers: Sequence[float]) -> Mapping[str, Any]:
    spread = Spread.of(numbers)
    return {
        "figure": figure,
        "setting": setting,
        "value": spread.median,
        "low": spread.low,
        "high": spread.high,
        "unit": unit,
        "rounds": len(numbers),
    }
