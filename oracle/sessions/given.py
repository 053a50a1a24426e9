"""Numbers that already exist, in a notebook say, held to the same truth and the same bound: `check_arrays`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.campaign.archive import open_archive
from backproof.campaign.shards import Shard, rows_of
from backproof.campaign.tally import Tally
from backproof.candidates.contract import Answer
from backproof.candidates.layout import Bias, Layout, Samples, Weights
from backproof.candidates.reading import KEYS, UnreadableError, read
from backproof.cases.case import Case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES, Formula, SpecError, target_kind
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec, Penalty
from backproof.diagnosis.card import Hints, check_hints
from backproof.diagnosis.diagnosis import diagnose_answer
from backproof.diagnosis.evidence import Inquiry
from backproof.examine import Examiner, Truth
from backproof.judging.verdicts import UNREMARKABLE
from backproof.outcome import Report

Array = NDArray[Any]

NAME: Final = "your arrays"
_INTEGER_TARGETS: Final = ("class", "classes")


def check_arrays(
    *,
    weights: Sequence[Any],
    biases: Sequence[Any] | None,
    x: Any,
    y: Any,
    activations: str | Sequence[str],
    loss: str,
    reduction: str,
    gradients: Sequence[Any] | Mapping[str, Any],
    loss_value: Any = None,
    loss_options: Mapping[str, Any] | None = None,
    penalty: Penalty | str | None = None,
    upstream: Any = None,
    samples: Samples = "rows",
    weight_layout: Weights = "out_in",
    truth: Truth = "torch",
    strict_kinks: bool = False,
    hints: Hints = "all",
) -> Report:
    """Judge gradients that were computed elsewhere: is dC/dW, dC/db of this network on this batch right?

        check_arrays(weights=[W1, W2], biases=[b1, b2], x=x, y=y, activations=["tanh", "softmax"],
                     loss="categorical_cross_entropy", reduction="mean", gradients=([dW1, dW2], [db1, db2]))

    weights: (O, I) each, or (I, O) with weight_layout="in_out"; biases: (O,), (1, O) or (O, 1) each, None for a layer
    without, or None for none at all; x: (N, I), or (I, N) with samples="columns"; y: (N, O) likewise, or class indices
    (N,); one-hot rows do as well, and (N,) for a single output. activations: a name for each layer, or one for all,
    with parameters as in "leaky_relu=0.2". loss: a name of torch's; loss_options: its keywords, like
    {"label_smoothing": 0.1} or {"weight": array}. gradients: (dW, db), or (loss, dW, db) as a candidate returns it, or
    a dict that may have the keys inputs and deltas, too. upstream: under reduction "none", what the losses are
    multiplied by. truth, strict_kinks, hints: as for `check`.

    float32 where weights and x are float32, else float64. Raises SpecError where the arrays make no network, with the
    name of the first that does not fit; what is wrong with the gradients is in the Report.
    """
    check_hints(hints)
    layout = Layout(samples=samples, weights=weight_layout, bias=_bias_layout(biases))
    parts = _parts(gradients, loss_value)
    y = _real(y, "y")
    case = _case(
        layout,
        weights=weights,
        biases=biases,
        x=x,
        y=y,
        activations=activations,
        loss=_loss(loss, loss_options or {}, y),
        reduction=reduction,
        penalty=penalty,
        upstream=upstream,
    )
    try:
        answer = read(parts, case, layout)
    except UnreadableError as error:
        answer = Answer(failure=error.failure, message=str(error))
    given = Given(case, answer)
    checks = Examiner(given, truth=truth).examine(case)
    tally = Tally()
    tally.add(case.spec, checks, strict_kinks=strict_kinks)
    rows = list(rows_of(NAME, case.spec, checks))
    differing = [row for row, check in zip(rows, checks, strict=True) if check.verdict not in UNREMARKABLE]
    findings = None
    if answer.failure is None:
        findings = diagnose_answer(Inquiry(given, truth=truth), case, answer)
    from backproof.reports.tables import table

    with open_archive(None, keep=True) as archive:
        archive.add(Shard(tally.settle(), table("checks", rows), table("discrepancies", differing)))
        found = Report(
            candidate=NAME,
            truth=truth,
            domain=given.domain,
            seed=0,
            cases=1,
            strict_kinks=strict_kinks,
            tally=tally,
            scaling=(),
            interrupted=False,
            ids=("one batch",),
            repeatable=False,
            findings=findings,
            hints=hints,
        )
        return archive.finish(found, {"command": "check_arrays"})


@dataclass(frozen=True)
class Given:
    """One answer to one case, as a candidate; it has no other."""

    case: Case
    answered: Answer
    name: str = NAME

    @property
    def domain(self) -> Domain:
        """The one network and batch size."""
        spec = self.case.spec
        return Domain(
            widths=spec.widths,
            batch_size=spec.batch_size,
            activations=spec.activations[:-1] or spec.activations,
            output_activations=spec.activations[-1:],
            losses=(spec.loss,),
            reductions=spec.reduction,
            dtypes=spec.dtype,
            biases="always" if all(spec.biases) else "mixed" if any(spec.biases) else "never",
            penalties="none" if spec.penalty is None else spec.penalty,
        )

    def answer(self, case: Case) -> Answer:
        """The given answer, where the question is the given case."""
        own = (*self.case.weights, self.case.x, self.case.y)
        asked = (*case.weights, case.x, case.y)
        same = case.spec == self.case.spec and all(map(np.array_equal, own, asked))
        return self.answered if same else Answer(failure="unsupported", message="only one batch was given")


def _parts(gradients: object, loss_value: Any) -> dict[str, Any]:
    """What was given as a candidate's dict.  Raises SpecError where it is none of the forms that are wanted."""
    if isinstance(gradients, Mapping):
        found = dict(gradients)
    elif isinstance(gradients, (tuple, list)) and len(gradients) in (2, 3):
        found = dict(zip(("loss", "weights", "biases")[-len(gradients) :], gradients, strict=True))
    else:
        many = f" of {len(gradients)}" if isinstance(gradients, (tuple, list)) else ""
        raise SpecError(
            "gradients must be (dW, db) or (loss, dW, db), each of dW and db with one array for each layer, or a dict "
            f"with the keys {', '.join(KEYS)}; got a {type(gradients).__name__}{many}"
        )
    if loss_value is not None and found.get("loss") is not None:
        raise SpecError("the loss is given twice: as loss_value, and in gradients")
    return found if loss_value is None else {**found, "loss": loss_value}


def _bias_layout(biases: Sequence[Any] | None) -> Bias:
    """How biases are stored, by the first of them that shows it."""
    for bias in biases or ():
        shape = np.shape(bias)
        if bias is not None and len(shape) == 2 and shape != (1, 1):
            return "row" if shape[0] == 1 else "column"
    return "vector"


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
                arrays[key] = _real(value, key)
                given[key] = "weighted"
        else:
            given[key] = int(value) if isinstance(value, bool) else value
    # torch tells class probabilities from class indices by what y holds.
    if formula.name == "cross_entropy" and "=" not in name and np.ndim(y) == 2 and not _one_hot(y):
        given["target"] = "probabilities"
    values = tuple(int(value) if isinstance(value, bool) else value for value in given.values())
    return Formula(formula.name, values), arrays


def _one_hot(y: Array) -> bool:
    """Whether every row has a single 1, or every column, and all else is 0."""
    zeros_and_ones = bool(np.isin(y, (0, 1)).all())
    return zeros_and_ones and any(bool((y.sum(axis=axis) == 1).all()) for axis in range(y.ndim))


def _case(
    layout: Layout,
    *,
    weights: Sequence[Any],
    biases: Sequence[Any] | None,
    x: Any,
    y: Any,
    activations: str | Sequence[str],
    loss: tuple[Formula, dict[str, Array]],
    reduction: str,
    penalty: Penalty | str | None,
    upstream: Any,
) -> Case:  # fmt: skip
    """The case that the arrays make.  Raises SpecError where they do not fit together."""
    own = [_numbers(weight, f"weights[{at}]", 2) for at, weight in enumerate(weights)]
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
    shifts = [None] * depth if biases is None else list(biases)
    names = [activations] * depth if isinstance(activations, str) else list(activations)
    for field, found in (("biases", shifts), ("activations", names)):
        if len(found) != depth:
            raise SpecError(f"{field} must hold one entry for each of {depth} layers; got {len(found)}")
    formula, arrays = loss
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
    return Case(
        spec,
        tuple(_locked(weight, dtype) for weight in own),
        tuple(_bias(bias, at, width, dtype) for at, (bias, width) in enumerate(zip(shifts, widths[1:], strict=True))),
        _locked(inputs, dtype),
        _targets(y, spec, layout),
        fitted,
        None if upstream is None else _fitted(_real(upstream, "upstream"), "upstream", unreduced, layout, dtype),
    )


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
    """An array of real numbers.  Raises SpecError for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise SpecError(f"{name} is no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise SpecError(f"{name} must hold real numbers; got a {type(value).__name__} of dtype {array.dtype}")
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
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or array.size != width:
        raise SpecError(f"biases[{at}] must hold {width} numbers, one for each output; got shape {array.shape}")
    return _locked(array.reshape(width), dtype)


def _option_shape(name: str, spec: NetworkSpec) -> tuple[int, ...]:
    return (spec.batch_size, spec.outputs) if name == "var" else (spec.outputs,)


def _fitted(array: Array, name: str, shape: tuple[int, ...], layout: Layout, dtype: str) -> Array:
    """An array of the batch in the default layout.  Raises SpecError where it has another shape."""
    found = layout.take_samples(array)
    if found.shape != shape and found.size == np.prod(shape, dtype=int) and 1 in shape:
        found = found.reshape(shape)
    if found.shape != shape:
        raise SpecError(f"{name} must have shape {shape}, samples in rows; got {found.shape}")
    return _locked(found, dtype)


def _targets(y: Array, spec: NetworkSpec, layout: Layout) -> Array:
    """y as the loss takes it: classes as indices, all else as (N, O)."""
    kind = target_kind(spec.loss)
    if kind != "class":
        return _fitted(
            y, "y", (spec.batch_size, spec.outputs), layout, "int64" if kind in _INTEGER_TARGETS else spec.dtype
        )
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
    return _locked(found, "int64")


def _locked(array: Array, dtype: str) -> Array:
    copy = np.array(array, dtype=dtype, order="C")
    copy.flags.writeable = False
    return copy
