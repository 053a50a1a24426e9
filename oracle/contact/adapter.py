"""What `backproof init` writes: an adapter with comments, in the layout asked for, and one place to fill in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from backproof.candidates.layout import Layout

Kind = Literal["function", "class", "step", "exec", "exec_step"]

KINDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "function": "a function that returns the loss and its gradients",
        "class": "such a function around a class of yours",
        "step": "one training step: gradients are read off the change of the parameters",
        "exec": "a program of its own, in Python as an example for any language",
        "exec_step": "such a program that takes a training step",
    }
)


def adapter(kind: Kind, layout: Layout, *, address: str) -> str:
    """The text of the adapter; address: its CANDIDATE text, quoted for a shell, for the command in its first lines."""
    wanted = _EXEC if is_program(kind) else _PYTHON
    settings = layout.written()
    built_in = '"learning_rate": 0.1' if is_program(kind) else "learning_rate=0.1"
    body = _BODIES[kind].format(arrays=_arrays(layout), sizes=_sizes(layout), built_in=built_in)
    return wanted.format(
        address=address,
        domain=_domain(layout),
        settings=f"\n    {settings}," if settings else "",
        kind='\n    kind="step",' if kind == "step" else "",
        domain_json=_DOMAIN_JSON[_targets(layout)],
        settings_json="".join(f',\n    "{name}": "{word}"' for name, word in _words(layout)),
        kind_json=',\n    "kind": "step"' if kind == "exec_step" else "",
        body=body,
        answer=_ANSWERS.get(kind, ""),
    )


def is_program(kind: Kind) -> bool:
    """Whether it is run as a program, and not imported."""
    return kind.startswith("exec")


def _words(layout: Layout) -> list[tuple[str, str]]:
    usual = Layout()
    return [
        (name, getattr(layout, name))
        for name in ("samples", "weights", "bias", "targets")
        if getattr(layout, name) != getattr(usual, name)
    ]


def _targets(layout: Layout) -> str:
    """What the domain must have for the layout of y."""
    return {"vector": "vector", "one_hot": "classes", "index": "classes"}.get(layout.targets, "matrix")


def _domain(layout: Layout) -> str:
    """The domain, one commented field a line."""
    lines = {
        "activations": '"sigmoid",  # hidden layers, and the output where output_activations says nothing else',
        "losses": '"half_squared_error",  # 1/2 |a - y|^2 for each sample; "mse", "cross_entropy=index", ...',
        "reductions": '"sum",  # over the batch: also "mean" (torch\'s divisor), or "batchmean", which is N',
        "biases": '"always",  # or "never"; "mixed" hands over None for layers without one',
    }
    if _targets(layout) == "vector":
        lines["output_width"] = "1,  # which is why y can be a vector"
    if _targets(layout) == "classes":
        lines["output_activations"] = '"identity",  # softmax is in the loss: its delta is softmax(z) - y'
        lines["losses"] = '"cross_entropy=index",  # -log softmax(z)[class] for each sample'
    return "".join(f"        {name}={value}\n" for name, value in lines.items())


_DOMAIN_JSON: Final = {
    "matrix": '{"activations": "sigmoid", "losses": "half_squared_error", "reductions": "sum", "biases": "always"}',
    "vector": '{"activations": "sigmoid", "losses": "half_squared_error", "reductions": "sum", "biases": "always", '
    '"output_width": 1}',
    "classes": '{"activations": "sigmoid", "output_activations": "identity", "losses": "cross_entropy=index", '
    '"reductions": "sum", "biases": "always"}',
}


def _arrays(layout: Layout) -> str:
    """What is handed over, as comments, in the layout's own shapes."""
    columns = layout.samples == "columns"
    rows = {
        "matrix": "(O, N)" if columns else "(N, O), a sample a row",
        "vector": "(N,), a number a sample",
        "one_hot": ("(O, N)" if columns else "(N, O)") + ", 1 at the sample's class and 0 elsewhere",
        "index": "(N,), the class of each sample, counted from 0",
    }
    bias = {"vector": "(O,)", "row": "(1, O)", "column": "(O, 1)"}[layout.bias]
    weight = "(O, I)" if layout.weights == "out_in" else "(I, O)"
    lines = [
        f"x                    {'(I, N), a sample a column' if columns else '(N, I), a sample a row'}",
        f"y                    {rows[layout.targets]}",
        f"network.weights[l]   {weight}, for l = 0, ..., L - 1",
        f"network.biases[l]    {bias}",
        "network.activations[l], .loss, .reduction: names, for code that has several",
    ]
    return "".join(f"    # {line}\n" for line in lines)


def _sizes(layout: Layout) -> str:
    """How to read (n0, ..., nL) off the weights."""
    into, out = (1, 0) if layout.weights == "out_in" else (0, 1)
    return f"[network.weights[0].shape[{into}], *(w.shape[{out}] for w in network.weights)]"


_PYTHON: Final = '''"""Between Backproof and your network: fill in the function below, then run

    backproof check {address}
"""

import numpy as np

from backproof import Domain, candidate


# What your network can do: Backproof never asks it for anything else. Several names are a tuple, ("sigmoid", "relu"), a
# range is a pair, depth=(1, 3). A field that is left out is as wide as it comes, and dtypes are float64.
@candidate(
    Domain(
{domain}    ),{settings}{kind}
)
{body}'''

_FUNCTION: Final = """def loss_and_gradients(network, x, y):
{arrays}    # Return the loss, a list with dC/dW of each layer and a list with dC/db, in the shapes of W and b.
    raise NotImplementedError("return loss, weight_gradients, bias_gradients")
"""

_CLASS: Final = """def loss_and_gradients(network, x, y):
{arrays}    # 1. Make one of your networks, with layers of these sizes:
    sizes = {sizes}
    # 2. Put the numbers of `network` into it, in place of its random ones:   mine.W = network.weights
    # 3. Let it run forwards and backwards once, without a step:               mine.forward(x); mine.backward(y)
    # 4. Return its loss and what it found, in the shapes of W and b:          return mine.loss, mine.dW, mine.db
    # A class that only trains: `backproof init FILE --kind step`.
    raise NotImplementedError(f"return loss, weight_gradients, bias_gradients of a network of sizes {{sizes}}")
"""

_STEP: Final = """def step(network, x, y, learning_rate):
{arrays}    # Take one step, W - learning_rate * dC/dW, on the whole batch. Either change network.weights and
    # network.biases themselves and return nothing, or return the new ones, weights and biases. Does your code have its
    # learning rate built in, say 0.1? Then write {built_in} beside the kind above.
    raise NotImplementedError("step along the gradient")
"""

_EXEC: Final = '''#!/usr/bin/env python3
"""A program that Backproof asks: JSON, one object a line, from stdin to stdout. Any language will do; this is Python.

    backproof check {address}

Each request holds one network and one batch; the answer is its loss and its gradients. Write to stderr whatever you
like, and to stdout nothing else.
"""

import json
import sys
from types import SimpleNamespace

import numpy as np

# The first request is {{"describe": 1}}: what the program can do, and how it keeps its arrays. Nothing else is asked.
DESCRIPTION = {{
    "domain": {domain_json}{settings_json}{kind_json}
}}


{body}

def answer(request):
    if "describe" in request:
        return DESCRIPTION
    network = SimpleNamespace(**request)
    network.weights = [np.array(w) for w in request["weights"]]
    network.biases = [None if b is None else np.array(b) for b in request["biases"]]
    x, y = np.array(request["x"]), np.array(request["y"])
{answer}        "weights": [w.tolist() for w in weights],
        "biases": [None if b is None else b.tolist() for b in biases],
    }}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
'''

_ANSWERS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "exec": """\
    loss, weights, biases = loss_and_gradients(network, x, y)
    return {
        "id": request["id"],
        "loss": float(loss),
""",
        "exec_step": """\
    stepped = step(network, x, y, request["learning_rate"])
    weights, biases = (network.weights, network.biases) if stepped is None else stepped
    return {
        "id": request["id"],
""",
    }
)
"""How a program makes its answer."""

_BODIES: Final[Mapping[Kind, str]] = MappingProxyType(
    {"function": _FUNCTION, "class": _CLASS, "step": _STEP, "exec": _FUNCTION, "exec_step": _STEP}
)
