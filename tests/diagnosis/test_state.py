"""State: what a call leaves behind is noticed, named, and taken away from what is diagnosed besides."""

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.candidates.finding import find
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.state import Differences, afresh, is_random, keeps_state, named, questions

DOMAIN = Domain(
    widths=(3, 4, 2),
    batch_size=5,
    activations="tanh",
    losses="mse",
    reductions="sum",
    dtypes="float64",
    biases="always",
)
CASE = build_case(NetworkSpec.parse("3-4-2,tanh,mse,sum,n5,f64,normal,s1"))


class Kept:
    """Scratch, with a memory: what becomes of an answer and of the one before it."""

    name = "kept"
    domain = DOMAIN

    def __init__(self, remembered):
        self.remembered = remembered
        self.last = None

    def answer(self, case) -> Answer:
        """The right answer, and what is remembered."""
        self.last = self.remembered(Scratch().answer(case), self.last)
        return self.last

    def afresh(self):
        """One without a memory yet."""
        return Kept(self.remembered)


def added(own, last):
    """The sum of two tuples of arrays."""
    return tuple(one + other for one, other in zip(own, last, strict=True))


def accumulated(answer, last):
    """Gradients that are never set to zero."""
    if last is None:
        return Answer(loss=answer.loss, weights=answer.weights, biases=answer.biases)
    return Answer(
        loss=answer.loss, weights=added(answer.weights, last.weights), biases=added(answer.biases, last.biases)
    )


def accumulated_biases(answer, last):
    """Bias gradients that are never set to zero."""
    biases = answer.biases if last is None else added(answer.biases, last.biases)
    return Answer(loss=answer.loss, weights=answer.weights, biases=biases)


def first_kept(answer, last):
    """The first gradients for ever."""
    return Answer(
        loss=answer.loss,
        weights=(answer if last is None else last).weights,
        biases=(answer if last is None else last).biases,
    )


def decaying(answer, last):
    """Half of the gradients before, on top: a state that is in no catalogue."""
    if last is None:
        return Answer(weights=answer.weights, biases=answer.biases)
    half = tuple(weight / 2.0 for weight in last.weights)
    return Answer(weights=added(answer.weights, half), biases=answer.biases)


@pytest.mark.parametrize("remembered", [accumulated, accumulated_biases, first_kept, decaying])
def test_what_a_call_leaves_behind_is_noticed(remembered):
    """By the same question later, or by the same candidate made again."""
    assert keeps_state(Kept(remembered), CASE)


@pytest.mark.parametrize("candidate", [Scratch(), Kept(lambda answer, _: answer), Planted((), DOMAIN)])
def test_function_of_its_arguments_keeps_no_state(candidate):
    """Right or wrong, asked again or made again."""
    assert not keeps_state(candidate, CASE)
    assert not keeps_state(Planted((Plant(BY_NAME["bias_negated"]),), DOMAIN), CASE)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("remembered", "name"),
    [
        (accumulated, "gradients_accumulated"),
        (accumulated_biases, "biases_accumulated"),
        (first_kept, "gradients_of_first_call"),
        (decaying, None),
    ],
)
def test_state_is_named(remembered, name):
    """A candidate that answers a sequence of questions as a fault of the catalogue does."""
    candidate = Kept(remembered)
    inquiry = Inquiry(candidate)
    exhibits = [inquiry.exhibit(case) for case in questions(CASE)[:2]]
    names = [each.names for each in named(candidate, exhibits, None)]
    assert ((name,) in names) if name else names == []
    assert named(candidate, [], None) == ()


def test_state_of_a_candidate_that_cannot_be_made_again_is_named_by_its_changes():
    """What it kept before is not known: what two calls differ by is compared."""

    class Lasting(Kept):
        afresh = None

    candidate = Lasting(accumulated)
    inquiry = Inquiry(candidate)
    exhibits = [inquiry.exhibit(CASE)]
    assert afresh(candidate) is None
    assert keeps_state(candidate, CASE)
    assert ("gradients_accumulated",) in [each.names for each in named(candidate, exhibits, None)]


def test_candidate_of_a_file_is_loaded_again(tmp_path):
    """What its module keeps is gone then; a candidate that says how is made as it says."""
    path = tmp_path / "kept.py"
    path.write_text(
        "from backproof import Domain, candidate\n"
        "calls = []\n"
        "@candidate(Domain(widths=(2, 1)))\n"
        "def loss_and_gradients(network, x, y):\n"
        "    calls.append(1)\n"
        "    return float(len(calls)), network.weights, network.biases\n"
    )
    (candidate,) = find(str(path))
    case = build_case(NetworkSpec.parse("2-1,tanh,mse,sum,n2,f64,normal,s1"))
    assert [float(candidate.answer(case).loss) for _ in range(2)] == [1.0, 2.0]
    fresh = afresh(candidate)
    assert float(fresh.answer(case).loss) == 1.0
    assert afresh(Planted((), DOMAIN)) is None
    assert afresh(Kept(first_kept)).last is None


def test_differences_of_calls_are_what_one_call_computes():
    """Two calls of a candidate that accumulates differ by the gradients of one; what does not change stays."""
    right = Scratch().answer(CASE)
    differences = Differences(Kept(accumulated))
    assert (differences.name, differences.domain) == ("kept", DOMAIN)
    found = differences.answer(CASE)
    assert not Inquiry(differences).judged(CASE, found).wrong
    assert found.loss == right.loss
    assert (found.inputs, found.deltas) == (None, None)
    with_deltas = Differences(Planted((Plant(BY_NAME["loss_accumulated"]),), DOMAIN)).answer(CASE)
    assert all(np.array_equal(one, other) for one, other in zip(with_deltas.deltas, right.deltas, strict=True))


def test_differences_of_failed_calls_are_the_failure():
    """Nothing can be subtracted from an exception."""

    def failing(answer, last):
        raise ValueError("no memory")

    assert Differences(Kept(failing)).answer(CASE).message == "ValueError: no memory"


def test_answers_of_another_shape_are_not_subtracted():
    """The second of them stands as it is."""
    shapes = iter([(2,), (3,)])

    def growing(answer, last):
        return Answer(weights=(None, *answer.weights[1:]), biases=(np.ones(next(shapes)), *answer.biases[1:]))

    found = Differences(Kept(growing)).answer(CASE)
    assert np.array_equal(found.biases[0], np.ones(3))
    assert found.weights[0] is None


class Drawing:
    """scratch with a factor on the weight gradient, which the call before last, or chance, decides."""

    name = "drawing"
    domain = DOMAIN

    def __init__(self, factors):
        self.factors = factors

    def answer(self, case):
        right = Scratch().answer(case)
        factor = next(self.factors)
        return Answer(loss=right.loss, weights=tuple(factor * each for each in right.weights), biases=right.biases)


def swinging():
    """A factor that overshoots less and less, as momentum makes it."""
    factor, velocity = 2.0, 0.0
    while True:
        yield factor
        velocity = 0.8 * velocity + 0.9 * (1.0 - factor)
        factor += velocity


def taking_turns():
    """One of three, over and over."""
    while True:
        yield from (1.0, 3.0, 2.0)


def decaying():
    """Ever less."""
    factor = 1.0
    while True:
        yield factor
        factor *= 0.9


def drawn():
    """A mask or noise."""
    generator = np.random.default_rng(1)
    while True:
        yield generator.normal()


@pytest.mark.parametrize("factors", [swinging, taking_turns, decaying])
def test_pattern_of_calls_is_no_chance(factors):
    """A state, whether it has a name or not."""
    candidate = Drawing(factors())
    assert keeps_state(candidate, CASE)
    assert not is_random(candidate, CASE)


def test_numbers_without_a_pattern_are_random():
    """Also of a generator with a seed, which makes no pattern that one sees."""
    assert is_random(Drawing(drawn()), CASE)


def test_random_numbers_are_told_with_one_that_was_given():
    """No state is blamed, no equation is said to hold, and the number shown is one of the candidate's."""
    given = []

    class Noted(Drawing):
        def answer(self, case):
            answer = super().answer(case)
            given.append(answer.weights[0])
            return answer

    found = diagnose(Noted(drawn()), [CASE.spec])
    (diagnosis,) = found.diagnoses
    assert (diagnosis.equation, diagnosis.fault, diagnosis.condition) == ("state", None, None)
    assert "random" in diagnosis.used
    assert set(found.equations.values()) == {"not_tested"}
    assert any(found.shown.answer.weights[0] is array for array in given)


def test_what_differs_between_two_that_were_just_made_is_random():
    """It has no calls before it."""
    generator = np.random.default_rng(1)

    class Started(Drawing):
        def __init__(self):
            super().__init__(iter([float(generator.normal())] * 1_000))

        def afresh(self):
            return Started()

    assert is_random(Started(), CASE)
