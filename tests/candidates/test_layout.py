"""A candidate's own array layout, there and back; and the declaration that states it."""

import re

import numpy as np
import pytest

from backproof import Domain, candidate
from backproof.candidates.layout import MARK, Layout
from backproof.cases import NetworkSpec, build_case

WEIGHT = np.arange(6.0).reshape(2, 3)
BIAS = np.arange(2.0)


@pytest.mark.parametrize(
    ("layout", "sample", "weight", "bias"),
    [
        (Layout(), (4, 3), (2, 3), (2,)),
        (Layout(samples="columns", weights="in_out", bias="column"), (3, 4), (3, 2), (2, 1)),
        (Layout(bias="row"), (4, 3), (2, 3), (1, 2)),
    ],
    ids=["default", "columns", "row"],
)
def test_layout_gives_and_takes_back_the_same_numbers(layout: Layout, sample, weight, bias):
    """What is handed over has the declared shape, and what comes back in it is what it was."""
    x = np.arange(12.0).reshape(4, 3)
    for give, take, array, shape in (
        (layout.give_samples, layout.take_samples, x, sample),
        (layout.give_weight, layout.take_weight, WEIGHT, weight),
        (layout.give_bias, layout.take_bias, BIAS, bias),
    ):
        given = give(array)
        assert given.shape == shape
        assert np.array_equal(take(given), array)


def test_layout_hands_over_fresh_writable_copies():
    """A candidate may write into what it gets; the case keeps its numbers."""
    for layout in (Layout(), Layout(samples="columns", weights="in_out", bias="row")):
        for give, array in ((layout.give_samples, WEIGHT), (layout.give_weight, WEIGHT), (layout.give_bias, BIAS)):
            locked = array.copy()
            locked.flags.writeable = False
            given = give(locked)
            assert given.flags.c_contiguous
            given += 1.0
            assert np.array_equal(locked, array)


def test_layout_leaves_another_shape_alone():
    """A bias that does not come as declared keeps its shape, so that the comparison can say what is wrong with it."""
    assert Layout(bias="column").take_bias(np.zeros((1, 2))).shape == (1, 2)
    assert Layout(bias="row").take_bias(np.zeros((2, 1))).shape == (2, 1)
    assert Layout().take_bias(np.zeros((2, 1))).shape == (2, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": "cols"}, "samples must be one of rows, columns; got 'cols'"),
        ({"weights": "inout"}, "weights must be one of out_in, in_out; got 'inout'"),
        ({"bias": "scalar"}, "bias must be one of vector, row, column; got 'scalar'"),
        ({"targets": "onehot"}, "targets must be one of matrix, vector, one_hot, index; got 'onehot'"),
        ({"arrays": "torch"}, "arrays must be one of numpy, lists; got 'torch'"),
    ],
    ids=["samples", "weights", "bias", "targets", "arrays"],
)
def test_layout_refuses_what_it_does_not_know(options: dict[str, str], message: str):
    """With the words that exist."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        Layout(**options)
    with pytest.raises(ValueError, match=f"^{message}$"):
        candidate(Domain(), **options)


def test_candidate_declares_a_function_and_leaves_it_as_it_is():
    """The decorator notes domain and layout; the function can still be called."""
    domain = Domain(activations="sigmoid", dtypes="float32")

    @candidate(domain, weights="in_out")
    def both(network, x, y):
        return network, x, y

    assert both(1, 2, 3) == (1, 2, 3)
    assert getattr(both, MARK).domain is domain
    assert getattr(both, MARK).layout == Layout(weights="in_out")


def test_candidate_wants_a_domain():
    """A forgotten Domain is said, with an example."""
    with pytest.raises(
        TypeError, match=r"wants a Domain, as in @candidate\(Domain\(activations='sigmoid'\)\); got 'sig"
    ):
        candidate("sigmoid")


def test_candidate_means_float64_unless_dtypes_are_named():
    """Somebody's network was written for Python's floats; the built-in ones have both."""
    assert getattr(candidate(Domain())(lambda *_: None), MARK).domain.dtypes == ("float64",)
    both = Domain(dtypes=("float32", "float64"))
    assert getattr(candidate(both)(lambda *_: None), MARK).domain.dtypes == ("float64", "float32")
    assert Domain().dtypes == ("float64", "float32")


@pytest.mark.parametrize(
    ("domain", "options", "message"),
    [
        (
            Domain(output_width=(1, 3)),
            {"targets": "vector"},
            'targets="vector" is for networks with one output; this domain has up to 3: say output_width=1',
        ),
        (Domain(widths=(3, 2)), {"targets": "vector"}, "this domain has up to 2: say output_width=1"),
        (
            Domain(losses="mse"),
            {"targets": "index"},
            'targets="index" is for losses on classes, and this domain has none, cross_entropy=index for instance',
        ),
        (
            Domain(losses="categorical_cross_entropy", activations="softmax"),
            {"targets": "one_hot"},
            "this domain has none. Softmax with -sum y log a on classes is losses='cross_entropy=index' with",
        ),
        (Domain(), {"kind": "steps"}, "kind must be one of gradients, step; got 'steps'"),
        (Domain(), {"learning_rate": 0.1}, 'learning_rate=0.1 belongs to kind="step": gradients have none'),
        (
            Domain(),
            {"kind": "step", "learning_rate": 0.0},
            "learning_rate must be a finite number, greater than 0; got 0.0",
        ),
    ],
    ids=["vector", "fixed", "index", "one_hot", "kind", "no step", "zero"],
)
def test_candidate_refuses_what_does_not_go_together(domain: Domain, options: dict[str, object], message: str):
    """A layout of targets that the domain does not have, a learning rate without a step."""
    with pytest.raises(ValueError, match=re.escape(message)):
        candidate(domain, **options)


def test_targets_of_one_output_may_be_a_vector():
    """y, the upstream and what is unreduced lose the axis of the outputs, and get it back."""
    case = build_case(NetworkSpec.parse("3-1,tanh,gaussian_nll,none,n5,f64,normal,s7"))
    layout = Layout(samples="columns", targets="vector")
    assert np.array_equal(layout.give_targets(case.y, case.spec), case.y[:, 0])
    assert layout.give_outputs(case.upstream).shape == (5,)
    assert layout.take_losses(np.arange(5.0), case.spec).shape == (5, 1)
    per_sample = NetworkSpec.parse("3-1,tanh,linear,none,n5,f64,normal,s7")
    assert layout.take_losses(np.arange(5.0), per_sample).shape == (5,)
    assert layout.take_losses(np.float64(5.0), NetworkSpec.parse("3-1,tanh,mse,sum,n5,f64,normal,s7")).shape == ()


def test_targets_that_are_classes_may_be_one_hot():
    """Rows of 0 and 1 in the case's dtype; an ignored index that is no class is a row of zeros."""
    case = build_case(NetworkSpec.parse("3-3,identity,cross_entropy=index,mean,n5,f32,normal,s7"))
    rows = Layout(targets="one_hot").give_targets(case.y, case.spec)
    assert rows.dtype == np.float32
    assert np.array_equal(rows.argmax(axis=1), case.y)
    assert np.array_equal(rows.sum(axis=1), np.ones(5))
    columns = Layout(targets="one_hot", samples="columns").give_targets(case.y, case.spec)
    assert np.array_equal(columns, rows.T)
    assert np.array_equal(
        Layout(targets="one_hot").give_targets(np.array([-100, 1, 3, 0, 2]), case.spec)[:, 1], [0, 1, 0, 0, 0]
    )
    assert np.array_equal(Layout(targets="index").give_targets(case.y, case.spec), case.y)


def test_written_is_what_candidate_takes():
    """Only what differs from the default."""
    assert Layout().written() == ""
    assert Layout(samples="columns", bias="row").written() == 'samples="columns", bias="row"'
