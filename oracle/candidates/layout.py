"""A candidate's own array layout, and the declaration that states it: `@candidate(Domain(...), weights="in_out")`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from backproof.cases.domain import Domain
    from backproof.cases.spec import NetworkSpec

Array = NDArray[Any]
Declared = TypeVar("Declared", bound=Callable[..., object])
Samples = Literal["rows", "columns"]
Weights = Literal["out_in", "in_out"]
Bias = Literal["vector", "row", "column"]
Targets = Literal["matrix", "vector", "one_hot", "index"]
Arrays = Literal["numpy", "lists"]
Kind = Literal["gradients", "step"]

MARK: Final = "__backproof__"
"""The attribute by which a declared function is recognised."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a candidate stores its arrays; Backproof hands them over and takes them back in that layout.

    samples: "rows" (N, I) or "columns" (I, N); weights: "out_in" (O, I) or "in_out" (I, O); bias: "vector" (O,),
    "row" (1, O) or "column" (O, 1). targets: "matrix" y (N, O), with class indices (N,) where the loss takes classes;
    "vector" y (N,), for networks with one output; "index" only says that classes are indices; "one_hot" hands them over
    as rows (N, O) of 0 and 1, all zeros for an index that is no class, which an ignored one may be. arrays: "numpy", or
    "lists" for nested lists of Python's own numbers; what comes back may be either.
    Raises ValueError for any other word.
    """

    samples: Samples = "rows"
    weights: Weights = "out_in"
    bias: Bias = "vector"
    targets: Targets = "matrix"
    arrays: Arrays = "numpy"

    def __post_init__(self) -> None:
        for name, kind in WORDS.items():
            if getattr(self, name) not in kind:
                raise ValueError(f"{name} must be one of {', '.join(kind)}; got {getattr(self, name)!r}")

    def give_samples(self, array: Array) -> Array:
        """A fresh writable copy of (N, I), or of (N,), as the candidate wants it."""
        return np.array(array.T if self.samples == "columns" else array, order="C")

    def give_outputs(self, array: Array) -> Array:
        """A fresh writable copy of what has the shape of the outputs or of the losses, (N, O) or (N,)."""
        if self.targets == "vector" and array.ndim == 2 and array.shape[1] == 1:
            return np.array(array[:, 0])
        return self.give_samples(array)

    def give_targets(self, y: Array, spec: NetworkSpec) -> Array:
        """A fresh writable copy of y, (N, O) or class indices (N,), in the spec's dtype where they become one-hot."""
        if self.targets == "one_hot" and y.ndim == 1:
            return self.give_samples(np.equal.outer(y, np.arange(spec.outputs)).astype(spec.dtype))
        return self.give_outputs(y)

    def hand(self, array: Array) -> Any:
        """An array that was made for the candidate, or the nested lists that it wants instead."""
        return array.tolist() if self.arrays == "lists" else array

    def give_weight(self, array: Array) -> Array:
        """A fresh writable copy of (O, I)."""
        return np.array(array.T if self.weights == "in_out" else array, order="C")

    def give_bias(self, array: Array) -> Array:
        """A fresh writable copy of (O,)."""
        return np.array(array.reshape({"vector": (-1,), "row": (1, -1), "column": (-1, 1)}[self.bias]))

    def take_samples(self, array: Array) -> Array:
        """What came back for (N, I), in the default layout; a view."""
        return np.transpose(array) if self.samples == "columns" and array.ndim == 2 else array

    def take_losses(self, array: Array, spec: NetworkSpec) -> Array:
        """What came back for the loss: (), or under reduction "none" one for each sample, or sample and output."""
        if self.targets == "vector" and spec.outputs == 1 and array.ndim == 1 and _unreduced_per_output(spec):
            return array.reshape(-1, 1)
        return self.take_samples(array)

    def take_weight(self, array: Array) -> Array:
        """What came back for (O, I)."""
        return np.transpose(array) if self.weights == "in_out" and array.ndim == 2 else array

    def take_bias(self, array: Array) -> Array:
        """What came back for (O,)."""
        if self.bias == "row" and array.ndim == 2 and array.shape[0] == 1:
            return array.reshape(-1)
        if self.bias == "column" and array.ndim == 2 and array.shape[1] == 1:
            return array.reshape(-1)
        return array

    def written(self) -> str:
        """The settings that are not the default, as `@candidate` takes them: `samples="columns", weights="in_out"`."""
        usual = Layout()
        settings = [(name, getattr(self, name)) for name in WORDS if getattr(self, name) != getattr(usual, name)]
        return ", ".join(f'{name}="{value}"' for name, value in settings)


def _unreduced_per_output(spec: NetworkSpec) -> bool:
    from backproof.cases.catalogue import LOSSES

    return spec.reduction == "none" and not LOSSES[spec.loss.name].per_sample


WORDS: Final[dict[str, tuple[str, ...]]] = {
    "samples": get_args(Samples),
    "weights": get_args(Weights),
    "bias": get_args(Bias),
    "targets": get_args(Targets),
    "arrays": get_args(Arrays),
}
"""The settings of a layout, and the words that each may be."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a function says of itself: the networks it supports, its layout, and what it returns.

    kind: "gradients", or "step" for a training step, which is then called with a learning rate of Backproof's choice,
    or with `learning_rate` where its code has that number built in.
    """

    domain: Domain
    layout: Layout
    kind: Kind = "gradients"
    learning_rate: float | None = None


def candidate(
    domain: Domain,
    *,
    samples: Samples = "rows",
    weights: Weights = "out_in",
    bias: Bias = "vector",
    targets: Targets = "matrix",
    arrays: Arrays = "numpy",
    kind: Kind = "gradients",
    learning_rate: float | None = None,
) -> Callable[[Declared], Declared]:
    """Declare what a function `loss_and_gradients(network, x, y)` supports; it is then never asked for anything else.

        @candidate(Domain(activations="sigmoid", losses="half_squared_error", reductions="sum"), weights="in_out")
        def loss_and_gradients(network, x, y): ...

    `samples`, `weights`, `bias`, `targets` and `arrays` are those of `Layout`. kind="step" declares a training step
    `f(network, x, y, learning_rate)` instead, which returns the new (weights, biases) or changes those of the network
    in place; `learning_rate` is the one that such a step has built in, if it ignores what it is called with. A domain
    that names no dtypes means float64. The function itself is returned unchanged.

    Raises ValueError for a layout, kind or learning rate that does not exist, and for a layout that the domain does not
    fit; TypeError for a domain that is not a Domain.
    """
    from backproof.cases.domain import Domain

    if not isinstance(domain, Domain):
        raise TypeError(f"@candidate wants a Domain, as in @candidate(Domain(activations='sigmoid')); got {domain!r}")
    layout = Layout(samples=samples, weights=weights, bias=bias, targets=targets, arrays=arrays)
    _check_targets(layout, domain)
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}; got {kind!r}")
    if learning_rate is not None and kind != "step":
        raise ValueError(f'learning_rate={learning_rate!r} belongs to kind="step": gradients have none')
    number = isinstance(learning_rate, (int, float)) and not isinstance(learning_rate, bool)
    if learning_rate is not None and not (number and 0.0 < learning_rate < float("inf")):
        raise ValueError(f"learning_rate must be a finite number, greater than 0; got {learning_rate!r}")
    declaration = Declaration(domain=domain.declared(), layout=layout, kind=kind, learning_rate=learning_rate)

    def declare(function: Declared) -> Declared:
        setattr(function, MARK, declaration)
        return function

    return declare


def _check_targets(layout: Layout, domain: Domain) -> None:
    """`targets` says how y is written, so there must be such a y."""
    from backproof.cases.formula import target_kind

    kinds = {target_kind(loss) for loss in domain.losses}
    if layout.targets == "vector":
        widest = domain.widths[-1] if domain.widths is not None else (domain.output_width or domain.width)[1]
        if widest > 1:
            raise ValueError(
                f'targets="vector" is for networks with one output; this domain has up to {widest}: say output_width=1'
            )
    if layout.targets in ("one_hot", "index") and "class" not in kinds:
        hint = ", cross_entropy=index for instance"
        if "distribution" in kinds:
            hint = (
                ". Softmax with -sum y log a on classes is losses='cross_entropy=index' with output_activations="
                "'identity': the gradient a - y is the same"
            )
        raise ValueError(f'targets="{layout.targets}" is for losses on classes, and this domain has none{hint}')
