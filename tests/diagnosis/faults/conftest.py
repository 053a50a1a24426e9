"""Networks on which the faults show, and what scratch answers there."""

from functools import cache

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.cases import NetworkSpec, build_case
from backproof.truth.rounding import bound

# Neighbouring layers of equal and of unequal width; N > 1 and apart from O and I; a random upstream gradient (linear);
# penalties; every kind of loss and activation that a fault asks for; saturated rows for what overflows.
TELLING = (
    "3-4-4-2,sigmoid,linear,batchmean,n5,f64,normal,s1",
    "4-4-4-4,tanh-relu-sigmoid,linear,sum,n3,f64,normal,s2,penalty=0.1+0.3",
    "3-5-5-4,silu-tanh-softmax,linear,mean,n6,f64,normal,s3,penalty=0.1+0.3+biases+N",
    "3-3-3,leaky_relu=0.2-log_softmax,linear,sum,n4,f64,normal,s4",
    "2-5-1,gelu-identity,half_squared_error,mean,n7,f64,normal,s5",
    "2-5-3,tanh-sigmoid,bce,mean,n4,f64,normal,s6",
    "2-5-3,gelu=tanh-softmin,categorical_cross_entropy,mean,n4,f64,normal,s7",
    "2-5-3,relu-identity,cross_entropy,mean,n4,f64,normal,s8",
    "2-5-3,softplus-identity,bce_with_logits,mean,n4,f64,normal,s9",
    "3-4-3,elu-identity,huber=0.5,sum,n4,f64,normal,s10",
    "3-4-3,tanh-identity,soft_margin,sum,n5,f64,normal,s11",
    "3-4-3,tanh-identity,gaussian_nll,none,n4,f64,normal,s19",
    # From here on for what overflows or loses digits.
    "3-40-4,relu-softmax,categorical_cross_entropy,sum,n8,f64,saturated,s12",
    "3-40-4,relu-sigmoid,bce,sum,n8,f64,saturated,s13",
    "3-40-4,relu-tanh,linear,sum,n8,f64,saturated,s14",
    "3-40-4,relu-softplus,linear,sum,n8,f64,saturated,s15",
    "3-40-4,relu-elu,linear,sum,n8,f64,saturated,s16",
    "3-40-4,relu-log_softmax,nll,sum,n8,f64,saturated,s17",
    "3-40-4,relu-identity,cross_entropy,sum,n8,f64,saturated,s18",
)
# Single samples, in layers of equal width where a fault only fits there.
SINGLE = (
    "4-4-4-4,tanh-relu-sigmoid,linear,sum,n1,f64,normal,s2",
    "3-4-4-3,sigmoid-silu-softmax,linear,mean,n1,f64,normal,s3",
    "2-5-4-3,gelu-leaky_relu=0.2-log_softmax,nll,sum,n1,f64,normal,s4",
    "2-5-3,gelu=tanh-sigmoid,bce,batchmean,n1,f64,normal,s5",
    "2-5-3,tanh-softmax,categorical_cross_entropy,sum,n1,f64,normal,s20",
    "2-5-3,tanh-identity,cross_entropy,sum,n1,f64,normal,s7",
    "2-5-3,tanh-identity,huber=0.5,sum,n1,f64,normal,s8",
    "2-5-3,tanh-identity,soft_margin,sum,n1,f64,normal,s9",
    "2-5-3,tanh-identity,bce_with_logits,sum,n1,f64,normal,s10",
)


def build(text):
    """The case of an id."""
    return build_case(NetworkSpec.parse(text))


@cache
def cases(texts):
    """The cases, what scratch answers for each, and how far rounding reaches there."""
    built = [build(text) for text in texts]
    return [(case, Scratch().answer(case), bound(case)) for case in built]


def entries(answer):
    """(quantity, layer) -> array, of all that an answer holds."""
    found = {("loss", 0): answer.loss}
    for name, arrays in (("weight", answer.weights), ("bias", answer.biases), ("delta", answer.deltas)):
        found.update({(name, layer): array for layer, array in enumerate(arrays, 1)})
    found["input", 0] = answer.inputs
    return {key: array for key, array in found.items() if array is not None}


def identical(one, other):
    """Whether two arrays are the same, bit for bit and NaN for NaN."""
    return np.array_equal(one, other, equal_nan=True)


def changed(answer, right, reach=None):
    """The (quantity, layer) that are not right: at all, or further than rounding reaches."""
    found, wanted = entries(answer), entries(right)
    keys = {key for key in wanted if key not in found or not identical(found[key], wanted[key])}
    if reach is None:
        return keys
    limits = entries(reach)
    return {key for key in keys if key not in found or _beyond(found[key], wanted[key], limits[key])}


def _beyond(found, wanted, limit):
    if found.shape != wanted.shape or (np.isnan(found) != np.isnan(wanted)).any():
        return True
    with np.errstate(invalid="ignore"):
        return bool((np.abs(found - wanted) > limit).any())


@pytest.fixture(name="build", scope="session")
def build_fixture():
    """id -> case."""
    return build


@pytest.fixture(scope="session")
def telling():
    """(case, scratch's answer, bound) for each of the telling networks."""
    return cases(TELLING)


@pytest.fixture(scope="session")
def single():
    """The same for single samples."""
    return cases(SINGLE)


@pytest.fixture(name="changed", scope="session")
def changed_fixture():
    """(answer, scratch's, bound or None) -> the (quantity, layer) that differ."""
    return changed
