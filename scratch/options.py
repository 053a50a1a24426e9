"""Activations and losses from their names and options, which are checked here, once.

A message says what, got and wanted; an unknown name lists the live ones.
"""

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from backproof.scratch.errors import OptionError, UnknownNameError

Entry = TypeVar("Entry")


def require_option(condition: bool, owner: str, option: str, got: object, wanted: str) -> None:
    """Raises OptionError unless the condition holds."""
    if not condition:
        raise OptionError(f"{owner}: {option} must be {wanted}, got {got!r}")


def require_name(name: object, names: Collection[str], what: str) -> None:
    """Raises UnknownNameError, with the live names and the closest one, unless `name` is one of `names`."""
    if isinstance(name, str) and name in names:
        return
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise UnknownNameError(f"{what}: there is no {name!r}.{meant} There is: {', '.join(names) or 'none'}")


def require_finite_number(owner: str, option: str, value: Any) -> float:
    """The number as Python's float: unlike a scalar of NumPy's it leaves every array in its dtype."""
    if type(value) is float and math.isfinite(value):  # most are, and need no look at the abstract types
        return value
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        number = math.inf
    require_option(math.isfinite(number), owner, option, value, "a finite number")
    return number


def require_integer(owner: str, option: str, value: Any) -> int:
    """The integer as Python's own."""
    require_option(isinstance(value, Integral), owner, option, value, "an integer")
    return int(value)


def require_flag(owner: str, option: str, value: Any) -> bool:
    """True or False as Python's own."""
    require_option(isinstance(value, bool | np.bool_), owner, option, value, "True or False")
    return bool(value)


# Options of any other type are checked by the class that has them.
_READERS: Mapping[object, Callable[[str, str, Any], object]] = MappingProxyType(
    {float: require_finite_number, int: require_integer, bool: require_flag}
)


@cache
def _options(kind: Callable[..., Any]) -> Mapping[str, Field[Any]]:
    """The options of an activation or a loss, by name. mypy cannot know that all of these classes are dataclasses."""
    return {field.name: field for field in fields(kind)}  # type: ignore[arg-type]


@cache
def _without_default(kind: Callable[..., Any]) -> tuple[str, ...]:
    """The options that have to be given."""
    return tuple(name for name, field in _options(kind).items() if field.default is MISSING)


def build(kind: Callable[..., Entry], options: Mapping[str, Any], what: str) -> Entry:
    """An activation or a loss from its class and options: names and types are checked here, limits in the class."""
    accepted = _options(kind)
    given = dict(options)
    for name, value in options.items():
        require_name(name, accepted, f"{what}, option")
        read = _READERS.get(accepted[name].type)
        if read is not None:
            given[name] = read(what, name, value)
    for name in _without_default(kind):
        if name not in options:
            raise OptionError(f"{what}: the option {name!r} has no default; give it")
    return kind(**given)
