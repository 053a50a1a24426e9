"""The wire format: what is asked for, and how everybody's spelling of an answer is read."""

import json
import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.candidates import protocol
from backproof.candidates.builtin import Scratch
from backproof.candidates.callables import common_ground
from backproof.candidates.child import ChildError
from backproof.candidates.contract import CandidateError
from backproof.candidates.layout import Declaration, Layout
from backproof.candidates.protocol import DESCRIBE, REQUEST, read_description, read_reply, reply, request
from backproof.candidates.reading import UnreadableError, read
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain

IDS = [
    "3-4-2,leaky_relu=0.2-softmax,categorical_cross_entropy,mean,n5,f64,normal,s7,bias=01,penalty=0.01+0.1+N",
    "3-2,tanh,gaussian_nll,none,n5,f32,saturated,s7",
    "3-4,identity,cross_entropy=index+weighted,mean,n6,f64,tiny,s2",
]


@pytest.mark.parametrize("text", IDS)
def test_request_says_all_of_a_case_to_the_bit(text: str):
    """The keys in their order, the arrays as nested lists; one line."""
    case = build_case(NetworkSpec.parse(text))
    line = request(7, case, Layout())
    assert b"\n" not in line
    said = json.loads(line)
    assert list(said) == list(REQUEST)
    assert (said["id"], said["widths"], said["batch_size"]) == (7, list(case.spec.widths), case.spec.batch_size)
    assert (said["dtype"], said["loss"], said["reduction"]) == (
        case.spec.dtype,
        case.spec.loss.name,
        case.spec.reduction,
    )
    assert said["activation_options"] == [formula.options for formula in case.spec.activations]
    for key, array in (("x", case.x), ("y", case.y), ("upstream", case.upstream), *case.loss_arrays.items()):
        found = said[key] if key in said else said["loss_options"][key]
        assert found is None if array is None else np.array_equal(np.array(found, dtype=array.dtype), array)
    for own, layers in (("weights", case.weights), ("biases", case.biases)):
        assert [None if one is None else one.tolist() for one in layers] == said[own]
    penalty = {"l1": 0.01, "l2": 0.1, "on_biases": False, "divided_by": "N"}
    assert said["penalty"] == (None if case.spec.penalty is None else penalty)


def test_request_has_only_numbers_after_the_weights():
    """So that a program which finds a key can read on without a JSON library."""
    for text in IDS:
        _, _, arrays = request(1, build_case(NetworkSpec.parse(text)), Layout()).decode().partition('"weights":')
        assert re.fullmatch(r'[-+.\deE,\[\]null]*,"biases":[-+.\deE,\[\]null]*,"x":[^"]*,"y":[^"]*}', arrays)


def test_request_comes_in_the_layout_of_the_program():
    """As any candidate's arrays do."""
    case = build_case(NetworkSpec.parse("3-2,tanh,mse,sum,n5,f64,normal,s7"))
    said = json.loads(request(1, case, Layout(samples="columns", weights="in_out", bias="column")))
    assert np.array_equal(said["x"], case.x.T)
    assert np.array_equal(said["weights"][0], case.weights[0].T)
    assert np.shape(said["biases"][0]) == (2, 1)


@pytest.mark.parametrize("text", IDS)
def test_reply_read_back_is_the_answer_to_the_bit(text: str):
    """Everything that can be offered."""
    case = build_case(NetworkSpec.parse(text))
    answer = Scratch().answer(case)
    again = read(read_reply(reply(3, answer), 3), case, Layout())
    for (name, own), (other, array) in zip(answer.arrays(), again.arrays(), strict=True):
        assert name == other
        assert own.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NaN", np.nan), ("nan", np.nan), ("-nan", np.nan), ("nan(0x8000000000000)", np.nan), ("-nan(ind)", np.nan),
        ("Infinity", np.inf), ("inf", np.inf), ("+inf", np.inf), ("INF", np.inf), ("infinity", np.inf),
        ("-Infinity", -np.inf), ("-inf", -np.inf), ("1e+05", 1e5), ("1e999", np.inf),
    ],
)  # fmt: skip
def test_reply_may_spell_what_is_no_number_as_printf_does(written: str, value: float):
    """And strings beside it are left alone."""
    found = read_reply(f'{{"id":1,"loss":[{written}, 1],"weights":"inf or nan"}}'.encode(), 1)
    assert np.array_equal(found["loss"], [value, 1], equal_nan=True)
    assert found["weights"] == "inf or nan"


@pytest.mark.parametrize("power", [53, 60, 63, 64, 69])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_large_number_without_point_or_exponent_is_a_number(power: int, sign: int):
    """So JavaScript writes floats below 1e21, and printf("%.0f") all of them."""
    case = build_case(NetworkSpec.parse("1-1,tanh,mse,sum,n1,f64,normal,s1"))
    said = read_reply(
        f'{{"id":1,"loss":{sign * 2**power},"weights":[[[{sign * 2**power}]]],"biases":[[1]]}}'.encode(), 1
    )
    found = read(said, case, Layout())
    assert (found.loss, found.weights[0].item(), found.biases[0].item()) == (sign * 2.0**power,) * 2 + (1.0,)
    assert read_reply(b'{"id":1,"loss":1' + 5000 * b"0" + b"}", 1) == {"loss": np.inf}


def test_null_among_numbers_is_what_javascript_writes_for_nan():
    """In place of an array it is none at all."""
    line = b'{"id":1,"weights":[[[null,1]],null],"biases":[null,[null]],"loss":null,"inputs":[[null]],"deltas":3}'
    found = read_reply(line, 1)
    assert repr(found["weights"]) == "[[[nan, 1]], None]"
    assert repr(found["biases"]) == "[None, [nan]]"
    assert repr((found["loss"], found["inputs"], found["deltas"])) == "(None, [[nan]], 3)"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"loss":1}', "an answer without the id of its request, 4: '{\"loss\":1}'"),
        (b'{"id":3}', "it answered another request than 4, the one it was asked: '{\"id\":3}'"),
        (b"[]", "an answer must be a JSON object, {...}; got '[]'"),
        (b'{"id":4,}', "no JSON object on one line (Expecting property name"),
        (b'{"id":nanometre}', "no JSON object on one line (Expecting value"),
        (b"\xff\xfe", "no JSON object on one line (Expecting value"),
    ],
    ids=["no id", "other id", "list", "comma", "word", "bytes"],
)
def test_reply_that_cannot_be_read_is_explained(line: bytes, message: str):
    """What was wanted, and what came."""
    with pytest.raises(ChildError, match="^" + re.escape(message)) as caught:
        read_reply(line, 4)
    assert caught.value.failure == "error"


def test_reply_may_say_what_is_not_supported():
    """In a word."""
    assert read_reply(b'{"id":4,"unsupported":"gelu"}', 4) == "gelu"


def test_description_is_what_a_declaration_is():
    """Nothing, or the words of @candidate; a domain without dtypes is float64."""
    silent = read_description(b"{}")
    assert (silent.says_domain, silent.declaration) == (False, None)
    laid = read_description(b'{"bias":"row"}')
    assert (laid.says_domain, laid.declaration.domain) == (False, common_ground())
    assert laid.declaration.layout == Layout(bias="row")
    said = read_description(b'{"domain":{"depth":[1,3],"activations":["tanh","relu"],"widths":null},"bias":"row"}')
    assert said.says_domain
    assert said.declaration.domain == Domain(depth=(1, 3), activations=("tanh", "relu"), dtypes="float64")
    assert said.declaration.layout == Layout(bias="row")
    assert protocol._program() is None


def test_description_is_written_as_it_is_read():
    """Only what is not the default: the line that a program can print."""
    domain, layout = Domain(activations=("tanh", "relu"), depth=(1, 3), dtypes="float64"), Layout(samples="columns")
    for fields, more in (({}, ""), ({"kind": "step", "learning_rate": 0.5}, ',"kind":"step","learning_rate":0.5')):
        declared = Declaration(domain=domain, layout=layout, **fields)
        text = protocol.described(declared)
        assert text == (
            f'{{"domain":{{"depth":[1,3],"activations":["tanh","relu"],"dtypes":"float64"}},"samples":"columns"{more}}}'
        )
        assert read_description(text.encode()).declaration == declared


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"weigths": "in_out"}, "'weigths' is not a known field. Did you mean 'weights'? There are: domain, samples,"),
        ({"weights": "out"}, "weights must be one of out_in, in_out; got 'out'"),
        ({"domain": 3}, "domain must be an object with the fields of Domain; got 3"),
        ({"domain": {"dept": 3}}, "'dept' is not a known field of domain. Did you mean 'depth'?"),
        ({"domain": {"depth": 0}}, "depth must be a whole number or a pair"),
        ({"domain": {"losses": "mze"}}, "losses: 'mze' is not a known loss. Did you mean 'mse'?"),
        ({"domain": {"losses": 3}}, "losses must be a name or several names; got 3"),
        ({"kind": "steps"}, "kind must be one of gradients, step; got 'steps'"),
        ({"learning_rate": 1}, 'learning_rate=1 belongs to kind="step": gradients have none'),
        ({"kind": "step", "learning_rate": "1"}, "learning_rate must be a finite number, greater than 0; got '1'"),
        ({"kind": "step", "learning_rate": True}, "learning_rate must be a finite number, greater than 0; got True"),
    ],
    ids=["field", "word", "no object", "domain field", "number", "name", "type", "kind", "no step", "rate", "bool"],
)
def test_description_that_means_nothing_is_explained(said: dict[str, object], message: str):
    """With the live names and the closest one."""
    with pytest.raises(CandidateError, match=re.escape(f"its answer to {DESCRIBE.decode()}: {message}")):
        read_description(json.dumps(said).encode())


def test_limit_leaves_room_for_everything_at_full_length():
    """The longest doubles, all quantities, spaces between them."""
    case = build_case(NetworkSpec.parse("16-16-16,sigmoid,half_squared_error,none,n32,f64,tiny,s7"))
    assert len(json.dumps(json.loads(reply(1, Scratch().answer(case))), indent=1)) < protocol.limit(case)


NUMBERS = st.integers() | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=20,
)
SMALL = build_case(NetworkSpec.parse("2-1,sigmoid,mse,none,n2,f32,normal,s7"))


@given(
    st.fixed_dictionaries(
        {"id": st.just(1)},
        optional={
            "loss": VALUES,
            "weights": VALUES | st.lists(st.lists(st.lists(NUMBERS, max_size=2), max_size=2), max_size=2),
            "biases": VALUES | st.lists(st.none() | st.lists(NUMBERS, max_size=2), max_size=2),
            "deltas": VALUES,
            "inputs": VALUES,
            "other": VALUES,
        },
    )
)
def test_any_json_is_an_answer_or_a_sentence(said: dict[str, object]):
    """Whatever a program sends can be read, or it is said why not."""
    with suppress(UnreadableError):
        read(read_reply(json.dumps(said).encode(), 1), SMALL, Layout(samples="columns", weights="in_out"))


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,.0123456789-+eEnaNifI\\ id', max_size=40).map(str.encode))
def test_any_line_is_an_answer_or_a_sentence(line: bytes):
    """Whatever a program sends is an object, or it is said why not."""
    with suppress(ChildError):
        read_reply(line, 1)
