"""A candidate's domain, narrowed to what somebody asks for, and never widened beyond what it declares."""

import re
from dataclasses import replace

import pytest

from backproof.cases.domain import Domain, DomainError
from backproof.cases.spec import NetworkSpec, Penalty
from backproof.narrowing import check_named, like, narrowed


def test_narrowed_leaves_out_what_is_not_asked():
    """None means: as it is."""
    domain = Domain(activations="sigmoid", depth=2)
    assert narrowed(domain, losses=None, depth=None) is not None
    assert narrowed(domain, losses=None, depth=None) == domain


def test_narrowed_sets_fields_that_are_free():
    """A default is no limit: a network of 30 layers may be asked of a candidate that says nothing about depth."""
    domain = narrowed(Domain(), depth=30, activations=("relu", "tanh"), dtypes=("float32",), penalties="mixed")
    assert domain == Domain(depth=30, activations=("relu", "tanh"), dtypes="float32", penalties="mixed")
    assert narrowed(Domain(), output_width=(2, 3)).output_width == (2, 3)


def test_narrowed_takes_values_as_they_are():
    """How arrays are filled is no property of a candidate."""
    assert narrowed(Domain(values="normal"), values=("saturated",)).values == ("saturated",)


def test_narrowed_stays_within_what_is_declared():
    """A part of it is fine."""
    domain = Domain(activations=("sigmoid", "tanh"), depth=(1, 3), losses=("mse", "huber"))
    assert narrowed(domain, activations="tanh", depth=2, losses=("huber=0.5",)).depth == (2, 2)


def test_narrowed_takes_any_penalty_of_a_mixture():
    """None of them, one of them, all; and the one that is declared. So with biases."""
    mixed = Domain(penalties="mixed")
    for wanted in ("none", "mixed", "0.01+0.1"):
        assert narrowed(mixed, penalties=wanted) == Domain(penalties=wanted)
    one = Domain(penalties="0.01+0.1+N")
    assert narrowed(one, penalties="0.01+0.1+N") == one
    for wanted in ("none", "mixed", "0.01+0.1"):
        with pytest.raises(DomainError, match=rf"supports penalties 0.01\+0.1\+N; {re.escape(wanted)} was asked for"):
            narrowed(one, penalties=wanted)
    with pytest.raises(DomainError, match="supports biases always; never was asked for"):
        narrowed(Domain(biases="always"), biases="never")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"losses": ("mse",)}, "the candidate supports losses half_squared_error; mse was asked for"),
        ({"depth": (1, 5)}, "the candidate supports depth 1 to 3; 1 to 5 was asked for"),
        ({"batch_size": 2}, "the candidate supports batch_size 4; 2 was asked for"),
        ({"losses": ("msee",)}, "losses: 'msee' is not a known loss. Did you mean 'mse'?"),
    ],
    ids=["name", "span", "number", "unknown"],
)
def test_narrowed_says_what_is_supported(wanted: dict[str, object], message: str):
    """And what was asked for."""
    with pytest.raises(DomainError, match=f"^{message}"):
        narrowed(Domain(losses="half_squared_error", depth=(1, 3), batch_size=4), **wanted)


def test_narrowed_asks_for_no_penalty_of_a_candidate_that_declares_none():
    """Which is what a Domain says that says nothing; the message has the words that would."""
    with pytest.raises(DomainError, match=r"supports penalties none; 0\.01\+0 was asked for\. .*penalties='mixed'"):
        narrowed(Domain(losses="mse").declared(), penalties="0.01+0")
    assert narrowed(Domain().declared(), penalties="none") == Domain().declared()


def test_narrowed_asks_for_no_output_activation_that_the_hidden_ones_exclude():
    """Those of the outputs default to the activations, and to all where these are all."""
    with pytest.raises(DomainError, match="supports output_activations sigmoid; identity was asked for"):
        narrowed(Domain(activations="sigmoid"), output_activations="identity")
    assert [each.name for each in narrowed(Domain(), output_activations="softmax").outputs] == ["softmax"]


CASE = "3-4-2,sigmoid,mse,mean,n5,f64,normal,s7"
DECLARED = Domain(activations="sigmoid", losses="mse", reductions="mean", batch_size=(1, 8)).declared()


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (CASE.replace("mean", "sum"), "sum is not among its reductions"),
        (CASE.replace("mse", "huber"), "huber is not among its losses"),
        (CASE.replace("f64", "f32"), "float32 is not among its dtypes"),
        (CASE.replace("sigmoid", "tanh-sigmoid"), "tanh is not among its activations"),
        (CASE.replace("sigmoid", "sigmoid-tanh"), "tanh is not among its output_activations"),
        (CASE.replace("n5", "n9"), "its batch size is 1 to 8, not 9"),
        (CASE + ",penalty=0.01+0", "its penalty is none. If it adds network.penalty, let its Domain say so: "),
    ],
    ids=["reduction", "loss", "dtype", "hidden", "output", "batch", "penalty"],
)
def test_a_named_network_lies_within_what_is_declared(case: str, why: str):
    """As the options do: correct code is not to be accused of what it never promised."""
    with pytest.raises(DomainError, match=re.escape(f"case {case} is not of the candidate's domain: {why}")):
        check_named(DECLARED, NetworkSpec.parse(case))


def test_a_named_network_may_have_what_a_domain_leaves_open():
    """A larger one, another filling, other parameters than are drawn; all that Backproof's own candidates can."""
    for case in (CASE, CASE.replace("3-4-2", "99-2-2-2-2-2-2-99"), CASE.replace("normal", "saturated")):
        check_named(DECLARED, NetworkSpec.parse(case))
    check_named(
        Domain(), NetworkSpec.parse("3-4-2,leaky_relu=0.37-log_softmax,kl_div,sum,n99,f32,tiny,s1,penalty=0.01+0+N")
    )
    fixed = Domain(widths=(3, 4, 2), shapes=1)
    check_named(fixed, NetworkSpec.parse(CASE.replace("n5", "n6")))
    with pytest.raises(DomainError, match=r"its widths are \(3, 4, 2\), not \(3, 4, 3\)"):
        check_named(fixed, NetworkSpec.parse(CASE.replace("3-4-2", "3-4-3")))


@pytest.mark.parametrize("values", ["sum", "mean"])
def test_networks_like_those_that_were_named(values: str):
    """Their formulas, reductions and dtypes and no others, in any usual size, and their own."""
    named = NetworkSpec.parse(f"3-40-2,relu-softmax,categorical_cross_entropy,{values},n50,f32,normal,s0,bias=01")
    domain = like([named, replace(named, seed=1)])
    assert domain.contains(named)
    assert {each.name for each in domain.losses} == {"categorical_cross_entropy"}
    assert (domain.reductions, domain.dtypes, domain.biases) == ((values,), ("float32",), "mixed")
    assert (domain.depth, domain.width, domain.batch_size) == ((1, 6), (1, 40), (1, 50))
    assert like([replace(named, penalty=Penalty(0.1, 0.0, on_biases=False, divided_by="N"))]).penalties.id == "0.1+0+N"
