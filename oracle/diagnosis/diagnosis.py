"""From failing networks to an answer: which equation, where, which mistake, and the smallest network that shows it.

The order matters. State comes first: where a call changes the next one, what is diagnosed is the difference of two
calls. Then the mistake is named: one fault or two that reproduce the candidate's numbers. The equations are tested on
the candidate's own numbers besides, so that a mistake without a name still has an equation and a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec
from backproof.diagnosis import evident, state
from backproof.diagnosis.additivity import LARGEST_WRONG_BATCH, Additivity, additive
from backproof.diagnosis.conventions import Conventions, conventions
from backproof.diagnosis.cost import without_the_forward_pass
from backproof.diagnosis.equations import DEEPEST, Charge, Charges, charges
from backproof.diagnosis.evidence import Exhibit, Inquiry, gather
from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.loss import RIGHT_GRADIENT
from backproof.diagnosis.faults.planting import Plant
from backproof.diagnosis.hypotheses import Hypothesis
from backproof.diagnosis.mistake import RULES, Diagnosis
from backproof.diagnosis.naming import Named, name
from backproof.diagnosis.precision import only_as_accurate_as_float32
from backproof.diagnosis.smallest import shown
from backproof.diagnosis.untested import not_finite, reasons, unexplained
from backproof.examine import Truth
from backproof.judging.verdicts import Verdict

SINGLE_SAMPLES: Final = 10
"""How many one-sample cases the equations are asked of."""
STRAINING: Final = frozenset({"saturated", "tiny"})
"""Fillings with numbers so large or small that a right formula may fail by them alone."""

EQUATIONS: Final = ("BP0", "BP1", "BP2", "BP3", "BP4", "batch", "scale", "loss")
"""What the answer speaks of, in this order."""

_OF_THE_COST: Final = "the first delta is wrong too, and all that flows from it: another cost explains both"


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """The whole answer.

    equations: name -> "holds", "broken" or "not_tested"; untested: why the latter are not. charges: what single samples
    say of BP0 to BP4. shown: the smallest network that shows the mistake, with the candidate's answer.
    """

    diagnoses: tuple[Diagnosis, ...]
    equations: dict[str, str]
    charges: Charges
    conventions: Conventions | None
    shown: Exhibit | None
    hypothesis: Hypothesis | None
    untested: dict[str, str] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether every mistake has a name."""
        return bool(self.diagnoses) and all(diagnosis.fault is not None for diagnosis in self.diagnoses)

    def rows(self, hints: str = "all") -> Iterator[tuple[str | None, ...]]:
        """The table `equations`: every diagnosis, then the equations that none is about."""
        told = hints == "all"
        broken = {diagnosis.equation for diagnosis in self.diagnoses}
        for diagnosis in self.diagnoses if hints != "none" else ():
            yield (
                diagnosis.equation,
                "broken",
                diagnosis.position,
                diagnosis.fault if told else None,
                (", ".join(diagnosis.also_fits) or None) if told else None,
                diagnosis.condition,
                (diagnosis.used or None) if told else None,
                (diagnosis.wanted or None) if told else None,
            )
        for equation, status in self.equations.items():
            if hints != "none" and equation not in broken:
                yield equation, status, None, None, None, None, None, RULES[equation] if told else None

    def beside_a_contradiction(self, *, alone: bool) -> Findings:
        """What is left where the candidate's answers contradict each other in scale, though its own tests hold.

        alone: whether nothing else is wrong; else what is wrong may show in those answers as well.
        """
        if self.equations["scale"] != "holds":
            return self
        if alone:
            return replace(self, equations={**self.equations, "scale": "broken"})
        untested = {**self.untested, "scale": "answers to the same arrays contradict each other"}
        return replace(self, equations={**self.equations, "scale": "not_tested"}, untested=untested)

    def conventions_json(self) -> dict[str, str | None] | None:
        """The conventions of loss value and gradient as `--json` prints them."""
        if self.conventions is None:
            return None
        return {"loss_value": self.conventions.loss_value, "gradient": self.conventions.gradient}


def diagnose(
    candidate: Candidate,
    failing: Sequence[NetworkSpec],
    *,
    domain: Domain | None = None,
    truth: Truth = "torch",
    shrink: bool = True,
) -> Findings:
    """What is wrong with a candidate that fails on these networks; they should differ in kind.

    domain: what it may be asked; its own where that is left out. shrink: look for the smallest network that shows it.
    """
    inquiry = Inquiry(candidate, domain=domain, truth=truth)
    exhibits = gather(inquiry, failing)
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    kept: tuple[Diagnosis, ...] = ()
    answered = [exhibit for exhibit in (*wrong, *exhibits) if exhibit.answer.failure is None]
    if failing and answered and state.keeps_state(candidate, answered[0].case):
        known = state.named(candidate, answered[:2], inquiry.learning_rate(answered[0].case.spec.dtype))
        if not known and state.is_random(candidate, answered[0].case):
            return _random(inquiry, wrong)
        kept = (_state(known),)
        inquiry = Inquiry(state.Differences(candidate), domain=domain, truth=truth)
        exhibits = gather(inquiry, failing)
    # What a state made wrong is not wrong a second time for want of another name; and where nothing is wrong, as in
    # PyTorch with a constant of its own that is accounted for, there is no mistake to charge.
    return _findings(inquiry, exhibits, wrong, kept=kept, accused=bool(wrong or failing) and not kept, shrink=shrink)


def diagnose_answer(inquiry: Inquiry, case: Case, answer: Answer) -> Findings:
    """As far as one answer to one case allows, whose candidate has no other."""
    exhibit = inquiry.judged(case, answer)
    return _findings(
        inquiry, [exhibit], [exhibit] * exhibit.wrong, kept=(), accused=exhibit.wrong, shrink=False
    )  # fmt: skip


def _findings(
    inquiry: Inquiry,
    exhibits: Sequence[Exhibit],
    wrong: Sequence[Exhibit],
    *,
    kept: tuple[Diagnosis, ...],
    accused: bool,
    shrink: bool,
) -> Findings:
    """What the exhibits say; kept: what is known of a state. accused: whether a charge without a name is one."""
    # Cheap to see, and no formula is to blame for it: then no name is looked for.
    nothing = evident.zeros(inquiry, exhibits) if accused else ()
    plainly = nothing or ((evident.exchanged(exhibits) or evident.printed(inquiry, exhibits)) if accused else ())
    named = Named(()) if plainly else name(inquiry, exhibits)
    # A call that changes its arguments is another one each time: what has no name is then no equation's fault.
    changed = evident.changed(exhibits)
    plain = _without_penalties(exhibits)
    ones = _single_samples(inquiry, plain)
    read = charges([(one.case, one.answer) for one in ones], repeats=max((one.repeats for one in ones), default=1))
    read = without_the_forward_pass(read, plain)
    added = additive(inquiry, plain)
    if accused and not (plainly or named.best or read.least or added.broken):
        # What neither single samples nor small batches show, a large batch that is wrong may.
        larger = additive(inquiry, [each for each in plain if each.wrong], largest=LARGEST_WRONG_BATCH)
        added = larger if larger.tested else added
    guessed = accused and not changed
    found = plainly or _named(named) or (_unnamed(inquiry, exhibits, read, added) if guessed else ())
    found = kept + changed + found
    # What differs between two calls is no answer: where a state is kept, one is shown as it was given.
    shrunk = shrink and wrong and not kept
    example = shown(inquiry, wrong, named) if shrunk else _least(wrong) if kept else next(iter(wrong), None)
    equations = _equations(found, read, added)
    if nothing:
        equations = evident.attested(equations)
    if changed and _loss_is_wrong(exhibits):
        equations["loss"] = "not_tested"
    makers = frozenset() if found else not_finite(exhibits) | unexplained(exhibits)
    doubtful = frozenset(name for name in makers if equations[name] == "holds")
    equations.update(dict.fromkeys(doubtful, "not_tested"))
    return Findings(
        diagnoses=found,
        equations=equations,
        untested=reasons(equations, exhibits, read, added, doubtful=doubtful - not_finite(exhibits)),
        charges=read,
        conventions=conventions(exhibits),
        shown=example,
        hypothesis=named.best,
    )


def _without_penalties(exhibits: Sequence[Exhibit]) -> Sequence[Exhibit]:
    """What the equations are asked of: where penalised networks alone are wrong, those without a penalty."""
    plain = _plain(exhibits)
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    alone = bool(wrong) and not any(exhibit.wrong for exhibit in plain)
    return plain if alone and plain else exhibits


def _plain(exhibits: Sequence[Exhibit]) -> list[Exhibit]:
    return [exhibit for exhibit in exhibits if exhibit.case.spec.penalty is None]


def _single_samples(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> list[Exhibit]:
    """One-sample cases with legible answers, several of them deep; of numbers of ordinary size where there are any.

    Of those, some that are wrong come first: a mistake that shows only at times is not to be missed.
    """
    ordinary = [exhibit for exhibit in exhibits if exhibit.case.spec.values not in STRAINING]
    for chosen in (ordinary, exhibits):
        found: list[Exhibit] = []
        shallow = [exhibit for exhibit in chosen if exhibit.case.spec.depth <= DEEPEST]
        wrong = [exhibit for exhibit in shallow if exhibit.wrong][: SINGLE_SAMPLES // 2]
        for exhibit in (*wrong, *(exhibit for exhibit in shallow if exhibit not in wrong)):
            if len(found) == SINGLE_SAMPLES:
                break
            one = inquiry.single(exhibit, 0)
            if one is not None and one.legible:
                found.append(one)
        if found:
            return found
    return []


def _least(wrong: Sequence[Exhibit]) -> Exhibit | None:
    """The smallest of them."""
    return min(wrong, key=lambda each: (each.case.spec.depth, each.case.x.size), default=None)


def _random(inquiry: Inquiry, wrong: Sequence[Exhibit]) -> Findings:
    """Numbers that another call does not give again: no equation can be held against them.

    What is shown is an answer that was given once.
    """
    diagnosis = Diagnosis(
        equation="state",
        position="all",
        fault=None,
        used="other numbers at each call, with the same arguments and by no pattern, as random ones are",
        wanted=RULES["state"],
        why="a gradient is that of one function: with a mask or noise drawn anew it is another one at each call",
        hint="np.random, random or a generator in the function: dropout or noise that belongs to training alone",
        subject="numbers that change from call to call",
    )
    return Findings(
        diagnoses=(diagnosis,),
        equations=dict.fromkeys(EQUATIONS, "not_tested"),
        untested=dict.fromkeys(EQUATIONS, "the same call gives other numbers each time"),
        charges=Charges((), frozenset(), readable=False),
        conventions=None,
        shown=_least(wrong),
        hypothesis=None,
    )


def _state(found: Sequence[Hypothesis]) -> Diagnosis:
    """What is kept from call to call."""
    if not found:
        return Diagnosis(
            equation="state",
            position="all",
            fault=None,
            wanted=RULES["state"],
            why="its numbers depend on the calls before, and not on its arguments alone",
            condition="second_call",
        )
    return Diagnosis.of(found[0].plants[0], tuple(each.names[0] for each in found[1:]), condition="second_call")


def _named(named: Named) -> tuple[Diagnosis, ...]:
    """One diagnosis for each fault of the simplest hypothesis that fits, with what else fits as well."""
    best = named.best
    if best is None:
        return ()
    found = []
    for plant in best.plants:
        others = [
            other.fault.name
            for hypothesis in named.hypotheses[1:]
            if len(hypothesis.plants) == len(best.plants)
            for other in hypothesis.plants
            if other.fault.name not in best.names and other.fault.equation == plant.fault.equation
        ]
        if len(best.plants) == 1:
            others = [
                name for hypothesis in named.hypotheses[1:] for name in hypothesis.names if name not in best.names
            ]
        found.append(Diagnosis.of(plant, tuple(dict.fromkeys(others))))
    if {"loss", "scale"} <= {each.equation for each in found}:
        # The loss by itself says that the gradient is right.
        found = [replace(each, why=each.why.removesuffix(RIGHT_GRADIENT)) for each in found]
    return tuple(found)


def _unnamed(inquiry: Inquiry, exhibits: Sequence[Exhibit], read: Charges, added: Additivity) -> tuple[Diagnosis, ...]:
    """What is known where no fault of the catalogue fits: the equations, and where each is broken."""
    if only_as_accurate_as_float32(inquiry, exhibits):
        low = next(fault for fault in FAULTS if fault.dtype == "float32")
        return (Diagnosis.of(Plant(low)),)
    found = []
    equal = [" and ".join(sorted(charge.equations)) for charge in read.least[1:]]
    why = f"{' or '.join(equal)} being wrong would explain these numbers just as well" if equal else ""
    for equation, position in _charged(read, added, exhibits):
        told = _OF_THE_COST if equation == "loss" and read.of_the_cost and not why else why
        layer = read.least[0].layer(equation) if read.least else None
        found.append(
            Diagnosis(equation=equation, position=position, layer=layer, fault=None, wanted=RULES[equation], why=told)
        )
    if not {"BP0", "loss", "penalty"} & {each.equation for each in found} and _loss_is_wrong(exhibits):
        found.append(Diagnosis(equation="loss", position="all", fault=None, wanted=RULES["loss"]))
    return tuple(found)


def _loss_is_wrong(exhibits: Sequence[Exhibit]) -> bool:
    """Whether the loss fails somewhere, with numbers of ordinary size and no penalty in it."""
    return any(
        ("loss", None) in exhibit.wrong_quantities()
        for exhibit in _plain(exhibits)
        if exhibit.case.spec.values not in STRAINING
    )


def _charged(read: Charges, added: Additivity, exhibits: Sequence[Exhibit]) -> list[tuple[str, str]]:
    """(equation, position) of what is broken, by the equations' own tests; the first of several equal charges."""
    if read.least:
        charge = read.least[0]
        told = [(_scale_or(charge, equation), charge.position(equation)) for equation in sorted(charge.equations)]
        return [
            (equation, "all" if equation in ("scale", "loss") or not position else position)
            for equation, position in told
        ]
    if added.broken:
        return [("scale" if added.uniform else "batch", "all")]
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    if wrong and all(exhibit.case.spec.penalty is not None for exhibit in wrong):
        return [("penalty", "all")]
    kinds = {check.verdict for exhibit in wrong for check in exhibit.checks if check.verdict.fails}
    if kinds and kinds <= {Verdict.SHAPE, Verdict.MISSING}:
        return [("shape", "all")]
    if wrong and all(exhibit.case.spec.values in STRAINING for exhibit in wrong):
        return [("numerics", "all")]
    return []


def _scale_or(charge: Charge, equation: str) -> str:
    """A delta of the output that is off by one and the same factor everywhere is a matter of scale."""
    return "scale" if equation == "BP1" and dict(charge.ratios).get("BP1") is not None else equation


def _equations(diagnoses: Sequence[Diagnosis], read: Charges, added: Additivity) -> dict[str, str]:
    """Every equation: broken where a diagnosis or the least charge says so, else what its own tests say.

    What fails on one sample already may fail on the sum of several as a consequence: then the batch is not tested. Nor
    is it where one sample could only be stated several times, and what was read of it may be the sum's mistake.
    """
    found = dict.fromkeys(EQUATIONS, "not_tested")
    if read.readable:
        found.update(dict.fromkeys(read.tested - read.suspect, "holds"))
    if added.tested and not (read.least and (added.broken or added.repeated)):
        found["batch"] = "broken" if added.broken and not added.uniform else "holds"
    if added.tested and added.uniform and not read.least:
        found["scale"] = "broken"
    elif added.tested and found["BP1"] == "holds" and not read.of_the_cost:
        found["scale"] = "holds"
    named = bool(diagnoses) and all(diagnosis.fault is not None or diagnosis.used for diagnosis in diagnoses)
    if diagnoses and not named:
        # A name that reproduces every number says more than a charge, which several names may share.
        for charge in read.least[:1]:
            found.update({_scale_or(charge, equation): "broken" for equation in read.broken})
    for diagnosis in diagnoses:
        if diagnosis.equation in found:
            found[diagnosis.equation] = "broken"
        if diagnosis.equation == "scale" and read.of_the_cost:
            found["loss"] = "broken"
        if diagnosis.equation == "BP1" and diagnosis.position != "output":
            found["BP2"] = "broken"
    return {equation: found[equation] for equation in EQUATIONS}
