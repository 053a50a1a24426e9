"""What the lessons around the four equations claim beside their examples."""

import numpy as np

from backproof.lessons.library import find
from backproof.lessons.solved import Solved, stated


def test_exp_overflows_at_710():
    """And not at 709; and a float64 has 16 digits, a float32 7."""
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(710.0))
    assert np.isfinite(np.exp(709.0))
    assert np.finfo(np.float64).max > 1e308
    assert np.finfo(np.float32).max > 1e38


def test_the_mistakes_of_a_batch_agree_on_one_sample():
    """As the page of batch says: nothing of it shows with N = 1."""
    net = Solved(stated(weights=[[[3]]], biases=[[1]], x=[[1]], y=[[2]]))
    delta = net.quantity("delta 1")
    assert delta[-1] * net.case.x[-1] == net.quantity("weight 1")[0]
    assert delta.mean() == net.quantity("bias 1")[0]


def test_a_step_goes_down_and_the_mistakes_go_less_far_or_up():
    """C before and after, right and wrong."""
    costs = {(step.name, step.wrong, step.formula): step.value for step in find("step").example().steps}
    before, after = costs["C before", False, ""], costs["C after", False, ""]
    wrong = [value for (name, mistaken, _), value in costs.items() if name == "C after" and mistaken]
    assert after < before
    assert after < min(wrong)
    assert max(wrong) > before
