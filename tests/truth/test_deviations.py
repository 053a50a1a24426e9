"""Every listed departure of PyTorch is one, on the installed version, and the sweep finds no other."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backproof.candidates.builtin import Torch
from backproof.candidates.contract import Answer
from backproof.cases import Case, NetworkSpec, build_case
from backproof.comparison import Bounds, Verdict, compare
from backproof.examine import Examiner
from backproof.judging.verdicts import Check
from backproof.truth import autograd, exact
from backproof.truth.deviations import DEVIATIONS, VERSION, met

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from deviation_examples import EXAMPLES, Pair, pairs, tables
from sweep_deviations import sweep

POINTS = 60
PAGE = Path(__file__).parents[2] / "DEVIATIONS.md"
ROWS = {row.name: row for row in DEVIATIONS}
BY_NAME = {name.partition(":")[0]: row for name, row in ROWS.items()}
HARDSIGMOID = BY_NAME["hardsigmoid"]
CLAMPED_SLOPE, CLAMPED_VALUE = (row for row in DEVIATIONS if row.what == ("bce",))

by_pair = pytest.mark.parametrize("pair", list(pairs()), ids=lambda pair: pair.id)


def case_of(text: str) -> Case:
    """The case of an id."""
    return build_case(NetworkSpec.parse(text))


@by_pair
def test_pytorch_deviates_where_a_row_says_so(pair: Pair):
    """Exact arithmetic shows it, in the dtype that the row names; a newer PyTorch that does not is a finding."""
    shown = pair.met.departs if pair.row.leaves_bound else pair.met.loses
    assert shown, (
        f"PyTorch {torch.__version__} gives {pair.met.computed!r} for {pair.met.exact[0]!r}: it no longer "
        f"deviates as {VERSION} did. Measure anew with sweep_deviations.py, and give the row {pair.row.name!r} the "
        "version that ended it"
    )
    assert pair.row.applies(pair.met.case, dtype=pair.dtype, quantity=pair.met.quantity, layer=1)


@by_pair
def test_pytorch_keeps_to_the_truth_beside_it(pair: Pair):
    """Next to where a row applies, PyTorch is right and the row is silent."""
    assert not pair.unmet.departs
    assert not (pair.unmet.loses and not pair.row.leaves_bound)
    assert not pair.row.applies(pair.unmet.case, dtype=pair.dtype)


def test_every_row_has_examples_in_all_its_dtypes():
    """So that the two tests above see all of DEVIATIONS, and nothing else."""
    shown: dict[str, set[str]] = {}
    for name, _, _, _, numbers in EXAMPLES:
        shown.setdefault(name, set()).update(numbers)
    assert shown == {row.name: set(row.dtypes) for row in DEVIATIONS}
    assert len(ROWS) == len(DEVIATIONS)


@pytest.mark.no_cover
def test_the_sweep_finds_no_departure_without_a_row():
    """Every activation and loss over the whole range, at a smaller size; and it does find those that have one."""
    found = list(sweep(POINTS, seed=1))
    assert [sentence for entry in found for sentence in entry.unlisted] == []
    named = {name for entry in found for name, count in entry.by_row.items() if count}
    assert named >= {"hardsigmoid: the slope in float64 is float32(1/6)", "soft_margin: exp(-y a) overflows"}
    assert {entry.dtype for entry in found if entry.formula == "hardsigmoid" and entry.departing} == {"float64"}
    assert not any(entry.departing for entry in found if entry.formula in ("mse", "tanh", "log_softmax"))


def test_the_page_shows_the_rows():
    """DEVIATIONS.md has both tables as they are."""
    page = PAGE.read_text(encoding="utf-8")
    for table in tables():
        missing = [line for line in table.splitlines() if line not in page]
        assert not missing, "print the tables anew: python tests/truth/sweep_deviations.py\n" + "\n".join(missing)
    assert VERSION in page


def test_a_row_applies_in_the_arithmetic_that_departs():
    """The reference computes in float64 whatever the case's dtype is; PyTorch as a candidate in that."""
    for dtype in ("f64", "f32"):
        case = case_of(f"3-4-2,hardsigmoid,mse,mean,n5,{dtype},normal,s7")
        assert HARDSIGMOID.applies(case)
        assert not HARDSIGMOID.applies(case, dtype="float32")
    assert not HARDSIGMOID.applies(case_of("3-4-2,tanh,mse,mean,n5,f64,normal,s7"))


def test_a_row_reaches_what_its_error_flows_into():
    """A wrong slope of layer 1 of 2 reaches that layer and the input; a wrong value of the loss the loss alone."""
    case = case_of("3-4-2,hardsigmoid-identity,mse,mean,n5,f64,normal,s7")
    reached = {
        (quantity, layer)
        for quantity, layer, _ in autograd.reference(case).quantities()
        if any(met(case, quantity=quantity, layer=layer))
    }
    assert reached == {("delta", 1), ("bias", 1), ("weight", 1), ("input", None)}
    pair = next(pair for pair in pairs() if pair.row is CLAMPED_VALUE)
    assert list(met(pair.met.case)) == [CLAMPED_SLOPE, CLAMPED_VALUE]
    assert list(met(pair.met.case, quantity="loss")) == [CLAMPED_VALUE]
    assert list(met(pair.met.case, quantity="delta", layer=1)) == [CLAMPED_SLOPE]


def test_a_wrong_value_of_an_activation_reaches_everything():
    """What a layer puts out enters every other quantity, below as above."""
    pair = next(pair for pair in pairs() if pair.row is BY_NAME["hardswish"])
    for quantity in ("loss", "delta", "weight", "input"):
        assert list(met(pair.met.case, quantity=quantity, layer=1)) == [pair.row]


def test_no_verdict_needs_a_row_inside_the_bound():
    """`met` is silent about lost digits, which a correct textbook form loses too."""
    for pair in pairs():
        names = [row.name for row in met(pair.met.case, dtype=pair.dtype, quantity=pair.met.quantity, layer=1)]
        assert (pair.row.name in names) == pair.row.leaves_bound


@pytest.mark.parametrize(
    ("row", "network"),
    [
        (HARDSIGMOID, "3-4-2,hardsigmoid,mse,mean,n5,f64,normal,s7"),
        (HARDSIGMOID, "3-4-2,hardsigmoid,mse,mean,n5,f32,normal,s7"),
        (BY_NAME["celu"], "3-4-2,celu=0.3,mse,mean,n5,f64,normal,s7"),
        (CLAMPED_SLOPE, "16-14-5,tanhshrink-softmax,bce,none,n7,f64,integers,s86128900,bias=00"),
        (BY_NAME["soft_margin"], "9-15-10,identity-log_softmax,soft_margin,none,n15,f32,saturated,s16075690,bias=10"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_the_comparison_names_the_row(row, network: str):
    """The exact gradients as a candidate: where the reference is wrong, the verdict says so, by the row's name."""
    case = case_of(network)
    truth = exact.reference(case)
    typed = case.x.dtype.type

    def rounded(array):
        return None if array is None else typed(array)

    answer = Answer(
        loss=typed(truth.loss),
        weights=tuple(map(rounded, truth.weights)),
        biases=tuple(map(rounded, truth.biases)),
        inputs=typed(truth.inputs),
        deltas=tuple(map(rounded, truth.deltas)),
    )
    checks: tuple[Check, ...] = compare(case, answer, autograd.reference(case), Bounds(case))
    notes = {check.note for check in checks if check.verdict is Verdict.REFERENCE_WRONG}
    assert not any(check.verdict.fails for check in checks)
    assert notes <= {row.name for row in DEVIATIONS}
    assert row.name in notes or case.spec.dtype == "float32"


def test_an_overflow_in_the_network_may_meet_any_row():
    """After an overflow nothing is known of an entry, and no row is ruled out by it."""
    pair = next(pair for pair in pairs() if pair.row.name.startswith("a sum or a multiple"))
    huge = replace(pair.met.case, x=np.full_like(pair.met.case.x, np.finfo(np.float64).max))
    assert pair.row in set(met(huge))


OVERFLOWING = "6-7-5-9-13,relu-softplus=2-identity-mish,poisson_nll=1+1+0.125,mean,n23,f32,integers,s13144277,bias=1010"


def test_a_row_by_what_flows_in_is_named_in_a_network():
    """A gradient of 1e33 meets softplus at z = 9: PyTorch as a candidate is infinite there, by its listed row."""
    row = next(row for row in DEVIATIONS if row.at_slope is not None)
    checks = Examiner(Torch()).examine(case_of(OVERFLOWING))
    assert not any(check.verdict.fails for check in checks)
    notes = {(check.quantity, check.layer): check.note for check in checks if check.verdict is Verdict.REFERENCE_WRONG}
    assert notes["delta", 2] == row.name
    assert all(layer is None or layer <= 2 for _, layer in notes)


@pytest.mark.parametrize("pair", [p for p in pairs() if p.row.at_slope is not None], ids=lambda pair: pair.dtype)
def test_a_row_by_what_flows_in_leaves_smaller_gradients_alone(pair: Pair):
    """The same preactivation with a gradient of 1 does not meet it."""
    case = pair.met.case
    assert list(met(case, dtype=pair.dtype)) == [pair.row]
    assert not list(met(replace(case, y=np.ones_like(case.y)), dtype=pair.dtype))
