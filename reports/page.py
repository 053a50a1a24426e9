"""index.html: a run on one page, made from the files of its report directory alone.

It needs no network and, but for sorting and filtering, no script. Whatever stands in the files is text on the page:
names and messages come from other people's code.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from pyarrow import compute

from backproof.reports.baselines import VERDICTS
from backproof.reports.columns import TABLES
from backproof.reports.measures import COMPARED, WORST_ROWS, Measures, fails, measured
from backproof.reports.plots import Plot, plots
from backproof.reports.views import View, digits, named, pairs_view, spreads_view, view

if TYPE_CHECKING:
    from backproof.reports.reading import Run, Screen

PAGE: Final = "index.html"

SHOWN: Final = 500
"""How many discrepancies the page shows; all of them are in their own files."""

_TEMPLATES: Final = Path(__file__).with_name("templates")

_MARKS: Final = {"agrees": "✓", "disagrees": "✗", "cannot_run": "!"}
_LOOKS: Final = {"Where": "where", "Yours": "formula yours", "Right": "formula right", "By hand": "formula",
                 "Look for": "formula", "Again": "formula", "Learn": "formula"}  # fmt: skip
_ROW: Final = ("quantity", "verdict", "error_over_bound", "max_abs_error", "bound", "worst_index", "candidate_value",
               "reference_value", "exact_value", "equation", "diagnosis", "note", "case")  # fmt: skip
_STRATUM: Final = ("name", "stratum", "reduction", "dtype", "cases", "quantities", "disagreements",
                   "worst_error_over_bound", "median_error_over_bound", "undecided", "kinks", "worst_case")  # fmt: skip
_SCALING: Final = ("loss", "compared", "batch_size", "outputs", "divisor", "expected", "loss_ratio", "gradient_ratio",
                   "verdict", "case")  # fmt: skip
_EQUATION: Final = ("equation", "status", "position", "fault", "used", "wanted", "condition", "also_fits")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page; wide: its first plot may be wider than a phone. The first has a row of its own."""

    id: str
    heading: str
    words: str = ""
    plots: tuple[Plot, ...] = ()
    tables: tuple[View, ...] = ()
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number that is seen first."""

    label: str
    text: str
    value: str
    bad: bool = False


def page(run: Run, measures: Measures | None = None) -> str:
    """The page of a run.  measures: of its table `checks`, where they are at hand."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    if measures is None:
        measures = measured(run.batches("checks"), run.table("pairs"))
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    # The only texts that are not escaped: our own files, and drawings whose every word was escaped when they were made.
    style, script = (Markup((_TEMPLATES / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))  # noqa: S704
    sections = list(_sections(run, measures))
    facts = any(screen.facts for screen in run.screens)
    contents = [("wrong", "What is wrong")] * any(screen.card for screen in run.screens)
    contents += [("facts", "What was compared")] * facts
    contents += [(section.id, section.heading) for section in sections]
    contents += [("environment", "Environment"), ("files", "Files")]
    made: str = environment.get_template("page.html").render(
        title=_title(run),
        policy=_policy(str(script)),
        style=style,
        script=script,
        screens=[_screen(screen) for screen in run.screens],
        notes=run.notes,
        told=run.told,
        tiles=list(_tiles(run, measures)),
        contents=contents,
        smallest=run.smallest,
        facts=facts,
        sections=[_drawn(section) for section in sections],
        environment=list(_environment(run.environment)),
        files=list(_files(run)),
    )
    return made


def _policy(script: str) -> str:
    """Nothing is fetched, nothing is sent, and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _title(run: Run) -> str:
    word = str(run.verdict.get("verdict", "")).replace("_", " ")
    return f"{': '.join(filter(None, (run.candidate, word)))} – Backproof"


def _drawn(section: Section) -> dict[str, Any]:
    from markupsafe import Markup

    shown = [{**vars(each), "svg": Markup(each.svg)} for each in section.plots]  # noqa: S704
    return {**vars(section), "plots": shown}


def _screen(screen: Screen) -> dict[str, Any]:
    tone = screen.tone if screen.tone in _MARKS else "plain"
    return {
        "candidate": screen.candidate,
        "word": screen.word,
        "headline": screen.headline,
        "head": screen.head.removeprefix(screen.candidate).strip().replace("   ", " · "),
        "tone": tone,
        "mark": _MARKS.get(tone, ""),
        "card": _gathered(screen.card),
        "facts": _gathered(screen.facts),
    }


def _gathered(lines: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    """Labels with all of their lines: one without a label goes on with the one before."""
    found: list[dict[str, str]] = []
    for label, text in lines:
        if label or not found:
            found.append({"label": label, "text": text, "look": _LOOKS.get(label, "")})
        elif text:
            found[-1]["text"] += f"\n{text}"
    return [line for line in found if line["text"]]


def _tiles(run: Run, measures: Measures) -> Iterator[Tile]:
    """What is seen first: about all networks of the run, also where `checks` has the rows of the first ones alone."""
    if "checks" not in run.tables:
        return
    verdicts = {word: count for word, count in run.verdict.get("verdicts", {}).items() if isinstance(count, int)}
    counts = [("networks", run.cases, False)]
    if measures.cases == run.cases:
        counts.append(("wrong networks", measures.wrong_cases, bool(measures.wrong_cases)))
    failing = sum(count for word, count in verdicts.items() if fails(word))
    counts += [
        ("quantities", sum(verdicts.get(word, 0) for word in COMPARED), False),
        ("wrong quantities", failing, bool(failing)),
        ("undecided", verdicts.get("undecided", 0), False),
    ]
    for label, count, bad in counts:
        yield Tile(label=label, text=f"{count:,}", value=str(count), bad=bad)
    worst = compute.max(run.table("strata")["worst_error_over_bound"]).as_py()
    if worst is not None:
        yield Tile(label="worst error / bound", text=digits(worst), value=repr(worst), bad=worst > 1)


def _part(run: Run, measures: Measures) -> str:
    """Of how many networks the rows are, where these are not all."""
    if measures.cases >= run.cases:
        return ""
    return f"Of the first {measures.cases:,} of {run.cases:,} networks, whose rows are in checks. "


def _sections(run: Run, measures: Measures) -> Iterator[Section]:
    drawn = {plot.name: plot for plot in plots(measures)}
    part = _part(run, measures)
    if "equations" in run.tables:
        yield Section(
            id="equations",
            heading="Equations",
            words="Each equation of backpropagation, tested on the candidate's own numbers.",
            tables=(_whole(run, "equations", _EQUATION, "What holds, and what does not"),),
        )
    if "coverage" in drawn:
        yield Section(
            id="coverage",
            heading="Coverage",
            words="Which activations met which losses, and how near the worst error came to what rounding explains. "
            + (f"Errors: {part[0].lower()}{part[1:]}".strip() if part else ""),
            plots=(drawn["coverage"],),
            tables=(pairs_view(measures),),
            wide=len(measures.pairs) > 60,
        )
    if "errors" in drawn:
        tables = (("layers", measures.by_depth, "by-depth"), ("samples", measures.by_batch_size, "by-batch-size"))
        yield Section(
            id="accuracy",
            heading="Accuracy",
            words=f"{part}error / bound: how much of what rounding alone can explain a quantity needs. Beyond 1 it is "
            "wrong.",
            plots=tuple(drawn[name] for name in ("errors", "depth", "batch_size")),
            tables=tuple(spreads_view(what, spreads, mark=mark) for what, spreads, mark in tables),
        )
    if "accuracy" in run.tables:
        columns = TABLES["accuracy"].names
        caption = "True errors, measured by exact arithmetic"
        yield Section(id="certificate", heading="Certificate", tables=(_whole(run, "accuracy", columns, caption),))
    if "scaling" in run.tables and run.table("scaling").num_rows:
        yield Section(
            id="scaling",
            heading="What sum, mean and batchmean divide by",
            words="Two answers to the same arrays: the ratio that the definition gives, and the one that was observed.",
            tables=(_whole(run, "scaling", _SCALING, "Expected and observed ratios"),),
        )
    if measures.judged:
        yield Section(id="worst", heading="Worst rows", words=part.strip(), tables=(_worst(measures),))
    if "discrepancies" in run.tables:
        yield _discrepancies(run)
    if "strata" in run.tables and run.table("strata").num_rows:
        yield Section(
            id="strata",
            heading="Strata",
            words="Where coverage and accuracy are counted: activations, in any layer, and losses by reduction.",
            tables=(_whole(run, "strata", _STRATUM, "Coverage and accuracy by stratum"),),
        )
    for name, heading in _OTHERS:
        if name in run.tables:
            row = TABLES[name].row
            caption = f"One row: {row}"
            yield Section(id=name, heading=heading, tables=(_whole(run, name, TABLES[name].names, caption),))


def _whole(run: Run, name: str, columns: tuple[str, ...], caption: str) -> View:
    return view(run.table(name), name, columns, mark=f"table-{name}", caption=caption)


def _worst(measures: Measures) -> View:
    caption = f"The {WORST_ROWS} largest error / bound of all"
    return view(named(measures.worst), "checks", _ROW, mark="table-worst", caption=caption)


def _discrepancies(run: Run) -> Section:
    """What does not agree: what fails first, then the rest, each in the order of the run, up to SHOWN rows."""
    kept: tuple[list[pa.Table], list[pa.Table]] = ([], [])
    total = 0
    for batch in run.batches("discrepancies"):
        part = pa.Table.from_batches([batch])
        total += part.num_rows
        passes = compute.is_in(part["verdict"], pa.array(VERDICTS))
        for rows, mask in zip(kept, (compute.invert(passes), passes), strict=True):
            rows.append(part.filter(mask).slice(0, max(0, SHOWN - sum(each.num_rows for each in rows))))
    if not total:
        words = "None: every quantity that could be compared agrees."
        return Section(id="discrepancies", heading="Discrepancies", words=words)
    shown = pa.concat_tables([*kept[0], *kept[1]]).slice(0, SHOWN)
    left = total - shown.num_rows
    rest = f"{left:,} more are not shown here: all {total:,} are in discrepancies.csv and discrepancies.parquet."
    found = view(
        named(shown), "discrepancies", _ROW, mark="table-discrepancies", after=rest if left else "",
        caption=f"{shown.num_rows:,} of {total:,} quantities that do not agree, those that fail first",
    )  # fmt: skip
    return Section(id="discrepancies", heading="Discrepancies", tables=(found,))


def _environment(environment: Any) -> Iterator[tuple[str, str]]:
    """What the run depends on, in a fixed order: first how to repeat it."""
    first = ("command", "cases", "seed", "domain")
    for name in (*first, *sorted(set(environment) - set(first))):
        found = environment.get(name)
        if isinstance(found, dict):
            parts = (f"{key} {value}" for key, value in sorted(found.items()) if value is not None)
            found = ", ".join(parts)
        if found is not None and found != "":
            yield name, found if isinstance(found, str) else json.dumps(found)


_OTHERS: Final = (
    ("groups", "Failing networks by mistake"),
    ("sorts", "Discrepancies by kind"),
    ("faults", "Planted faults"),
    ("power", "What is found"),
    ("tightness", "Figures of the bounds"),
)

_FILES: Final = {
    "summary.md": "this page in short, for the page of a job",
    "junit.xml": "a test for each stratum, as servers read it",
    "verdict.json": "what --json prints",
    "screen.json": "what a terminal showed",
    "environment.json": "what the run depends on",
    "smallest.py": "the smallest network that shows the mistake",
    "columns.md": "what every column of every table means",
}


def _files(run: Run) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in run.tables:
        yield (f"{name}.csv", f"{name}.parquet"), f"one row: {TABLES[name].row}"
    for name, meaning in _FILES.items():
        # summary.md and junit.xml are made with this page.
        made = name in {"summary.md", "junit.xml"} and "checks" in run.tables
        if made or (run.directory / name).is_file():
            yield (name,), meaning
