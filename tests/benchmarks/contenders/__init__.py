"""Every contender, task by task: one record each. The first of a task is the one that is being measured."""

from __future__ import annotations

from typing import Final

from benchmarks.contenders import by_hand, hips_autograd, jax_jitted, my_grad, pytorch, scikit_learn
from benchmarks.contenders.contender import TASKS, Contender, Found, Task

__all__ = ["CONTENDERS", "TASKS", "Contender", "Found", "Task", "of_task"]

CONTENDERS: Final = (
    by_hand.SCRATCH,
    pytorch.EAGER,
    pytorch.COMPILED,
    scikit_learn.BACKPROP,
    my_grad.TENSORS,
    hips_autograd.VALUE_AND_GRAD,
    jax_jitted.VALUE_AND_GRAD,
    by_hand.FLOOR,
    by_hand.PER_SAMPLE,
    pytorch.PER_SAMPLE,
    by_hand.DIFFERENTIAL,
    pytorch.JVP,
)


def of_task(task: Task) -> list[Contender]:
    """The contenders of one task, in the order of the table."""
    return [contender for contender in CONTENDERS if contender.task == task]
