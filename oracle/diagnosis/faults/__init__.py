"""The catalogue of faults: what people get wrong in backpropagation, one file per equation."""

from typing import Final

from backproof.diagnosis.faults.batch import BATCH
from backproof.diagnosis.faults.bias import BP3
from backproof.diagnosis.faults.fault import Fault
from backproof.diagnosis.faults.forward import BP0
from backproof.diagnosis.faults.hidden import BP2
from backproof.diagnosis.faults.loss import LOSS
from backproof.diagnosis.faults.numerics import NUMERICS
from backproof.diagnosis.faults.output import BP1
from backproof.diagnosis.faults.penalty import PENALTY
from backproof.diagnosis.faults.scale import SCALE
from backproof.diagnosis.faults.shape import SHAPE
from backproof.diagnosis.faults.slope import SLOPE
from backproof.diagnosis.faults.state import STATE
from backproof.diagnosis.faults.step import STEP
from backproof.diagnosis.faults.weight import BP4

_CHAPTERS: Final = (BP0, LOSS, BP1, SLOPE, BP2, BP3, BP4, BATCH, SCALE, PENALTY, STEP, STATE, NUMERICS, SHAPE)

FAULTS: Final[tuple[Fault, ...]] = tuple(fault for chapter in _CHAPTERS for fault in chapter.faults)
"""Every fault, in the order of the equations."""

BY_NAME: Final[dict[str, Fault]] = {fault.name: fault for fault in FAULTS}

__all__ = ["BY_NAME", "FAULTS", "Fault"]
