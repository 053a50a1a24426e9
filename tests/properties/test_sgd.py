"""Property 7. Do k steps of the handwritten SGD end where torch.optim.SGD ends, whatever its options?"""

from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import ACTIVATIONS, Case, Domain
from backproof.cases.strategies import cases
from backproof.scratch import SGD
from backproof.truth import autograd
from backproof.truth.derived_bounds import StepOptions, steps_bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# hardsigmoid: PyTorch's float64 slope of it is wrong in the eighth digit.
NETWORKS = Domain(
    depth=(1, 3),
    width=(1, 6),
    batch_size=(1, 8),
    activations=set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    output_activations=set(ACTIVATIONS) - {"hardsigmoid"},
    penalties="mixed",
)
# Outputs are sums of whole numbers and slopes of the loss are 0, 1 and -1: with dyadic options no step ever rounds.
WHOLE = Domain(
    depth=(1, 2),
    width=(1, 4),
    batch_size=(1, 4),
    activations={"identity", "relu"},
    losses={"l1", "linear", "hinge_embedding"},
    reductions="sum",
    dtypes="float64",
    values="integers",
)


@st.composite
def options(draw, *, dyadic: bool) -> StepOptions:
    """Every option of torch.optim.SGD; nesterov asks for a momentum and no dampening. dyadic: a few binary digits."""

    def number(*values: float, most: float) -> float:
        few = st.sampled_from(values)
        return draw(few if dyadic else few | st.floats(2.0**-10, most))

    momentum = number(0.0, 0.5, most=1.0)
    nesterov = momentum > 0 and draw(st.booleans())
    return StepOptions(
        lr=number(0.5, 0.25, most=0.5) if dyadic else number(2.0**-4, most=2.0**-4),
        momentum=momentum,
        dampening=0.0 if nesterov else number(0.0, 0.5, most=1.0),
        weight_decay=number(0.0, 0.5, most=0.5),
        nesterov=nesterov,
        maximize=draw(st.booleans()),
    )


def trained(network_of, case: Case, steps: int, chosen: StepOptions) -> tuple[list, list]:
    """Weights and biases after that many steps of the handwritten SGD on the whole batch."""
    network = network_of(case)
    settings = asdict(chosen)
    optimizer = SGD(network, learning_rate=settings.pop("lr"), **settings)
    for _ in range(steps):
        optimizer.step_in_place(network.gradients(case.x, case.y))
    return network.weights, network.biases


@given(case=cases(NETWORKS), steps=st.integers(1, 4), chosen=options(dyadic=False))
def test_k_steps_of_sgd_equal_torch_optim_sgds(case, steps, chosen, network_of, beyond):
    """Two programs that never meet: each goes by its own gradients; they part by no more than rounding in k steps."""
    weights, biases = trained(network_of, case, steps, chosen)
    their_weights, their_biases = autograd.sgd_steps(case, steps, **asdict(chosen))
    for layer, allowed in enumerate(steps_bound(case, steps, chosen)):
        assert weights[layer].dtype == case.x.dtype
        assert not beyond(weights[layer], their_weights[layer], allowed.weight_error).any()
        if case.biases[layer] is not None:
            assert not beyond(biases[layer], their_biases[layer], allowed.bias_error).any()


@given(case=cases(WHOLE), steps=st.integers(1, 3), chosen=options(dyadic=True))
def test_k_steps_in_exact_arithmetic_are_torch_optim_sgds_bit_for_bit(case, steps, chosen, network_of):
    """Where nothing is rounded nothing may differ: an option read differently cannot hide in a bound."""
    weights, biases = trained(network_of, case, steps, chosen)
    their_weights, their_biases = autograd.sgd_steps(case, steps, **asdict(chosen))
    assert all(map(np.array_equal, weights, their_weights))
    pairs = zip(biases, their_biases, strict=True)
    assert all(ours is theirs is None or np.array_equal(ours, theirs) for ours, theirs in pairs)
