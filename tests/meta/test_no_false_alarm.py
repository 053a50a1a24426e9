"""Correct code is never accused: several implementations, each filling, networks of the whole default domain.

Each runs through the same examination as any candidate. PyTorch may be found wrong where it is known to be, by name.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backproof.candidates.builtin import BUILTIN
from backproof.candidates.contract import Answer, Candidate
from backproof.cases import Case, Domain, build_case
from backproof.cases.fillings import FILLINGS
from backproof.cases.sampling import sample_specs
from backproof.examine import Examiner
from backproof.judging.verdicts import Check, Verdict
from backproof.scratch import Backprop
from backproof.truth.deviations import DEVIATIONS

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent.parent / "truth"))
from implementations import ROUNDINGS, gradients_of

VALUES = tuple(name for name, filling in FILLINGS.items() if filling.inputs is None)
# Where most is undecided every means is tried, and a case costs ten times as much as elsewhere.
COUNTS = {"ones": 16, "saturated": 24}
LISTED = {row.name for row in DEVIATIONS}
SMALL = Domain(penalties="mixed", depth=(1, 4), width=(1, 8), batch_size=(1, 8))


class Rounding:
    """The handwritten network with another Backprop that is right as well, computing in the case's dtype or another."""

    def __init__(self, name: str, backprop: Callable[[], Backprop], *, narrow: bool = False) -> None:
        self.name = name
        self.domain = Domain()
        self.backprop = backprop
        self.narrow = narrow

    def answer(self, case: Case) -> Answer:
        """Its gradients, of a float32 copy of the case if it is to be narrow."""
        return Answer.of(gradients_of(in_float32(case) if self.narrow else case, self.backprop))


def in_float32(case: Case) -> Case:
    """The case as a program sees it that computes in float32 whatever it is given."""

    def cast(array: Any) -> Any:
        return array if array is None or array.dtype.kind == "i" else array.astype(np.float32)

    return replace(
        case,
        weights=tuple(map(cast, case.weights)),
        biases=tuple(map(cast, case.biases)),
        x=cast(case.x),
        y=cast(case.y),
        loss_arrays={name: cast(array) for name, array in case.loss_arrays.items()},
        upstream=cast(case.upstream),
    )


def verdicts(candidate: Candidate, domain: Domain, *, seed: int, count: int) -> Counter[Verdict]:
    """How often each verdict is given; AssertionError where correct code is accused."""
    examiner, found = Examiner(candidate), Counter[Verdict]()
    for spec in sample_specs(domain, seed=seed, shard=0, count=count):
        for check in examiner.examine(build_case(spec)):
            assert is_innocent(check), (spec.id, check)
            found[check.verdict] += 1
    return found


def is_innocent(check: Check) -> bool:
    """Whether a verdict accuses nobody, or PyTorch of something that it is known to do."""
    return not check.verdict.fails and (check.verdict is not Verdict.REFERENCE_WRONG or check.note in LISTED)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_builtin_candidates_are_never_accused(name: str, values: str) -> None:
    """scratch, and PyTorch's own float32 and float64."""
    found = verdicts(BUILTIN[name](), replace(SMALL, values=(values,)), seed=11, count=COUNTS.get(values, 36))
    assert found[Verdict.AGREE] > sum(found.values()) / 2


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_ordinary_networks_are_decided(name: str) -> None:
    """Normal numbers, the whole default domain: to depth 6, width 16 and 32 samples nothing is left open."""
    found = verdicts(BUILTIN[name](), Domain(penalties="mixed"), seed=14, count=100)
    assert {*found} <= {Verdict.AGREE, Verdict.REFERENCE_WRONG}


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("name", [name for name in ROUNDINGS if name != "scratch"])
def test_other_orders_of_summation_are_never_accused(name: str, values: str) -> None:
    """Loops over samples and neurons from either end, and subnormals flushed to zero."""
    verdicts(Rounding(name, ROUNDINGS[name]), replace(SMALL, values=(values,)), seed=12, count=15)


@pytest.mark.parametrize("values", ["normal", "decimals", "integers"])
def test_a_program_in_float32_is_never_accused(values: str) -> None:
    """It is given float64 numbers, rounds them, and answers in float32."""
    domain = replace(SMALL, dtypes=("float64",), values=(values,))
    found = verdicts(Rounding("narrow", Backprop, narrow=True), domain, seed=13, count=40)
    assert found[Verdict.AGREE] > sum(found.values()) / 2


@pytest.mark.parametrize(
    "losses",
    [
        "bce_with_logits=weighted",
        ("cross_entropy", "nll", "gaussian_nll", "multi_margin", "multilabel_soft_margin"),
    ],
    ids=["pos_weight", "others"],
)
@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_weights_of_any_size_accuse_nobody(name: str, losses: str | tuple[str, ...]) -> None:
    """Class weights, pos_weights and variances from 1e-5 to 1000: PyTorch's own kernels cancel with small ones."""
    examiner, random = Examiner(BUILTIN[name]()), np.random.default_rng(17)
    weighted = 0
    for spec in sample_specs(replace(SMALL, losses=losses), seed=17, shard=0, count=80):
        case = build_case(spec)
        arrays = {
            key: (10.0 ** random.uniform(-5.0, 3.0, array.shape)).astype(array.dtype)
            for key, array in case.loss_arrays.items()
        }
        for check in examiner.examine(replace(case, loss_arrays=arrays)):
            assert is_innocent(check), (spec.id, arrays, check)
        weighted += bool(arrays)
    assert weighted > 30


def test_what_is_held_innocent_is_not_everything() -> None:
    """The control: a gradient 2^-10 too large, in one layer of the same networks, is found in most of them."""

    class Scaled(Backprop):
        """BP4: the first layer's dW is 2^-10 of itself too large."""

        def weight_gradient(self, delta: Any, layer: Any) -> Any:
            """dW of layers above is right."""
            found = super().weight_gradient(delta, layer)
            return found if layer.below is not None else found * found.dtype.type(1.0 + 2.0**-10)

    examiner = Examiner(Rounding("scaled", Scaled))
    accused = [
        any(not is_innocent(check) for check in examiner.examine(build_case(spec)))
        for spec in sample_specs(Domain(), seed=11, shard=0, count=40)
    ]
    assert sum(accused) >= 35
