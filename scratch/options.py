"""Activations and losses from their names and options, which are checked here, once.

A message says what, got and wanted; an unknown name lists the live ones.
"""

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from numbers import Integral, Real
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
    if name in names:
        return
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise UnknownNameError(f"{what}: there is no {name!r}.{meant} There is: {', '.join(names) or 'none'}")


@cache
def _options(kind: Callable[..., Any]) -> Mapping[str, Field[Any]]:
    """The options of an activation or a loss, by name. mypy cannot know that all of these classes are dataclasses."""
    return {field.name: field for field in fields(kind)}  # type: ignore[arg-type]


@cache
def _without_default(kind: Callable[..., Any]) -> tuple[str, ...]:
    """The options that have to be given."""
    return tuple(name for name, field in _options(kind).items() if field.default is MISSING)


def build(kind: Callable[..., Entry], options: Mapping[str, Any], what: str) -> Entry:
    """An activation or a loss from its class and options: names are checked here, values in the class itself."""
    accepted = _options(kind)
    for name, value in options.items():
        require_name(name, accepted, f"{what}, option")
        if accepted[name].type is int:
            require_option(isinstance(value, Integral), what, name, value, "an integer")
        elif accepted[name].type in (float, bool):
            # Most are Python's floats, which need no look at the abstract types.
            number = (type(value) is float or isinstance(value, Real | np.bool_)) and math.isfinite(float(value))
            require_option(number, what, name, value, "a finite number")
    for name in _without_default(kind):
        if name not in options:
            raise OptionError(f"{what}: the option {name!r} has no default; give it")
    return kind(**options)
