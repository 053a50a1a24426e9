"""For every row of DEVIATIONS, cases that meet it and a case beside each that does not; and what PyTorch does there.

The networks are one layer with the unit matrix and no bias, so that z is x and, behind `identity`, a is too. The loss
`linear` with y = 1 shows phi as its value and phi' as delta.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from backproof.cases import Case, NetworkSpec, build_case
from backproof.truth import autograd, exact
from backproof.truth.deviation import Deviation
from backproof.truth.deviations import DEVIATIONS
from backproof.truth.rounding import bound

Row = tuple[float, ...]


@dataclass(frozen=True)
class Example:
    """One sample x with its target y; `quantity` "loss" or "delta" is looked at, in entry 0.

    lost: what PyTorch returns exactly where all digits are lost. truth: the network whose exact value counts, where
    that of the network itself is a set.
    """

    network: str
    quantity: str
    x: Row
    y: Row
    var: float | None = None
    lost: float = 0.0
    truth: str = ""

    @property
    def case(self) -> Case:
        """The case."""
        return self._case(self.network)

    def _case(self, network: str) -> Case:
        case = build_case(NetworkSpec.parse(network))
        dtype = case.spec.dtype
        y = np.array(self.y) if case.y.ndim == 1 else np.array([self.y], dtype=dtype)
        arrays = {} if self.var is None else {"var": np.full((1, len(self.x)), self.var, dtype=dtype)}
        unit = np.eye(len(self.x), dtype=dtype)
        return replace(case, weights=(unit,), x=np.array([self.x], dtype=dtype), y=y, loss_arrays=arrays)

    def _entry(self, gradients) -> float:
        array = gradients.loss if self.quantity == "loss" else gradients.deltas[0]
        return float(np.ravel(array)[0])

    @property
    def computed(self) -> float:
        """What PyTorch gives."""
        return self._entry(autograd.gradients(self.case))

    @property
    def exact(self) -> tuple[float, float]:
        """What is true, and how far from that at most."""
        enclosure = exact.enclose(self._case(self.truth or self.network))
        return self._entry(enclosure.middle), self._entry(enclosure.radius)

    @property
    def departs(self) -> bool:
        """Whether PyTorch's number is further from the truth than any textbook form, or not finite where that is."""
        computed, (truth, radius), case = self.computed, self.exact, self.case
        limits = (self._entry(bound(case, forms=forms, against="truth")) for forms in ("textbook", "accurate"))
        limit = next((limit for limit in limits if np.isfinite(limit)), np.inf)
        held = abs(truth) + radius <= np.finfo(case.spec.dtype).max
        return bool(held and (not np.isfinite(computed) or abs(computed - truth) > limit + radius))

    @property
    def loses(self) -> bool:
        """Whether PyTorch returns `lost`, and the truth is another number, which the dtype holds to full precision."""
        truth, radius = self.exact
        difference = abs(truth - self.lost)
        normal = float(np.finfo(self.case.spec.dtype).smallest_normal)
        return self.computed == self.lost and difference > radius and abs(truth) > normal


@dataclass(frozen=True)
class Pair:
    """A case that meets a row, and one beside it that does not."""

    row: Deviation
    dtype: str
    met: Example
    unmet: Example

    @property
    def id(self) -> str:
        """For the test's name."""
        return f"{self.row.name} ({self.met.network}, {self.met.quantity})"


def pairs() -> Iterator[Pair]:
    """All of them."""
    rows = {row.name: row for row in DEVIATIONS}
    for name, network, quantities, y, numbers in EXAMPLES:
        for dtype, (met, unmet, *more) in numbers.items():
            activation_and_loss = f"{network},sum,n1,f{dtype[5:]},normal,s0,bias=0"
            for quantity in quantities:
                first = Example(f"{len(met)}-{len(met)},{activation_and_loss}", quantity, met, y)
                if name.startswith("softplus: linear"):
                    truth = first.network.replace("softplus", "softplus=1+1000")
                    first = replace(first, truth=truth, lost=met[0] if quantity == "loss" else 1.0)
                if more:
                    first = replace(first, var=more[0])
                yield Pair(rows[name], dtype, first, replace(first, x=unmet))


F64, F32 = "float64", "float32"
LOSS, DELTA, BOTH = ("loss",), ("delta",), ("loss", "delta")
ONE = (1.0,)

# name, activation and loss, quantities, y, and per dtype x where it is met, x where it is not, and var if there is one.
EXAMPLES: tuple[tuple[str, str, tuple[str, ...], Row, dict[str, tuple]], ...] = (
    (
        "hardsigmoid: the slope in float64 is float32(1/6)", "hardsigmoid,linear", DELTA, ONE,
        {F64: ((1.0,), (4.0,))},
    ),
    (
        "celu: the slope in float64 takes alpha in float32", "celu=0.3,linear", DELTA, ONE,
        {F64: ((-1.0,), (1.0,))},
    ),
    (
        "gelu=tanh: the slope is NaN where z^2 overflows", "gelu=tanh,linear", DELTA, ONE,
        {F64: ((1e155,), (1e150,)), F32: ((2e19,), (1e19,))},
    ),
    (
        "hardswish: infinite where 6 z overflows", "hardswish,linear", LOSS, ONE,
        {F64: ((1e308,), (1e307,)), F32: ((1e38,), (1e37,))},
    ),
    (
        "softplus: exp(beta z) overflows below a large threshold", "softplus=1+1000,linear", BOTH, ONE,
        {F64: ((720.0,), (700.0,)), F32: ((100.0,), (80.0,))},
    ),
    (
        "softplus: grad exp(beta z) overflows before it is divided", "softplus=2,linear", DELTA, (1e33,),
        {F32: ((9.0,), (1.0,))},
    ),
    (
        "softplus: grad exp(beta z) overflows before it is divided", "softplus=2,linear", DELTA, (1e303,),
        {F64: ((9.0,), (1.0,))},
    ),
    (
        "bce: p (1 - p) is clamped at 1e-12 in the gradient", "sigmoid,bce", DELTA, ONE,
        {F64: ((-30.0,), (-20.0,)), F32: ((-30.0,), (-20.0,))},
    ),
    (
        "bce: log p is clamped at -100 in the value", "sigmoid,bce", LOSS, ONE,
        {F64: ((-110.0,), (-90.0,))},
    ),
    (
        "soft_margin: exp(-y a) overflows", "identity,soft_margin", BOTH, ONE,
        {F64: ((-720.0,), (-700.0,)), F32: ((-100.0,), (-80.0,))},
    ),
    (
        "gaussian_nll: (a - y)^2 overflows, or (a - y)^2/var before it is halved",
        "identity,gaussian_nll", LOSS, (0.0,),
        {F64: ((1e160,), (1e150,), 1e300), F32: ((1e25,), (1e18,), 1e30)},
    ),
    (
        "a sum or a multiple overflows before it is divided", "identity,multi_margin", LOSS, (2,),
        {F64: ((1.5e308, 1.5e308, 0.0), (1e306, 1e306, 0.0)), F32: ((3e38, 3e38, 0.0), (1e36, 1e36, 0.0))},
    ),
    (
        "a sum or a multiple overflows before it is divided", "identity,gaussian_nll", DELTA, (0.0,),
        {F64: ((1.2e308,), (1e307,), 1.0), F32: ((3e38,), (1e37,), 1.0)},
    ),
    (
        "softplus: linear beyond its threshold", "softplus,linear", BOTH, ONE,
        {F64: ((21.0,), (19.0,))},
    ),
    (
        "sigmoid: the slope a (1 - a) is 0 where a rounds to 1", "sigmoid,linear", DELTA, ONE,
        {F64: ((40.0,), (30.0,)), F32: ((20.0,), (15.0,))},
    ),
    (
        "tanh: the slope 1 - a^2 is 0 where a rounds to 1", "tanh,linear", DELTA, ONE,
        {F64: ((20.0,), (18.0,)), F32: ((10.0,), (8.0,))},
    ),
    (
        "gelu: 1 + erf is 0 in the lower tail", "gelu,linear", LOSS, ONE,
        {F64: ((-9.0,), (-8.0,)), F32: ((-6.0,), (-5.0,))},
    ),
    (
        "gelu: 1 + erf is 0 in the lower tail", "gelu=tanh,linear", BOTH, ONE,
        {F64: ((-8.0,), (-6.5,)), F32: ((-5.5,), (-4.5,))},
    ),
    (
        "silu: 0 where exp(-z) overflows", "silu,linear", BOTH, ONE,
        {F64: ((-710.0,), (-709.0,)), F32: ((-89.0,), (-88.0,))},
    ),
    (
        "tanhshrink: z - tanh(z) is 0 near 0", "tanhshrink,linear", BOTH, ONE,
        {F64: ((1e-9,), (1e-6,)), F32: ((1e-5,), (0.01,))},
    ),
    (
        "softsign: the slope 1/d - |z|/d^2, d = 1 + |z|, is 0 for large z", "softsign,linear", DELTA, ONE,
        {F64: ((2.0**60,), (1e7,)), F32: ((2.0**30,), (1e3,))},
    ),
    (
        "softmax: the Jacobian p (s - sum p s) is 0 where p rounds to 1", "softmax,linear", DELTA, (1.0, 0.0),
        {F64: ((40.0, 0.0), (30.0, 0.0)), F32: ((20.0, 0.0), (10.0, 0.0))},
    ),
    (
        "softmin: the Jacobian p (s - sum p s) is 0 where p rounds to 1", "softmin,linear", DELTA, (1.0, 0.0),
        {F64: ((-40.0, 0.0), (-30.0, 0.0)), F32: ((-20.0, 0.0), (-10.0, 0.0))},
    ),
    (
        "log_softmax: log p is 0 where p rounds to 1", "log_softmax,linear", BOTH, (1.0, 0.0),
        {F64: ((40.0, 0.0), (30.0, 0.0)), F32: ((20.0, 0.0), (10.0, 0.0))},
    ),
    (
        "cross_entropy: 0 where the target's probability rounds to 1", "identity,cross_entropy", BOTH, (0,),
        {F64: ((40.0, 0.0), (30.0, 0.0)), F32: ((20.0, 0.0), (10.0, 0.0))},
    ),
    (
        "bce_with_logits: one tail of each is 0", "identity,bce_with_logits", LOSS, (0.0,),
        {F64: ((-40.0,), (-30.0,)), F32: ((-20.0,), (-10.0,))},
    ),
    (
        "bce_with_logits: one tail of each is 0", "identity,bce_with_logits", DELTA, ONE,
        {F64: ((40.0,), (30.0,)), F32: ((20.0,), (10.0,))},
    ),
    (
        "poisson_nll: exp(a) - y is 0 near a = log y", "identity,poisson_nll", DELTA, ONE,
        {F64: ((1e-17,), (1e-10,)), F32: ((1e-9,), (1e-3,))},
    ),
)  # fmt: skip


def tables() -> tuple[str, str]:
    """DEVIATIONS as two tables in Markdown: what leaves the bound, and what loses digits inside it."""
    known = list(pairs())
    return tuple(_table(known, leaves_bound=leaves_bound) for leaves_bound in (True, False))


def _table(known: list[Pair], *, leaves_bound: bool) -> str:
    lines = [
        "| what PyTorch does | where | departs | by how much | for example | since |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in DEVIATIONS:
        if row.leaves_bound != leaves_bound:
            continue
        example = next(pair for pair in known if pair.row is row).met
        quantity = "value" if example.quantity == "loss" else "gradient"
        x = ", ".join(f"{entry:g}" for entry in example.x)
        shown = f"{quantity} at {x}: {example.computed:.10g} for {example.exact[0]:.10g}"
        sources = " ".join(
            f"[{at}]({url})" if url.startswith("https") else url for at, url in enumerate(row.sources, 1)
        )
        kinds = f"{row.concerns}, {' and '.join(row.dtypes)}"
        cells = (row.name, row.where, kinds, row.how_much, shown, f"{row.since} {sources}".strip())
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
