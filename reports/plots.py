"""The plots of a report, drawn once and saved as SVG for the page or as PNG.

In the SVG no colour is fixed: each is a variable of the page's style sheet, which knows light from dark. Text stays
text, and the same measures make the same bytes.
"""

from __future__ import annotations

import io
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from backproof.reports.measures import Measures, Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS: Final = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
"""Where the heatmap's colours change: the upper ends of its classes, of which the last ends at the bound."""

# What a colour is called in the style sheet, the colour that stands for it while drawing, and the one of a PNG. Those
# of the classes go from light to dark in one hue, so that they are told apart without seeing colours; red-orange for
# what is beyond the bound differs from blue in every kind of colour blindness, and bears a cross besides.
_COLOURS: Final = {
    "ink": ("#010101", "#1c2127"),
    "muted": ("#020202", "#59636e"),
    "line": ("#030303", "#d5dae0"),
    "paper": ("#040404", "#ffffff"),
    "data": ("#050505", "#2468b4"),
    "band": ("#060606", "#bcd4ef"),
    "beyond": ("#070707", "#c2410c"),
    "class0": ("#101010", "#eef4fb"),
    "class1": ("#111111", "#d3e4f5"),
    "class2": ("#121212", "#b1cfee"),
    "class3": ("#131313", "#84b2e2"),
    "class4": ("#141414", "#5691d1"),
    "class5": ("#151515", "#2f6fb5"),
    "class6": ("#161616", "#164a86"),
}
_STANDING_IN: Final = {name: pair[0] for name, pair in _COLOURS.items()}
PRINTED: Final = {name: pair[1] for name, pair in _COLOURS.items()}
"""The colours of a PNG."""

_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "backproof",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "path.simplify": False,
}
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_CELL: Final = 0.27
"""Inches of a cell of the heatmap."""
_DECADES: Final = (-12, 18)
"""Powers of ten that an axis shows at most; what lies beyond them is drawn at its end."""
_BINS_PER_DECADE: Final = 4


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot: what it is called in a file's name, its heading, and in words what can be seen in it."""

    name: str
    title: str
    words: str
    svg: str


def plots(measures: Measures) -> tuple[Plot, ...]:
    """All plots of a run, as SVG to be put into a page.  None where nothing was judged."""
    found = []
    for name, title, words, draw in _catalogue(measures):
        with _style():
            svg = _svg(draw(_STANDING_IN), name, words, _titles(measures) if name == "coverage" else [])
        found.append(Plot(name=name, title=title, words=words, svg=svg))
    return tuple(found)


def pictures(measures: Measures) -> Iterator[tuple[str, bytes]]:
    """The name and the PNG of each plot."""
    for name, title, _, draw in _catalogue(measures):
        with _style():
            figure = draw(PRINTED)
            figure.axes[0].set_title(title, fontsize=11, pad=16, color=PRINTED["ink"])
            held = io.BytesIO()
            figure.savefig(held, format="png", dpi=160, metadata={"Software": None}, facecolor=PRINTED["paper"])
        yield name, held.getvalue()


def _catalogue(measures: Measures) -> Iterator[tuple[str, str, str, Any]]:
    """Name, heading, words and drawing of each plot that has something to show."""
    if measures.pairs:
        yield "coverage", "Activation by loss", _coverage_words(measures), lambda c: _coverage(measures, c)
    if measures.judged:
        title = "How the errors are spread"
        yield "errors", title, _histogram_words(measures.spread), lambda c: _histogram(measures.spread, c)
        for name, axis, spreads in (
            ("depth", "layers", measures.by_depth),
            ("batch_size", "samples in a batch", measures.by_batch_size),
        ):
            words = _growth_words(axis, spreads)
            yield name, f"Error by {axis}", words, lambda c, s=spreads, a=axis: _growth(s, a, c)


@contextmanager
def _style() -> Iterator[None]:
    # What it has to say of its caches, the first time on a machine, is not about the run.
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib as mpl

        with mpl.rc_context():
            mpl.rcdefaults()  # whatever a person has in a matplotlibrc must not change our bytes
            mpl.rcParams.update(_SETTINGS)
            yield
    finally:
        logger.setLevel(level)


def _figure(width: float, height: float, colours: Mapping[str, str]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(colours["muted"])
    axes.tick_params(colors=colours["muted"], labelcolor=colours["ink"], length=3, width=0.8)
    for spine in axes.spines.values():
        spine.set_color(colours["line"])
    axes.patch.set_visible(False)
    figure.patch.set_visible(False)
    return figure, axes


def _coverage(measures: Measures, colours: Mapping[str, str]) -> Figure:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    activations, losses = _names(measures)
    columns, rows = len(activations), len(losses)
    longest = max(map(len, losses))
    wide = max(0.075 * longest + 0.4 + _CELL * columns, 5.6)
    figure, axes = _figure(wide, 0.075 * max(map(len, activations)) + 1.1 + _CELL * rows, colours)
    corners, filled = [], []
    for (name, loss), pair in measures.pairs.items():
        x, y = activations.index(name), losses.index(loss)
        beyond = pair.worst > STEPS[-1]
        corners.append([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)])
        filled.append(colours["beyond"] if beyond else _class(pair, colours) if pair.quantities else colours["paper"])
        if beyond:
            axes.text(x + 0.5, y + 0.5, "×", ha="center", va="center", color=colours["paper"], fontsize=11)
        elif not pair.quantities:
            axes.text(x + 0.5, y + 0.5, "?" if pair.cases else "·", ha="center", va="center", color=colours["muted"])
        if columns == 1:
            axes.text(x + 1.15, y + 0.5, _short(pair.worst), va="center", color=colours["ink"])
    cells = PolyCollection(corners, facecolors=filled, edgecolors=colours["paper"], linewidths=1.2)
    cells.set_gid("cells")
    axes.add_collection(cells)
    axes.set_xlim(0, max(columns, wide / _CELL - longest * 0.3) if columns < 12 else columns)
    axes.set_ylim(rows, 0)
    axes.set_aspect("equal", anchor="W")
    axes.set_xticks([x + 0.5 for x in range(columns)], activations, rotation=90 if columns > 3 else 0)
    axes.set_yticks([y + 0.5 for y in range(rows)], losses)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    lows = (0.0, *STEPS)
    shown = [(f"to {high:g}", colours[f"class{at}"]) for at, (_, high) in enumerate(pairwise(lows))]
    shown += [("× beyond", colours["beyond"]), ("· not met", colours["paper"])]
    patches = [Patch(facecolor=colour, edgecolor=colours["line"], linewidth=0.6, label=text) for text, colour in shown]
    legend = figure.legend(
        handles=patches,
        title="worst error / bound",
        title_fontsize=8,
        loc="outside lower left",
        ncols=9 if wide > 6.5 else 5,
        fontsize=8,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.2,
        handletextpad=0.5,
        labelcolor=colours["ink"],
    )
    legend.get_title().set_color(colours["muted"])
    legend.set_alignment("left")
    return figure


def _class(pair: Any, colours: Mapping[str, str]) -> str:
    return colours[f"class{next(at for at, high in enumerate(STEPS) if pair.worst <= high)}"]


def _names(measures: Measures) -> tuple[list[str], list[str]]:
    activations, losses = (sorted({pair[at] for pair in measures.pairs}) for at in (0, 1))
    return activations, losses


def _titles(measures: Measures) -> list[str]:
    """What each cell of the heatmap says when it is pointed at, in the order in which they are drawn."""
    return [
        f"{name}, {loss}: {pair.cases:,} networks, "
        + (f"worst error / bound {_short(pair.worst)}" if pair.quantities else "nothing was judged")
        for (name, loss), pair in measures.pairs.items()
    ]


def _histogram(spread: Spread, colours: Mapping[str, str]) -> Figure:
    figure, axes = _figure(7.6, 2.6, colours)
    low, high = _span(spread.ratios)
    bins = _BINS_PER_DECADE
    counts = [0] * ((high - low) * bins)
    none = infinite = 0
    for ratio, count in spread.ratios.items():
        if ratio == 0.0:
            none += count
        elif ratio == math.inf:
            infinite += count
        else:
            # A bin holds its upper edge, so that 1 lies on the side of agreement.
            at = math.ceil((math.log10(ratio) - low) * bins) - 1
            counts[min(max(at, 0), len(counts) - 1)] += count
    edges = [low + at / bins for at in range(len(counts))]
    fill = [colours["data"] if edge < 0 else colours["beyond"] for edge in edges]
    axes.bar(edges, counts, width=0.92 / bins, align="edge", color=fill)
    ticks = [(float(power), _power(power)) for power in _powers(low, high)]
    beside = (high - low) / 24 + 0.2
    for count, end, text, colour in ((none, low - beside, "0", "data"), (infinite, high + beside, "∞", "beyond")):
        if count:
            axes.bar([end], [count], width=beside * 0.75, color=colours[colour])
            ticks.append((end, text))
    axes.set_xticks(*map(list, zip(*ticks, strict=True)))
    axes.axvline(0.0, color=colours["ink"], linewidth=1.2, linestyle=(0, (4, 2)))
    axes.annotate(
        "1: all that rounding explains" if high <= 2 else "1",
        (0.0, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if high <= 2 else 4, 1),
        textcoords="offset points",
        ha="right" if high <= 2 else "left",
        va="bottom",
        color=colours["ink"],
        fontsize=8,
    )
    axes.set_xlabel("error / bound of a quantity, at its worst entry")
    axes.set_ylabel("quantities")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def _growth(spreads: Mapping[int, Spread], axis: str, colours: Mapping[str, str]) -> Figure:
    figure, axes = _figure(5.4, 3.1, colours)
    numbers = sorted(spreads)
    quantiles = {share: [spreads[number].quantile(share) for number in numbers] for share in (0.25, 0.5, 0.75)}
    worst = [spreads[number].worst for number in numbers]
    low, high = _span([*quantiles[0.25], *quantiles[0.5], *worst])

    def at(ratios: Sequence[float]) -> list[float]:
        return [low if not ratio else min(max(math.log10(ratio), low), high) for ratio in ratios]

    marked = len(numbers) <= 40
    lower, upper = at(quantiles[0.25]), at(quantiles[0.75])
    axes.fill_between(numbers, lower, upper, color=colours["band"], linewidth=0, label="middle half")
    middle = at(quantiles[0.5])
    axes.plot(numbers, middle, color=colours["data"], marker="o" if marked else "", markersize=4, label="median")
    axes.plot(
        numbers, at(worst), color=colours["beyond"], marker="^" if marked else "", markersize=5, linewidth=1.0,
        linestyle=(0, (1, 1.5)), label="worst",
    )  # fmt: skip
    axes.axhline(0.0, color=colours["ink"], linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set_ylim(low - 0.2, high + 0.2)
    powers = _powers(low, high)
    axes.set_yticks(powers, [_power(power) for power in powers])
    if len(numbers) <= 12:
        axes.set_xticks(numbers)
    axes.set_xlabel(axis)
    axes.set_ylabel("error / bound")
    figure.legend(loc="outside lower left", ncols=3, fontsize=8, labelcolor=colours["ink"])
    return figure


def _span(ratios: Iterable[float]) -> tuple[int, int]:
    """The powers of ten between which finite numbers lie, with 1 inside."""
    found = [ratio for ratio in ratios if 0.0 < ratio < math.inf] or [1.0]
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    return max(min(low, -1), _DECADES[0]), min(max(high, 1), _DECADES[1])


def _powers(low: int, high: int) -> list[int]:
    """The powers of ten that an axis names: 1 is among them, and no more than fit."""
    stride = max(1, math.ceil((high - low) / 8))
    return [power for power in range(low, high + 1) if power % stride == 0]


def _power(power: int) -> str:
    return "1" if power == 0 else f"10{str(power).translate(_SUPERSCRIPTS)}"


def _short(ratio: float) -> str:
    return "∞" if ratio == math.inf else f"{ratio:.2g}"


def _coverage_words(measures: Measures) -> str:
    activations, losses = _names(measures)
    worst, pair = max(measures.pairs.items(), key=lambda item: (item[1].worst, item[0]))
    beyond = sum(each.worst > STEPS[-1] for each in measures.pairs.values())
    told = f"{beyond:,} of them beyond the bound" if beyond else "none of them beyond the bound"
    met = sum(bool(pair.cases) for pair in measures.pairs.values())
    possible = f"{met:,} of {len(measures.pairs):,} pairs that there can be were met"
    return (
        f"Heatmap of activations ({len(activations)}) by losses ({len(losses)}): {possible}, "
        f"{told}; the worst is {worst[0]} with {worst[1]}, error / bound {_short(pair.worst)}."
    )


def _histogram_words(spread: Spread) -> str:
    beyond = sum(count for ratio, count in spread.ratios.items() if ratio > 1.0)
    return (
        f"Histogram of error / bound on a logarithmic axis: {spread.count:,} quantities, median "
        f"{_short(spread.quantile(0.5))}, worst {_short(spread.worst)}; {beyond:,} lie beyond 1."
    )


def _growth_words(axis: str, spreads: Mapping[int, Spread]) -> str:
    first, last = min(spreads), max(spreads)
    return (
        f"Median, middle half and worst of error / bound by {axis}: the median is "
        f"{_short(spreads[first].quantile(0.5))} at {first} and {_short(spreads[last].quantile(0.5))} at {last}, "
        f"the worst of all {_short(max(spread.worst for spread in spreads.values()))}."
    )


def _rounded(tag: re.Match[str]) -> str:
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag[0])


def _svg(figure: Figure, name: str, words: str, titles: Sequence[str]) -> str:
    """The figure as an element of a page: ids of its own, colours by name, the page's fonts, a text alternative."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = held.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style.*?</style>", "", text, flags=re.DOTALL)
    size = re.search(r'viewBox="0 0 ([\d.]+) ', text)
    width = "" if size is None else f' style="max-width:{1.45 * float(size[1]):.0f}px"'
    head = f'<svg role="img" aria-label="{escape(words)}" class="plot"{width} viewBox'
    text = re.sub(r"<svg.*?viewBox", lambda _: head, text, count=1, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?viewBox="[^"]*")[^>]*>', r"\1>", text, count=1)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    if titles:
        before, cells, rest = text.partition(f'<g id="{name}-cells">')
        inside, end, after = rest.partition("</g>")
        left = iter(titles)
        inside = re.sub(r"(<path[^>]*)/>", lambda cell: f"{cell[1]}><title>{escape(next(left))}</title></path>", inside)
        text = f"{before}{cells}{inside}{end}{after}"
    # Without the fonts that were measured with, the page has its own; and a hundredth of a point is as fine as it gets.
    text = re.sub(r" font-family: [^;\"]+;", "", text)
    text = re.sub(r"<path[^>]*>|<text[^>]*>|<use[^>]*>", _rounded, text)
    for colour, (stands, _) in _COLOURS.items():
        text = text.replace(stands, f"var(--{colour})")
    text = re.sub(r"\n(?=[LQCz\"])", "", text)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
