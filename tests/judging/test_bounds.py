"""Bounds of several widths for one case, each computed once and only when asked for."""

import numpy as np
import pytest

from backproof.cases import NetworkSpec, build_case
from backproof.judging.bounds import Bounds, Level
from backproof.truth import exact, rounding

LEVELS: tuple[Level, ...] = ("accurate", "textbook", "kink", "same side")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_limits_are_those_of_the_rounding_bound(level: Level, dtype: str):
    """Forms and kinks by the level, against the reference and against the truth, in either dtype."""
    case = build_case(NetworkSpec.parse("3-4-2,tanh-relu,mse,mean,n5,f64,integers,s7"))
    bounds = Bounds(case)
    kinks = {"kink": "any", "same side": "none"}.get(level, "sharp")
    for against in ("truth", "reference"):
        wanted = rounding.bound(
            case,
            forms="accurate" if level == "accurate" else "textbook",
            kinks=kinks,
            against=against,
            dtype=dtype,
        )
        found = bounds.limit(level, dtype=dtype, against=against)
        for (_, _, have), (_, _, want) in zip(found.quantities(), wanted.quantities(), strict=True):
            assert np.array_equal(have, want)


def test_limits_are_computed_once(monkeypatch: pytest.MonkeyPatch):
    """A dozen quantities of a case share them, and so do truth and reference."""
    calls = []
    bound = rounding.bound

    def counted(*arguments, **options):
        calls.append(options)
        return bound(*arguments, **options)

    counted.__name__ = "bound"
    monkeypatch.setattr(rounding, "bound", counted)
    bounds = Bounds(build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n5,f64,normal,s7")))
    assert not calls
    for _ in range(3):
        bounds.limit()
        bounds.limit("accurate", dtype="float64", against="truth")
    assert len(calls) == 1
    bounds.limit("textbook")
    assert len(calls) == 2


def test_exact_values_are_enclosed_once(monkeypatch: pytest.MonkeyPatch):
    """To a thousandth of the bound, or as float64 can write them, which is all that a verdict needs."""
    calls = []
    enclose = exact.enclose

    def counted(*arguments):
        calls.append(arguments)
        return enclose(*arguments)

    monkeypatch.setattr(exact, "enclose", counted)
    bounds = Bounds(build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n5,f64,normal,s7")))
    assert bounds.exact() is bounds.exact()
    assert bounds.truth() is bounds.truth()
    assert [len(arguments) for arguments in calls] == [2, 1]
    parts = (bounds.exact().middle, bounds.exact().radius, bounds.limit())
    for (_, _, middle), (_, _, radius), (_, _, limit) in zip(*(part.quantities() for part in parts), strict=True):
        assert (radius <= np.maximum(limit / 1000.0, np.finfo(np.float64).eps * np.abs(middle))).all()
