"""The values of parameters: which are legal, and how they are written in ids and in messages."""

import difflib
from collections.abc import Iterable
from math import isfinite
from numbers import Real
from typing import Final, TypeGuard

__all__ = [
    "LARGEST",
    "SMALLEST",
    "SpecError",
    "Value",
    "check_size",
    "is_finite",
    "number_text",
    "read_number",
    "shown",
    "unknown_name",
]

Value = float | int | str

SMALLEST: Final = 2.0**-126
LARGEST: Final = 2.0**128 - 2.0**104
"""Of float32's normal numbers."""


class SpecError(ValueError):
    """A network, or a name in one, that cannot be: says which part, what it got and what it wants."""


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is a number, and a double can hold its size: a whole number of 400 digits has none."""
    try:
        return isinstance(value, Real) and isfinite(value)
    except OverflowError:
        return False


def check_size(value: float, name: str) -> None:
    """Raises SpecError unless a number is 0 or one of float32's normal ones, so that both dtypes are given the same."""
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise SpecError(
            f"{name} must be 0, or of a size that float32 holds: {SMALLEST:.3g} to {LARGEST:.3g}; "
            f"got {number_text(value)}"
        )


def shown(value: Value) -> str:
    """A value as a message repeats it: not all of a thousand digits."""
    text = repr(value)
    return text if len(text) <= _DIGITS else f"{text[:_DIGITS]}..."


_DIGITS: Final = 40
"""How many of them a message shows."""


def read_number(word: str) -> float | int | None:
    """The number that `word` spells in an id, or None.  float() alone would take '1_0', ' 1' and 'nan' as well."""
    if not word or not all(letter in "0123456789.e-" for letter in word):
        return None
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return None


def number_text(value: Value) -> str:
    """The shortest text that reads back as `value`, in the characters that ids use: 2, 0.01, 1e-08, 1e20."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return repr(int(value))
    return repr(value).replace("+", "")


def unknown_name(kind: str, name: str, names: Iterable[str]) -> str:
    """The message for a name that is not among `names`: the closest one first, then all."""
    live = list(names)
    closest = difflib.get_close_matches(name, live, n=1)
    hint = f"Did you mean {closest[0]!r}? " if closest else ""
    return f"{name!r} is not a known {kind}. {hint}There are: {', '.join(live)}"
