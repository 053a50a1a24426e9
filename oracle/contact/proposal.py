"""What first contact says of a candidate: what it seems to be, and the line that would say so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from backproof.candidates.callables import common_ground
from backproof.candidates.layout import Declaration, Layout
from backproof.candidates.protocol import DESCRIBE, described
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.domain import UNNAMED_DTYPES, Domain
from backproof.cases.formula import Formula


@dataclass(frozen=True)
class Convention:
    """What a candidate computes, as far as it does not follow the network: None where it does."""

    hidden: str | None = None
    output: str | None = None
    loss: str | None = None
    reduction: str | None = None


@dataclass
class Contact:
    """What was learnt of a candidate, declared in a layout that works; usual: the one in which it would be asked.

    complaint: what goes wrong there. ignored: the fields of the network without effect; matched: what fits them;
    loss_fits: whether the loss does, too. limits: fields of Domain that hold it to the shapes that it works for.
    """

    declared: Declaration
    usual: Layout
    complaint: str
    ignored: list[str] = field(default_factory=list)
    matched: Convention | None = None
    loss_fits: bool = True
    limits: dict[str, object] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The layout that works."""
        return self.declared.layout

    @property
    def silent(self) -> bool:
        """Whether there is nothing to say: it follows the network in the layout that it would be asked in."""
        return self.layout == self.usual and not self.ignored and not self.limits


def proposed(found: Contact) -> Domain:
    """The domain that the line to paste declares."""
    fields: dict[str, object] = {"dtypes": UNNAMED_DTYPES, **found.limits}
    matched = found.matched or Convention()
    if matched.hidden is not None or matched.output is not None:
        hidden = matched.hidden or matched.output
        # The formula and not its name: that would mean every value of its parameters.
        fields["activations"] = Formula.parse(str(hidden), ACTIVATIONS)
        other = matched.output if matched.output != hidden else None
        fields["output_activations"] = None if other is None else Formula.parse(other, ACTIVATIONS)
    if matched.loss is not None:
        fields["losses"] = Formula.parse(matched.loss, LOSSES)
    if matched.reduction is not None:
        fields["reductions"] = matched.reduction
    return replace(common_ground(), **fields)  # type: ignore[arg-type]  # fields of Domain, as it takes them


def told(name: str, found: Contact, *, program: bool = False) -> str:
    """What was found, and the line to paste; for a `program`, what it is to answer when it is asked what it is."""
    said = []
    if found.layout != found.usual:
        usual, works = (layout.written() or "the default layout" for layout in (found.usual, found.layout))
        said.append(f"it does not work in {usual} ({found.complaint}), but does with {works}")
    if found.ignored:
        names = ", ".join(f"network.{_FIELDS[each]}" for each in found.ignored)
        said.append(f"it gives the same numbers whatever {names} says")
    if "depth" in found.limits:
        said.append("it does not take every depth")
    if "biases" in found.limits:
        said.append("it needs a bias in every layer")
    if "batch_size" in found.limits:
        said.append("it takes single samples only" if found.limits["batch_size"] == 1 else "it takes no single sample")
    text = f"{name} declares no Domain, and nothing was checked. A few small networks show: {'; '.join(said)}."
    if found.ignored and found.matched is None:
        wish = "say what it is meant to compute, like this"
        if program:
            wish = f"let it answer {DESCRIBE.decode()} with what it is meant to compute, like this"
        return (
            f"{text} Its gradients fit no usual activation, loss and reduction, so {wish}:\n\n"
            f"{_lines(_EXAMPLE, found, program=program)}"
        )
    if found.ignored and not found.loss_fits:
        text += " Its gradients are those of the line below, but its loss is another one: the check will say so."
    wish = f"let it answer {DESCRIBE.decode()} with" if program else "put above it"
    return f"{text} If this is what it is meant to be, {wish}:\n\n{_lines(proposed(found), found, program=program)}"


_FIELDS: Final = {
    "activations": "activations",
    "output_activations": "activations[-1]",
    "loss": "loss",
    "reduction": "reduction",
}
_EXAMPLE: Final = Domain(activations="sigmoid", losses="half_squared_error", reductions="sum")


def _lines(domain: Domain, found: Contact, *, program: bool) -> str:
    if program:
        return f"    {described(replace(found.declared, domain=domain))}\n"
    settings = found.layout.written()
    line = f"@candidate({domain!r}{f', {settings}' if settings else ''})"
    return f"    from backproof import Domain, candidate\n\n    {line}\n"
