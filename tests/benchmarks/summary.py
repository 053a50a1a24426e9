"""From the rows of all runs to the few numbers that people ask for: merged, set beside their targets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.measuring import Tables
from benchmarks.problems import SIZES
from benchmarks.stages import WHOLE

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Table:
    """What makes two rows of different runs the same row, and which columns hold a number with its quartiles."""

    keys: tuple[str, ...]
    value: str
    low: str
    high: str


SHAPES: Final = {
    "gradients": Table(
        keys=("task", "widths", "batch_size", "loss", "dtype", "threads", "contender"),
        value="ratio",
        low="ratio_low",
        high="ratio_high",
    ),
    "pipeline": Table(keys=("networks", "stage"), value="ratio", low="ratio_low", high="ratio_high"),
    "runs": Table(keys=("figure", "setting"), value="value", low="low", high="high"),
    "exponents": Table(keys=("axis", "contender"), value="exponent", low="low", high="high"),
    "growth": Table(keys=("axis", "contender", "at"), value="seconds", low="seconds_low", high="seconds_high"),
}


def merged(name: str, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One row for all runs of it: the median of medians, the widest quartiles, and whether the runs agree.

    Runs agree where the spans from quartile to quartile that they state have a point in common.
    """
    shape = SHAPES[name]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in shape.keys), []).append(row)
    found = []
    for same in groups.values():
        lows, highs = [row[shape.low] for row in same], [row[shape.high] for row in same]
        found.append(
            {
                **same[0],
                shape.value: median(row[shape.value] for row in same),
                shape.low: min(lows),
                shape.high: max(highs),
                "runs_agree": max(lows) <= min(highs),
            }
        )
    return found


@dataclass(frozen=True)
class Target:
    """A number to hold. Nothing fails where it is missed: it is said."""

    what: str
    wanted: str
    measured: float
    met: bool


def targets(tables: Tables) -> Iterator[Target]:
    """Every target about which something was measured."""
    yield from _of_gradients(merged("gradients", tables.get("gradients", ())))
    pipeline = {(row["networks"], row["stage"]): row["ratio"] for row in merged("pipeline", tables.get("pipeline", ()))}
    for networks, most in (("default domain", 2.0), ("width 512", 4.0)):
        if (networks, WHOLE) in pipeline:
            yield _at_most(f"whole pipeline over PyTorch's own pass, {networks}", pipeline[networks, WHOLE], most)
    for row in merged("runs", tables.get("runs", ())):
        what = f"{row['figure']}, {row['setting']}"
        if row["figure"].startswith("start-up"):
            yield _at_most(f"{what}, seconds", row["value"], 0.5)
        elif row["figure"].startswith("two workers"):
            yield Target(what, "at least 1.8", row["value"], row["value"] >= 1.8)
        elif row["figure"].startswith("memory of"):
            yield _at_most(what, row["value"], 1.1)


def _of_gradients(rows: Sequence[Row]) -> Iterator[Target]:
    ours = [row for row in rows if row["task"] == "gradients" and row["contender"] == "scratch" and row["threads"] == 1]
    if not ours:
        return
    worst = max(ours, key=lambda row: float(row["ratio"]))
    where = f"{worst['widths']}, {worst['loss']}, {worst['dtype']}"
    yield _at_most(f"scratch over PyTorch eager, one thread, the worst of all sizes ({where})", worst["ratio"], 1.0)
    small = [row["ratio"] for row in ours if row["widths"] == SIZES[0].widths]
    if small:
        yield _at_most(f"the same at {SIZES[0].widths}, its worst", max(small), 0.25)
    for row in outside_products(rows):
        if row["threads"] == 1 and row["widths"] == SIZES[-1].widths:
            what = f"scratch outside matrix products, {row['widths']}, {row['loss']}, {row['dtype']}"
            yield _at_most(what, row["outside"], 0.1)


def _at_most(what: str, measured: float, most: float) -> Target:
    return Target(what, f"at most {most:g}", measured, measured <= most)


def outside_products(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """The share of scratch's time beyond the floor's, where both were measured."""
    kept = ("widths", "batch_size", "loss", "dtype", "threads")
    ratios: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        if row["task"] == "gradients":
            ratios.setdefault(tuple(row[key] for key in kept), {})[row["contender"]] = row["ratio"]
    for key, found in ratios.items():
        own, floor = found.get("scratch", math.nan), found.get("matrix products alone", math.nan)
        if own > 0 and floor > 0:
            yield {**dict(zip(kept, key, strict=True)), "outside": 1 - floor / own}
