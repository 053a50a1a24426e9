"""What the lessons on practice claim beside their examples."""

from itertools import pairwise

import numpy as np

from backproof.lessons.library import find
from backproof.truth.autograd import sgd_steps


def test_mazurs_last_number_is_the_mistaken_one():
    """The page's printed error is that of going back through the updated weights."""
    example = find("update_order").example()
    after = {step.wrong: step.text for step in example.steps if step.name == "C after"}
    assert after == {False: "0.291027774", True: "0.291027924"}
    assert after[True] in example.closing


def test_a_tenth_of_h_is_about_a_hundredth_of_the_error():
    """Until rounding takes over."""
    steps = find("finite_differences").example().steps
    right = next(step.value for step in steps if step.name == "dw")
    errors = [abs(step.value - right) for step in steps if step.name.startswith("h = ")]
    assert [np.rint(np.log10(one / two)) for one, two in pairwise(errors[:3])] == [2, 2]
    assert errors[3] > errors[2]


def test_one_step_and_two_steps_end_elsewhere():
    """The example's two results."""
    ends = [step.value for step in find("one_step_or_n_steps").example().steps if step.name == "w"]
    assert (ends[0], ends[-1]) == (0, 0.25)


def test_momentum_is_pytorchs():
    """Two steps of torch.optim.SGD, with it and without."""
    steps = find("momentum").example().steps
    ends = [step.value for step in steps if step.name == "w"]
    case = next(step.case for step in steps if step.case is not None)
    for number, end in enumerate(ends, 1):
        (weight,), _ = sgd_steps(case, number, lr=0.5, momentum=0.5)
        assert weight == [[end]]
    (weight,), _ = sgd_steps(case, 2, lr=0.5)
    assert weight == [[next(step.value for step in steps if step.name == "w without v")]]
