"""The small networks on which a fault is shown: the first in this order that shows it is taken."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from backproof.cases import Array, Case, Domain, Penalty, build_case, sample_specs
from backproof.lessons.solved import stated

SAMPLED = 400
"""How many networks are tried beyond those that are written down, for faults of rare losses and activations."""

_W2, _W3 = [[1, 2], [3, 4]], [[2, -1], [1, 3]]


@cache
def written() -> tuple[Case, ...]:
    """From one weight to three layers, each with few and small whole numbers."""
    return (*_single(), *_layered(), *_classifying(), *_charged(), *_extreme())


def _single() -> Iterator[Case]:
    """One layer and one number of each kind; then two outputs, two inputs, several samples."""
    for activation, weight, bias, target in (
        ("identity", 3, 1, 5),
        ("relu", 3, 1, 5),
        ("relu", 3, -9, 5),
        ("sigmoid", 1, -2, 1),
        ("sigmoid", 1, -1, 0),
        ("tanh", 1, -1, 1),
        ("leaky_relu=0.2", 3, -9, 5),
        ("gelu", 1, -1, 1),
        ("elu", 1, -3, 1),
    ):
        yield stated(weights=[[[weight]]], biases=[[bias]], x=[[2]], y=[[target]], activations=activation)
    yield stated(weights=[[[2]]], biases=[[1]], x=[[1.5]], y=[[3]])
    for loss, target in (("huber=0.5", 5), ("smooth_l1=0.5", 5), ("hinge_embedding=2", -1), ("soft_margin", -1)):
        yield stated(weights=[[[3]]], biases=[[-5]], x=[[2]], y=[[target]], loss=loss)
    for loss, reduction in (
        ("half_squared_error", "sum"),
        ("half_squared_error", "batchmean"),
        ("mse", "sum"),
        ("mse", "mean"),
        ("mse", "batchmean"),
    ):
        yield stated(weights=[[[3]]], biases=[[1]], x=[[1], [2]], y=[[2], [3]], loss=loss, reduction=reduction)
    yield stated(weights=[[[1], [2]]], biases=[[0, 1]], x=[[2]], y=[[1, 2]])
    yield stated(weights=[[[1], [2]]], biases=[[0, 1]], x=[[1], [2]], y=[[0, 1], [-1, 1]])
    yield stated(weights=[[[2, 5]]], biases=[[1]], x=[[3, 1]], y=[[9]])
    yield stated(weights=[[[1, 0], [0, 1]]], biases=[[0, 0]], x=[[2, 3]], y=[[1, 5]])
    yield stated(weights=[_W2], biases=[[1, -1]], x=[[1, 0], [2, 1]], y=[[0, 1], [3, 4]])
    for loss, reduction in (("mse", "mean"), ("mse", "batchmean"), ("half_squared_error", "mean"), ("l1", "sum")):
        yield stated(
            weights=[[[1], [1]]],
            biases=[[0, 0]],
            x=[[1], [2], [3]],
            y=[[0, 2], [0, 1], [1, 4]],
            loss=loss,
            reduction=reduction,
        )
    # N = 5 and O = 3: none of 2, N, O, N O and their products is another one.
    yield stated(weights=[[[1], [2], [0]]], biases=[[0, 0, 1]], x=[[1], [2], [3], [4], [5]], y=[[1, 1, 0]] * 5)
    yield stated(
        weights=[[[1], [1]]],
        biases=[[0, 0]],
        x=[[1], [2]],
        y=[[0, 2], [0, 1]],
        loss="mse",
        reduction="none",
        upstream=[[1, 2], [3, -1]],
    )


def _layered() -> Iterator[Case]:
    """Two and three layers, of equal and of unequal widths, where neurons are on and off."""
    for activations in ("identity-identity", "relu-identity", "sigmoid-sigmoid", "tanh-identity", "sigmoid-identity"):
        yield stated(weights=[[[2]], [[3]]], biases=[[-1], [2]], x=[[1]], y=[[4]], activations=activations)
    for activations in ("identity-identity", "relu-identity", "relu-relu", "sigmoid-sigmoid", "tanh-identity"):
        yield stated(weights=[[[1], [2]], [[2, 3]]], biases=[[0, -3], [1]], x=[[1]], y=[[2]], activations=activations)
        yield stated(weights=[_W3, _W2], biases=[[0, 1], [1, 0]], x=[[1, 2]], y=[[6, 30]], activations=activations)
        yield stated(
            weights=[_W3, _W2],
            biases=[[0, 1], [1, 0]],
            x=[[1, 2], [3, 1]],
            y=[[6, 30], [9, 29]],
            activations=activations,
        )
        yield stated(
            weights=[[[1, 2], [0, 1], [-1, 1]], [[1, 2, -1], [2, 0, 3]]],
            biases=[[0, 1, 0], [1, 0]],
            x=[[1, 2]],
            y=[[9, 8]],
            activations=activations,
        )
    for activations in ("identity-identity-identity", "relu-relu-identity", "tanh-sigmoid-identity"):
        yield stated(weights=[[[2]], [[3]], [[2]]], biases=[[-1], [1], [0]], x=[[1]], y=[[7]], activations=activations)
        yield stated(
            weights=[_W3, _W2, [[1, 1], [0, 2]]],
            biases=[[0, 1], [1, 0], [0, 0]],
            x=[[1, 2], [2, 0]],
            y=[[35, 60], [20, 30]],
            activations=activations,
        )


def _classifying() -> Iterator[Case]:
    """Outputs that are probabilities, and losses on them."""
    pair: dict[str, Any] = {"weights": [[[1], [2]]], "biases": [[0, -1]], "x": [[1]]}
    for activations, loss, y in (
        ("softmax", "categorical_cross_entropy", [[1, 0]]),
        ("softmax", "categorical_cross_entropy", [[0.25, 0.75]]),
        ("softmax", "half_squared_error", [[1, 0]]),
        ("softmax", "linear", [[2, 1]]),
        ("log_softmax", "nll", [0]),
        ("log_softmax", "linear", [[2, 1]]),
        ("identity", "cross_entropy", [0]),
        ("identity", "cross_entropy=probabilities", [[0.25, 0.75]]),
        ("sigmoid", "bce", [[1, 0]]),
        ("identity", "bce_with_logits", [[1, 0]]),
    ):
        yield stated(**pair, y=y, activations=activations, loss=loss)
    three: dict[str, Any] = {"weights": [[[1], [2], [0]]], "biases": [[0, -1, 1]], "x": [[1], [2]]}
    for loss, activations, y in (
        ("categorical_cross_entropy", "softmax", [[1, 0, 0], [0, 0, 1]]),
        ("cross_entropy", "identity", [0, 2]),
    ):
        for reduction in ("sum", "mean"):
            yield stated(**three, y=y, activations=activations, loss=loss, reduction=reduction)
    yield stated(
        weights=[_W3, [[1, 2], [3, -1]]],
        biases=[[0, 0], [0, 0]],
        x=[[1, 0]],
        y=[[1, 0]],
        activations="softmax-softmax",
        loss="categorical_cross_entropy",
    )


def _charged() -> Iterator[Case]:
    """A penalty: l2, l1 or both, on biases too or not, divided by N or not, for positive and negative weights."""
    charges = [(l1, l2, on_biases) for on_biases in (False, True) for l1, l2 in ((0, 4), (1, 0), (1, 4))]
    for l1, l2, on_biases in charges:
        for weight in (3, -3):
            penalty = Penalty(l1, l2, on_biases, "nothing")
            yield stated(weights=[[[weight]]], biases=[[1]], x=[[2]], y=[[5]], penalty=penalty)
            for divided_by in ("nothing", "N"):
                penalty = Penalty(l1, l2, on_biases, "N" if divided_by == "N" else "nothing")
                yield stated(weights=[[[weight]]], biases=[[1]], x=[[1], [2]], y=[[2], [3]], penalty=penalty)


def _extreme() -> Iterator[Case]:
    """Numbers so large that exp, or what is made of it, no longer fits."""
    for weights, activations, loss, y in (
        ([[1000], [0]], "softmax", "linear", [[1, 2]]),
        ([[1000], [0]], "softmax", "categorical_cross_entropy", [[1, 0]]),
        ([[1000], [0]], "identity", "cross_entropy", [1]),
        ([[1000], [0]], "log_softmax", "nll", [1]),
        ([[1000]], "elu", "linear", [[1]]),
        ([[1000]], "tanh", "linear", [[1]]),
        ([[-1000]], "sigmoid", "linear", [[1]]),
        ([[-1000]], "identity", "bce_with_logits", [[1]]),
        ([[1000]], "identity", "bce_with_logits", [[0]]),
        ([[1000]], "sigmoid", "bce", [[0]]),
        ([[1000]], "softplus", "linear", [[1]]),
    ):
        yield stated(weights=[weights], biases=[[0] * len(weights)], x=[[1]], y=y, activations=activations, loss=loss)


@cache
def sampled() -> tuple[Case, ...]:
    """Small networks of whole numbers with every activation, loss and option, the smallest first."""
    domain = Domain(
        depth=(1, 3), width=(1, 3), batch_size=(1, 3), dtypes="float64", values="integers", penalties="mixed"
    )
    specs = sorted(
        sample_specs(domain, seed=0, shard=0, count=SAMPLED),
        key=lambda spec: (sum(spec.widths), spec.batch_size, spec.id),
    )
    return tuple(map(build_case, specs))


def before(case: Case) -> Case:
    """Another call of the same shape, made before: for what is kept from call to call."""
    weights = tuple(_moved(weight) for weight in case.weights)
    return replace(case, weights=weights, x=_moved(case.x))


def _moved(array: Array) -> Array:
    moved = array + 1
    moved.flags.writeable = False
    return moved
