"""The cost or the forward pass: which of them is to blame for a wrong loss with a wrong first delta.

Both rest on a^L, which no gradient shows, so that a wrong a^L explains them, and another cost does as well. But the
forward pass knows neither the loss nor the reduction: where it is right under others, it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backproof.diagnosis.conventions import loss_is_known
from backproof.diagnosis.equations import Charge, Charges
from backproof.diagnosis.evidence import Exhibit


def without_the_forward_pass(read: Charges, exhibits: Sequence[Exhibit]) -> Charges:
    """The charges, with the cost in place of the output layer's forward pass where that is not to blame."""
    if not any(map(_of_the_output, read.least)):
        return read
    if loss_is_known(exhibits):
        # Under another convention the loss is that of the right a^L: another charge, or the same one of the cost.
        rest = tuple(charge for charge in read.least if not _of_the_output(charge))
        least = rest or tuple(map(_of_the_cost, read.least))
        return replace(read, least=least, tested=read.tested | {"BP0"})
    if not _forward_is_right(read, exhibits):
        return read
    least = tuple(_of_the_cost(charge) if _of_the_output(charge) else charge for charge in read.least)
    return replace(read, least=least, tested=read.tested | {"BP0"})


def _of_the_output(charge: Charge) -> bool:
    return "BP0" in charge.equations and charge.position("BP0") == "output"


def _of_the_cost(charge: Charge) -> Charge:
    places = tuple(("loss" if name == "BP0" else name, layer, depth) for name, layer, depth in charge.places)
    return replace(charge, equations=charge.equations - {"BP0"} | {"loss"}, places=places)


def _forward_is_right(read: Charges, exhibits: Sequence[Exhibit]) -> bool:
    """Whether every output activation that is met where something is wrong is right under another loss or reduction.

    The identity is z, made as in every other layer: there it is enough that other layers are right.
    """
    wrong = [exhibit.case.spec for exhibit in exhibits if exhibit.wrong]
    failing = {(spec.activations[-1], spec.loss, spec.reduction) for spec in wrong}
    fewest = min((spec.outputs for spec in wrong), default=1)
    right = {
        spec.activations[-1]
        for spec in (exhibit.case.spec for exhibit in exhibits if not exhibit.wrong)
        if spec.outputs >= fewest and (spec.activations[-1], spec.loss, spec.reduction) not in failing
    }
    if "BP0" in read.tested:
        right |= {spec.activations[-1] for spec in wrong if spec.activations[-1].name == "identity"}
    return bool(wrong) and {activation for activation, _, _ in failing} <= right
