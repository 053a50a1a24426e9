"""Domain: how it may be written, what it contains, and what it says when it contains nothing."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import ACTIVATIONS, LOSSES, Domain, DomainError, Formula, NetworkSpec, Penalty, sample_specs
from backproof.cases.formula import variants
from backproof.cases.strategies import specs

SPEC = NetworkSpec.parse("3-4-2,sigmoid,mse,mean,n5,f64,normal,s7")
PENALTY = Penalty(0.01, 0.1, on_biases=True, divided_by="N")

DOMAINS = [
    Domain(),
    Domain(depth=1, width=1, batch_size=1),
    Domain(depth=(2, 4), width=(3, 5), output_width=1, batch_size=(7, 7), biases="never", dtypes="float32"),
    Domain(activations="sigmoid", losses="half_squared_error", reductions="sum", depth=2),
    Domain(activations=["leaky_relu=0.2", "gelu"], output_activations="identity", losses=("huber=0.5", "l1")),
    Domain(activations=["relu", "softmax"], same_activation=True, same_width=True, width=(1, 4)),
    Domain(widths=(3, 1, 5, 2), activations=("relu", "softmax"), output_activations={"softmax", "identity"}),
    Domain(widths=(3, 1, 5, 2), activations=("relu", "softmax"), same_activation=True, losses="mse"),
    Domain(widths=(3, 3)),
    Domain(shapes=3, activations=("relu", "softmax")),
    Domain(shapes=2, widths=(64, 10), values=("digits", "ones"), losses="cross_entropy"),
    Domain(shapes=100, depth=1, width=(1, 2), batch_size=2, output_width=1, losses="mse"),
    Domain(losses=("nll=none+0", "mse"), output_width=(1, 2)),
    Domain(penalties="mixed", values=("integers", "tiny")),
    Domain(penalties=PENALTY, biases="always"),
    Domain(values="digits", output_width=10),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
@given(data=st.data())
def test_domain_contains_what_is_built_from_it(domain, data):
    """Whatever is drawn from a domain lies in it; a row-wise layer has two outputs or more."""
    spec = data.draw(specs(domain))
    assert domain.why_not(spec) is None
    assert domain.contains(spec)
    for activation, width in zip(spec.activations, spec.widths[1:], strict=True):
        assert width > 1 or not ACTIVATIONS[activation.name].rowwise


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_domain_repr_is_how_to_write_it(domain):
    """The repr evaluates to the domain, and so does what pickle makes of it, for workers."""
    namespace = {"Domain": Domain}
    assert eval(repr(domain), namespace) == domain  # noqa: S307  # the text is our own repr, and reading it is the point
    assert pickle.loads(pickle.dumps(domain)) == domain  # noqa: S301  # our own bytes
    assert hash(replace(domain)) == hash(domain)


def test_domain_remembers_whether_its_fillings_were_named():
    """Copies, narrower ones, pickles and the repr of it do, too; it makes no difference to what is drawn."""
    for domain, names in ((Domain(), False), (Domain(values="normal"), True), (Domain(values="tiny"), True)):
        again = pickle.loads(pickle.dumps(replace(domain, depth=2)))  # noqa: S301  # our own bytes
        assert (domain.names_values, again.names_values, again.declared().names_values) == (names,) * 3
        assert eval(repr(domain), {"Domain": Domain}).names_values == names  # noqa: S307  # the text is our own repr
    assert Domain(values="normal") == Domain()
    assert not replace(Domain(values="tiny"), values=Domain().values).names_values


def test_domain_remembers_whether_its_dtypes_were_named():
    """Both that are named are wanted of a candidate, too; where nobody names any it is float64, also by a copy."""
    for domain, declared in (
        (Domain(), ("float64",)),
        (Domain(dtypes=("float64", "float32")), ("float64", "float32")),
        (Domain(dtypes="float32"), ("float32",)),
    ):
        again = pickle.loads(pickle.dumps(replace(domain, depth=2)))  # noqa: S301  # our own bytes
        for each in (domain, replace(domain, depth=2), again, Domain(**domain.settings())):
            assert each.declared().dtypes == declared
    assert Domain(dtypes=("float32", "float64")) == Domain()


def test_domain_repr_is_short():
    """Only what differs from the defaults, in the spelling of ids."""
    assert repr(Domain()) == "Domain()"
    assert (
        repr(Domain(activations=Formula("leaky_relu", (0.01,)), depth=(2, 2), losses=["mse", "l1"], penalties=PENALTY))
        == "Domain(depth=2, activations='leaky_relu=0.01', losses=('mse', 'l1'), penalties='0.01+0.1+biases+N')"
    )


def test_domain_keeps_one_form():
    """Numbers become pairs; names become formulas in the catalogue's order, a bare one all its variants."""
    domain = Domain(
        depth=3, width=[2, 4], activations={"tanh", "leaky_relu", "identity"}, dtypes=["float32", "float64"]
    )
    assert domain.depth == (3, 3)
    assert domain.width == (2, 4)
    assert domain.activations == (Formula("identity"), Formula("tanh"), *variants("leaky_relu"))
    assert domain.dtypes == ("float64", "float32")
    assert Domain(activations="leaky_relu=0.2").activations == (Formula("leaky_relu", (0.2,)),)
    assert Domain(activations="leaky_relu=0.3").activations == (Formula("leaky_relu", (0.3,)),)
    assert Domain(widths=[3, 4, 2]).depth == (2, 2)
    assert Domain(penalties="0.01+0.1+biases+N").penalties == PENALTY


def test_domain_outputs_follow_the_activations():
    """Left alone, outputs add the row-wise activations; with activations declared, outputs are those."""
    assert {formula.name for formula in Domain().outputs} == set(ACTIVATIONS)
    assert [formula.name for formula in Domain(activations="sigmoid").outputs] == ["sigmoid"]
    domain = Domain(activations="sigmoid", output_activations="softmax")
    assert [formula.name for formula in domain.outputs] == ["softmax"]
    assert {ACTIVATIONS[formula.name].rowwise for formula in Domain().activations} == {False}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"depth": 3}, "its depth is 3 to 3, not 2"),
        ({"width": (1, 3)}, "its width is 1 to 3, not 4"),
        ({"output_width": (3, 9)}, "its output width is 3 to 9, not 2"),
        ({"batch_size": (6, 9)}, "its batch size is 6 to 9, not 5"),
        ({"activations": "relu", "output_activations": "sigmoid"}, "sigmoid is not among its activations"),
        ({"output_activations": "relu"}, "sigmoid is not among its output_activations"),
        ({"losses": "l1"}, "mse is not among its losses"),
        ({"reductions": "sum"}, "mean is not among its reductions"),
        ({"dtypes": "float32"}, "float64 is not among its dtypes"),
        ({"values": "ones"}, "normal is not among its values"),
        ({"biases": "never"}, "its layers never have a bias"),
        ({"penalties": PENALTY}, "its penalty is 0.01+0.1+biases+N"),
        ({"widths": (3, 5, 2)}, "its widths are (3, 5, 2), not (3, 4, 2)"),
        ({"shapes": 1}, "it has 1 shapes, and widths (3, 4, 2) with 5 is not one"),
        ({}, None),
        ({"widths": (3, 4, 2), "biases": "always"}, None),
    ],
    ids=str,
)
def test_why_not_names_the_field(settings, reason):
    """A spec outside a domain is told the first field that excludes it."""
    assert Domain(**settings).why_not(SPEC) == reason
    assert Domain(**settings).contains(SPEC) == (reason is None)


def test_why_not_sees_what_layers_have_in_common():
    """Conditions on several layers, on biases and on penalties are checked as well."""
    spec = NetworkSpec.parse("3-4-5-2,tanh-relu-relu,mse,mean,n5,f64,normal,s7,bias=101,penalty=0+1")
    mixed = Domain(penalties="mixed")
    assert mixed.contains(spec)
    assert Domain().why_not(spec) == "its penalty is none"
    assert replace(mixed, same_activation=True).why_not(spec) == "its hidden layers have the same activation"
    assert replace(mixed, same_width=True).why_not(spec) == "its hidden layers have the same width"
    assert replace(mixed, biases="always").why_not(spec) == "its layers always have a bias"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "depth must be a whole number or a pair (low, high) of them, 1 <= low <= high; got 0"),
        ({"width": (3, 2)}, "width must be a whole number or a pair (low, high) of them, 1 <= low <= high; got (3, 2)"),
        ({"batch_size": (1, 2, 3)}, "batch_size must be a whole number or a pair (low, high)"),
        ({"output_width": 1.5}, "output_width must be a whole number or a pair (low, high)"),
        ({"widths": (3,)}, "widths must be (n0, ..., nL), two whole numbers or more, each at least 1; got (3,)"),
        ({"widths": 3}, "widths must be (n0, ..., nL), two whole numbers or more, each at least 1; got 3"),
        ({"shapes": 0}, "shapes must be a whole number, at least 1, or None; got 0"),
        ({"activations": "rleu"}, "activations: 'rleu' is not a known activation. Did you mean 'relu'? There are: "),
        ({"activations": "gelu=erf"}, "activations: gelu: approximate must be one of none, tanh; got 'erf'"),
        ({"activations": []}, "activations must name at least one activation; got none"),
        ({"activations": Formula("mse")}, "activations: 'mse' is not a known activation"),
        ({"output_activations": "mse"}, "output_activations: 'mse' is not a known activation"),
        ({"losses": "hubr"}, "losses: 'hubr' is not a known loss. Did you mean 'huber'?"),
        ({"losses": 5}, "losses must be a name or several names; got 5"),
        ({"reductions": "avg"}, "reductions: 'avg' is not a known reduction"),
        ({"dtypes": "float16"}, "dtypes: 'float16' is not a known dtype"),
        ({"dtypes": ()}, "dtypes must name at least one dtype; got none"),
        ({"values": "gaussian"}, "values: 'gaussian' is not a known filling of values"),
        ({"biases": "yes"}, "biases must be one of always, never, mixed; got 'yes'"),
        ({"penalties": "l2"}, "penalties must be none, mixed, or one penalty: penalty must be L1+L2, "),
        ({"penalties": None}, "penalties must be none, mixed, or one penalty; got None"),
        (
            {"losses": "bce", "activations": "relu"},
            "losses='bce' and activations='relu' exclude each other: bce goes with the output activations sigmoid, ",
        ),
        (
            {"losses": ["bce", "nll"], "output_activations": ["relu", "gelu=tanh"]},
            "losses='bce' and output_activations=('relu', 'gelu=tanh') exclude each other: ",
        ),
        (
            {"output_width": 1, "output_activations": "softmax"},
            "output_width=1 and output_activations='softmax' exclude each other: of a single output, softmax is const",
        ),
        ({"widths": (3, 1), "output_activations": "softmax"}, "widths=(3, 1) and output_activations='softmax' exclude"),
        (
            {"width": 1, "activations": "softmax", "depth": 2},
            "width=1 and activations='softmax' exclude each other: a row-wise activation needs two outputs or more",
        ),
        (
            {"widths": (3, 1, 2), "activations": "softmax"},
            "widths=(3, 1, 2) and activations='softmax' exclude each other",
        ),
        (
            {"losses": "nll=none+0", "output_width": 1},
            "output_width=1 and losses='nll=none+0' exclude each other: the only class is the ignored one",
        ),
        ({"penalties": PENALTY, "reductions": "none"}, "penalties and reductions='none' exclude each other: "),
        ({"widths": (3, 2), "values": "digits"}, "widths=(3, 2) and values='digits' exclude each other: "),
        ({"widths": (3, 4, 2), "depth": 3}, "widths=(3, 4, 2) and depth=(3, 3) exclude each other"),
        ({"widths": (3, 4, 2), "width": (1, 3)}, "widths=(3, 4, 2) and width=(1, 3) exclude each other"),
        ({"widths": (3, 4, 2), "output_width": 3}, "widths=(3, 4, 2) and output_width=(3, 3) exclude each other"),
        (
            {"widths": (3, 4, 5, 2), "same_width": True},
            "widths=(3, 4, 5, 2) and same_width=True exclude each other: the hidden widths are (4, 5)",
        ),
    ],
    ids=str,
)
def test_domain_explains_what_it_refuses(settings, message):
    """A field without meaning is named with what it got and wants; of an empty domain, the two fields are named."""
    with pytest.raises(DomainError) as raised:
        Domain(**settings)
    assert message in str(raised.value)


def test_left_out_names_losses_that_are_never_drawn():
    """A loss that no output goes with, among others that have one, is left out and said to be."""
    domain = Domain(activations="sigmoid", losses=("mse", "cross_entropy=index"))
    assert domain.left_out() == (
        (
            "losses='cross_entropy=index' and activations='sigmoid' exclude each other: cross_entropy "
            "goes with the output activations identity, tanh, relu, leaky_relu, softplus, elu, selu, celu, gelu, silu, "
            "mish, logsigmoid, softsign, tanhshrink, softshrink, hardshrink, relu6, hardtanh, hardswish, threshold, "
            "log_softmax"
        ),
    )
    assert {spec.loss.name for spec in sample_specs(domain, seed=0, shard=0, count=20)} == {"mse"}
    assert Domain().left_out() == ()


def test_narrow_hidden_layers_limit_the_depth():
    """Where hidden layers could only be single row-wise outputs, networks of one layer remain."""
    domain = Domain(activations="softmax", width=1, output_width=2, losses="mse")
    assert {spec.depth for spec in sample_specs(domain, seed=0, shard=0, count=20)} == {1}


@pytest.mark.parametrize("count", [1, 3, 8])
def test_shapes_are_at_most_so_many(count):
    """Every sampler and shard keeps to the same few shapes, of which each is drawn."""
    domain = Domain(shapes=count)
    met = {
        (spec.widths, spec.batch_size)
        for seed in range(3)
        for spec in sample_specs(domain, seed=seed, shard=seed, count=50)
    }
    assert met == set(domain.plan.shapes)
    assert len(met) == count


def test_digits_set_the_inputs():
    """Digits have 64 inputs, whatever widths a domain draws otherwise."""
    drawn = sample_specs(Domain(values=("digits", "normal"), width=(2, 5)), seed=0, shard=0, count=100)
    assert {spec.inputs for spec in drawn if spec.values == "digits"} == {64}
    assert {spec.inputs for spec in drawn if spec.values == "normal"} == {2, 3, 4, 5}
    drawn = sample_specs(Domain(values=("digits", "normal"), shapes=2), seed=0, shard=0, count=10)
    assert {spec.inputs for spec in drawn} == {64}


def test_strata_are_what_can_be_covered():
    """Each reachable activation by dtype, and each loss by reduction and dtype."""
    assert len(Domain().strata()) == len(ACTIVATIONS) * 2 + len(LOSSES) * 4 * 2
    assert Domain(activations="sigmoid", losses=("mse", "nll"), reductions="sum", dtypes="float64").strata() == (
        ("sigmoid", "float64"),
        ("mse", "sum", "float64"),
    )
    # In networks of one layer only outputs count, and bce goes with few of them.
    assert Domain(depth=1, losses="bce", reductions="sum", dtypes="float64").strata() == (
        ("sigmoid", "float64"),
        ("softmax", "float64"),
        ("softmin", "float64"),
        ("bce", "sum", "float64"),
    )


def test_build_spec_avoids_what_tells_nothing_unless_nothing_else_is_left():
    """The log of an exact 0 and a single class tell nothing; a domain that asks for them still gets them."""
    drawn = [
        spec
        for seed in range(20)
        for spec in sample_specs(Domain(losses=("bce", "cross_entropy")), seed=seed, shard=0, count=20)
    ]
    assert not any(spec.loss.name == "bce" and spec.activations[-1].name == "hardsigmoid" for spec in drawn)
    assert not any(spec.loss.name == "cross_entropy" and spec.widths[-1] == 1 for spec in drawn)
    asked = Domain(losses="bce", output_activations="hardsigmoid")
    assert sample_specs(asked, seed=0, shard=0, count=1)[0].activations[-1].name == "hardsigmoid"
    single = Domain(losses="cross_entropy=index", output_activations="identity", output_width=1)
    assert sample_specs(single, seed=0, shard=0, count=1)[0].widths[-1] == 1
