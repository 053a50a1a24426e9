"""Values of parameters: which are legal, and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.spelling import LARGEST, SMALLEST, SpecError, check_size, is_finite, number_text, read_number


@pytest.mark.parametrize(
    ("value", "finite"), [(1, True), (0.5, True), (10**400, False), (float("nan"), False), ("1", False), (None, False)]
)
def test_what_is_a_number_is_told(value: object, finite: bool):
    """Of a size that a double holds; a text is none."""
    assert is_finite(value) is finite


def test_sizes_are_those_that_both_dtypes_hold():
    """0, and what float32 holds to all its digits."""
    for size in (0.0, SMALLEST, 1.0, -LARGEST):
        check_size(size, "alpha")
    for size in (SMALLEST / 2.0, -LARGEST * 2.0):
        with pytest.raises(SpecError, match="alpha must be 0, or of a size that float32 holds"):
            check_size(size, "alpha")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_number_text_reads_back(number):
    """Every finite number is written in the characters of ids and reads back as itself."""
    text = number_text(number)
    assert read_number(text) == number
    assert set(text) <= set("0123456789.e-")


@pytest.mark.parametrize("word", ["", "+1", " 1", "1_0", "0x1", "nan", "inf", "-", "1e", "1-2", "1.2.3", "ten"])
def test_read_number_refuses_other_spellings(word):
    """What is no number in an id's spelling is None, not an error and not a guess."""
    assert read_number(word) is None
