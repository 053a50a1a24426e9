"""One case, from the candidate's answer to its verdicts, and whether a call leaves traces."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from backproof import check_gradients
from backproof.candidates.builtin import Scratch, Torch
from backproof.candidates.contract import Answer, CandidateError
from backproof.candidates.loading import load
from backproof.cases import NetworkSpec, SpecError, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.comparison import Bounds
from backproof.examine import Examiner, ReferenceMissingError, ask, examine, reference_of
from backproof.judging.verdicts import Verdict
from backproof.sessions.assertion import GradientError
from backproof.settling.certificate import Certificate
from backproof.truth import autograd, exact
from backproof.truth.deviations import met

CASE = build_case(NetworkSpec.parse("3-4-2,sigmoid,half_squared_error,sum,n5,f64,normal,s7"))


class Scripted:
    """A candidate whose answer to the n-th call is what a function of (n, case) says."""

    name = "scripted"
    domain = Domain()

    def __init__(self, script) -> None:
        self.calls = 0
        self.script = script

    def answer(self, case):
        self.calls += 1
        return self.script(self.calls, case)


def right(case) -> Answer:
    """The reference's own answer."""
    return Answer.of(autograd.reference(case))


def verdicts(script, **options) -> list[str]:
    """The verdicts on a scripted candidate."""
    return [check.verdict for check in examine(Scripted(script), CASE, **options)]


def test_examine_judges_every_quantity():
    """A right answer agrees in all eight quantities of two layers."""
    assert verdicts(lambda n, case: right(case)) == [Verdict.AGREE] * 8


@pytest.mark.parametrize("failure", ["error", "timeout", "unsupported", "shape", "missing"])
def test_examine_makes_a_failed_answer_one_verdict_on_the_call(failure: str):
    """There is nothing to compare, so the message stands alone."""
    (check,) = examine(Scripted(lambda n, case: Answer(failure=failure, message="because")), CASE)
    assert (check.quantity, check.verdict, check.note) == ("call", failure, "because")
    assert check.max_abs_error is None


def test_ask_makes_an_exception_an_answer():
    """Whatever a candidate raises, except Ctrl-C, is its verdict."""

    def fail(n, case):
        raise LookupError("no\nsuch thing")

    answer = ask(Scripted(fail), CASE)
    assert (answer.failure, answer.message) == ("error", "LookupError: no such thing")

    def stop(n, case):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(Scripted(stop), CASE)


def test_examine_adds_a_verdict_where_inputs_were_changed():
    """Beside the verdicts on the numbers, which may well be right."""
    checks = examine(Scripted(lambda n, case: replace(right(case), mutated="network.weights[1]")), CASE)
    assert [check.verdict for check in checks] == [Verdict.AGREE] * 8 + [Verdict.MUTATED_INPUT]
    assert checks[-1].note == "the call changed network.weights[1]"


def test_examine_calls_again_only_when_asked():
    """Three further calls, two more with whole numbers the first time, and none without `repeat`."""
    candidate = Scripted(lambda n, case: right(case))
    examine(candidate, CASE)
    assert candidate.calls == 1
    examiner = Examiner(candidate)
    for calls in (7, 11):
        assert [check.verdict for check in examiner.examine(CASE, repeat=True)] == [Verdict.AGREE] * 8
        assert candidate.calls == calls


def test_examine_finds_an_array_that_takes_over_the_type_of_the_data():
    """Whole numbers of an integer type are the same numbers; to refuse them is no fault."""

    def truncating(n, case):
        answer = Scratch().answer(case)
        return replace(answer, deltas=tuple(delta.astype(case.x.dtype) for delta in answer.deltas))

    def refusing(n, case):
        if case.x.dtype.kind == "i":
            raise TypeError("floats, please")
        return right(case)

    *others, last = examine(Scripted(truncating), CASE, repeat=True)
    assert (last.quantity, last.verdict) == ("call", Verdict.ERROR)
    assert last.note == (
        "where x is an array of integers, deltas[0] is another than with the same numbers as floats: an array like "
        "np.zeros_like(x) keeps no fractions"
    )
    assert {check.verdict for check in others} == {Verdict.AGREE}
    assert {check.verdict for check in examine(Scripted(refusing), CASE, repeat=True)} == {Verdict.AGREE}


def test_examine_finds_a_state_that_is_kept():
    """A gradient that is added to the one before is right once."""
    kept = {}

    def accumulate(n, case):
        answer = right(case)
        kept["sum"] = answer.weights[0] + kept.get("sum", 0.0)
        return replace(answer, weights=(kept["sum"], answer.weights[1]))

    checks = examine(Scripted(accumulate), CASE, repeat=True)
    assert checks[-1].verdict == Verdict.NONDETERMINISTIC
    assert checks[-1].note == "a second call with the same arguments gives another weights[0]"
    assert {check.verdict for check in checks[:-1]} == {Verdict.AGREE}


def test_examine_forgives_a_second_call_its_rounding():
    """Another order of summation is no state: two right answers may be two bounds apart."""
    step = Bounds(CASE).limit().weights[0]

    def jitter(n, case):
        answer = right(case)
        return replace(answer, weights=(answer.weights[0] + (n % 2) * 0.5 * step, answer.weights[1]))

    def shift(n, case):
        answer = right(case)
        return replace(answer, weights=(answer.weights[0] + (n == 4) * 3.0 * step, answer.weights[1]))

    assert verdicts(jitter, repeat=True) == [Verdict.AGREE] * 8
    assert verdicts(shift, repeat=True)[-1] == Verdict.NONDETERMINISTIC


def test_examine_finds_a_second_call_that_fails_or_has_another_shape():
    """Both are other numbers."""
    assert verdicts(lambda n, case: right(case) if n == 1 else Answer(failure="error"), repeat=True)[-1] == (
        Verdict.NONDETERMINISTIC
    )

    def grow(n, case):
        answer = right(case)
        return answer if n == 1 else replace(answer, loss=np.zeros(3))

    assert verdicts(grow, repeat=True)[-1] == Verdict.NONDETERMINISTIC


def test_examine_finds_an_answer_that_changes_afterwards():
    """A buffer that is handed out twice: the later call writes into the earlier answer."""
    buffer = np.zeros(CASE.weights[0].shape)

    def lend(n, case):
        answer = right(case)
        buffer[:] = answer.weights[0]
        return replace(answer, weights=(buffer, answer.weights[1]))

    checks = examine(Scripted(lend), CASE, repeat=True)
    assert checks[-1].verdict == Verdict.NONDETERMINISTIC
    assert checks[-1].note == "a later call changed weights[0] of an earlier answer: return a copy"
    assert {check.verdict for check in checks[:-1]} == {Verdict.AGREE}


def test_reference_is_torch_or_exact_arithmetic():
    """Both share one signature; without torch the message says what to do."""
    assert all(map(np.array_equal, reference_of("torch")(CASE).weights, autograd.reference(CASE).weights))
    assert reference_of("exact") is exact.reference
    assert [check.verdict for check in examine(Scripted(lambda n, case: right(case)), CASE, truth="exact")] == (
        [Verdict.AGREE] * 8
    )
    with pytest.raises(ValueError, match="the reference is torch or exact; got 'jax'"):
        reference_of("jax")


def test_reference_without_torch_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    """The extra to install, and the reference that does without."""
    monkeypatch.delitem(sys.modules, "backproof.truth.autograd")
    monkeypatch.delattr("backproof.truth.autograd")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ReferenceMissingError, match=r"install backproof\[torch\], or take --reference exact"):
        reference_of("torch")


def test_torch_as_a_candidate_is_not_blamed_for_its_listed_deviations():
    """soft_margin's exp overflows in float32: a row of PyTorch's own, and nobody else's excuse."""
    case = build_case(NetworkSpec.parse("5-4,gelu=tanh,soft_margin,mean,n14,f32,saturated,s77516346"))
    checks = {(check.quantity, check.layer): check for check in examine(load("torch")[0], case)}
    assert checks["delta", 1].verdict == Verdict.REFERENCE_WRONG
    assert checks["delta", 1].note in {row.name for row in met(case, dtype="float32")}
    same = examine(Scripted(lambda n, case: Answer.of(autograd.gradients(case))), case)
    assert Verdict.NON_FINITE in {check.verdict for check in same}


def test_examiner_fills_a_certificate():
    """Each answer that can be read is measured, and no failed one."""
    certificate = Certificate()
    examiner = Examiner(
        Scripted(lambda n, case: right(case) if n == 1 else Answer(failure="error")), certificate=certificate
    )
    examiner.examine(CASE)
    examiner.examine(CASE)
    assert {row.quantity: row.quantities for row in certificate.rows()} == {
        "loss": 1, "delta": 2, "bias": 2, "weight": 2, "input": 1,
    }  # fmt: skip


def test_check_gradients_passes_and_fails_a_test():
    """It returns the checks, or raises an AssertionError that says which quantities are wrong."""
    assert {check.verdict for check in check_gradients("scratch", CASE)} == {Verdict.AGREE}

    def doubled(network, x, y):
        answer = right(CASE)
        return answer.loss, [2.0 * weight for weight in answer.weights], answer.biases

    with pytest.raises(GradientError, match="2 of 8 quantities are wrong") as caught:
        check_gradients(doubled, CASE)
    assert isinstance(caught.value, AssertionError)
    first, *lines = str(caught.value).splitlines()
    assert first.startswith(CASE.spec.id)
    assert lines[0].startswith("  weight gradient of layer 2[")
    assert "; got " in lines[0]
    assert lines[0].endswith("8 of 8 entries exceed it")
    with pytest.raises(CandidateError):
        check_gradients("scrach", CASE)


REFUSED = "16-14-4-1,softplus=1+1000-gelu=tanh-sigmoid,bce,batchmean,n27,f64,saturated,s59842573"


def test_examine_goes_on_where_pytorch_refuses_its_own_overflow():
    """bce of a NaN raises in PyTorch: exact arithmetic is the reference there, and PyTorch supports no such case."""
    case = build_case(NetworkSpec.parse(REFUSED))
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        autograd.reference(case)
    assert not any(check.verdict.fails for check in examine(Scratch(), case))
    (refused,) = examine(Torch(), case)
    assert refused.verdict is Verdict.UNSUPPORTED
    assert "PyTorch refuses" in refused.note


def test_exact_arithmetic_is_not_asked_a_hundred_times_about_what_is_plainly_wrong(monkeypatch):
    """The first wrong networks are held to exact values; the verdicts on later ones are the same without."""
    specs = sample_specs(Domain(depth=(1, 2), width=(2, 4), batch_size=(2, 4)), seed=2, shard=0, count=12)

    class Doubled:
        name, domain = "doubled", Domain()

        def answer(self, case):
            right = Scratch().answer(case)
            return replace(right, biases=tuple(None if bias is None else 2.0 * bias + 1.0 for bias in right.biases))

    asked = [Examiner(Doubled()).examine(build_case(spec)) for spec in specs]
    monkeypatch.setattr("backproof.examine.ARBITRATED", {Verdict.DISAGREE: 0})
    spared = [Examiner(Doubled()).examine(build_case(spec)) for spec in specs]
    verdicts = [[(check.quantity, check.layer, check.verdict) for check in checks] for checks in asked]
    assert [[(check.quantity, check.layer, check.verdict) for check in checks] for checks in spared] == verdicts
    wrong = [check for checks in spared for check in checks if check.verdict is Verdict.DISAGREE]
    assert wrong
    assert all(check.exact_value is None for check in wrong)


def test_listed_departures_are_seen_without_exact_arithmetic(monkeypatch):
    """hardsigmoid's slope in float64: the first networks are held to exact values, the verdicts on later ones stay."""
    domain = Domain(activations="hardsigmoid", dtypes="float64", depth=(1, 3), width=(2, 5), batch_size=(2, 6))
    cases = [build_case(spec) for spec in sample_specs(domain, seed=2, shard=0, count=24)]

    def examined() -> list[list[tuple[object, ...]]]:
        examiner = Examiner(Scratch())
        return [[(c.quantity, c.layer, c.verdict, c.note) for c in examiner.examine(case)] for case in cases]

    shown = examined()
    monkeypatch.setattr("backproof.examine.ARBITRATED", {})
    assert examined() == shown
    monkeypatch.setattr("backproof.examine.ARBITRATED", {Verdict.REFERENCE_WRONG: 0})
    assert examined() == shown
    examiner = Examiner(Scratch())
    departing = [c for case in cases for c in examiner.examine(case) if c.verdict is Verdict.REFERENCE_WRONG]
    assert len(departing) > 24
    assert sum(check.exact_value is None for check in departing) > 24


def test_a_wrong_candidate_is_not_excused_by_a_departure(monkeypatch):
    """Where PyTorch departs too, what is further off than rounding stays wrong."""
    monkeypatch.setattr("backproof.examine.ARBITRATED", {Verdict.REFERENCE_WRONG: 0})
    case = build_case(NetworkSpec.parse("3-4-2,hardsigmoid,linear,sum,n5,f64,normal,s7"))

    class Bent:
        name, domain = "bent", Domain()

        def answer(self, case):
            right = Scratch().answer(case)
            return replace(right, weights=tuple((1.0 + 2.0**-30) * weight for weight in right.weights))

    checks = Examiner(Bent()).examine(case)
    assert {c.verdict for c in checks if c.quantity == "weight"} == {Verdict.DISAGREE}
    assert Verdict.REFERENCE_WRONG in {c.verdict for c in checks if c.quantity == "delta"}


def test_examine_is_silent_about_a_call_in_between_that_is_wrong_in_another_way():
    """Or whose first answer was wrong already; it may also fail, or not offer everything."""

    def second(change):
        return lambda n, case: change(right(case)) if n == 2 else right(case)

    for change in (
        lambda answer: replace(answer, biases=tuple(2.0 * bias for bias in answer.biases)),
        lambda answer: Answer(failure="error", message="no"),
        lambda answer: replace(answer, inputs=None, deltas=None),
    ):
        assert verdicts(second(change), repeat=True) == [Verdict.AGREE] * 8
    stale = verdicts(lambda n, case: replace(right(CASE), loss=np.asarray(7.0)), repeat=True)
    assert Verdict.NONDETERMINISTIC not in stale


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (("weights",), "weights"),
        (("biases",), "biases"),
        (("weights", "biases"), "weights and biases"),
        (("x",), "x"),
        (("x", "y"), "x and y"),
        (("weights", "biases", "x", "y"), "weights and biases and x and y"),
    ],
    ids="+".join,
)
def test_examine_finds_what_is_kept_by_its_shape(kept: tuple[str, ...], told: str):
    """The second call has other numbers of the same shapes; the third has the first ones, and cannot show it."""
    first = {}

    def caching(n, case):
        held = first.setdefault("case", case)
        return replace(right(replace(case, **{part: getattr(held, part) for part in kept})), deltas=None)

    *others, last = examine(Scripted(caching), CASE, repeat=True)
    assert (last.quantity, last.verdict) == ("call", Verdict.NONDETERMINISTIC)
    assert last.note == f"it computed with the {told} of an earlier call, whose arrays had the same shapes"
    assert not any(check.verdict.fails for check in others)


def test_examine_asks_other_numbers_of_every_filling():
    """Where all are ones, they have another sign: a buffer that is handed out twice still shows."""
    for spec in sample_specs(Domain(depth=2, width=(2, 4)), seed=3, shard=0, count=40):
        case, asked = build_case(spec), []

        def look(n, other, asked=asked):
            asked.append(other)
            return right(other)

        examine(Scripted(look), case, repeat=True)
        assert asked[1].x.shape == case.x.shape
        assert not np.array_equal(asked[1].x, case.x)


def test_memory_that_runs_out_is_no_verdict_and_names_the_network(monkeypatch: pytest.MonkeyPatch):
    """Whoever asked for it is told what to ask for, and a right candidate is not accused."""

    def full(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr("backproof.examine.compare", full)
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n2,f64,normal,s1"))
    with pytest.raises(
        SpecError, match=f"for the reference and the bounds of network {case.spec.id}: ask for narrower"
    ):
        examine(load("scratch")[0], case)


def test_what_is_kept_by_the_batch_shows():
    """A cache of the forward pass under the content of x: training goes on with the same batch, and other weights."""
    known = {}

    class Cached(Scratch):
        def answer(self, case):
            key = case.x.tobytes(), case.spec.widths
            return known.setdefault(key, super().answer(case))

    case = build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n5,f64,normal,s1"))
    *_, call = Examiner(Cached()).examine(case, repeat=True)
    assert call.verdict == "nondeterministic"
    assert call.note == "it computed with the weights and biases of an earlier call, whose x and y were the same"
