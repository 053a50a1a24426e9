"""What an activation is: phi with its derivative, in one record."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

from abc import ABC, abstractmethod
from typing import ClassVar

from backproof.scratch.arrays import Array

# What an activation's outputs are sure to be; a loss says which of these it takes.
ANY, NONNEGATIVE, PROBABILITIES, LOG_PROBABILITIES = "any", "nonnegative", "probabilities", "log_probabilities"


class Activation(ABC):
    """phi, its derivative, and the products with its Jacobian J_ok = da_o / dz_k.

    rowwise: whether the outputs of a sample depend on one another; if not, J is diagonal. flat: whether the slope is
    exactly 0 on whole stretches. output: what the outputs are sure to be.
    """

    rowwise: ClassVar[bool] = False
    flat: ClassVar[bool] = False
    output: ClassVar[str] = ANY

    @abstractmethod
    def phi(self, z: Array) -> Array:
        """a = phi(z), (N, O)."""
        ...

    @abstractmethod
    def derivative(self, z: Array, a: Array) -> Array:
        """phi'(z), (N, O), where a = phi(z) is at hand; of a row-wise phi the diagonal of J, which is not all of it."""
        ...

    def vector_jacobian(self, upstream: Array, z: Array, a: Array) -> Array:
        """dC/dz_k = sum_o (dC/da_o) J_ok, (N, O): the backward product."""
        return upstream * self.derivative(z, a)

    def jacobian_vector(self, z: Array, a: Array, dz: Array) -> Array:
        """da_o = sum_k J_ok dz_k, (N, O): the forward product."""
        return self.derivative(z, a) * dz
