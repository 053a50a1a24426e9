"""The wire format between Backproof and a program in any language: JSON, one object a line.

    > {"describe":1}
    < {}                                   or {"domain":{...},"weights":"in_out",...}, the words of @candidate
    > {"id":7,"widths":[3,4,2],"batch_size":5,"dtype":"float64",...,"weights":...,"biases":...,"x":...,"y":...}
    < {"id":7,"loss":...,"weights":...,"biases":...}        or {"id":7,"unsupported":"gelu"}

A program that says "kind":"step" takes one training step at the request's learning rate, and its weights and biases are
the new ones.

A request has its keys always in the order of REQUEST, sizes first, and after "weights" no strings but the keys that
follow: a C program needs no JSON library. Arrays are nested lists in row-major order and in the candidate's own layout;
numbers are written so that they read back to the same bits.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from inspect import signature
from types import MappingProxyType
from typing import Any, Final

from backproof.candidates.callables import common_ground
from backproof.candidates.child import ChildError, quoted
from backproof.candidates.contract import Answer, CandidateError
from backproof.candidates.handed import Handed
from backproof.candidates.layout import MARK, Declaration, Layout, candidate
from backproof.candidates.reading import KEYS
from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.cases.spelling import unknown_name

DESCRIBE: Final = b'{"describe":1}'
"""The first line that every process is sent."""
REQUEST: Final = MappingProxyType(
    {
        "id": "the number of the request, which its answer repeats",
        "widths": "[n0, ..., nL]: inputs, then the outputs of each of L layers",
        "batch_size": "N, the number of samples",
        "dtype": '"float64" or "float32": what the numbers are, and what to compute in',
        "activations": "L names; identity for a layer without one",
        "activation_options": 'L objects with the parameters of each, like {"negative_slope":0.2}, or {}',
        "loss": "its name",
        "loss_options": "an object with its parameters, which may hold arrays",
        "reduction": '"none", "sum", "mean" or "batchmean"',
        "learning_rate": 'null; for a program of "kind":"step", that of the step that it is to take',
        "penalty": 'null, or {"l1":..,"l2":..,"on_biases":false,"divided_by":"nothing"}, or divided by "N"',
        "upstream": 'null; under reduction "none" factors: the gradient asked for is that of sum(upstream * losses)',
        "weights": "L matrices (O, I)",
        "biases": "L vectors (O,), null for a layer without",
        "x": "(N, n0)",
        "y": "(N, nL), or (N,) class indices",
    }
)
"""The keys of a request, in their order, and what they hold."""
REPLY: Final = MappingProxyType(
    {
        "id": "that of the request",
        "loss": 'the loss; under reduction "none" all of them, unreduced; may be left out',
        "weights": "L matrices, dC/dW; after a step the new W",
        "biases": "L vectors, dC/db, null for a layer without; after a step the new b",
        "inputs": "(N, n0), dC/dx; may be left out",
        "deltas": "L matrices (N, O), dC/dz; may be left out",
        "unsupported": 'in place of all that, what it does not support, like "gelu"',
    }
)
"""The keys of an answer to a request, and what they hold."""
DESCRIPTION: Final = ("domain", "samples", "weights", "bias", "targets", "kind", "learning_rate")
"""The keys that an answer to DESCRIBE may have: what @candidate takes."""

_DIGITS: Final = 18
"""As many as a whole number of 64 bits always has room for."""

# Strings come first, so that what stands in one is left alone; then C's way to print what is no number.
_SPELLINGS: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"|(?<!\w)(?P<sign>[-+]?)(?:(?P<nan>nan)\b(?:\(\w*\))?|inf(?:inity)?\b)', re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a program says of itself: nothing, or what it declares; in the common ground unless it says a domain."""

    declaration: Declaration | None
    says_domain: bool


def request(number: int, case: Case, layout: Layout, *, learning_rate: float | None = None) -> bytes:
    """The line that asks for the gradients of a case, or for a step at a learning rate, without its end."""
    spec, handed = case.spec, Handed(case, layout)
    network = handed.network
    penalty = network.penalty
    told = {
        "id": number,
        "widths": spec.widths,
        "batch_size": spec.batch_size,
        "dtype": spec.dtype,
        "activations": network.activations,
        "activation_options": network.activation_options,
        "loss": network.loss,
        "loss_options": network.loss_options,
        "reduction": network.reduction,
        "learning_rate": learning_rate,
        "penalty": None if penalty is None else {field.name: getattr(penalty, field.name) for field in fields(penalty)},
        "upstream": network.upstream,
        "weights": network.weights,
        "biases": network.biases,
        "x": handed.x,
        "y": handed.y,
    }
    return _line({key: told[key] for key in REQUEST})


def reply(number: int, answer: Answer, keys: Iterable[str] = KEYS) -> bytes:
    """The line that a program would send back for `keys` of an answer, in the default layout; as an example."""
    found = {key: getattr(answer, key) for key in keys}
    return _line({"id": number} | {key: value for key, value in found.items() if value is not None})


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, default=_lists, separators=(",", ":")).encode()


def _lists(array: Any) -> Any:
    """An array of float32 gives the float64 of the same value: longer than it need be, and exact."""
    return array.tolist()


def read_reply(line: bytes, number: int) -> dict[str, object] | str:
    """What a program answered to request `number`: the parts that it returned, or the name of what it does not support.

    Raises ChildError, a sentence that its author understands.
    """
    said = _object(line)
    if "id" not in said:
        raise ChildError("error", f"an answer without the id of its request, {number}: {quoted(line)}")
    if said.pop("id") != number:
        raise ChildError("error", f"it answered another request than {number}, the one it was asked: {quoted(line)}")
    if "unsupported" in said:
        return str(said["unsupported"])
    if b"null" in line:
        for key in ("weights", "biases", "deltas"):
            if isinstance(layers := said.get(key), list):
                said[key] = [None if layer is None else _numbers(layer) for layer in layers]
        for key in ("loss", "inputs"):
            if said.get(key) is not None:
                said[key] = _numbers(said[key])
    return said


def _numbers(value: object) -> object:
    """Nested lists with NaN for null, which is what JavaScript writes for it and for Infinity."""
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    return math.nan if value is None else value


def read_description(line: bytes) -> Description:
    """What a program answered to DESCRIBE: {}, or what @candidate takes, with the Domain as an object.

    Raises CandidateError, ChildError.
    """
    said = _object(line)
    if not said:
        return Description(declaration=None, says_domain=False)
    try:
        _refuse_unknown("field", said, DESCRIPTION)
        words = {name: value for name, value in said.items() if name != "domain"}
        says_domain = said.get("domain") is not None
        declare = candidate(_domain(said["domain"]) if says_domain else common_ground(), **words)
        return Description(declaration=getattr(declare(_program), MARK), says_domain=says_domain)
    except (ValueError, TypeError) as error:
        raise CandidateError(f"its answer to {DESCRIBE.decode()}: {error}") from None


def described(declaration: Declaration) -> str:
    """The answer to DESCRIBE that declares this, as a program would print it."""
    usual = Declaration(domain=declaration.domain, layout=Layout())
    found: dict[str, object] = {"domain": declaration.domain.settings()}
    for own, other in ((declaration.layout, usual.layout), (declaration, usual)):
        names = [name for name in DESCRIPTION[1:] if hasattr(own, name)]
        found |= {name: getattr(own, name) for name in names if getattr(own, name) != getattr(other, name)}
    return _line(found).decode()


def _program() -> None:
    """What stands in the place of a declared function: the program itself is elsewhere."""


def _domain(said: object) -> Domain:
    """A Domain from its fields.  Raises ValueError, TypeError."""
    if not isinstance(said, dict):
        raise TypeError(f"domain must be an object with the fields of Domain; got {json.dumps(said)}")
    _refuse_unknown("field of domain", said, signature(Domain).parameters)
    return Domain(**said)


def _refuse_unknown(kind: str, said: Iterable[str], live: Iterable[str]) -> None:
    names = list(live)
    for name in said:
        if name not in names:
            raise ValueError(unknown_name(kind, name, names))


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object in a line, with NaN and Infinity in everybody's spelling.  Raises ChildError."""
    text = line.decode(errors="replace")
    try:
        said = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise ChildError(
            "error", f"no JSON object on one line ({error}): {quoted(line)}; stdout is for answers, stderr for the rest"
        ) from None
    if not isinstance(said, dict):
        raise ChildError("error", f"an answer must be a JSON object, {{...}}; got {quoted(line)}")
    return said


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_int=_whole)
    except ValueError:
        respelled = _SPELLINGS.sub(_json_spelling, text)
        if respelled == text:
            raise
        return json.loads(respelled, parse_int=_whole)


def _whole(digits: str) -> int | float:
    """A number without point and exponent, as JavaScript writes floats below 1e21: beyond 64 bits it is a float."""
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _json_spelling(found: re.Match[str]) -> str:
    if found["sign"] is None:
        return found[0]
    if found["nan"]:
        return "NaN"
    return "-Infinity" if found["sign"] == "-" else "Infinity"


def limit(case: Case) -> int:
    """How many bytes an answer may have: several times what all its numbers take at full length."""
    spec = case.spec
    parameters = sum(array.size for array in (*case.weights, *case.biases) if array is not None)
    samples = spec.batch_size * (2 * sum(spec.widths) + spec.outputs)
    return 64 * 1024 + 128 * (parameters + samples)
