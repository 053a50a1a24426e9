"""NetworkSpec: ids that parse back, and refusals that say which field."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import ACTIVATIONS, LOSSES, Domain, Formula, NetworkSpec, Penalty, SpecError
from backproof.cases.fillings import FILLINGS
from backproof.cases.spelling import LARGEST, SMALLEST
from backproof.cases.strategies import specs

EXAMPLE = "3-4-2,leaky_relu=0.2,mse,mean,n5,f64,normal,s7"
EVERYTHING = Domain(values=tuple(FILLINGS), penalties="mixed")


def sizes(least, most, **limits):
    """Numbers of a size that float32 holds."""
    return st.floats(least, most, **limits).filter(lambda number: number == 0 or abs(number) >= SMALLEST)


CHARGED = st.builds(Penalty, sizes(0.0, LARGEST), sizes(0.0, LARGEST), st.booleans(), st.sampled_from(["nothing", "N"]))
PENALTIES = st.none() | CHARGED


@st.composite
def any_values(draw, formula):
    """`formula` with any legal value for each parameter that is not chosen from a list."""
    parameters = {**ACTIVATIONS, **LOSSES}[formula.name].parameters
    values = []
    for parameter, value in zip(parameters, formula.values, strict=True):
        if isinstance(value, str) or parameter.listed_only or parameter.flag:
            values.append(value)
        elif isinstance(parameter.default, int):
            # A network with one output needs a class that is not ignored, and class probabilities ignore none.
            values.append(value if value == parameter.default else draw(st.integers(1) | st.integers(max_value=-1)))
        else:
            least = max(parameter.least, parameter.above, -LARGEST)
            most = min(parameter.most, LARGEST)
            values.append(draw(sizes(least, most, exclude_min=least == parameter.above)))
    if formula.name == "hardtanh":
        values = [draw(sizes(-LARGEST, 0.0, exclude_max=True)), abs(values[1])]
    return Formula(formula.name, tuple(values))


@st.composite
def any_specs(draw):
    """Specs of every kind, with parameters, penalties and seeds that no sampler draws."""
    spec = draw(specs(EVERYTHING))
    return replace(
        spec,
        activations=tuple(draw(any_values(activation)) for activation in spec.activations),
        loss=draw(any_values(spec.loss)),
        seed=draw(st.integers(0, 2**63 - 1)),
        penalty=None if spec.reduction == "none" else draw(PENALTIES),
    )


@given(any_specs())
def test_spec_id_parses_back(spec):
    """NetworkSpec.parse inverts the id of every spec, and the id pastes into any shell."""
    assert NetworkSpec.parse(spec.id) == spec
    assert NetworkSpec.parse(spec.id).id == spec.id
    assert set(spec.id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.,=+")


def test_spec_id_of_the_example():
    """The id of the documentation is the id of the spec that the documentation means."""
    spec = NetworkSpec(
        widths=(3, 4, 2),
        activations=(Formula("leaky_relu", (0.2,)),) * 2,
        loss=Formula("mse"),
        reduction="mean",
        batch_size=5,
        dtype="float64",
        values="normal",
        seed=7,
        biases=(True, True),
    )
    assert spec.id == EXAMPLE
    assert NetworkSpec.parse(EXAMPLE) == spec
    assert (spec.depth, spec.inputs, spec.outputs) == (2, 3, 2)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("relu-hardtanh=-0.5+2-identity", ["relu", "hardtanh=-0.5+2", "identity"]),
        ("hardtanh=-2+-1-threshold=1e-8+-3-gelu=tanh", ["hardtanh=-2+-1", "threshold=1e-08+-3", "gelu=tanh"]),
        ("relu-relu-relu", ["relu", "relu", "relu"]),
        ("relu", ["relu", "relu", "relu"]),
    ],
)
def test_parse_splits_layers_only_before_letters(text, names):
    """A minus sign of a parameter does not end a layer; a single activation is that of every layer."""
    spec = NetworkSpec.parse(f"3-4-4-2,{text},mse,sum,n1,f32,ones,s0")
    assert [activation.id for activation in spec.activations] == names


def test_parse_reads_the_tail():
    """Absent, bias and penalty mean every layer's bias and no penalty; present, they are read in that order."""
    assert NetworkSpec.parse(EXAMPLE).biases == (True, True)
    assert NetworkSpec.parse(EXAMPLE).penalty is None
    spec = NetworkSpec.parse(EXAMPLE + ",bias=01,penalty=0.01+0.1+biases+N")
    assert spec.biases == (False, True)
    assert spec.penalty == Penalty(0.01, 0.1, on_biases=True, divided_by="N")
    assert NetworkSpec.parse(EXAMPLE + ",penalty=0+1").penalty == Penalty(0, 1, on_biases=False, divided_by="nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an id has 8 fields or more, WIDTHS,ACTIVATIONS,LOSS,REDUCTION,nBATCH,f64|f32,VALUES,sSEED[,bias=BITS]"),
        ("3-4-2,relu,mse", "got 3"),
        (
            "3-4x-2,relu,mse,mean,n5,f64,normal,s7",
            "field 1 (widths) must be whole numbers joined by -, like 3-4-2; got '4x'",
        ),
        (
            "3-0-2,relu,mse,mean,n5,f64,normal,s7",
            "field 1 (widths) must be whole numbers joined by -, like 3-4-2; got '0'",
        ),
        ("3,relu,mse,mean,n5,f64,normal,s7", "widths must be two whole numbers or more, each at least 1; got (3,)"),
        ("3-4-2,rleu,mse,mean,n5,f64,normal,s7", "'rleu' is not a known activation. Did you mean 'relu'?"),
        (
            "3-4-2,relu-tanh-relu,mse,mean,n5,f64,normal,s7",
            "field 2 (activations) must name one activation, or one for each of 2 layers; got 3",
        ),
        ("3-4-2,relu,msee,mean,n5,f64,normal,s7", "'msee' is not a known loss. Did you mean 'mse'?"),
        (
            "3-4-2,relu,mse,avg,n5,f64,normal,s7",
            "'avg' is not a known reduction. There are: none, sum, mean, batchmean",
        ),
        ("3-4-2,relu,mse,mean,5,f64,normal,s7", "field 5 (batch size) must be n and a whole number, like n5; got '5'"),
        (
            "3-4-2,relu,mse,mean,n0,f64,normal,s7",
            "field 5 (batch size) must be n and a whole number, like n5; got 'n0'",
        ),
        ("3-4-2,relu,mse,mean,n5,float64,normal,s7", "field 6 (dtype) must be f64 or f32; got 'float64'"),
        ("3-4-2,relu,mse,mean,n5,f64,nromal,s7", "'nromal' is not a known filling of values. Did you mean 'normal'?"),
        ("3-4-2,relu,mse,mean,n5,f64,normal,7", "field 8 (seed) must be s and a whole number, like s7; got '7'"),
        (EXAMPLE + ",bias=1", "field bias must have a 0 or 1 for each of 2 layers; got '1'"),
        (EXAMPLE + ",bias=12", "field bias must have a 0 or 1 for each of 2 layers; got '12'"),
        (EXAMPLE + ",penalty=1+1,bias=11", "after the seed there may be bias=..., then penalty=..., each once; got "),
        (
            EXAMPLE + ",penalty=1",
            "penalty must be L1+L2, then +biases and +N where they apply, like 0.01+0.1+N; got '1'",
        ),
        (EXAMPLE + ",penalty=1+1+N+biases", "penalty must be L1+L2"),
        (EXAMPLE + ",penalty=-1+1", "penalty: l1 must be a finite number, at least 0; got -1"),
    ],
)
def test_parse_names_the_field(text, message):
    """A malformed id is refused with the id, the field, what it got and what it wants."""
    with pytest.raises(SpecError) as raised:
        NetworkSpec.parse(text)
    assert str(raised.value).startswith(f"case id {text!r}: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (3,)}, "widths must be two whole numbers or more, each at least 1; got (3,)"),
        ({"widths": (3, 0, 2)}, "widths must be two whole numbers or more, each at least 1; got (3, 0, 2)"),
        ({"widths": (3, 4.0, 2)}, "widths must be two whole numbers or more"),
        (
            {"widths": (3, 2)},
            "widths (3, 2) make 1 layers, each with an activation and a bias; got 2 activations and 2 biases",
        ),
        ({"biases": (True,)}, "got 2 activations and 1 biases"),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1; got 0"),
        ({"batch_size": True}, "batch_size must be a whole number, at least 1; got True"),
        ({"seed": -1}, "seed must be a whole number, at least 0; got -1"),
        ({"seed": 2**63}, "seed must be less than 2**63, which a column of a table holds; got 9223372036854775808"),
        ({"reduction": "avg"}, "'avg' is not a known reduction"),
        ({"dtype": "float16"}, "'float16' is not a known dtype. Did you mean 'float64'? There are: float64, float32"),
        ({"values": "gaussian"}, "'gaussian' is not a known filling of values"),
        ({"values": "digits"}, "values 'digits' have 64 inputs; got a network of 3"),
        ({"loss": Formula("relu")}, "'relu' is not a known loss"),
        ({"activations": (Formula("mse"), Formula("relu"))}, "layer 1: 'mse' is not a known activation"),
        (
            {"loss": Formula("bce")},
            (
                "loss bce takes probabilities, and output activation leaky_relu=0.2 gives any. "
                "It goes with: sigmoid, hardsigmoid, softmax, softmin"
            ),
        ),
        (
            {"loss": Formula.parse("cross_entropy", LOSSES), "activations": (Formula("relu"), Formula("softmax"))},
            (
                "loss cross_entropy takes logits (it applies the sigmoid or softmax itself), not probabilities, and "
                "output activation softmax gives probabilities. It goes with: identity, tanh, "
            ),
        ),
        (
            {
                "widths": (3, 4, 1),
                "loss": Formula.parse("nll=none+0", LOSSES),
                "activations": (Formula("relu"), Formula("logsigmoid")),
            },
            "loss nll=none+0 ignores class 0, the only class of a network with one output",
        ),
        (
            {"reduction": "none", "penalty": Penalty(0.0, 0.1, on_biases=False, divided_by="nothing")},
            "a penalty needs one loss to be added to; reduction 'none' leaves many: use sum, mean or batchmean",
        ),
    ],
    ids=str,
)
def test_spec_refuses_what_cannot_be(changes, message):
    """A network that cannot be is refused with the field, what it got and what it wants."""
    with pytest.raises(SpecError) as raised:
        replace(NetworkSpec.parse(EXAMPLE), **changes)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"l1": -1.0}, "penalty: l1 must be a finite number, at least 0; got -1.0"),
        ({"l2": 10**400}, f"penalty: l2 must be a finite number, at least 0; got 1{'0' * 39}..."),
        ({"l2": float("nan")}, "penalty: l2 must be a finite number, at least 0; got nan"),
        ({"l2": float("inf")}, "penalty: l2 must be a finite number, at least 0; got inf"),
        ({"divided_by": "M"}, "penalty: divided_by must be 'nothing' or 'N'; got 'M'"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_penalty_refuses_what_cannot_be(changes, message):
    """A penalty is refused with the field, what it got and what it wants."""
    with pytest.raises(SpecError) as raised:
        replace(Penalty(0.01, 0.1, on_biases=True, divided_by="N"), **changes)
    assert str(raised.value) == message


@given(penalty=CHARGED, batch_size=st.integers(1, 100))
def test_penalty_is_divided_by_the_batch_or_by_nothing(penalty, batch_size):
    """N where its id says so, else 1."""
    assert penalty.divisor(batch_size) == (batch_size if penalty.id.endswith("+N") else 1)


@pytest.mark.parametrize(("on_biases", "charged"), [(False, ["W1", "W2"]), (True, ["W1", "W2", "b2"])])
def test_penalty_charges_the_weights_and_the_biases_that_are_there(on_biases, charged):
    """Whatever belongs to the parameters, in their order."""
    penalty = Penalty(0.0, 1.0, on_biases, "nothing")
    assert penalty.charged(["W1", "W2"], [None, "b2"]) == charged


@pytest.mark.parametrize("field", ["s7", "n5", "3-4-2"])
def test_a_number_of_thousands_of_digits_is_refused_like_any_other_that_is_none(field: str):
    """Python does not read it, and says so in words of its own."""
    digits = f"{'' if field[0].isdigit() else field[0]}{'9' * 5000}"
    said = r"^case id '.{1000}'\.\.\.: field . \(.*\) must be .*; got '.{39}\.\.\.$"
    with pytest.raises(SpecError, match=said) as raised:
        NetworkSpec.parse(",".join(digits if each == field else each for each in EXAMPLE.split(",")))
    assert len(str(raised.value)) < 1500


def test_activation_names_are_each_named_once():
    """Whatever their parameters, in the order of the layers."""
    spec = NetworkSpec.parse("1-2-2-2-1,relu-leaky_relu-relu-leaky_relu=0.2,mse,sum,n1,f64,normal,s0")
    assert spec.activation_names == ("relu", "leaky_relu")
