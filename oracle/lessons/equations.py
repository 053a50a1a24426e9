"""BP0 to BP4, each in numbers that a person can follow."""

from backproof.lessons.lesson import Example, Lesson, line, worked, wrong
from backproof.lessons.solved import Solved, described, given, stated


def _forward() -> Example:
    b1, b2 = [1, 0], [1]
    case = stated(
        weights=[[[1, 1], [1, -1]], [[2, 3]]], biases=[b1, b2], x=[[1, 2]], y=[[8]], activations="relu-identity"
    )
    net = Solved(case)
    (W1, W2), x = case.weights, case.x[0]
    z, a, out = net.quantity("z 1")[0], net.quantity("a 1")[0], net.quantity("a 2")[0]
    row = "{} * {} + {} * {} + {}"
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step(
                "z1[0]", "z 1", 0, 0, formula="W1[0] . x + b1[0]", by=worked(row, W1[0, 0], x[0], W1[0, 1], x[1], b1[0])
            ),
            net.step(
                "z1[1]", "z 1", 0, 1, formula="W1[1] . x + b1[1]", by=worked(row, W1[1, 0], x[0], W1[1, 1], x[1], b1[1])
            ),
            net.step("a1", "a 1", 0, formula="relu(z1)", by=worked("[max(0, {}), max(0, {})]", *z)),
            net.step("z2", "z 2", 0, 0, formula="W2 . a1 + b2", by=worked(row, W2[0, 0], a[0], W2[0, 1], a[1], b2[0])),
            net.step("a2", "a 2", 0, 0, formula="z2", note="identity: phi(z) = z"),
            net.step("C", "loss", formula="1/2 (a2 - y)^2", by=worked("({} - {})**2 / 2", out[0], case.y[0, 0])),
            wrong(
                "z2",
                W2[0] @ z + b2[0],
                formula="W2 . z1 + b2",
                by=worked(row, W2[0, 0], z[0], W2[0, 1], z[1], b2[0]),
                note="z1 was handed on, not a1",
            ),
        ),
    )


def _output_delta() -> Example:
    w, b = 2, -6
    case = stated(weights=[[[w]]], biases=[[b]], x=[[3]], y=[[1]], activations="sigmoid")
    net = Solved(case)
    x, y = case.x[0, 0], case.y[0, 0]
    z, a = net.quantity("z 1")[0, 0], net.quantity("a 1")[0, 0]
    g, slope = net.quantity("dC/da")[0, 0], net.quantity("slope 1")[0, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("z", "z 1", 0, 0, formula="w x + b", by=worked("{} * {} + {}", w, x, b)),
            net.step("a", "a 1", 0, 0, formula="1 / (1 + e^-z)", by=worked("1 / (1 + exp(-{}))", z)),
            net.step("dC/da", "dC/da", 0, 0, formula="a - y", by=worked("{} - {}", a, y)),
            net.step("phi'(z)", "slope 1", 0, 0, formula="a (1 - a)", by=worked("{} * (1 - {})", a, a)),
            net.step("delta", "delta 1", 0, 0, formula="dC/da * phi'(z)", by=worked("{} * {}", g, slope)),
            net.step("db", "bias 1", 0, formula="delta"),
            net.step(
                "dW", "weight 1", 0, 0, formula="delta * x", by=worked("{} * {}", net.quantity("delta 1")[0, 0], x)
            ),
            wrong(
                "delta",
                g,
                formula="a - y",
                note="phi' was left out",
                by=worked("{} - {}", a, y),
            ),
            wrong(
                "delta",
                g * (1 - g),
                formula="g (1 - g), g = a - y",
                by=worked("{} * (1 - {})", g, g),
                note="the slope was taken at the error",
            ),
        ),
    )


def _hidden_delta() -> Example:
    case = stated(
        weights=[[[1], [2]], [[1, 2], [3, 4]]],
        biases=[[0, -3], [0, 0]],
        x=[[1]],
        y=[[0, 5]],
        activations="relu-identity",
    )
    net = Solved(case)
    W2 = case.weights[1]
    above, slope = net.quantity("delta 2")[0], net.quantity("slope 1")[0]
    back = above @ W2
    column = "{} * {} + {} * {}"
    a, y = net.quantity("a 2")[0], case.y[0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("z1", "z 1", 0, note="the second hidden neuron is below 0: off"),
            net.step("a1", "a 1", 0),
            net.step("delta2", "delta 2", 0, formula="a2 - y", by=worked("[{} - {}, {} - {}]", a[0], y[0], a[1], y[1])),
            line(
                "back[0]",
                back[0],
                formula="column 0 of W2 . delta2",
                by=worked(column, W2[0, 0], above[0], W2[1, 0], above[1]),
                note="what came back to neuron 0",
            ),
            line(
                "back[1]",
                back[1],
                formula="column 1 of W2 . delta2",
                by=worked(column, W2[0, 1], above[0], W2[1, 1], above[1]),
                note="to neuron 1",
            ),
            net.step(
                "delta1",
                "delta 1",
                0,
                formula="back * relu'(z1)",
                by=worked("[{} * {}, {} * {}]", back[0], slope[0], back[1], slope[1]),
            ),
            wrong(
                "back[0]",
                W2[0] @ above,
                formula="row 0 of W2 . delta2",
                by=worked(column, W2[0, 0], above[0], W2[0, 1], above[1]),
                note="W2 without the transpose",
            ),
        ),
        closing="In a layer with as many inputs as outputs the untransposed W fits as well: no error, wrong numbers.",
    )


def _bias() -> Example:
    case = stated(weights=[[[1], [2]]], biases=[[0, 1]], x=[[1], [2]], y=[[0, 1], [-1, 1]])
    net = Solved(case)
    delta = net.quantity("delta 1")
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("delta", "delta 1", formula="a - y", note="a row for each sample, a column for each neuron"),
            net.step(
                "db",
                "bias 1",
                formula="delta.sum(axis=0)",
                by=worked("[{} + {}, {} + {}]", delta[0, 0], delta[1, 0], delta[0, 1], delta[1, 1]),
                note="one number a neuron",
            ),
            wrong(
                "db",
                delta.sum(axis=1),
                formula="delta.sum(axis=1)",
                by=worked("[{} + {}, {} + {}]", *delta.ravel()),
                note="summed over the neurons",
            ),
            wrong(
                "db",
                delta.sum(),
                formula="delta.sum()",
                by=worked("{} + {} + {} + {}", *delta.ravel()),
                note="summed over everything",
            ),
        ),
        closing="With as many samples as neurons, as here, the sum over the wrong axis has the right shape.",
    )


def _weight() -> Example:
    case = stated(weights=[[[1, 0], [0, 1]]], biases=[[0, 0]], x=[[2, 3]], y=[[1, 4]])
    net = Solved(case)
    delta, x = net.quantity("delta 1")[0], case.x[0]
    outer = "[[{} * {}, {} * {}], [{} * {}, {} * {}]]"
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step(
                "delta",
                "delta 1",
                0,
                formula="a - y",
                by=worked("[{} - {}, {} - {}]", x[0], case.y[0, 0], x[1], case.y[0, 1]),
            ),
            net.step("dW[0, 1]", "weight 1", 0, 1, formula="delta[0] * x[1]", by=worked("{} * {}", delta[0], x[1])),
            net.step("dW[1, 0]", "weight 1", 1, 0, formula="delta[1] * x[0]", by=worked("{} * {}", delta[1], x[0])),
            net.step(
                "dW",
                "weight 1",
                formula="delta x^T",
                by=worked(outer, delta[0], x[0], delta[0], x[1], delta[1], x[0], delta[1], x[1]),
            ),
            wrong(
                "dW",
                x[:, None] * delta,
                formula="x delta^T",
                by=worked(outer, x[0], delta[0], x[0], delta[1], x[1], delta[0], x[1], delta[1]),
                note="transposed",
            ),
        ),
        closing="Here W is square, so the transposed gradient has the right shape. For a batch, delta.T @ x adds the "
        "samples' products up: (O, N) times (N, I) is (O, I), the shape of W.",
    )


LESSONS = (
    Lesson(
        name="BP0",
        group="equations",
        question="What does a layer compute on the way forward?",
        rule="z = W a_before + b,   a = phi(z)\nwith one sample a row: z = a_before @ W.T + b",
        why="A neuron multiplies each of its inputs by a weight of its own, adds them up and adds its bias: that is z. "
        "It puts out a = phi(z). Row j of W holds the weights of neuron j. Keep every z and every a: the way back "
        "needs both.",
        mistake="z is handed on instead of a, or b is added after phi. The gradients can then be right, for a network "
        "that nobody meant: the value of the loss gives it away.",
        example=_forward,
        see=("bias", "shape", "BP1"),
    ),
    Lesson(
        name="BP1",
        group="equations",
        question="Where does the way back begin?",
        rule="delta = dC/da * phi'(z), at the output layer",
        why="delta is dC/dz: how fast the cost C changes when a neuron's z does. A small change of z changes a by "
        "phi'(z) times as much, and that changes C by dC/da times as much: the two slopes are multiplied.",
        mistake="phi' is left out, which is right only where it is 1, as for identity (and where the loss has it "
        "built in, see cross_entropy); or it is taken somewhere else than at z.",
        example=_output_delta,
        see=("sigmoid_slope", "cross_entropy", "softmax", "BP2"),
    ),
    Lesson(
        name="BP2",
        group="equations",
        question="How does delta get from a layer to the one below?",
        rule="delta = (W_above^T delta_above) * phi'(z)\n"
        "with one sample a row: delta = (delta_above @ W_above) * phi'(z)",
        why="A hidden neuron reaches C through every neuron that it feeds. Each of these sends its own delta back, "
        "times the weight between the two; the sum of that is then multiplied by the hidden neuron's own slope.",
        mistake="W is used without the transpose, the layer's own W instead of that of the layer above, or a W "
        "that has taken its step already; or phi'(z) is left out.",
        example=_hidden_delta,
        see=("transpose", "chain_rule", "update_order", "BP3", "BP4"),
    ),
    Lesson(
        name="BP3",
        group="equations",
        question="What is the gradient of a bias?",
        rule="db = delta, for one sample\nfor a batch: db = delta.sum(axis=0), the sum over the samples",
        why="b is added to z as it is, so z changes by just as much as b does: dz/db = 1, and dC/db = dC/dz = delta. "
        "Each neuron has a bias of its own, so neurons are never added. All samples share it, so samples are.",
        mistake="delta is summed over the neurons, or over everything, or averaged where the weights' gradient is "
        "summed, or only the last sample's is kept.",
        example=_bias,
        see=("delta", "axis_0", "bias", "constant_bias"),
    ),
    Lesson(
        name="BP4",
        group="equations",
        question="What is the gradient of a weight?",
        rule="dW[j, k] = delta[j] * a_before[k]\nfor a batch: dW = delta.T @ a_before",
        why="The weight from k to j multiplies what k puts out, so z of j changes by a[k] times what the weight does. "
        "Hence: the delta where the weight ends, times the output where it begins.",
        mistake="The outer product is taken the wrong way round; this layer's a, or z, stands where the output of the "
        "layer before belongs.",
        example=_weight,
        see=("layer_index", "bias", "batch"),
    ),
)
