"""Backproof: is this handwritten backpropagation right, and if not, which equation is wrong?

Public names: `Domain` and `candidate` declare what an implementation supports, `check` tests it on random networks
and returns a Report, `check_arrays` judges numbers that already exist, `check_gradients` tests it on one case inside a
test of yours, `cases` is the Hypothesis strategy that draws them.

They are imported when first asked for: `import backproof` costs nothing, and torch is needed by no import.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from backproof.candidates.layout import candidate as candidate
    from backproof.cases.domain import Domain as Domain
    from backproof.cases.strategies import cases as cases
    from backproof.route import check as check
    from backproof.sessions.assertion import check_gradients as check_gradients
    from backproof.sessions.given import check_arrays as check_arrays

__all__ = ["Domain", "candidate", "cases", "check", "check_arrays", "check_gradients"]

_HOMES: Final = {
    "Domain": "backproof.cases.domain",
    "candidate": "backproof.candidates.layout",
    "cases": "backproof.cases",
    "check": "backproof.route",
    "check_arrays": "backproof.sessions.given",
    "check_gradients": "backproof.sessions.assertion",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'backproof' has no attribute {name!r}; its public names are {', '.join(__all__)}")
    home = importlib.import_module(_HOMES[name])
    return home if name == "cases" else getattr(home, name)


def __dir__() -> list[str]:
    """The public names, and the submodules that are imported by now."""
    return sorted({*globals(), *__all__})


class _Cases(ModuleType):
    """The subpackage `backproof.cases`, which is also the strategy `cases(domain)`.

    Importing a subpackage binds its name in the package, so that one name has to be both.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from backproof.cases import strategies

        return strategies.cases(*arguments, **options)


class _Backproof(ModuleType):
    """This package: it makes the subpackage `cases` callable at the moment that an import binds it."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "cases" and type(value) is ModuleType:
            value.__class__ = _Cases
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Backproof
