"""The normal distribution, which gelu needs and NumPy lacks.

Phi(z) = (1 + erf(z / sqrt 2)) / 2 is written through its upper tail Q(x) = 1 - Phi(x), which is never cancelled away:

    Q(x) = exp(-x^2 / 2) p(s) / (x + 4)     for x >= 0, with s = (x - 4) / (x + 4) in [-1, 1)

p(s) = (x + 4) exp(x^2 / 2) Q(x) is smooth up to s = 1, where it is 1 / sqrt(2 pi). TAIL is its Chebyshev expansion of
degree 24, computed with 60 digits and rewritten in powers of s; what is left out is below 1e-17. The absolute
coefficients sum to 2.01, so Horner's rule loses nothing.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

import math

import numpy as np

from backproof.scratch.arrays import Array

TAIL = (
    0.7552851304157515,
    -0.6078966419718923,
    0.3871374007422149,
    -0.1865218579596366,
    0.060396574890917876,
    -0.007540188967386312,
    -0.0034796923670479736,
    0.0016308184674099085,
    0.00013334430941183256,
    -0.00023109501736277426,
    -1.908246351414571e-06,
    3.514511190283765e-05,
    7.166587641195121e-07,
    -5.921611045923978e-06,
    -6.298367338492369e-07,
    1.0247851016552774e-06,
    2.7246296951146873e-07,
    -1.597739614223922e-07,
    -8.686647015997893e-08,
    1.7844927772981415e-08,
    2.1427603843452355e-08,
    -5.873626764987191e-10,
    -3.73064508186837e-09,
    -1.1997782031253095e-10,
    3.403312308649495e-10,
)


@np.errstate(over="ignore")
def cumulative(z: Array) -> Array:
    """Phi(z), the probability that a standard normal variable is below z, to a few units in the last place of 1."""
    x = np.abs(z)
    s = (x - 4) / (x + 4)
    tail = np.full_like(s, TAIL[-1])
    for coefficient in reversed(TAIL[:-1]):
        tail *= s
        tail += coefficient
    tail *= np.exp(-0.5 * x * x)
    tail /= x + 4
    return np.where(z < 0, tail, 1 - tail)


@np.errstate(over="ignore")
def density(z: Array) -> Array:
    """Phi'(z) = exp(-z^2 / 2) / sqrt(2 pi)."""
    return np.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
