"""The catalogue of faults: what people get wrong in backpropagation, one file per equation."""

from backproof.diagnosis.faults.bias import BP3
from backproof.diagnosis.faults.fault import Fault
from backproof.diagnosis.faults.hidden import BP2
from backproof.diagnosis.faults.output import BP1
from backproof.diagnosis.faults.weight import BP4

FAULTS: tuple[Fault, ...] = tuple(fault for chapter in (BP1, BP2, BP3, BP4) for fault in chapter.faults)
BY_NAME: dict[str, Fault] = {fault.name: fault for fault in FAULTS}

__all__ = ["BY_NAME", "FAULTS", "Fault"]
