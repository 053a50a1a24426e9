"""A candidate's domain, narrowed to what somebody asks for, and never widened beyond what it declares."""

import re

import pytest

from backproof.cases.domain import Domain, DomainError
from backproof.narrowing import narrowed


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
