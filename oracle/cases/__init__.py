"""Networks to try: what they may be made of, their specs, their arrays, domains of them, and samples of domains.

Nothing of ours lies below; NumPy is the only import.
"""

from backproof.cases.case import Case, build_case
from backproof.cases.catalogue import ACTIVATIONS, DTYPES, LOSSES, REDUCTIONS, ActivationEntry, LossEntry, Parameter
from backproof.cases.direction import Direction, draw_direction
from backproof.cases.domain import Choose, Domain, DomainError, build_spec
from backproof.cases.formula import Formula, accepts, expected_output, target_kind
from backproof.cases.gradients import Array, Gradients
from backproof.cases.sampling import Coverage, EvenSampler, sample_specs
from backproof.cases.spec import NetworkSpec, Penalty, SpecError
from backproof.cases.spelling import Value

__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "LOSSES",
    "REDUCTIONS",
    "ActivationEntry",
    "Array",
    "Case",
    "Choose",
    "Coverage",
    "Direction",
    "Domain",
    "DomainError",
    "EvenSampler",
    "Formula",
    "Gradients",
    "LossEntry",
    "NetworkSpec",
    "Parameter",
    "Penalty",
    "SpecError",
    "Value",
    "accepts",
    "build_case",
    "build_spec",
    "draw_direction",
    "expected_output",
    "sample_specs",
    "target_kind",
]
