"""Batches that no bound decides: their samples settle them, or nothing does; and what is wrong never agrees."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.comparison import Bounds, compare
from backproof.examine import Examiner, ask
from backproof.judging import doubts
from backproof.judging.offered import given_for
from backproof.judging.verdicts import Verdict
from backproof.scratch import Backprop
from backproof.scratch.activations import Tanhshrink
from backproof.settling.batches import ADDS_UP
from backproof.settling.settle import Settlement
from backproof.truth import autograd
from backproof.truth.divisors import divisor

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parents[1] / "truth"))
from implementations import gradients_of


def settlement(candidate) -> Settlement:
    """One candidate's settlement, compared with PyTorch."""
    return Settlement(
        candidate, ask, lambda case, answer: compare(case, answer, autograd.reference(case), Bounds(case))
    )


# --- Batches of which single samples show more ---

# Two outputs of a softmax: db of the last layer is a sum of 24 numbers near 0.1 that leaves 1e-5.
SUMS = "4-8-3-2,softshrink=1-hardtanh=-1+2-softmax,mse,batchmean,n24,f32,normal,s28964517,bias=101"
ORDINARY = "3-4-2,tanh,mse,sum,n3,f64,normal,s1"


def judged(text, candidate):
    """A case, the checks of the comparison, and the answer."""
    case = build_case(NetworkSpec.parse(text))
    answer = ask(candidate, case)
    return case, compare(case, answer, autograd.reference(case), Bounds(case)), answer


def doubted(text, candidate, *, note=doubts.CANCELLATION):
    """The same, every check undecided."""
    case, checks, answer = judged(text, candidate)
    return case, tuple(check._replace(verdict=Verdict.UNDECIDED, note=note) for check in checks), answer


def undecided(checks):
    """What is left undecided."""
    return {(check.quantity, check.layer) for check in checks if check.verdict is Verdict.UNDECIDED}


@pytest.mark.parametrize("note", [doubts.CANCELLATION, doubts.SATURATION, doubts.KINK, doubts.DEPTH])
@pytest.mark.parametrize(
    "text",
    [
        SUMS,
        "3-4-2,tanh,mse,sum,n3,f64,normal,s1",
        "3-4-2,tanh,mse,none,n3,f64,normal,s1",
        "3-4-2,relu-identity,mse,mean,n8,f64,normal,s3",
        "3-4-4,relu-log_softmax,nll=weighted+1,mean,n9,f64,normal,s2,bias=01",
    ],
)
def test_samples_that_are_right_and_make_the_batch_agree(text, note):
    """Units that are dead on some samples, layers without bias and ignored targets stand in nobody's way."""
    case, checks, answer = doubted(text, Scratch(), note=note)
    settled = settlement(Scratch()).add_up(case, checks, answer)
    assert not undecided(settled)
    assert {check.note for check in settled} == {ADDS_UP}


def test_a_batch_made_of_samples_names_the_departure_that_it_is_far_from():
    """hardsigmoid's slope in float64 is PyTorch's mistake, also where a kink in the batch leaves it to samples."""
    activations = "hardsigmoid-hardshrink-celu=0.5-tanh-mish-leaky_relu"
    text = f"9-7-4-8-13-12-14,{activations},linear,batchmean,n26,f64,integers,s9630973"
    checks = Examiner(Scratch()).examine(build_case(NetworkSpec.parse(text)))
    (weight,) = [check for check in checks if (check.quantity, check.layer) == ("weight", 1)]
    assert weight.error_over_bound > 1.0
    assert weight.verdict is Verdict.REFERENCE_WRONG
    assert weight.note.startswith("hardsigmoid")


def test_what_underflows_is_not_added_up():
    """Its samples underflow as well."""
    case, checks, answer = doubted(ORDINARY, Scratch(), note=doubts.UNDERFLOW)
    assert settlement(Scratch()).add_up(case, checks, answer) == checks


class Altered(Scratch):
    """scratch with its answers to single samples, or to batches, changed."""

    def __init__(self, *, of_samples=lambda answer: answer, of_batches=lambda answer: answer):
        super().__init__()
        self.of_samples, self.of_batches = of_samples, of_batches

    def answer(self, case):
        """The changed answer."""
        return (self.of_samples if case.spec.batch_size == 1 else self.of_batches)(super().answer(case))


def changed(quantity, layer, change):
    """An answer with one quantity changed."""

    def altered(answer):
        if layer is None:
            name = "loss" if quantity == "loss" else "inputs"
            return replace(answer, **{name: change(getattr(answer, name))})
        name = {"weight": "weights", "bias": "biases", "delta": "deltas"}[quantity]
        arrays = list(getattr(answer, name))
        arrays[layer - 1] = change(arrays[layer - 1])
        return replace(answer, **{name: tuple(arrays)})

    return altered


def times(factor):
    """An array times a factor, in its own dtype."""
    return lambda array: array * array.dtype.type(factor)


def test_a_batch_that_is_not_the_sum_stays_undecided():
    """A mean for a sum: what does not add up is no agreement."""
    candidate = Altered(of_batches=changed("weight", 1, times(1.0 / 3.0)))
    assert undecided(settlement(candidate).add_up(*doubted(ORDINARY, candidate))) == {("weight", 1)}


def test_rows_that_are_not_the_samples_stay_undecided():
    """The deltas of another sample are those of another sample."""
    candidate = Altered(of_batches=changed("delta", 2, lambda delta: delta[::-1]))
    assert undecided(settlement(candidate).add_up(*doubted(ORDINARY, candidate))) == {("delta", 2)}


def test_numbers_that_are_not_finite_make_no_batch():
    """Nor do they warn of anything."""
    wrong = changed("delta", 2, times(np.inf))
    candidate = Altered(of_samples=wrong, of_batches=wrong)
    assert ("delta", 2) in undecided(settlement(candidate).add_up(*doubted(ORDINARY, candidate)))


@pytest.mark.parametrize(
    "candidate",
    [
        Altered(**dict.fromkeys(("of_samples", "of_batches"), changed("weight", 1, times(1.0005)))),
        Altered(of_samples=lambda answer: Answer(failure="error", message="one sample is too few")),
        Altered(of_samples=lambda answer: replace(answer, deltas=None, inputs=None, loss=None)),
    ],
    ids=["wrong samples", "no samples", "samples with less"],
)
def test_samples_that_are_not_right_settle_nothing(candidate):
    """They may add up as well as they like."""
    case, checks, answer = doubted(ORDINARY, candidate)
    left = undecided(settlement(candidate).add_up(case, checks, answer))
    assert left >= {("delta", 2), ("delta", 1), ("input", None)}


def test_samples_that_break_an_equation_give_true_shares_to_what_is_right():
    """A sum that cancels is then held to what each sample truly gives: db is wrong and stays undecided, dW agrees."""
    wrong = changed("bias", 1, times(1.0005))
    candidate = Altered(of_samples=wrong, of_batches=wrong)
    case = build_case(NetworkSpec.parse("1-1,identity,half_squared_error,sum,n2,f64,normal,s1"))
    # The second sample is the first with nearly the opposite error.
    turned = 2.0 * (case.weights[0][0] * case.x[0] + case.biases[0]) - case.y[0]
    case = replace(case, x=np.repeat(case.x[:1], 2, axis=0), y=np.stack([case.y[0], turned * (1.0 + 2.0**-20)]))
    answer = ask(candidate, case)
    checks = compare(case, answer, autograd.reference(case), Bounds(case))
    checks = tuple(check._replace(verdict=Verdict.UNDECIDED, note=doubts.CANCELLATION) for check in checks)
    left = undecided(settlement(candidate).add_up(case, checks, answer))
    assert ("bias", 1) in left
    assert ("weight", 1) not in left


def test_what_has_a_penalty_is_not_added_up():
    """A penalty belongs to no sample; and a single sample is not made of any."""
    for text in (f"{ORDINARY},penalty=0.01+0.1", ORDINARY.replace("n3", "n1")):
        case, checks, answer = doubted(text, Scratch())
        assert settlement(Scratch()).add_up(case, checks, answer) == checks


DIVIDES = (
    "5-11-14-7-15-13-8,tanh-hardsigmoid-tanhshrink-silu-relu6-relu6,poisson_nll=0+1,mean,n31,f32,normal,s31990464,"
    "bias=001010"
)
# Where one last place of one function moves a gradient by more than must show: a p that float32 does not tell from 1; a
# z - tanh z that has lost every digit; a loss that divides by an output that is nearly 0.
IRREDUCIBLE = [
    "5-7-3,tanhshrink-softmin,bce,batchmean,n26,f32,normal,s40564757,bias=10",
    "1-7-7-10,identity-elu=0.5-sigmoid,bce,mean,n23,f32,normal,s63409866",
    "2-9-15-14-1-5-13,tanh-silu-hardswish-tanhshrink-relu6-hardtanh,mse,mean,n1,f32,normal,s84806334,bias=000000",
    DIVIDES,
]


class NextBelow(Backprop):
    """Every activation, and the tanh in tanhshrink, rounded to the next number towards 0: as right as any."""

    def activation(self, z, activation):
        """The next number, where there is one."""
        a = super().activation(z, activation)
        below = z - np.nextafter(np.tanh(z), z.dtype.type(0)) if isinstance(activation, Tanhshrink) else a
        return np.where(a == 0.0, a, np.nextafter(below, a.dtype.type(0)))


@pytest.mark.parametrize("text", IRREDUCIBLE)
def test_what_a_last_place_moves_by_more_than_must_show_stays_undecided(text):
    """Two programs that are both right differ by more there: nothing can tell a wrong one from them."""
    case = build_case(NetworkSpec.parse(text))
    left = undecided(Examiner(Scratch()).examine(case))
    assert left
    one, other = gradients_of(case), gradients_of(case, NextBelow)
    truth = autograd.reference(case)
    for key in left:
        apart = np.abs(doubts.entry(one, *key).astype(np.float64) - doubts.entry(other, *key))
        assert not doubts.shows(apart.max(), np.abs(doubts.entry(truth, *key)).max(), case.spec.dtype), key


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.0005])
@pytest.mark.parametrize("text", IRREDUCIBLE)
def test_a_program_that_is_wrong_where_nothing_can_tell_is_not_called_right(text, factor):
    """Of all quantities that stay undecided, each is wrong."""
    case = build_case(NetworkSpec.parse(text))
    left = undecided(Examiner(Scratch()).examine(case))

    def wrong(answer):
        for key in left:
            answer = changed(*key, times(factor))(answer)
        return answer

    checks = Examiner(Altered(of_samples=wrong, of_batches=wrong)).examine(case)
    assert not left & {(check.quantity, check.layer) for check in checks if check.verdict is Verdict.AGREE}


# Networks on which no bound decides one quantity, though each sample does, and which quantities those are.
LEFT_OPEN = {
    # One preactivation beside a kink; rounding has taken it to another side than PyTorch's.
    "1-3-16-6-2-13,relu-mish-relu6-tanhshrink-relu,huber,batchmean,n13,f32,normal,s55302130,bias=00000": [("delta", 5)],
    "13-3-2-1-9-13-9,identity-silu-selu-tanhshrink-relu-relu6,multilabel_margin,batchmean,n20,f32,normal,s36745570,"
    "bias=000000": [("delta", 5)],
    # z - tanh z of small numbers: the shares are true to 1e-4, and their sum, a tenth of them, to 1e-3.
    "1-6-3-2-15-8-15,hardswish-softsign-relu6-hardtanh-tanhshrink-tanhshrink,multilabel_soft_margin,mean,n6,f32,normal,"
    "s7512199,bias=000000": [("weight", 6), ("weight", 5), ("weight", 4), ("weight", 1)],
}
OPEN_QUANTITIES = [(text, *key) for text, keys in LEFT_OPEN.items() for key in keys]


def verdict_of(candidate, text, quantity, layer):
    """The verdict of the whole examination on one quantity."""
    checks = Examiner(candidate).examine(build_case(NetworkSpec.parse(text)))
    return next(check.verdict for check in checks if (check.quantity, check.layer) == (quantity, layer))


@pytest.mark.parametrize(("text", "quantity", "layer"), OPEN_QUANTITIES)
def test_what_no_bound_decides_is_settled_by_its_samples(text, quantity, layer):
    """Undecided by every bound, and no more in the end."""
    _, checks, _ = judged(text, Scratch())
    assert (quantity, layer) in undecided(checks)
    assert verdict_of(Scratch(), text, quantity, layer) is Verdict.AGREE


# db is a sum of 0.17 and -0.17 that leaves 1e-5, and a softmax stands on its way: a bound decides it, barely.
WIDE = (
    "3-4-13-1-6-14-2,selu-hardtanh=-1+2-identity-selu-sigmoid-softmax,hinge_embedding=2,batchmean,n3,f32,normal,s74251335",
    "bias",
    6,
)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.0005])
@pytest.mark.parametrize(("text", "quantity", "layer"), [WIDE, *OPEN_QUANTITIES])
def test_a_program_that_is_wrong_there_does_not_agree(text, quantity, layer, factor):
    """Zero, the wrong sign, or 1.0005 times the right size, in the very quantity that no bound decides."""
    wrong = changed(quantity, layer, times(factor))
    assert verdict_of(Altered(of_samples=wrong, of_batches=wrong), text, quantity, layer) is not Verdict.AGREE


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize(("text", "quantity", "layer"), OPEN_QUANTITIES)
def test_a_sample_that_is_left_out_or_counted_twice_does_not_agree(text, quantity, layer, count):
    """So for each of the samples whose share could show in the largest of them."""
    case = build_case(NetworkSpec.parse(text))
    shares = [
        given_for(ask(Scratch(), case.sample(n)), quantity, layer) * (divisor(case.sample(n)) / divisor(case))
        for n in range(case.spec.batch_size)
    ]
    sizes = [np.abs(share).max() for share in shares]
    shown = [n for n, size in enumerate(sizes) if size > 2.0 * doubts.SHOWN[case.spec.dtype] * max(sizes)]
    assert shown
    for sample in shown:

        def counted(array, sample=sample):
            more = np.zeros_like(array)
            more[sample if quantity == "delta" else ...] = (count - 1) * shares[sample]
            return array + more

        candidate = Altered(of_batches=changed(quantity, layer, counted))
        assert verdict_of(candidate, text, quantity, layer) is not Verdict.AGREE
