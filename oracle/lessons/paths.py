"""Questions about the way back: which slopes are multiplied or added, and which W, delta and a belong together."""

import numpy as np

from backproof.lessons.lesson import Example, Lesson, line, worked, wrong
from backproof.lessons.solved import Solved, described, given, stated


def _chain_rule() -> Example:
    def at(weight: float) -> Solved:
        return Solved(
            stated(
                weights=[[[weight]], [[2], [3]], [[4, 5]]],
                biases=[[0], [0, 0], [0]],
                x=[[1]],
                y=[[1]],
                activations="identity-identity-identity",
                loss="linear",
            )
        )

    net = at(7)
    up, down = at(8).quantity("loss"), at(6).quantity("loss")
    (into_first, into_second), (from_first, from_second) = net.case.weights[1][:, 0], net.case.weights[2][0]
    first, second = into_first * from_first, into_second * from_second
    times = worked("{} * {}", into_second, from_second)
    return Example(
        about=described(net.case),
        given=given(net.case),
        steps=(
            line("path 1", first, by=worked("{} * {}", into_first, from_first), note="through one neuron of layer 2"),
            line("path 2", second, by=times, note="through the other"),
            net.step("delta1", "delta 1", 0, 0, formula="path 1 + path 2", by=worked("{} + {}", first, second)),
            net.step("dW1", "weight 1", 0, 0, formula="delta1 x", by=worked("{} * {}", first + second, 1)),
            line(
                "dW1",
                (up - down) / 2,
                formula="(C(8) - C(6)) / 2",
                by=worked("({} - {}) / 2", up, down),
                note="W1 moved by 1",
            ),
            wrong(
                "delta1",
                (first + second) / 2,
                formula="their mean",
                by=worked("({} + {}) / 2", first, second),
                note="averaged",
            ),
            wrong("delta1", second, formula="path 2", by=times, note="= in a loop, where += should stand"),
        ),
    )


def _transpose() -> Example:
    case = stated(
        weights=[[[1], [1]], [[1, 2], [3, 4], [5, 6]]],
        biases=[[0, 0], [0, 0, 0]],
        x=[[1]],
        y=[[2, 8, 10]],
        activations="identity-identity",
    )
    net = Solved(case)
    W, delta, a = case.weights[1], net.quantity("delta 2")[0], net.quantity("a 1")[0]
    three = "{} * {} + {} * {} + {} * {}"
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step(
                "z2[0]",
                "z 2",
                0,
                0,
                formula="row 0 of W2 . a1",
                by=worked("{} * {} + {} * {}", W[0, 0], a[0], W[0, 1], a[1]),
                note="forward: what neuron 0 collects",
            ),
            net.step("delta2", "delta 2", 0, formula="a2 - y"),
            net.step(
                "delta1[0]",
                "delta 1",
                0,
                0,
                formula="column 0 of W2 . delta2",
                by=worked(three, *np.ravel(np.column_stack([W[:, 0], delta]))),
            ),
            net.step(
                "delta1[1]",
                "delta 1",
                0,
                1,
                formula="column 1 of W2 . delta2",
                by=worked(three, *np.ravel(np.column_stack([W[:, 1], delta]))),
            ),
        ),
        closing="W2 is (3, 2): W2 @ delta2 does not even fit, W2.T @ delta2 does. An inverse would ask which a1 leads "
        "to a given z2; we ask how much C changes with a1, and a1[0] reaches C through the weights of column 0, each "
        "once.",
    )


def _layer_index() -> Example:
    case = stated(weights=[[[2]], [[3]]], biases=[[1], [0]], x=[[5]], y=[[32]], activations="identity-identity")
    net = Solved(case)
    d1, d2 = net.quantity("delta 1")[0, 0], net.quantity("delta 2")[0, 0]
    a1, a2, x = net.quantity("a 1")[0, 0], net.quantity("a 2")[0, 0], case.x[0, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("a1", "a 1", 0, 0, formula="W1 x + b1", by=worked("{} * {} + {}", 2, x, 1)),
            net.step("a2", "a 2", 0, 0, formula="W2 a1 + b2", by=worked("{} * {} + {}", 3, a1, 0)),
            net.step("delta2", "delta 2", 0, 0, formula="a2 - y", by=worked("{} - {}", a2, case.y[0, 0])),
            net.step(
                "delta1",
                "delta 1",
                0,
                0,
                formula="W2 delta2",
                by=worked("{} * {}", 3, d2),
                note="the W of the layer above",
            ),
            net.step(
                "dW2",
                "weight 2",
                0,
                0,
                formula="delta2 a1",
                by=worked("{} * {}", d2, a1),
                note="what layer 2 was fed with",
            ),
            net.step(
                "dW1",
                "weight 1",
                0,
                0,
                formula="delta1 x",
                by=worked("{} * {}", d1, x),
                note="what layer 1 was fed with",
            ),
            wrong("dW2", d2 * a2, formula="delta2 a2", by=worked("{} * {}", d2, a2), note="its own output"),
            wrong("delta1", 2 * d2, formula="W1 delta2", by=worked("{} * {}", 2, d2), note="its own W"),
        ),
        closing="In code that counts from 0: weights[l] is fed with activations[l], if activations[0] is x.",
    )


LESSONS = (
    Lesson(
        name="chain_rule",
        group="questions",
        question="When are slopes multiplied, and when are they added?",
        rule="along one path from w to C: multiply;   over all paths: add",
        why="If a doubles what b triples, the whole is times six: slopes in a row multiply. If w reaches C on two "
        "ways, each brings its own change, and the changes add up. Backpropagation is this, without walking a path "
        "twice.",
        mistake="What comes back from several neurons is averaged, or overwritten by the last one.",
        example=_chain_rule,
        see=("BP2", "transpose", "error_signal"),
    ),
    Lesson(
        name="transpose",
        group="questions",
        question="Why is W transposed on the way back, and not inverted?",
        rule="forward: W a_before, row by row;   back: W^T delta, column by column",
        why="Row j of W holds the weights that lead to neuron j, column k those that leave neuron k. Forward a neuron "
        "collects what leads to it; on the way back it collects from all to which it leads.",
        mistake="W @ delta where both sizes are equal and nothing complains; or a division by W.",
        example=_transpose,
        see=("BP2", "shape"),
    ),
    Lesson(
        name="layer_index",
        group="questions",
        question="Which delta, which W and which a belong together?",
        rule="dW of a layer: its own delta, and the output of the layer before\n"
        "delta of a layer: W and delta of the layer after, and its own slope",
        why="A weight sits between two layers: the delta is where it ends, the a where it begins. On the way back "
        "delta passes through the weights between the two layers, which are those of the upper one.",
        mistake="Off by one: this layer's a for dW, this layer's W for delta, the slope of another layer.",
        example=_layer_index,
        see=("BP2", "BP4"),
    ),
)
