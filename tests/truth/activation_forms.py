"""The ways people write each activation and its derivative in NumPy, and PyTorch's own kernels, for the sweep.

A form is "accurate" where it must stay within the accurate allowance, "textbook" where only the textbook allowance
admits it. A derivative may use a = phi(z); it is then run on the a of every value form, and is accurate only if both
are. Forms overflow where they overflow: the sweep leaves out what is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from backproof.cases.formula import Formula
from backproof.scratch.activations import ACTIVATIONS

Array = NDArray[Any]
Options = Mapping[str, Any]
Value = Callable[[Array, Options], Array]
Slope = Callable[[Array, Array, Options], Array]

SHORT_ARRAYS = 300  # how many calls of three entries each, which cost as much as all the rest
ROOT_TWO = math.sqrt(2.0)
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
INNER = math.sqrt(2.0 / math.pi)
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def s(z: Array) -> Array:
    """The logistic function without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e)).astype(z.dtype)


def sp(z: Array) -> Array:
    """log(1 + exp(z)) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def per_entry(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of the math module, entry by entry, rounded to the array's dtype (as SciPy's ufuncs do)."""
    return lambda z: np.array([function(float(x)) for x in z.ravel()], dtype=z.dtype).reshape(z.shape)


erf, erfc = per_entry(math.erf), per_entry(math.erfc)


def one(z: Array) -> Array:
    """Ones shaped as z."""
    return np.ones_like(z)


def density(z: Array) -> Array:
    """The density of the standard normal distribution."""
    return np.exp(-0.5 * z * z) / ROOT_TWO_PI


def inner(z: Array) -> Array:
    """g of the tanh approximation of gelu."""
    return INNER * (z + 0.044715 * z * z * z)


def inner_slope(z: Array) -> Array:
    """g'."""
    return INNER * (1 + 3 * 0.044715 * z * z)


def hat(z: Array) -> Array:
    """relu6(z + 3)."""
    return np.clip(z + 3, 0, 6)


# name -> label -> form. * marks a textbook form, ! also one whose a has lost too much for phi' to be made of it.
VALUES: dict[str, dict[str, Value]] = {
    "sigmoid": {
        "e/(1+e) by sign": lambda z, o: s(z),
        "1/(1+exp(-z))": lambda z, o: 1 / (1 + np.exp(-z)),
        "exp(z)/(1+exp(z))": lambda z, o: np.exp(z) / (1 + np.exp(z)),
        "reciprocal": lambda z, o: np.reciprocal(1 + np.exp(-z)),
        "(1+tanh(z/2))/2 *": lambda z, o: (1 + np.tanh(z / 2)) / 2,
        "1-1/(1+exp(z)) *": lambda z, o: 1 - 1 / (1 + np.exp(z)),
        "exp(-log(1+exp(-z))) *": lambda z, o: np.exp(-np.logaddexp(0, -z)),
    },
    "tanh": {
        "tanh": lambda z, o: np.tanh(z),
        "expm1(2z)/(expm1(2z)+2) *": lambda z, o: np.expm1(2 * z) / (np.expm1(2 * z) + 2),
        "sinh/cosh *": lambda z, o: np.sinh(z) / np.cosh(z),
        "math.tanh": lambda z, o: per_entry(math.tanh)(z),
        "(e-1/e)/(e+1/e) *": lambda z, o: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
        "(exp(2z)-1)/(exp(2z)+1) *": lambda z, o: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1),
        "(1-exp(-2z))/(1+exp(-2z)) *": lambda z, o: (1 - np.exp(-2 * z)) / (1 + np.exp(-2 * z)),
        "1-2/(exp(2z)+1) *": lambda z, o: 1 - 2 / (np.exp(2 * z) + 1),
        "2/(1+exp(-2z))-1 *": lambda z, o: 2 / (1 + np.exp(-2 * z)) - 1,
        "2s(2z)-1 *": lambda z, o: 2 * s(2 * z) - 1,
    },
    "tanhshrink": {
        "z-tanh(z)": lambda z, o: z - np.tanh(z),
        "z-sinh/cosh *": lambda z, o: z - np.sinh(z) / np.cosh(z),
        "z-(2s(2z)-1) *": lambda z, o: z - (2 * s(2 * z) - 1),
        "z-(e-1/e)/(e+1/e) *": lambda z, o: z - (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    },
    "softplus": {
        "max(z,0)+log1p(exp(-|z|))": lambda z, o: sp(o["beta"] * z) / o["beta"],
        "logaddexp": lambda z, o: np.logaddexp(0, o["beta"] * z).astype(z.dtype) / o["beta"],
        "log1p(exp(z))": lambda z, o: np.log1p(np.exp(o["beta"] * z)) / o["beta"],
        "threshold, log1p(exp(z))": lambda z, o: np.where(
            z * o["beta"] > o["threshold"], z, np.log1p(np.exp(z * o["beta"])) / o["beta"]
        ),
        "times 1/beta": lambda z, o: (1 / o["beta"]) * np.log1p(np.exp(o["beta"] * z)),
        "log(1+exp(z)) *": lambda z, o: np.log(1 + np.exp(o["beta"] * z)) / o["beta"],
        "z+log1p(exp(-z)) *!": lambda z, o: z + np.log1p(np.exp(-o["beta"] * z)) / o["beta"],
        "-log(s(-z)) *": lambda z, o: -np.log(s(-o["beta"] * z)) / o["beta"],
    },
    "logsigmoid": {
        "min(z,0)-log1p(exp(-|z|))": lambda z, o: np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z))),
        "-logaddexp": lambda z, o: -np.logaddexp(0, -z),
        "-log1p(exp(-z))": lambda z, o: -np.log1p(np.exp(-z)),
        "-log(1+exp(-z)) *": lambda z, o: -np.log(1 + np.exp(-z)),
        "log(s(z)) *": lambda z, o: np.log(s(z)),
        "log(1/(1+exp(-z))) *": lambda z, o: np.log(1 / (1 + np.exp(-z))),
        "z-softplus(z) *!": lambda z, o: z - sp(z),
    },
    "silu": {
        "z s(z)": lambda z, o: z * s(z),
        "z/(1+exp(-z))": lambda z, o: z / (1 + np.exp(-z)),
        "z exp(z)/(1+exp(z))": lambda z, o: z * np.exp(z) / (1 + np.exp(z)),
        "z (1+tanh(z/2))/2 *": lambda z, o: 0.5 * z * (1 + np.tanh(0.5 * z)),
    },
    "mish": {
        "z tanh(softplus(z))": lambda z, o: z * np.tanh(sp(z)),
        "z tanh(log1p(exp(z)))": lambda z, o: z * np.tanh(np.log1p(np.exp(z))),
        "z n/(n+2)": lambda z, o: z * (np.exp(z) * (np.exp(z) + 2)) / (np.exp(z) * (np.exp(z) + 2) + 2),
        "z tanh(log(1+exp(z))) *": lambda z, o: z * np.tanh(np.log(1 + np.exp(z))),
        "z ((1+e)^2-1)/((1+e)^2+1) *": lambda z, o: z * ((1 + np.exp(z)) ** 2 - 1) / ((1 + np.exp(z)) ** 2 + 1),
    },
    "gelu": {
        "z/2 erfc(-z/sqrt2)": lambda z, o: 0.5 * z * erfc(-z / ROOT_TWO),
        "z/2 (1+erf(z/sqrt2))": lambda z, o: 0.5 * z * (1 + erf(z / ROOT_TWO)),
        "z (1+erf(z sqrt(1/2)))/2": lambda z, o: z * (1 + erf(z * math.sqrt(0.5))) / 2,
    },
    "gelu=tanh": {
        "z/2 (1+tanh(g))": lambda z, o: 0.5 * z * (1 + np.tanh(inner(z))),
        "z s(2g)": lambda z, o: z * s(2 * inner(z)),
        "z**3": lambda z, o: 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi).astype(z.dtype) * (z + 0.044715 * z**3))),
        "z (1+0.044715 z z)": lambda z, o: z * 0.5 * (1 + np.tanh(INNER * z * (1 + 0.044715 * z * z))),
    },
    "elu": {
        "alpha expm1": lambda z, o: np.where(z > 0, z, o["alpha"] * np.expm1(np.minimum(z, 0))),
        "max+alpha min": lambda z, o: (
            np.maximum(z, 0) + np.minimum(0, o["alpha"] * np.expm1(np.minimum(z, 0)))
            if o["alpha"] >= 0
            else np.where(z > 0, z, o["alpha"] * np.expm1(z))
        ),
        "alpha (exp-1) *": lambda z, o: np.where(z > 0, z, o["alpha"] * (np.exp(z) - 1)),
        "alpha exp - alpha *": lambda z, o: np.where(z > 0, z, o["alpha"] * np.exp(z) - o["alpha"]),
    },
    "celu": {
        "alpha expm1(z/alpha)": lambda z, o: np.where(z > 0, z, o["alpha"] * np.expm1(np.minimum(z, 0) / o["alpha"])),
        "max+min": lambda z, o: np.maximum(z, 0) + np.minimum(0, o["alpha"] * np.expm1(np.minimum(z, 0) / o["alpha"])),
        "times 1/alpha": lambda z, o: np.where(z > 0, z, o["alpha"] * np.expm1(np.minimum(z, 0) * (1 / o["alpha"]))),
        "alpha (exp-1) *": lambda z, o: np.where(z > 0, z, o["alpha"] * (np.exp(z / o["alpha"]) - 1)),
        "alpha exp - alpha *": lambda z, o: np.where(z > 0, z, o["alpha"] * np.exp(z / o["alpha"]) - o["alpha"]),
    },
    "selu": {
        "scale where(expm1)": lambda z, o: SCALE * np.where(z > 0, z, ALPHA * np.expm1(np.minimum(z, 0))),
        "(scale alpha) expm1": lambda z, o: np.where(z > 0, SCALE * z, (SCALE * ALPHA) * np.expm1(np.minimum(z, 0))),
        "scale (max+min)": lambda z, o: SCALE * (np.maximum(z, 0) + np.minimum(0, ALPHA * np.expm1(np.minimum(z, 0)))),
        "scale alpha (exp-1) *": lambda z, o: SCALE * np.where(z > 0, z, ALPHA * (np.exp(z) - 1)),
        "alpha exp - alpha *": lambda z, o: SCALE * np.where(z > 0, z, ALPHA * np.exp(z) - ALPHA),
    },
    "softsign": {
        "z/(1+|z|)": lambda z, o: z / (1 + np.abs(z)),
        "z (1/(1+|z|))": lambda z, o: z * (1 / (1 + np.abs(z))),
    },
    "softshrink": {
        "by sign": lambda z, o: np.where(z > o["lambd"], z - o["lambd"], np.where(z < -o["lambd"], z + o["lambd"], 0)),
        "sign max(|z|-l,0)": lambda z, o: np.sign(z) * np.maximum(np.abs(z) - o["lambd"], 0),
        "z - clip": lambda z, o: z - np.clip(z, -o["lambd"], o["lambd"]),
        "z+(|z-l|-|z+l|)/2 *!": lambda z, o: z + (np.abs(z - o["lambd"]) - np.abs(z + o["lambd"])) / 2,
    },
    "hardsigmoid": {
        "clip(z+3,0,6)/6": lambda z, o: hat(z) / 6,
        "clip(z/6+1/2,0,1)": lambda z, o: np.clip(z / 6 + 0.5, 0, 1),
        "clip(z (1/6)+1/2,0,1)": lambda z, o: np.clip(z * (1 / 6) + 0.5, 0, 1),
        "clip((z+3)/6,0,1)": lambda z, o: np.clip((z + 3) / 6, 0, 1),
        "relu6(z+3) (1/6)": lambda z, o: hat(z) * (1 / 6),
    },
    "hardswish": {
        "z clip(z+3,0,6)/6": lambda z, o: z * hat(z) / 6,
        "z (clip(z+3,0,6)/6)": lambda z, o: z * (hat(z) / 6),
        "z hat (1/6)": lambda z, o: z * hat(z) * (1 / 6),
        "z clip(z/6+1/2,0,1)": lambda z, o: z * np.clip(z / 6 + 0.5, 0, 1),
        "z(z+3)/6 by pieces": lambda z, o: np.where(z >= 3, z, np.where(z <= -3, 0, z * (z + 3) / 6)),
        "z^2/6+z/2": lambda z, o: np.where(z >= 3, z, np.where(z <= -3, 0, z * z / 6 + z / 2)),
    },
    "leaky_relu": {
        "where": lambda z, o: np.where(z > 0, z, o["negative_slope"] * z),
        "max+alpha min": lambda z, o: np.maximum(z, 0) + o["negative_slope"] * np.minimum(z, 0),
        "slope times z": lambda z, o: np.where(z > 0, one(z), o["negative_slope"] * one(z)) * z,
        "(1+a)/2 z + (1-a)/2 |z| *": lambda z, o: (
            (1 + o["negative_slope"]) / 2 * z + (1 - o["negative_slope"]) / 2 * np.abs(z)
        ),
    },
    "identity": {"z": lambda z, o: z},
    "relu": {
        "max": lambda z, o: np.maximum(z, 0),
        "z (z>0)": lambda z, o: z * (z > 0),
        "(z+|z|)/2": lambda z, o: (z + np.abs(z)) / 2,
    },
    "relu6": {
        "clip": lambda z, o: np.clip(z, 0, 6),
        "(|z|-|z-6|+6)/2 *!": lambda z, o: (np.abs(z) - np.abs(z - 6) + 6) / 2,
    },
    "hardtanh": {
        "clip": lambda z, o: np.clip(z, o["min_val"], o["max_val"]),
        "(|z-l|-|z-h|+l+h)/2 *!": lambda z, o: (
            (np.abs(z - o["min_val"]) - np.abs(z - o["max_val"]) + o["min_val"] + o["max_val"]) / 2
        ),
    },
    "hardshrink": {"where": lambda z, o: np.where(np.abs(z) > o["lambd"], z, 0)},
    "threshold": {"where": lambda z, o: np.where(z > o["threshold"], z, o["value"])},
}


def unit_slope(z: Array, below: Array) -> Array:
    """1 for z > 0, else what is given."""
    return np.where(z > 0, 1, below)


def mish_ratio(z: Array) -> Array:
    """mish' as its authors print it, e^z omega/delta^2."""
    e = np.exp(z)
    omega = 4 * (z + 1) + 4 * e * e + e * e * e + e * (4 * z + 6)
    return e * omega / (2 * e + e * e + 2) ** 2


SLOPES: dict[str, dict[str, Slope]] = {
    "sigmoid": {
        "a(1-a)": lambda z, a, o: a * (1 - a),
        "a-a^2": lambda z, a, o: a - a**2,
        "s(z)s(-z)": lambda z, a, o: s(z) * s(-z),
        "e/(1+e)^2": lambda z, a, o: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2,
        "exp(-z)/(1+exp(-z))^2 *": lambda z, a, o: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        "1/(4cosh^2(z/2))": lambda z, a, o: 1 / (4 * np.cosh(z / 2) ** 2),
        "(1-tanh^2(z/2))/4 *": lambda z, a, o: (1 - np.tanh(z / 2) ** 2) / 4,
    },
    "tanh": {
        "1-a^2": lambda z, a, o: 1 - a * a,
        "(1-a)(1+a)": lambda z, a, o: (1 - a) * (1 + a),
        "1/cosh^2": lambda z, a, o: 1 / np.cosh(z) ** 2,
        "4e/(1+e)^2": lambda z, a, o: 4 * np.exp(-2 * np.abs(z)) / (1 + np.exp(-2 * np.abs(z))) ** 2,
        "(2/(e+1/e))^2": lambda z, a, o: (2 / (np.exp(z) + np.exp(-z))) ** 2,
    },
    "tanhshrink": {
        "tanh^2": lambda z, a, o: np.tanh(z) ** 2,
        "1-(1-tanh^2)": lambda z, a, o: 1 - (1 - np.tanh(z) ** 2),
        "1-1/cosh^2": lambda z, a, o: 1 - 1 / np.cosh(z) ** 2,
        "1-(1-(2s(2z)-1)^2) *": lambda z, a, o: 1 - (1 - (2 * s(2 * z) - 1) ** 2),
    },
    "softplus": {
        "s(beta z)": lambda z, a, o: s(o["beta"] * z),
        "1/(1+exp(-beta z))": lambda z, a, o: 1 / (1 + np.exp(-o["beta"] * z)),
        "exp/(1+exp)": lambda z, a, o: np.exp(o["beta"] * z) / (1 + np.exp(o["beta"] * z)),
        "threshold, exp/(1+exp)": lambda z, a, o: np.where(
            z * o["beta"] > o["threshold"], 1, np.exp(z * o["beta"]) / (np.exp(z * o["beta"]) + 1)
        ),
        "exp(beta z - beta a) *": lambda z, a, o: np.exp(o["beta"] * z - o["beta"] * a),
        "1-exp(-beta a) *": lambda z, a, o: 1 - np.exp(-o["beta"] * a),
        "-expm1(-beta a)": lambda z, a, o: -np.expm1(-o["beta"] * a),
    },
    "logsigmoid": {
        "s(-z)": lambda z, a, o: s(-z),
        "1/(1+exp(z))": lambda z, a, o: 1 / (1 + np.exp(z)),
        "exp(-z)/(1+exp(-z))": lambda z, a, o: np.exp(-z) / (1 + np.exp(-z)),
        "-expm1(a)": lambda z, a, o: -np.expm1(a),
        "1-s(z) *": lambda z, a, o: 1 - s(z),
        "exp(a-z) *": lambda z, a, o: np.exp(a - z),
        "1-exp(a) *": lambda z, a, o: 1 - np.exp(a),
    },
    "silu": {
        "s(1+z(1-s))": lambda z, a, o: s(z) * (1 + z * (1 - s(z))),
        "s+z s(1-s)": lambda z, a, o: s(z) + z * s(z) * (1 - s(z)),
        "s+a(1-s)": lambda z, a, o: s(z) + a * (1 - s(z)),
        "a+s(1-a)": lambda z, a, o: a + s(z) * (1 - a),
        "s(1+z s(-z))": lambda z, a, o: s(z) * (1 + z * s(-z)),
        "(1+exp(-z)+z exp(-z))/(1+exp(-z))^2 *": lambda z, a, o: (
            (1 + np.exp(-z) + z * np.exp(-z)) / (1 + np.exp(-z)) ** 2
        ),
    },
    "mish": {
        "t+z s(1-t^2)": lambda z, a, o: np.tanh(sp(z)) + z * s(z) * (1 - np.tanh(sp(z)) ** 2),
        "t+z s sech^2": lambda z, a, o: np.tanh(sp(z)) + z * s(z) / np.cosh(np.minimum(sp(z), 80)) ** 2,
        "e omega/delta^2": lambda z, a, o: mish_ratio(z),
        "log(1+exp) throughout *": lambda z, a, o: (
            np.tanh(np.log(1 + np.exp(z))) + z * s(z) * (1 - np.tanh(np.log(1 + np.exp(z))) ** 2)
        ),
    },
    "gelu": {
        "erf form": lambda z, a, o: 0.5 * (1 + erf(z / ROOT_TWO)) + z * density(z),
        "erfc form": lambda z, a, o: 0.5 * erfc(-z / ROOT_TWO) + z * density(z),
        "exp(-(z/sqrt2)^2)": lambda z, a, o: (
            0.5 * (1 + erf(z / ROOT_TWO)) + z * np.exp(-((z / ROOT_TWO) ** 2)) * (1 / ROOT_TWO_PI)
        ),
    },
    "gelu=tanh": {
        "(1+t)/2+z(1-t^2)g'/2": lambda z, a, o: (
            0.5 * (1 + np.tanh(inner(z))) + 0.5 * z * (1 - np.tanh(inner(z)) ** 2) * inner_slope(z)
        ),
        "s+z s s(-) 2g'": lambda z, a, o: s(2 * inner(z)) + z * s(2 * inner(z)) * s(-2 * inner(z)) * 2 * inner_slope(z),
        "sech^2": lambda z, a, o: (
            0.5 * np.tanh(inner(z))
            + (0.0535161 * 0 + 0.5 * (INNER * z + 3 * 0.044715 * INNER * z**3)) / np.cosh(inner(z)) ** 2
            + 0.5
        ),
    },
    "elu": {
        "alpha exp": lambda z, a, o: unit_slope(z, o["alpha"] * np.exp(np.minimum(z, 0))),
        "a+alpha *": lambda z, a, o: unit_slope(z, a + o["alpha"]),
    },
    "celu": {
        "exp(z/alpha)": lambda z, a, o: unit_slope(z, np.exp(np.minimum(z, 0) / o["alpha"])),
        "exp(z (1/alpha))": lambda z, a, o: unit_slope(z, np.exp(np.minimum(z, 0) * (1 / o["alpha"]))),
        "a/alpha+1 *": lambda z, a, o: unit_slope(z, a / o["alpha"] + 1),
        "(a+alpha)/alpha *": lambda z, a, o: unit_slope(z, (a + o["alpha"]) / o["alpha"]),
    },
    "selu": {
        "scale alpha exp": lambda z, a, o: SCALE * unit_slope(z, ALPHA * np.exp(np.minimum(z, 0))),
        "(scale alpha) exp": lambda z, a, o: np.where(z > 0, SCALE, (SCALE * ALPHA) * np.exp(np.minimum(z, 0))),
        "a+scale alpha *": lambda z, a, o: np.where(z > 0, SCALE, a + SCALE * ALPHA),
    },
    "softsign": {
        "1/(1+|z|)^2": lambda z, a, o: 1 / (1 + np.abs(z)) ** 2,
        "(1/(1+|z|))^2": lambda z, a, o: (1 / (1 + np.abs(z))) ** 2,
        "(1-|a|)^2 *": lambda z, a, o: (1 - np.abs(a)) ** 2,
        "quotient rule *": lambda z, a, o: (1 + np.abs(z) - np.abs(z)) / (1 + np.abs(z)) ** 2,
        "1/d-|z|/d^2": lambda z, a, o: 1 / (1 + np.abs(z)) - np.abs(z) / (1 + np.abs(z)) ** 2,
    },
    "softshrink": {
        "mask": lambda z, a, o: (np.abs(z) > o["lambd"]) * one(z),
        "a != 0": lambda z, a, o: (a != 0) * one(z),
    },
    "hardsigmoid": {
        "1/6 within": lambda z, a, o: np.where((z > -3) & (z < 3), one(z) / 6, 0),
        "1/6 where 0<a<1": lambda z, a, o: np.where((a > 0) & (a < 1), one(z) / 6, 0),
    },
    "hardswish": {
        "(2z+3)/6": lambda z, a, o: np.where(z >= 3, 1, np.where(z <= -3, 0, (2 * z + 3) / 6)),
        "z/3+1/2": lambda z, a, o: np.where(z >= 3, 1, np.where(z <= -3, 0, z / 3 + 0.5)),
        "h+z h'": lambda z, a, o: hat(z) / 6 + z * np.where((z > -3) & (z < 3), one(z) / 6, 0),
        "h+z h' by h": lambda z, a, o: (
            np.clip(z / 6 + 0.5, 0, 1) + z * np.where((z / 6 + 0.5 > 0) & (z / 6 + 0.5 < 1), one(z) / 6, 0)
        ),
    },
    "leaky_relu": {
        "where": lambda z, a, o: np.where(z > 0, one(z), o["negative_slope"] * one(z)),
        "(1+a)/2 + (1-a)/2 sign *": lambda z, a, o: (
            (1 + o["negative_slope"]) / 2 + (1 - o["negative_slope"]) / 2 * np.where(z > 0, 1, -one(z))
        ),
    },
    "identity": {"1": lambda z, a, o: one(z)},
    "relu": {"z>0": lambda z, a, o: (z > 0) * one(z), "a>0": lambda z, a, o: (a > 0) * one(z)},
    "relu6": {
        "within": lambda z, a, o: ((z > 0) & (z < 6)) * one(z),
        "by a": lambda z, a, o: ((a > 0) & (a < 6)) * one(z),
    },
    "hardtanh": {
        "within": lambda z, a, o: ((z > o["min_val"]) & (z < o["max_val"])) * one(z),
        "by a": lambda z, a, o: ((a > o["min_val"]) & (a < o["max_val"])) * one(z),
    },
    "hardshrink": {"mask": lambda z, a, o: (np.abs(z) > o["lambd"]) * one(z)},
    "threshold": {"mask": lambda z, a, o: (z > o["threshold"]) * one(z)},
}


def scratch_forms(formula: Formula, z: Array) -> Iterator[tuple[str, str, Array | None, Array | None]]:
    """The network that this project ships."""
    activation = ACTIVATIONS[formula.name](**formula.options)
    a = activation.phi(z)
    yield "scratch", "accurate", a, activation.derivative(z, a)


TORCH: dict[str, Callable[..., torch.Tensor]] = {"identity": torch.mul, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


def torch_forms(formula: Formula, z: Array) -> Iterator[tuple[str, str, Array | None, Array | None]]:
    """PyTorch's kernels: vectorised, on strided memory, and on arrays too short for a vector (a part of z)."""
    function = TORCH.get(formula.name) or getattr(functional, formula.name)
    options: Mapping[str, Any] = {"other": 1.0} if formula.name == "identity" else formula.options

    def run(x: torch.Tensor, upstream: torch.Tensor) -> tuple[Array, Array]:
        leaf = x.requires_grad_(True)
        a = function(leaf, **options)
        a.backward(upstream)
        assert leaf.grad is not None
        return a.detach().numpy().copy(), leaf.grad.numpy().copy()

    x = torch.from_numpy(z.copy())
    a, phi_prime = run(x.clone(), torch.ones_like(x))
    yield "torch", "accurate", a, phi_prime
    wide, ones = torch.stack((x, x), dim=1), torch.ones(len(x), 2, dtype=x.dtype)
    yield "torch, strided", "accurate", *run(wide.detach()[:, 0], ones[:, 0])
    a, phi_prime = a.copy(), phi_prime.copy()
    chosen = np.linspace(0, len(z) - 1, min(len(z), SHORT_ARRAYS * 3)).astype(int)
    for few in np.array_split(chosen, max(1, len(chosen) // 3)):
        part = torch.from_numpy(z[few])
        a[few], phi_prime[few] = run(part, torch.ones_like(part))
    yield "torch, short", "accurate", a, phi_prime
