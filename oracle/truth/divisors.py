"""What each reduction divides the sum of the losses by: `mean` differs by loss, `batchmean` does not.

Index legend: `N` batch, `O` outputs of the network.
"""

import numpy as np

from backproof.cases.case import Case
from backproof.cases.catalogue import LOSSES, REDUCTIONS


def divisor(case: Case, reduction: str | None = None) -> float:
    """What `reduction` (default: the case's own) divides the sum by: C = sum(losses) / divisor.

    1 for "none" and "sum", N for "batchmean". For "mean" it is what PyTorch divides by: N O for elementwise losses, N
    for those with one loss per sample, and for `nll` and `cross_entropy` with class indices the summed class weights of
    the targets that are not ignored, which is 0 (and the mean NaN) where all of them are. The penalty is not divided.
    A ValueError says so where the reduction is unknown.
    """
    reduction = case.spec.reduction if reduction is None else reduction
    samples, outputs = len(case.y), case.spec.widths[-1]
    if reduction in ("none", "sum"):
        return 1.0
    if reduction == "batchmean":
        return float(samples)
    if reduction != "mean":
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)} (got {reduction!r})")
    entry = LOSSES[case.spec.loss.name]
    if not entry.per_sample:
        return float(samples * outputs)
    if "ignore_index" in case.loss_options and case.y.ndim == 1:
        return _weight_of_targets(case)
    return float(samples)


def _weight_of_targets(case: Case) -> float:
    """The sum over the targets that count of their class weight (1 without weights), in float64."""
    options = case.loss_options
    counted = case.y[case.y != options["ignore_index"]]
    weight = options["weight"]
    return float(len(counted)) if weight is None else float(np.sum(weight[counted], dtype=np.float64))
