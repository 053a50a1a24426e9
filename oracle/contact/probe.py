"""First contact: a candidate that declares nothing is asked about a few small networks before anything is checked.

It may keep its arrays in another layout, or have an activation, a loss or a reduction built in, whatever `network` asks
for. Then every check of it would fail, and say nothing. So layouts and conventions are tried on small networks of which
all widths, N, 1 and 2 are different numbers, and what fits is proposed as the line to paste. No guess is ever applied.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from textwrap import shorten
from typing import Final

import numpy as np

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import Answer, Candidate, CandidateError
from backproof.candidates.layout import WORDS, Declaration, Layout
from backproof.cases.case import Case, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.domain import DEFAULT_DOMAIN
from backproof.cases.formula import Formula, accepts, target_kind
from backproof.cases.gradients import Array, Gradients
from backproof.cases.sampling import iterate_specs
from backproof.cases.spec import NetworkSpec
from backproof.contact.proposal import Contact, Convention, told
from backproof.examine import Truth, ask, reference_of
from backproof.judging.bounds import Bounds
from backproof.judging.offered import given_for

Reference = Callable[[Case], Gradients]

SHAPES: Final = (((3, 5, 4), 6), ((3, 5, 4), 1), ((3, 4), 6), ((3, 5, 6, 4), 7), ((3, 5, 1), 6))
"""(n0, ..., nL) and N: a batch, a single sample, one layer, three, one output."""
HIDDEN: Final = ("sigmoid", "tanh", "relu", "identity", "leaky_relu", "softplus", "elu", "silu", "gelu")
OUTPUTS: Final = ("sigmoid", "identity", "softmax", "tanh", "relu", "log_softmax")
LOSSES_TRIED: Final = (
    "half_squared_error",
    "mse",
    "categorical_cross_entropy",
    "bce",
    "cross_entropy",
    "cross_entropy=probabilities",
    "bce_with_logits",
    "nll",
    "l1",
)
REDUCTIONS_TRIED: Final = ("sum", "mean", "batchmean")

COMPLAINT: Final = 100
"""Letters of what the candidate raised that are repeated."""
PATIENCE: Final = 20.0
"""Seconds for all answers: a candidate that takes longer is asked no more, and goes to the run as it is."""


class _TooSlowError(Exception):
    """The candidate takes too long to be asked so many questions."""


class FirstContactError(CandidateError):
    """A candidate that must say what it is before it can be checked; the text has the line that says it."""


def first_contact(candidate: Candidate, *, truth: Truth = "torch") -> None:
    """Nothing, for a candidate that declares a Domain or follows the network; else FirstContactError, with the line.

    A training step must follow the learning rate too, or declare its own. A candidate that works in no layout is let
    through: then the run says with which error.
    """
    if not isinstance(candidate, FunctionCandidate):
        return
    if candidate.kind == "step":
        _refuse_built_in_rate(candidate, truth)
    if candidate.declaration is not None and getattr(candidate, "says_domain", True):
        return  # a program may state its layout and no domain
    found = Probe(candidate, reference_of(truth)).contact()
    # What failed here was a question that nobody had promised to answer.
    candidate.patience.answered()
    if found is not None and not found.silent:
        raise FirstContactError(told(candidate.name, found, program=candidate.is_program))


def _refuse_built_in_rate(candidate: FunctionCandidate, truth: Truth) -> None:
    """FirstContactError for a step that goes equally far whatever the learning rate, and declares none of its own."""
    declaration = candidate.declaration
    if declaration is None or declaration.learning_rate is not None:
        return
    case = build_case(next(iterate_specs(declaration.domain, seed=0, shard=0)))
    short, long = (
        ask(replace(candidate, declaration=replace(declaration, learning_rate=rate)), case) for rate in (1.0, 2.0)
    )
    candidate.patience.answered()
    # (W - W') / 2 is half of W - W' to the last bit.
    steps = [(one, other) for (_, one), (_, other) in zip(_steps(short), _steps(long), strict=False)]
    if not any(one.any() for one, _ in steps) or not all(np.array_equal(one, 2.0 * other) for one, other in steps):
        return
    gradients = dict(_steps(Answer.of(reference_of(truth)(case))))
    taken = [(name, array) for name, array in _steps(short) if name in gradients]
    name, largest = max(taken, key=lambda each: float(np.abs(gradients[each[0]]).max(initial=0.0)))
    at = int(np.abs(gradients[name]).argmax())
    rate = float(largest.flat[at]) / float(gradients[name].flat[at])
    seems = f"{rate:.6g}" if 0.0 < rate < np.inf else "0.1"
    if seems == "1":
        return  # more likely forgotten than built in: the diagnosis has a name for that
    say = f'"learning_rate":{seems}' if candidate.is_program else f"learning_rate={seems}"
    raise FirstContactError(
        f"{candidate.name} takes the same step whatever learning_rate it is called with, and nothing was checked. If "
        f'its code has one built in, it says so beside the kind "step", for instance {say}; else it should use the one '
        "that it is called with."
    )


def _steps(answer: Answer) -> list[tuple[str, Array]]:
    return [(name, array) for name, array in answer.arrays() if name.startswith(("weights", "biases"))]


class Probe:
    """The questions to one candidate."""

    def __init__(self, candidate: FunctionCandidate, reference: Reference) -> None:
        self.candidate, self.reference = candidate, reference
        self.declared = candidate.declaration or Declaration(domain=DEFAULT_DOMAIN, layout=Layout())
        self.spent = 0.0
        self.known: dict[NetworkSpec, tuple[Gradients, Gradients]] = {}

    @property
    def usual(self) -> Layout:
        """The layout that it would be asked in."""
        return self.declared.layout

    def contact(self) -> Contact | None:
        """What is to be said of it; None where it cannot be told, or there is nothing to tell."""
        try:
            return self._contacted()
        except _TooSlowError:
            return None

    def _contacted(self) -> Contact | None:
        first = ask(self.candidate, _case(*SHAPES[0]))
        if first.failure in ("unsupported", "timeout"):
            return None
        working = self._working()
        if not working:
            return None
        complaint = shorten(first.message, COMPLAINT) or "the shapes of its answers are wrong"
        contacts = [self._contact(layout, case, complaint) for layout, case in working]
        known = [found for found in contacts if found is not None]
        # A layout may do by its shapes and yet not be meant: then no convention fits its numbers.
        return next((found for found in known if found.silent or found.matched is not None), next(iter(known), None))

    def _working(self) -> list[tuple[Layout, Case]]:
        """The layouts whose answers have the right shapes, each with the case that shows it."""
        for widths, batch_size in SHAPES:
            layouts = [self.usual, *(each for each in _layouts(vectors=widths[-1] == 1) if each != self.usual)]
            for loss, output in (("half_squared_error", "sigmoid"), ("cross_entropy", "identity")):
                case = _case(widths, batch_size, loss=loss, output=output)
                working = [(layout, case) for layout in layouts if self._asked(layout, case).fits(case)]
                if working:
                    return working
        return []

    def _asked(self, layout: Layout, case: Case) -> Answer:
        if self.spent > PATIENCE:
            raise _TooSlowError
        start = time.monotonic()
        asked = replace(self.declared, domain=DEFAULT_DOMAIN, layout=layout)
        answer = ask(replace(self.candidate, declaration=asked), case)
        self.spent += time.monotonic() - start
        return answer

    def _contact(self, layout: Layout, case: Case, complaint: str) -> Contact | None:
        """What it follows in one layout; None where it does not even follow its data: then it is no network."""
        flipped = -case.x
        if not _differ(self._asked(layout, case), self._asked(layout, replace(case, x=flipped))):
            return None
        found = Contact(replace(self.declared, layout=layout), self.usual, complaint)
        for name, variants in _variants(case).items():
            answers = [self._asked(layout, variant) for variant in variants]
            if variants and not any(_differ(self._asked(layout, case), answer) for answer in answers):
                found.ignored.append(name)
        if found.ignored:
            found.matched, found.loss_fits = self._convention(layout, case, found.ignored)
        found.limits = self._limits(found, case)
        return found

    def _convention(self, layout: Layout, case: Case, ignored: Sequence[str]) -> tuple[Convention | None, bool]:
        """The first convention whose gradients are the candidate's, one with the right loss before all others."""
        found: Convention | None = None
        layers: tuple[str, str] | None = None
        answers: dict[str, tuple[Case, Answer]] = {}
        for loss, reduction, hidden, output in itertools.product(
            LOSSES_TRIED if "loss" in ignored else (case.spec.loss.id,),
            REDUCTIONS_TRIED if "reduction" in ignored else (case.spec.reduction,),
            HIDDEN if "activations" in ignored else (_name(case, 0),),
            OUTPUTS if "output_activations" in ignored else (_name(case, -1),),
        ):
            meant = Formula.parse(loss, LOSSES)
            if not accepts(meant, Formula.parse(output, ACTIVATIONS)) or (output in _ROWS and case.spec.outputs == 1):
                continue
            if layers not in (None, (hidden, output)):
                continue  # only another loss is still looked for
            asked = _case(case.spec.widths, case.spec.batch_size, hidden, output, loss, reduction=reduction)
            kind = target_kind(meant)
            if kind not in answers:
                answers[kind] = asked, self._asked(layout, asked)
            given, answer = answers[kind]
            if not answer.fits(given):
                continue
            gradients, value = self._agreement(replace(given, spec=asked.spec), answer)
            if gradients:
                match = Convention(
                    hidden if "activations" in ignored else None,
                    output if "output_activations" in ignored else None,
                    loss if "loss" in ignored else None,
                    reduction if "reduction" in ignored else None,
                )
                if value:
                    return match, True
                found, layers = found or match, (hidden, output)
        return found, False

    def _agreement(self, case: Case, answer: Answer) -> tuple[bool, bool]:
        """Whether the gradients of an answer are within every form's bound, and the loss, if there is one."""
        if answer.read_off is not None:
            reference, limits = self.reference(case), Bounds(case, answer.read_off).limit("kink")
        else:
            if case.spec not in self.known:
                self.known[case.spec] = self.reference(case), Bounds(case).limit("kink")
            reference, limits = self.known[case.spec]
        apart: set[str] = set()
        for (quantity, layer, wanted), (_, _, limit) in zip(reference.quantities(), limits.quantities(), strict=True):
            given = given_for(answer, quantity, layer)
            if given is not None and (
                given.size != wanted.size or not _within(given.reshape(wanted.shape), wanted, limit)
            ):
                apart.add(quantity)
                if quantity != "loss":
                    return False, False
        return True, not apart

    def _limits(self, found: Contact, case: Case) -> dict[str, object]:
        """Fields of Domain that hold it to the shapes that it works for."""
        limits: dict[str, object] = {}
        spec = case.spec

        def works(widths: tuple[int, ...], batch_size: int, *, biases: bool = True) -> bool:
            other = _case(widths, batch_size, _name(case, 0), _name(case, -1), spec.loss.id, biases=biases)
            return self._asked(found.layout, other).fits(other)

        outputs = spec.outputs
        depths = [depth for depth in (1, 2, 3) if works((*(3, 5, 6)[:depth], outputs), spec.batch_size)]
        if depths and depths != [1, 2, 3]:
            limits["depth"] = (depths[0], 6 if depths[-1] == 3 else depths[-1])
        if spec.batch_size == 1:
            limits["batch_size"] = 1
        elif not works(spec.widths, 1):
            limits["batch_size"] = (2, 32)
        if outputs == 1:
            limits["output_width"] = 1
        if not works(spec.widths, spec.batch_size, biases=False):
            limits["biases"] = "always"
        return limits


def _case(
    widths: tuple[int, ...],
    batch_size: int,
    hidden: str = "sigmoid",
    output: str = "sigmoid",
    loss: str = "half_squared_error",
    *,
    reduction: str = "sum",
    biases: bool = True,
) -> Case:
    names = (hidden,) * (len(widths) - 2) + (output,)
    return build_case(
        NetworkSpec(
            widths=widths,
            activations=tuple(Formula.parse(name, ACTIVATIONS) for name in names),
            loss=Formula.parse(loss, LOSSES),
            reduction=reduction,
            batch_size=batch_size,
            dtype="float64",
            values="normal",
            seed=1,
            biases=(biases,) * len(names),
        )
    )


_ROWS: Final = ("softmax", "log_softmax")


def _name(case: Case, layer: int) -> str:
    return case.spec.activations[layer].name


def _layouts(*, vectors: bool) -> Iterator[Layout]:
    """Every layout, the default first; y as a vector where there is one output."""
    for targets, samples, weights, bias in itertools.product(
        ("matrix", "vector") if vectors else ("matrix",), WORDS["samples"], WORDS["weights"], WORDS["bias"]
    ):
        yield Layout(samples=samples, weights=weights, bias=bias, targets=targets)  # type: ignore[arg-type]  # WORDS are they


def _within(given: Array, wanted: Array, limit: Array) -> bool:
    with np.errstate(all="ignore"):
        return bool((np.abs(np.float64(given) - wanted) <= limit).all())


def _differ(first: Answer, second: Answer) -> bool:
    """Whether two answers are not the same numbers. One that fails differs: it has looked at what was asked."""
    if first.failure or second.failure:
        return first.failure != second.failure
    pairs = zip(
        (*first.weights, *first.biases, first.loss), (*second.weights, *second.biases, second.loss), strict=True
    )
    return any(
        (one is None) != (other is None) or (one is not None and other is not None and one.tobytes() != other.tobytes())
        for one, other in pairs
    )


def _variants(case: Case) -> dict[str, list[Case]]:
    """The same arrays in other networks, by the field that differs; a field with one choice is not asked about."""
    spec = case.spec

    def others(layers: slice, names: Sequence[str]) -> list[Case]:
        found = []
        for name in names:
            activations = list(spec.activations)
            activations[layers] = [Formula.parse(name, ACTIVATIONS)] * len(activations[layers])
            found.append(replace(case, spec=replace(spec, activations=tuple(activations))))
        return found

    variants = {"activations": others(slice(0, -1), ("tanh", "relu"))} if spec.depth > 1 else {}
    if spec.loss.name == "half_squared_error":
        variants["output_activations"] = others(slice(-1, None), ("tanh", "identity"))
        variants["loss"] = [replace(case, spec=replace(spec, loss=Formula.parse("mse", LOSSES)))]
    else:
        variants["output_activations"] = others(slice(-1, None), ("tanh", "relu"))
        variants["loss"] = [replace(case, spec=replace(spec, loss=Formula.parse("multi_margin", LOSSES)))]
    if spec.batch_size > 1:
        variants["reduction"] = [replace(case, spec=replace(spec, reduction="mean"))]
    return variants
