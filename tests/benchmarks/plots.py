"""The tables as SVG: ratios by size, and growth with its exponents. The same numbers make the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

from benchmarks.growth import AXES
from benchmarks.measuring import Tables
from benchmarks.problems import DTYPES, LOSSES, SIZES
from benchmarks.summary import merged

STYLE: Final = {"svg.hashsalt": "backproof", "svg.fonttype": "none", "font.size": 8}
FILES: Final = ("ratios.svg", "growth.svg")


def draw(tables: Tables, directory: Path) -> None:
    """Both plots, as far as something was measured for them."""
    if tables.get("gradients"):
        _ratios(tables, directory / FILES[0])
    if tables.get("growth"):
        _growth(tables, directory / FILES[1])


@contextmanager
def _figure(path: Path, rows: int, columns: int) -> Iterator[Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8 * columns, 3.4 * rows), layout="constrained")
        yield figure.subplots(rows, columns, squeeze=False)
        figure.savefig(path, metadata={"Date": None})


def _ratios(tables: Tables, path: Path) -> None:
    """One panel for each loss and dtype, one thread: time over PyTorch eager's, quartiles as bars."""
    rows = [
        row
        for row in merged("gradients", tables["gradients"])
        if row["task"] == "gradients" and row["threads"] == 1 and row["contender"] != "PyTorch eager"
    ]
    sizes = [size.widths for size in SIZES if any(row["widths"] == size.widths for row in rows)]
    names = list(dict.fromkeys(row["contender"] for row in rows))
    with _figure(path, len(LOSSES), len(DTYPES)) as panels:
        for panel, (loss, dtype) in zip(panels.flat, product(LOSSES, DTYPES), strict=True):
            for number, name in enumerate(names):
                own = [row for row in rows if (row["contender"], row["loss"], row["dtype"]) == (name, loss, dtype)]
                if own:
                    middle = [row["ratio"] for row in own]
                    below = [row["ratio"] - row["ratio_low"] for row in own]
                    above = [row["ratio_high"] - row["ratio"] for row in own]
                    places = [sizes.index(row["widths"]) for row in own]
                    panel.errorbar(
                        places, middle, (below, above), label=name, color=f"C{number}", marker="o", markersize=3,
                        linewidth=2 if name == "scratch" else 0.8,
                    )  # fmt: skip
            panel.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
            panel.set_yscale("log")
            panel.set_xticks(range(len(sizes)), sizes, rotation=15)
            panel.set_title(f"{loss}, {dtype}, one thread")
            panel.set_ylabel("time over PyTorch eager's")
        drawn = {
            label: line for panel in panels.flat for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        panels[0][0].figure.legend(drawn.values(), drawn, loc="outside lower center", ncols=4)


def _growth(tables: Tables, path: Path) -> None:
    """One panel for each axis, both logarithmic; the legend states the exponents."""
    rows = merged("growth", tables["growth"])
    fitted = {(row["axis"], row["contender"]): row["exponent"] for row in merged("exponents", tables["exponents"])}
    axes = [axis for axis in AXES if any(row["axis"] == axis.name for row in rows)]
    with _figure(path, 1, len(axes)) as panels:
        for panel, axis in zip(panels.flat, axes, strict=True):
            for name in [name for name in axis.expected if (axis.name, name) in fitted]:
                own = [row for row in rows if (row["axis"], row["contender"]) == (axis.name, name)]
                label = f"{name}: {axis.name}^{fitted[axis.name, name]:.2f}"
                panel.plot([row["at"] for row in own], [row["seconds"] for row in own], marker="o", label=label)
            panel.set_xscale("log", base=2)
            panel.set_yscale("log")
            panel.set_xlabel(f"{axis.name} ({axis.fixed})")
            panel.set_ylabel("seconds")
            panel.legend()
