"""Failing networks by what is wrong in them: with a mistake's name where it has one, else by where it shows first.

A run knows its failing networks by kind (tally.py): loss, output activation, and the first quantity that fails. The
smallest network of each kind is asked which of the named mistakes gives its numbers: one of them alone, or all of them
together. Kinds of the same answer are one group, and of each group one network alone is made small enough to follow.
What the diagnosis of the whole run cannot explain is diagnosed again, group by group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from backproof.campaign.tally import EXAMPLES, Failing, Kind, Tally
from backproof.candidates.contract import Candidate
from backproof.cases.case import build_case
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec
from backproof.diagnosis.diagnosis import Findings, diagnose
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.hypotheses import Hypothesis
from backproof.diagnosis.smallest import reproduces, smallest
from backproof.examine import Truth

ASKED: Final = 48
"""Kinds that are asked, the smallest networks first; what further ones show is known by the first quantity alone."""

SHRUNK: Final = 3
"""Groups, beside that of the diagnosis, that are looked at closer."""

Place = tuple[str, ...]
"""(quantity, position) of the first failure on the way back."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Failing networks with the same mistake.

    faults: its names, empty where it has none; places: where it shows first; cases: how many networks; examples: the
    ids of some of them; shown: the id of one made small, "" where there is none.
    """

    faults: tuple[str, ...]
    places: tuple[Place, ...]
    cases: int
    examples: tuple[str, ...]
    shown: str = ""

    def row(self, hints: str) -> tuple[str | int | None, ...]:
        """Of the table `groups`; without the names where they are not to be told."""
        named = " + ".join(self.faults) if hints == "all" else ""
        return (
            named or None,
            "; ".join(filter(None, (f"{quantity} {position}".strip() for quantity, position in self.places))),
            self.cases,
            "; ".join(self.examples),
            self.shown or None,
        )


@dataclass
class _Members:
    """A group that is being put together, and what is known of its mistake."""

    faults: tuple[str, ...] = ()
    hypothesis: Hypothesis | None = None
    shown: str = ""
    kinds: list[tuple[Kind, Failing]] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(failing.cases for _, failing in self.kinds)

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(dict.fromkeys((quantity, position) for (_, _, quantity, position), _ in self.kinds))

    @property
    def examples(self) -> list[str]:
        return [text for _, text in sorted(each for _, failing in self.kinds for each in failing.smallest)]


def groups(
    candidate: Candidate, tally: Tally, findings: Findings, *, domain: Domain, truth: Truth = "torch"
) -> tuple[Group, ...]:
    """The groups of a run that was diagnosed, the largest first."""
    inquiry = Inquiry(candidate, domain=domain, truth=truth)
    parts = _parts(findings)
    named = tuple(diagnosis.fault or "" for diagnosis in findings.diagnoses) if findings.named else ()
    found: dict[tuple[str, ...], _Members] = {}
    known: dict[Place, tuple[str, ...]] = {}
    kinds = sorted(tally.failing.items(), key=lambda item: item[1].smallest[0])
    for number, (kind, failing) in enumerate(kinds):
        place = kind[2:]
        part = None
        if not parts:
            # What has a name and no hypothesis cannot be asked, as a state cannot: all of it has that name.
            key = named or ("", *place)
        elif number < ASKED:
            part = _explaining(inquiry, parts, failing)
            key = ("", *place) if part is None else part.names
            known.setdefault(place, key)
        else:
            key = known.get(place, ("", *place))
        members = found.setdefault(key, _Members(key if key[0] else (), part))
        members.kinds.append((kind, failing))
    best = findings.hypothesis
    for members in found.values():
        if findings.shown is not None and (len(found) == 1 or (best is not None and members.hypothesis == best)):
            members.shown = findings.shown.case.spec.id
    largest = sorted(found.values(), key=lambda each: -each.cases)
    for members in [each for each in largest if not each.shown][:SHRUNK]:
        _look_closer(inquiry, members)
    return tuple(_groups(largest))


def _parts(findings: Findings) -> list[Hypothesis]:
    """Each mistake of the diagnosis by itself, then all of them together."""
    best = findings.hypothesis
    if best is None or not best.plants:
        return []
    alone = [Hypothesis((plant,), best.learning_rate) for plant in best.plants]
    return alone if len(alone) == 1 else [*alone, best]


def _explaining(inquiry: Inquiry, parts: Sequence[Hypothesis], failing: Failing) -> Hypothesis | None:
    """The first part that gives the numbers of a kind's smallest network."""
    exhibit = inquiry.exhibit(build_case(NetworkSpec.parse(failing.smallest[0][1])))
    return next((part for part in parts if reproduces(part, exhibit)), None)


def _look_closer(inquiry: Inquiry, members: _Members) -> None:
    """The smallest network of a group; and what is wrong there, asked of its losses alone, where that is not known."""
    specs = [NetworkSpec.parse(failing.smallest[0][1]) for _, failing in members.kinds]
    if members.faults:
        exhibit = smallest(inquiry, specs[0], members.hypothesis)
    else:
        losses = {spec.loss.name for spec in specs}
        domain = replace(inquiry.domain, losses=tuple(each for each in inquiry.domain.losses if each.name in losses))
        findings = diagnose(inquiry.candidate, specs, domain=domain, truth=inquiry.truth)
        if findings.named:
            members.faults = tuple(diagnosis.fault or "" for diagnosis in findings.diagnoses)
        exhibit = findings.shown
    members.shown = members.examples[0] if exhibit is None else exhibit.case.spec.id


def _groups(found: Sequence[_Members]) -> Iterator[Group]:
    """One for each mistake that has a name, and one for each place of those that have none; the largest first."""
    joined: dict[tuple[str, ...], _Members] = {}
    for members in found:
        known = joined.setdefault(members.faults or ("", *members.places[0]), members)
        if known is not members:
            known.kinds += members.kinds
    for members in sorted(joined.values(), key=lambda each: -each.cases):
        yield Group(
            faults=members.faults,
            places=members.places,
            cases=members.cases,
            examples=tuple(members.examples[:EXAMPLES]),
            shown=members.shown,
        )
