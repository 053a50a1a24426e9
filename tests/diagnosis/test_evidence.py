"""Evidence: the cases that a diagnosis looks at, and single samples of candidates that take none."""

from collections import Counter

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.diagnosis.evidence import LARGEST, ORIGINALS, SHAPES, Inquiry, gather, restated
from backproof.scratch import Backprop

BATCH = build_case(NetworkSpec.parse("3-4-2,tanh-sigmoid,mse,mean,n5,f64,normal,s1"))


class Scripted:
    """A candidate whose answer is a function of the case."""

    name = "scripted"

    def __init__(self, answer, domain):
        self.answer = answer
        self.domain = domain


class Doubled(Backprop):
    """db doubled."""

    def bias_gradient(self, delta, layer):
        return 2.0 * super().bias_gradient(delta, layer)


class Scalar(Backprop):
    """db in the wrong shape."""

    def bias_gradient(self, delta, layer):
        return delta.sum(keepdims=True)[0, 0].reshape(1, 1)


def test_exhibit_knows_what_is_wrong_in_it(handwritten):
    """Verdicts of the reference; what cannot be read is not legible."""
    right, wrong, scalar = (Inquiry(handwritten(kind)).exhibit(BATCH) for kind in (Backprop, Doubled, Scalar))
    assert (right.wrong, right.legible, right.repeats) == (False, True, 1)
    assert right.wrong_quantities() == frozenset()
    assert (wrong.wrong, wrong.legible) == (True, True)
    assert wrong.wrong_quantities() == {("bias", 1), ("bias", 2)}
    assert (scalar.wrong, scalar.legible) == (True, False)


def test_exhibit_of_a_failed_call_is_wrong_and_not_legible(handwritten):
    """What the candidate raises is a verdict, too."""

    def fail(case):
        raise ZeroDivisionError("no samples")

    exhibit = Inquiry(Scripted(fail, Domain())).exhibit(BATCH)
    assert (exhibit.wrong, exhibit.legible) == (True, False)
    assert exhibit.checks[0].note == "ZeroDivisionError: no samples"


def test_candidate_is_asked_once_about_a_case(handwritten):
    """An inquiry remembers; its domain is the candidate's, or the one that is given."""
    candidate = handwritten()
    inquiry = Inquiry(candidate, domain=Domain(depth=2))
    assert inquiry.exhibit(BATCH) is inquiry.exhibit(build_case(BATCH.spec))
    assert candidate.asked == [BATCH.spec]
    assert inquiry.domain == Domain(depth=2)
    assert Inquiry(candidate).domain == candidate.domain


def test_single_sample_is_asked_for_where_the_domain_has_it(handwritten):
    """One sample of a batch by itself; of a batch of one it is the exhibit."""
    inquiry = Inquiry(handwritten(domain=Domain(dtypes="float64")))
    exhibit = inquiry.exhibit(BATCH)
    one = inquiry.single(exhibit, 3)
    assert one.case.spec.batch_size == 1
    assert np.array_equal(one.case.x, BATCH.x[3:4])
    assert (one.wrong, one.repeats) == (False, 1)
    assert one.answer.inputs.shape == (1, 3)
    lone = inquiry.exhibit(build_case(NetworkSpec.parse("3-2,tanh,mse,sum,n1,f64,normal,s1")))
    assert inquiry.single(lone, 0) is lone


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_single_sample_is_stated_several_times_where_the_domain_has_no_batch_of_one(handwritten, dtype):
    """Divided by N and by what the reduction divides by, less the penalty: what one sample alone would give."""
    domain = Domain(batch_size=(3, 5), dtypes=dtype, depth=(1, 3), width=(1, 4), penalties="mixed")
    candidate = handwritten(domain=domain)
    inquiry = Inquiry(candidate)
    told: Counter[tuple[str, bool]] = Counter()
    for spec in sample_specs(domain, seed=1, shard=0, count=60):
        case = build_case(spec)
        one = inquiry.single(inquiry.exhibit(case), 1)
        if one is None:
            continue
        assert (one.wrong, one.repeats, one.case.spec.batch_size) == (False, spec.batch_size, 1), spec.id
        assert (one.answer.inputs, one.answer.deltas) == (None, None)
        told[spec.reduction, spec.penalty is not None] += 1
        assert (one.answer.loss is None) == (spec.penalty is not None)
        assert all(array.dtype == dtype for _, array in one.answer.arrays())
    assert candidate.beyond == []
    assert len(told) == 7  # every reduction, with a penalty where it can have one


def test_repeated_sample_keeps_its_mistakes(handwritten):
    """A bias gradient that is doubled is doubled; one of another shape stays in it; a failed call stays one."""
    domain = Domain(batch_size=5, dtypes="float64")
    for kind, wrong in ((Doubled, {("bias", 1), ("bias", 2)}), (Scalar, {("bias", 1), ("bias", 2)})):
        inquiry = Inquiry(handwritten(kind, domain, returns="gradients"))
        one = inquiry.single(inquiry.exhibit(BATCH), 0)
        assert one.wrong_quantities() == wrong

    def only_once(case):
        if np.array_equal(case.x[0], case.x[1]):
            raise ValueError("all the same")
        return Scratch().answer(case)

    inquiry = Inquiry(Scripted(only_once, domain))
    one = inquiry.single(inquiry.exhibit(BATCH), 0)
    assert one.answer.message == "ValueError: all the same"


def test_sample_without_a_share_in_the_loss_is_no_evidence(handwritten):
    """The mean over no target at all is NaN."""
    domain = Domain(losses="nll", output_activations="log_softmax", reductions="mean", batch_size=8)
    for spec in sample_specs(domain, seed=0, shard=0, count=200):
        case = build_case(spec)
        ignored = np.flatnonzero(case.y == spec.loss.options["ignore_index"])
        if ignored.size:
            break
    inquiry = Inquiry(handwritten(domain=domain))
    assert inquiry.single(inquiry.exhibit(case), int(ignored[0])) is None


def test_shapes_tell_numbers_apart():
    """Among them what no other shape shows: N = 1 and N > 2, a single output, square layers and none, O and I and N."""
    batches = {number for _, number in SHAPES}
    assert {1, 2} < batches
    assert any(widths[-1] == 1 for widths, _ in SHAPES)
    assert any(len(set(widths)) == 1 for widths, _ in SHAPES)
    widths, number = SHAPES[0]
    assert len({*widths, number, 1, 2}) == len(widths) + 3  # all different, and none of them 1 or 2


def test_network_is_stated_again_in_every_shape_that_its_loss_allows():
    """The loss and the output activation stay; the hidden ones take turns; biases follow their layers."""
    spec = NetworkSpec.parse("2-3-4-2,tanh-relu-softmax,categorical_cross_entropy,sum,n9,f64,normal,s1,bias=011")
    found = list(restated(spec))
    assert {(each.widths, each.batch_size) for each in found} <= set(SHAPES)
    assert all(each.loss == spec.loss and each.activations[-1].name == "softmax" for each in found)
    deep = next(each for each in found if each.depth == 4)
    assert [formula.name for formula in deep.activations] == ["tanh", "relu", "tanh", "softmax"]
    assert deep.biases == (False, True, True, True)
    shallow = NetworkSpec.parse("2-3,sigmoid,mse,sum,n9,f64,normal,s1")
    assert {formula.name for each in restated(shallow) for formula in each.activations} == {"sigmoid"}
    classes = NetworkSpec.parse("2-3,identity,multi_margin,sum,n9,f64,normal,s1")
    assert len(list(restated(classes))) <= len(SHAPES)


def test_gathering_stays_in_the_domain_and_looks_at_the_failing_ones(handwritten, failing, plain):
    """Telling shapes, the failing networks themselves, others; each of them once."""
    candidate = handwritten(Doubled)
    wrong = failing(candidate, 30)
    candidate.asked.clear()
    exhibits = gather(Inquiry(candidate), wrong)
    ids = [exhibit.case.spec.id for exhibit in exhibits]
    assert len(ids) == len(set(ids)) == len(candidate.asked)
    assert candidate.beyond == []
    assert all(plain.contains(exhibit.case.spec) for exhibit in exhibits)
    assert {spec.id for spec in wrong[:ORIGINALS]} <= set(ids)
    assert {exhibit.case.spec.batch_size for exhibit in exhibits} >= {1, 2, 3, 4}
    assert any(exhibit.wrong for exhibit in exhibits)


def test_gathering_without_failing_networks_looks_at_the_domain(handwritten):
    """A right candidate is asked about what it supports."""
    candidate = handwritten(domain=Domain(widths=(3, 5, 2), batch_size=4, losses="mse", dtypes="float64"))
    exhibits = gather(Inquiry(candidate), [])
    assert candidate.beyond == []
    assert {exhibit.case.spec.widths for exhibit in exhibits} == {(3, 5, 2)}
    assert not any(exhibit.wrong for exhibit in exhibits)


def test_large_networks_are_evidence_only_where_there_is_no_smaller_one(handwritten):
    """A small failing network says the same as a large one, in less time."""
    domain = Domain(width=(2, 80), depth=(1, 3), losses="mse", activations="tanh", dtypes="float64")
    large, small = (NetworkSpec.parse(f"{widths},tanh,mse,sum,n4,f64,normal,s1,bias=1") for widths in ("80-80", "3-4"))
    assert large.widths[0] * large.widths[1] > LARGEST
    both = gather(Inquiry(handwritten(Doubled, domain)), [large, small])
    assert large.id not in [exhibit.case.spec.id for exhibit in both]
    alone = gather(Inquiry(handwritten(Doubled, domain)), [large])
    assert large.id in [exhibit.case.spec.id for exhibit in alone]


def test_failing_networks_of_several_kinds_are_all_restated(handwritten):
    """A mistake in one loss shows only there: each kind has its telling shapes."""
    domain = Domain(losses=("mse", "linear", "huber"), activations="tanh", dtypes="float64")
    specs = [
        NetworkSpec.parse(f"2-3,tanh,{loss},sum,n3,f64,normal,s1") for loss in ("linear", "huber=0.5", "mse", "linear")
    ]
    met = Counter(exhibit.case.spec.loss.name for exhibit in gather(Inquiry(handwritten(domain=domain)), specs))
    assert met["linear"] >= len(SHAPES)
    assert min(met["huber"], met["mse"]) >= 3
