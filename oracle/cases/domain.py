"""Domain: the set of specs that a candidate supports, or that a run draws from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Final

from backproof.cases.catalogue import ACTIVATIONS, DTYPES, LOSSES, REDUCTIONS
from backproof.cases.fillings import FILLINGS
from backproof.cases.formula import Formula, variants
from backproof.cases.plan import Choose, Plan, build_spec
from backproof.cases.settings import (
    DomainError,
    Names,
    Numbers,
    Range,
    named,
    read_choice,
    read_formulas,
    read_names,
    read_penalties,
    read_range,
    read_widths,
    spelled,
)
from backproof.cases.spec import NetworkSpec, Penalty

__all__ = ["DEFAULT_DOMAIN", "Choose", "Domain", "DomainError", "build_spec"]


class Unnamed(tuple[str, ...]):
    """Fillings or dtypes that nobody has named: the usual ones. A type: copies and pickles of a domain tell it, too."""

    __slots__ = ()


UNNAMED: Final = Unnamed(("normal",))
UNNAMED_DTYPES: Final = Unnamed(DTYPES)

SPANS: Final = ("depth", "width", "output_width", "batch_size")
"""The fields that are a (low, high) pair, and may be written as a single number."""

_DEPTH: Final = (1, 6)
_WIDTH: Final = (1, 16)

_ELEMENTWISE: Final = tuple(name for name, entry in ACTIVATIONS.items() if not entry.rowwise)
_ROWWISE: Final = tuple(name for name, entry in ACTIVATIONS.items() if entry.rowwise)
_ALL_ELEMENTWISE: Final = tuple(formula for name in _ELEMENTWISE for formula in variants(name))
_ALL_ROWWISE: Final = tuple(formula for name in _ROWWISE for formula in variants(name))


@dataclass(frozen=True, init=False, repr=False)
class Domain:
    """The specs that a candidate supports. Every field may be left out.

    What a domain leaves out is drawn as it is by default: all activations, losses, reductions and dtypes, depth 1 to 6,
    width 1 to 16, N 1 to 32, numbers of the filling normal, no penalties.
    depth, width (of inputs and hidden layers), output_width (default: as width), batch_size: a number or a (low, high)
    pair. activations (of hidden layers), output_activations, losses, reductions, dtypes, values: a name or several. A
    bare name means all of its parameters' values; "leaky_relu=0.2" means that one. output_activations default to the
    activations, and to the row-wise ones too where the activations are all elementwise ones. biases: "always", "never"
    or "mixed". same_activation, same_width: hidden layers alike. penalties: "none", "mixed", a Penalty or its id.
    widths: one fixed network, (n0, ..., nL), in place of depth, width and output_width. shapes: at most so many
    different (widths, batch size), for candidates that compile for each. Data with a width of their own, like digits,
    set n0. Under `@candidate`, dtypes that are left out are float64 alone: see `declared`.

    Fields are kept in one form: pairs, and tuples in the catalogue's order. Raises DomainError for what has no meaning
    and where two fields leave nothing, naming them.
    """

    depth: Range
    width: Range
    output_width: Range | None
    batch_size: Range
    activations: tuple[Formula, ...]
    output_activations: tuple[Formula, ...] | None
    losses: tuple[Formula, ...]
    reductions: tuple[str, ...]
    dtypes: tuple[str, ...]
    biases: str
    same_activation: bool
    same_width: bool
    penalties: str | Penalty
    values: tuple[str, ...]
    widths: tuple[int, ...] | None
    shapes: int | None

    def __init__(
        self,
        *,
        depth: Numbers = _DEPTH,
        width: Numbers = _WIDTH,
        output_width: Numbers | None = None,
        batch_size: Numbers = (1, 32),
        activations: Names = _ELEMENTWISE,
        output_activations: Names | None = None,
        losses: Names = tuple(LOSSES),
        reductions: str | Iterable[str] = REDUCTIONS,
        dtypes: str | Iterable[str] = UNNAMED_DTYPES,
        biases: str = "mixed",
        same_activation: bool = False,
        same_width: bool = False,
        penalties: str | Penalty = "none",
        values: str | Iterable[str] = UNNAMED,
        widths: Sequence[int] | None = None,
        shapes: int | None = None,
    ) -> None:
        def keep(**settings: object) -> None:
            for name, value in settings.items():
                object.__setattr__(self, name, value)

        fixed = read_widths(widths)
        if shapes is not None and (type(shapes) is not int or shapes < 1):
            raise DomainError(f"shapes must be a whole number, at least 1, or None; got {shapes!r}")
        keep(
            depth=read_range("depth", depth),
            width=read_range("width", width),
            output_width=None if output_width is None else read_range("output_width", output_width),
            batch_size=read_range("batch_size", batch_size),
            activations=read_formulas("activations", activations, ACTIVATIONS, "activation"),
            output_activations=None
            if output_activations is None
            else read_formulas("output_activations", output_activations, ACTIVATIONS, "activation"),
            losses=read_formulas("losses", losses, LOSSES, "loss"),
            reductions=read_names("reductions", reductions, REDUCTIONS, "reduction"),
            dtypes=dtypes if isinstance(dtypes, Unnamed) else read_names("dtypes", dtypes, DTYPES, "dtype"),
            biases=read_choice("biases", biases, ("always", "never", "mixed")),
            same_activation=bool(same_activation),
            same_width=bool(same_width),
            penalties=read_penalties(penalties),
            values=values
            if isinstance(values, Unnamed)
            else read_names("values", values, FILLINGS, "filling of values"),
            widths=fixed,
            shapes=shapes,
        )
        if fixed is not None:
            keep(depth=self._checked_against(fixed))
        # Making the plan refuses a domain that contains nothing.
        _ = self.plan

    def _checked_against(self, widths: tuple[int, ...]) -> Range:
        """The depth that `widths` fix. A field that was left at its default says nothing against them."""
        hidden = widths[1:-1]
        for name, default, numbers in (
            ("depth", _DEPTH, (len(widths) - 1,)),
            ("width", _WIDTH, widths[: -1 if self.output_width is not None else None]),
            ("output_width", None, widths[-1:]),
        ):
            span = getattr(self, name)
            if span != default and any(not span[0] <= number <= span[1] for number in numbers):
                raise DomainError(f"widths={widths} and {name}={span} exclude each other")
        if self.same_width and len(set(hidden)) > 1:
            raise DomainError(f"widths={widths} and same_width=True exclude each other: the hidden widths are {hidden}")
        return len(widths) - 1, len(widths) - 1

    def declared(self) -> "Domain":
        """This domain as `@candidate` means it: float64 alone where dtypes were not named.

        Somebody's network was written for Python's floats, and is asked for float32 only where it says that it has it.
        """
        return replace(self, dtypes=("float64",)) if isinstance(self.dtypes, Unnamed) else self

    @property
    def is_declared(self) -> bool:
        """Whether a candidate has stated it: `declared` has named its dtypes. Backproof's own leaves them open."""
        return not isinstance(self.dtypes, Unnamed)

    @property
    def names_values(self) -> bool:
        """Whether its fillings were chosen on purpose: then no other is asked for, not even for doing sums by hand."""
        return not isinstance(self.values, Unnamed)

    @cached_property
    def plan(self) -> Plan:
        """What build_spec draws from."""
        return _plan(self)

    @cached_property
    def outputs(self) -> tuple[Formula, ...]:
        """The output activations; which of them a loss goes with, build_spec minds."""
        if self.output_activations is not None:
            return self.output_activations
        rowwise = _ALL_ROWWISE if set(self.activations) == set(_ALL_ELEMENTWISE) else ()
        return self.activations + rowwise

    def contains(self, spec: NetworkSpec) -> bool:
        """Whether `spec` is one that a candidate with this domain supports."""
        return self.why_not(spec) is None

    def why_not(self, spec: NetworkSpec) -> str | None:
        """The first field that excludes `spec`, as a sentence, or None where the domain contains it."""
        hidden, output = spec.activations[:-1], spec.activations[-1]
        shape_fields = self._why_not_shape(spec)
        if shape_fields is not None:
            return shape_fields
        for name, value, allowed in (
            *(("activations", formula.id, formula in self.activations) for formula in hidden),
            ("output_activations", output.id, output in self.outputs),
            ("losses", spec.loss.id, spec.loss in self.losses),
            ("reductions", spec.reduction, spec.reduction in self.reductions),
            ("dtypes", spec.dtype, spec.dtype in self.dtypes),
            ("values", spec.values, spec.values in self.values),
        ):
            if not allowed:
                return f"{value} is not among its {name}"
        if self.same_activation and len(set(hidden)) > 1:
            return "its hidden layers have the same activation"
        if (self.biases == "always" and not all(spec.biases)) or (self.biases == "never" and any(spec.biases)):
            return f"its layers {self.biases} have a bias"
        if self.penalties != "mixed" and spec.penalty != (None if self.penalties == "none" else self.penalties):
            return f"its penalty is {self.penalties if isinstance(self.penalties, str) else self.penalties.id}"
        return None

    def _why_not_shape(self, spec: NetworkSpec) -> str | None:
        hidden = spec.widths[1:-1]
        if self.widths is not None and spec.widths != self.widths:
            return f"its widths are {self.widths}, not {spec.widths}"
        # Data with a width of their own set n0, whatever the domain's width.
        drawn = spec.widths[FILLINGS[spec.values].inputs is not None : -1]
        spans = [("depth", spec.depth, self.depth), ("batch size", spec.batch_size, self.batch_size)]
        if self.widths is None:
            spans += [("width", width, self.width) for width in drawn]
            spans.append(("output width", spec.outputs, self.output_width or self.width))
        for name, number, (low, high) in spans:
            if not low <= number <= high:
                return f"its {name} is {low} to {high}, not {number}"
        if self.same_width and len(set(hidden)) > 1:
            return "its hidden layers have the same width"
        if self.shapes is not None and (spec.widths, spec.batch_size) not in self.plan.shapes:
            return f"it has {len(self.plan.shapes)} shapes, and widths {spec.widths} with {spec.batch_size} is not one"
        return None

    def strata(self) -> tuple[tuple[str, ...], ...]:
        """All that specs of this domain can cover: (activation, dtype), then (loss, reduction, dtype)."""
        return self.plan.activation_strata + self.plan.strata

    def left_out(self) -> tuple[str, ...]:
        """A sentence for each of its losses that no spec of this domain can have."""
        return tuple(self.plan.why_not(loss) for loss in self.losses if not self.plan.outputs[loss].names)

    def __repr__(self) -> str:
        """As one would write it: its settings."""
        return f"Domain({', '.join(f'{name}={value!r}' for name, value in self.settings().items())})"

    def settings(self) -> dict[str, object]:
        """The fields that are not at their defaults, as they may be given to Domain, in the spelling of ids.

        Fillings and dtypes that are named stand there even where they are the usual ones: they say that no other is
        wanted, and that all of these are.
        """
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        usual = {each.name: getattr(DEFAULT_DOMAIN, each.name) for each in fields(self)}
        for name in ("values", "dtypes"):
            if not isinstance(found[name], Unnamed):
                del usual[name]
        return {
            name: _written(name, value) for name, value in found.items() if name not in usual or value != usual[name]
        }


def _written(name: str, value: object) -> object:
    """A field's value as it may be given to Domain: a single number or name by itself."""
    if isinstance(value, Penalty):
        return value.id
    if not isinstance(value, tuple):
        return value
    if all(isinstance(entry, Formula) for entry in value):
        return named(spelled(value))
    if all(isinstance(entry, str) for entry in value):
        return named(value)
    return value[0] if name in SPANS and value[0] == value[1] else value


@lru_cache(maxsize=64)
def _plan(domain: Domain) -> Plan:
    """The plan of a domain, made once for all that are equal: it takes longer than a small network's gradients."""
    return Plan(domain)


DEFAULT_DOMAIN: Final = Domain()
