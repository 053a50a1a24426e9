"""Which broken equation can make which quantity wrong: what the diagnosis found, beside the rows that fail.

The diagnosis speaks of a candidate, not of a row. A row gets the equations whose mistakes reach its quantity in its
layer; that no other reason adds to it is not said.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backproof.judging.verdicts import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

_GRADIENTS: Final = ("delta", "bias", "weight", "input")
_ALL: Final = ("loss", *_GRADIENTS, "call")

REACH: Final[Mapping[str, tuple[str, ...]]] = {
    "BP0": _ALL,
    "loss": ("loss",),
    "BP1": _GRADIENTS,
    "BP2": _GRADIENTS,
    "BP3": ("bias",),
    "BP4": ("weight",),
    "batch": ("bias", "weight"),
    "scale": _GRADIENTS,
    "penalty": ("loss", "bias", "weight"),
    "state": _ALL,
    "step": ("bias", "weight"),
    "numerics": _ALL,
    "shape": _ALL,
}
"""Equation -> the quantities that are computed from what it says. A wrong delta flows into everything below it."""

_OWN_LAYER: Final = ("BP3", "BP4")
"""Equations whose mistakes stay in the layer where they are made."""


def charged(rows: pa.Table, equations: pa.Table) -> pa.Table:
    """The table `checks` or `discrepancies` with its columns `equation` and `diagnosis`, from the table `equations`."""
    import pyarrow as pa

    # An equation without a place is broken by a mistake that stands there under the equation where it was made.
    broken = [row for row in equations.to_pylist() if row["status"] == "broken" and row["position"]]
    if not broken or not rows.num_rows:
        return rows
    known: dict[tuple[Any, ...], tuple[str | None, str | None]] = {}
    found: list[tuple[str | None, str | None]] = []
    for key in zip(*(rows[name].to_pylist() for name in ("verdict", "quantity", "position")), strict=True):
        if key not in known:
            known[key] = _of(broken, *key[1:]) if Verdict(key[0]).fails else (None, None)
        found.append(known[key])
    for name, values in zip(("equation", "diagnosis"), zip(*found, strict=True), strict=True):
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values, pa.string()))
    return rows


def charge(directory: Path) -> None:
    """Fill in these columns of the tables in a report directory, part by part; nothing where nothing is broken."""
    from pyarrow import parquet

    place = directory / "equations.parquet"
    equations = parquet.read_table(place) if place.is_file() else None
    if equations is None or "broken" not in equations["status"].to_pylist():
        return
    import pyarrow as pa

    from backproof.reports.files import TableWriter
    from backproof.reports.tables import parts

    with tempfile.TemporaryDirectory(dir=directory) as folder:
        for name in ("checks", "discrepancies"):
            with TableWriter(Path(folder), name) as writer:
                for part in parts(directory / f"{name}.parquet"):
                    writer.write(charged(pa.Table.from_batches([part]), equations))
            for written in sorted(Path(folder).iterdir()):
                shutil.move(written, directory / written.name)


def _of(broken: list[dict[str, Any]], quantity: str, position: str) -> tuple[str | None, str | None]:
    """The equations that reach a quantity, and the mistakes in them."""
    reaching = [row for row in broken if _reaches(row, quantity, position)]
    names = dict.fromkeys(row["equation"] for row in reaching)
    faults = dict.fromkeys(row["fault"] for row in reaching if row["fault"])
    return " + ".join(names) or None, " + ".join(faults) or None


def _reaches(row: Mapping[str, Any], quantity: str, position: str) -> bool:
    if quantity not in REACH.get(row["equation"], _ALL):
        return False
    where = row["position"]
    if row["equation"] in _OWN_LAYER and where in ("output", "hidden", "first"):
        return bool(where == position)
    if row["equation"] == "BP2":
        # BP2 makes the deltas below the output's; that of the first layer comes last, and the input gradient after it.
        return position != "output" and (where != "first" or position in ("first", ""))
    return True
