"""A small network whose numbers are stated, and everything that the handwritten network computes on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backproof.candidates import builtin
from backproof.cases import ACTIVATIONS, LOSSES, Array, Case, Formula, NetworkSpec, Penalty, target_kind
from backproof.lessons.lesson import Step, Worked
from backproof.lessons.spelling import DIGITS
from backproof.scratch import Backprop, Network

_WORDS = {
    "half_squared_error": "C = 1/2 (a - y)^2, added over the outputs",
    "mse": "C = (a - y)^2",
    "linear": "C = y a, added over the outputs",
    "categorical_cross_entropy": "C = -sum of y log(a)",
    "cross_entropy": "C = -log softmax(a)[y]",
    "bce": "C = -(y log a + (1 - y) log(1 - a))",
}


def stated(
    *,
    weights: Sequence[Any],
    biases: Sequence[Any],
    x: Sequence[Any],
    y: Sequence[Any],
    activations: str = "identity",
    loss: str = "half_squared_error",
    reduction: str = "sum",
    penalty: Penalty | None = None,
    loss_arrays: Mapping[str, Any] | None = None,
    upstream: Sequence[Any] | None = None,
) -> Case:
    """The network with these numbers; activations: "relu-identity", one for each layer. A bias may be None.

    Raises SpecError where no such network can be. The id of its spec describes these arrays, and does not make them.
    """
    matrices = tuple(_locked(weight) for weight in weights)
    formula = Formula.parse(loss, LOSSES, "loss")
    names = activations.split("-")
    spec = NetworkSpec(
        widths=(matrices[0].shape[1], *(weight.shape[0] for weight in matrices)),
        activations=tuple(Formula.parse(name, ACTIVATIONS, "activation") for name in names),
        loss=formula,
        reduction=reduction,
        batch_size=len(x),
        dtype="float64",
        values="integers",
        seed=0,
        biases=tuple(bias is not None for bias in biases),
        penalty=penalty,
    )
    return Case(
        spec=spec,
        weights=matrices,
        biases=tuple(None if bias is None else _locked(bias) for bias in biases),
        x=_locked(x),
        y=_locked(y, np.int64 if target_kind(formula) in ("class", "classes") else np.float64),
        loss_arrays={name: _locked(array) for name, array in (loss_arrays or {}).items()},
        upstream=None if upstream is None else _locked(upstream),
    )


def _locked(values: Any, dtype: Any = np.float64) -> Array:
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def network_of(case: Case, backprop: Callable[[], Backprop] = Backprop) -> Network:
    """The handwritten network on copies of the case's arrays, which it may overwrite."""
    weights = tuple(weight.copy() for weight in case.weights)
    biases = tuple(None if bias is None else bias.copy() for bias in case.biases)
    return builtin.network_of(replace(case, weights=weights, biases=biases), backprop)


def described(case: Case) -> str:
    """`2-2-1: relu, identity; C = 1/2 (a - y)^2; N = 1`."""
    spec = case.spec
    activations = ", ".join(formula.id for formula in spec.activations)
    single = spec.widths[-1] == 1
    cost = _WORDS.get(spec.loss.id, f"loss {spec.loss.id}")
    cost = cost.removesuffix(", added over the outputs") if single else cost
    by = "" if spec.batch_size == 1 and spec.reduction in ("sum", "batchmean") else f", reduction {spec.reduction}"
    if spec.penalty is not None:
        penalty = spec.penalty
        by += f", penalty l1 = {penalty.l1:g}, l2 = {penalty.l2:g}"
        by += ", on biases too" * penalty.on_biases + ", over N" * (penalty.divided_by == "N")
    return f"{'-'.join(map(str, spec.widths))} network: {activations}; {cost}{by}; N = {spec.batch_size}"


def given(case: Case) -> tuple[tuple[str, Any], ...]:
    """The arrays of the case, by their names; with one layer without its number."""
    layered: list[tuple[str, Any]] = [("x", case.x)]
    single = len(case.weights) == 1
    for layer, (weight, bias) in enumerate(zip(case.weights, case.biases, strict=True), 1):
        number = "" if single else str(layer)
        layered += [(f"W{number}", weight), *([] if bias is None else [(f"b{number}", bias)])]
    layered += [("y", case.y), *sorted(case.loss_arrays.items())]
    return (*layered, *([] if case.upstream is None else [("upstream", case.upstream)]))


class Solved:
    """What the handwritten network, right or with a mistake in it, computes on a case.

    backprop: what makes its Backprop, or the one of an earlier call. What a mistake raises where shapes do not fit
    passes through, unless it is dC/dx alone that does not fit: that is left out.
    """

    def __init__(self, case: Case, backprop: Callable[[], Backprop] = Backprop) -> None:
        self.case = case
        network = network_of(case, backprop)
        own = network.backprop
        with np.errstate(all="ignore"):
            try:
                self.found = network.gradients(case.x, case.y)
            except ValueError:
                self.found = network.gradients(case.x, case.y, by_inputs=False)
            self.layers = own.forward(case.x, network.weights, network.biases, network.activations)
            output = self.layers[-1].a
            self.loss_gradient = own.loss_gradient(output, case.y, network.objective)
            self.losses = network.objective.loss.value(output, case.y)
        self.backprop = own

    def quantity(self, name: str) -> Array:
        """Loss, losses, dC/da, input, or with a layer's number: z 1, a 1, slope 1, delta 1, weight 1, bias 1.

        All have the sample for their first axis but loss, weight and bias. Raises KeyError for any other name.
        """
        kind, _, layer = name.partition(" ")
        if not layer:
            plain = {
                "loss": self.found.loss,
                "losses": self.losses,
                "dC/da": self.loss_gradient,
                "input": self.found.inputs,
            }
            return np.asarray(plain[kind])
        index = int(layer) - 1
        if kind in ("z", "a"):
            return np.asarray(getattr(self.layers[index], kind))
        if kind == "slope":
            here = self.layers[index]
            return here.activation.derivative(here.z, here.a)
        arrays = {"delta": self.found.deltas, "weight": self.found.weights, "bias": self.found.biases}[kind]
        return np.asarray(arrays[index])

    def step(
        self,
        name: str,
        quantity: str,
        *at: int,
        formula: str = "",
        by: Worked | None = None,
        note: str = "",
        digits: int = DIGITS,
        wrong: bool = False,
    ) -> Step:
        """A line with that quantity, or an entry of it; `wrong`: a quantity of a network that should not be."""
        return Step(
            name=name,
            value=self.quantity(quantity)[at],
            formula=formula,
            worked=by,
            note=note,
            digits=digits,
            wrong=wrong,
            case=self.case,
            quantity=quantity,
            at=at,
        )
