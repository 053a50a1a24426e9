"""How tight the bounds are, what they see in ordinary networks, and what they cost: `backproof power --tightness`.

    bound over true error      the chained bound over the error of scratch, which exact arithmetic knows, at the entry
                               of each quantity that comes nearest to its bound
    smallest error found       in the largest entry of a layer's dW: the least that the comparison refuses
    local bound over delta     one equation's bound over the delta that it predicts, the worst layer of a network of one
                               sample; infinite where it predicts none, behind units that are all inactive
    cost over PyTorch's        processor time of the chained bound over that of PyTorch's forward and backward pass in
                               the case's dtype, tensors made from arrays included; by turns, the median of each

Networks are random ones of the default domain unless the group says otherwise, each dtype by itself. `median` is the
median over all networks, with all quantities or layers of each, and `worst` the largest that is finite.
`ninth_of_ten` is what nine of ten do not exceed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from backproof.cases.case import Case, build_case
from backproof.cases.catalogue import DTYPES, LOSSES
from backproof.cases.domain import Domain
from backproof.cases.gradients import Gradients
from backproof.cases.sampling import sample_specs
from backproof.judging.bounds import Bounds
from backproof.judging.doubts import entry
from backproof.judging.residuals import residuals
from backproof.power.checkers import CORRECT, PIECEWISE_LINEAR, SMOOTH, Subject, by_bounds, finest_found, finest_of
from backproof.truth import autograd, exact
from backproof.truth.rounding import bound

if TYPE_CHECKING:
    import pandas as pd

ELEMENTWISE: Final = tuple(name for name, loss in LOSSES.items() if not loss.per_sample)
NARROW: Final = Domain(losses=ELEMENTWISE, width=(1, 5))
UNFUSED: Final = Domain(losses="categorical_cross_entropy", output_activations="softmax")

STEPS: Final = 8
"""Sizes of an error from one power of two to the next."""

REPETITIONS: Final = 7
"""How often each side of a timing takes its turn."""


@dataclass(frozen=True)
class Measurement:
    """One figure on one group of networks: what is measured of a case, and the number to hold for each dtype.

    measure: the numbers of one case, of which the median and the largest are reported; none where it has nothing to
    show. held: which of the two the target is for. share: of the networks that are asked for, how many are taken.
    """

    figure: str
    group: str
    domain: Domain
    measure: Callable[[Case], Iterator[float]]
    targets: Mapping[str, float]
    held: Literal["median", "worst"] = "median"
    share: float = 1.0


def _both(target: float) -> dict[str, float]:
    """The same target for both dtypes."""
    return dict.fromkeys(DTYPES, target)


def true_errors(case: Case) -> Iterator[float]:
    """Chained bound over true error for each quantity, at the entry with the least; inf where no entry errs at all."""
    limit = Bounds(case).limit(against="truth")
    truth, given = exact.enclose(case, limit).middle, CORRECT.answer(case)
    # Scratch leaves no quantity out.
    answer = Gradients(given.loss, given.weights, given.biases, given.inputs, given.deltas)  # type: ignore[arg-type]
    for quantity, layer, wanted in truth.quantities():
        allowed = entry(limit, quantity, layer)
        known = np.isfinite(wanted) & np.isfinite(allowed) & (allowed > 0.0)
        error = np.abs(entry(answer, quantity, layer).astype(np.float64) - wanted)[known]
        if known.any():
            worst = float((error / allowed[known]).max())
            yield math.inf if worst == 0.0 else 1.0 / worst


def found_errors(case: Case) -> Iterator[float]:
    """The smallest relative error in the largest entry of each layer's dW that is found; inf where not even 1 is."""
    answer = CORRECT.answer(case)
    finds, finest = by_bounds(Subject(case, answer)), STEPS * finest_of(case.spec.dtype)
    for layer, gradient in enumerate(answer.weights, 1):
        if gradient is not None and gradient.any():
            exponent = finest_found(finds, "largest entry", finest, layer=layer, steps=STEPS)
            yield math.inf if exponent < 0 else 2.0 ** (-exponent / STEPS)


def local_bounds(case: Case) -> Iterator[float]:
    """The local bound over the delta that is predicted, the worst layer's."""
    found = [test.power for test in residuals(case, CORRECT.answer(case)) if test.quantity == "delta"]
    if found:
        yield max(found)


def costs(case: Case) -> Iterator[float]:
    """Processor time of the chained bound over PyTorch's forward and backward pass, by turns."""
    sides: tuple[Callable[[Case], object], ...] = (bound, autograd.gradients)
    times: tuple[list[int], ...] = ([], [])
    for _ in range(REPETITIONS):
        for side, taken in zip(sides, times, strict=True):
            start = time.process_time_ns()
            side(case)
            taken.append(time.process_time_ns() - start)
    yield median(times[0]) / median(times[1])


_TRUE_ERROR: Final = "chained bound over true error"
_FOUND: Final = "smallest error found, largest entry"
_LOCAL: Final = "local bound over delta"
_COST: Final = "cost over PyTorch's"

# Any depth to 30, widths to 64, one sample.
_DEEP: Final[dict[str, Any]] = {"depth": (1, 30), "width": (4, 64), "batch_size": 1}
_PLAIN: Final[dict[str, Any]] = {
    "activations": SMOOTH + PIECEWISE_LINEAR,
    "output_activations": "identity",
    "losses": ("mse", "cross_entropy"),
    "biases": "always",
}
_LOCAL_TARGETS: Final = MappingProxyType({"float64": 1e-13, "float32": 1e-4})

MEASUREMENTS: Final = (
    Measurement(_TRUE_ERROR, "elementwise losses", Domain(losses=ELEMENTWISE), true_errors, _both(250.0)),
    Measurement(_TRUE_ERROR, "cross_entropy", Domain(losses="cross_entropy"), true_errors, _both(600.0)),
    Measurement(_TRUE_ERROR, "softmax, categorical_cross_entropy", UNFUSED, true_errors, _both(3000.0)),
    Measurement(
        _TRUE_ERROR,
        "elementwise losses, widths to 5",
        NARROW,
        true_errors,
        _both(50.0),
    ),
    Measurement(_TRUE_ERROR, "all losses, widths to 5", Domain(width=(1, 5)), true_errors, _both(50.0)),
    Measurement(_FOUND, "all losses", Domain(), found_errors, {"float64": 1e-12}),
    Measurement(_FOUND, "elementwise losses", Domain(losses=ELEMENTWISE), found_errors, {"float32": 1e-4}),
    Measurement(_FOUND, "softmax, categorical_cross_entropy", UNFUSED, found_errors, {"float32": 1e-3}),
    Measurement(_LOCAL, "as in the power table", Domain(**_DEEP, **_PLAIN), local_bounds, _LOCAL_TARGETS, "worst"),
    Measurement(_LOCAL, "all activations and losses", Domain(**_DEEP), local_bounds, _LOCAL_TARGETS, "worst"),
    Measurement(_COST, "widths to 16", Domain(), costs, _both(0.6), share=0.25),
    Measurement(_COST, "width 64", Domain(width=64), costs, _both(1.3), share=0.25),
    Measurement(_COST, "width 256", Domain(width=256), costs, _both(3.0), share=0.1),
)


def tightness(
    *, networks: int = 200, seed: int = 0, progress: Callable[[int, int, str], None] | None = None
) -> pd.DataFrame:
    """A row for each figure, group and dtype: the median, the largest finite number, the target, and whether it is met.

    networks: how many random ones for each row; the costs take fewer. All but the costs follow from the seed.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    tasks = [(measurement, dtype) for measurement in MEASUREMENTS for dtype in measurement.targets]
    for done, (measurement, dtype) in enumerate(tasks, 1):
        rows.append(_row(measurement, dtype, networks, seed))
        if progress is not None:
            progress(done, len(tasks), f"{measurement.figure}, {measurement.group}, {dtype}")
    return pd.DataFrame(rows)


def _row(measurement: Measurement, dtype: str, networks: int, seed: int) -> dict[str, object]:
    domain = replace(measurement.domain, dtypes=(dtype,))
    count = max(1, round(networks * measurement.share))
    specs = sample_specs(domain, seed=seed, shard=0, count=count)
    numbers = [number for spec in specs for number in measurement.measure(build_case(spec))]
    finite = [number for number in numbers if math.isfinite(number)]
    found = dict.fromkeys(("median", "ninth_of_ten", "worst"), math.nan)
    if finite:
        ordered = sorted(numbers)
        found = {"median": median(ordered), "ninth_of_ten": ordered[len(ordered) * 9 // 10], "worst": max(finite)}
    target = measurement.targets[dtype]
    return {
        "figure": measurement.figure,
        "networks": measurement.group,
        "dtype": dtype,
        "count": count,
        **found,
        "infinite": len(numbers) - len(finite),
        "target": target,
        "held": measurement.held,
        "met": found[measurement.held] <= target,
    }
