"""The script to paste: it runs by itself, and prints PyTorch's gradients beside the candidate's."""

import ast
import contextlib
import io
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.diagnosis.evidence import Exhibit
from backproof.diagnosis.script import script
from backproof.truth.autograd import reference
from backproof.truth.rounding import bound

CASE = build_case(NetworkSpec.parse("2-3-2,tanh-sigmoid,mse,mean,n2,f64,integers,s1,bias=01"))


def run(text):
    """The names that a script defines; what it prints is swallowed."""
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "script", "exec"), names)  # noqa: S102  our own text
    return names


def of(case, answer=None):
    """The script of a case with an answer."""
    return script(Exhibit(case, Answer() if answer is None else answer, ()))


@pytest.mark.no_cover
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_script_computes_the_gradients_of_every_network(dtype):
    """All activations, losses, reductions and penalties: C and every gradient, to rounding."""
    domain = Domain(depth=(1, 2), width=(1, 4), batch_size=(1, 4), penalties="mixed", dtypes=dtype)
    met = Counter()
    for spec in sample_specs(domain, seed=3, shard=0, count=100):
        case = build_case(spec)
        answer = Scratch().answer(case)
        names = run(of(case, answer))
        # PyTorch's own hardsigmoid has a slope of seven digits; the script writes it as relu6, which has all of them.
        own_slope = any(formula.name == "hardsigmoid" for formula in spec.activations)
        wanted, limit = answer if own_slope else reference(case), bound(case)
        for at in range(spec.depth):
            assert_near(names[f"W{at + 1}"].grad.numpy(), wanted.weights[at], limit.weights[at], spec)
            if case.biases[at] is not None:
                assert_near(names[f"b{at + 1}"].grad.numpy(), wanted.biases[at], limit.biases[at], spec)
        if spec.reduction != "none":
            assert_near(names["C"].item(), wanted.loss, limit.loss, spec)
        met.update({spec.loss.name, *(formula.name for formula in spec.activations)})
    assert set(met) == {*LOSSES, *ACTIVATIONS}


def assert_near(found, wanted, limit, spec):
    """Within what rounding explains, on both sides; NaN where NaN is right."""
    with np.errstate(invalid="ignore"):
        near = (np.abs(found - wanted) <= 2.0 * limit) | (np.isnan(found) & np.isnan(wanted)) | (found == wanted)
    assert np.all(near), spec.id


def test_script_needs_numpy_and_torch_alone():
    """Nothing of ours: anybody can repeat the finding."""
    tree = ast.parse(of(CASE, Scratch().answer(CASE)))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"numpy", "torch", "torch.nn.functional"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    assert "backproof" not in of(CASE)


def test_script_runs_in_an_empty_room_and_prints_both_numbers():
    """PyTorch's gradients from the last layer to the first, and below each the candidate's."""
    answer = Scratch().answer(CASE)
    wrong = Answer(loss=answer.loss, weights=(answer.weights[0], 7.0 * answer.weights[1]), biases=answer.biases)
    done = subprocess.run([sys.executable, "-I", "-c", of(CASE, wrong)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = [line.split(maxsplit=1)[0] for line in done.stdout.splitlines() if line[0] not in " ["]
    assert told == ["C", "dC/db2", "dC/dW2", "dC/dW1"]  # layer 1 has no bias
    printed = done.stdout.split("dC/dW2")[1].split("dC/dW1")[0]
    right, yours = printed.split("  yours")
    assert np.array_equal(numbers(right), np.round(answer.weights[1].ravel(), 8))
    assert np.array_equal(numbers(yours), np.round(7.0 * answer.weights[1].ravel(), 8))


def numbers(text):
    """The numbers of a printed array."""
    return np.array([float(number) for number in text.replace("[", " ").replace("]", " ").split()])


def test_script_holds_the_case_to_the_last_digit():
    """The id first; the arrays read back as they were."""
    text = of(CASE)
    assert text.splitlines()[0] == f"# {CASE.spec.id}"
    names = run(text)
    assert np.array_equal(names["x"].numpy(), CASE.x)
    assert np.array_equal(names["W2"].detach().numpy(), CASE.weights[1])


def test_script_of_an_answer_that_is_missing_something():
    """What was not returned is None, and numbers that are not finite can be written."""
    answer = Scratch().answer(CASE)
    weights = (None, np.array([[np.nan, np.inf, -np.inf], [1.0, 2.0, 3.0]]))
    text = of(CASE, Answer(weights=weights, biases=answer.biases))
    assert "print('  yours', np.array(None))" in text
    assert "print('C', C.item())\nprint('dC" in text  # no loss of the candidate's
    run(text)
    run(of(CASE, Answer(failure="error", message="no numbers at all")))
