"""From a CANDIDATE text to functions: `path.py`, `path.py:name` or `package.module:name`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import TIMEOUT, Candidate, CandidateError
from backproof.candidates.ending import TerminatedError
from backproof.candidates.layout import MARK, Declaration
from backproof.candidates.patience import Patience
from backproof.candidates.steps import made
from backproof.candidates.watch import IMPORT, OutOfTimeError, place, within
from backproof.candidates.wording import said

FUNCTION: Final = "loss_and_gradients"
Result = TypeVar("Result")
FILE: Final = re.compile(r"(?P<path>.+\.py)(?::(?P<name>[\w.]+))?")
MODULE: Final = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[\w.]+)")
"""The two forms of a CANDIDATE text that names Python functions."""


def find(text: str, *, timeout: float = TIMEOUT) -> tuple[FunctionCandidate, ...]:
    """The functions that `text` names: the one named, or every @candidate of the file, or its `loss_and_gradients`.

    timeout: seconds for one case.

    Raises CandidateError where there is none, or where importing the file fails.
    """
    if matched := FILE.fullmatch(text):
        path, name = Path(matched["path"]), matched["name"]
        module, where = _module_from_file(path), matched["path"]
    elif matched := MODULE.fullmatch(text):
        name, where = matched["name"], matched["module"]
        sys.path[:] = search_path()
        module = _imported(f"module {where!r}", lambda: importlib.import_module(where))
    else:
        raise CandidateError(
            f"cannot read {text!r} as a candidate: write my_net.py, my_net.py:name or package.module:name"
        )
    names = [name] if name else _names(module, where)
    return tuple(replace(_candidate(module, where, name), patience=Patience(timeout)) for name in names)


def search_path() -> list[str]:
    """Where the module of a candidate is looked for: the current directory first, unless it is among the others."""
    here = str(Path.cwd())
    return sys.path if {"", here} & set(sys.path) else [here, *sys.path]


def wrap(given: object, *, timeout: float = TIMEOUT) -> FunctionCandidate:
    """A function that is already at hand, declared or not, or an object with a method `loss_and_gradients`.

    timeout: seconds for one case. Raises CandidateError for a class, which is neither.
    """
    if isinstance(given, type):
        raise CandidateError(
            f"{given.__qualname__} is a class: hand over an object of it that has a method {FUNCTION}(network, x, y), "
            f"or a function that makes one"
        )
    function = _method(given) or given
    if not callable(function):
        raise CandidateError(
            f"a candidate is a name, a function, an object with a method {FUNCTION}, or a Candidate; got {given!r}"
        )
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return replace(made(name, function, _declaration(given, function)), patience=Patience(timeout))


def text_of(candidate: Candidate) -> str | None:
    """The CANDIDATE text that finds a candidate again; None where there is none, as for what a notebook has defined."""
    text: str | None = getattr(candidate, "text", None)
    if text is not None or not isinstance(candidate, FunctionCandidate):
        return text
    module, name = (getattr(candidate.function, key, "") for key in ("__module__", "__qualname__"))
    # At the top of a module that can be imported, under its own name; a method's object has a name we do not know.
    found = module != "__main__" and getattr(sys.modules.get(module), name, None) is candidate.function
    return f"{module}:{name}" if found else None


def _method(given: object) -> Callable[..., object] | None:
    """An object's own way to answer; functions, classes and modules are no such objects."""
    if isinstance(given, type | ModuleType) or inspect.isroutine(given):
        return None
    method = getattr(given, FUNCTION, None)
    return method if callable(method) else None


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        if path.is_dir():
            raise CandidateError(f"{path} is a directory; a candidate is a file in it, like {path / 'my_net.py'}")
        files = [p.name for p in sorted(path.parent.glob("*.py")) if p.is_file()]
        near = difflib.get_close_matches(path.name, files, n=1)
        hint = f" Did you mean {path.with_name(near[0])}?" if near else ""
        raise CandidateError(f"no file {path}.{hint}")
    name = f"backproof_candidate_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CandidateError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up by its name
    # What lies beside the file can be imported by it, as if it were run as a script.
    sys.path.insert(0, str(path.resolve().parent))
    run = spec.loader.exec_module
    _imported(str(path), lambda: run(module), home=spec.origin)
    return module


def _imported(where: str, run: Callable[[], Result], *, home: str | None = None) -> Result:
    """What importing gives; a candidate's own code fails in its own ways while that runs."""
    try:
        return within(IMPORT, run)
    except OutOfTimeError as error:
        raise CandidateError(
            f"importing {where} took more than {IMPORT:g} s and was stopped{place(error, home)}: what is to run only "
            'when the file is a script, like training, goes below `if __name__ == "__main__":`'
        ) from None
    except (KeyboardInterrupt, TerminatedError):
        raise
    except BaseException as error:
        at = "" if isinstance(error, SyntaxError) else place(error, home)
        raise CandidateError(f"importing {where} failed with {said(error)}{at}") from error


def _names(module: ModuleType, where: str) -> list[str]:
    """The names of all declared functions in the order of the file; else the one name that everybody uses."""
    own = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    declared = [name for name, value in own.items() if hasattr(value, MARK)]
    if declared or FUNCTION in own:
        return declared or [FUNCTION]
    objects = [name for name, value in vars(module).items() if not name.startswith("_") and _method(value) is not None]
    if objects:
        return objects
    functions = [
        name for name, value in own.items() if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    classes = [name for name, value in own.items() if isinstance(value, type) and value.__module__ == module.__name__]
    found = "It has no function."
    if functions:
        found = f"It has {', '.join(functions)}: name one, as in {where}:{functions[0]}."
    elif classes:
        found = f"It has the class {classes[0]}: make an object of it, net = {classes[0]}(), and name {where}:net."
    raise CandidateError(f"{where} has no function {FUNCTION}(network, x, y) and nothing under @candidate. {found}")


def _declaration(given: object, function: object) -> Declaration | None:
    """What `@candidate` says of a function, or of the object that has it as a method."""
    found: Declaration | None = getattr(function, MARK, None) or getattr(given, MARK, None)
    return found


def _may_be_meant(name: str, value: object) -> bool:
    """Whether it may be a candidate: nothing private, and nothing that was imported from Backproof."""
    private = name.startswith("_") or str(getattr(value, "__module__", "")).startswith("backproof.")
    return not private and (callable(value) or _method(value) is not None)


def _candidate(module: ModuleType, where: str, name: str) -> FunctionCandidate:
    inside: object = module
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            live = [known for known, value in vars(module).items() if _may_be_meant(known, value)]
            close = difflib.get_close_matches(name, live, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise CandidateError(f"{where} has no {name!r}.{hint} It has: {', '.join(live) or 'nothing callable'}.")
        inside, found = found, getattr(found, part)
    function = _method(found) or found
    if isinstance(found, type):
        kind = f"a class; make an object of it and name that, or a method of it: {FUNCTION}(network, x, y)"
    elif isinstance(inside, type) and inspect.isfunction(found):
        kind = f"a method without an object: write net = {inside.__name__}() and name {where}:net.{found.__name__}"
    elif not callable(function):
        article = "an" if type(found).__name__[0] in "aeiou" else "a"
        kind = f"{article} {type(found).__name__}, not a function: {FUNCTION}(network, x, y)"
    else:
        text = f"{where}:{name}"
        return made(text, function, _declaration(found, function), text)
    raise CandidateError(f"{where}:{name} is {kind}")
