"""Around the four equations: the batch, the cost and its scale, the penalty, state, numbers, shapes, steps."""

from typing import Any

import numpy as np

from backproof.cases import Case, Penalty
from backproof.lessons.lesson import Example, Lesson, line, worked, wrong
from backproof.lessons.solved import Solved, described, given, stated


def _line_through(x: list[float], y: list[float], penalty: Penalty | None = None) -> Case:
    """One input, one identity output, w = 3 and b = 1."""
    columns: dict[str, Any] = {"x": [[each] for each in x], "y": [[each] for each in y]}
    return stated(weights=[[[3]]], biases=[[1]], **columns, penalty=penalty)


def _batch() -> Example:
    case = _line_through([1, 2], [2, 3])
    net = Solved(case)
    delta, x = net.quantity("delta 1")[:, 0], case.x[:, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("delta", "delta 1", formula="a - y", note="one row a sample"),
            line("dw of sample 0", delta[0] * x[0], formula="delta * x", by=worked("{} * {}", delta[0], x[0])),
            line("dw of sample 1", delta[1] * x[1], formula="delta * x", by=worked("{} * {}", delta[1], x[1])),
            net.step(
                "dw of the batch",
                "weight 1",
                0,
                0,
                formula="sum",
                by=worked("{} + {}", *(delta * x)),
                note="delta.T @ x",
            ),
            net.step(
                "db of the batch", "bias 1", 0, formula="sum", by=worked("{} + {}", *delta), note="delta.sum(axis=0)"
            ),
            wrong("dw", delta[1] * x[1], by=worked("{} * {}", delta[1], x[1]), note="only the last sample was kept"),
            wrong("db", delta.mean(), by=worked("({} + {}) / 2", *delta), note="averaged, while dw is a sum"),
        ),
        closing="With a single sample all of these agree: try your code on two, and on three.",
    )


def _scale() -> Example:
    data: dict[str, Any] = {
        "weights": [[[1], [1]]],
        "biases": [[0, 0]],
        "x": [[1], [2], [3]],
        "y": [[0, 2], [0, 1], [1, 3]],
    }
    first = Solved(stated(**data))
    base, samples, entries = first.quantity("weight 1")[0, 0], 3, 6

    def of(loss: str, reduction: str) -> Solved:
        return Solved(stated(**data, loss=loss, reduction=reduction))

    lines = (
        ("dW of 1/2 sum of e^2", first, None),
        ("dW of 1/2 sum of e^2 / N", of("half_squared_error", "batchmean"), worked("{} / {}", base, samples)),
        ("dW of sum of e^2", of("mse", "sum"), worked("2 * {}", base)),
        ("dW of sum of e^2 / N", of("mse", "batchmean"), worked("2 * {} / {}", base, samples)),
        ("dW of sum of e^2 / (N O)", of("mse", "mean"), worked("2 * {} / {}", base, entries)),
    )
    return Example(
        about="1-2 network: identity; N = 3, O = 2; five costs of the same errors e = a - y, and dW[0, 0] of each",
        given=given(first.case),
        steps=tuple(
            net.step(name, "weight 1", 0, 0, by=by, note=f"{net.case.spec.loss.name}, {net.case.spec.reduction}")
            for name, net, by in lines
        ),
        closing="None of the five is wrong. Wrong is to state one cost and to use the gradient of another.",
    )


def _loss() -> Example:
    x, y, w, b = 2.0, 4.0, 3.0, 1.0
    case = _line_through([x], [y])
    net = Solved(case)

    def cost(weight: float) -> float:
        moved = stated(weights=[[[weight]]], biases=[[b]], x=[[x]], y=[[y]])
        return float(Solved(moved).quantity("loss"))

    up, down = cost(w + 1), cost(w - 1)
    squared = "({} * {} + {} - {})**2 / 2"
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("C at w = 3", "loss", by=worked(squared, w, x, b, y)),
            line("C at w = 4", up, by=worked(squared, w + 1, x, b, y)),
            line("C at w = 2", down, by=worked(squared, w - 1, x, b, y)),
            line("slope of C", (up - down) / 2, formula="(C at 4 - C at 2) / 2", by=worked("({} - {}) / 2", up, down)),
            net.step("dw", "weight 1", 0, 0, formula="(a - y) x", by=worked("({} * {} + {} - {}) * {}", w, x, b, y, x)),
            wrong(
                "slope of C",
                up - down,
                formula="if C is (a - y)^2",
                by=worked("(2 * {} - 2 * {}) / 2", up, down),
                note="dw is half of it",
            ),
        ),
        closing="C is a parabola in w; for a parabola this slope is exact, whatever h is. Here h = 1.",
    )


def _penalty() -> Example:
    case = _line_through([2], [5], penalty=Penalty(0, 4, False, "nothing"))
    net, bare = Solved(case), Solved(_line_through([2], [5]))
    w, b, l2 = 3, 1, 4
    dw, db = bare.quantity("weight 1")[0, 0], bare.quantity("bias 1")[0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            bare.step("C without it", "loss", formula="1/2 (a - y)^2"),
            net.step(
                "C", "loss", formula="that + l2/2 w^2", by=worked("{} + {} / 2 * {}**2", bare.quantity("loss"), l2, w)
            ),
            bare.step("dw without it", "weight 1", 0, 0, formula="delta x"),
            net.step("dw", "weight 1", 0, 0, formula="that + l2 w", by=worked("{} + {} * {}", dw, l2, w)),
            net.step("db", "bias 1", 0, formula="delta", note="the bias is not charged"),
            wrong(
                "dw",
                dw,
                by=worked("{} * {}", bare.quantity("delta 1")[0, 0], 2),
                note="in the loss, but not in the gradient",
            ),
            wrong(
                "dw", dw - l2 * w, by=worked("{} - {} * {}", dw, l2, w), note="the sign: weights are driven away from 0"
            ),
            wrong(
                "dw",
                dw + 2 * l2 * w,
                by=worked("{} + 2 * {} * {}", dw, l2, w),
                note="right if C has l2 w^2, without the 1/2",
            ),
            wrong("db", db + l2 * b, by=worked("{} + {} * {}", db, l2, b), note="the bias was charged too"),
        ),
    )


def _state() -> Example:
    case = _line_through([2], [5])
    net = Solved(case)
    dw = net.quantity("weight 1")[0, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("dw, 1st call", "weight 1", 0, 0),
            Solved(case).step("dw, 2nd call", "weight 1", 0, 0, note="nothing has changed, so neither has dw"),
            wrong("dw, 2nd call", dw + dw, by=worked("{} + {}", dw, dw), note="self.dW += ... was not set back to 0"),
            wrong("dw, 3rd call", dw + dw + dw, by=worked("{} + {} + {}", dw, dw, dw)),
        ),
        closing="PyTorch adds to .grad on purpose, and wants zero_grad() between two steps.",
    )


def _numerics() -> Example:
    case = stated(
        weights=[[[1000], [0]]],
        biases=[[0, 0]],
        x=[[1]],
        y=[[0, 1]],
        activations="softmax",
        loss="linear",
    )
    net = Solved(case)
    z = net.quantity("z 1")[0]
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.exp(z)
        naive = powers / powers.sum()
    shifted = np.exp(z - z.max())
    whole = np.array([1, 2])
    whole[:] = whole * 0.5
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("z", "z 1", 0),
            wrong(
                "e^z", powers, by=worked("[exp({}), exp({})]", *z), note="e^710 and above is more than float64 can hold"
            ),
            wrong(
                "a",
                naive,
                formula="e^z / its sum",
                by=worked("[{} / ({} + {}), {} / ({} + {})]", powers[0], *powers, powers[1], *powers),
            ),
            line(
                "e^(z - max)",
                shifted,
                by=worked("[exp({} - {}), exp({} - {})]", z[0], z[0], z[1], z[0]),
                note="max = 1000",
            ),
            net.step(
                "a",
                "a 1",
                0,
                formula="that / its sum",
                by=worked("[{} / ({} + {}), {} / ({} + {})]", shifted[0], *shifted, shifted[1], *shifted),
            ),
            wrong(
                "W",
                whole,
                by=worked("[int(0.5 * {}), int(0.5 * {})]", 1, 2),
                note="W = np.array([1, 2]); W[:] = 0.5 * W",
            ),
        ),
        closing="The same for log: take log softmax(z) = z - max - log(sum of e^(z - max)), never the log of a "
        "rounded 0.",
    )


def _shape() -> Example:
    case = stated(weights=[[[1]]], biases=[[0]], x=[[1], [2]], y=[[1], [4]])
    net = Solved(case)
    a, flat = net.quantity("a 1"), case.y[:, 0]
    table = a - flat
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("a", "a 1", note="a column: (N, 1)"),
            net.step("a - y", "delta 1", by=worked("[[{} - {}], [{} - {}]]", a[0, 0], flat[0], a[1, 0], flat[1])),
            net.step("db", "bias 1", 0, by=worked("{} + {}", *net.quantity("delta 1")[:, 0])),
            net.step("C", "loss", by=worked("({}**2 + {}**2) / 2", *net.quantity("delta 1")[:, 0])),
            wrong(
                "a - y",
                table,
                by=worked(
                    "[[{} - {}, {} - {}], [{} - {}, {} - {}]]",
                    *(a[0, 0], flat[0], a[0, 0], flat[1]),
                    *(a[1, 0], flat[0], a[1, 0], flat[1]),
                ),
                note="y was a vector: (N,)",
            ),
            wrong(
                "db",
                table.sum(axis=0),
                by=worked("[{} + {}, {} + {}]", table[0, 0], table[1, 0], table[0, 1], table[1, 1]),
                note="two numbers for one bias",
            ),
            wrong("C", np.square(table).sum() / 2, by=worked("({}**2 + {}**2 + {}**2 + {}**2) / 2", *table.ravel())),
        ),
        closing="NumPy stretches sizes of 1 without a word. Assert the shapes: x (N, I), z, a, delta and y (N, O), W "
        "and dW (O, I), b and db (O,).",
    )


def _step() -> Example:
    rate = 0.125
    case = _line_through([2], [5])
    net = Solved(case)
    w, b, dw, db = 3.0, 1.0, net.quantity("weight 1")[0, 0], net.quantity("bias 1")[0]

    def after(weight: float, bias: float) -> Solved:
        return Solved(stated(weights=[[[weight]]], biases=[[bias]], x=[[2]], y=[[5]]))

    down, up = after(w - rate * dw, b - rate * db), after(w + rate * dw, b + rate * db)
    held = after(w - rate * dw, b)
    return Example(
        about=f"{described(case)}; learning rate {rate}",
        given=given(case),
        steps=(
            net.step("C before", "loss"),
            net.step("dw", "weight 1", 0, 0),
            net.step("db", "bias 1", 0),
            line("w", w - rate * dw, formula="w - rate * dw", by=worked("{} - {} * {}", w, rate, dw)),
            line("b", b - rate * db, formula="b - rate * db", by=worked("{} - {} * {}", b, rate, db)),
            down.step("C after", "loss", note="smaller"),
            up.step("C after", "loss", formula="w + rate * dw, b + rate * db", note="uphill", wrong=True),
            held.step("C after", "loss", formula="with b as it was", note="b was never stepped", wrong=True),
        ),
    )


LESSONS = (
    Lesson(
        name="batch",
        group="batches and training",
        question="What changes when there are several samples?",
        rule="gradient of the batch = sum of the samples' gradients\nfor a mean: that sum, divided by what the mean "
        "divides by",
        why="C of a batch is the sum of its samples' losses, and the slope of a sum is the sum of the slopes. The four "
        "equations hold sample by sample; only dW and db are added up, since the samples share W and b.",
        mistake="Only the last sample counts, because = stands where += should; one of dW and db is averaged and the "
        "other summed; the deltas are added before they are multiplied with their own sample's inputs.",
        example=_batch,
        see=("axis_0", "sum", "mean", "one_step_or_n_steps"),
    ),
    Lesson(
        name="scale",
        group="batches and training",
        question="Why are all my gradients off by the same factor?",
        rule="dW and db are the gradient of the very C that you state: each constant in C is in them",
        why="The 1/2 before a square cancels the 2 of its slope. A mean divides by N, by N O or by something else. "
        "Take the quotient yours / right: the same number everywhere means a constant, and its value says which.",
        mistake="The factor 2 of the square is lost, or the mean is forgotten, taken twice, or taken over N where the "
        "loss takes it over N O.",
        example=_scale,
        see=("mean", "sum_or_mean", "factor_two", "loss"),
    ),
    Lesson(
        name="loss",
        group="batches and training",
        question="Must the loss that I print fit the gradient that I use?",
        rule="dW is the slope of C: move w up by h and down by h, then dw = (C up - C down) / 2h",
        why="Nothing else defines a gradient. So anybody can hold the two against each other without knowing your "
        "code: change one weight and see what C does.",
        mistake="C is printed as a mean of squares, but the gradient is a - y, which belongs to 1/2 (a - y)^2 and to a "
        "sum. Training still works, with another learning rate than you think.",
        example=_loss,
        see=("scale", "finite_differences", "factor_two"),
    ),
    Lesson(
        name="penalty",
        group="batches and training",
        question="What does weight decay add?",
        rule="C + l2/2 * (sum of w^2) adds l2 * w to dw;   C + l1 * (sum of |w|) adds l1 * sign(w)",
        why="The penalty is a part of C, so its slope is a part of the gradient. It depends on no sample: it is added "
        "once, not once a sample, and a mean over the batch divides it only if you say so.",
        mistake="It is added to the loss alone, or to the gradient alone; it pulls on the biases too; its sign is "
        "turned; its factor 2 or its 1/N is not the one in C.",
        example=_penalty,
        see=("scale", "step"),
    ),
    Lesson(
        name="state",
        group="batches and training",
        question="Why does a second call give other numbers than the first?",
        rule="the same weights and the same data give the same gradients, call after call",
        why="A gradient belongs to the point where you stand. What differs at the second call was left behind by the "
        "first: a sum that was not set back to 0, or arrays of the caller that were changed in place.",
        mistake="Gradients are kept on the object and added to; x, W or delta is overwritten by *= or -=; the result "
        "is a buffer that the next call fills anew.",
        example=_state,
        see=("step", "batch"),
    ),
    Lesson(
        name="numerics",
        group="batches and training",
        question="The formula is right: why inf, nan, 0 or too few digits?",
        rule="subtract the maximum before exp; take log softmax whole; compute in float64; keep no weights in integers",
        why="A computer's numbers end at about 1e308 and have 16 digits (float32: 1e38 and 7). A formula can be right "
        "on paper and pass through a number that does not fit.",
        mistake="exp(z) / exp(z).sum() as it stands; log(1 - a) where a has been rounded to 1; arrays of integers or "
        "of float32 on the way.",
        example=_numerics,
        see=("softmax", "cross_entropy"),
    ),
    Lesson(
        name="shape",
        group="batches and training",
        question="Nothing complains about shapes: can they still be wrong?",
        rule="x (N, I);   z, a, delta, y (N, O);   W, dW (O, I);   b, db (O,)",
        why="Subtracting (N,) from (N, 1) is legal in NumPy and gives (N, N): a size of 1 is stretched to fit. And "
        "where N = O or I = O, a transposed array fits as well as the right one.",
        mistake="y comes as a vector (N,) and meets outputs (N, 1); dW has the shape of W transposed; weights and "
        "biases are returned in each other's place.",
        example=_shape,
        see=("axis_0", "transpose"),
    ),
    Lesson(
        name="step",
        group="batches and training",
        question="What is one training step?",
        rule="w <- w - rate * dw and b <- b - rate * db, once every dw and db is known",
        why="The gradient points to where C grows; the step goes the other way. All gradients belong to the same "
        "point, so none may be computed from weights that have moved already.",
        mistake="The sign is turned; biases are never stepped; the rate is multiplied in twice; the upper layer is "
        "stepped before the lower one has used its weights.",
        example=_step,
        see=("update_order", "one_step_or_n_steps", "sum_or_mean"),
    ),
)
