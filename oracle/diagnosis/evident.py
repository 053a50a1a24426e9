"""What is plain to see before any formula is looked for: arrays changed, exchanged, all 0 or printed short.

A formula that gives the same numbers by chance is then no answer: cut to whole numbers, a sigmoid is 0 as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backproof.candidates.reading import EXCHANGED
from backproof.diagnosis.evidence import Exhibit, Inquiry
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant
from backproof.diagnosis.mistake import RULES, Diagnosis
from backproof.diagnosis.precision import printed_short

ATTESTED: Final = ("BP0", "loss")
"""What a right loss attests without any gradient."""


def changed(exhibits: Sequence[Exhibit]) -> tuple[Diagnosis, ...]:
    """That the calls change what they are handed, with the names of what; or nothing."""
    names = dict.fromkeys(exhibit.answer.mutated for exhibit in exhibits if exhibit.answer.mutated)
    if not names:
        return ()
    what = ", ".join(names)
    first = next(iter(names))
    return (
        Diagnosis(
            equation="state",
            used=f"the call changes {what}",
            wanted="a call leaves what it is handed as it was",
            why="what is computed after the change, in this call or by whoever called, is another network's",
            hint=f"+=, -=, *= or an assignment into {first}: they change the array itself; a = a + 1 makes a new one",
            subject="what your function is handed",
        ),
    )


def exchanged(exhibits: Sequence[Exhibit]) -> tuple[Diagnosis, ...]:
    """That weight and bias gradients stand in each other's place wherever an answer could not be read; or nothing."""
    failed = [exhibit.answer for exhibit in exhibits if exhibit.answer.failure is not None]
    if not failed or not all(answer.message.startswith(EXCHANGED) for answer in failed):
        return ()
    return (Diagnosis.of(Plant(BY_NAME["weights_and_biases_exchanged"])),)


def zeros(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> tuple[Diagnosis, ...]:
    """That every gradient is 0, or no step changes anything, while no loss is wrong; or nothing."""
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    losses = {check.verdict for exhibit in wrong for check in exhibit.checks if check.quantity == "loss"}
    if not wrong or not all(exhibit.nothing for exhibit in exhibits) or any(verdict.fails for verdict in losses):
        return ()
    if inquiry.learning_rate(wrong[0].case.spec.dtype) is None:
        return (
            Diagnosis(
                equation="BP4",
                used="every gradient is 0",
                wanted="dW and db of every layer, summed over the batch",
                why="zeros never learn: the arrays were made, and not filled in, or others than those were returned",
                hint="dW = [np.zeros_like(W) for W in weights] that nothing is written to; "
                "in a loop dW = ... rebinds a name, dW[l] = ... fills the list",
                subject="all gradients",
            ),
        )
    return (
        Diagnosis(
            equation="step",
            used="W' = W, b' = b: the step changed nothing",
            wanted=RULES["step"],
            why="W = W - ... makes a new array and rebinds a name to it, W -= ... changes the array: "
            "what counts is what is returned, or network.weights and network.biases as they stand",
            hint="for W, dW in zip(...): W = W - learning_rate * dW, or the old arrays returned",
        ),
    )


def attested(equations: Mapping[str, str]) -> dict[str, str]:
    """The state of the equations where every gradient is 0: what holds but by a right loss is not tested."""
    return {
        name: "not_tested" if status == "holds" and name not in ATTESTED else status
        for name, status in equations.items()
    }


def printed(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> tuple[Diagnosis, ...]:
    """That a program printed its numbers with too few digits, and nothing else is wrong with them; or nothing."""
    digits = printed_short(inquiry, exhibits)
    if digits is None:
        return ()
    return (
        Diagnosis(
            equation="numerics",
            used=f"numbers printed with {digits}",
            wanted="numbers printed with 17 significant digits, or 9 in float32: they read back to the same bits",
            why="every number is the right one, rounded to what was printed of it",
            hint='printf("%f", ...), "%g" or std::cout without setprecision: "%.17g" keeps every digit',
        ),
    )
