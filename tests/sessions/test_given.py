"""Numbers that already exist: judged as a candidate's are, in whatever layout they lie about."""

import re

import numpy as np
import pytest
import torch

from backproof import check_arrays
from backproof.candidates.builtin import Scratch
from backproof.cases import NetworkSpec, SpecError, build_case
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.judging.verdicts import Verdict
from backproof.sessions.given import NAME

IDS = [
    "3-4-2,tanh-identity,mse,mean,n5,f64,normal,s7",
    "3-4-2,leaky_relu=0.2-softmax,categorical_cross_entropy,batchmean,n5,f32,normal,s7,bias=01",
    "4-3,identity,cross_entropy=index+weighted,mean,n6,f64,normal,s2,penalty=0.01+0.1+biases+N",
    "4-3,identity,cross_entropy=probabilities+none+-100+0.1,sum,n6,f64,normal,s2",
    "2-3,tanh,gaussian_nll=1,none,n4,f64,normal,s2",
    "3-1,tanh,half_squared_error,sum,n1,f64,normal,s2",
    "3-4,identity,bce_with_logits=weighted,mean,n5,f64,normal,s2",
    "3-4,identity,multilabel_margin,sum,n5,f64,normal,s2",
]


def given(case, **changes):
    """A case with the right gradients, as somebody would hand it in."""
    answer = Scratch().answer(case)
    formula = case.spec.loss
    settings = {
        "weights": case.weights,
        "biases": case.biases,
        "x": case.x,
        "y": case.y,
        "activations": [activation.id for activation in case.spec.activations],
        "loss": formula.name if formula.name == "cross_entropy" else formula.id.replace("=weighted", ""),
        "loss_options": {
            name: value for name, value in case.loss_options.items() if name in ("label_smoothing", "full")
        }
        | dict(case.loss_arrays),
        "reduction": case.spec.reduction,
        "penalty": case.spec.penalty,
        "upstream": case.upstream,
        "gradients": (answer.weights, answer.biases),
        "loss_value": answer.loss,
    }
    return settings | changes


def test_arrays_of_integers_are_the_same_numbers():
    """As arrays or lists, in any width; a gradient that was stored among them, without its fractions, is wrong."""
    case = build_case(NetworkSpec.parse("3-4-2,tanh-identity,half_squared_error,sum,n5,f64,integers,s7"))
    wanted = check_arrays(**given(case))
    assert wanted.verdict == "agrees"
    for typed in (lambda array: array.astype(np.int64), lambda array: array.astype(np.int8), lambda a: a.tolist()):
        whole = {name: [typed(array) for array in getattr(case, name)] for name in ("weights", "biases")}
        found = check_arrays(**given(case, **whole, x=typed(case.x), y=typed(case.y)))
        assert found.checks.equals(wanted.checks)
    weights, biases = given(case)["gradients"]
    cut = check_arrays(**given(case, gradients=([weight.astype(np.int64) for weight in weights], biases)))
    assert {name for (name, verdict) in cut.tally.by_quantity if Verdict(verdict).fails} == {"weight"}


@pytest.mark.parametrize("text", IDS)
def test_right_arrays_agree(text: str):
    """Every loss with its arrays and options, every reduction, penalties, no biases, either dtype."""
    case = build_case(NetworkSpec.parse(text))
    report = check_arrays(**given(case))
    assert (report.verdict, report.exit_code, report.candidate) == ("agrees", 0, NAME)
    assert set(report.tally.verdicts) <= {Verdict.AGREE, Verdict.NOT_OFFERED}
    assert set(report.checks["dtype"]) == {case.spec.dtype}
    assert report.domain.contains(NetworkSpec.parse(report.checks["case"][0]))


def test_a_wrong_array_is_named():
    """The one that is wrong and no other; what it is, is printed, and no command that could not repeat it."""
    case = build_case(NetworkSpec.parse(IDS[0]))
    answer = Scratch().answer(case)
    report = check_arrays(**given(case, gradients=(answer.weights, [answer.biases[0], 2 * answer.biases[1]])))
    assert report.verdict == "disagrees"
    wrong = report.discrepancies
    assert list(wrong["quantity"] + wrong["layer"].astype(str)) == ["bias2"]
    (found,) = report.findings.diagnoses
    assert (found.equation, found.position) == ("BP3", "output")
    assert "against PyTorch" in str(report)
    assert "one batch" in str(report)
    assert "Again" not in str(report)


def test_the_mistake_is_named_as_far_as_one_batch_allows():
    """The slope at the error, of a whole batch: which fault of the catalogue it is; and the hints may keep it."""
    case = build_case(NetworkSpec.parse("3-4-2,sigmoid,half_squared_error,sum,n6,f64,normal,s7"))
    answer = Planted([Plant(BY_NAME["derivative_at_upstream"])]).answer(case)
    report = check_arrays(**given(case, gradients=(answer.weights, answer.biases), loss_value=None))
    assert [diagnosis.fault for diagnosis in report.findings.diagnoses] == ["derivative_at_upstream"]
    assert "Again" not in str(report)
    told = check_arrays(**given(case, gradients=(answer.weights, answer.biases)), hints="none")
    assert "error * (1 - error)" not in str(told)


@pytest.mark.parametrize("bias", [(1, -1), (-1, 1)], ids=["row", "column"])
def test_arrays_may_lie_in_another_layout(bias: tuple[int, int]):
    """Columns, (in, out), biases as rows or columns, lists, and one-hot targets."""
    case = build_case(NetworkSpec.parse("3-4-3,relu-identity,cross_entropy=index,mean,n5,f64,normal,s7"))
    answer = Scratch().answer(case)
    one_hot = np.equal.outer(case.y, np.arange(3)).astype(int)
    report = check_arrays(
        weights=[w.T.tolist() for w in case.weights],
        biases=[b.reshape(bias) for b in case.biases],
        x=case.x.T,
        y=one_hot.T,
        activations=["relu", "identity"],
        loss="cross_entropy",
        reduction="mean",
        gradients={
            "weights": [w.T for w in answer.weights],
            "biases": [b.reshape(bias) for b in answer.biases],
            "inputs": answer.inputs.T,
        },
        samples="columns",
        weight_layout="in_out",
    )
    assert report.verdict == "agrees"
    assert report.tally.by_quantity["input", Verdict.AGREE] == 1


def test_a_single_output_may_have_a_vector_of_targets_and_no_bias_at_all():
    """y (N,), and None in place of a list of Nones."""
    case = build_case(NetworkSpec.parse("3-1,sigmoid,bce,mean,n5,f64,normal,s7,bias=0"))
    answer = Scratch().answer(case)
    settings = given(case, y=case.y[:, 0], biases=None, activations="sigmoid", gradients=(answer.weights, None))
    assert check_arrays(**settings).verdict == "agrees"


def test_gradients_that_cannot_be_read_are_a_verdict():
    """As with a candidate: what is wrong with them is in the report."""
    case = build_case(NetworkSpec.parse(IDS[0]))
    answer = Scratch().answer(case)
    report = check_arrays(**given(case, gradients=(answer.weights[:1], answer.biases)))
    assert report.verdict == "cannot_run"
    assert report.checks["note"][0] == "weights must hold one array per layer, so 2; got 1"
    turned = check_arrays(**given(case, gradients=([w.T for w in answer.weights], answer.biases)))
    assert turned.tally.verdicts[Verdict.SHAPE] == 2


def test_given_arrays_are_copied():
    """Nothing of the notebook is locked or changed."""
    case = build_case(NetworkSpec.parse(IDS[0]))
    x = case.x.copy()
    check_arrays(**given(case, x=x))
    x += 1


def test_gradients_may_be_what_a_candidate_returns():
    """(loss, dW, db) in one, as well as the loss beside (dW, db); and no hints but those that there are."""
    case = build_case(NetworkSpec.parse(IDS[0]))
    answer = Scratch().answer(case)
    for loss in (answer.loss, None):
        report = check_arrays(
            **given(case, gradients=(loss, answer.weights, answer.biases), loss_value=None if loss else answer.loss)
        )
        assert report.verdict == "agrees"
        assert report.tally.by_quantity["loss", Verdict.AGREE] == 1
    with pytest.raises(ValueError, match="hints are none, where or all; got 'nothing'"):
        check_arrays(**given(case, hints="nothing"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": []}, "weights must hold one array for each layer; got none"),
        (
            {"x": np.zeros((5, 4))},
            (
                "weights[0] takes 3 numbers, and x has 4 inputs a sample. If weights are stored the other way, say "
                'weight_layout="in_out"; if x is, samples="columns"'
            ),
        ),
        ({"weights": [np.zeros((4, 3)), np.zeros((2, 5))]}, "weights[1] takes 5 numbers, and weights[0] puts out 4."),
        ({"x": np.zeros(3)}, "x must be 2-dimensional and hold real numbers; got float64, shape (3,)"),
        (
            {"gradients": None},
            "one array for each layer, or a dict with the keys loss, weights, biases, inputs, deltas; got a NoneType",
        ),
        ({"gradients": (1.0,)}, "deltas; got a tuple of 1"),
        ({"gradients": (1.0, [], [])}, "the loss is given twice: as loss_value, and in gradients"),
        ({"y": [["a", "b"]] * 5}, "y must hold real numbers; got a list of dtype <U1"),
        ({"y": [[1.0, 2.0], [3.0]]}, "y is no array: "),
        ({"biases": [None]}, "biases must hold one entry for each of 2 layers; got 1"),
        ({"activations": ["tanh"] * 3}, "activations must hold one entry for each of 2 layers; got 3"),
        ({"activations": "tahn"}, "'tahn' is not a known activation. Did you mean 'tanh'?"),
        ({"biases": [np.zeros(4), np.zeros(3)]}, "biases[1] must hold 2 numbers, one for each output; got shape (3,)"),
        ({"loss": "mes"}, "'mes' is not a known loss. Did you mean 'mse'?"),
        ({"loss_options": {"beta": 2.0}}, "loss mse has no option 'beta'; it has: none"),
        ({"loss": "gaussian_nll", "loss_options": {"va": 1}}, "has no option 'va'; it has: full, eps, var"),
        ({"y": np.zeros((5, 3))}, "y must have shape (5, 2), samples in rows; got (5, 3)"),
        (
            {"loss": "cross_entropy", "y": [0, 1, 2, 0, 1]},
            "y must hold 5 classes from 0 to 1, or one-hot rows; got int64",
        ),
        ({"reduction": "none"}, "upstream belongs to reduction 'none', and is needed there"),
        ({"penalty": "l2"}, "penalty must be L1+L2, then +biases"),
        ({"penalty": 0.1}, "penalty must be a Penalty, or L1+L2 as a text; got 0.1"),
        ({"activations": [np.tanh, "tanh"]}, "activations[0] must be a name, like 'tanh' or 'leaky_relu=0.2'; got"),
        ({"activations": None}, "activations must hold one entry for each layer; got a NoneType"),
        ({"weights": 3}, "weights must hold one entry for each layer; got a int"),
        ({"loss": None}, "loss must be a name, like 'mse'; got None"),
        ({"reduction": None}, "reduction must be a name, like 'mean'; got None"),
        ({"loss_options": [1]}, "loss_options must be a dict of the loss's keywords; got [1]"),
        ({"x": torch.ones(5, 3, requires_grad=True)}, "x is no array: Can't call numpy() on Tensor that requires grad"),
        (
            {"biases": None},
            "gradients have a db for layer 1, and biases[0] is None: give the bias, be it 0, or None for its gradient",
        ),
        ({"x": [[1, 2, np.nan]] * 5}, "x must hold finite numbers; got nan at [0, 2]"),
        ({"weights": [np.zeros((4, 3)), np.full((2, 4), np.inf)]}, "weights[1] must hold finite numbers; got inf at"),
        ({"biases": [[0.0, [1.0]], [0.0, 0.0]]}, "biases[0] is no array: "),
        ({"loss": "gaussian_nll"}, 'gaussian_nll wants loss_options={"var": array}, the variance of each target, at'),
        ({"loss": "gaussian_nll", "loss_options": {"var": np.full((5, 2), -1)}}, "at least 0; got numbers below 0"),
        ({"loss": "huber", "loss_options": {"delta": None}}, "huber: delta must be a finite number; got None"),
        ({"loss": "huber", "loss_options": {"delta": 1e-300}}, "delta must be 0, or of a size that float32 holds"),
        ({"loss": "poisson_nll", "loss_options": {"full": 2.5}}, "poisson_nll: full must be one of 0, 1; got 2.5"),
        (
            {"activations": ["tanh", "sigmoid"], "loss": "bce", "y": [[0.5, 2.0]] * 5},
            "y: bce wants numbers in [0, 1]; got 2.0 for output 1 of sample 0, in the row [0.5 2. ]",
        ),
        ({"loss": "multilabel_margin", "y": [[1, 1]] * 5}, "wants rows of different classes that -1 ends; got 1"),
        ({"loss": "multilabel_margin", "y": [[7, -1]] * 5}, "wants rows of different classes that -1 ends; got 7"),
        ({"loss": "cross_entropy", "y": [-100] * 5}, "y: every target is ignored, or of class weight 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arrays_that_make_no_network_are_said(changes: dict[str, object], message: str):
    """The first that does not fit, what it is and what is wanted."""
    case = build_case(NetworkSpec.parse(IDS[0]))
    with pytest.raises(SpecError, match=re.escape(message)):
        check_arrays(**given(case, **changes))


@pytest.mark.parametrize("name", ["y", "biases"])
def test_numbers_beyond_the_dtype_are_refused(name: str):
    """A float64 in a float32 case would be infinite without a word."""
    case = build_case(NetworkSpec.parse("3-2,identity,mse,sum,n5,f32,normal,s1"))
    huge = {"y": np.full((5, 2), 1e39), "biases": [np.full(2, 1e39)]}[name]
    where = name if name == "y" else "biases[0]"
    said = f"{where} holds 1e+39, beyond what float32 holds, the dtype of weights and x: give them as float64"
    with pytest.raises(SpecError, match=re.escape(said)):
        check_arrays(**given(case, **{name: huge}))


@pytest.mark.parametrize("turned", [True, False], ids=["columns", "rows"])
def test_a_single_bias_as_a_table_is_a_bias(turned: bool):
    """Logistic regression as courses write it: b and db are (1, 1), which is a row as well as a column."""
    case = build_case(NetworkSpec.parse("3-1,sigmoid,bce,mean,n6,f64,normal,s1"))
    right = Scratch().answer(case)
    arrays = given(case)
    arrays["biases"] = [case.biases[0].reshape(1, 1)]
    arrays["gradients"] = right.weights, [right.biases[0].reshape(1, 1)]
    if turned:
        arrays |= {"x": case.x.T, "y": case.y.T, "samples": "columns"}
    assert check_arrays(**arrays).verdict == "agrees"


def test_one_hot_rows_with_class_weights_are_what_torch_makes_of_them():
    """Probabilities, of which mean divides by N and not by the class weights."""
    x, W = np.random.default_rng(3).normal(size=(5, 3)), np.random.default_rng(4).normal(size=(2, 3))
    y, weight = np.eye(2)[[0, 1, 1, 0, 1]], np.array([0.3, 2.0])
    leaf = torch.tensor(W, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(torch.tensor(x) @ leaf.T, torch.tensor(y), weight=torch.tensor(weight))
    loss.backward()
    found = check_arrays(
        weights=[W], biases=None, x=x, y=y, activations="identity", loss="cross_entropy", reduction="mean",
        loss_options={"weight": weight}, loss_value=loss.item(), gradients=([leaf.grad.numpy()], [None]),
    )  # fmt: skip
    assert found.verdict == "agrees"


def test_negative_weights_are_refused():
    """They would make a cost that rewards mistakes, and no bound."""
    case = build_case(NetworkSpec.parse("3-2,identity,cross_entropy,mean,n5,f64,normal,s1"))
    with pytest.raises(SpecError, match="weight must hold weights, at least 0; got -1"):
        check_arrays(**given(case, loss_options={"weight": np.array([-1.0, 1.0])}))
