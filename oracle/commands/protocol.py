"""`backproof protocol`: how a program in another language is asked, with a complete exchange."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Final

import typer

from backproof.commands.terminal import foreseen, stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backproof.candidates.contract import Answer
    from backproof.cases.case import Case

EXAMPLE: Final = "2-1,sigmoid,half_squared_error,sum,n1,f64,decimals,s1"
DESCRIBED: Final = (
    '{"domain":{"activations":"sigmoid","losses":"half_squared_error","reductions":"sum","biases":"always"}}'
)
"""How the program of the example describes itself."""

STEPS: Final = DESCRIBED.removesuffix("}") + ',"kind":"step"}'
"""How it would as one that takes steps."""

WIDTH: Final = 116

_INTRODUCTION: Final = (
    "A program in any language is a CANDIDATE: backproof check exec:./my_net, or 'exec:node my_net.js' with arguments. "
    "It reads lines from stdin, one JSON object each, and answers each with one line on stdout, flushed at once; "
    "stderr is its own. It lives through all cases. One that crashes, hangs (--timeout) or writes anything else has "
    "failed that case, and is started again for the next."
)
_NOTES: Final = (
    "{} says nothing: the program is then asked for identity, sigmoid, tanh, relu and softmax, mse, half_squared_error "
    'and cross_entropy, sum and mean, in float64. "domain" has the fields of Domain, where a range is [low, high] and '
    'several names are a list. "samples", "weights", "bias" and "targets" state another layout, as in @candidate: then '
    "arrays come in it, and are wanted back in it."
)
_STEPS: Final = (
    'A program that only trains says "kind":"step", and "learning_rate":0.1 if that is built in. Each request then has '
    'a learning_rate; the program takes one step, W - learning_rate * dC/dW, and its "weights" and "biases" are the '
    "new ones, from which the gradients are read off. Asked as above, and described by"
)
_NUMBERS: Final = (
    "Arrays are nested lists, row by row. Numbers come with all the digits that they need to read back to the same "
    "bits; printf keeps as many with %.17g (%.9g for float32), and loses some with %f. NaN, Infinity and -Infinity are "
    "read, and so are nan, -nan, inf and -inf as printf writes them, and null among numbers, which is what JavaScript "
    "makes of them, as NaN. An answer may have its keys in any order. After "
    '"weights" a request has no strings but keys: find a key, then read numbers, stepping over brackets and commas.'
)


def protocol(
    case: Annotated[str, typer.Option(help="the case of the exchange, by its id")] = EXAMPLE,
    requests: Annotated[
        bool, typer.Option("--requests", help="print only what a program is sent: pipe it into yours")
    ] = False,
) -> None:
    """Show how a program in another language is asked, with a complete exchange."""
    from backproof.candidates.builtin import Scratch
    from backproof.candidates.layout import Layout
    from backproof.candidates.protocol import DESCRIBE, reply, request
    from backproof.candidates.steps import rates
    from backproof.cases.case import build_case
    from backproof.cases.spec import NetworkSpec

    try:
        built = build_case(NetworkSpec.parse(case))
    except foreseen() as error:
        stop(case, error, as_json=False)
    sent = [DESCRIBE.decode(), request(1, built, Layout()).decode()]
    if requests:
        typer.echo("\n".join(sent))
        return
    found = Scratch().answer(built)
    answer = reply(1, found, ("loss", "weights", "biases")).decode()
    rate, *_ = rates(None, built.spec.dtype)
    after = reply(1, _step(built, found, rate), ("weights", "biases")).decode()
    stepped = [request(1, built, Layout(), learning_rate=rate).decode(), after]
    typer.echo("\n".join(_page(sent, [DESCRIBED, answer], stepped)))


def _step(case: Case, found: Answer, rate: float) -> Answer:
    """What a step along these gradients answers."""
    moved = [
        tuple(None if old is None or new is None else old - rate * new for old, new in zip(own, slopes, strict=True))
        for own, slopes in ((case.weights, found.weights), (case.biases, found.biases))
    ]
    return replace(found, weights=moved[0], biases=moved[1])


def _page(sent: list[str], answers: list[str], stepped: list[str]) -> Iterator[str]:
    from backproof.candidates.protocol import REPLY, REQUEST

    yield from (fill(_INTRODUCTION, WIDTH), "")
    yield "First, at every start, it is asked what it is:\n"
    yield from (f"> {sent[0]}", f"< {answers[0]}\n")
    yield from (fill(_NOTES, WIDTH), "")
    yield "Then it is asked for the gradients of one network after the other:\n"
    yield from (f"> {sent[1]}", f"< {answers[1]}\n")
    yield "A request has these keys, always all of them, in this order:\n"
    yield from _table(REQUEST)
    yield "An answer has these:\n"
    yield from _table(REPLY)
    yield from (fill(_NUMBERS, WIDTH), "")
    yield from (fill(_STEPS, WIDTH), "")
    yield f"< {STEPS}\n"
    yield from (f"> {stepped[0]}", f"< {stepped[1]}")


def _table(keys: Mapping[str, str]) -> Iterator[str]:
    width = max(map(len, keys)) + 2
    yield from (f"  {key:<{width}}{meaning}" for key, meaning in keys.items())
    yield ""
