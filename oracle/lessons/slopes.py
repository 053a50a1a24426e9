"""Questions about phi': where it is taken, what it is for softmax, where it cancels, where there is none."""

import numpy as np

from backproof.lessons.lesson import Example, Lesson, line, worked, wrong
from backproof.lessons.solved import Solved, described, given, stated


def _sigmoid_slope() -> Example:
    case = stated(weights=[[[1]]], biases=[[0]], x=[[2]], y=[[1]], activations="sigmoid")
    net = Solved(case)
    z, a = net.quantity("z 1")[0, 0], net.quantity("a 1")[0, 0]
    g, slope = net.quantity("dC/da")[0, 0], net.quantity("slope 1")[0, 0]
    again = 1 / (1 + np.exp(-a))
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("a", "a 1", 0, 0, formula="sigmoid(z)", by=worked("1 / (1 + exp(-{}))", z)),
            net.step("slope", "slope 1", 0, 0, formula="a (1 - a)", by=worked("{} * (1 - {})", a, a)),
            net.step("dC/da", "dC/da", 0, 0, formula="a - y", by=worked("{} - {}", a, case.y[0, 0])),
            net.step("delta", "delta 1", 0, 0, formula="dC/da * slope", by=worked("{} * {}", g, slope)),
            wrong(
                "slope",
                again * (1 - again),
                formula="s (1 - s), s = sigmoid(a)",
                by=worked("{} * (1 - {})", again, again),
                note="sigmoid was applied twice",
            ),
            wrong(
                "slope", z * (1 - z), formula="z (1 - z)", by=worked("{} * (1 - {})", z, z), note="z in the place of a"
            ),
            wrong(
                "slope",
                g * (1 - g),
                formula="g (1 - g), g = dC/da",
                by=worked("{} * (1 - {})", g, g),
                note="the error in the place of a",
            ),
        ),
        closing="A slope of the sigmoid lies between 0 and 1/4: a larger or a negative one is wrong at first sight.",
    )


def _softmax() -> Example:
    case = stated(
        weights=[[[0], [0]]],
        biases=[[0, 0]],
        x=[[1]],
        y=[[1, 0]],
        activations="softmax",
        loss="categorical_cross_entropy",
    )
    net = Solved(case)
    a, g, z = net.quantity("a 1")[0], net.quantity("dC/da")[0], net.quantity("z 1")[0]
    own, other = a[0] * (1 - a[0]), -a[0] * a[1]
    two = "{} * {} + {} * {}"
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("a", "a 1", 0, formula="e^z / its sum", by=worked("[exp({}) / 2, exp({}) / 2]", *z)),
            net.step("g", "dC/da", 0, formula="dC/da = -y / a", by=worked("[-{} / {}, 0]", case.y[0, 0], a[0])),
            line("da_0/dz_0", own, formula="a_0 (1 - a_0)", by=worked("{} * (1 - {})", a[0], a[0])),
            line("da_0/dz_1", other, formula="-a_0 a_1", by=worked("-{} * {}", a[0], a[1]), note="not 0"),
            net.step(
                "delta[0]",
                "delta 1",
                0,
                0,
                formula="g_0 da_0/dz_0 + g_1 da_1/dz_0",
                by=worked(two, g[0], own, g[1], other),
            ),
            net.step(
                "delta[1]",
                "delta 1",
                0,
                1,
                formula="g_0 da_0/dz_1 + g_1 da_1/dz_1",
                by=worked(two, g[0], other, g[1], own),
            ),
            wrong(
                "delta[1]",
                g[1] * own,
                formula="g_1 da_1/dz_1",
                by=worked("{} * {}", g[1], own),
                note="each z taken for itself",
            ),
        ),
        closing="The slopes of one output add up to 0 over the z, since raising all z alike changes nothing. No "
        "matrix is needed: delta = a * (g - sum of g a).",
    )


def _cross_entropy() -> Example:
    case = stated(weights=[[[3]]], biases=[[-6]], x=[[2]], y=[[1]], activations="sigmoid", loss="bce")
    fused = stated(weights=[[[3]]], biases=[[-6]], x=[[2]], y=[[1]], loss="bce_with_logits")
    squares = stated(weights=[[[3]]], biases=[[-6]], x=[[2]], y=[[1]], activations="sigmoid")
    net, other, square = Solved(case), Solved(fused), Solved(squares)
    a, y = net.quantity("a 1")[0, 0], case.y[0, 0]
    g, slope, delta = net.quantity("dC/da")[0, 0], net.quantity("slope 1")[0, 0], net.quantity("delta 1")[0, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step(
                "a", "a 1", 0, 0, formula="sigmoid(z)", by=worked("1 / (1 + exp(-{}))", net.quantity("z 1")[0, 0])
            ),
            net.step(
                "dC/da",
                "dC/da",
                0,
                0,
                formula="(a - y) / (a (1 - a))",
                by=worked("({} - {}) / ({} * (1 - {}))", a, y, a, a),
            ),
            net.step("phi'(z)", "slope 1", 0, 0, formula="a (1 - a)", by=worked("{} * (1 - {})", a, a)),
            net.step("delta", "delta 1", 0, 0, formula="their product", by=worked("{} * {}", g, slope)),
            other.step(
                "delta", "delta 1", 0, 0, formula="a - y", by=worked("{} - {}", a, y), note="a (1 - a) has cancelled"
            ),
            wrong(
                "delta",
                delta * slope,
                formula="(a - y) a (1 - a)",
                by=worked("{} * {}", delta, slope),
                note="the slope came in twice",
            ),
            square.step(
                "delta, 1/2 (a - y)^2",
                "delta 1",
                0,
                0,
                formula="(a - y) a (1 - a)",
                note="here it is right: nothing cancels",
            ),
        ),
        closing="The same holds for softmax with cross entropy: delta = a - y, with y one-hot. PyTorch's "
        "cross_entropy and bce_with_logits contain the softmax and the sigmoid: give them z, not a.",
    )


def _kink() -> Example:
    def at(weight: float) -> Solved:
        return Solved(stated(weights=[[[weight]]], biases=[[-2]], x=[[1]], y=[[1]], activations="relu", loss="linear"))

    here = at(2)
    left, middle, right = at(1).quantity("loss"), here.quantity("loss"), at(3).quantity("loss")
    g = here.quantity("dC/da")[0, 0]
    return Example(
        about=described(here.case),
        given=given(here.case),
        steps=(
            here.step("z", "z 1", 0, 0, formula="w x + b", by=worked("{} * {} + {}", 2, 1, -2)),
            line(
                "slope of C",
                middle - left,
                formula="C(w = 2) - C(w = 1)",
                by=worked("{} - {}", middle, left),
                note="to the left",
            ),
            line(
                "slope of C",
                right - middle,
                formula="C(w = 3) - C(w = 2)",
                by=worked("{} - {}", right, middle),
                note="to the right",
            ),
            here.step(
                "dw",
                "weight 1",
                0,
                0,
                formula="g * relu'(0) * x",
                by=worked("{} * 0 * {}", g, 1),
                note="PyTorch's choice",
            ),
            line("dw", g, formula="g * relu'(0) * x", by=worked("{} * 1 * {}", g, 1), note="another, and not wrong"),
        ),
        closing="Backproof calls such a difference `kink`, counts it, and does not fail it; --strict-kinks does. A "
        "check by finite differences finds something between the two slopes.",
    )


def _vanishing() -> Example:
    case = stated(
        weights=[[[1]], [[1]], [[1]], [[1]]],
        biases=[[0], [-0.5], [-0.5], [-0.5]],
        x=[[0]],
        y=[[1]],
        activations="sigmoid-sigmoid-sigmoid-sigmoid",
    )
    net = Solved(case)
    deltas = {layer: net.quantity(f"delta {layer}")[0, 0] for layer in (1, 2, 3, 4)}
    return Example(
        about=described(case),
        given=(("every z", 0), ("every a", 0.5), ("every w", 1), ("y", 1)),
        steps=(
            net.step(
                "delta4", "delta 4", 0, 0, formula="(a4 - y) a4 (1 - a4)", by=worked("({} - {}) * {}", 0.5, 1, 0.25)
            ),
            *(
                net.step(
                    f"delta{layer}",
                    f"delta {layer}",
                    0,
                    0,
                    formula=f"w delta{layer + 1} / 4",
                    by=worked("{} * {} / 4", 1, deltas[layer + 1]),
                )
                for layer in (3, 2, 1)
            ),
        ),
        closing="Here every z is 0, where the slope is largest: 1/4. So small first gradients may be right. Compare "
        "them with PyTorch before you look for a mistake.",
    )


LESSONS = (
    Lesson(
        name="sigmoid_slope",
        group="questions",
        question="Where is the slope of the sigmoid taken: at z, at a, or at the error?",
        rule="phi'(z) = a (1 - a), with a = sigmoid(z): taken at z, written with a",
        why="The slope belongs to the point at which the neuron works, and that is z. By luck the formula needs only "
        "sigmoid(z), which is a and is at hand. So a goes into a (1 - a) as it is, and no sigmoid is computed again.",
        mistake="A function sigmoid_derivative(z) that computes sigmoid(z) inside is called with a; or one that "
        "computes a (1 - a) is called with z, or with the error.",
        example=_sigmoid_slope,
        see=("BP1", "cross_entropy", "vanishing"),
    ),
    Lesson(
        name="softmax",
        group="questions",
        question="Why is the derivative of softmax a matrix?",
        rule="da_o/dz_k = a_o (1 - a_o) for o = k, and -a_o a_k for o != k;   delta = J^T dC/da",
        why="All outputs are divided by the same sum. Raise one z, and its own output grows while all others shrink: "
        "each output depends on each z, and delta has to collect over all outputs.",
        mistake="a (1 - a), the diagonal, is taken for all of it, as if softmax were a sigmoid.",
        example=_softmax,
        see=("cross_entropy", "chain_rule", "numerics"),
    ),
    Lesson(
        name="cross_entropy",
        group="questions",
        question="Why is delta simply a - y with cross entropy, and where is phi'?",
        rule="sigmoid with bce, softmax with cross entropy:   delta = a - y",
        why="The slope of log a is 1/a, and it cancels the a in the slope of sigmoid or softmax. phi' has not been "
        "forgotten; it has been multiplied in already.",
        mistake="a - y is multiplied by a (1 - a) once more; or a - y is used with a squared error, where nothing "
        "cancels.",
        example=_cross_entropy,
        see=("softmax", "sigmoid_slope", "BP1"),
    ),
    Lesson(
        name="kink",
        group="questions",
        question="What is the slope of relu at 0?",
        rule="relu'(z) = 1 for z > 0, 0 for z < 0;   at z = 0 anything from 0 to 1 will do, and PyTorch takes 0",
        why="Left and right of a kink the slopes differ, and at the kink there is none. Any value between the two is "
        "as good a choice as another, and training does not care.",
        mistake="To take a difference there for a fault; or relu'(z) = (z >= 0) in one place and (z > 0) in another.",
        example=_kink,
        see=("BP2", "finite_differences"),
    ),
    Lesson(
        name="vanishing",
        group="questions",
        question="My first layers have tiny gradients: is that a fault?",
        rule="each layer on the way back multiplies by W and by phi', and a sigmoid's phi' is at most 1/4",
        why="After ten sigmoid layers a delta can be a millionth of what it was, with each equation right. Tiny is no "
        "sign of a mistake; another number than PyTorch's is.",
        mistake="The slope is left out or made larger until the gradients look better.",
        example=_vanishing,
        see=("sigmoid_slope", "BP2"),
    ),
)
