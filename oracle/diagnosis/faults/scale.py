"""The scale got wrong: every gradient is the right one times a constant, and the loss is right."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

from backproof.diagnosis.faults.factors import FACTORS, Factor
from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop
from backproof.scratch.arrays import Array
from backproof.scratch.objective import Objective

SCALE = Chapter("scale", wanted="g = dC/da")


def _scaled(factor: Factor) -> None:
    @SCALE.fault(
        f"gradient_{factor.slug}",
        used=f"g = {factor.text} * dC/da",
        why=factor.why,
        hint="y - a where a - y is meant" if factor.slug == "negated" else f"the first delta times {factor.text}",
        family="gradient_scaled",
    )
    class Scaled(Backprop):
        def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
            return factor.of(*a.shape) * super().loss_gradient(a, y, objective)


for _factor in FACTORS:
    _scaled(_factor)
