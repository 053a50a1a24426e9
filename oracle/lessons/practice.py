"""Questions about training and checking: sum or mean, the factor 2, when to step, and how to check by hand."""

from typing import Any

import numpy as np

from backproof.cases import Case
from backproof.lessons.lesson import Example, Lesson, line, worked, wrong
from backproof.lessons.solved import Solved, described, given, network_of, stated
from backproof.scratch import SGD


def _sum_or_mean() -> Example:
    def case(reduction: str) -> Case:
        return stated(weights=[[[3]]], biases=[[0]], x=[[1], [2]], y=[[1], [2]], reduction=reduction)

    net, mean = Solved(case("sum")), Solved(case("mean"))
    dw, averaged = net.quantity("weight 1")[0, 0], mean.quantity("weight 1")[0, 0]
    step = "{} - {} * {}"
    return Example(
        about="1-1 network: identity; C = 1/2 (a - y)^2, as sum and as mean; N = 2",
        given=given(net.case),
        steps=(
            net.step("dw of sum", "weight 1", 0, 0),
            mean.step("dw of mean", "weight 1", 0, 0, formula="dw of sum / N", by=worked("{} / {}", dw, 2)),
            line("w after a step", 3 - 0.1 * dw, formula="sum, rate 0.1", by=worked(step, 3, 0.1, dw)),
            line(
                "w after a step",
                3 - 0.2 * averaged,
                formula="mean, rate 0.2",
                by=worked(step, 3, 0.2, averaged),
                note="the same step",
            ),
            line(
                "w after a step",
                3 - 0.1 * averaged,
                formula="mean, rate 0.1",
                by=worked(step, 3, 0.1, averaged),
                note="half of it",
            ),
            wrong(
                "dw",
                averaged / 2,
                formula="dw of mean / N",
                by=worked("{} / {}", averaged, 2),
                note="divided in C, and again in dW",
            ),
        ),
        closing="Neither is more right. Choose one, say which, and divide in one place only: in dC/da, where C "
        "divides.",
    )


def _factor_two() -> Example:
    def case(loss: str) -> Case:
        return stated(weights=[[[2]]], biases=[[0]], x=[[3]], y=[[1]], loss=loss)

    net, half = Solved(case("mse")), Solved(case("half_squared_error"))
    a, x, y = net.quantity("a 1")[0, 0], 3, 1
    return Example(
        about="1-1 network: identity; N = 1; two costs of the same error",
        given=given(net.case),
        steps=(
            net.step("C, mse", "loss", formula="(a - y)^2", by=worked("({} - {})**2", a, y)),
            net.step("dC/da, mse", "dC/da", 0, 0, formula="2 (a - y)", by=worked("2 * ({} - {})", a, y)),
            net.step(
                "dw, mse", "weight 1", 0, 0, formula="dC/da x", by=worked("{} * {}", net.quantity("dC/da")[0, 0], x)
            ),
            half.step("C, half", "loss", formula="1/2 (a - y)^2", by=worked("({} - {})**2 / 2", a, y)),
            half.step("dC/da, half", "dC/da", 0, 0, formula="a - y", by=worked("{} - {}", a, y)),
            half.step(
                "dw, half", "weight 1", 0, 0, formula="dC/da x", by=worked("{} * {}", half.quantity("dC/da")[0, 0], x)
            ),
            wrong(
                "dw, mse", (a - y) * x, formula="(a - y) x", by=worked("({} - {}) * {}", a, y, x), note="the 2 was lost"
            ),
        ),
        closing="PyTorch's MSELoss is the first, over N O. Nielsen's quadratic cost is the second, over N.",
    )


def _one_step() -> Example:
    def at(weight: float, samples: int) -> Solved:
        return Solved(stated(weights=[[[weight]]], biases=[None], x=[[1]] * samples, y=[[0]] * samples))

    rate, whole, first = 0.5, at(1, 2), at(1, 1)
    dw, dw1 = whole.quantity("weight 1")[0, 0], first.quantity("weight 1")[0, 0]
    between = 1 - rate * dw1
    second = at(between, 1)
    dw2 = second.quantity("weight 1")[0, 0]
    step = "{} - {} * {}"
    return Example(
        about="1-1 network: identity, no bias; C = 1/2 (a - y)^2, reduction sum; N = 2 equal samples; rate 0.5",
        given=given(whole.case),
        steps=(
            whole.step("dw of both", "weight 1", 0, 0, formula="a x + a x", by=worked("{} * {} + {} * {}", 1, 1, 1, 1)),
            line("w", 1 - rate * dw, formula="one step on the sum", by=worked(step, 1, rate, dw)),
            first.step("dw of the first", "weight 1", 0, 0, formula="a x", by=worked("{} * {}", 1, 1)),
            line("w", between, formula="a step on the first", by=worked(step, 1, rate, dw1)),
            second.step(
                "dw of the second",
                "weight 1",
                0,
                0,
                formula="a x",
                by=worked("{} * {}", between, 1),
                note="taken at the new w",
            ),
            line("w", between - rate * dw2, formula="a step on the second", by=worked(step, between, rate, dw2)),
        ),
        closing="Both ways train. But a test of the gradient compares one step; and the smaller the rate, the closer "
        "they are: the difference shrinks with its square.",
    )


# Matt Mazur, "A Step by Step Backpropagation Example", 2015: two sigmoid layers, learning rate 0.5, biases left alone.
_MAZUR_W = ([[0.15, 0.20], [0.25, 0.30]], [[0.40, 0.45], [0.50, 0.55]])


def _mazur(weights: tuple[object, object]) -> Solved:
    return Solved(
        stated(
            weights=list(weights),
            biases=[[0.35, 0.35], [0.60, 0.60]],
            x=[[0.05, 0.10]],
            y=[[0.01, 0.99]],
            activations="sigmoid-sigmoid",
        )
    )


def _update_order() -> Example:
    start = _mazur(_MAZUR_W)
    first, second = (np.array(weight) for weight in _MAZUR_W)
    d2, slope = start.quantity("delta 2")[0], start.quantity("slope 1")[0]
    dW2 = start.quantity("weight 2")
    new_second = second - 0.5 * dW2
    new = new_second[:, 0]
    mistaken = (d2 @ new_second) * slope
    new_first = first - 0.5 * start.quantity("weight 1")
    mistaken_first = first - 0.5 * np.outer(mistaken, start.case.x[0])
    right, late = _mazur((new_first, new_second)), _mazur((mistaken_first, new_second))
    back = "({} * {} + {} * {}) * {}"
    return Example(
        about="Mazur's published example: 2-2-2 network: sigmoid, sigmoid; C = 1/2 (a - y)^2; rate 0.5; biases are "
        "kept",
        given=given(start.case),
        steps=(
            start.step("C before", "loss", digits=9),
            start.step("delta2", "delta 2", 0),
            line("W2[0, 0]", new[0], formula="W2 - rate * dW2", by=worked("{} - 0.5 * {}", second[0, 0], dW2[0, 0])),
            line("W2[1, 0]", new[1], formula="W2 - rate * dW2", by=worked("{} - 0.5 * {}", second[1, 0], dW2[1, 0])),
            start.step(
                "delta1[0]",
                "delta 1",
                0,
                0,
                formula="through old W2",
                by=worked(back, second[0, 0], d2[0], second[1, 0], d2[1], slope[0]),
            ),
            wrong(
                "delta1[0]",
                mistaken[0],
                formula="through new W2",
                by=worked(back, new[0], d2[0], new[1], d2[1], slope[0]),
            ),
            right.step("C after", "loss", digits=9, note="delta1 through the old W2"),
            late.step("C after", "loss", digits=9, note="delta1 through the new W2", wrong=True),
        ),
        closing="The page explains the right way, and the number it ends with, 0.291027924, is the other one's.",
    )


def _finite_differences() -> Example:
    def at(weight: float) -> Solved:
        return Solved(stated(weights=[[[weight]]], biases=[[0]], x=[[1]], y=[[0]], activations="sigmoid"))

    here = at(1)
    dw = here.quantity("weight 1")[0, 0]
    cost = "(1 / (1 + exp(-{})))**2 / 2"
    rows = []
    for h in (1.0, 0.1, 0.01, 1e-13):
        up, down = at(1 + h).quantity("loss"), at(1 - h).quantity("loss")
        slope = (up - down) / (2 * h)
        rows.append(
            line(
                f"h = {h:g}",
                slope,
                by=worked("({} - {}) / (2 * {})", up, down, h),
                note=f"off by {abs(slope - dw):.0e}",
                digits=7,
            )
        )
    return Example(
        about=described(here.case),
        given=given(here.case),
        steps=(
            here.step("C", "loss", formula="sigmoid(w)^2 / 2", by=worked(cost, 1)),
            here.step("dw", "weight 1", 0, 0, formula="a * a (1 - a)", note="by the four equations", digits=7),
            *rows,
        ),
        closing="A tenth of h, about a hundredth of the error; but where h is so small that C(w + h) and C(w - h) "
        "agree in nearly all digits, what is left is rounding. So a finite difference never proves the last digits.",
    )


def _momentum() -> Example:
    case = stated(weights=[[[3]]], biases=[None], x=[[1]], y=[[0]])
    rate, kept, (w,) = 0.5, 0.5, case.weights[0][0]

    def after(steps: int, momentum: float) -> float:
        network = network_of(case)
        optimizer = SGD(network, learning_rate=rate, momentum=momentum)
        for _ in range(steps):
            optimizer.step_in_place(network.gradients(case.x, case.y))
        return float(network.weights[0][0, 0])

    first, second, plain = after(1, kept), after(2, kept), after(2, 0)
    dw = Solved(stated(weights=[[[first]]], biases=[None], x=[[1]], y=[[0]]))
    slope = dw.quantity("weight 1")[0, 0]
    step = "{} - {} * {}"
    return Example(
        about="1-1 network: identity, no bias; C = 1/2 (a - y)^2; N = 1; rate 0.5, momentum 0.5",
        given=given(case),
        steps=(
            Solved(case).step("dw", "weight 1", 0, 0, formula="w", note="at the first w"),
            line("v", w, formula="dw", by=worked("{}", w), note="the first v is dw itself"),
            line("w", first, formula="w - rate * v", by=worked(step, w, rate, w)),
            dw.step("dw", "weight 1", 0, 0, formula="w", note="at the new w"),
            line("v", kept * w + slope, formula="momentum * v + dw", by=worked("{} * {} + {}", kept, w, slope)),
            line("w", second, formula="w - rate * v", by=worked(step, first, rate, kept * w + slope)),
            line("w without v", plain, formula="w - rate * dw", by=worked(step, first, rate, slope)),
            wrong("v", kept * w, formula="momentum * v", by=worked("{} * {}", kept, w), note="dw was left out"),
        ),
        closing="After a first step all looks like plain SGD: compare two. And a gradient read off a step with "
        "momentum, (w - new w) / rate, is v and not dw.",
    )


def _one_hot() -> Example:
    network: dict[str, Any] = {"weights": [[[0], [0], [0], [0]]], "biases": [[0, 0, 0, 0]], "x": [[1]]}
    index = Solved(stated(**network, y=[2], loss="cross_entropy"))
    hot = Solved(
        stated(**network, y=[[0, 0, 1, 0]], activations="softmax", loss="categorical_cross_entropy"),
    )
    shifted = Solved(stated(**network, y=[1], loss="cross_entropy"))
    a = hot.quantity("a 1")[0]
    return Example(
        about="1-4 network: z = 0 for each of four classes; cross entropy; the sample belongs to class 2",
        given=(("classes", "0, 1, 2, 3"), ("y", "2, or one-hot [0, 0, 1, 0]")),
        steps=(
            hot.step("a", "a 1", 0, formula="softmax(z)", by=worked("[{} / 4, {} / 4, {} / 4, {} / 4]", 1, 1, 1, 1)),
            hot.step("delta", "delta 1", 0, formula="a - one-hot y", by=worked("[{}, {}, {} - 1, {}]", *a)),
            index.step("delta", "delta 1", 0, formula="from y = 2", note="PyTorch's cross_entropy takes the index"),
            wrong("delta[0]", a[0] - 2, formula="a[0] - 2", by=worked("{} - 2", a[0]), note="and so on"),
            shifted.step("delta", "delta 1", 0, formula="from y = 1", note="labels off by one", wrong=True),
        ),
    )


LESSONS = (
    Lesson(
        name="sum_or_mean",
        group="questions",
        question="Sum or mean, and over what? Which one is right?",
        rule="gradient of the mean = gradient of the sum / divisor;   rate for the mean = rate for the sum * divisor",
        why="They are two costs with the same minimum, one a constant times the other. A mean makes the rate "
        "independent of the batch size; a sum keeps the equations free of N. Over samples always, never over a "
        "layer's neurons.",
        mistake="The division is done twice, or in dW and not in db; a rate found for one is used with the other.",
        example=_sum_or_mean,
        see=("sum", "mean", "batchmean", "scale"),
    ),
    Lesson(
        name="factor_two",
        group="questions",
        question="2 (a - y) or a - y: where does the 2 go?",
        rule="C = (a - y)^2 has the slope 2 (a - y);   C = 1/2 (a - y)^2 has the slope a - y",
        why="The 1/2 is put into C so that the 2 from the square goes away. Nothing else depends on it but the "
        "learning rate. Only the two must not be mixed.",
        mistake="C without the 1/2 is printed, and a - y is used.",
        example=_factor_two,
        see=("scale", "loss", "mean"),
    ),
    Lesson(
        name="one_step_or_n_steps",
        group="questions",
        question="Is one step on a batch the same as a step for each sample?",
        rule="batch: all gradients at the same w, added, then one step;   one by one: each at the w of the step before",
        why="After the first step w has moved, so the second sample's gradient is taken somewhere else. Summing "
        "gradients is exact only if w stands still meanwhile.",
        mistake="W -= rate * dW inside the loop over samples, where the gradient of the batch was asked for.",
        example=_one_step,
        see=("batch", "step", "update_order"),
    ),
    Lesson(
        name="momentum",
        group="questions",
        question="What does momentum do, and is v the gradient?",
        rule="v <- momentum * v + dw;   w <- w - rate * v   (PyTorch's SGD; the first v is dw)",
        why="v remembers earlier slopes, so that steps in one direction add up and those to and fro cancel. dw is "
        "still the slope of C; v is where the step goes.",
        mistake="v begins as 0 in a mean, 0.9 v + 0.1 dw, which makes the first steps ten times smaller; v is "
        "forgotten between calls, or kept where plain SGD is meant.",
        example=_momentum,
        see=("step", "state"),
    ),
    Lesson(
        name="one_hot",
        group="questions",
        question="Class index or one-hot: what is y in a - y?",
        rule="delta = a - one-hot y: 1 at the sample's class, 0 elsewhere; classes count from 0",
        why="a has a number for each class, so y must have one too. An index is only short for it: the number 2 is not "
        "the amount that any output should have.",
        mistake="The index is subtracted from every output; labels count from 1; argmax a stands where a belongs.",
        example=_one_hot,
        see=("cross_entropy", "softmax", "shape"),
    ),
    Lesson(
        name="update_order",
        group="questions",
        question="May W of a layer be stepped before the delta below it is computed?",
        rule="first all deltas with the W of the forward pass, then all steps",
        why="The gradient is the slope of C at the weights with which C was computed. A delta that came back through a "
        "newer W is no slope of C anywhere.",
        mistake="Step and way back share one loop: W2 is stepped, then delta1 is computed with it.",
        example=_update_order,
        see=("BP2", "step"),
    ),
    Lesson(
        name="finite_differences",
        group="questions",
        question="How can I check a gradient without backpropagation?",
        rule="dw is about (C(w + h) - C(w - h)) / 2h, for one w at a time",
        why="This is what slope means, and it uses the forward pass alone. It costs two forward passes for each "
        "weight, and it is never exact: h too large bends the line, h too small drowns in rounding.",
        mistake="(C(w + h) - C(w)) / h, which is much less exact; a tiny h; a tolerance so wide that mistakes fit in.",
        example=_finite_differences,
        see=("loss", "kink", "numerics"),
    ),
)
