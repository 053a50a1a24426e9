"""What all properties share: the handwritten network of a case, and comparison by the rounding bound."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backproof.candidates import builtin
from backproof.cases import Array, Case
from backproof.scratch import Backprop, Network


def _network_of(case: Case, backprop: Callable[[], Backprop] = Backprop) -> Network:
    """With arrays of its own, which a step may change."""
    weights = tuple(weight.copy() for weight in case.weights)
    biases = tuple(None if bias is None else bias.copy() for bias in case.biases)
    return builtin.network_of(replace(case, weights=weights, biases=biases), backprop)


def _quantities(found: Any) -> Iterator[tuple[str, Array]]:
    """Every array of anything that has loss, weights, biases, inputs and deltas, with its name: "loss", "bias 2"."""
    yield "loss", found.loss
    for name, arrays in (("weight", found.weights), ("bias", found.biases), ("delta", found.deltas)):
        for layer, array in enumerate(arrays, 1):
            if array is not None:
                yield f"{name} {layer}", array
    yield "input", found.inputs


def _beyond(got: Array, wanted: Array, allowed: Array) -> Array:
    """Where two arrays are further apart than allowed. An infinite allowance allows everything, NaN too."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(np.asarray(got, dtype=np.float64) - wanted)
    return ~((apart <= allowed) | (got == wanted) | np.isinf(allowed))


def _differing(found: Any, wanted: Any, allowed: Any) -> dict[str, str]:
    """The quantities in which `found` is further from `wanted` than `allowed`, each with its first such entry."""
    told = {}
    triples = zip(_quantities(found), _quantities(wanted), _quantities(allowed), strict=True)
    for (name, got), (_, right), (_, most) in triples:
        assert got.shape == right.shape == most.shape, f"{name}: shapes {got.shape}, {right.shape}, {most.shape}"
        beyond = _beyond(got, right, most)
        if beyond.any():
            at = tuple(int(index[0]) for index in np.nonzero(np.atleast_1d(beyond)))
            entry = [np.atleast_1d(array)[at] for array in (got, right, most)]
            told[name] = "at {}: got {!r}, wanted {!r}, rounding explains {!r}".format(at, *entry)
    return told


@pytest.fixture(scope="session")
def network_of() -> Callable[..., Network]:
    """The handwritten network of a case, on copies of its arrays; with a subclass of Backprop, with that mistake."""
    return _network_of


@pytest.fixture(scope="session")
def differing() -> Callable[[Any, Any, Any], dict[str, str]]:
    """found, wanted, allowed -> the quantities that rounding cannot explain, in words; empty where all agree."""
    return _differing


@pytest.fixture(scope="session")
def beyond() -> Callable[[Array, Array, Array], Array]:
    """got, wanted, allowed -> where two arrays are further apart than that."""
    return _beyond
