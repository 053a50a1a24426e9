"""Where the rows of a run go while it is under way: into memory, into files, both, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.campaign import limits, pairs
from backproof.campaign.journal import Journal
from backproof.campaign.shards import Shard
from backproof.outcome import Report
from backproof.publishing.publication import complete, publish
from backproof.publishing.reach import charged

if TYPE_CHECKING:
    import pyarrow as pa

    from backproof.reports.files import TableWriter


class Archive:
    """Collects the rows of shards, in their order, and then the report."""

    def __init__(
        self,
        *,
        keep: bool,
        place: Path | None = None,
        fresh: Path | None = None,
        writers: Mapping[str, TableWriter] = {},
    ) -> None:
        self._place, self._fresh, self._writers = place, fresh, writers
        self._kept: dict[str, list[pa.Table]] | None = {"checks": [], "discrepancies": []} if keep else None

    @property
    def wants_rows(self) -> bool:
        """Whether anybody will see the rows of single checks."""
        return self._fresh is not None or self._kept is not None

    def add(self, shard: Shard) -> None:
        """Take the rows of the next shard."""
        for name, part in (("checks", shard.checks), ("discrepancies", shard.discrepancies)):
            if part is not None and name in self._writers:
                self._writers[name].write(part)
            if part is not None and self._kept is not None:
                self._kept[name].append(part)

    def finish(self, report: Report, command: Mapping[str, Any]) -> Report:
        """The report with its tables; what is not in its directory yet is written there."""
        if not self.wants_rows:
            return report
        import pyarrow as pa

        from backproof.reports.tables import schema, table

        tables = {
            "strata": table("strata", list(report.tally.rows())),
            "pairs": table("pairs", list(pairs.rows(report.domain, report.tally.pairs))),
            "scaling": table("scaling", report.scaling),
        }
        if report.left_out:
            tables["sorts"] = table("sorts", list(limits.rows(report.tally)))
        if report.groups and report.hints != "none":
            tables["groups"] = table("groups", [group.row(report.hints) for group in report.groups])
        if report.findings is not None:
            tables["equations"] = table("equations", list(report.findings.rows(report.hints)))
        if report.certificate is not None:
            tables["accuracy"] = table("accuracy", list(report.certificate.rows()))
        for name, parts in (self._kept or {}).items():
            tables[name] = pa.concat_tables([schema(name).empty_table(), *parts])
            if "equations" in tables:
                tables[name] = charged(tables[name], tables["equations"])
        report = replace(report, tables=tables)
        if self._fresh is not None:
            publish(self._fresh, report, command)
        return replace(report, directory=self._place)


@contextmanager
def open_archive(place: Path | None, *, keep: bool, journal: Journal | None = None) -> Iterator[Archive]:
    """An archive that writes to `place`, a directory that is replaced when the block ends well.  Raises ReportError.

    journal: it notes what is written meanwhile, so that what a killed run leaves behind is removed.
    """
    if place is None:
        yield Archive(keep=keep)
        return
    from backproof.reports.files import TableWriter, report_directory

    with report_directory(place) as fresh:
        if journal is not None:
            journal.begin(fresh)
        with TableWriter(fresh, "checks") as checks, TableWriter(fresh, "discrepancies") as discrepancies:
            writers = {"checks": checks, "discrepancies": discrepancies}
            yield Archive(keep=keep, place=place, fresh=fresh, writers=writers)
        complete(fresh)
