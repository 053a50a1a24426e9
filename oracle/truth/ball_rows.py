"""What the losses in ball arithmetic are made of: one sample's outputs, and the two kinds of losses over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import arb

from backproof.cases.case import Case
from backproof.truth.ball_ties import Pair
from backproof.truth.balls import ONE, Array, balls, total


@dataclass(frozen=True, slots=True)
class Outputs:
    """One sample's a, shape (O,), and 1 - a in a form without cancellation where the loss takes probabilities."""

    a: Sequence[arb]
    complement: Sequence[arb]


Row = Callable[[int, Outputs], tuple[list[arb], list[arb]]]
Entry = Callable[[arb, arb], Pair]


def targets_of(case: Case) -> list[list[arb]]:
    """y (N, O) as exact balls, row by row."""
    return [balls(row) for row in case.y]


def class_weights(case: Case, name: str = "weight") -> list[arb]:
    """Class weights or pos_weight, shape (O,); ones where the loss has none."""
    weight: Array | None = case.loss_options[name]
    return [ONE] * case.spec.widths[-1] if weight is None else balls(weight)


def elementwise(case: Case, entry: Entry) -> Row:
    """The loss whose entries are entry(a, y) -> (loss, slope by a)."""
    targets = targets_of(case)

    def row(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        pairs = [entry(a, y) for a, y in zip(outputs.a, targets[n], strict=True)]
        return [value for value, _ in pairs], [slope for _, slope in pairs]

    return row


def summed_over_outputs(row: Row) -> Row:
    """The per-sample loss that adds up an elementwise one over its outputs."""

    def summed(n: int, outputs: Outputs) -> tuple[list[arb], list[arb]]:
        losses, gradient = row(n, outputs)
        return [total(losses)], gradient

    return summed
