"""Two runs held against each other: what became better, what became worse, and what only changed.

Verdicts are compared quantity by quantity where both runs have the same networks, strata and kinds of quantities as a
whole. An error counts as another one where it leaves what a baseline would have allowed: less than that is chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, isnan
from typing import Any, Final, Literal

import pyarrow as pa
from pyarrow import compute

from backproof.reports import ReportError
from backproof.reports.baselines import VERDICTS, allowed
from backproof.reports.measures import fails
from backproof.reports.reading import Run
from backproof.reports.tables import cell, schema

Way = Literal["worse", "better", "changed"]

SCHEMA: Final = 1

_WORDS: Final = ("agrees", "disagrees", "cannot_run")
_STATUS: Final = ("holds", "not_tested", "broken")
_KEYS: Final = ("who", "case", "quantity", "layer")
_EXAMPLES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs. what: "verdict", "equation", "diagnosis", "quantity", "stratum" or "scaling"."""

    way: Way
    what: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs, the earlier one first. shared, gone, new: networks in both, and in one alone.

    notes: in what the runs differ besides, by which their results may.
    """

    before: Run
    after: Run
    changes: tuple[Change, ...]
    shared: int
    gone: tuple[str, ...]
    new: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where nothing is worse, 1 where something is."""
        return 1 if self.of("worse") else 0

    def of(self, way: Way) -> tuple[Change, ...]:
        """The changes for the worse, for the better, or neither."""
        return tuple(change for change in self.changes if change.way == way)

    @property
    def headline(self) -> str:
        """The result in a line."""
        worse, better = len(self.of("worse")), len(self.of("better"))
        if worse:
            return f"WORSE: {worse} for the worse, {better} for the better"
        return f"BETTER: {better} for the better, none for the worse" if better else "NOTHING WORSE, nothing better"

    def lines(self) -> Iterator[tuple[str, str]]:
        """(label, text) of what is to be known beside the changes."""
        for label, run in (("Before", self.before), ("After", self.after)):
            networks = f"{run.verdict.get('cases', 0):,} networks"
            yield label, f"{run.directory}: {run.candidate}, {networks}, {run.verdict.get('verdict')}"
        for label, cases, where in (("Gone", self.gone, "before"), ("New", self.new, "after")):
            if cases:
                few = ", ".join(cases[:_EXAMPLES]) + (", ..." if len(cases) > _EXAMPLES else "")
                yield label, f"{len(cases):,} networks are in the run {where} alone, {self.shared:,} in both: {few}"
        for note in self.notes:
            yield "Noted", note

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "schema": SCHEMA,
            "before": str(self.before.directory),
            "after": str(self.after.directory),
            "worse": len(self.of("worse")),
            "better": len(self.of("better")),
            "changes": [vars(change) for change in self.changes],
            "cases": {"shared": self.shared, "gone": list(self.gone), "new": list(self.new)},
            "notes": list(self.notes),
        }

    def markdown(self) -> str:
        """For the page of a job."""
        parts = [f"## Backproof: {self.headline}"]
        parts.append("\n".join(f"- {label}: {cell(text)}" for label, text in self.lines()))
        if self.changes:
            names = ("way", "what", "name", "before", "after")
            rows = (f"| {' | '.join(cell(getattr(change, name)) for name in names)} |" for change in self.changes)
            parts.append("\n".join(["| | what | which | before | after |", "|---|---|---|---|---|", *rows]))
        return "\n\n".join(parts) + "\n"


def compared(before: Run, after: Run) -> Comparison:
    """Two runs of `backproof check`.  Raises ReportError where one cannot be read, or is of another command."""
    for run in (before, after):
        if "checks" not in run.tables:
            raise ReportError(f"{run.directory} has no checks to compare: name two runs of `backproof check --report`")
    rows = [_checks(run) for run in (before, after)]
    if set(rows[0]["who"].unique().to_pylist()) != set(rows[1]["who"].unique().to_pylist()):
        rows = [_anonymous(each) for each in rows]
    cases = [dict.fromkeys(each["case"].unique().to_pylist()) for each in rows]
    changes = [
        *_verdict(before, after),
        *_equations(before, after),
        *_quantities(*map(_worst_of_each, rows)),
        *_errors(*rows),
        *_strata(before, after),
        *_scaling(before, after),
    ]
    order = ("worse", "better", "changed")
    return Comparison(
        before=before,
        after=after,
        changes=tuple(sorted(changes, key=lambda change: order.index(change.way))),
        shared=len(cases[0].keys() & cases[1].keys()),
        gone=tuple(case for case in cases[0] if case not in cases[1]),
        new=tuple(case for case in cases[1] if case not in cases[0]),
        notes=tuple(_notes(before, after)),
    )


def _verdict(before: Run, after: Run) -> Iterator[Change]:
    one, other = (str(run.verdict.get("verdict")) for run in (before, after))
    yield from _ranked("verdict", "the whole run", one, other, _WORDS)


def _equations(before: Run, after: Run) -> Iterator[Change]:
    one, other = (run.verdict.get("equations") or {} for run in (before, after))
    for name in one:
        if name in other:
            yield from _ranked("equation", name, one[name], other[name], _STATUS)
    one, other = (dict.fromkeys(_diagnoses(run)) for run in (before, after))
    for name in one:
        if name not in other:
            yield Change(way="better", what="diagnosis", name=name, before="found", after="gone")
    for name in other:
        if name not in one:
            yield Change(way="worse", what="diagnosis", name=name, before="not found", after="found")


def _diagnoses(run: Run) -> Iterator[str]:
    for row in run.table("equations").to_pylist():
        if row["status"] == "broken" and row["position"]:
            yield f"{row['equation']}, {row['position']}: {row['fault'] or 'without a name'}"


def _ranked(what: str, name: str, before: str, after: str, order: tuple[str, ...]) -> Iterator[Change]:
    """A change from one word to another, in an order from good to bad; a word that is not in it is the worst."""
    if before != after:
        one, other = (order.index(word) if word in order else len(order) for word in (before, after))
        way: Way = "worse" if other > one else "better" if other < one else "changed"
        if (before, after) == ("broken", "not_tested"):
            way = "changed"
        yield Change(way=way, what=what, name=name, before=before, after=after)


def _checks(run: Run) -> pa.Table:
    """What is compared of the rows of a run."""
    names = ("case", "candidate", "quantity", "layer", "verdict", "error_over_bound")
    parts = [pa.Table.from_batches([batch]).select(list(names)) for batch in run.batches("checks")]
    fields = [schema("checks").field(name) for name in names]
    found = pa.concat_tables([pa.schema(fields).empty_table(), *parts]).combine_chunks()
    found = found.set_column(3, "layer", compute.fill_null(found["layer"], 0))  # nothing is equal to a null
    return found.rename_columns(["case", "who", *names[2:]])


def _anonymous(rows: pa.Table) -> pa.Table:
    """Two implementations are compared, whatever they are called."""
    return rows.set_column(rows.schema.get_field_index("who"), "who", pa.array([""] * rows.num_rows, pa.string()))


def _worst_of_each(rows: pa.Table) -> pa.Table:
    """The worst word of each quantity, as its place among all words: what was checked twice may have two."""
    words = _words(rows)
    codes = compute.index_in(rows["verdict"], pa.array(words))
    sums = rows.select(list(_KEYS)).append_column("code", codes).group_by(list(_KEYS)).aggregate([("code", "max")])
    named = compute.take(pa.array(words), sums["code_max"])
    return sums.drop_columns(["code_max"]).append_column("verdict", named)


def _words(rows: pa.Table) -> list[str]:
    """All verdicts, the good ones first."""
    return [*VERDICTS, *sorted(word for word in rows["verdict"].unique().to_pylist() if fails(word))]


def _quantities(before: pa.Table, after: pa.Table) -> Iterator[Change]:
    """Quantities of networks in both runs that have another verdict, sorted by what they were and are."""
    both = before.join(after, keys=list(_KEYS), join_type="inner", right_suffix="_after")
    other = both.filter(compute.not_equal(both["verdict"], both["verdict_after"]))
    kinds = ["quantity", "verdict", "verdict_after"]
    sums = other.group_by(kinds).aggregate([("case", "count"), ("case", "min")])
    for row in sums.sort_by([(kind, "ascending") for kind in kinds]).to_pylist():
        count = f"{row['case_count']:,} times, as in {row['case_min']}"
        yield from _ranked("quantity", f"{row['quantity']}, {count}", row["verdict"], row["verdict_after"], VERDICTS)


def _errors(before: pa.Table, after: pa.Table) -> Iterator[Change]:
    """The worst error / bound of each kind of quantity."""
    one, other = _largest(before), _largest(after)
    for quantity in one:
        if quantity in other:
            yield from _error("quantity", quantity, one[quantity], other[quantity])


def _largest(rows: pa.Table) -> Mapping[str, float]:
    """Of those that agree or fail."""
    judged = rows.filter(compute.invert(compute.is_in(rows["verdict"], pa.array(VERDICTS[1:]))))
    found: dict[str, float] = {}
    for row in judged.group_by("quantity").aggregate([("error_over_bound", "max")]).sort_by("quantity").to_pylist():
        if row["error_over_bound_max"] is not None:
            found[row["quantity"]] = row["error_over_bound_max"]
    return found


def _error(what: str, name: str, before: float | None, after: float | None) -> Iterator[Change]:
    """A worst error / bound that is beyond what a baseline allows of the other one."""
    if before is None or after is None:
        return
    one, other = (inf if isnan(ratio) else ratio for ratio in (before, after))
    if max(one, other) > 1.0 and min(one, other) > 1.0:
        return  # both are wrong: by how much, the verdicts do not care
    way: Way | None = "worse" if other > allowed(one) else "better" if one > allowed(other) else None
    if way is not None:
        texts = (f"error / bound {ratio:.3g}" for ratio in (before, after))
        yield Change(way=way, what=what, name=name, before=next(texts), after=next(texts))


def _strata(before: Run, after: Run) -> Iterator[Change]:
    key = ("stratum", "name", "reduction", "dtype")
    one, other = (
        {tuple(row[part] or "" for part in key): row for row in run.table("strata").to_pylist()}
        for run in (before, after)
    )
    for name in dict.fromkeys((*one, *other)):
        yield from _stratum(" ".join(filter(None, name)), one.get(name), other.get(name))


def _stratum(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Change]:
    decided = [0 if row is None else row["quantities"] for row in (before, after)]
    if before is None or after is None or not all(decided):
        if any(decided):
            texts = [f"{count:,} quantities" if count else "not covered" for count in decided]
            yield Change(
                way="worse" if decided[0] else "better", what="stratum", name=name, before=texts[0], after=texts[1]
            )
        return
    for count, words in (("disagreements", "disagree"), ("undecided", "are undecided")):
        parts = before[count], after[count]
        totals = [row["quantities"] + (count == "undecided") * row["undecided"] for row in (before, after)]
        # As products, which no rounding makes unequal.
        one, other = parts[0] * totals[1], parts[1] * totals[0]
        if one != other:
            texts = [f"{part:,} of {total:,} {words}" for part, total in zip(parts, totals, strict=True)]
            yield Change(
                way="worse" if other > one else "better", what="stratum", name=name, before=texts[0], after=texts[1]
            )
    yield from _error("stratum", name, before["worst_error_over_bound"], after["worst_error_over_bound"])


def _scaling(before: Run, after: Run) -> Iterator[Change]:
    one, other = (
        {(row["loss"], row["compared"]): row["verdict"] for row in run.table("scaling").to_pylist()}
        for run in (before, after)
    )
    for key in one:
        if key in other:
            order = ("agree", "undecided", "unsupported")
            yield from _ranked("scaling", f"{key[0]}, {key[1]}", one[key], other[key], order)


def _notes(before: Run, after: Run) -> Iterator[str]:
    """What else is not the same."""
    if before.candidate != after.candidate:
        yield f"two candidates are compared: {before.candidate} and {after.candidate}"
    said = [(name, *(run.verdict.get(name) for run in (before, after))) for name in ("seed", "torch")]
    said.append(("domain", *(run.environment.get("domain") for run in (before, after))))
    packages = [run.environment.get("packages") or {} for run in (before, after)]
    said += [(name, each, packages[1].get(name)) for name, each in packages[0].items() if name != "torch"]
    for name, *both in said:
        if both[0] != both[1]:
            one, other = ("none" if each is None else each for each in both)
            yield f"{name} {one} before, {other} after"
