"""Does each loss in ball arithmetic have its known values, and is its gradient the slope of its value?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from backproof.cases import Case, build_case, catalogue
from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.formula import Formula, accepts, expected_output, variants
from backproof.cases.spec import NetworkSpec
from backproof.truth.ball_losses import DIVIDED_BY_OUTPUTS, LOSSES, TAKES_COMPLEMENTS
from backproof.truth.ball_rows import Outputs
from backproof.truth.ball_ties import Ties
from backproof.truth.balls import ball, to_float64, total
from backproof.truth.exact import PRECISIONS

GENEROUS = 4096
STEP = -1500
"""Differences are taken over 2^STEP, less than any subnormal; ERROR has room for the order of its square."""
ERROR = arb(0, arb((1, 3 * STEP // 2)))

FORMULAS = [formula for name in catalogue.LOSSES for formula in variants(name)]


@pytest.fixture(autouse=True, scope="module")
def _precision() -> Iterator[None]:
    """The first precision that the arbiter tries."""
    with ctx.workprec(PRECISIONS[0]):
        yield


def case_of(formula: Formula, *, outputs: int = 3, samples: int = 4) -> Case:
    """A case with that loss behind an activation that it takes."""
    activation = next(name for name in ACTIVATIONS if accepts(formula, Formula.parse(name, ACTIVATIONS)))
    return build_case(NetworkSpec.parse(f"2-{outputs},{activation},{formula.id},sum,n{samples},f64,normal,s3"))


def row_of(case: Case, a: list[arb], n: int = 0, ties: Ties | None = None) -> tuple[list[arb], list[arb]]:
    """Losses and gradient of sample n at the outputs a."""
    row = LOSSES[case.spec.loss.name](case, Ties("torch") if ties is None else ties)
    return row(n, Outputs(a, [1 - entry for entry in a]))


def outputs_for(formula: Formula, n: int) -> list[arb]:
    """Three outputs that the loss expects; no two are a whole number of quarters apart, so no hinge is met exactly."""
    numbers = [arb(4 * ((5 * n + 7 * o) % 9 - 4) + o + 1) / 16 for o in range(3)]
    expected = expected_output(formula)
    if expected in ("probabilities", "nonnegative"):
        return [1 / (2 + abs(number)) for number in numbers]
    return [-abs(number) for number in numbers] if expected == "log_probabilities" else numbers


def test_every_loss_has_its_record() -> None:
    """The tables cover the catalogue."""
    assert {*LOSSES} == {*catalogue.LOSSES}
    assert {*LOSSES} > TAKES_COMPLEMENTS | DIVIDED_BY_OUTPUTS


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_the_gradient_is_the_slope_of_the_losses(formula: Formula) -> None:
    """For each output, the symmetric difference quotient of the sum of the losses, which have their own shape."""
    case = case_of(formula)
    per_sample = catalogue.LOSSES[formula.name].per_sample
    for n in range(4):
        a = outputs_for(formula, n)
        losses, gradient = row_of(case, a, n)
        assert len(losses) == (1 if per_sample else 3)
        with ctx.workprec(GENEROUS):
            step = arb((1, STEP))
            a = outputs_for(formula, n)
            for o, slope in enumerate(gradient):
                ahead, behind = (
                    total(row_of(case, [*a[:o], a[o] + side * step, *a[o + 1 :]], n)[0]) for side in (1, -1)
                )
                assert slope.overlaps((ahead - behind) / (2 * step) + ERROR), (n, o)


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_losses_and_gradients_are_sharp(formula: Formula) -> None:
    """At 128 bits they leave nothing but float64's own rounding, on ordinary outputs."""
    case = case_of(formula)
    for n in range(4):
        for part in row_of(case, outputs_for(formula, n), n):
            found = to_float64(part)
            assert np.all(found.reach <= np.maximum(2.0**-53 * np.abs(found.middle), 5e-324))


@dataclass(frozen=True)
class Known:
    """A loss at known numbers: what it and its gradient are there, before any 1/O, in exact or in ball arithmetic."""

    loss: str
    a: list[float]
    y: list[Any]
    losses: Callable[[], list[Any]]
    gradient: Callable[[], list[Any]]
    arrays: dict[str, list[float]] = field(default_factory=dict)


KNOWN = [
    Known("mse", [0.5, 2.0], [1.0, 0.0], lambda: [0.25, 4], lambda: [-1, 4]),
    Known("half_squared_error", [0.5, 2.0], [1.0, 0.0], lambda: [2.125], lambda: [-0.5, 2]),
    Known("linear", [0.5, 2.0], [3.0, -1.0], lambda: [-0.5], lambda: [3, -1]),
    Known("l1", [0.5, 2.0], [1.0, 0.0], lambda: [0.5, 2], lambda: [-1, 1]),
    Known("smooth_l1=0.5", [1.25, 2.0], [1.0, 4.0], lambda: [0.0625, 1.75], lambda: [0.5, -1]),
    Known("huber=0.5", [1.25, 2.0], [1.0, 4.0], lambda: [0.03125, 0.875], lambda: [0.25, -0.5]),
    Known("huber=0.5", [-2.0, 3.0], [1.0, 1.0], lambda: [1.375, 0.875], lambda: [-0.5, 0.5]),
    Known("hinge_embedding=2", [0.5, 1.5, 2.5], [1.0, -1.0, -1.0], lambda: [0.5, 0.5, 0], lambda: [1, -1, 0]),
    Known("nll", [-0.5, -2.0], [1], lambda: [2], lambda: [0, -1]),
    Known("nll=weighted+1", [-0.5, -2.0], [0], lambda: [1.5], lambda: [-3, 0], {"weight": [3.0, 5.0]}),
    Known("nll=weighted+1", [-0.5, -2.0], [1], lambda: [0], lambda: [0, 0], {"weight": [3.0, 5.0]}),
    Known("multi_margin", [0.5, 0.25, -1.0], [0], lambda: [0.75], lambda: [-1, 1, 0]),
    Known("multi_margin=2", [0.5, 0.25, 0.0], [0], lambda: [0.8125], lambda: [-2.5, 1.5, 1]),
    Known(
        "multi_margin=2+0.5+weighted",
        [0.5, 0.25, -1.0],
        [1],
        lambda: [2.8125],
        lambda: [7.5, -7.5, 0],
        {"weight": [2.0, 5.0, 7.0]},
    ),
    # Targets 2 and 0 against 1: 1 - 0.75 + 0.5 and 1 - 0.25 + 0.5.
    Known("multilabel_margin", [0.25, 0.5, 0.75], [[2, 0, -1]], lambda: [2], lambda: [-1, 2, -1]),
    Known("multilabel_margin", [0.25, 0.5, 0.75], [[-1, 2, 0]], lambda: [0], lambda: [0, 0, 0]),
    Known("multilabel_margin", [0.25, 0.5], [[1, 0]], lambda: [0], lambda: [0, 0]),
    Known("gaussian_nll", [1.0, 2.0], [0.0, 4.0], lambda: [0.5, 2], lambda: [1, -2], {"var": [1.0, 1.0]}),
    Known(
        "gaussian_nll=1+0.5",
        [1.0, 2.0],
        [0.0, 4.0],
        lambda: [1 + log("0.5") / 2 + log_2pi() / 2, 0.5 + log(4) / 2 + log_2pi() / 2],
        lambda: [2, -0.5],
        {"var": [0.25, 4.0]},
    ),
    Known("kl_div", [-1.0, -2.0], [0.5, 0.0], lambda: [(log("0.5") + 1) / 2, 0], lambda: [-0.5, 0]),
    Known("kl_div=1", [-1.0, 1.0], [0.0, -1.0], lambda: [1, -2 * (-arb(1)).exp()], lambda: [-1, -(-arb(1)).exp()]),
    Known("poisson_nll", [0.0, 1.0], [3.0, 0.0], lambda: [1, arb(1).exp()], lambda: [-2, arb(1).exp()]),
    Known(
        "poisson_nll=1+1",
        [0.0, 0.0],
        [1.0, 2.0],
        lambda: [1, 1 + 2 * log(2) - 2 + (4 * arb.pi()).log() / 2],
        lambda: [0, -1],
    ),
    Known(
        "poisson_nll=0+0+0.125",
        [0.375, 0.25],
        [2.0, 0.0],
        lambda: [arb("0.375") - 2 * log("0.5"), 0.25],
        lambda: [-3, 1],
    ),
    Known("bce", [0.5, 0.25], [1.0, 0.0], lambda: [log(2), -log("0.75")], lambda: [-2, arb(4) / 3]),
    Known("bce", [0.0, 1.0], [0.0, 1.0], lambda: [0, 0], lambda: [1, -1]),
    Known("bce_with_logits", [0.0, 0.0], [1.0, 0.25], lambda: [log(2), log(2)], lambda: [-0.5, 0.25]),
    Known(
        "bce_with_logits=weighted",
        [0.0, 0.0],
        [1.0, 0.25],
        lambda: [3 * log(2), 2 * log(2)],
        lambda: [-1.5, -0.25],
        {"pos_weight": [3.0, 5.0]},
    ),
    Known("soft_margin", [0.0, 0.0], [1.0, -1.0], lambda: [log(2), log(2)], lambda: [-0.5, 0.5]),
    Known("multilabel_soft_margin", [0.0, 0.0], [1.0, 0.0], lambda: [2 * log(2)], lambda: [-0.5, 0.5]),
    Known(
        "multilabel_soft_margin=weighted",
        [0.0, 0.0],
        [1.0, 0.0],
        lambda: [5 * log(2)],
        lambda: [-1, 1.5],
        {"weight": [2.0, 3.0]},
    ),
    Known("categorical_cross_entropy", [0.5, 0.25], [1.0, 0.0], lambda: [log(2)], lambda: [-2, 0]),
    Known("categorical_cross_entropy", [0.5, 0.0], [1.0, 0.0], lambda: [log(2)], lambda: [-2, 0]),
    Known("cross_entropy", [3.0, 3.0], [0], lambda: [log(2)], lambda: [-0.5, 0.5]),
    Known("cross_entropy=index+weighted+1", [3.0, 3.0], [1], lambda: [0], lambda: [0, 0], {"weight": [2.0, 3.0]}),
    # 1/2 of the target's weight and 1/4 of each weight: 1 + 1/2 and 3/4.
    Known(
        "cross_entropy=index+weighted+-100+0.5",
        [3.0, 3.0],
        [0],
        lambda: [2.25 * log(2)],
        lambda: [-0.375, 0.375],
        {"weight": [2.0, 3.0]},
    ),
    Known(
        "cross_entropy=probabilities+none+-100+0.5",
        [1.0, 1.0],
        [1.0, 0.0],
        lambda: [log(2)],
        lambda: [-0.25, 0.25],
    ),
]


def log(number: Any) -> arb:
    """The natural logarithm, as a ball."""
    return arb(number).log()


def log_2pi() -> arb:
    """log(2 pi)."""
    return (2 * arb.pi()).log()


def known_case(known: Known) -> Case:
    """One sample with the targets and arrays of a known answer."""
    formula = Formula.parse(known.loss, catalogue.LOSSES)
    case = case_of(formula, outputs=len(known.a), samples=1)
    y = np.array(known.y) if case.y.dtype.kind == "i" else np.array([known.y], dtype=np.float64)
    arrays = {name: np.array([row] if name == "var" else row) for name, row in known.arrays.items()}
    return replace(case, y=y, loss_arrays=arrays)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known.loss}-{known.y}")
def test_known_values(known: Known) -> None:
    """Computed by hand; where they are rational with a power of two below, to the last bit."""
    losses, gradient = row_of(known_case(known), [arb(entry) for entry in known.a])
    for found, wanted in zip(
        [*losses, *gradient], [*map(arb, known.losses()), *map(arb, known.gradient())], strict=True
    ):
        if wanted.is_exact() and found.is_exact():
            assert found == wanted
        else:
            assert found.overlaps(wanted)
            assert found.rad() < arb((1, -100))


def test_known_values_leave_out_no_loss() -> None:
    """Each loss of the catalogue has one."""
    assert {known.loss.partition("=")[0] for known in KNOWN} == {*catalogue.LOSSES}


@pytest.mark.parametrize("name", sorted(TAKES_COMPLEMENTS))
def test_a_probability_of_zero_for_what_happens_has_no_loss(name: str) -> None:
    """A pole is no number, and it is counted, so that nobody waits for more precision."""
    case = known_case(Known(name, [0.0, 0.5], [1.0, 0.0], list, list))
    ties = Ties("torch")
    losses, gradient = row_of(case, [arb(0), arb(1) / 2], ties=ties)
    assert losses[0].is_nan()
    assert gradient[0].is_nan()
    assert gradient[1].is_finite()
    assert ties.sets > 0


def test_bce_takes_the_complement_that_it_is_given() -> None:
    """With p within e^-1000 of 1 and y = 0 the loss is 1000 at 128 bits, where 1 - p is lost."""
    case = known_case(Known("bce", [0.5], [0.0], list, list))
    tail = ball(-1000.0).exp()
    row = LOSSES["bce"](case, Ties("torch"))
    losses, gradient = row(0, Outputs([1 - tail], [tail]))
    assert losses[0].overlaps(arb(1000))
    assert losses[0].rad() < arb((1, -100))
    assert (gradient[0] * tail).overlaps(arb(1))


@pytest.mark.parametrize("text", ["soft_margin", "bce_with_logits", "cross_entropy", "multilabel_soft_margin"])
@pytest.mark.parametrize("size", [1e5, 3e38, 1e308])
def test_losses_on_logits_stay_sharp_at_any_size(text: str, size: float) -> None:
    """No intermediate number overflows: 512 bits leave a finite truth everywhere."""
    formula = Formula.parse(text, catalogue.LOSSES)
    case = case_of(formula, samples=1)
    with ctx.workprec(512):
        for a in ([arb(size), arb(-size), arb(0)], [arb(-size), arb(size), arb(1)]):
            for part in row_of(case, a):
                found = to_float64(part)
                assert np.all(found.reach <= np.maximum(2.0**-53 * np.abs(found.middle), 5e-324))
