"""A case that is made from arrays which already exist, in whatever layout they lie about: checked, copied, locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.layout import Bias, Layout
from backproof.cases.case import Case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.formula import Formula, target_kind
from backproof.cases.spec import NetworkSpec, Penalty
from backproof.cases.spelling import SpecError
from backproof.cases.targets import TARGETS
from backproof.truth.divisors import divisor

Array = NDArray[Any]

_INTEGER_TARGETS: Final = ("class", "classes")


def bias_layout(biases: Sequence[Any] | None) -> Bias:
    """How biases are stored, by the first of them that shows it; (1, 1) is a row as well as a column.

    Raises SpecError.
    """
    shapes = [
        _real(bias, f"biases[{at}]").shape
        for at, bias in enumerate(() if biases is None else _listed(biases, "biases"))
        if bias is not None
    ]
    tables = [shape for shape in shapes if len(shape) == 2]
    telling = next((shape for shape in tables if shape != (1, 1)), None)
    if telling is not None:
        return "row" if telling[0] == 1 else "column"
    return "row" if tables else "vector"


def case_of(
    layout: Layout,
    *,
    weights: Sequence[Any],
    biases: Sequence[Any] | None,
    x: Any,
    y: Any,
    activations: str | Sequence[str],
    loss: str,
    loss_options: Mapping[str, Any],
    reduction: str,
    penalty: Penalty | str | None,
    upstream: Any,
) -> Case:  # fmt: skip
    """The case that the arrays make, as `check_arrays` takes them.

    Raises SpecError, with the name of what is no array of finite numbers, does not fit, or is no target of the loss.
    """
    y = _real(y, "y")
    _check_type(loss, "loss", str, "a name, like 'mse'")
    _check_type(loss_options, "loss_options", Mapping, "a dict of the loss's keywords")
    _check_type(reduction, "reduction", str, "a name, like 'mean'")
    _check_type(penalty, "penalty", (Penalty, str, type(None)), "a Penalty, or L1+L2 as a text")
    formula, arrays = _loss(loss, loss_options, y)
    own = [_numbers(weight, f"weights[{at}]", 2) for at, weight in enumerate(_listed(weights, "weights"))]
    inputs = _numbers(x, "x", 2)
    single = all(array.dtype == np.float32 for array in (*own, inputs))
    dtype = "float32" if single else "float64"
    own = [layout.take_weight(weight) for weight in own]
    inputs = layout.take_samples(inputs)
    depth = len(own)
    if not depth:
        raise SpecError("weights must hold one array for each layer; got none")
    _check_chain(own, inputs, layout)
    widths = (own[0].shape[1], *(weight.shape[0] for weight in own))
    shifts = [None] * depth if biases is None else _listed(biases, "biases")
    names = [activations] * depth if isinstance(activations, str) else _listed(activations, "activations")
    for field, found in (("biases", shifts), ("activations", names)):
        if len(found) != depth:
            raise SpecError(f"{field} must hold one entry for each of {depth} layers; got {len(found)}")
    for at, name in enumerate(names):
        _check_type(name, f"activations[{at}]", str, "a name, like 'tanh' or 'leaky_relu=0.2'")
    spec = NetworkSpec(
        widths=widths,
        activations=tuple(Formula.parse(name, ACTIVATIONS, "activation") for name in names),
        loss=formula,
        reduction=reduction,
        batch_size=len(inputs),
        dtype=dtype,
        values="normal",
        seed=0,
        biases=tuple(bias is not None for bias in shifts),
        penalty=Penalty.parse(penalty) if isinstance(penalty, str) else penalty,
    )
    unreduced = (spec.batch_size,) if LOSSES[formula.name].per_sample else (spec.batch_size, spec.outputs)
    if (upstream is not None) != (reduction == "none"):
        raise SpecError("upstream belongs to reduction 'none', and is needed there: what each loss is multiplied by")
    fitted = {name: _fitted(array, name, _option_shape(name, spec), layout, dtype) for name, array in arrays.items()}
    case = Case(
        spec,
        tuple(_locked(weight, dtype, f"weights[{at}]") for at, weight in enumerate(own)),
        tuple(_bias(bias, at, width, dtype) for at, (bias, width) in enumerate(zip(shifts, widths[1:], strict=True))),
        _locked(inputs, dtype, "x"),
        _targets(y, spec, layout),
        fitted,
        None if upstream is None else _fitted(_real(upstream, "upstream"), "upstream", unreduced, layout, dtype),
    )
    if divisor(case) == 0.0:
        raise SpecError("y: every target is ignored, or of class weight 0, and the mean over none of them is no number")
    return case


def _loss(name: str, options: Mapping[str, Any], y: Any) -> tuple[Formula, dict[str, Array]]:
    """The loss with its parameters, and the arrays that it takes.  Raises SpecError."""
    formula = Formula.parse(name, LOSSES, "loss")
    given = {**formula.options}
    arrays = {}
    for key, value in options.items():
        if key == "var" and name.partition("=")[0] == "gaussian_nll":
            arrays[key] = _real(value, key)
        elif key not in given:
            known = ", ".join([*given, "var"] if formula.name == "gaussian_nll" else given) or "none"
            raise SpecError(f"loss {formula.name} has no option {key!r}; it has: {known}")
        elif key in ("weight", "pos_weight"):
            if value is not None:
                arrays[key] = _not_negative(_real(value, key), key)
                given[key] = "weighted"
        else:
            given[key] = value
    if formula.name == "gaussian_nll" and ("var" not in arrays or (arrays["var"] < 0).any()):
        got = "numbers below 0" if "var" in arrays else "none"
        wanted = 'loss_options={"var": array}, the variance of each target, at least 0'
        raise SpecError(f"loss gaussian_nll wants {wanted}; got {got}")
    # torch tells class probabilities from class indices by the shape of y. One-hot rows say the same either way, but
    # with class weights: of probabilities, `mean` divides by N.
    unsaid = formula.name == "cross_entropy" and "=" not in name and np.ndim(y) == 2
    if unsaid and ("weight" in arrays or not _one_hot(y)):
        given["target"] = "probabilities"
    values = tuple(int(value) if isinstance(value, bool) else value for value in given.values())
    return Formula(formula.name, values), arrays


def _one_hot(y: Array) -> bool:
    """Whether every row has a single 1, or every column, and all else is 0."""
    zeros_and_ones = bool(np.isin(y, (0, 1)).all())
    return zeros_and_ones and any(bool((y.sum(axis=axis) == 1).all()) for axis in range(y.ndim))


def _listed(value: Any, name: str) -> list[Any]:
    """The entries, one for each layer.  Raises SpecError where there are none to be had."""
    try:
        return list(value)
    except TypeError:
        raise SpecError(f"{name} must hold one entry for each layer; got a {type(value).__name__}") from None


def _check_type(value: object, name: str, kinds: type | tuple[type, ...], wanted: str) -> None:
    if not isinstance(value, kinds):
        raise SpecError(f"{name} must be {wanted}; got {value!r:.60}")


def _check_chain(weights: Sequence[Array], x: Array, layout: Layout) -> None:
    """Each layer takes what the one below puts out."""
    widths = [x.shape[1], *(weight.shape[0] for weight in weights)]
    for at, ((width, _), weight) in enumerate(zip(pairwise(widths), weights, strict=True)):
        if weight.shape[1] != width:
            below = f"weights[{at - 1}] puts out {width}" if at else f"x has {width} inputs a sample"
            other = "in_out" if layout.weights == "out_in" else "out_in"
            turn = "rows" if layout.samples == "columns" else "columns"
            raise SpecError(
                f"weights[{at}] takes {weight.shape[1]} numbers, and {below}. If weights are stored the other way, say "
                f'weight_layout="{other}"; if x is, samples="{turn}"'
            )


def _real(value: Any, name: str) -> Array:
    """An array of finite real numbers.  Raises SpecError for anything else."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # RuntimeError: a tensor of PyTorch that requires grad
        raise SpecError(f"{name} is no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise SpecError(f"{name} must hold real numbers; got a {type(value).__name__} of dtype {array.dtype}")
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(map(int, np.argwhere(~finite)[0]))
        raise SpecError(f"{name} must hold finite numbers; got {array[first]} at {list(first)}")
    return array


def _not_negative(array: Array, name: str) -> Array:
    """Weights of classes or targets.  Raises SpecError: with a negative one, what is to be avoided is rewarded."""
    if (array < 0).any():
        raise SpecError(f"{name} must hold weights, at least 0; got {array.min():g}")
    return array


def _numbers(value: Any, name: str, ndim: int) -> Array:
    array = _real(value, name)
    if array.ndim != ndim:
        raise SpecError(
            f"{name} must be {ndim}-dimensional and hold real numbers; got {array.dtype}, shape {array.shape}"
        )
    return array


def _bias(value: Any, at: int, width: int, dtype: str) -> Array | None:
    if value is None:
        return None
    array = _real(value, f"biases[{at}]")
    if array.size != width:
        raise SpecError(f"biases[{at}] must hold {width} numbers, one for each output; got shape {array.shape}")
    return _locked(array.reshape(width), dtype, f"biases[{at}]")


def _option_shape(name: str, spec: NetworkSpec) -> tuple[int, ...]:
    return (spec.batch_size, spec.outputs) if name == "var" else (spec.outputs,)


def _fitted(array: Array, name: str, shape: tuple[int, ...], layout: Layout, dtype: str) -> Array:
    """An array of the batch in the default layout.  Raises SpecError where it has another shape."""
    found = layout.take_samples(array)
    if found.shape != shape and found.size == np.prod(shape, dtype=int) and 1 in shape:
        found = found.reshape(shape)
    if found.shape != shape:
        raise SpecError(f"{name} must have shape {shape}, samples in rows; got {found.shape}")
    return _locked(found, dtype, name)


def _targets(y: Array, spec: NetworkSpec, layout: Layout) -> Array:
    """y as the loss takes it: classes as indices, all else as (N, O)."""
    kind = target_kind(spec.loss)
    if kind != "class":
        fitted = _fitted(
            y, "y", (spec.batch_size, spec.outputs), layout, "int64" if kind in _INTEGER_TARGETS else spec.dtype
        )
        wanted = TARGETS[kind]
        wrong = np.argwhere(~np.broadcast_to(wanted.holds(fitted), fitted.shape))
        if len(wrong):
            sample, output = map(int, wrong[0])
            raise SpecError(
                f"y: {spec.loss.name} wants {wanted.wanted}; got {fitted[sample, output]} for output {output} of "
                f"sample {sample}, in the row {fitted[sample]}"
            )
        return fitted
    found = layout.take_samples(y)
    if found.shape == (spec.batch_size, spec.outputs) and _one_hot(found):
        found = found.argmax(axis=1)
    found = found.reshape(-1) if found.size == spec.batch_size else found
    ignored = spec.loss.options.get("ignore_index", -100)
    classes = np.isin(found, [*range(spec.outputs), ignored])
    if found.shape != (spec.batch_size,) or not classes.all():
        raise SpecError(
            f"y must hold {spec.batch_size} classes from 0 to {spec.outputs - 1}, or one-hot rows; got {y.dtype}, "
            f"shape {y.shape}"
        )
    return _locked(found, "int64", "y")


def _locked(array: Array, dtype: str, name: str) -> Array:
    """A copy in the case's dtype that nobody changes.  Raises SpecError where that dtype does not reach so far."""
    with np.errstate(over="ignore"):
        copy = np.array(array, dtype=dtype, order="C")
    if not np.isfinite(copy).all():
        largest = np.abs(array).max()
        wider = "" if dtype == "float64" else ": give them as float64"
        raise SpecError(f"{name} holds {largest:g}, beyond what {dtype} holds, the dtype of weights and x{wider}")
    copy.flags.writeable = False
    return copy
