"""NetworkSpec: the plain, frozen description of one network and its data, with a short id that parses back."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeVar

from backproof.cases.catalogue import ACTIVATIONS, DTYPES, LOSSES, REDUCTIONS
from backproof.cases.fillings import FILLINGS
from backproof.cases.formula import Formula, accepts, expected_output, least_outputs
from backproof.cases.spelling import SpecError, check_size, is_finite, number_text, read_number, shown, unknown_name

__all__ = ["NetworkSpec", "Penalty", "SpecError"]

T = TypeVar("T")

_LONGEST: Final = 1000
"""Letters of an id that a message repeats."""
_SHORT: Final = {"float64": "f64", "float32": "f32"}
_LONG: Final = {short: long for long, short in _SHORT.items()}
# A minus sign before a digit belongs to a parameter: relu-hardtanh=-0.5+2-softmax has three layers.
_BETWEEN_LAYERS: Final = re.compile(r"-(?=[A-Za-z])")
_SHAPE: Final = "WIDTHS,ACTIVATIONS,LOSS,REDUCTION,nBATCH,f64|f32,VALUES,sSEED[,bias=BITS][,penalty=L1+L2[+biases][+N]]"


@dataclass(frozen=True)
class Penalty:
    """l1 sum|w| + 1/2 l2 sum w^2, added to the reduced loss; over the weights, or over the biases too.

    The 1/2 makes the gradient l2 w, which is torch's weight_decay. `divided_by` "N" divides it by the batch size.
    """

    l1: float
    l2: float
    on_biases: bool
    divided_by: Literal["nothing", "N"]

    def __post_init__(self) -> None:
        for name in ("l1", "l2"):
            value = getattr(self, name)
            if not (is_finite(value) and value >= 0):
                raise SpecError(f"penalty: {name} must be a finite number, at least 0; got {shown(value)}")
            check_size(value, f"penalty: {name}")
            object.__setattr__(self, name, float(value) + 0.0)
        if self.divided_by not in ("nothing", "N"):
            raise SpecError(f"penalty: divided_by must be 'nothing' or 'N'; got {self.divided_by!r}")

    def divisor(self, batch_size: int) -> int:
        """What the penalty is divided by: N or 1."""
        return batch_size if self.divided_by == "N" else 1

    def charged(self, weights: Iterable[T], biases: Iterable[T | None]) -> list[T]:
        """What belongs to the parameters that are charged: of every weight, then of the biases that are there."""
        return [*weights, *(bias for bias in biases if bias is not None and self.on_biases)]

    @property
    def id(self) -> str:
        """`0.01+0.1+biases+N`: l1, l2, and what else applies."""
        parts = [number_text(self.l1), number_text(self.l2)]
        return "+".join(parts + ["biases"] * self.on_biases + ["N"] * (self.divided_by == "N"))

    @staticmethod
    def parse(text: str) -> "Penalty":
        """The penalty whose id is `text`.  Raises SpecError."""
        l1, l2, *rest = text.split("+") if text.count("+") else (text, "")
        numbers = read_number(l1), read_number(l2)
        if numbers[0] is None or numbers[1] is None or rest not in ([], ["biases"], ["N"], ["biases", "N"]):
            raise SpecError(
                f"penalty must be L1+L2, then +biases and +N where they apply, like 0.01+0.1+N; got {text!r}"
            )
        return Penalty(numbers[0], numbers[1], "biases" in rest, "N" if "N" in rest else "nothing")


@dataclass(frozen=True)
class NetworkSpec:
    """One network and its data: L layers of widths n0, ..., nL; the arrays follow from it alone (see build_case).

    `activations` and `biases` have one entry per layer. Raises SpecError, naming the field, where none such can be.
    """

    widths: tuple[int, ...]
    activations: tuple[Formula, ...]
    loss: Formula
    reduction: str
    batch_size: int
    dtype: str
    values: str
    seed: int
    biases: tuple[bool, ...]
    penalty: Penalty | None = None

    def __post_init__(self) -> None:
        layers = len(self.widths) - 1
        if layers < 1 or not _whole(self.widths, 1):
            raise SpecError(f"widths must be two whole numbers or more, each at least 1; got {self.widths}")
        if len(self.activations) != layers or len(self.biases) != layers:
            given = f"{len(self.activations)} activations and {len(self.biases)} biases"
            raise SpecError(
                f"widths {self.widths} make {layers} layers, each with an activation and a bias; got {given}"
            )
        if not _whole((self.batch_size,), 1):
            raise SpecError(f"batch_size must be a whole number, at least 1; got {self.batch_size!r}")
        if not _whole((self.seed,), 0):
            raise SpecError(f"seed must be a whole number, at least 0; got {self.seed!r}")
        if self.seed >= 2**63:
            raise SpecError(f"seed must be less than 2**63, which a column of a table holds; got {self.seed}")
        for kind, name, names in (
            ("reduction", self.reduction, REDUCTIONS),
            ("dtype", self.dtype, DTYPES),
            ("filling of values", self.values, FILLINGS),
        ):
            if name not in names:
                raise SpecError(unknown_name(kind, name, names))
        self._check_formulas()
        inputs = FILLINGS[self.values].inputs
        if inputs is not None and self.widths[0] != inputs:
            raise SpecError(f"values {self.values!r} have {inputs} inputs; got a network of {self.widths[0]}")
        if self.penalty is not None and self.reduction == "none":
            raise SpecError(
                "a penalty needs one loss to be added to; reduction 'none' leaves many: use sum, mean or batchmean"
            )

    def _check_formulas(self) -> None:
        for position, activation in enumerate(self.activations, 1):
            if activation.name not in ACTIVATIONS:
                raise SpecError(f"layer {position}: " + unknown_name("activation", activation.name, ACTIVATIONS))
        if self.loss.name not in LOSSES:
            raise SpecError(unknown_name("loss", self.loss.name, LOSSES))
        if not accepts(self.loss, self.activations[-1]):
            takers = [name for name in ACTIVATIONS if accepts(self.loss, _plain(name))]
            raise SpecError(
                f"loss {self.loss.id} takes {_WANTED[expected_output(self.loss)]}, and output activation "
                f"{self.activations[-1].id} gives {ACTIVATIONS[self.activations[-1].name].output.replace('_', ' ')}. "
                f"It goes with: {', '.join(takers)}"
            )
        if self.widths[-1] < least_outputs(self.loss):
            raise SpecError(f"loss {self.loss.id} ignores class 0, the only class of a network with one output")

    def too_large(self, what: str) -> SpecError:
        """What to raise where this machine's memory does not hold what belongs to the network; `what` that is."""
        return SpecError(
            f"there is not enough memory for {what} of network {self.id}: ask for narrower layers (--width, in a "
            "Domain width=...), fewer of them or fewer samples"
        )

    @property
    def depth(self) -> int:
        """L, the number of weight matrices."""
        return len(self.widths) - 1

    @property
    def inputs(self) -> int:
        """n0, the width of x."""
        return self.widths[0]

    @property
    def outputs(self) -> int:
        """nL, the width of the last layer."""
        return self.widths[-1]

    @cached_property
    def activation_names(self) -> tuple[str, ...]:
        """The names of its activations, each once, in the order of its layers."""
        return tuple(dict.fromkeys([activation.name for activation in self.activations]))

    @cached_property
    def id(self) -> str:
        """`3-4-2,leaky_relu=0.2,mse,mean,n5,f64,normal,s7`; perhaps `,bias=10` and `,penalty=0.01+0.1+biases+N`."""
        formulas = [activation.id for activation in self.activations]
        if len(set(formulas)) == 1:
            del formulas[1:]
        written = (
            f"{'-'.join(map(str, self.widths))},{'-'.join(formulas)},{self.loss.id},{self.reduction},"
            f"n{self.batch_size},{_SHORT[self.dtype]},{self.values},s{self.seed}"
        )
        if not all(self.biases):
            written += ",bias=" + "".join(["1" if bias else "0" for bias in self.biases])
        if self.penalty is not None:
            written += ",penalty=" + self.penalty.id
        return written

    @staticmethod
    def parse(text: str) -> "NetworkSpec":
        """The spec whose id is `text`.  Raises SpecError, naming the field, where it is not an id."""
        try:
            return _read(text)
        except SpecError as error:
            named = repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r}..."
            raise SpecError(f"case id {named}: {error}") from None


_WANTED: Final = {
    "logits": "logits (it applies the sigmoid or softmax itself), not probabilities",
    "probabilities": "probabilities",
    "log_probabilities": "log-probabilities",
    "nonnegative": "outputs that are never negative",
}


def _plain(name: str) -> Formula:
    return Formula.parse(name, ACTIVATIONS)


def _whole(numbers: Sequence[int], least: int) -> bool:
    return all(type(number) is int and number >= least for number in numbers)


def _read(text: str) -> NetworkSpec:
    fields = text.split(",")
    if len(fields) < 8:
        raise SpecError(f"an id has 8 fields or more, {_SHAPE}; got {len(fields)}")
    widths, activations, loss, reduction, batch_size, dtype, values, seed, *tail = fields
    if dtype not in _LONG:
        raise SpecError(f"field 6 (dtype) must be f64 or f32; got {dtype!r}")
    width_list = tuple(
        _number(word, 1, "field 1 (widths)", "whole numbers joined by -, like 3-4-2") for word in widths.split("-")
    )
    layers = max(1, len(width_list) - 1)
    formulas = tuple(Formula.parse(word, ACTIVATIONS, "activation") for word in _BETWEEN_LAYERS.split(activations))
    if len(formulas) not in (1, layers):
        raise SpecError(
            f"field 2 (activations) must name one activation, or one for each of {layers} layers; got {len(formulas)}"
        )
    biases, penalty = _read_tail(tail, layers)
    return NetworkSpec(
        widths=width_list,
        activations=formulas * layers if len(formulas) == 1 else formulas,
        loss=Formula.parse(loss, LOSSES, "loss"),
        reduction=reduction,
        batch_size=_number(batch_size, 1, "field 5 (batch size)", "n and a whole number, like n5", prefix="n"),
        dtype=_LONG[dtype],
        values=values,
        seed=_number(seed, 0, "field 8 (seed)", "s and a whole number, like s7", prefix="s"),
        biases=biases,
        penalty=penalty,
    )


def _read_tail(fields: list[str], layers: int) -> tuple[tuple[bool, ...], Penalty | None]:
    """The optional fields after the seed: which layers have a bias, and the penalty."""
    names = [field.partition("=")[0] for field in fields]
    if names not in ([], ["bias"], ["penalty"], ["bias", "penalty"]):
        raise SpecError(f"after the seed there may be bias=..., then penalty=..., each once; got {','.join(fields)!r}")
    written = {name: field.partition("=")[2] for name, field in zip(names, fields, strict=True)}
    bits = written.get("bias", "1" * layers)
    if len(bits) != layers or set(bits) - {"0", "1"}:
        raise SpecError(f"field bias must have a 0 or 1 for each of {layers} layers; got {bits!r}")
    penalty = Penalty.parse(written["penalty"]) if "penalty" in written else None
    return tuple(bit == "1" for bit in bits), penalty


def _number(word: str, least: int, where: str, wanted: str, *, prefix: str = "") -> int:
    digits = word.removeprefix(prefix)
    # Python reads no number of more than 4,300 digits, and nobody means one of a thousand.
    if not word.startswith(prefix) or not re.fullmatch("[0-9]{1,1000}", digits) or int(digits) < least:
        raise SpecError(f"{where} must be {wanted}; got {shown(word)}")
    return int(digits)
