"""Functions as candidates: what they are handed, and that nothing they do breaks the run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backproof.candidates.callables import FunctionCandidate, common_ground
from backproof.candidates.layout import Declaration, Layout
from backproof.candidates.patience import Patience
from backproof.cases import NetworkSpec, Penalty, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs

HERE = Path(__file__).name
CASE = build_case(NetworkSpec.parse("3-4-2,leaky_relu=0.2,mse,mean,n5,f64,normal,s7,bias=10,penalty=0.01+0.1+N"))


def answered(function, case=CASE, declaration=None):
    """The answer of a function to a case."""
    return FunctionCandidate(name="f", function=function, declaration=declaration).answer(case)


def zeros(network, x, y):
    """An answer of the right shapes."""
    return 0.0, [np.zeros_like(w) for w in network.weights], [b if b is None else b * 0 for b in network.biases]


def test_network_is_all_that_the_case_says():
    """Names, options, reduction, penalty; None for a layer without bias, and no upstream beside a scalar loss."""
    seen = []

    def look(network, x, y):
        seen.extend((network, x, y))
        return zeros(network, x, y)

    assert answered(look).failure is None
    network, x, y = seen
    assert network.activations == ["leaky_relu", "leaky_relu"]
    assert network.activation_options == [{"negative_slope": 0.2}] * 2
    assert (network.loss, network.loss_options, network.reduction) == ("mse", {}, "mean")
    assert network.penalty == Penalty(0.01, 0.1, on_biases=False, divided_by="N")
    assert network.upstream is None
    assert network.biases[1] is None
    assert np.array_equal(network.weights[1], CASE.weights[1])
    assert np.array_equal(x, CASE.x)
    assert np.array_equal(y, CASE.y)


def test_network_has_the_arrays_of_the_loss_and_the_upstream_in_its_layout():
    """var and upstream are (N, O), so they turn with the samples."""
    seen = []

    def look(network, x, y):
        seen.append(network)
        return zeros(network, x, y)

    case = build_case(NetworkSpec.parse("3-2,tanh,gaussian_nll,none,n5,f64,normal,s7"))
    domain = Domain()
    answered(look, case, Declaration(domain=domain, layout=Layout(samples="columns")))
    assert np.array_equal(seen[0].loss_options["var"], case.loss_arrays["var"].T)
    assert np.array_equal(seen[0].upstream, case.upstream.T)


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda network, x, y: x.fill(0), "x"),
        (lambda network, x, y: np.add(y, 1, out=y), "y"),
        (lambda network, x, y: network.weights[1].__imul__(2), "network.weights[1]"),
        (lambda network, x, y: network.biases[0].sort(), "network.biases[0]"),
    ],
    ids=["x", "y", "weights", "biases"],
)
def test_answer_names_the_array_that_a_call_changed(spoil, name: str):
    """The answer is still read; the case itself is untouched."""
    before = CASE.x.tobytes(), CASE.y.tobytes(), CASE.weights[1].tobytes()

    def careless(network, x, y):
        spoil(network, x, y)
        return zeros(network, x, y)

    answer = answered(careless)
    assert (answer.failure, answer.mutated) == (None, name)
    assert (CASE.x.tobytes(), CASE.y.tobytes(), CASE.weights[1].tobytes()) == before


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda network, x, y: setattr(x, "shape", (-1,)), "x"),
        (lambda network, x, y: setattr(x, "dtype", np.int64), "x"),
        (lambda network, x, y: network.weights.__setitem__(0, None), "network.weights[0]"),
        (lambda network, x, y: network.weights.__setitem__(1, 2 * network.weights[1]), "network.weights[1]"),
        (lambda network, x, y: network.biases.clear(), "network.biases[0]"),
        (lambda network, x, y: network.activations.clear(), "network.activations"),
        (
            lambda network, x, y: network.activation_options[1].update(negative_slope=0.01),
            "network.activation_options[1]",
        ),
        (lambda network, x, y: network.activation_options[0].pop("negative_slope"), "network.activation_options[0]"),
        (lambda network, x, y: network.loss_options["weight"].fill(0), "network.loss_options['weight']"),
        (lambda network, x, y: network.loss_options.clear(), "network.loss_options['weight']"),
    ],
    ids=["shape", "dtype", "no weight", "other weight", "no biases", "names", "option", "no option", "array", "arrays"],
)
def test_answer_names_what_a_call_changed_in_the_network(spoil, name: str):
    """And the next call is handed what this one was."""
    case = build_case(NetworkSpec.parse("3-4-2,leaky_relu=0.2,cross_entropy=index+weighted,mean,n5,f64,normal,s7"))
    seen = []

    def careless(network, x, y):
        seen.append((network.activation_options[0].copy(), network.loss_options["weight"].copy()))
        answer = zeros(network, x, y)
        spoil(network, x, y)
        return answer

    assert [answered(careless, case).mutated for _ in range(2)] == [name, name]
    assert seen[0][0] == seen[1][0] == {"negative_slope": 0.2} == case.spec.activations[0].options
    assert np.array_equal(seen[0][1], seen[1][1])
    assert np.array_equal(seen[0][1], case.loss_arrays["weight"])


def test_answer_does_not_mind_other_objects_with_the_same_numbers():
    """Nor zeros for a bias that is not there; an object that does not say its numbers is taken at its word."""

    class Silent:
        def __array__(self, *_, **__):
            raise RuntimeError("detach it first")

    def swap(network, x, y):
        answer = zeros(network, x, y)
        network.weights = [weight.tolist() for weight in network.weights]
        network.weights[0] = None
        network.biases[0] = network.biases[0].tolist()
        network.biases[1] = np.zeros(2)
        network.activation_options[0] = dict(network.activation_options[0])
        return answer

    def hide(network, x, y):
        network.weights[0] = Silent()
        return 0.0, [np.zeros_like(w) for w in CASE.weights], CASE.biases

    assert (answered(swap).failure, answered(swap).mutated) == (None, "")
    assert (answered(hide).failure, answered(hide).mutated) == (None, "")


def test_answer_of_a_candidate_that_knows_only_lists():
    """Nested lists go in, nested lists come back, and a list that was changed is named."""
    layout = Declaration(domain=Domain(), layout=Layout(arrays="lists", bias="row"))

    def plain(network, x, y):
        assert all(type(held) is list for held in (network.weights[0], network.biases[0], x, y))
        x[0][0] += spoilt[-1]
        return 0, [[[2 * w for w in row] for row in weight] for weight in network.weights], network.biases

    spoilt = []
    for number, named in ((0.0, ""), (1.0, "x")):
        spoilt.append(number)
        answer = answered(plain, declaration=layout)
        assert (answer.failure, answer.mutated) == (None, named)
        assert np.array_equal(answer.weights[1], 2 * CASE.weights[1])
        assert np.array_equal(answer.biases[0], CASE.biases[0])


def raises(error: BaseException):
    """A candidate that raises."""

    def function(network, x, y):
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("shapes (3,4)\nand (2,) differ"), "ValueError: shapes (3,4) and (2,) differ"),
        (SystemExit(3), "SystemExit: 3"),
        (RecursionError(), "RecursionError"),
        (MemoryError("no room"), "MemoryError: no room"),
        (GeneratorExit(), "GeneratorExit"),
    ],
    ids=["ValueError", "SystemExit", "RecursionError", "MemoryError", "BaseException"],
)
def test_answer_is_an_error_whatever_is_raised(error: BaseException, told: str):
    """One line, with the place in the candidate's own file."""
    answer = answered(raises(error))
    assert answer.failure == "error"
    assert answer.message.startswith(f"{told} (")
    assert f"{HERE}:" in answer.message


def test_answer_tells_the_line_of_the_candidates_own_file():
    """Not one in the library that it called."""

    def function(network, x, y):
        return json.loads("no numbers")

    answer = answered(function)
    line = function.__code__.co_firstlineno + 1
    assert answer.message.startswith("JSONDecodeError: Expecting value: line 1 column 1 (char 0) (")
    assert answer.message.endswith(f"{HERE}:{line})")


def test_answer_of_a_function_with_other_arguments_is_an_error():
    """Nothing of it has run, so that there is no line to show; what it is called with is said instead."""

    def function(network):
        return None

    answer = answered(function)
    assert answer.failure == "error"
    assert answer.message.partition("function() ")[2] == (
        "takes 1 positional argument but 3 were given; it is called as f(network, x, y)"
    )
    inside = answered(lambda network, x, y: [function(network, x, y)])
    assert "it is called as" not in inside.message


class Instance:
    """A candidate that is an object, and does not end."""

    def __call__(self, network, x, y):
        """No answer."""
        while True:
            pass


def test_answer_that_does_not_come_is_a_timeout():
    """The line is told where it was interrupted, also in a method."""
    answer = FunctionCandidate(name="f", function=Instance(), patience=Patience(0.3)).answer(CASE)
    assert answer.failure == "timeout"
    assert re.fullmatch(rf"interrupted after 0.3 s without an answer \(.*{re.escape(HERE)}:\d+\)", answer.message)


def test_answer_keeps_numpys_settings_as_they_were():
    """A candidate that wants errors for overflows does not give them to us."""

    def careless(network, x, y):
        np.seterr(all="raise")
        return zeros(network, x, y)

    before = np.geterr()
    assert answered(careless).failure is None
    assert np.geterr() == before


def test_answer_of_an_object_that_fails_when_it_is_read_is_an_error():
    """Becoming a list is the candidate's code too."""

    class Layers(list):
        def __len__(self):
            raise SystemExit(3)

    answer = answered(lambda network, x, y: (0.0, Layers(), []))
    assert (answer.failure, answer.message.startswith("SystemExit: 3")) == ("error", True)


def test_answer_lets_the_person_at_the_keyboard_through():
    """Ctrl-C is no verdict on the candidate."""
    with pytest.raises(KeyboardInterrupt):
        answered(raises(KeyboardInterrupt()))


def test_not_implemented_is_unsupported_only_outside_a_declared_domain():
    """An unfilled homework, which declares what it is to do, must not pass."""
    empty = raises(NotImplementedError("later"))
    assert answered(empty).failure == "unsupported"
    declaration = Declaration(domain=Domain(), layout=Layout())
    assert answered(empty, declaration=declaration).failure == "error"


def test_answer_that_cannot_be_read_is_a_verdict():
    """What the reader says becomes the message."""
    answer = answered(lambda network, x, y: None)
    assert answer.failure == "error"
    assert answer.message.startswith("returned None; wanted (loss, weight_gradients, bias_gradients)")


def test_common_ground_is_what_everybody_has():
    """Without a Domain: four activations, softmax on top, three losses, sum and mean, float64."""
    domain = FunctionCandidate(name="f", function=zeros).domain
    assert domain == common_ground()
    specs = sample_specs(domain, seed=1, shard=0, count=200)
    assert {spec.dtype for spec in specs} == {"float64"}
    assert {spec.loss.name for spec in specs} == {"mse", "half_squared_error", "cross_entropy"}
    assert {formula.name for spec in specs for formula in spec.activations} == {
        "identity", "sigmoid", "tanh", "relu", "softmax",
    }  # fmt: skip
    assert {spec.reduction for spec in specs} == {"sum", "mean"}
    declared = replace(
        FunctionCandidate(name="f", function=zeros), declaration=Declaration(domain=Domain(), layout=Layout())
    )
    assert declared.domain == Domain()


def test_an_answer_is_a_copy_that_later_calls_leave_alone():
    """A function that hands out its buffers; the next answer says which array its call has changed."""
    buffers = [np.zeros_like(w) for w in CASE.weights]

    def fills(network, x, y):
        for buffer in buffers:
            buffer[:] = buffer + 1.0
        return 0.0, buffers, [b if b is None else b * 0 for b in network.biases]

    candidate = FunctionCandidate(name="f", function=fills)
    first, second = candidate.answer(CASE), candidate.answer(CASE)
    assert (first.altered, second.altered) == ("", "weights[0]")
    assert [float(answer.weights[1][0, 0]) for answer in (first, second)] == [1.0, 2.0]
    fresh = FunctionCandidate(name="f", function=zeros)
    assert [fresh.answer(CASE).altered for _ in range(2)] == ["", ""]
