"""The measured tables as a page to read: ratios first, with the protocol and the machine that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks import machine
from benchmarks.contenders import CONTENDERS, TASKS, Task, of_task, pytorch
from benchmarks.measuring import Tables
from benchmarks.problems import LOSSES, PER_SAMPLE_BYTES, SIZES, problems
from benchmarks.summary import merged, outside_products, targets

Row = Mapping[str, Any]

HALF: Final = 0.5
"""So much of a processor more than its threads shows that a contender has another: what is beside it takes less."""

PROTOCOL: Final = """\
A number is time over PyTorch eager's in the same round: the median over rounds, and in brackets the quartiles. In a
round everybody has a turn, each time beginning with another; a turn is one call that does not count and then as many
as fill 2 ms, of which the median counts, or one call where it takes longer than 20 ms. Tensors, graphs and models are
made before; compiling is not timed. Threads are set by environment variables before anything is imported, in a process
for each number of threads; in gradients.csv, `cores` is the processor time over the time, which shows who used how
many, and `processor_ratio` is the ratio of processor times, which whatever else the machine does changes less.
Before its first turn every contender has been held to scratch in float64 by Backproof's rounding bound, entry by entry:
one that is wrong ends the run. The column `undecided` names quantities where that bound is too wide to say anything, in
wide float32 networks; there the same code stands by its float64 run."""


def page(tables: Tables, found: dict[str, Any]) -> str:
    """All of it as Markdown."""
    parts = [
        ["# How fast, side by side", "", *[f"- {line}" for line in machine.told(found)], "", PROTOCOL],
        _targets(tables),
        *_races(tables.get("gradients", [])),
        _outside(tables.get("gradients", [])),
        _cores(tables.get("gradients", [])),
        _pipeline(tables.get("pipeline", [])),
        _runs(tables.get("runs", [])),
        _exponents(tables.get("exponents", [])),
        _agreement(tables),
        _left_out(tables.get("left_out", [])),
        _called(),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _targets(tables: Tables) -> list[str]:
    rows = [
        (target.what, target.wanted, f"{target.measured:.3g}", "yes" if target.met else "**no**")
        for target in targets(tables)
    ]
    return ["## The numbers to hold", "", *_table(("what", "wanted", "measured", "met"), rows)] if rows else []


def _races(rows: Iterable[Row]) -> Iterator[list[str]]:
    """A table for each task, loss and number of threads: sizes downwards, contenders to the right."""
    places: dict[tuple[Any, ...], list[Row]] = {}
    found: list[Row] = [*merged("gradients", rows)]
    for row in found:
        places.setdefault((row["task"], row["loss"], row["threads"]), []).append(row)
    order: dict[Task, int] = {task: number for number, task in enumerate(TASKS)}
    for (task, loss, threads), same in sorted(
        places.items(), key=lambda place: (order[place[0][0]], LOSSES.index(place[0][1]), place[0][2])
    ):
        names = [c.name for c in of_task(task) if any(row["contender"] == c.name for row in same)]
        baseline = next(contender.name for contender in of_task(task) if contender.baseline)
        lines: dict[tuple[Any, ...], dict[str, Row]] = {}
        for row in same:
            lines.setdefault((row["widths"], row["batch_size"], row["dtype"]), {})[row["contender"]] = row
        title = f"## {TASKS[task]}: {loss}, {threads} thread{'' if threads == 1 else 's'}"
        others = [name for name in names if name != baseline]
        heads = ("network", "N", "dtype", *others, f"{baseline}, µs")
        cells = [
            (*where, *[_spread(line.get(name)) for name in others], f"{1e6 * line[baseline]['seconds']:,.0f}")
            for where, line in lines.items()
        ]
        yield [title, "", *_table(heads, cells)]


def _spread(row: Row | None, *, names: Sequence[str] = ("ratio", "ratio_low", "ratio_high")) -> str:
    if row is None:
        return ""
    value, low, high = (_short(row[name]) for name in names)
    return f"{value} ({low} to {high})"


def _short(number: float) -> str:
    return f"{number:.2f}" if abs(number) < 100 else f"{number:,.0f}"


def _outside(rows: Iterable[Row]) -> list[str]:
    cells = [
        (row["widths"], row["batch_size"], row["loss"], row["dtype"], row["threads"], f"{row['outside']:.0%}")
        for row in outside_products(merged("gradients", rows))
    ]
    heads = ("network", "N", "loss", "dtype", "threads", "outside")
    note = "1 - (matrix products alone) / scratch; the products go into arrays that are there already."
    return ["## Scratch's time outside matrix products", "", note, "", *_table(heads, cells)] if cells else []


def _cores(rows: Iterable[Row]) -> list[str]:
    """Who used how many processors on the largest network that was measured; more than the threads are marked."""
    found: list[Row] = [row for row in merged("gradients", rows) if row["task"] == "gradients"]
    if not found:
        return []
    largest = max(found, key=lambda row: float(row["seconds"]))["widths"]
    cells = []
    for contender in of_task("gradients"):
        own = [row for row in found if row["contender"] == contender.name and row["widths"] == largest]
        for threads in sorted({row["threads"] for row in own}):
            most = max(row["cores"] for row in own if row["threads"] == threads)
            cells.append(
                (contender.name, threads, f"{most:.2f}", "" if most < threads + HALF else "**more than allowed**")
            )
    note = f"Processor time over time, the most of all losses and dtypes, {largest}."
    return [
        "## Do all keep to their threads?",
        "",
        note,
        "",
        *_table(("contender", "threads", "processors", ""), cells),
    ]


def _pipeline(rows: Iterable[Row]) -> list[str]:
    cells = [
        (row["networks"], row["stage"], _spread(row), f"{row['microseconds_per_case']:,.0f}")
        for row in merged("pipeline", rows)
    ]
    note = "Over PyTorch's own forward and backward pass on the same cases, tensors made from arrays included."
    heads = ("networks", "stage", "ratio", "µs a case")
    return ["## Where the time goes", "", note, "", *_table(heads, cells)] if cells else []


def _runs(rows: Iterable[Row]) -> list[str]:
    names = "value", "low", "high"
    cells = [
        (row["figure"], row["setting"], _spread(row, names=names), row["unit"], row["rounds"])
        for row in merged("runs", rows)
    ]
    return ["## Whole runs", "", *_table(("figure", "setting", "value", "unit", "rounds"), cells)] if cells else []


def _exponents(rows: Iterable[Row]) -> list[str]:
    names = "exponent", "low", "high"
    cells = [
        (
            row["axis"],
            row["fixed"],
            row["contender"],
            _spread(row, names=names),
            f"{row['expected']:g}",
            f"{row['from']} to {row['to']}",
        )
        for row in merged("exponents", rows)
    ]
    heads = ("axis", "while", "contender", "exponent", "in theory", "fitted over")
    return ["## Growth: time is proportional to size to the power of", "", *_table(heads, cells)] if cells else []


def _agreement(tables: Tables) -> list[str]:
    """Where there were several runs: how many rows agree within their stated spread, and which do not."""
    runs = max((row["run"] for rows in tables.values() for row in rows), default=1)
    if runs == 1:
        return []
    lines = [
        "## Do the runs agree?",
        "",
        f"{runs} runs; a row agrees where their quartiles' spans meet.",
    ]
    for name in ("gradients", "pipeline", "runs", "exponents"):
        found = merged(name, tables.get(name, ()))
        if found:
            lines.append(f"- {name}: {sum(row['runs_agree'] for row in found)} of {len(found)} rows")
    return lines


def _left_out(rows: Iterable[Row]) -> list[str]:
    """What is missing, by design and on this machine."""
    heads = "contender", "task", "problem", "why"
    cells = {(row["contender"], row["task"], row["problem"], row["reason"]): None for row in rows}
    too_large = dict.fromkeys(each.size.id for each in problems() if each.per_sample_bytes > PER_SAMPLE_BYTES)
    by_design = [
        ("all", "per sample", ", ".join(too_large), f"one answer takes more than {PER_SAMPLE_BYTES >> 20} MiB"),
        ("all", "per sample, jvp", "mse", "measured with cross_entropy alone"),
        (pytorch.COMPILED.name, "gradients", "cross_entropy", "compiling takes longer than all rounds together"),
    ]
    by_design += [
        ("all that need not be there", "gradients", f"{size.id},{loss}", "a round takes long; mse shows the same")
        for size in SIZES
        for loss in size.brief
    ]
    return ["## Not measured", "", *_table(heads, [*by_design, *cells])]


def _called() -> list[str]:
    cells = [(contender.name, TASKS[contender.task], f"`{contender.calls}`") for contender in CONTENDERS]
    return ["## What is called", "", *_table(("contender", "task", "calls"), cells)]


BAR: Final = r"\|"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *[f"| {' | '.join(str(cell).replace('|', BAR) for cell in row)} |" for row in rows],
    ]
