"""Candidates for the diagnosis: mistakes that a test writes down itself, in a domain that they are not asked beyond."""

import pytest

from backproof.candidates.builtin import network_of
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.diagnosis.evidence import Inquiry
from backproof.scratch import Backprop

PLAIN = Domain(
    depth=(1, 3),
    width=(1, 4),
    batch_size=(1, 4),
    activations=("sigmoid", "tanh"),
    losses="half_squared_error",
    reductions="sum",
    dtypes="float64",
    biases="always",
)


class Handwritten:
    """The handwritten network with a Backprop of its own, which notes what it is asked for beyond its domain."""

    def __init__(self, backprop: type[Backprop] = Backprop, domain: Domain = PLAIN, *, returns: str = "all") -> None:
        self.name = "my_net.py:f"
        self.backprop = backprop
        self.domain = domain
        self.returns = returns
        self.asked: list[NetworkSpec] = []
        self.beyond: list[str] = []

    def answer(self, case) -> Answer:
        """The loss and the gradients, and under returns="all" the rest too."""
        self.asked.append(case.spec)
        why = self.domain.why_not(case.spec)
        if why is not None:
            self.beyond.append(f"{case.spec.id}: {why}")
        found = network_of(case, self.backprop).gradients(case.x, case.y)
        if self.returns == "gradients":
            return Answer(loss=found.loss, weights=found.weights, biases=found.biases)
        return Answer.of(found)


@pytest.fixture(scope="session")
def handwritten():
    """(Backprop class, domain, returns=) -> a candidate."""
    return Handwritten


@pytest.fixture(scope="session")
def plain():
    """A small domain with a single kind of everything that does not matter."""
    return PLAIN


@pytest.fixture(scope="session")
def failing():
    """(candidate, count) -> the networks on which it fails, among so many of its domain, small ones first."""

    def found(candidate, count=12):
        inquiry = Inquiry(candidate)
        specs = sample_specs(candidate.domain, seed=0, shard=0, count=count)
        wrong = [spec for spec in specs if inquiry.exhibit(build_case(spec)).wrong]
        return sorted(wrong, key=lambda spec: (spec.depth, sum(spec.widths), spec.batch_size))

    return found
