"""Numbers that already exist, in a notebook say, held to the same truth and the same bound: `check_arrays`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.campaign.shards import Shard, rows_of
from backproof.campaign.tally import Tally
from backproof.candidates.contract import Answer
from backproof.candidates.layout import Layout, Samples, Weights
from backproof.candidates.reading import KEYS, UnreadableError, read
from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.cases.spec import Penalty
from backproof.cases.spelling import SpecError
from backproof.diagnosis.card import Hints, check_hints
from backproof.diagnosis.diagnosis import diagnose_answer
from backproof.diagnosis.evidence import Inquiry
from backproof.examine import Examiner, Truth
from backproof.judging.verdicts import UNREMARKABLE
from backproof.outcome import Report
from backproof.publishing.archive import open_archive
from backproof.sessions.arrays import bias_layout, case_of

Array = NDArray[Any]

NAME: Final = "your arrays"


def check_arrays(
    *,
    weights: Sequence[Any],
    biases: Sequence[Any] | None,
    x: Any,
    y: Any,
    activations: str | Sequence[str],
    loss: str,
    reduction: str,
    gradients: Sequence[Any] | Mapping[str, Any],
    loss_value: Any = None,
    loss_options: Mapping[str, Any] | None = None,
    penalty: Penalty | str | None = None,
    upstream: Any = None,
    samples: Samples = "rows",
    weight_layout: Weights = "out_in",
    truth: Truth = "torch",
    strict_kinks: bool = False,
    hints: Hints = "all",
) -> Report:
    """Judge gradients that were computed elsewhere: is dC/dW, dC/db of this network on this batch right?

        check_arrays(weights=[W1, W2], biases=[b1, b2], x=x, y=y, activations=["tanh", "softmax"],
                     loss="categorical_cross_entropy", reduction="mean", gradients=([dW1, dW2], [db1, db2]))

    weights: (O, I) each, or (I, O) with weight_layout="in_out"; biases: (O,), (1, O) or (O, 1) each, None for a layer
    without, or None for none at all; x: (N, I), or (I, N) with samples="columns"; y: (N, O) likewise, or class indices
    (N,); one-hot rows do as well, and (N,) for a single output. activations: a name for each layer, or one for all,
    with parameters as in "leaky_relu=0.2". loss: a name of torch's; loss_options: its keywords, like
    {"label_smoothing": 0.1} or {"weight": array}. gradients: (dW, db), or (loss, dW, db) as a candidate returns it, or
    a dict that may have the keys inputs and deltas, too. upstream: under reduction "none", what the losses are
    multiplied by. truth, strict_kinks, hints: as for `check`.

    float32 where weights and x are float32, else float64. Raises SpecError where the arrays make no network, with the
    name of the first that does not fit, and ReferenceMissingError without PyTorch; what is wrong with the gradients is
    in the Report.
    """
    check_hints(hints)
    layout = Layout(samples=samples, weights=weight_layout, bias=bias_layout(biases))
    parts = _parts(gradients, loss_value)
    case = case_of(
        layout,
        weights=weights,
        biases=biases,
        x=x,
        y=y,
        activations=activations,
        loss=loss,
        loss_options=loss_options or {},
        reduction=reduction,
        penalty=penalty,
        upstream=upstream,
    )
    _check_biases(parts.get("biases"), case)
    try:
        answer = read(parts, case, layout)
    except UnreadableError as error:
        answer = Answer(failure=error.failure, message=str(error))
    given = Given(case, answer)
    checks = Examiner(given, truth=truth).examine(case)
    tally = Tally()
    tally.add(case.spec, checks, strict_kinks=strict_kinks)
    rows = list(rows_of(NAME, case.spec, checks))
    differing = [row for row, check in zip(rows, checks, strict=True) if check.verdict not in UNREMARKABLE]
    findings = None
    if answer.failure is None:
        findings = diagnose_answer(Inquiry(given, truth=truth), case, answer)
    from backproof.reports.tables import table

    with open_archive(None, keep=True) as archive:
        archive.add(Shard(tally.settle(), table("checks", rows), table("discrepancies", differing)))
        found = Report(
            candidate=NAME,
            truth=truth,
            domain=given.domain,
            seed=0,
            cases=1,
            strict_kinks=strict_kinks,
            tally=tally,
            scaling=(),
            interrupted=False,
            ids=("one batch",),
            repeatable=False,
            findings=findings,
            hints=hints,
        )
        return archive.finish(found, {"command": "check_arrays"})


@dataclass(frozen=True)
class Given:
    """One answer to one case, as a candidate; it has no other."""

    case: Case
    answered: Answer
    name: str = NAME

    @property
    def domain(self) -> Domain:
        """The one network and batch size."""
        spec = self.case.spec
        return Domain(
            widths=spec.widths,
            batch_size=spec.batch_size,
            activations=spec.activations[:-1] or spec.activations,
            output_activations=spec.activations[-1:],
            losses=(spec.loss,),
            reductions=spec.reduction,
            dtypes=spec.dtype,
            biases="always" if all(spec.biases) else "mixed" if any(spec.biases) else "never",
            penalties="none" if spec.penalty is None else spec.penalty,
        )

    def answer(self, case: Case) -> Answer:
        """The given answer, where the question is the given case."""
        own = (*self.case.weights, self.case.x, self.case.y)
        asked = (*case.weights, case.x, case.y)
        same = case.spec == self.case.spec and all(map(np.array_equal, own, asked))
        return self.answered if same else Answer(failure="unsupported", message="only one batch was given")


def _parts(gradients: object, loss_value: Any) -> dict[str, Any]:
    """What was given as a candidate's dict.  Raises SpecError where it is none of the forms that are wanted."""
    if isinstance(gradients, Mapping):
        found = dict(gradients)
    elif isinstance(gradients, (tuple, list)) and len(gradients) in (2, 3):
        found = dict(zip(("loss", "weights", "biases")[-len(gradients) :], gradients, strict=True))
    else:
        many = f" of {len(gradients)}" if isinstance(gradients, (tuple, list)) else ""
        raise SpecError(
            "gradients must be (dW, db) or (loss, dW, db), each of dW and db with one array for each layer, or a dict "
            f"with the keys {', '.join(KEYS)}; got a {type(gradients).__name__}{many}"
        )
    if loss_value is not None and found.get("loss") is not None:
        raise SpecError("the loss is given twice: as loss_value, and in gradients")
    return found if loss_value is None else {**found, "loss": loss_value}


def _check_biases(gradients: object, case: Case) -> None:
    """Raises SpecError where a db is given for a layer without bias, which nobody would look at."""
    if isinstance(gradients, (tuple, list)):
        for at, (gradient, bias) in enumerate(zip(gradients, case.biases, strict=False)):
            if gradient is not None and bias is None:
                raise SpecError(
                    f"gradients have a db for layer {at + 1}, and biases[{at}] is None: give the bias, be it 0, or "
                    "None for its gradient"
                )
