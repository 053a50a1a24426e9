"""Verdicts: one positive, one negative and one wrong-kind case for each, and the order in which they are given."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from backproof.candidates.contract import Answer
from backproof.candidates.loading import load
from backproof.cases import Case, Gradients, NetworkSpec, build_case
from backproof.comparison import Bounds, Verdict, compare
from backproof.judging.doubts import REASONS
from backproof.judging.verdicts import Check, whole_call
from backproof.truth import autograd, exact

SIGMOID = "3-4-2,sigmoid,half_squared_error,sum,n5,f64,normal,s7"
FAILING = {"disagree", "shape", "missing", "non_finite", "mutated_input", "nondeterministic", "error", "timeout"}


def case_of(text: str) -> Case:
    """The case of an id."""
    return build_case(NetworkSpec.parse(text))


def judged(case: Case, answer: Answer, bounds: Bounds | None = None) -> dict[tuple[str, int | None], Check]:
    """The check of each quantity, by its name and layer."""
    checks = compare(case, answer, autograd.reference(case), bounds or Bounds(case))
    return {(check.quantity, check.layer): check for check in checks}


def truth(case: Case) -> Answer:
    """The reference's own answer."""
    return Answer.of(autograd.reference(case))


def with_loss(case: Case, loss: float) -> Answer:
    """The reference's answer with another loss."""
    return replace(truth(case), loss=np.asarray(loss))


class Given(Bounds):
    """Bounds that are one number each, per level, for every entry."""

    def __init__(
        self, case: Case, *, accurate: float, textbook: float | None = None, kink: float | None = None
    ) -> None:
        super().__init__(case)
        self.levels = {"accurate": accurate, "textbook": textbook or accurate, "kink": kink or textbook or accurate}

    def limit(self, level="accurate", *, dtype=None, against="reference") -> Gradients:
        reference = autograd.reference(self.case)

        def filled(array):
            return None if array is None else np.full_like(array, self.levels[level])

        return Gradients(
            filled(reference.loss),
            tuple(map(filled, reference.weights)),
            tuple(map(filled, reference.biases)),
            filled(reference.inputs),
            tuple(map(filled, reference.deltas)),
        )

    def chained_is_enough(self, pair, level, *, dtype):
        return True

    def tightest(self, pair, level, *, dtype, against="reference"):
        return np.full_like(pair.reference, self.levels.get(level, self.levels["textbook"]))


def test_verdict_is_one_of_a_closed_set():
    """The words, and which of them fail a run."""
    assert {verdict.value for verdict in Verdict if verdict.fails} == FAILING
    assert {verdict.value for verdict in Verdict if not verdict.fails} == {
        "agree", "kink", "reference_wrong", "undecided", "not_offered", "unsupported",
    }  # fmt: skip
    assert not any(Verdict(word).compared for word in FAILING - {"disagree", "non_finite"})


def test_compare_reports_every_quantity_in_backward_order():
    """The reference's own numbers agree, from the loss back to the input."""
    case = case_of(SIGMOID)
    checks = compare(case, truth(case), autograd.reference(case), Bounds(case))
    assert [(check.quantity, check.layer, check.position) for check in checks] == [
        ("loss", None, ""),
        ("delta", 2, "output"), ("bias", 2, "output"), ("weight", 2, "output"),
        ("delta", 1, "first"), ("bias", 1, "first"), ("weight", 1, "first"),
        ("input", None, ""),
    ]  # fmt: skip
    assert {check.verdict for check in checks} == {Verdict.AGREE}
    assert all(check.max_abs_error == 0 == check.error_over_bound for check in checks)


def test_compare_names_the_middle_layers_hidden():
    """Output, hidden and first are the positions of a deep network; a single layer is the output."""
    deep = judged(case := case_of("2-3-3-2,tanh,mse,mean,n4,f64,normal,s1"), truth(case))
    assert [deep["weight", layer].position for layer in (3, 2, 1)] == ["output", "hidden", "first"]
    flat = judged(case := case_of("2-3,tanh,mse,mean,n4,f64,normal,s1"), truth(case))
    assert flat["weight", 1].position == "output"


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_compare_agrees_at_the_bound_and_disagrees_beyond(dtype: str):
    """One entry moved by the bound agrees; moved by twice the bound it is found, and no other quantity is blamed."""
    case = case_of(SIGMOID.replace("f64", dtype))
    bounds, reference = Bounds(case), autograd.reference(case)
    limit = bounds.limit("textbook").weights[1]

    def moved(steps: float) -> Answer:
        weight = reference.weights[1].copy()
        weight[1, 2] += steps * limit[1, 2]
        return replace(truth(case), weights=(reference.weights[0], weight))

    # Half the bound, because the sum itself is rounded.
    assert judged(case, moved(0.5), bounds)["weight", 2].verdict == Verdict.AGREE
    checks = judged(case, moved(2.0), bounds)
    wrong = checks.pop(("weight", 2))
    assert wrong.verdict == Verdict.DISAGREE
    assert {check.verdict for check in checks.values()} == {Verdict.AGREE}
    assert (wrong.worst_index, wrong.mismatched, wrong.shape, wrong.entries) == ((1, 2), 1, (2, 4), 8)
    assert wrong.reference_value == reference.weights[1][1, 2]
    assert wrong.exact_value == exact.reference(case).weights[1][1, 2]
    assert wrong.error_over_bound > 1.0
    assert wrong.max_abs_error == abs(wrong.candidate_value - wrong.reference_value)


def test_compare_holds_the_limit_to_the_last_digit():
    """An error that equals the bound agrees; the next larger double does not."""
    case = case_of(SIGMOID)
    loss = float(autograd.reference(case).loss)
    step = 2.0**-20
    bounds = Given(case, accurate=step)
    assert judged(case, with_loss(case, loss + step), bounds)["loss", None].verdict == Verdict.AGREE
    beyond = float(np.nextafter(loss + step, inf))
    assert judged(case, with_loss(case, beyond), bounds)["loss", None].verdict == Verdict.DISAGREE


def test_compare_accepts_a_loss_of_one_entry_in_any_shape():
    """(1,) and (1, 1) are scalars to every reader."""
    case = case_of(SIGMOID)
    loss = autograd.reference(case).loss
    for shape in ((), (1,), (1, 1)):
        assert judged(case, replace(truth(case), loss=loss.reshape(shape)))["loss", None].verdict == Verdict.AGREE
    assert judged(case, replace(truth(case), loss=np.repeat(loss, 2)))["loss", None].verdict == Verdict.SHAPE


def test_compare_tells_missing_from_not_offered():
    """Weight and bias gradients must be there; the loss, the input gradient and the deltas are optional."""
    case = case_of(SIGMOID)
    reference = autograd.reference(case)
    nothing = Answer(weights=(None, reference.weights[1]), biases=(reference.biases[0], None))
    verdicts = {key: check.verdict for key, check in judged(case, nothing).items()}
    assert verdicts["weight", 1] == verdicts["bias", 2] == Verdict.MISSING
    assert verdicts["weight", 2] == verdicts["bias", 1] == Verdict.AGREE
    assert verdicts["loss", None] == verdicts["input", None] == verdicts["delta", 1] == Verdict.NOT_OFFERED


def test_compare_ignores_a_bias_gradient_where_there_is_no_bias():
    """What a candidate returns for a bias that does not exist is nobody's business."""
    case = case_of("3-4-2,sigmoid,mse,sum,n5,f64,normal,s7,bias=00")
    checks = judged(case, replace(truth(case), biases=(np.ones(7), None)))
    assert not any(quantity == "bias" for quantity, _ in checks)


def test_compare_says_which_shape_it_wanted():
    """A wrong shape is said with both shapes, and a transposed array is recognised."""
    case = case_of(SIGMOID)
    reference = autograd.reference(case)
    turned = replace(truth(case), weights=(reference.weights[0].T, reference.weights[1][:, :3]))
    checks = judged(case, turned)
    assert checks["weight", 1].verdict == checks["weight", 2].verdict == Verdict.SHAPE
    assert checks["weight", 1].note == "got shape (3, 4), wanted (4, 3): it looks transposed"
    assert checks["weight", 2].note == "got shape (2, 3), wanted (2, 4)"


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_compare_calls_a_candidate_non_finite_before_it_looks_at_values(bad: float):
    """NaN or an infinity where the truth is finite and decidable fails as that."""
    case = case_of(SIGMOID)
    delta = autograd.reference(case).deltas[0].copy()
    delta[2, 1] = bad
    checks = judged(case, replace(truth(case), deltas=(delta, autograd.reference(case).deltas[1])))
    assert checks["delta", 1].verdict == Verdict.NON_FINITE
    assert (checks["delta", 1].worst_index, checks["delta", 1].mismatched) == ((2, 1), 1)
    assert checks["delta", 1].max_abs_error == inf


def test_compare_blames_nobody_where_the_bound_is_infinite():
    """Where one correct form overflows, anything goes: the entry is undecided, and another entry can still be wrong."""
    case = case_of("2-3,hardsigmoid,bce,none,n4,f64,saturated,s1")
    bounds, reference = Bounds(case), autograd.reference(case)
    free = ~np.isfinite(bounds.limit("textbook").deltas[0])
    assert free.any()
    assert not free.all()
    delta = np.where(free, nan, reference.deltas[0])
    checks = judged(case, replace(truth(case), deltas=(delta,)), bounds)
    assert checks["delta", 1].verdict == Verdict.UNDECIDED
    assert checks["delta", 1].note in REASONS
    checks = judged(case, replace(truth(case), deltas=(np.where(free, reference.deltas[0], 1e3),)), bounds)
    assert checks["delta", 1].verdict == Verdict.DISAGREE


def test_compare_is_undecided_where_the_bound_exceeds_the_quantity():
    """An error within a bound that is larger than the gradient itself is no agreement, even if it is zero."""
    case = case_of(SIGMOID)
    size = float(np.abs(autograd.reference(case).weights[0]).max())
    checks = judged(case, truth(case), Given(case, accurate=size))
    assert checks["weight", 1].verdict == Verdict.UNDECIDED
    checks = judged(case, truth(case), Given(case, accurate=float(np.nextafter(size, 0.0))))
    assert checks["weight", 1].verdict == Verdict.AGREE


def test_compare_takes_exact_zeros_at_their_word():
    """A quantity that is zero without any rounding agrees where it is zero, and nowhere else."""
    # relu of numbers that are exact and negative everywhere: nothing flows back.
    case = case_of("1-1,relu,linear,sum,n2,f64,ones,s1")
    case = replace(case, weights=(-np.ones((1, 1)),), biases=(-np.ones(1),), x=np.ones((2, 1)))
    assert not Bounds(case).limit().weights[0].any()
    assert judged(case, truth(case))["weight", 1].verdict == Verdict.AGREE
    off = replace(truth(case), weights=(np.full((1, 1), 1e-323),))
    assert judged(case, off)["weight", 1].verdict == Verdict.DISAGREE


def test_compare_notes_a_lossy_form():
    """Within the bound of the textbook's formulas alone: agreement, and noted; undecided where that says nothing."""
    case = case_of(SIGMOID)
    loss = float(autograd.reference(case).loss)
    off = with_loss(case, loss * (1.0 + 2.0**-30))
    bounds = Given(case, accurate=loss * 2.0**-40, textbook=loss * 2.0**-20)
    check = judged(case, off, bounds)["loss", None]
    assert (check.verdict, check.note) == (Verdict.AGREE, "lossy form")
    check = judged(case, off, Given(case, accurate=loss * 2.0**-40, textbook=2.0 * loss))["loss", None]
    assert check.verdict == Verdict.UNDECIDED
    assert check.note in REASONS


def test_compare_calls_another_subgradient_a_kink():
    """relu at exactly 0: PyTorch's slope is 0, and 1 is as good; 2 is not."""
    case = case_of("1-1,relu,linear,sum,n1,f64,ones,s1,bias=0")
    case = replace(case, weights=(np.ones((1, 1)),), x=np.zeros((1, 1)), y=np.ones((1, 1)))
    assert autograd.reference(case).deltas[0].item() == 0.0

    def answer(slope: float) -> Answer:
        return replace(truth(case), deltas=(np.full((1, 1), slope),), inputs=np.full((1, 1), slope))

    kink = judged(case, answer(1.0))
    assert kink["delta", 1].verdict == kink["input", None].verdict == Verdict.KINK
    assert kink["delta", 1].note == "another subgradient where the derivative does not exist"
    assert judged(case, answer(4.0))["delta", 1].verdict == Verdict.DISAGREE


def test_another_subgradient_is_one_where_the_reference_departs_besides():
    """relu at exactly 0 below hardsigmoid, whose slope in PyTorch is float32's: exact values show the subgradient."""
    case = case_of("1-1-1,relu-hardsigmoid,linear,sum,n1,f64,ones,s1,bias=00")
    one = np.ones((1, 1))
    case = replace(case, weights=(one, one), x=np.zeros((1, 1)), y=one)

    def answer(slope: float) -> Answer:
        exactly = truth(case)
        deltas = (exactly.deltas[1] * slope, exactly.deltas[1])
        return replace(exactly, deltas=deltas, inputs=deltas[0], weights=(0.0 * one, exactly.weights[1]))

    assert judged(case, answer(1.0))["delta", 1].verdict == Verdict.KINK
    assert judged(case, answer(4.0))["delta", 1].verdict == Verdict.DISAGREE


def test_float64_arrays_of_float32_numbers_may_overflow_as_float32_does():
    """A true value of 1e61 is infinite in float32, in whichever array it is handed back; 1 is not."""
    case = case_of("1-1,identity,linear,sum,n1,f32,ones,s1,bias=0")
    large = np.full((1, 1), 1e30, np.float32)
    for y, verdicts in ((large, {Verdict.UNDECIDED}), (np.ones_like(large), {Verdict.NON_FINITE})):
        given = replace(case, weights=(np.ones_like(large),), x=large, y=y)
        checks = judged(given, replace(truth(given), weights=(np.full((1, 1), np.inf),)))
        assert {checks["weight", 1].verdict} == verdicts


def test_compare_lets_exact_arithmetic_say_that_the_reference_is_wrong():
    """hardsigmoid in float64: scratch is right, PyTorch's slope is float32's 1/6, and the row is named."""
    case = case_of("3-4,hardsigmoid,linear,sum,n5,f64,normal,s3")
    (scratch,) = load("scratch")
    check = judged(case, scratch.answer(case))["weight", 1]
    assert check.verdict == Verdict.REFERENCE_WRONG
    assert "hardsigmoid" in check.note
    assert check.exact_value is not None
    assert abs(check.candidate_value - check.exact_value) < abs(check.reference_value - check.exact_value)


def test_compare_says_when_both_are_wrong():
    """A candidate that is wrong where PyTorch is too disagrees, and the note says so."""
    case = case_of("3-4,hardsigmoid,linear,sum,n5,f64,normal,s3")
    weight = 2.0 * exact.reference(case).weights[0]
    check = judged(case, replace(truth(case), weights=(weight,)))["weight", 1]
    assert check.verdict == Verdict.DISAGREE
    assert check.note.startswith("PyTorch is wrong here too (hardsigmoid")


def test_compare_agrees_with_the_truth_where_both_are_at_the_edge_of_it():
    """Further from the reference than the bound, on the other side of the truth: neither is wrong."""
    case = case_of(SIGMOID)
    bounds, true = Bounds(case), exact.reference(case)
    limit = bounds.limit("textbook", dtype="float64", against="truth").inputs
    # Both err by nearly the whole bound, in opposite ways: against each other that is twice the bound.
    reference = replace(autograd.reference(case), inputs=true.inputs - 0.999 * limit)
    tight = Given(case, accurate=float(limit.min()))
    tight.tightest = lambda pair, level, *, dtype, against="reference": limit if against == "truth" else 0.5 * limit
    checks = compare(case, replace(truth(case), inputs=true.inputs + 0.999 * limit), reference, tight)
    found = next(check for check in checks if check.quantity == "input")
    assert (found.verdict, found.note) == (Verdict.AGREE, "within the bound of the exact value")


def test_compare_judges_nothing_where_nothing_is_given():
    """Every array missing: no numbers at all."""
    case = case_of(SIGMOID)
    checks = judged(case, Answer(weights=(None, None), biases=(None, None)))
    assert {check.verdict for check in checks.values()} == {Verdict.MISSING, Verdict.NOT_OFFERED}


def test_compare_judges_another_dtype_by_its_own_bound():
    """float32 for a float64 case, and the other way round: noted, and held to what that dtype can do."""
    double = case_of(SIGMOID)
    single = case_of(SIGMOID.replace("f64", "f32"))

    def rounded(case: Case, dtype: str) -> Answer:
        return replace(truth(case), weights=tuple(w.astype(dtype) for w in autograd.reference(case).weights))

    check = judged(double, rounded(double, "float32"))["weight", 1]
    assert (check.verdict, check.note) == (Verdict.AGREE, "float32 result")
    check = judged(single, truth(single))["weight", 1]
    assert (check.verdict, check.note) == (Verdict.AGREE, "float64 result")
    # The numbers of float32 in an array of float64: as accurate as was asked for.
    coarse = tuple(w.astype("float32").astype("float64") for w in autograd.reference(single).weights)
    check = judged(single, replace(truth(single), weights=coarse))["weight", 1]
    assert (check.verdict, check.note) == (Verdict.AGREE, "float64 result with the accuracy of float32")
    wrong = tuple(1.001 * w for w in coarse)
    assert judged(single, replace(truth(single), weights=wrong))["weight", 1].verdict == Verdict.DISAGREE
    half = replace(truth(double), weights=tuple(w.astype("float16") for w in autograd.reference(double).weights))
    assert judged(double, half)["weight", 1].verdict == Verdict.DISAGREE


def test_check_is_told_as_people_say_it():
    """As "bias gradient of layer 2", "delta of layer 1", "input gradient"."""
    checks = judged(case := case_of(SIGMOID), truth(case))
    assert checks["bias", 2].name == "bias gradient of layer 2"
    assert checks["delta", 1].name == "delta of layer 1"
    assert (checks["input", None].name, checks["loss", None].name) == ("input gradient", "loss")
    assert whole_call(Verdict.ERROR, "ValueError: no").name == "the call itself"
