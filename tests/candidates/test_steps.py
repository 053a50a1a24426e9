"""Training steps as candidates: gradients read off the change of the parameters, and what counts as that change."""

import re
import types
from dataclasses import replace

import numpy as np
import pytest

from backproof import Domain, candidate, check
from backproof.candidates.loading import load
from backproof.candidates.steps import RATES, StepCandidate, read_off
from backproof.cases import NetworkSpec, build_case
from backproof.cases.sampling import sample_specs
from backproof.examine import examine
from backproof.judging.bounds import Bounds
from backproof.judging.verdicts import Verdict
from backproof.scratch import Network

CASE = build_case(NetworkSpec.parse("3-4-2,tanh-relu,mse,mean,n5,f64,normal,s7,bias=10,penalty=0.01+0.1+N"))


def gradients(network, x, y):
    """The right gradients, by scratch."""
    return Network(
        network.weights,
        network.biases,
        network.activations,
        loss=network.loss,
        reduction=network.reduction,
        activation_options=network.activation_options,
        loss_options=network.loss_options,
        penalty=network.penalty,
        upstream=network.upstream,
    ).gradients(x, y)


def moved(parameters, slopes, rate):
    """W - rate g, in the dtype of W."""
    return [None if w is None else w - w.dtype.type(rate) * g for w, g in zip(parameters, slopes, strict=True)]


def returning(network, x, y, learning_rate):
    """A step that returns new parameters."""
    found = gradients(network, x, y)
    new = moved(network.weights, found.weights, learning_rate), moved(network.biases, found.biases, learning_rate)
    return found.loss, *new


def in_place(network, x, y, learning_rate):
    """A step on the network's own arrays."""
    found = gradients(network, x, y)
    subtract(network, found, x.dtype.type(learning_rate))


def subtract(network, found, rate):
    """Parameters less rate times gradients, in place."""
    for own, slopes in ((network.weights, found.weights), (network.biases, found.biases)):
        for parameter, slope in zip(own, slopes, strict=True):
            if parameter is not None:
                np.subtract(parameter, rate * slope, out=parameter)


def replacing(network, x, y, learning_rate):
    """A step that puts new arrays into the network's lists."""
    _, network.weights[:], network.biases[:] = returning(network, x, y, learning_rate)


def sample_by_sample(network, x, y, learning_rate):
    """The batch's step, one sample after another: shares of the gradient at the old W are added to W one by one."""
    old = [w.copy() for w in network.weights], [None if b is None else b.copy() for b in network.biases]
    frozen = replace(network, weights=old[0], biases=old[1], reduction="sum")
    for row in range(len(x)):
        subtract(network, gradients(frozen, x[[row]], y[[row]]), old[0][0].dtype.type(learning_rate / len(x)))


def step(function, domain=None, **options):
    """The candidate of a declared step."""
    (found,) = load(candidate(domain or Domain(penalties="mixed"), kind="step", **options)(function))
    assert isinstance(found, StepCandidate)
    return found


@pytest.mark.no_cover
@pytest.mark.parametrize("function", [returning, in_place, replacing])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("values", ["normal", "saturated"])
def test_right_steps_agree(function, dtype: str, values: str):
    """Returned or in place, in either dtype, over all activations and losses: nothing is accused."""
    found = step(function, Domain(dtypes=dtype, penalties="mixed", values=values))
    for spec in sample_specs(found.domain, seed=5, shard=0, count=5):
        wrong = [each for each in examine(found, build_case(spec), truth="torch") if each.verdict.fails]
        assert not wrong, spec.id


def test_a_step_that_adds_samples_one_by_one_agrees():
    """Every sample's share is rounded into W: the bound counts them."""
    domain = Domain(reductions="batchmean", losses="mse", batch_size=(2, 32), dtypes="float32")
    report = check(candidate(domain, kind="step")(sample_by_sample), cases=12, diagnosis=False)
    assert report.verdict == "agrees"
    assert not report.tally.verdicts[Verdict.UNDECIDED]


@pytest.mark.parametrize("rate", [0.1, 1e-3])
def test_a_learning_rate_that_is_built_in_is_declared(rate: float):
    """The function ignores what it is called with; fewer digits can be read, and the bound says so."""

    def hard_wired(network, x, y, learning_rate):
        assert learning_rate == rate
        return returning(network, x, y, rate)

    domain = Domain(losses=("mse", "cross_entropy=index"))
    report = check(candidate(domain, kind="step", learning_rate=rate)(hard_wired), cases=12, diagnosis=False)
    assert report.verdict == "agrees"
    answer = step(hard_wired, learning_rate=rate).answer(CASE)
    large = step(returning).answer(CASE)
    assert answer.read_off["weight", 1].error.max() > large.read_off["weight", 1].error.max()


def wrong_step(alter):
    """A step with something altered: (w, slope, rate) -> the new w."""

    def function(network, x, y, learning_rate):
        found = gradients(network, x, y)
        weights = [
            alter(w, g, w.dtype.type(learning_rate)) for w, g in zip(network.weights, found.weights, strict=True)
        ]
        return weights, moved(network.biases, found.biases, learning_rate)

    return function


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "alter",
    [
        lambda w, g, rate: w + rate * g,
        lambda w, g, rate: w - 2 * rate * g,
        lambda w, g, rate: w - rate * g / 2,
        lambda w, g, rate: -rate * g,
        lambda w, g, rate: g,
        lambda w, g, rate: w - rate * g * (1 + w.dtype.type(1e-4)),
        lambda w, g, rate: w,
        lambda w, g, rate: (1 - rate / 100) * w - rate * g,
    ],
    ids=["ascends", "twice", "half", "forgets W", "returns g", "by 1e-4", "stands", "decays"],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_wrong_steps_are_found(alter, dtype: str):
    """On nearly every network, in either dtype."""
    report = check(
        candidate(Domain(dtypes=dtype, losses="mse"), kind="step")(wrong_step(alter)), cases=5, diagnosis=False
    )
    assert report.verdict == "disagrees"
    assert report.tally.wrong_cases >= 3
    assert {name for name, verdict in report.tally.by_quantity if Verdict(verdict).fails} >= {"weight"}


def test_updating_with_updated_weights_is_found():
    """The classic mistake of steps in place: the layer above has already moved when delta comes through it."""

    def careless(network, x, y, learning_rate):
        a = [x]
        for w, b in zip(network.weights, network.biases, strict=True):
            a.append(1 / (1 + np.exp(-(a[-1] @ w.T + b))))
        error = a[-1] - y
        for at in reversed(range(len(network.weights))):
            delta = error * a[at + 1] * (1 - a[at + 1])
            network.weights[at] -= learning_rate * delta.T @ a[at]
            network.biases[at] -= learning_rate * delta.sum(axis=0)
            error = delta @ network.weights[at]

    domain = Domain(activations="sigmoid", losses="half_squared_error", reductions="sum", biases="always", depth=(1, 3))
    report = check(candidate(domain, kind="step")(careless), cases=20, diagnosis=False)
    assert report.verdict == "disagrees"
    assert set(report.tally.first_wrong) <= {("bias", "hidden"), ("bias", "first"), ("weight", "first")}


def test_the_step_is_read_to_within_the_bound_it_brings():
    """(W - W') / rate against the gradient that the step took, which is known here, entry by entry."""
    for text in (CASE.spec.id, CASE.spec.id.replace("f64", "f32")):
        case = build_case(NetworkSpec.parse(text))
        answer = step(returning).answer(case)
        taken = gradients(step_network(case), case.x, case.y)
        for at, (read, known) in enumerate(zip(answer.weights, taken.weights, strict=True), 1):
            apart = np.abs(np.float64(read) - np.float64(known))
            assert (apart <= answer.read_off["weight", at].error).all()
            assert answer.read_off["weight", at].error.max() < np.finfo(case.spec.dtype).eps * 16 * np.abs(known).max()
        assert answer.loss == taken.loss


def step_network(case):
    """The case as a network that a step is handed."""
    seen = []
    step(lambda network, x, y, rate: seen.append(network)).answer(case)
    return seen[0]


def test_the_bound_grows_by_the_reading_where_something_moved():
    """An exact zero that did not move stays exact; everything else is allowed the rounding of W'."""
    before = np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]])
    slope, reading = read_off(
        CASE, "weight", before, before - 2.0**24 * np.array([[0.0, 1.0], [0.0, 0.0], [3, 4]]), 2.0**24
    )
    assert np.array_equal(slope, [[0.0, 1.0], [0.0, 0.0], [3.0, 4.0]])
    assert np.array_equal(reading.moved, slope != 0.0)
    case = build_case(NetworkSpec.parse("2-3,relu,half_squared_error,sum,n1,f64,normal,s1"))
    plain = Bounds(case).limit().weights[0]
    grown = Bounds(case, {("weight", 1): reading}).limit().weights[0]
    exact = (plain == 0.0) & ~reading.moved
    assert np.array_equal(grown, np.where(exact, 0.0, plain + reading.error))
    other = Bounds(case, {("weight", 1): reading._replace(error=np.ones((1, 1)))}).limit().weights[0]
    assert np.array_equal(other, plain)


def test_a_step_that_overflows_is_taken_again_with_a_rate_of_one():
    """Where rate g is infinite and g is not."""
    rates = []

    def huge(network, x, y, learning_rate):
        rates.append(learning_rate)
        with np.errstate(over="ignore"):
            return [w - np.float32(learning_rate) * np.float32(1e37) for w in network.weights], network.biases

    answer = step(huge).answer(build_case(NetworkSpec.parse("3-2,tanh,mse,sum,n5,f32,normal,s7")))
    assert rates == list(RATES["float32"])
    assert np.isfinite(answer.weights[0]).all()


class Kept:
    """A network object as somebody's step might return it."""

    def __init__(self, weights, biases):
        self.weights, self.biases = weights, biases


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda loss, weights, biases: (weights, biases),
        lambda loss, weights, biases: {"weights": weights, "biases": biases},
        lambda loss, weights, biases: {"loss": loss, "weights": weights, "biases": biases},
        lambda loss, weights, biases: Kept(weights, biases),
        lambda loss, weights, biases: ([w.tolist() for w in weights], biases),
    ],
    ids=["pair", "dict", "dict with loss", "network", "lists"],
)
def test_a_step_may_return_its_parameters_in_several_ways(wrapped):
    """The loss is optional."""
    found = step(lambda network, x, y, rate: wrapped(*returning(network, x, y, rate)))
    verdicts = {each.verdict for each in examine(found, CASE)}
    assert verdicts <= {Verdict.AGREE, Verdict.NOT_OFFERED}


@pytest.mark.parametrize(
    ("returned", "failure", "message"),
    [
        (3.5, "error", "returned a float; wanted the new (weights, biases), or None where network.weights"),
        ((1, 2, 3, 4), "error", "returned a tuple of length 4; wanted the new (weights, biases)"),
        ({"w": 1}, "error", "returned a dict with the unknown keys 'w'; wanted the new"),
        ((None, None), "missing", "the step left no weights; wanted the new (weights, biases)"),
        (([np.zeros((4, 3))], [None]), "shape", "weights must hold one array per layer, so 2; got 1"),
    ],
    ids=["number", "four", "key", "none", "short"],
)
def test_a_step_is_told_what_it_should_return(returned: object, failure: str, message: str):
    """One verdict and one sentence."""
    answer = step(lambda network, x, y, rate: returned).answer(CASE)
    assert (answer.failure, answer.message[: len(message)]) == (failure, message)


def test_a_step_may_change_its_parameters_but_not_its_data():
    """x and y are still the case's."""

    def spoils(network, x, y, learning_rate):
        in_place(network, x, y, learning_rate)
        y += 1

    assert step(in_place).answer(CASE).mutated == ""
    assert step(spoils).answer(CASE).mutated == "y"


def test_a_step_that_is_not_written_yet_is_an_error():
    """An empty homework does not pass, as with gradients."""

    def empty(network, x, y, learning_rate):
        raise NotImplementedError

    assert step(empty).answer(CASE).failure == "error"


def test_a_step_of_the_wrong_shape_is_said():
    """The comparison names the array; what has its right shape is judged."""

    def transposed(network, x, y, learning_rate):
        _, weights, biases = returning(network, x, y, learning_rate)
        return [weights[0].T, weights[1]], biases

    checks = examine(step(transposed), CASE)
    (wrong,) = [each for each in checks if each.verdict.fails]
    assert re.fullmatch(r"got shape \(3, 4\), wanted \(4, 3\): it looks transposed", wrong.note)
    assert (wrong.quantity, wrong.layer) == ("weight", 1)


@pytest.mark.parametrize("options", [{}, {"learning_rate": 0.1}], ids=["large", "built in"])
def test_nothing_is_diagnosed_in_a_right_step(options: dict[str, float]):
    """The equations are not asked of numbers that were read off: these have not all their digits."""
    domain = Domain(activations="tanh", losses="mse", depth=(1, 3))
    report = check(
        candidate(domain, kind="step", **options)(types.FunctionType(returning.__code__, globals())), cases=6
    )
    assert report.verdict == "agrees"
    assert report.findings.diagnoses == ()
    assert "broken" not in report.findings.equations.values()


def test_deep_steps_are_settled_sample_by_sample():
    """The equations allow for what reading off rounds: a right step is not accused at any depth."""
    domain = Domain(depth=(14, 20), activations="tanh", losses="mse", batch_size=(1, 3), biases="always", width=(4, 8))
    step_of = candidate(domain, kind="step")(types.FunctionType(returning.__code__, globals()))
    right = check(step_of, cases=5, diagnosis=False)
    assert right.verdict == "agrees"
    assert right.tally.verdicts[Verdict.AGREE] > 20 * right.tally.verdicts[Verdict.UNDECIDED]
