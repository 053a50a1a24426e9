"""From a domain to specs: build_spec, and the tables it draws from, made once per domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.decks import EvenSampler
from backproof.cases.fillings import FILLINGS
from backproof.cases.formula import Formula, accepts, expected_output, least_outputs, telling_outputs, tells
from backproof.cases.settings import DomainError, Range, named, spelled
from backproof.cases.spec import NetworkSpec, Penalty

if TYPE_CHECKING:
    from backproof.cases.domain import Domain

__all__ = ["Choose", "Plan", "build_spec"]

T = TypeVar("T")

# What "mixed" draws half of the time: l1 and l2 alone and together, on weights and on biases too, whole and over N.
_PENALTIES: Final = (
    Penalty(0.0, 0.1, False, "nothing"),
    Penalty(0.01, 0.0, False, "nothing"),
    Penalty(0.0, 0.1, False, "N"),
    Penalty(0.01, 0.1, True, "nothing"),
    Penalty(0.01, 0.1, True, "N"),
)
_SEEDS: Final = range(10**8)
# Simple first, here and below: failing examples shrink towards the front.
_REDUCTIONS: Final = ("sum", "mean", "batchmean", "none")
_BIASES: Final = {"always": ("all",), "never": ("none",), "mixed": ("all", "none", "some")}


class Choose(Protocol):
    """What makes the choices of build_spec."""

    def __call__(self, label: str, options: Sequence[T], /) -> T:
        """One of `options`. The label says what is chosen; under one domain the same label has the same options."""
        ...


def build_spec(domain: "Domain", choose: Choose) -> NetworkSpec:
    """A spec of `domain`, every choice made by `choose`: Hypothesis' draw, or the even sampler.

    Losses come with an output activation that they accept, and row-wise layers with two outputs or more. Hidden layers
    are chosen last: then Hypothesis can drop one and leave all other choices in their places.
    """
    plan = domain.plan
    loss_name, reduction, dtype = choose("loss, reduction, dtype", plan.strata)
    loss = plan.losses.variant(choose, loss_name)
    penalty = None if reduction == "none" else _draw_penalty(choose, domain.penalties)
    values = choose("values", domain.values)
    output = plan.outputs[loss].choose(choose, f"{dtype} output, {expected_output(loss)}")
    given, batch_size = choose("shape", plan.shapes) if plan.shapes else (domain.widths, 0)
    batch_size = batch_size or choose("batch size", _numbers(domain.batch_size))
    seed = choose("seed", _SEEDS)
    which_biases = choose("biases", _BIASES[domain.biases])
    if given is None:
        first = FILLINGS[values].inputs or plan.draw_width(choose, "width")
        last = plan.draw_width(choose, "output width", plan.fewest_outputs(loss, output))
        hidden, between = plan.draw_hidden(choose, dtype, choose("depth", plan.depths) - 1)
        widths = (first, *between, last)
    else:
        widths = given
        hidden = plan.draw_hidden_activations(choose, dtype, widths[1:-1])
    return NetworkSpec(
        widths=widths,
        activations=(*hidden, output),
        loss=loss,
        reduction=reduction,
        batch_size=batch_size,
        dtype=dtype,
        values=values,
        seed=seed,
        biases=_draw_biases(choose, which_biases, len(hidden) + 1),
        penalty=penalty,
    )


def _draw_biases(choose: Choose, which: str, layers: int) -> tuple[bool, ...]:
    if which == "some":
        return tuple([choose("bias of a layer", (True, False)) for _ in range(layers)])
    return (which == "all",) * layers


def _draw_penalty(choose: Choose, which: str | Penalty) -> Penalty | None:
    if isinstance(which, Penalty):
        return which
    return choose("penalty", _PENALTIES) if which == "mixed" and choose("penalty or none", (False, True)) else None


@dataclass(frozen=True, eq=False)
class _Menu:
    """Formulas by name: names are chosen evenly, and then their variants."""

    names: tuple[str, ...]
    formulas: dict[str, tuple[Formula, ...]]

    @staticmethod
    def of(formulas: Sequence[Formula]) -> "_Menu":
        names = tuple(dict.fromkeys(formula.name for formula in formulas))
        return _Menu(names, {name: tuple(f for f in formulas if f.name == name) for name in names})

    def choose(self, choose: Choose, label: str) -> Formula:
        return self.variant(choose, choose(label, self.names))

    def variant(self, choose: Choose, name: str) -> Formula:
        variants = self.formulas[name]
        return variants[0] if len(variants) == 1 else choose(name, variants)


class Plan:
    """What a domain leaves to choose from. Making one raises DomainError where two fields leave nothing."""

    def __init__(self, domain: "Domain") -> None:
        self._domain = domain
        self._widest_hidden, self._widest_output = _widest(domain)
        self._output_span = domain.output_width or domain.width
        hidden = [f for f in domain.activations if self._widest_hidden > 1 or not _rowwise(f)]
        self._hidden = _Menu.of(hidden)
        self._hidden_narrow = _Menu.of([formula for formula in hidden if not _rowwise(formula)])
        self.depths = self._checked_depths()
        self.outputs = {loss: _Menu.of(self._outputs_for(loss)) for loss in domain.losses}
        self.losses = _Menu.of([loss for loss in domain.losses if self.outputs[loss].names])
        if not self.losses.names:
            raise DomainError(self.why_not(domain.losses[0]))
        self.strata = tuple(
            (loss, reduction, dtype)
            for loss in self.losses.names
            for reduction in _reductions(domain)
            for dtype in domain.dtypes
        )
        self.activation_strata = tuple((name, dtype) for name in self._reachable() for dtype in domain.dtypes)
        self.shapes = self._drawn_shapes() if domain.shapes is not None else ()

    def fewest_outputs(self, loss: Formula, output: Formula) -> int:
        """The fewest outputs that make sense, and of those the fewest that tell something, if the domain has them."""
        telling = min(telling_outputs(loss), self._widest_output)
        return max(1 + _rowwise(output), least_outputs(loss), telling)

    def draw_width(self, choose: Choose, label: str, floor: int = 1) -> int:
        """A width of the domain, at least `floor`."""
        span = self._output_span if label == "output width" else self._domain.width
        if floor > span[0]:
            return choose(f"{label} from {floor}", _numbers((floor, span[1])))
        return choose(label, _numbers(span))

    def draw_hidden(self, choose: Choose, dtype: str, layers: int) -> tuple[list[Formula], list[int]]:
        """Activations and widths of the hidden layers."""
        domain, label = self._domain, f"{dtype} hidden"
        activations: list[Formula] = []
        widths: list[int] = []
        for layer in range(layers):
            width = widths[0] if layer and domain.same_width else None
            if domain.same_width and not layer:
                width = self.draw_width(choose, "width", 1 if self._hidden_narrow.names else 2)
            if layer and domain.same_activation:
                activations.append(activations[0])
            else:
                activations.append((self._hidden_narrow if width == 1 else self._hidden).choose(choose, label))
            widths.append(width or self.draw_width(choose, "width", 1 + _rowwise(activations[-1])))
        return activations, widths

    def draw_hidden_activations(self, choose: Choose, dtype: str, widths: Sequence[int]) -> list[Formula]:
        """Activations of hidden layers whose widths are given."""
        label = f"{dtype} hidden"
        if self._domain.same_activation and widths:
            menu = self._hidden_narrow if 1 in widths else self._hidden
            return [menu.choose(choose, label)] * len(widths)
        return [(self._hidden_narrow if width == 1 else self._hidden).choose(choose, label) for width in widths]

    def why_not(self, loss: Formula) -> str:
        """Which two fields leave no output activation for `loss`."""
        domain = self._domain
        field = "output_activations" if domain.output_activations is not None else "activations"
        chosen = f"{field}={named(spelled(domain.outputs))!r}"
        accepted = [formula for formula in domain.outputs if accepts(loss, formula)]
        if not accepted:
            takers = [name for name, entry in ACTIVATIONS.items() if accepts(loss, Formula.parse(name, ACTIVATIONS))]
            return (
                f"losses={named(spelled([loss]))!r} and {chosen} exclude each other: {loss.name} goes with the output "
                f"activations {', '.join(takers)}"
            )
        widths = f"widths={domain.widths}" if domain.widths is not None else f"output_width={self._widest_output}"
        if least_outputs(loss) > self._widest_output:
            return f"{widths} and losses={loss.id!r} exclude each other: the only class is the ignored one"
        return f"{widths} and {chosen} exclude each other: of a single output, {accepted[0].name} is constant"

    def _reachable(self) -> list[str]:
        """The activations that some layer of some spec can have, in the catalogue's order."""
        names = {
            name for loss in self.losses.names for f in self.losses.formulas[loss] for name in self.outputs[f].names
        }
        if self.depths[-1] > 1:
            names.update(self._hidden.names)
        return [name for name in ACTIVATIONS if name in names]

    def _outputs_for(self, loss: Formula) -> list[Formula]:
        """The output activations that the loss takes; one that tells nothing at times only where there is no other."""
        taken = [
            formula
            for formula in self._domain.outputs
            if accepts(loss, formula) and self._widest_output >= max(1 + _rowwise(formula), least_outputs(loss))
        ]
        return [formula for formula in taken if tells(loss, formula)] or taken

    def _checked_depths(self) -> tuple[int, ...]:
        domain = self._domain
        depths = _numbers(domain.depth)
        single = domain.widths is not None and 1 in domain.widths[1:-1]
        if (self._hidden_narrow if single else self._hidden).names:
            return tuple(depths)
        if depths[0] > 1:
            field = f"widths={domain.widths}" if single else f"width={self._widest_hidden}"
            chosen = f"activations={named(spelled(domain.activations))!r}"
            raise DomainError(
                f"{field} and {chosen} exclude each other: a row-wise activation needs two outputs or more"
            )
        return (1,)

    def _drawn_shapes(self) -> tuple[tuple[tuple[int, ...], int], ...]:
        """At most domain.shapes different (widths, batch size), always the same ones for the same domain."""
        domain = self._domain
        sampler = EvenSampler(seed=0)
        inputs = next((FILLINGS[name].inputs for name in domain.values if FILLINGS[name].inputs is not None), None)
        # Where there is room, two outputs or more, so that every activation can follow.
        floor_hidden, floor_output = min(2, self._widest_hidden), min(2, self._widest_output)
        shapes: dict[tuple[tuple[int, ...], int], None] = {}
        wanted = domain.shapes or 0
        for _ in range(_TRIES * wanted):
            if len(shapes) == wanted:
                break
            widths = domain.widths
            if widths is None:
                layers = sampler.choose("depth", self.depths) - 1
                hidden = [self.draw_width(sampler.choose, "width", floor_hidden) for _ in range(layers)]
                hidden = hidden[:1] * layers if domain.same_width else hidden
                first = inputs or self.draw_width(sampler.choose, "width")
                widths = (first, *hidden, self.draw_width(sampler.choose, "output width", floor_output))
            shapes[widths, sampler.choose("batch size", _numbers(domain.batch_size))] = None
        return tuple(sorted(shapes, key=lambda shape: (len(shape[0]), sum(shape[0]), shape)))


# Draws per wanted shape: a narrow domain may have fewer shapes than wanted.
_TRIES: Final = 32


def _widest(domain: "Domain") -> tuple[int, int]:
    """The widest that a hidden layer and the output layer can be."""
    if domain.widths is None:
        return domain.width[1], (domain.output_width or domain.width)[1]
    for values in domain.values:
        inputs = FILLINGS[values].inputs
        if inputs is not None and domain.widths[0] != inputs:
            raise DomainError(
                f"widths={domain.widths} and values={values!r} exclude each other: these values have {inputs} inputs"
            )
    return max(domain.widths[1:-1], default=1), domain.widths[-1]


def _reductions(domain: "Domain") -> list[str]:
    """The domain's reductions, simple ones first, and without 'none' where a penalty needs a loss to be added to."""
    penalised = isinstance(domain.penalties, Penalty)
    reductions: list[str] = [
        name for name in _REDUCTIONS if name in domain.reductions and not (name == "none" and penalised)
    ]
    if not reductions:
        raise DomainError(
            "penalties and reductions='none' exclude each other: a penalty is added to one loss, and 'none' leaves many"
        )
    return reductions


def _numbers(span: Range) -> range:
    return range(span[0], span[1] + 1)


def _rowwise(formula: Formula) -> bool:
    return ACTIVATIONS[formula.name].rowwise
