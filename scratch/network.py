"""A network of fully connected layers: its output, its cost C, and the derivatives of C."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backproof.scratch.activations import ACTIVATIONS
from backproof.scratch.arrays import Array
from backproof.scratch.backprop import Backprop, Layer, LossAndGradients
from backproof.scratch.classification_losses import ClassIndexLoss
from backproof.scratch.errors import PairingError, ShapeError
from backproof.scratch.losses import LOSSES
from backproof.scratch.objective import REDUCTIONS, Objective
from backproof.scratch.options import build, require_name
from backproof.scratch.penalties import Penalty, PenaltyLike
from backproof.scratch.regression_losses import GaussianNll
from backproof.scratch.requirements import (
    named_layer,
    require_inputs,
    require_loss_arrays,
    require_numbers,
    require_pairing,
    require_parameters,
    require_tangent,
    require_tangents,
    require_targets,
    require_upstream,
    require_variance,
)

OUTPUTS = {name: activation.output for name, activation in ACTIVATIONS.items()}


def as_ieee() -> np.errstate:
    """A cost beyond the largest number is infinite, infinity less infinity NaN, silently, as in PyTorch."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


class Network:
    """Fully connected layers a = phi(a W^T + b) and a cost C = reduction of the loss + penalty.

    weights: (O, I) for each layer, all float64 or all float32, which is the dtype of every result.
    biases: (O,) for each layer, or None. Weights and biases are used as they are, not copied.
    activations: a name in ACTIVATIONS for each layer; activation_options: their parameters, by torch's keywords.
    loss: a name in LOSSES; loss_options: its parameters, by torch's keywords.
    reduction: "sum"; "mean", by torch's own divisor of each loss; "batchmean", the sum over N; or "none", where the
    losses stay unreduced, and the derivatives are those of C = <upstream, losses>: then `upstream` has the losses'
    shape.
    penalty: a Penalty, or anything with its fields; none under the reduction "none".
    backprop: Backprop, or whatever makes one that takes a step differently.

    What has no samples, an empty batch or one whose every target is ignored, is taken as PyTorch takes it: under
    "mean" C is 0/0 = NaN, under "sum" 0, and all derivatives are 0.

    Raises a RequirementError, which is a ValueError, where anything does not fit: it says which layer, got and wanted.
    """

    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array | None],
        activations: Sequence[str],
        *,
        loss: str,
        reduction: str,
        activation_options: Sequence[Mapping[str, Any]] | None = None,
        loss_options: Mapping[str, Any] | None = None,
        penalty: PenaltyLike | None = None,
        upstream: Array | None = None,
        backprop: Callable[[], Backprop] = Backprop,
    ) -> None:
        self.weights, self.biases = require_parameters(weights, biases)
        self.dtype = self.weights[0].dtype
        self.widths = (self.weights[0].shape[1], *[weight.shape[0] for weight in self.weights])
        self.activations = self._built_activations(activations, activation_options)
        self.loss_name = loss
        require_name(loss, LOSSES, "loss")
        require_name(reduction, REDUCTIONS, "reduction")
        kind, options = LOSSES[loss], loss_options or {}
        require_loss_arrays(loss, options, kind.arrays, self.widths[-1], self.dtype)
        built_loss = build(kind, options, f"loss {loss}")
        require_pairing(loss, built_loss.expected_output(), activations[-1], OUTPUTS)
        if (reduction == "none") != (upstream is not None):
            raise PairingError(
                f"upstream: the reduction 'none' needs dC/d(loss) of each loss, and no other reduction takes it; "
                f"got {'none' if upstream is None else 'one'} with {reduction!r}"
            )
        if upstream is not None:
            upstream = np.asarray(upstream)
            require_numbers(upstream, self.dtype, "upstream")
        if penalty is not None and reduction == "none":
            raise PairingError(
                "penalty: under the reduction 'none' there is no scalar cost to add it to; take 'sum' or 'mean'"
            )
        self.penalty = None if penalty is None else Penalty.like(penalty)
        self.objective = Objective(built_loss, reduction, upstream)
        self._ignored = built_loss.ignore_index if isinstance(built_loss, ClassIndexLoss) else None
        self._variance = built_loss.var if isinstance(built_loss, GaussianNll) else None
        self.backprop = backprop()

    @as_ieee()
    def forward(self, x: Array) -> Array:
        """The outputs a^L (N, O) for x (N, I)."""
        return self._layers(x)[-1].a

    @as_ieee()
    def gradients(self, x: Array, y: Array, *, by_inputs: bool = True) -> LossAndGradients:
        """C on the batch x (N, I), y, and its derivatives by weights, biases, z and, unless by_inputs=False, x."""
        layers = self._layers(x)
        y = self._targets(y, len(layers[0].inputs))
        objective = self.objective.at(layers[-1].a, y)
        return self.backprop.loss_and_gradients(layers, y, objective, self.penalty, by_inputs=by_inputs)

    @as_ieee()
    def deltas(self, x: Array, y: Array) -> tuple[Array, ...]:
        """delta^l = dC/dz^l, (N, O) for each layer."""
        return tuple(self._deltas(*self._batch(x, y)))

    @as_ieee()
    def per_sample_gradients(self, x: Array, y: Array) -> LossAndGradients:
        """What each sample contributes to C and its derivatives: arrays with a leading axis N.

        BP3 and BP4 before their sums: dC/db of sample n is delta_n and dC/dW is delta_n a_n^T; dC/dx and the deltas
        are the batch's own rows. The divisor is the whole batch's. The penalty, which belongs to no sample, is left
        out.
        """
        layers, y = self._batch(x, y)
        deltas = self._deltas(layers, y)
        losses = self.objective.contributions(layers[-1].a, y)
        return LossAndGradients(
            losses,
            tuple(delta[:, :, None] * layer.inputs[:, None, :] for delta, layer in zip(deltas, layers, strict=True)),
            tuple(None if layer.bias is None else delta.copy() for delta, layer in zip(deltas, layers, strict=True)),
            self.backprop.upstream(deltas[0], layers[0]),
            tuple(deltas),
        )

    @as_ieee()
    def differential(
        self,
        x: Array,
        y: Array,
        dweights: Sequence[Array | None],
        dbiases: Sequence[Array | None],
        dx: Array | None,
    ) -> Array:
        """dC, the change of C to first order when weights, biases and x change by dW, db and dx: forward mode.

            dz = da W^T + a dW^T + db      da = phi'(z) dz      dC = <dC/da^L, da^L> + <d(penalty)/d(W, b), (dW, db)>

        None stands for no change. 0-d; under the reduction none the changes of the unreduced losses, in their shape.
        """
        layers, y = self._batch(x, y)
        dweights = require_tangents(dweights, self.weights, "dweights", self.dtype)
        dbiases = require_tangents(dbiases, self.biases, "dbiases", self.dtype)
        x = layers[0].inputs
        da = np.zeros_like(x) if dx is None else require_tangent(dx, x.shape, "dx", self.dtype)
        for layer, dweight, dbias in zip(layers, dweights, dbiases, strict=True):
            dz = da @ layer.weight.T
            if dweight is not None:
                dz += layer.inputs @ dweight.T
            if dbias is not None:
                dz += dbias
            da = layer.activation.jacobian_vector(layer.z, layer.a, dz)
        change = self.objective.differential(layers[-1].a, y, da)
        if self.penalty is not None:
            for parameter, tangent in zip((*self.weights, *self.biases), (*dweights, *dbiases), strict=True):
                if parameter is not None and tangent is not None:
                    change = change + (self.penalty.gradient(parameter, len(y)) * tangent).sum()
        return np.asarray(change)

    def _layers(self, x: Array) -> list[Layer]:
        x = require_inputs(x, self.widths[0], self.dtype)
        return self.backprop.forward(x, self.weights, self.biases, self.activations)

    def _batch(self, x: Array, y: Array) -> tuple[list[Layer], Array]:
        layers = self._layers(x)
        return layers, self._targets(y, len(layers[0].inputs))

    def _deltas(self, layers: list[Layer], y: Array) -> list[Array]:
        return self.backprop.deltas(layers, self.backprop.loss_gradient(layers[-1].a, y, self.objective))

    def _targets(self, y: Array, batch_size: int) -> Array:
        """Y, checked, and with it what else depends on N: the upstream and a variance."""
        loss, shape = self.objective.loss, (batch_size, self.widths[-1])
        y = np.asarray(y)
        y = require_targets(y, loss.target_kind(y), self.loss_name, shape, self.dtype, ignore=self._ignored)
        if self.objective.upstream is not None:
            require_upstream(self.objective.upstream, shape[:1] if loss.per_sample else shape)
        if self._variance is not None:
            require_variance(self._variance, shape)
        return y

    def _built_activations(self, names: Sequence[str], options: Sequence[Mapping[str, Any]] | None) -> tuple[Any, ...]:
        count = len(self.weights)
        if isinstance(names, str) or len(names) != count:
            raise ShapeError(f"activations: wanted one name for each of the {count} layers, got {names!r}")
        options = [{}] * count if options is None else options
        if len(options) != count:
            raise ShapeError(
                f"activation_options: wanted one mapping for each of the {count} layers, got {len(options)}"
            )
        built = []
        for index, (name, own) in enumerate(zip(names, options, strict=True)):
            where = named_layer(index, "activations")
            require_name(name, ACTIVATIONS, where)
            built.append(build(ACTIVATIONS[name], own, f"{where}, {name}"))
        return tuple(built)
