"""How a domain's fields may be written, and the one form that each is brought to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from backproof.cases.catalogue import ActivationEntry, LossEntry
from backproof.cases.formula import Formula, variants
from backproof.cases.spec import Penalty
from backproof.cases.spelling import SpecError, number_text, unknown_name

__all__ = [
    "DomainError",
    "Names",
    "Numbers",
    "Range",
    "named",
    "read_choice",
    "read_formulas",
    "read_names",
    "read_penalties",
    "read_range",
    "read_widths",
    "spelled",
]

Range = tuple[int, int]
Numbers = int | Sequence[int]
Names = str | Formula | Iterable[str | Formula]


class DomainError(ValueError):
    """A domain that has no meaning or contains nothing: says which fields, what they are, and what they may be."""


def read_range(field: str, given: Numbers) -> Range:
    """A number or a (low, high) pair of whole numbers, at least 1, as a pair.  Raises DomainError."""
    pair = tuple(given) if isinstance(given, Sequence) else (given, given)
    if len(pair) != 2 or any(type(number) is not int for number in pair) or not 1 <= pair[0] <= pair[1]:
        raise DomainError(
            f"{field} must be a whole number or a pair (low, high) of them, 1 <= low <= high; got {given!r}"
        )
    return pair[0], pair[1]


def read_widths(given: object) -> tuple[int, ...] | None:
    """All the widths (n0, ..., nL) of one network, or None.  Raises DomainError."""
    if given is None:
        return None
    widths = tuple(given) if isinstance(given, Sequence) else (given,)
    if len(widths) < 2 or any(type(width) is not int or width < 1 for width in widths):
        raise DomainError(f"widths must be (n0, ..., nL), two whole numbers or more, each at least 1; got {given!r}")
    return widths


def read_formulas(
    field: str, given: Names, table: Mapping[str, ActivationEntry] | Mapping[str, LossEntry], kind: str
) -> tuple[Formula, ...]:
    """Each formula once, in the catalogue's order. A bare name means all its variants.  Raises DomainError."""
    wanted: dict[Formula, None] = {}
    for name in _each(field, given):
        if isinstance(name, Formula):
            found: tuple[Formula, ...] = (name,)
        elif name in table:
            found = variants(name)
        else:
            try:
                found = (Formula.parse(str(name), table, kind),)
            except SpecError as error:
                raise DomainError(f"{field}: {error}") from None
        foreign = [formula.name for formula in found if formula.name not in table]
        if foreign:
            raise DomainError(f"{field}: {unknown_name(kind, foreign[0], table)}")
        wanted.update(dict.fromkeys(found))
    if not wanted:
        raise DomainError(f"{field} must name at least one {kind}; got none")
    ordered = [formula for name in table for formula in variants(name) if formula in wanted]
    return tuple(dict.fromkeys([*ordered, *wanted]))


def read_names(field: str, given: str | Iterable[str], names: Iterable[str], kind: str) -> tuple[str, ...]:
    """Each name once, in the order of `names`.  Raises DomainError."""
    live = list(names)
    wanted = list(_each(field, given))
    for name in wanted:
        if name not in live:
            raise DomainError(f"{field}: {unknown_name(kind, str(name), live)}")
    if not wanted:
        raise DomainError(f"{field} must name at least one {kind}; got none")
    return tuple(name for name in live if name in wanted)


def read_choice(field: str, given: str, choices: Sequence[str]) -> str:
    """One of `choices`.  Raises DomainError."""
    if given not in choices:
        raise DomainError(f"{field} must be one of {', '.join(choices)}; got {given!r}")
    return given


def read_penalties(given: str | Penalty) -> str | Penalty:
    """The word none or mixed, or one penalty, which may be written as its id.  Raises DomainError."""
    if isinstance(given, Penalty) or given in _PENALTY_WORDS:
        return given
    if not isinstance(given, str):
        raise DomainError(f"penalties must be none, mixed, or one penalty; got {given!r}")
    try:
        return Penalty.parse(given)
    except SpecError as error:
        raise DomainError(f"penalties must be none, mixed, or one penalty: {error}") from None


_PENALTY_WORDS: Final = ("none", "mixed")


def _each(field: str, given: Names) -> Iterable[str | Formula]:
    if isinstance(given, str | Formula):
        return (given,)
    if not isinstance(given, Iterable):
        raise DomainError(f"{field} must be a name or several names; got {given!r}")
    return given


def spelled(formulas: Sequence[Formula]) -> tuple[str, ...]:
    """How a domain may name `formulas`: the bare name where all its variants are there, else each with its values."""
    words = []
    for name in dict.fromkeys(formula.name for formula in formulas):
        here = [formula for formula in formulas if formula.name == name]
        if set(here) == set(variants(name)):
            words.append(name)
        else:
            # The bare name would mean all of them: the first value stays, also where it is the default.
            words += [
                formula.id if "=" in formula.id else f"{name}={number_text(formula.values[0])}" for formula in here
            ]
    return tuple(words)


def named(names: Sequence[str]) -> str | tuple[str, ...]:
    """A single name by itself, else all of them."""
    return names[0] if len(names) == 1 else tuple(names)
