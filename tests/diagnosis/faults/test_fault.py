"""A fault overrides one step of backpropagation, and its record says so."""

import inspect

import pytest

from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.fault import STEPS, Chapter
from backproof.scratch import Backprop


def test_steps_are_the_methods_of_backprop():
    """No step is left out, and none is made up."""
    assert set(STEPS) == {name for name, _ in inspect.getmembers(Backprop, inspect.isfunction)}


def test_a_chapter_enters_what_is_said_and_finds_the_step():
    """The decorator returns the class as it is; the step comes from the class, the right formula from the chapter."""
    chapter = Chapter("BP3", wanted="the sum")

    @chapter.fault("bias_missing", used="nothing", why="because", hint="pass", family="bias", only_steps=True)
    class Missing(Backprop):
        def bias_gradient(self, delta, layer):
            return 0 * delta

    (fault,) = chapter.faults
    assert (fault.name, fault.equation, fault.step, fault.backprop) == (
        "bias_missing",
        "BP3",
        "bias_gradient",
        Missing,
    )
    assert (fault.used, fault.wanted, fault.why, fault.hint) == ("nothing", "the sum", "because", "pass")
    assert (fault.family, fault.only_steps, fault.dtype) == ("bias", True, None)


class Harmless(Backprop):
    """It overrides nothing."""


class Twice(Backprop):
    """It overrides two steps."""

    def bias_gradient(self, delta, layer):
        return delta

    def weight_gradient(self, delta, layer):
        return delta


@pytest.mark.parametrize(
    ("backprop", "overridden"), [(Harmless, "[]"), (Twice, "['bias_gradient', 'weight_gradient']")], ids=["none", "two"]
)
def test_a_fault_in_no_step_or_in_two_is_refused(backprop, overridden):
    """One fault, one step: else it could not be said which equation is wrong."""
    with pytest.raises(TypeError) as raised:
        Chapter("BP3", wanted="").fault("muddle", used="", why="", hint="")(backprop)
    assert str(raised.value) == f"fault 'muddle' must override one step of Backprop; it overrides {overridden}"


def test_a_fault_builds_on_the_right_result_or_replaces_it():
    """What starts from super() leaves room for another fault of the same step inside."""
    assert BY_NAME["bias_doubled"].builds
    assert not BY_NAME["bias_zero"].builds
