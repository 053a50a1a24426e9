"""Streams of raw words: NumPy's own Philox, keyed by a text, the same on every machine."""

import hashlib
import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.streams import below, philox, raw_words


@given(st.text(), st.integers(0, 100))
def test_raw_words_are_philox_keyed_by_the_hash(text, count):
    """The fast path gives what a new Philox with that key gives, whatever was drawn before."""
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    expected = np.random.Philox(key=key).random_raw(count)
    assert np.array_equal(raw_words(text, count), expected)
    assert np.array_equal(philox(text).random_raw(count), expected)


def test_raw_words_do_not_change_with_the_machine_or_version():
    """Three words of a known stream, written down once: recorded ids keep their arrays."""
    assert raw_words("backproof", 3).tolist() == [
        9168231231228442108,
        4593044791371726265,
        6117015261236252302,
    ]


def test_raw_words_of_threads_do_not_mix():
    """Threads that draw at the same time get their own streams."""
    expected = {name: raw_words(name, 1000) for name in "abcd"}
    wrong = []

    def draw(name):
        wrong.extend(name for _ in range(200) if not np.array_equal(raw_words(name, 1000), expected[name]))

    threads = [threading.Thread(target=draw, args=(name,)) for name in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.integers(1, 2**31))
def test_below_is_the_integer_formula(words, count):
    """below(w, n) = floor(floor(w / 2^32) n / 2^32), exactly."""
    assert below(np.array(words, dtype=np.uint64), count).tolist() == [((word >> 32) * count) >> 32 for word in words]
