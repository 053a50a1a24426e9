"""Other people's gradients, by adapters as their users would write them: each agrees, or is told what differs."""

from dataclasses import replace
from pathlib import Path

import pytest

from backproof import check
from backproof.candidates.loading import load
from backproof.diagnosis.diagnosis import diagnose
from backproof.judging.verdicts import Verdict

ADAPTERS = Path(__file__).parent / "adapters"
OPTIONAL = {"with_jax": "jax", "with_autograd": "autograd"}
PATIENCE = 100.0
"""Seconds for one answer: what compiles at its first call may take a while on a machine that has much to do."""
CASES = {"with_jax": 6}  # it takes its time


def adapted(name: str):
    """The candidates of an adapter by their functions' names, each by the path of its file."""
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name], reason=f"not installed: pip install {OPTIONAL[name]} to have it tested")
    return {found.name.rpartition(":")[2]: found for found in load(str(ADAPTERS / f"{name}.py"), timeout=PATIENCE)}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("scikit_learn", "classifier"),
        ("scikit_learn", "multilabel_classifier"),
        ("scikit_learn", "regressor_with_one_output"),
        ("two_layers", "train_step"),
        ("book", "one_sample"),
        ("book", "many_samples"),
        ("book", "mini_batch"),
        ("course", "two_layer_loss"),
        ("with_jax", "loss_and_gradients"),
        ("with_autograd", "loss_and_gradients"),
    ],
)
def test_what_is_right_agrees(file: str, name: str):
    """Every quantity that is offered is decided, and none is accused."""
    report = check(adapted(file)[name], cases=CASES.get(file, 15), diagnosis=False)
    assert report.verdict == "agrees", str(report)
    assert set(report.tally.verdicts) <= {Verdict.AGREE, Verdict.NOT_OFFERED}


def test_what_xla_does_to_small_numbers_is_no_mistake():
    """It flushes subnormal numbers to zero, and its tanh is several units off: nothing is accused."""
    candidate = adapted("with_jax")["loss_and_gradients"]
    domain = replace(candidate.domain, values=("saturated", "tiny", "sparse"), dtypes=("float64", "float32"))
    report = check(candidate, domain, cases=12, diagnosis=False)
    assert report.verdict == "agrees", str(report)
    assert report.tally.verdicts["agree"] > 4 * report.tally.verdicts["undecided"]


def test_every_adapter_is_tested():
    """No file lies about unused."""
    assert {path.stem for path in ADAPTERS.glob("*.py")} == {
        "scikit_learn", "two_layers", "book", "course", "with_jax", "with_autograd"
    }  # fmt: skip


def test_scikit_learns_regressor_has_the_loss_of_another_gradient():
    """With O outputs its loss is divided by N*O, and its gradient by N: that is said, and nothing else."""
    candidate = adapted("scikit_learn")["regressor"]
    report = check(candidate, cases=12, diagnosis=False)
    assert report.verdict == "disagrees"
    wrong = {quantity for (quantity, verdict) in report.tally.by_quantity if Verdict(verdict).fails}
    assert wrong == {"loss"}
    found = diagnose(candidate, report.tally.failing_specs(), shrink=False)
    assert {diagnosis.equation for diagnosis in found.diagnoses} == {"loss"}
    assert found.conventions_json() == {"loss_value": "1/2 mse/mean", "gradient": "half_squared_error/batchmean"}
    assert {name for name, state in found.equations.items() if state == "broken"} == {"loss"}
