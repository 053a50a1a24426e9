"""What a network may be made of: activations, losses, their parameters, reductions, dtypes.

One record per name; the strategies, the sampler, the strata and the reference read these tables, so that an activation
or a loss is added by adding its record. Names and parameters are torch.nn.functional's; textbook forms that torch lacks
have a name that states their constant. The order is from simple to involved: failing examples shrink to the front.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from backproof.cases.spelling import SpecError, Value, check_size, is_finite, number_text, shown

__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "LOSSES",
    "REDUCTIONS",
    "ActivationEntry",
    "LossEntry",
    "Parameter",
]

REDUCTIONS: Final = ("none", "sum", "mean", "batchmean")
DTYPES: Final = ("float64", "float32")


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
