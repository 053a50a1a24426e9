"""Questions about delta: whose it is, what it is for, what is summed over what, and how it travels."""

import numpy as np

from backproof.lessons.lesson import Example, Lesson, line, worked, wrong
from backproof.lessons.solved import Solved, described, given, stated


def _own_delta() -> Example:
    def at(bias: float) -> Solved:
        return Solved(stated(weights=[[[1], [1], [2]]], biases=[[bias, 0, 0]], x=[[2]], y=[[1, 0, 7]]))

    net, up, down = at(0), at(1), at(-1)
    delta, high, low = net.quantity("delta 1")[0], up.quantity("loss"), down.quantity("loss")
    return Example(
        about=described(net.case),
        given=given(net.case),
        steps=(
            net.step("delta", "delta 1", 0, formula="a - y", note="one for each of three neurons"),
            net.step("db", "bias 1", formula="delta", note="each bias gets the delta of its own neuron"),
            wrong("db[0]", delta.sum(), formula="sum of all deltas", by=worked("{} + {} + {}", *delta)),
            up.step("C, b[0] = 1", "loss", note="one bias, moved up by 1"),
            down.step("C, b[0] = -1", "loss", note="and down by 1"),
            line("db[0]", (high - low) / 2, formula="(C up - C down) / 2", by=worked("({} - {}) / 2", high, low)),
        ),
        closing="The slope of C agrees with delta[0]. The sum of all deltas even says that nothing would change.",
    )


def _error_signal() -> Example:
    case = stated(
        weights=[[[2]], [[3]], [[4]]],
        biases=[[0], [0], [0]],
        x=[[5]],
        y=[[119]],
        activations="identity-identity-identity",
    )
    net = Solved(case)
    w2, w3 = case.weights[1][0, 0], case.weights[2][0, 0]
    d1, d2, d3 = (net.quantity(f"delta {layer}")[0, 0] for layer in (1, 2, 3))
    a1, a2, x = net.quantity("a 1")[0, 0], net.quantity("a 2")[0, 0], case.x[0, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step(
                "delta3",
                "delta 3",
                0,
                0,
                formula="a3 - y",
                by=worked("{} - {}", net.quantity("a 3")[0, 0], case.y[0, 0]),
            ),
            net.step("delta2", "delta 2", 0, 0, formula="W3 delta3", by=worked("{} * {}", w3, d3)),
            net.step(
                "delta1", "delta 1", 0, 0, formula="W2 delta2", by=worked("{} * {}", w2, d2), note="delta2 used again"
            ),
            net.step("dW3", "weight 3", 0, 0, formula="delta3 a2", by=worked("{} * {}", d3, a2)),
            net.step("dW2", "weight 2", 0, 0, formula="delta2 a1", by=worked("{} * {}", d2, a1)),
            net.step("dW1", "weight 1", 0, 0, formula="delta1 x", by=worked("{} * {}", d1, x)),
            net.step(
                "dW1",
                "weight 1",
                0,
                0,
                formula="delta3 W3 W2 x",
                by=worked("{} * {} * {} * {}", d3, w3, w2, x),
                note="all anew",
            ),
            net.step("db1", "bias 1", 0, formula="delta1", note="no further work"),
        ),
        closing="Both ways give the same number. With deltas the work grows with the number of layers; without, since "
        "each layer repeats the way from the end, with its square.",
    )


def _axis() -> Example:
    case = stated(weights=[[[1], [2]]], biases=[[0, 0]], x=[[1], [2], [3]], y=[[0, 0], [0, 3], [4, 6]])
    net = Solved(case)
    delta = net.quantity("delta 1")
    ones = np.ones((1, 3)) @ delta
    down = "[{} + {} + {}, {} + {} + {}]"
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("delta", "delta 1", formula="a - y", note="(N, O): a row for each sample"),
            net.step("db", "bias 1", formula="delta.sum(axis=0)", by=worked(down, *delta.T.ravel()), note="(O,)"),
            line("db", ones[0], formula="[1, 1, 1] @ delta", by=worked(down, *delta.T.ravel()), note="the same"),
            wrong(
                "db",
                delta.sum(axis=1),
                formula="delta.sum(axis=1)",
                by=worked("[{} + {}, {} + {}, {} + {}]", *delta.ravel()),
                note="(N,)",
            ),
            wrong(
                "db", delta[-1], formula="delta[-1]", by=worked("[{}, {}]", *delta[-1]), note="the last sample alone"
            ),
        ),
        closing="If your samples are columns, as in Nielsen's book, delta is (O, N), and it is axis=1 that runs over "
        "the samples. The rule is not the number of the axis: sum over samples, keep neurons.",
    )


def _bias_as_weight() -> Example:
    case = stated(weights=[[[2]]], biases=[[3]], x=[[4]], y=[[9]])
    wide = stated(weights=[[[2, 3]]], biases=[None], x=[[4, 1]], y=[[9]])
    net, other = Solved(case), Solved(wide)
    delta, x = net.quantity("delta 1")[0, 0], case.x[0, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("z", "z 1", 0, 0, formula="w x + b", by=worked("{} * {} + {}", 2, x, 3)),
            other.step(
                "z",
                "z 1",
                0,
                0,
                formula="w x + b 1",
                by=worked("{} * {} + {} * {}", 2, x, 3, 1),
                note="b as a weight; its input is 1",
            ),
            net.step("delta", "delta 1", 0, 0, formula="a - y"),
            net.step("dw", "weight 1", 0, 0, formula="delta * x", by=worked("{} * {}", delta, x)),
            net.step("db", "bias 1", 0, formula="delta"),
            other.step(
                "d[w, b]", "weight 1", 0, formula="delta * [x, 1]", by=worked("[{} * {}, {} * {}]", delta, x, delta, 1)
            ),
            wrong(
                "db", delta * x, formula="delta * x", by=worked("{} * {}", delta, x), note="the input of b is 1, not x"
            ),
        ),
    )


def _constant_bias() -> Example:
    def at(weight: float, bias: float) -> Solved:
        return Solved(stated(weights=[[[weight]]], biases=[[bias]], x=[[2]], y=[[5]]))

    w, x, y = 3, 2, 5
    zero, one = at(w, 0), at(w, 1)
    change = "({} * {} + {}) - ({} * {} + {})"
    slope = "({} * {} + {} - {}) * {}"
    moved = [at(w + 1, b).quantity("z 1")[0, 0] - at(w, b).quantity("z 1")[0, 0] for b in (0, 1)]
    return Example(
        about=described(zero.case),
        given=(("x", x), ("w", w), ("y", y), ("b", "0, then 1")),
        steps=(
            line("dz/dw, b = 0", moved[0], formula="z(4) - z(3)", by=worked(change, w + 1, x, 0, w, x, 0)),
            line(
                "dz/dw, b = 1", moved[1], formula="z(4) - z(3)", by=worked(change, w + 1, x, 1, w, x, 1), note="x again"
            ),
            zero.step("dC/dw, b = 0", "weight 1", 0, 0, formula="(a - y) x", by=worked(slope, w, x, 0, y, x)),
            one.step(
                "dC/dw, b = 1",
                "weight 1",
                0,
                0,
                formula="(a - y) x",
                by=worked(slope, w, x, 1, y, x),
                note="not the same",
            ),
            one.step("dC/db, b = 1", "bias 1", 0, formula="(a - y) 1", by=worked(slope, w, x, 1, y, 1)),
            wrong(
                "dC/db, b = 1",
                one.quantity("delta 1")[0, 0] * 0,
                formula="(a - y) 0",
                by=worked(slope, w, x, 1, y, 0),
                note="then b would never learn",
            ),
        ),
        closing="Both move in training: dz = x dw + db. 'Constant' is said of one partial derivative, not of the "
        "network.",
    )


LESSONS = (
    Lesson(
        name="delta",
        group="questions",
        question="Does a bias get its own neuron's delta, or the sum of all deltas?",
        rule="db[j] = delta[j]: its own neuron's, and no other's",
        why="The bias of neuron j is added to z of neuron j and to no other z. What is summed is something else: over "
        "a batch, the deltas that the same neuron j has for the samples.",
        mistake="delta.sum() or delta.sum(axis=1): one number for a whole layer, or one for each sample.",
        example=_own_delta,
        see=("BP3", "axis_0", "error_signal"),
    ),
    Lesson(
        name="error_signal",
        group="questions",
        question="What is an error signal for? Why compute delta at all?",
        rule="delta = dC/dz of a neuron; from it come db = delta, dW = delta * a_before, and the delta of the layer "
        "below",
        why="z is the one place through which W, b and everything below reach C. Its slope, computed once for each "
        "neuron, is used three times. It is called an error, but it is a slope: a - y only where loss and output make "
        "it that.",
        mistake="For each weight the whole chain of slopes is multiplied anew; or a - y is used as delta in every "
        "layer.",
        example=_error_signal,
        see=("BP1", "BP2", "cross_entropy"),
    ),
    Lesson(
        name="axis_0",
        group="questions",
        question="Why is delta summed over axis 0 for the bias?",
        rule="delta is (N, O), one sample a row; db = delta.sum(axis=0) is (O,), the shape of b",
        why="z = a W^T + b adds the same b to every row. So each row has its say in what b should do, and the says are "
        "added. For dW nobody sees that sum: it is hidden in the product delta.T @ a.",
        mistake="axis=1, which adds up neurons; no sum at all, so that db gets N rows; the mean where dW is a sum.",
        example=_axis,
        see=("BP3", "delta", "batch", "shape"),
    ),
    Lesson(
        name="bias",
        group="questions",
        question="What is a bias, and why is its gradient not multiplied by an input?",
        rule="b is a weight whose input is always 1: db = delta * 1",
        why="Put a 1 at the end of every x and b at the end of every row of W: the same z, no b any more. Then dW = "
        "delta * a_before says what the gradient of that last column is.",
        mistake="delta is multiplied by x or by an activation for db too; or db is computed from dW.",
        example=_bias_as_weight,
        see=("BP3", "constant_bias"),
    ),
    Lesson(
        name="constant_bias",
        group="questions",
        question="Is b a constant for w? Why does b not appear in dz/dw?",
        rule="dz/dw = x, without b; but dC/dw = (a - y) x depends on b through a; and dC/db = a - y is not 0",
        why="A partial derivative asks what one number does while the others are held. Held does not mean without "
        "effect: b shifts the point at which the slope is taken. And b has its own turn, where w is held.",
        mistake="b is taken for a constant whose gradient is 0, and is never trained.",
        example=_constant_bias,
        see=("bias", "chain_rule", "BP3"),
    ),
)
