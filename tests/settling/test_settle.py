"""Settlement: what single samples decide where the chained bound cannot, and what they may not decide."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases import Domain, NetworkSpec, build_case
from backproof.comparison import PROPAGATED, Bounds, compare
from backproof.examine import Examiner, ask
from backproof.judging.residuals import Residual
from backproof.judging.verdicts import Verdict, whole_call
from backproof.settling.settle import Settlement, is_open
from backproof.truth import autograd

DEEP = "-".join(["64"] * 31) + ",tanh,mse,mean,{samples},{dtype},normal,s3"


class Faulty(Scratch):
    """scratch with the first layer's gradients times a factor, in networks deeper than any that vouches for it."""

    def __init__(self, factor: float, *, spared: int = 6) -> None:
        super().__init__()
        self.factor = factor
        self.spared = spared

    def answer(self, case):
        """The right answer but for the first layer of a deep network."""
        given = super().answer(case)
        if case.spec.depth <= self.spared:
            return given
        factor = np.dtype(case.spec.dtype).type(self.factor)
        weights = (given.weights[0] * factor, *given.weights[1:])
        biases = (given.biases[0] * factor, *given.biases[1:])
        return replace(given, weights=weights, biases=biases, deltas=None, inputs=None)


class Otherwise(Scratch):
    """A candidate that is right within the chained bound and keeps no equation: its gradients are rounded to a grid."""

    def answer(self, case):
        """Every gradient moved by a tenth of what rounding explains."""
        given = super().answer(case)
        limit = Bounds(case).limit()
        weights = tuple(w + 0.1 * e for w, e in zip(given.weights, limit.weights, strict=True))
        return replace(given, weights=tuple(np.asarray(w, case.spec.dtype) for w in weights), deltas=None, inputs=None)


def settlement(candidate) -> Settlement:
    """One candidate's settlement, compared with PyTorch."""
    return Settlement(
        candidate, ask, lambda case, answer: compare(case, answer, autograd.reference(case), Bounds(case))
    )


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("samples", ["n1", "n4"])
@pytest.mark.parametrize("factor", [0.0, *(pytest.param(f, marks=pytest.mark.no_cover) for f in (-1.0, 1.0005))])
def test_settle_finds_a_wrong_first_layer_at_depth_30(factor, samples, dtype):
    """A first layer's gradient that is zero, of the wrong sign or 1.0005 times too large is wrong at any depth."""
    case = build_case(NetworkSpec.parse(DEEP.format(samples=samples, dtype=dtype)))
    checks = Examiner(Faulty(factor)).examine(case)
    wrong = {(check.quantity, check.layer) for check in checks if check.verdict.fails}
    assert wrong == {("weight", 1), ("bias", 1)}


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_settle_leaves_a_right_candidate_alone(dtype):
    """The same network, computed rightly, agrees in every quantity."""
    case = build_case(NetworkSpec.parse(DEEP.format(samples="n4", dtype=dtype)))
    assert {check.verdict for check in Examiner(Scratch()).examine(case)} == {Verdict.AGREE}


def test_settle_blesses_on_one_sample_what_no_bound_decides():
    """Where every equation holds on one sample and could have failed, an undecided quantity agrees."""
    case = build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n1,f64,normal,s1"))
    open_checks = tuple(
        check._replace(verdict=Verdict.UNDECIDED, note="depth")
        for check in compare(case, ask(Scratch(), case), autograd.reference(case), Bounds(case))
    )
    settled = settlement(Scratch()).settle(case, open_checks)
    assert {check.verdict for check in settled} == {Verdict.AGREE}
    assert {check.note for check in settled} == {"each equation holds on the candidate's own values"}


def test_settle_on_a_batch_blesses_nothing():
    """Samples one by one do not show how they are added up."""
    case = build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n3,f64,normal,s1"))
    checks = tuple(
        check._replace(verdict=Verdict.UNDECIDED, note="depth")
        for check in compare(case, ask(Scratch(), case), autograd.reference(case), Bounds(case))
    )
    assert settlement(Scratch()).settle(case, checks) == checks


def test_settle_accuses_nobody_whom_nothing_vouches_for():
    """A candidate that breaks the equations where the chained bound calls it right is of another kind, not wrong."""
    domain = Domain(depth=(2, 4), dtypes="float64", losses="mse", activations="tanh")
    candidate = Otherwise()
    candidate.domain = domain
    found = settlement(candidate)
    assert not found.vouched("float64")
    case = build_case(NetworkSpec.parse("3-4-4-2,tanh,mse,mean,n1,f64,normal,s1"))
    checks = tuple(
        check._replace(verdict=Verdict.UNDECIDED, note="depth")
        for check in compare(case, ask(candidate, case), autograd.reference(case), Bounds(case))
    )
    assert not any(check.verdict.fails for check in found.settle(case, checks))


@pytest.mark.parametrize(
    ("excess", "power", "accused"), [(5.0, 2e-5, False), (5.0, 1e-4, True), (17.0, 1e-9, True), (0.9, 1.0, False)]
)
def test_settle_accuses_nobody_by_little(excess: float, power: float, accused: bool, monkeypatch):
    """Five times a bound of 2e-5 is 1e-4 of the numbers: forward mode may be off by that, and 0.0005 is not in it."""
    found = settlement(Scratch())
    case = build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n3,f32,normal,s1"))
    checks = tuple(
        check._replace(verdict=Verdict.UNDECIDED, note="depth")
        for check in compare(case, ask(Scratch(), case), autograd.reference(case), Bounds(case))
    )
    broken = Residual("BP2", 1, "delta", excess, power)
    monkeypatch.setattr(found, "_tested", lambda case, samples: iter([(0, "float32", [broken])]))
    verdicts = {check.verdict for check in found.settle(case, checks)}
    assert (Verdict.DISAGREE in verdicts) == accused


def test_vouched_needs_a_network_to_vouch():
    """No dtype of the domain, no single sample, no legible answer: nothing vouches."""

    class Silent(Scratch):
        def answer(self, case):
            return Answer(failure="error", message="nothing")

    assert not settlement(Silent()).vouched("float64")
    batches = Scratch()
    batches.domain = Domain(batch_size=(2, 4))
    assert not settlement(batches).vouched("float64")
    narrow = Scratch()
    narrow.domain = Domain(dtypes="float64")
    assert settlement(narrow).vouched("float64")
    assert not settlement(narrow).vouched("float32")


class Counting(Scratch):
    """scratch, and how often it was asked."""

    asked = 0

    def answer(self, case):
        """The right answer."""
        self.asked += 1
        return super().answer(case)


# Hidden layers of 16 in float32: the chained bound of the first layer decides, but an error of 2^-11 could hide in it.
WIDE = "16-16-16-16-16,{activation},mse,mean,n{samples},f32,normal,s1"


@pytest.mark.no_cover
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.0005])
def test_settle_finds_what_could_hide_within_a_bound_that_decides(factor, activation):
    """Zero, the wrong sign, or 1.0005 times the right size, where the chained bound alone would have agreed."""
    case = build_case(NetworkSpec.parse(WIDE.format(activation=activation, samples=4)))
    candidate = Faulty(factor, spared=3)
    bounds = Bounds(case)
    checks = compare(case, ask(candidate, case), autograd.reference(case), bounds)
    assert ("weight", 1) in bounds.wide or any(check.verdict.fails for check in checks)
    assert {check.quantity for check in Examiner(candidate).examine(case) if check.verdict.fails} == {"weight", "bias"}


def test_settle_asks_no_more_samples_than_it_takes():
    """One sample of a batch shows every equation to more than must show."""
    candidate = Counting()
    case = build_case(NetworkSpec.parse(WIDE.format(activation="tanh", samples=32)))
    checks = compare(case, ask(Scratch(), case), autograd.reference(case), Bounds(case))
    wide = {(check.quantity, check.layer) for check in checks}
    assert settlement(candidate).settle(case, checks, wide) == checks
    assert candidate.asked == 1


def test_numbers_that_hide_nothing_are_asked_about_no_samples():
    """The bound is wide in float32, and what it could hide would make the numbers differ more than they do."""
    candidate = Counting()
    for dtype in ("f32", "f64"):
        spec = NetworkSpec.parse(WIDE.format(activation="tanh", samples=32).replace("f32", dtype))
        assert {check.verdict for check in Examiner(candidate).examine(build_case(spec))} == {Verdict.AGREE}
    assert candidate.asked == 2


def test_is_open_names_what_single_samples_settle():
    """What is undecided, but for numbers that underflow, and what only the propagated bound decided."""
    check = whole_call(Verdict.UNDECIDED, "depth")
    assert is_open(check)
    assert is_open(check._replace(note="kink"))
    assert is_open(check._replace(note="saturation"))
    assert not is_open(check._replace(note="underflow"))
    assert is_open(check._replace(verdict=Verdict.AGREE, note=PROPAGATED))
    assert not is_open(check._replace(verdict=Verdict.AGREE, note=""))
    assert not is_open(check._replace(verdict=Verdict.DISAGREE))
