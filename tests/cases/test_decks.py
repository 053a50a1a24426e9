"""EvenSampler: choices that are even, random, and the same everywhere."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import EvenSampler


@given(seed=st.integers(0, 2**70), count=st.integers(1, 40), draws=st.integers(0, 200))
def test_choices_of_a_label_are_even(seed, count, draws):
    """However many choices have been made, the options differ by at most one in how often they came."""
    sampler = EvenSampler(seed, shard=0)
    met = Counter(dict.fromkeys(range(count), 0))
    met.update(sampler.choose("options", range(count)) for _ in range(draws))
    assert max(met.values()) - min(met.values()) <= 1


def test_labels_have_decks_of_their_own():
    """Choices under one label do not change the evenness of those under another."""
    sampler = EvenSampler(seed=0)
    met = {"a": Counter(), "b": Counter()}
    for _ in range(30):
        met["a"][sampler.choose("a", "xyz")] += 1
        met["b"][sampler.choose("b", "xyz")] += 1
        sampler.choose("b", "uv")
    assert set(met["a"].values()) == set(met["b"].values()) == {10}


def test_orders_differ():
    """The deck is shuffled again each time: over many decks each order of three options comes."""
    sampler = EvenSampler(seed=0)
    orders = Counter("".join(sampler.choose("order", "abc") for _ in range(3)) for _ in range(600))
    assert len(orders) == 6
    # A sixth each of 600, within five standard errors.
    assert all(abs(count - 100) <= 5 * (600 * 5 / 36) ** 0.5 for count in orders.values())


def test_seed_and_shard_decide():
    """The same seed and shard choose the same; another seed, or another shard, does not."""

    def choices(**which):
        sampler = EvenSampler(**which)
        return [sampler.choose("options", range(50)) for _ in range(20)]

    assert choices(seed=1, shard=2) == choices(seed=1, shard=2)
    assert choices(seed=1, shard=2) != choices(seed=1, shard=3)
    assert choices(seed=1, shard=2) != choices(seed=2, shard=2)
    assert choices(seed=1) == choices(seed=1, shard=0)


def test_choices_do_not_change_with_the_machine_or_version():
    """The first cards of a known deck, written down once: the same seed repeats a run anywhere."""
    sampler = EvenSampler(seed=0)
    assert [sampler.choose("options", range(8)) for _ in range(8)] == [1, 3, 7, 2, 4, 6, 5, 0]
    assert [sampler.choose("large", range(10**8)) for _ in range(2)] == [90550470, 44986231]


@pytest.mark.parametrize("count", [4097, 10**8])
def test_large_choices_do_not_repeat(count):
    """Of more options than a deck is worth, none comes twice before all have come."""
    sampler = EvenSampler(seed=0)
    met = [sampler.choose("large", range(count)) for _ in range(4097)]
    assert len(set(met)) == 4097


def test_a_single_option_is_chosen():
    """One option needs no deck."""
    assert EvenSampler(seed=0).choose("only", ["this"]) == "this"
