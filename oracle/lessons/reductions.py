"""none, sum, mean and batchmean: what the sum of the losses is divided by, and what that does to every gradient."""

from collections.abc import Iterator, Mapping
from typing import Any

from backproof.cases import LOSSES, Case, Formula
from backproof.lessons.lesson import Example, Lesson, Step, worked
from backproof.lessons.solved import Solved, described, given, stated
from backproof.truth.divisors import divisor

# Two outputs for each of three samples, so that N, O and N O are three different numbers.
_X = [[1], [2], [3]]
_ERRORS: Mapping[str, Any] = {"weights": [[[1], [1]]], "biases": [[0, 0]], "x": _X, "y": [[0, 2], [0, 1], [1, 3]]}
_CLASSES: Mapping[str, Any] = {"weights": [[[0], [0]]], "biases": [[0, 0]], "x": _X, "y": [0, 1, 1]}
_WEIGHTED = {"weight": [3, 1]}


def _case(loss: str, reduction: str) -> Case:
    if loss.startswith("cross_entropy"):
        arrays = _WEIGHTED if "weighted" in loss else None
        return stated(**_CLASSES, loss=loss, reduction=reduction, loss_arrays=arrays)
    return stated(**_ERRORS, loss=loss, reduction=reduction)


def divided_by(loss: str) -> str:
    """What `mean` divides the sum of this loss by, in letters; from the catalogue."""
    entry = LOSSES[loss]
    if not entry.per_sample:
        return "N O"
    formula = Formula.parse(loss, LOSSES)
    return "class weights" if "ignore_index" in formula.options else "N"


def losses_divided_by(letters: str) -> list[str]:
    """The losses whose `mean` divides by that."""
    return [loss for loss in LOSSES if divided_by(loss) == letters]


def _ratio(loss: str, reduction: str, letters: str) -> Iterator[Step]:
    """The divisor, and the quotient of the gradients of `sum` and of this reduction, which is the same number."""
    reduced, summed = Solved(_case(loss, reduction)), Solved(_case(loss, "sum"))
    by = divisor(reduced.case)
    whole = summed.quantity("weight 1")[0, 0]
    name = loss.replace("=index+", ", ")
    yield reduced.step(
        f"dW, {name}", "weight 1", 0, 0, formula=f"dW of sum / {letters}", by=worked("{} / {}", whole, by)
    )
    yield reduced.step(
        f"C, {name}", "loss", formula=f"C of sum / {letters}", by=worked("{} / {}", summed.quantity("loss"), by)
    )


def _none() -> Example:
    upstream = [[1, 0], [2, 0], [0, -1]]
    case = stated(**_ERRORS, loss="mse", reduction="none", upstream=upstream)
    net = Solved(case)
    delta, x = net.quantity("delta 1"), case.x[:, 0]
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("losses", "losses", formula="(a - y)^2, each by itself"),
            net.step("delta", "delta 1", formula="2 (a - y) * upstream"),
            net.step(
                "dW[0, 0]",
                "weight 1",
                0,
                0,
                formula="sum over samples",
                by=worked("{} * {} + {} * {} + {} * {}", *_interleaved(delta[:, 0], x)),
            ),
        ),
        closing="With 1 for each number of upstream, the gradients are those of sum. With 1 for one entry and 0 for "
        "the rest, they are those of that one loss.",
    )


def _interleaved(*columns: Any) -> list[float]:
    return [float(value) for row in zip(*columns, strict=True) for value in row]


def _sum() -> Example:
    case = _case("mse", "sum")
    net = Solved(case)
    delta, x = net.quantity("delta 1"), case.x[:, 0]
    losses = net.quantity("losses")
    half = Solved(_case("half_squared_error", "sum"))
    return Example(
        about=described(case),
        given=given(case),
        steps=(
            net.step("losses", "losses", formula="(a - y)^2", note="N rows, O columns"),
            net.step("C", "loss", formula="sum of all", by=worked(" + ".join(["{}"] * 6), *losses.ravel())),
            net.step("delta", "delta 1", formula="2 (a - y)"),
            net.step(
                "dW[0, 0]",
                "weight 1",
                0,
                0,
                formula="sum over samples",
                by=worked("{} * {} + {} * {} + {} * {}", *_interleaved(delta[:, 0], x)),
            ),
            half.step("dW[0, 0]", "weight 1", 0, 0, formula="of half_squared_error", note="no factor 2"),
        ),
        closing="State each sample twice, and the gradient doubles: with sum, the learning rate has to shrink as the "
        "batch grows.",
    )


def _mean() -> Example:
    kinds = (
        ("mse", "(N O)"),
        ("half_squared_error", "N"),
        ("cross_entropy", "N"),
        ("cross_entropy=index+weighted", "(3 + 1 + 1)"),
    )
    classes = _case("cross_entropy", "mean").y
    lists = [f"{letters}: {', '.join(losses_divided_by(letters))}." for letters in ("N O", "N", "class weights")]
    return Example(
        about="1-2 network: identity; N = 3, O = 2; dW[0, 0] and C of four losses, as sum and as mean",
        given=(*given(_case("mse", "mean")), ("classes", classes), ("class weights", _WEIGHTED["weight"])),
        steps=tuple(step for loss, letters in kinds for step in _ratio(loss, "mean", letters)),
        closing="\n".join(lists),
    )


def _batchmean() -> Example:
    return Example(
        about="1-2 network: identity; N = 3, O = 2; dW[0, 0] and C, as sum and as batchmean",
        given=given(_case("mse", "batchmean")),
        steps=(
            *_ratio("mse", "batchmean", "N"),
            *_ratio("half_squared_error", "batchmean", "N"),
            Solved(_case("mse", "mean")).step(
                "dW, mse", "weight 1", 0, 0, formula="its mean divides by N O", note="half of it: O = 2"
            ),
        ),
    )


LESSONS = (
    Lesson(
        name="none",
        group="reductions",
        question="What is the gradient when the losses are not reduced?",
        rule="losses stay as they are; gradients are those of C = sum of upstream * losses",
        why="A gradient needs one number to differentiate. Many losses have none, so somebody has to say how much each "
        "counts: that is upstream, what PyTorch's backward(gradient=...) is given.",
        mistake="Upstream is taken for ones, which makes it a sum in disguise.",
        example=_none,
        see=("sum", "mean"),
    ),
    Lesson(
        name="sum",
        group="reductions",
        question="What does the reduction `sum` add up?",
        rule="C = sum of all losses, over samples and outputs; divided by nothing",
        why="The four equations as they stand in the books give this one: delta without a divisor, dW = delta.T @ a, "
        "db = delta.sum(axis=0).",
        mistake="The learning rate of a mean is kept; or a division by N is left in one of dW and db.",
        example=_sum,
        see=("mean", "batchmean", "sum_or_mean", "factor_two"),
    ),
    Lesson(
        name="mean",
        group="reductions",
        question="What does the reduction `mean` divide by?",
        rule="by the number of losses: N O where each output has a loss, N where each sample has one\n"
        "cross_entropy and nll of class indices: by the summed weights of the targets' classes",
        why="It is the mean of what the loss has before it is reduced, (N, O) or (N,). The divisor stands in C, so it "
        "stands in delta, and through delta in every gradient, once.",
        mistake="mse is divided by N, as in the books, where PyTorch divides by N O; or delta is divided, and dW and "
        "db are divided again.",
        example=_mean,
        see=("batchmean", "sum", "scale", "sum_or_mean"),
    ),
    Lesson(
        name="batchmean",
        group="reductions",
        question="What does the reduction `batchmean` divide by?",
        rule="C = sum of all losses / N, whatever the loss",
        why="This is the books' 1/N or 1/m: a mean over the samples, of a sum over the outputs.",
        mistake="It is taken for PyTorch's mean, from which it differs by a factor O for losses on each output.",
        example=_batchmean,
        see=("mean", "scale"),
    ),
)
