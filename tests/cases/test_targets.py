"""Targets of each kind, valid in every filling."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import LOSSES, Domain, Formula, build_case, sample_specs, target_kind
from backproof.cases.fillings import FILLINGS
from backproof.cases.formula import variants
from backproof.cases.strategies import specs
from backproof.cases.targets import TARGETS

DRAWN = tuple(name for name, filling in FILLINGS.items() if filling.inputs is None)
OF_KIND = {
    kind: tuple(loss for name in LOSSES for loss in variants(name) if target_kind(loss) == kind) for kind in TARGETS
}


def cases_of(kind, **settings):
    """Cases whose targets are of `kind`, in every filling that is drawn."""
    return specs(Domain(losses=OF_KIND[kind], values=DRAWN, **settings)).map(build_case)


@pytest.mark.parametrize("kind", [kind for kind in TARGETS if kind != "class"])
def test_drawn_targets_are_what_is_wanted(kind: str):
    """Of every kind but class indices, of which the loss says what is legal; and not what another kind is."""

    @given(cases_of(kind))
    def holds(case):
        assert TARGETS[kind].holds(case.y).all()

    holds()


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("unit", [0.5, 1.5, 0.0]),
        ("count", [1.0, -1.0, 0.0]),
        ("sign", [1.0, 0.0, -1.0]),
        ("binary", [1.0, 0.5, 0.0]),
        ("distribution", [0.5, 0.6, 0.0]),
        ("distribution", [1.5, -0.5, 0.0]),
        ("classes", [1, 1, -1]),
        ("classes", [3, -1, -1]),
        ("classes", [-2, -1, -1]),
    ],
)
def test_what_is_no_target_of_a_kind_is_seen(kind: str, row: list[float]):
    """In one row of two."""
    right = {"classes": [2, -1, 2], "sign": [1.0, -1.0, 1.0]}.get(kind, [0.0, 1.0, 0.0])
    y = np.array([right, row])
    found = np.broadcast_to(TARGETS[kind].holds(y), y.shape).all(axis=1)
    assert found.tolist() == [True, False]


@given(cases_of("real"))
def test_real_targets_are_finite_numbers(case):
    """Any number will do, in the shape of the outputs."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert np.isfinite(case.y).all()


@given(cases_of("unit"))
def test_unit_targets_lie_in_the_unit_interval(case):
    """Targets of bce are probabilities of their own."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert ((case.y >= 0) & (case.y <= 1)).all()


@given(cases_of("count"))
def test_count_targets_are_small_whole_numbers(case):
    """Targets of poisson_nll are counts."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert np.isin(case.y, np.arange(6)).all()


@given(cases_of("sign"))
def test_sign_targets_are_signs(case):
    """Targets of hinge_embedding and soft_margin are -1 or 1."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert np.isin(case.y, [-1, 1]).all()


@given(cases_of("binary"))
def test_binary_targets_are_zero_or_one(case):
    """Targets of multilabel_soft_margin are 0 or 1."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert np.isin(case.y, [0, 1]).all()


@given(cases_of("class"))
def test_class_targets_are_classes_or_ignored(case):
    """Class indices are in range or the ignored one; some are not ignored."""
    assert case.y.shape == (case.spec.batch_size,)
    assert case.y.dtype == np.int64
    counted = case.y[case.y != case.spec.loss.options.get("ignore_index", -100)]
    assert counted.size > 0
    assert ((counted >= 0) & (counted < case.spec.outputs)).all()


def test_class_targets_are_ignored_a_quarter_of_the_time():
    """About a quarter are ignored, be it a class or not, within five standard errors; and every class occurs."""
    for text in ("nll=none+1", "nll=none+-7"):
        loss = Formula.parse(text, LOSSES)
        ignored = loss.options["ignore_index"]
        spec = replace(_spec(loss), widths=(2, 3), batch_size=20_000)
        y = build_case(spec).y
        assert abs((y == ignored).mean() - 1 / 4) <= 5 * (3 / 16 / len(y)) ** 0.5
        assert set(np.unique(y)) == {0, 1, 2, ignored}


def test_class_targets_are_not_all_ignored_in_small_batches():
    """Of a single sample the class is never ignored, with whatever seed."""
    spec = replace(_spec(Formula.parse("nll=none+1", LOSSES)), widths=(2, 3), batch_size=1)
    assert all(build_case(replace(spec, seed=seed)).y[0] != 1 for seed in range(50))


@given(cases_of("distribution"))
def test_distributions_are_nonnegative_and_sum_to_one(case):
    """Each entry is rounded once or, in float32, twice: the exact sum of a row is 1 within the dtype's epsilon."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert (case.y >= 0).all()
    epsilon = Fraction(float(np.finfo(case.y.dtype).eps))
    for row in case.y.tolist():
        assert abs(sum(map(Fraction, row)) - 1) <= epsilon


def test_distributions_are_sometimes_one_hot():
    """In the normal filling both one-hot rows and others occur, so that 0 log 0 is met."""
    spec = replace(_spec(Formula.parse("kl_div", LOSSES)), widths=(2, 3), batch_size=200)
    largest = build_case(spec).y.max(axis=1)
    assert (largest == 1).any()
    assert (largest < 1).any()


@given(cases_of("log_distribution"))
def test_log_distributions_are_negative(case):
    """Logarithms of numbers below 1."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert (case.y < 0).all()


@given(cases_of("classes"))
def test_class_lists_end_with_minus_one(case):
    """Distinct classes, then -1 to the end of the row."""
    assert case.y.shape == (case.spec.batch_size, case.spec.outputs)
    assert case.y.dtype == np.int64
    for row in case.y.tolist():
        listed = row[: row.index(-1)] if -1 in row else row
        assert len(set(listed)) == len(listed)
        assert all(0 <= label < case.spec.outputs for label in listed)
        assert set(row[len(listed) :]) <= {-1}


def test_class_lists_have_every_length():
    """From no class at all to every class."""
    spec = replace(_spec(Formula.parse("multilabel_margin", LOSSES)), widths=(2, 3), batch_size=100)
    assert set((build_case(spec).y >= 0).sum(axis=1)) == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["real", "unit", "count", "sign", "binary", "class", "distribution", "classes"])
@given(data=st.data())
def test_ones_have_targets_of_one(kind, data):
    """In the filling `ones` y is one wherever its kind lets it: the number 1, class 1, equal shares."""
    case = data.draw(
        specs(Domain(losses=OF_KIND[kind][0], values="ones", output_width=(2, 5), batch_size=3)).map(build_case)
    )
    if kind == "distribution":
        assert (case.y == case.y[0, 0]).all()
    elif kind == "classes":
        assert ((case.y >= 0).sum(axis=1) == 1).all()
    else:
        assert (case.y == 1).all()


def _spec(loss):
    """A one-layer spec with `loss`, to be changed."""
    domain = Domain(losses=[loss], values="normal", depth=1, dtypes="float64")
    return sample_specs(domain, seed=0, shard=0, count=1)[0]
