"""A lesson for each fault of the catalogue, made from its record and from what it computes."""

from functools import partial

from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.fault import Fault
from backproof.lessons.contrasts import contrasted
from backproof.lessons.lesson import Lesson

# What a fault's name speaks of -> the question that is about it.
_ABOUT = {
    "bias_summed": "axis_0",
    "bias_zero": "constant_bias",
    "bias_times": "bias",
    "untransposed": "transpose",
    "transposed": "transpose",
    "updated_weights": "update_order",
    "softmax": "softmax",
    "cross_entropy": "cross_entropy",
    "derivative_at": "sigmoid_slope",
    "derivative_twice": "cross_entropy",
    "derivative_missing": "cross_entropy",
    "layer": "layer_index",
    "each_sample": "one_step_or_n_steps",
    "penalty": "penalty",
    "doubled": "factor_two",
    "halved": "factor_two",
}


def lesson(fault: Fault) -> Lesson:
    """Wrong and right formula, why, what to look for, and the numbers of both."""
    also = [name for part, name in _ABOUT.items() if part in fault.name]
    return Lesson(
        name=fault.name,
        group="faults",
        chapter=fault.equation,
        question=fault.used,
        rule=fault.wanted,
        why=fault.why,
        mistake=fault.used,
        hint=fault.hint,
        example=partial(contrasted, fault),
        see=tuple(dict.fromkeys([fault.equation, *also])),
    )


LESSONS: tuple[Lesson, ...] = tuple(lesson(fault) for fault in FAULTS)
