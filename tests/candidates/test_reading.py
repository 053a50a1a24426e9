"""What a candidate returned, read: every shape of answer, and a sentence for every kind of mistake."""

import re

import numpy as np
import pytest
import torch

from backproof.candidates.layout import Layout
from backproof.candidates.reading import UnreadableError, read
from backproof.cases import NetworkSpec, build_case

CASE = build_case(NetworkSpec.parse("3-4-2,sigmoid,mse,sum,n5,f64,normal,s7,bias=01"))
SINGLE = build_case(NetworkSpec.parse("3-4-2,sigmoid,mse,sum,n5,f32,normal,s7,bias=01"))
WANTED = (
    "wanted (loss, weight_gradients, bias_gradients), or a dict with the keys loss, weights, biases, inputs, deltas"
)


def test_read_takes_a_tuple_a_list_or_a_dict():
    """The three ways to say the same."""
    loss, weights, biases = 1.5, list(CASE.weights), list(CASE.biases)
    for returned in (
        (loss, weights, biases),
        [loss, tuple(weights), biases],
        {"loss": loss, "weights": weights, "biases": biases},
    ):
        answer = read(returned, CASE, Layout())
        assert answer.loss == 1.5
        assert all(np.array_equal(got, want) for got, want in zip(answer.weights, weights, strict=True))
        assert answer.biases[0] is None
        assert np.array_equal(answer.biases[1], biases[1])
        assert answer.inputs is None
        assert answer.deltas is None
        assert answer.failure is None


def test_read_takes_everything_a_dict_may_hold():
    """Inputs and deltas where they are offered; a loss that is not; no biases at all."""
    deltas = [np.ones((5, 4)), np.ones((5, 2))]
    answer = read({"weights": CASE.weights, "inputs": CASE.x, "deltas": deltas}, CASE, Layout())
    assert answer.loss is None
    assert answer.biases == (None, None)
    assert np.array_equal(answer.inputs, CASE.x)
    assert np.array_equal(answer.deltas[1], deltas[1])


def test_read_turns_the_candidates_layout_into_ours():
    """Columns, (in, out) and column biases come back as rows, (out, in) and vectors."""
    layout = Layout(samples="columns", weights="in_out", bias="column")
    returned = {
        "weights": [w.T for w in CASE.weights],
        "biases": [None, CASE.biases[1].reshape(-1, 1)],
        "inputs": CASE.x.T,
        "deltas": [np.ones((4, 5)), np.ones((2, 5))],
    }
    answer = read(returned, CASE, layout)
    assert np.array_equal(answer.weights[0], CASE.weights[0])
    assert np.array_equal(answer.biases[1], CASE.biases[1])
    assert np.array_equal(answer.inputs, CASE.x)
    assert answer.deltas[0].shape == (5, 4)


def test_read_gives_lists_and_integers_the_dtype_of_the_case():
    """Neither has a floating dtype of its own; an array has, and keeps it."""
    weights = [w.tolist() for w in SINGLE.weights]
    answer = read((2, weights, [None, np.zeros(2, dtype=int)]), SINGLE, Layout())
    assert answer.loss.dtype == answer.weights[0].dtype == answer.biases[1].dtype == np.float32
    kept = read((np.float64(2), [w.astype(np.float64) for w in SINGLE.weights], SINGLE.biases), SINGLE, Layout())
    assert kept.loss.dtype == kept.weights[0].dtype == np.float64


@pytest.mark.parametrize(
    ("returned", "failure", "message"),
    [
        (None, "error", f"returned None; {WANTED}"),
        (3.0, "error", f"returned a float; {WANTED}"),
        ((1.0, CASE.weights), "error", f"returned a tuple of length 2; {WANTED}"),
        ({"weight": 1}, "error", f"returned a dict with the unknown keys 'weight'; {WANTED}"),
        ({"loss": 1.0}, "missing", f"no weight gradients; {WANTED}"),
        ((1.0, 2.0, 3.0), "error", "weights must hold one array per layer; got a float"),
        ((1.0, "ab", CASE.biases), "error", "weights must hold one array per layer; got a str"),
        ((1.0, CASE.weights[:1], CASE.biases), "shape", "weights must hold one array per layer, so 2; got 1"),
        ((1.0, CASE.weights, [None] * 3), "shape", "biases must hold one array per layer, so 2; got 3"),
        (
            (1.0, [CASE.weights[0], ["a"]], CASE.biases),
            "error",
            "weights[1] must hold real numbers; got a list of dtype <U1",
        ),
        (
            (1.0, [CASE.weights[0] * 1j, CASE.weights[1]], CASE.biases),
            "error",
            "weights[0] must hold real numbers; got a ndarray of dtype complex128",
        ),
        (
            ({}, CASE.weights, CASE.biases),
            "error",
            "loss must hold real numbers; got a dict of dtype object",
        ),
        (
            (1.0, [CASE.weights[0].astype(object), CASE.weights[1]], CASE.biases),
            "error",
            "weights[0] must hold real numbers; got a ndarray of dtype object",
        ),
        (
            (1.0, np.array(3.0), CASE.biases),
            "error",
            "weights must hold one array per layer; got an array of shape ()",
        ),
        (
            (1.0, (w for w in CASE.weights), CASE.biases),
            "error",
            "weights must hold one array per layer; got a generator",
        ),
        (
            (1.0, [np.broadcast_to(0.0, (10**9,)), CASE.weights[1]], CASE.biases),
            "shape",
            "weights[0] has shape (1000000000,), 1,000,000,000 numbers",
        ),
        (
            (1.0, [np.ma.masked_array(CASE.weights[0], mask=True), CASE.weights[1]], CASE.biases),
            "error",
            "weights[0] is a masked array with entries masked: return them all, as numbers",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 10 else "",
)
def test_read_says_what_is_wrong(returned: object, failure: str, message: str):
    """One verdict and one sentence for each kind of mistake."""
    with pytest.raises(UnreadableError, match=f"^{re.escape(message)}$") as caught:
        read(returned, CASE, Layout())
    assert caught.value.failure == failure


def generator():
    """What a function with a yield in it returns."""
    yield 1.0


async def coroutine():
    """What nobody awaits."""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (generator, f"returned a generator, which is what yield makes: {WANTED}"),
        (coroutine, f"returned a coroutine, which is what async def makes: {WANTED}"),
    ],
    ids=["generator", "coroutine"],
)
def test_read_explains_a_function_that_has_not_run_yet(function, message: str):
    """It is closed, so that Python has nothing to complain of later."""
    with pytest.raises(UnreadableError, match=f"^{re.escape(message)}$"):
        read(function(), CASE, Layout())


class Hostile:
    """What cannot become an array."""

    def __array__(self, dtype=None, copy=None):
        raise KeyError("no array today")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Hostile(), "weights[0] is no array: 'no array today'"),
        (
            torch.zeros(4, 3, requires_grad=True),
            "weights[0] is no array: Can't call numpy() on Tensor that requires grad.",
        ),
    ],
    ids=["hostile", "tensor"],
)
def test_read_says_why_something_is_no_array(value: object, message: str):
    """In the words of who made it: PyTorch's say what to do."""
    with pytest.raises(UnreadableError, match=f"^{re.escape(message)}") as caught:
        read((1.0, [value, CASE.weights[1]], CASE.biases), CASE, Layout())
    assert caught.value.failure == "error"


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "cast",
    [np.asmatrix, np.ma.asarray, torch.tensor, np.float16, np.longdouble],
    ids=["matrix", "masked", "tensor", "float16", "longdouble"],
)
def test_read_takes_whatever_numpy_takes(cast):
    """A matrix, a masked array with nothing masked, a tensor, another precision: which it keeps."""
    first = cast(CASE.weights[0].copy())
    answer = read((1.0, [first, CASE.weights[1]], CASE.biases), CASE, Layout())
    assert type(answer.weights[0]) is np.ndarray
    assert answer.weights[0].dtype == np.asarray(first).dtype
    assert answer.weights[0].shape == CASE.weights[0].shape


def test_read_explains_a_ragged_array():
    """NumPy's own words, with the place."""
    with pytest.raises(UnreadableError, match=r"^weights\[0\] is no array: "):
        read((1.0, [[[1.0, 2.0], [3.0]], CASE.weights[1]], CASE.biases), CASE, Layout())


def test_read_recognises_exchanged_weights_and_biases():
    """Their shapes are in each other's place, which nothing else explains."""
    case = build_case(NetworkSpec.parse("3-4-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    with pytest.raises(UnreadableError, match=r"^weight and bias gradients are exchanged") as caught:
        read((1.0, case.biases, case.weights), case, Layout())
    assert caught.value.failure == "shape"


def test_read_recognises_exchanged_arrays_in_every_layout():
    """Also where a layer has no bias, and biases are columns."""
    layout = Layout(weights="in_out", bias="column")
    weights = [w.T for w in CASE.weights]
    biases = [None if b is None else b.reshape(-1, 1) for b in CASE.biases]
    assert read((1.0, weights, biases), CASE, layout).failure is None
    with pytest.raises(UnreadableError, match=r"^weight and bias gradients are exchanged"):
        read((1.0, biases, weights), CASE, layout)
    with pytest.raises(UnreadableError, match=r"^weights\[0\] is no array"):
        read((1.0, [[[1.0], [1.0, 2.0]], 0.0], biases), CASE, layout)


def test_a_number_without_a_dtype_is_as_accurate_as_the_gradients_beside_it():
    """float(loss) of a float32 program; what numpy makes float32 of lists is float32, too."""
    narrow = [w.astype(np.float32) for w in CASE.weights]
    assert read((1.5, narrow, [None, CASE.biases[1]]), CASE, Layout()).loss.dtype == np.float32
    assert read((np.float64(1.5), narrow, [None, CASE.biases[1]]), CASE, Layout()).loss.dtype == np.float64
    assert read((1.5, CASE.weights, CASE.biases), CASE, Layout()).loss.dtype == np.float64
    nested, plain = [[list(row) for row in w] for w in narrow], [w.tolist() for w in CASE.weights]
    for weights, dtype in ((nested, np.float32), (plain, np.float64)):
        answer = read((1.5, weights, [None, CASE.biases[1].tolist()]), CASE, Layout())
        assert [w.dtype for w in answer.weights] == [dtype] * 2
        assert answer.loss.dtype == dtype
