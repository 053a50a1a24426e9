"""How numbers and small arrays are printed: whole numbers whole, short decimals in full, others to a few digits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

DIGITS = 4
"""Significant digits of a number that is not short."""
SHORT = 12
"""A decimal of at most so many characters is printed in full, so that a person can compute on with it."""


def number(value: Any, digits: int = DIGITS) -> str:
    """7, -0.125, 0.7311, inf, nan."""
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    whole = repr(value)
    return whole if len(whole) <= SHORT else f"{value:.{digits}g}"


def spelled(values: Any, digits: int = DIGITS) -> str:
    """A number, or an array in the brackets that NumPy's users know: [[1, 2], [3, 4]]; a text as it is."""
    if isinstance(values, str):
        return values
    if isinstance(values, np.ndarray | Sequence):
        if np.ndim(values) == 0:
            return number(values, digits)
        return f"[{', '.join(spelled(each, digits) for each in values)}]"
    return number(values, digits)
