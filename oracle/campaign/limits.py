"""How many rows a run keeps, so that a run of any size fits on a disk, and nothing is left out without a word.

`checks` has the rows of the first ROWS networks (`--rows`), in whole shards. `discrepancies` has those of the whole
run, but of each sort (verdict, quantity, position and loss) only of the first ENOUGH networks that have one: the rest
say the same again. The counts, and all that is computed from them, are always of the whole run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backproof.campaign.tally import Sort, Tally
from backproof.reports.columns import ENOUGH

if TYPE_CHECKING:
    import pyarrow as pa


def full(tally: Tally) -> frozenset[Sort]:
    """The sorts of which there are enough discrepancies already."""
    return frozenset(sort for sort, cases in tally.sorts.items() if cases >= ENOUGH)


def within_limits(rows: pa.Table, before: Tally, shard: Tally) -> pa.Table:
    """A shard's discrepancies, less those of sorts of which the shards before it have had enough."""
    over = {sort for sort, cases in shard.sorts.items() if before.sorts[sort] + cases > ENOUGH}
    if not over:
        return rows
    import pyarrow as pa

    met = Counter({sort: before.sorts[sort] for sort in over})
    last: dict[Sort, str] = {}
    kept = []
    columns = (rows[name].to_pylist() for name in ("case", "verdict", "quantity", "position", "loss"))
    for case, verdict, quantity, position, loss in zip(*columns, strict=True):
        sort = verdict, quantity, position, loss.partition("=")[0]
        if sort in over and last.get(sort) != case:
            last[sort] = case
            met[sort] += 1
        kept.append(sort not in over or met[sort] <= ENOUGH)
    return rows.filter(pa.array(kept))


def left_out(tally: Tally) -> Counter[Sort]:
    """Sort -> networks whose discrepancies of that sort are not in the table."""
    return Counter({sort: cases - ENOUGH for sort, cases in tally.sorts.items() if cases > ENOUGH})


def rows(tally: Tally) -> Iterator[tuple[str | int | None, ...]]:
    """The table `sorts`: every sort, how many networks have such a discrepancy, and how many of them are left out."""
    for sort in sorted(tally.sorts):
        verdict, quantity, position, loss = sort
        cases = tally.sorts[sort]
        yield verdict, quantity, position or None, loss, cases, max(0, cases - ENOUGH)
