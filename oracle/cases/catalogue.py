"""What a network may be made of: activations, losses, their parameters, reductions, dtypes.

One record per name; the strategies, the sampler, the strata and the reference read these tables, so that an activation
or a loss is added by adding its record. Names and parameters are torch.nn.functional's; textbook forms that torch lacks
have a name that states their constant. The order is from simple to involved: failing examples shrink to the front.
"""

import difflib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import inf, isfinite
from numbers import Real
from types import MappingProxyType
from typing import Final, TypeGuard

__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "LOSSES",
    "REDUCTIONS",
    "ActivationEntry",
    "Formula",
    "LossEntry",
    "Parameter",
    "SpecError",
    "Value",
    "accepts",
    "check_size",
    "expected_output",
    "is_finite",
    "least_outputs",
    "number_text",
    "read_number",
    "shown",
    "target_kind",
    "telling_outputs",
    "tells",
    "unknown_name",
    "variants",
]

Value = float | int | str

SMALLEST: Final = 2.0**-126
LARGEST: Final = 2.0**128 - 2.0**104
"""Of float32's normal numbers."""

REDUCTIONS: Final = ("none", "sum", "mean", "batchmean")
DTYPES: Final = ("float64", "float32")


class SpecError(ValueError):
    """A network, or a name in one, that cannot be: says which part, what it got and what it wants."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation or loss: torch's keyword, its default, and further values that a domain draws.

    Numbers must be finite and lie in [least, most], and above `above`; see `check_size` for those that are not whole.
    Names, and numbers with `listed_only`, are one of (default, *others). A `flag` is written 0 or 1 in ids and handed
    over as a bool.
    """

    name: str
    default: Value
    others: tuple[Value, ...] = ()
    least: float = -inf
    above: float = -inf
    most: float = inf
    listed_only: bool = False
    flag: bool = False

    def checked(self, value: Value, owner: str) -> Value:
        """`value` in the type of the default; SpecError where it is not a legal value."""
        if isinstance(self.default, str) or self.listed_only or self.flag:
            legal = (self.default, *self.others)
            if value in legal:
                return legal[legal.index(value)]
            raise SpecError(f"{owner}: {self.name} must be one of {', '.join(map(str, legal))}; got {value!r}")
        whole = isinstance(self.default, int)
        if not is_finite(value) or (whole and value != int(value)):
            raise SpecError(
                f"{owner}: {self.name} must be {'a whole' if whole else 'a finite'} number; got {shown(value)}"
            )
        if not whole:
            check_size(value, f"{owner}: {self.name}")
        if not (self.least <= value <= self.most and value > self.above):
            raise SpecError(f"{owner}: {self.name} must be {self._range()}; got {number_text(value)}")
        # Adding 0.0 turns -0.0 into 0.0: equal formulas then have equal ids.
        return int(value) if isinstance(self.default, int) else float(value) + 0.0

    def _range(self) -> str:
        parts = [f"greater than {number_text(self.above)}"] if self.above > -inf else []
        parts += [f"at least {number_text(self.least)}"] if self.least > -inf else []
        parts += [f"at most {number_text(self.most)}"] if self.most < inf else []
        return " and ".join(parts)


@dataclass(frozen=True)
class ActivationEntry:
    """An activation phi: a = phi(z), entry by entry, or row by row (`rowwise`: over the O outputs of one sample).

    `output` says what a is sure to be: "any", "nonnegative", "probabilities" (in [0, 1]) or "log_probabilities" (<= 0).
    """

    parameters: tuple[Parameter, ...] = ()
    rowwise: bool = False
    output: str = "any"


@dataclass(frozen=True)
class LossEntry:
    """A loss C(a, y): the kind of its targets, what it expects of a, and `per_sample`: unreduced (N,), not (N, O).

    `expects`: "any", "logits" (anything but probabilities), "probabilities", "log_probabilities" or "nonnegative".
    `when[(parameter, value)]` holds the fields that differ under that parameter's value.
    """

    parameters: tuple[Parameter, ...] = ()
    targets: str = "real"
    expects: str = "any"
    per_sample: bool = False
    when: Mapping[tuple[str, Value], Mapping[str, str]] = field(default_factory=dict)


def _flag(name: str, default: int) -> Parameter:
    return Parameter(name, default, (1 - default,), flag=True)


_WEIGHT = Parameter("weight", "none", ("weighted",))
# 1 is a class where there are two outputs or more and out of range where there is one: both must be ignored. Class
# indices are int64, and so is what they may be.
_IGNORE_INDEX = Parameter("ignore_index", -100, (1,), least=-(2**63), most=2**63 - 1)

ACTIVATIONS: Final[Mapping[str, ActivationEntry]] = {
    "identity": ActivationEntry(),
    "sigmoid": ActivationEntry(output="probabilities"),
    "tanh": ActivationEntry(),
    "relu": ActivationEntry(output="nonnegative"),
    "leaky_relu": ActivationEntry((Parameter("negative_slope", 0.01, (0.2,)),)),
    "softplus": ActivationEntry(
        # Beyond a negative threshold, where a = z, the output would be negative.
        (Parameter("beta", 1.0, (2.0,), above=0.0), Parameter("threshold", 20.0, (4.0,), least=0.0)),
        output="nonnegative",
    ),
    "elu": ActivationEntry((Parameter("alpha", 1.0, (0.5,)),)),
    "selu": ActivationEntry(),
    "celu": ActivationEntry((Parameter("alpha", 1.0, (0.5,), above=0.0),)),
    "gelu": ActivationEntry((Parameter("approximate", "none", ("tanh",)),)),
    "silu": ActivationEntry(),
    "mish": ActivationEntry(),
    "logsigmoid": ActivationEntry(output="log_probabilities"),
    "softsign": ActivationEntry(),
    "tanhshrink": ActivationEntry(),
    "softshrink": ActivationEntry((Parameter("lambd", 0.5, (1.0,), least=0.0),)),
    "hardshrink": ActivationEntry((Parameter("lambd", 0.5, (1.0,), least=0.0),)),
    "relu6": ActivationEntry(output="nonnegative"),
    "hardtanh": ActivationEntry((Parameter("min_val", -1.0, (-0.5,)), Parameter("max_val", 1.0, (2.0,)))),
    "hardsigmoid": ActivationEntry(output="probabilities"),
    "hardswish": ActivationEntry(),
    # torch has no defaults here; with these two phi jumps, with value = threshold = 0.5 it does not.
    "threshold": ActivationEntry((Parameter("threshold", 0.5, (0.0,)), Parameter("value", -0.25, (0.5,)))),
    "softmax": ActivationEntry(rowwise=True, output="probabilities"),
    "softmin": ActivationEntry(rowwise=True, output="probabilities"),
    "log_softmax": ActivationEntry(rowwise=True, output="log_probabilities"),
}

LOSSES: Final[Mapping[str, LossEntry]] = {
    "half_squared_error": LossEntry(per_sample=True),
    "mse": LossEntry(),
    "linear": LossEntry(per_sample=True),
    "l1": LossEntry(),
    "smooth_l1": LossEntry((Parameter("beta", 1.0, (0.5,), above=0.0),)),
    "huber": LossEntry((Parameter("delta", 1.0, (0.5,), above=0.0),)),
    "categorical_cross_entropy": LossEntry(targets="distribution", expects="probabilities", per_sample=True),
    "cross_entropy": LossEntry(
        (
            Parameter("target", "index", ("probabilities",)),
            _WEIGHT,
            _IGNORE_INDEX,
            Parameter("label_smoothing", 0.0, (0.1,), least=0.0, most=1.0),
        ),
        targets="class",
        expects="logits",
        per_sample=True,
        when={("target", "probabilities"): {"targets": "distribution"}},
    ),
    "bce": LossEntry(targets="unit", expects="probabilities"),
    "bce_with_logits": LossEntry((Parameter("pos_weight", "none", ("weighted",)),), targets="unit", expects="logits"),
    "nll": LossEntry((_WEIGHT, _IGNORE_INDEX), targets="class", expects="log_probabilities", per_sample=True),
    "kl_div": LossEntry(
        (_flag("log_target", 0),),
        targets="distribution",
        expects="log_probabilities",
        when={("log_target", 1): {"targets": "log_distribution"}},
    ),
    "poisson_nll": LossEntry(
        (_flag("log_input", 1), _flag("full", 0), Parameter("eps", 1e-8, (0.125,), above=0.0)),
        targets="count",
        when={("log_input", 0): {"expects": "nonnegative"}},
    ),
    "gaussian_nll": LossEntry((_flag("full", 0), Parameter("eps", 1e-6, (0.5,), above=0.0))),
    "hinge_embedding": LossEntry((Parameter("margin", 1.0, (2.0,)),), targets="sign"),
    "soft_margin": LossEntry(targets="sign"),
    "multilabel_soft_margin": LossEntry((_WEIGHT,), targets="binary", expects="logits", per_sample=True),
    "multi_margin": LossEntry(
        (Parameter("p", 1, (2,), listed_only=True), Parameter("margin", 1.0, (0.5,)), _WEIGHT),
        targets="class",
        per_sample=True,
    ),
    "multilabel_margin": LossEntry(targets="classes", per_sample=True),
}

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


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is a number, and a double can hold its size: a whole number of 400 digits has none."""
    try:
        return isinstance(value, Real) and isfinite(value)
    except OverflowError:
        return False


def check_size(value: float, name: str) -> None:
    """Raises SpecError unless a number is 0 or one of float32's normal ones, so that both dtypes are given the same."""
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise SpecError(
            f"{name} must be 0, or of a size that float32 holds: {SMALLEST:.3g} to {LARGEST:.3g}; "
            f"got {number_text(value)}"
        )


def shown(value: Value) -> str:
    """A value as a message repeats it: not all of a thousand digits."""
    text = repr(value)
    return text if len(text) <= _DIGITS else f"{text[:_DIGITS]}..."


_DIGITS: Final = 40
"""How many of them a message shows."""


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


def read_number(word: str) -> float | int | None:
    """The number that `word` spells in an id, or None.  float() alone would take '1_0', ' 1' and 'nan' as well."""
    if not word or not all(letter in "0123456789.e-" for letter in word):
        return None
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return None


def number_text(value: Value) -> str:
    """The shortest text that reads back as `value`, in the characters that ids use: 2, 0.01, 1e-08, 1e20."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return repr(int(value))
    return repr(value).replace("+", "")


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


def unknown_name(kind: str, name: str, names: Iterable[str]) -> str:
    """The message for a name that is not among `names`: the closest one first, then all."""
    live = list(names)
    closest = difflib.get_close_matches(name, live, n=1)
    hint = f"Did you mean {closest[0]!r}? " if closest else ""
    return f"{name!r} is not a known {kind}. {hint}There are: {', '.join(live)}"
