"""One activation or loss with its parameters filled in: read from an id, written as one, and what goes with what."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Final

from backproof.cases.catalogue import ACTIVATIONS, LOSSES, ActivationEntry, LossEntry, Parameter
from backproof.cases.spelling import SpecError, Value, number_text, read_number, unknown_name

__all__ = [
    "Formula",
    "accepts",
    "expected_output",
    "least_outputs",
    "target_kind",
    "telling_outputs",
    "tells",
    "variants",
]

_PARAMETERS: Final[Mapping[str, tuple[Parameter, ...]]] = {
    name: entry.parameters for table in (ACTIVATIONS, LOSSES) for name, entry in table.items()
}


@dataclass(frozen=True)
class Formula:
    """An activation or loss with every parameter's value filled in, in catalogue order.  Raises SpecError."""

    name: str
    values: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in _PARAMETERS:
            raise SpecError(unknown_name("activation or loss", self.name, _PARAMETERS))
        parameters = _PARAMETERS[self.name]
        if len(self.values) != len(parameters):
            raise SpecError(f"{self.name} takes {_named(parameters)}; got {len(self.values)}: {self.values}")
        checked = tuple(map(Parameter.checked, parameters, self.values, itertools.repeat(self.name)))
        object.__setattr__(self, "values", checked)
        self._check_together()

    def _check_together(self) -> None:
        """What no single parameter can tell."""
        options = self.options
        if self.name == "hardtanh" and options["min_val"] >= options["max_val"]:  # type: ignore[operator]  # both floats
            raise SpecError(f"hardtanh: min_val must be less than max_val; got {self.values[0]} and {self.values[1]}")
        if options.get("target") == "probabilities" and options["ignore_index"] != -100:
            raise SpecError("cross_entropy: ignore_index has no meaning with target=probabilities; leave it at -100")

    @cached_property
    def options(self) -> Mapping[str, Value]:
        """torch's keyword -> value; flags as bools. Read-only, since all who ask share it."""
        return MappingProxyType(
            {
                parameter.name: bool(value) if parameter.flag else value
                for parameter, value in zip(_PARAMETERS[self.name], self.values, strict=True)
            }
        )

    def __getstate__(self) -> dict[str, object]:
        """What is pickled: a read-only mapping cannot be, and what is computed need not."""
        return {"name": self.name, "values": self.values}

    @cached_property
    def id(self) -> str:
        """`leaky_relu=0.2`, `softplus=2+4`; trailing parameters at their defaults are left out."""
        values = list(self.values)
        for parameter in reversed(_PARAMETERS[self.name]):
            if values[-1] != parameter.default:
                break
            values.pop()
        return self.name + ("=" + "+".join(map(number_text, values)) if values else "")

    @staticmethod
    def parse(
        text: str, table: Mapping[str, ActivationEntry] | Mapping[str, LossEntry], kind: str = "name"
    ) -> "Formula":
        """The formula whose id is `text`; parameters left out at the end have their defaults.  Raises SpecError."""
        name, equals, written = text.partition("=")
        if name not in table:
            raise SpecError(unknown_name(kind, name, table))
        parameters = _PARAMETERS[name]
        words = written.split("+") if equals else []
        if len(words) > len(parameters):
            raise SpecError(f"{kind} {text!r}: {name} takes {_named(parameters)}; got {len(words)} values")
        given = tuple(_read_value(word, parameter) for word, parameter in zip(words, parameters, strict=False))
        return Formula(name, given + tuple(parameter.default for parameter in parameters[len(given) :]))


def _named(parameters: tuple[Parameter, ...]) -> str:
    if not parameters:
        return "no parameters"
    return f"{len(parameters)} value{'s' * (len(parameters) > 1)} ({', '.join(p.name for p in parameters)})"


def _read_value(word: str, parameter: Parameter) -> Value:
    """The number that `word` spells, where the parameter is a number; else the word, for Parameter.checked to judge."""
    if isinstance(parameter.default, str):
        return word
    number = read_number(word)
    return word if number is None else number


@cache
def variants(name: str) -> tuple[Formula, ...]:
    """`name` with every legal combination of its parameters' catalogue values, the defaults first."""
    formulas = []
    for values in itertools.product(*((p.default, *p.others) for p in _PARAMETERS[name])):
        try:
            formulas.append(Formula(name, values))
        except SpecError:  # a combination that Formula._check_together refuses
            continue
    return tuple(formulas)


def target_kind(loss: Formula) -> str:
    """The kind of targets that `loss` takes under its parameters."""
    return _under_parameters(loss, "targets", LOSSES[loss.name].targets)


def expected_output(loss: Formula) -> str:
    """What `loss` expects of the last activation under its parameters."""
    return _under_parameters(loss, "expects", LOSSES[loss.name].expects)


def _under_parameters(loss: Formula, name: str, usual: str) -> str:
    for (parameter, value), fields in LOSSES[loss.name].when.items():
        if name in fields and loss.options[parameter] == value:
            return fields[name]
    return usual


_TAKEN: Final[Mapping[str, frozenset[str]]] = {
    "any": frozenset({"any", "nonnegative", "probabilities", "log_probabilities"}),
    "logits": frozenset({"any", "nonnegative", "log_probabilities"}),
    "nonnegative": frozenset({"nonnegative", "probabilities"}),
    "probabilities": frozenset({"probabilities"}),
    "log_probabilities": frozenset({"log_probabilities"}),
}


def accepts(loss: Formula, activation: Formula) -> bool:
    """Whether `loss` makes sense on the outputs of `activation`."""
    return ACTIVATIONS[activation.name].output in _TAKEN[expected_output(loss)]


def least_outputs(loss: Formula) -> int:
    """The fewest outputs with which some class can be a target that is not ignored."""
    return 2 if loss.options.get("ignore_index") == 0 else 1


def telling_outputs(loss: Formula) -> int:
    """The fewest outputs with which the gradient is not always 0: where there is one class, it is always right."""
    return 2 if loss.name in ("cross_entropy", "multi_margin", "multilabel_margin") else 1


def tells(loss: Formula, activation: Formula) -> bool:
    """Whether the loss is tame on every output: the logarithm of a number that is cut off at 0 is not."""
    return not (expected_output(loss) in ("probabilities", "nonnegative") and activation.name == "hardsigmoid")
