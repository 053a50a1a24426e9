"""The power table says what it measures: errors of the size that it states are found, smaller ones are not."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backproof.cases.case import build_case
from backproof.cases.spec import NetworkSpec
from backproof.power import table as room
from backproof.power.checkers import (
    CHECKERS,
    CORRECT,
    PLACES,
    Erring,
    Error,
    Subject,
    finest_found,
    finest_of,
    parameters,
)
from backproof.power.table import FLIPPED, ZEROED, Grid, Record, power, to_markdown

TINY = Grid(depths=(2,), widths=(4,), cases=3, batch_size=2)
BACKPROOF = ("chained bound", "and propagated", "local tests alone", "Backproof")


@pytest.fixture(scope="module")
def table():
    """The tiny grid with every checker, measured once."""
    return power(TINY)


def subject(text):
    """A network by its id, with scratch's answer."""
    case = build_case(NetworkSpec.parse(text))
    return Subject(case, CORRECT.answer(case))


def test_gradcheck_passes_a_flipped_first_layer_in_a_deep_sigmoid_network():
    """In eight sigmoid layers, gradcheck's defaults accept a first layer of the wrong sign, or of zeros; we do not."""
    deep = subject("4-4-4-4-4-4-4-4-4,sigmoid,mse,mean,n4,f64,normal,s0")
    for name in ("gradcheck", "gradcheck, fast"):
        finds = CHECKERS[name].prepare(deep)
        assert [finds(None), finds(FLIPPED), finds(ZEROED)] == [False, False, False]
        assert finds(Error("every layer", -1.0))
    for name in BACKPROOF:
        finds = CHECKERS[name].prepare(deep)
        assert [finds(None), finds(FLIPPED), finds(ZEROED)] == [False, True, True]
    shallow = CHECKERS["gradcheck"].prepare(subject("4-4,sigmoid,mse,mean,n4,f64,normal,s0"))
    assert [shallow(None), shallow(FLIPPED), shallow(ZEROED)] == [False, True, True]


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [*BACKPROOF, "gradcheck, fast", "assert_close", "course notes, 1e-7"])
def test_the_smallest_size_is_found_in_every_network_and_half_of_it_is_not(table, name):
    """What the table states is a limit: reached by every network of the cell, and by one of them only just."""
    rows = table[(table["checker"] == name) & np.isfinite(table["smallest"])]
    assert len(rows) >= len(PLACES)
    for cell in TINY.cells:
        finders = [CHECKERS[name].prepare(subject) for subject in cell.subjects(seed=0)]
        for row in rows[rows["dtype"] == cell.dtype].to_dict("records"):
            found = [finds(Error(row["error"], 1.0 + row["smallest"])) for finds in finders]
            assert all(found)
            if row["smallest"] > 2.0 ** -finest_of(cell.dtype):
                assert not all(finds(Error(row["error"], 1.0 + row["smallest"] / 2)) for finds in finders)


def test_correct_gradients_are_never_accused_by_us_and_always_by_differences_in_float32(table):
    """Backproof has no false alarm; differences of float32 numbers have nothing else."""
    ours = table[table["checker"].isin(BACKPROOF)]
    assert (ours["false_alarms"] == 0).all()
    first = ours[ours["error"] == "first layer"]
    assert (first["zeroed"] == TINY.cases).all()
    assert (first["flipped"] == TINY.cases).all()
    single = table[(table["dtype"] == "float32") & table["checker"].isin(["gradcheck", "course notes, 1e-7"])]
    assert (single["false_alarms"] == TINY.cases).all()
    assert single["smallest"].isna().all()
    assert set(single["note"]) == {"not run: it demands float64", f"accuses all {TINY.cases} correct ones"}


def test_the_table_depends_on_its_seed_alone():
    """The same seed gives the same table; another seed has other networks."""
    grid = replace(TINY, dtypes=("float64",), cases=2)
    checkers = ("and propagated", "gradcheck, fast")
    first = power(grid, checkers=checkers)
    pd.testing.assert_frame_equal(first, power(grid, checkers=checkers))
    ids = [[subject.case.spec.id for subject in grid.cells[0].subjects(seed)] for seed in (0, 1)]
    assert not set(ids[0]) & set(ids[1])


def test_networks_without_a_first_gradient_are_passed_over():
    """In eight narrow relu layers most networks are dead; those that count are not."""
    cell = Grid(depths=(8,), widths=(2,), cases=2, activations=("relu",), dtypes=("float32",)).cells[0]
    found = list(cell.subjects(seed=0))
    assert len(found) == 2
    assert all(subject.answer.weights[0].any() for subject in found)
    assert any(subject.case.spec.seed % 10_000 for subject in found)


def test_activations_and_losses_take_turns():
    """Twelve networks are six activations with two losses, each once."""
    specs = [next(Grid(depths=(2,)).cells[0].specs(number, seed=0)) for number in range(12)]
    assert len({(spec.activations[0].name, spec.loss.name) for spec in specs}) == 12
    assert {spec.activations[-1].name for spec in specs} == {"identity"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"depths": ()}, "depths must name at least one; got none"), ({"cases": 0}, "cases must be at least 1; got 0")],
)
def test_a_grid_without_cells_is_refused(settings, message):
    """An empty table is no measurement."""
    with pytest.raises(ValueError, match=message):
        Grid(**settings)


@pytest.mark.parametrize("place", PLACES)
def test_an_error_changes_what_it_names_and_nothing_else(place):
    """Arrays that are spared are the same objects; the others keep their shape and dtype."""
    before = subject("3-5-4,tanh-identity,mse,mean,n4,f32,normal,s1").answer
    after = Error(place, 3.0).applied(before)
    triple = (before.weights[0] * 3.0).astype(np.float32)
    if place == "largest entry":
        changed = np.flatnonzero(after.weights[0] != before.weights[0])
        assert changed.tolist() == [np.abs(before.weights[0]).argmax()]
        assert after.weights[0].flat[changed[0]] == triple.flat[changed[0]]
        assert after.biases[0] is before.biases[0]
    else:
        assert np.array_equal(after.weights[0], triple)
        assert not np.array_equal(after.biases[0], before.biases[0])
    assert (after.weights[1] is before.weights[1]) is (place != "every layer")
    assert after.loss is before.loss
    assert after.weights[0].dtype == np.float32


def test_an_error_may_lie_in_another_layer():
    """Layers count from 1, and a missing bias stays missing."""
    before = subject("3-5-4,tanh-identity,mse,mean,n4,f64,normal,s1,bias=10").answer
    after = Error("largest entry", 2.0, layer=2).applied(before)
    assert after.weights[0] is before.weights[0]
    assert np.count_nonzero(after.weights[1] != before.weights[1]) == 1
    assert Error("every layer", 2.0).applied(before).biases[1] is None


def test_erring_errs_on_its_own_network_and_its_samples_alone():
    """Elsewhere it is scratch, so that it can be vouched for."""
    one, other = (subject(f"3-5-4,tanh-identity,mse,mean,n4,f64,normal,s{seed}").case for seed in (1, 2))
    candidate = Erring(error=FLIPPED)
    candidate.turn_to(one)
    for case, wrong in ((one, True), (one.sample(2), True), (other, False)):
        right = CORRECT.answer(case).weights[0]
        assert np.array_equal(candidate.answer(case).weights[0], -right if wrong else right)


@pytest.mark.parametrize("limit", [-1, 0, 1, 17, 51, 52])
def test_bisection_ends_at_the_limit(limit):
    """The largest exponent that is found, -1 where none is."""

    def finds(error):
        return error.factor - 1.0 >= 2.0**-limit if limit >= 0 else False

    assert finest_found(finds, "first layer", 52) == limit
    assert finest_found(finds, "first layer", min(limit, 9)) == min(limit, 9)


def test_bisection_may_take_smaller_steps():
    """Four sizes between two powers of two: the limit lies between the second and the third of them."""
    finest = finest_found(lambda error: error.factor - 1.0 >= 1.3 * 2.0**-10, "first layer", 4 * 52, steps=4)
    assert finest == 4 * 10 - 2


def test_a_false_alarm_takes_the_network_out_of_the_count():
    """A checker that accuses a right answer cannot earn anything by accusing wrong ones."""
    record = Record(52)
    record.add(lambda error: True, only_alarms=False)
    assert (record.alarms, record.heard, record.flipped) == (1, 0, 0)
    assert math.isnan(record.smallest("first layer"))
    record.add(lambda error: error is not None and abs(error.factor - 1.0) >= 2.0**-10, only_alarms=False)
    assert (record.alarms, record.heard, record.flipped, record.zeroed) == (1, 1, 1, 1)
    assert record.smallest("first layer") == 2.0**-10
    record.add(lambda error: False, only_alarms=False)
    assert math.isinf(record.smallest("first layer"))


def test_what_takes_too_long_says_so():
    """Slow checks are not run on large networks, and the table says why."""
    grid = Grid(dtypes=("float64",), depths=(4,), widths=(64,), cases=1)
    found = power(grid, checkers=("gradcheck", "course notes, 1e-7"))
    spec = next(grid.cells[0].specs(0, seed=0))
    assert parameters(spec) == 4 * 64 * 65
    assert set(found["note"]) == {f"not run: {2 * parameters(spec):,} forward passes"}
    assert found["smallest"].isna().all()


def test_markdown_has_every_cell_and_checker(table):
    """One line for each cell, one column for each checker, in each of the sections."""
    text = to_markdown(table)
    assert text.count("| float64 | 2 | 4 |") == len(PLACES)
    head = "| dtype | depth | width | " + " | ".join(CHECKERS) + " |"
    assert text.count(head) == len(PLACES)
    assert f"| float64 | Backproof | {TINY.cases} | 0 | {TINY.cases} of {TINY.cases} |" in text


def test_a_cell_of_the_markdown_says_what_the_numbers_mean():
    """Infinite is `not even 1`, false alarms are told, and a reason stands where nothing was measured."""
    assert room._cell(math.inf, "", 0) == "not even 1"
    assert room._cell(0.25, "", 2.0) == "2.5e-01; 2 false alarms"
    assert room._cell(math.nan, "not run: why", None) == "not run: why"


# Where the chained bound of the first layer only just decides: twice what it takes for an error of a half to show.
JUST_DECIDED = (("float64", 16, 16), ("float32", 4, 16), ("float32", 30, 4))


@pytest.mark.no_cover
@pytest.mark.parametrize(("dtype", "depth", "width"), JUST_DECIDED)
def test_no_error_hides_where_a_bound_only_just_decides(dtype, depth, width):
    """A first layer that is zero, of the wrong sign or 1.0005 times too large is found in every network."""
    grid = Grid(dtypes=(dtype,), depths=(depth,), widths=(width,), cases=6)
    for subject in grid.cells[0].subjects(seed=0):
        finds = CHECKERS["Backproof"].prepare(subject)
        wrong = (FLIPPED, ZEROED, Error("first layer", 1.0005))
        assert [finds(None), *map(finds, wrong)] == [False, True, True, True], subject.case.spec.id


def test_names_of_checkers_are_their_keys():
    """A checker is asked for by the name that it has in the table."""
    assert all(checker.name == name for name, checker in CHECKERS.items())


@pytest.mark.parametrize("name", ["depths", "widths"])
def test_a_grid_says_which_of_its_numbers_is_none(name: str):
    """And not what a network would say of both together."""
    with pytest.raises(ValueError, match=f"^{name} must be whole numbers, each at least 1; got 4, 0$"):
        Grid(**{name: (4, 0)})
