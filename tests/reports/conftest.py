"""Report directories to read: written row by row, so that a test knows every number in them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from backproof.reports import files
from backproof.reports.measures import measured
from backproof.reports.places import SCHEMA, SCREEN
from backproof.reports.plots import Plot, plots
from backproof.reports.tables import table

STRATA = [
    ("activation", "relu", None, "float64", 2, 3, 1, 0, 1, 40.0, 0.25, "1-2-1,relu-tanh,mse,sum,n3,f64,normal,s1"),
    ("loss", "mse", "sum", "float64", 1, 2, 1, 0, 0, 40.0, 0.25, "1-2-1,relu-tanh,mse,sum,n3,f64,normal,s1"),
    ("loss", "l1", "mean", "float64", 1, 0, 0, 0, 1, None, None, None),
]
PAIRS = [
    ("activation, loss", "relu", "mse", 1),
    ("activation, loss", "relu", "l1", 1),
    ("activation, loss", "tanh", "mse", 1),
    ("activation, loss", "tanh", "l1", 0),
    ("filling, dtype", "normal", "float64", 2),
]
SCALING = [("mse", "id", 7, 9, "sum / mean", 63.0, "N*O", 63.0, 63.0, "agree", "")]
EQUATIONS = [
    ("BP4", "broken", "output", "input_not_activation", None, None, "dW = delta x^T", "dW = delta a^T"),
    ("BP1", "holds", None, None, None, None, None, "delta = dC/da * phi'(z)"),
]


def network(case: str, candidate: str = "my_net.py:f") -> tuple[object, ...]:
    """The first columns of a row of checks, read off the id; a text that is no id keeps its place."""
    parts = case.split(",")
    if len(parts) < 7:
        return (case, candidate, 1, "1-1", 1, "relu", "mse", "sum", "float64", "normal", 1)
    widths, activations, loss, reduction, batch, _, values, seed = parts[:8]
    depth = widths.count("-")
    return (
        case, candidate, depth, widths, int(batch[1:]), activations, loss, reduction, "float64", values, int(seed[1:]),
    )  # fmt: skip


def check(
    case: str,
    quantity: str,
    verdict: str = "agree",
    ratio: float | None = 0.25,
    *,
    layer: int | None = None,
    position: str = "",
    note: str = "",
    candidate: str = "my_net.py:f",
) -> tuple[object, ...]:
    """One row of checks."""
    error = None if ratio is None else ratio * 1e-15
    return (
        *network(case, candidate), quantity, layer, position, "2x1", 2, 2, verdict, 0, error, 1e-15, ratio, "0,0",
        1.5, 1.25, None, note,
    )  # fmt: skip


DEEP = "1-2-1,relu-tanh,mse,sum,n3,f64,normal,s1"
FLAT = "1-2,relu,l1,mean,n1,f64,normal,s2"
CHECKS = [
    check(DEEP, "loss", ratio=0.0),
    check(DEEP, "weight", "disagree", 40.0, layer=2, position="output"),
    check(DEEP, "weight", ratio=0.25, layer=1, position="first"),
    check(FLAT, "loss", "undecided", None, note="too_wide"),
]


def screen(candidate: str = "my_net.py:f", **fields: object) -> dict[str, object]:
    """What was told of a candidate that is wrong."""
    said = {
        "candidate": candidate,
        "head": f"{candidate}   against PyTorch 2.13.0   2 random networks, seed 0",
        "tone": "disagrees",
        "word": "WRONG GRADIENTS",
        "headline": "in 1 of 2",
        "card": [("Where", "the weight gradient"), ("By hand", "x = 1"), ("", "dC/dW = 2"), ("Yours", "delta x^T")],
        "facts": [("Compared", "2 losses, 2 weight gradients"), ("", "and nothing else")],
        "text": f"{candidate}   against PyTorch\nWRONG GRADIENTS in 1 of 2\n",
    }
    return said | fields


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """The run of two networks that is written where nothing else is said, and what to write others with."""
    return SimpleNamespace(
        check=check, screen=screen, checks=CHECKS, strata=STRATA, pairs=PAIRS, scaling=SCALING, equations=EQUATIONS,
        deep=DEEP, flat=FLAT,
    )  # fmt: skip


@pytest.fixture(scope="session")
def drawn_once() -> tuple[Plot, ...]:
    """The plots of that run."""
    return plots(measured(table("checks", CHECKS).to_batches(), table("pairs", PAIRS)))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, drawn_once: tuple[Plot, ...]) -> None:
    """Every page has these plots: drawing them takes longer than all the rest, and has tests of its own."""
    monkeypatch.setattr("backproof.reports.page.plots", lambda measures: drawn_once)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a report directory and says where."""

    def written(
        name: str = "report",
        *,
        checks: Sequence[tuple[object, ...]] = CHECKS,
        strata: Sequence[tuple[object, ...]] = STRATA,
        scaling: Sequence[tuple[object, ...]] = SCALING,
        equations: Sequence[tuple[object, ...]] = EQUATIONS,
        screens: Sequence[dict[str, object]] = (),
        verdict: str = "disagrees",
        statuses: dict[str, str] | None = None,
        smallest: str = "",
        **about: object,
    ) -> Path:
        place = tmp_path / name
        said = list(screens) or [screen()]
        with files.report_directory(place) as fresh:
            files.write_table(fresh, "checks", table("checks", checks))
            odd = [row for row in checks if row[17] not in ("agree", "not_offered")]
            files.write_table(fresh, "discrepancies", table("discrepancies", odd))
            for name_, rows in (("strata", strata), ("pairs", PAIRS), ("scaling", scaling), ("equations", equations)):
                files.write_table(fresh, name_, table(name_, rows))
            files.write_data_dictionary(fresh)
            environment = {"command": "backproof check", "seed": 0, "packages": {"backproof": "0.1.0", "torch": None}}
            files.write_json(fresh, files.ENVIRONMENT, environment | about)
            words = [row[17] for row in checks]
            told = {
                "schema": 1, "candidate": said[0]["candidate"], "verdict": verdict, "seed": 0, "torch": "2.13.0",
                "cases": len({row[0] for row in checks}), "verdicts": {word: words.count(word) for word in words},
                "equations": statuses or {"BP1": "holds", "BP4": "broken"},
            }  # fmt: skip
            files.write_json(fresh, "verdict.json", told)
            content = {"schema": SCHEMA, "screens": said, "notes": [], "told": []}
            files.write_json(fresh, SCREEN, content)
            if smallest:
                (fresh / "smallest.py").write_text(smallest)
        return place

    return written
