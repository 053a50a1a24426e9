"""What holds for every test: Hypothesis' profiles, one thread for PyTorch, and what is traced for coverage."""

import gc
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# No deadline and no `too_slow`: how long an example takes says something about the machine, nothing about a gradient.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time, so that what is red on a server is red at home: `tox run -e tests`.
settings.register_profile(
    "ci", parent=settings.get_profile("default"), max_examples=30, derandomize=True, print_blob=True
)
# For a night: `tox run -e fuzz`.
settings.register_profile("fuzz", parent=settings.get_profile("default"), max_examples=5_000, print_blob=True)
# `--hypothesis-profile` on the command line comes after this and chooses another.
settings.load_profile("default")

# What sweeps over many networks runs without the tracer, which would take half of the time: what it covers is covered
# by the tests of each file. Elsewhere single tests have the mark themselves.
SWEEPS = ("properties", "meta", "truth/test_allowances.py")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Some eight thousand tests come to stay: the garbage collector need not look through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the sweeps `no_cover`, which pytest-cov knows."""
    folders = tuple(Path(__file__).parent / name for name in SWEEPS)
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker("no_cover")


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Whether a process that was to end has ended, or does in a moment."""

    def gone(process: int) -> bool:
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False

    return gone


@pytest.fixture
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any pairs of faults are tried for what has no name: all of them take seconds."""
    from backproof.diagnosis import naming

    monkeypatch.setattr(naming, "PARTNERS", 1)
    monkeypatch.setattr(naming, "OVERLAPPING", ())
    monkeypatch.setattr(naming, "EVERY", 1_000)


@pytest.fixture
def blank_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with empty plots, for tests of anything else: drawing takes longer than a small run."""
    from backproof.reports.plots import Plot

    names = ("coverage", "errors", "depth", "batch_size")
    blank = tuple(Plot(name=name, title=name, words=name, svg="<svg></svg>") for name in names)
    monkeypatch.setattr("backproof.reports.page.plots", lambda measures: blank)
