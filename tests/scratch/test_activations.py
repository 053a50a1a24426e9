"""Every activation against PyTorch: values, derivatives, kinks, saturation, and the Jacobians of the row-wise ones."""

import math
from dataclasses import MISSING, fields
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backproof.cases.catalogue import ACTIVATIONS as CATALOGUE
from backproof.scratch import ACTIVATIONS
from backproof.scratch import normal_distribution as normal
from backproof.scratch.errors import OptionError

# Every formula here is a chain of at most 8 operations on numbers of size at most max(1, |z|), each of which NumPy
# rounds to within 2 units roundoff (the exponential and hyperbolic functions; the arithmetic to 1). So an error of
# 16 u max(1, |z|) is explained by rounding, in value and derivative; wrong formulas are 2^10 times further off.
ROUNDINGS = 16

TORCH = {
    "threshold": F.threshold,
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "leaky_relu": F.leaky_relu,
    "logsigmoid": F.logsigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "tanhshrink": F.tanhshrink,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": lambda z: z * 1,
    "softmax": lambda z: F.softmax(z, dim=1),
    "softmin": lambda z: F.softmin(z, dim=1),
    "log_softmax": lambda z: F.log_softmax(z, dim=1),
}


def formulas(*, rowwise):
    """Each activation with each combination of its catalogue parameters, as pytest parameters."""
    found = []
    for name, entry in CATALOGUE.items():
        if entry.rowwise == rowwise:
            for values in product(*((p.default, *p.others) for p in entry.parameters)):
                options = dict(zip((p.name for p in entry.parameters), values, strict=True))
                if options.get("min_val", -1) < options.get("max_val", 1):
                    found.append(
                        pytest.param(name, options, id="=".join([name, "+".join(map(str, values))]).strip("="))
                    )
    return found


def torch_derivative(name, options, z, upstream=1.0):
    """PyTorch's value and <upstream, derivative> at z, in float64."""
    tensor = torch.tensor(z.astype(np.float64), requires_grad=True)
    value = TORCH[name](tensor, **options)
    (value * torch.as_tensor(upstream)).sum().backward()
    return value.detach().numpy(), tensor.grad.numpy()


def test_names_and_parameters_are_the_catalogue():
    """The network offers exactly the activations that cases are made of, with the same parameters and defaults."""
    assert ACTIVATIONS.keys() == CATALOGUE.keys() == TORCH.keys()
    for name, entry in CATALOGUE.items():
        assert [field.name for field in fields(ACTIVATIONS[name])] == [p.name for p in entry.parameters]
        for field, parameter in zip(fields(ACTIVATIONS[name]), entry.parameters, strict=True):
            assert field.default in (parameter.default, MISSING)
        assert (ACTIVATIONS[name].rowwise, ACTIVATIONS[name].output) == (entry.rowwise, entry.output)


KINKS = [
    ("threshold", {"threshold": 0.5, "value": -0.25}, [0.25, 0.5, 0.75]),
    ("relu", {}, [-1.0, 0.0, -0.0, 1.0]),
    ("relu6", {}, [-1.0, 0.0, 3.0, 6.0, 7.0]),
    ("hardtanh", {}, [-1.0, 0.0, 1.0]),
    ("hardswish", {}, [-4.0, -3.0, 0.0, 3.0, 4.0]),
    ("elu", {"alpha": 2.0}, [0.0, -0.0, 1.0]),
    ("elu", {"alpha": -0.5}, [0.0, 1.0]),
    ("selu", {}, [0.0]),
    ("celu", {"alpha": 0.5}, [0.0, 1.0]),
    ("leaky_relu", {"negative_slope": 0.25}, [-1.0, 0.0, -0.0, 1.0]),
    ("leaky_relu", {"negative_slope": -2.0}, [-1.0, 0.0, 1.0]),
    ("softshrink", {}, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ("softshrink", {"lambd": 0.0}, [-1.0, 0.0, 1.0]),
    ("hardshrink", {}, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ("hardshrink", {"lambd": 0.0}, [-1.0, 0.0, 1.0]),
    ("softplus", {"beta": 2.0, "threshold": 1.0}, [0.75, 8.0]),
]


@pytest.mark.parametrize(("name", "options", "points"), KINKS, ids=str)
def test_kinks_take_pytorchs_subgradient(name, options, points):
    """At the very point where phi has a kink or a jump, value and derivative are bit for bit PyTorch's."""
    z = np.array([points])
    activation = ACTIVATIONS[name](**options)
    a = activation.phi(z)
    value, derivative = torch_derivative(name, options, z)
    assert np.array_equal(a, value)
    assert np.array_equal(activation.derivative(z, a), derivative)


def test_hardsigmoid_at_its_kinks():
    """Its slope is 0 at -3 and 3. Inside it is 1/6, for which PyTorch's float64 takes the float32 number."""
    z = np.array([[-3.0, -2.5, 2.5, 3.0]])
    a = ACTIVATIONS["hardsigmoid"]().phi(z)
    assert np.array_equal(ACTIVATIONS["hardsigmoid"]().derivative(z, a), [[0, 1 / 6, 1 / 6, 0]])
    assert np.array_equal(torch_derivative("hardsigmoid", {}, z)[1], [[0, np.float32(1 / 6), np.float32(1 / 6), 0]])


def test_softplus_is_on_the_curve_up_to_its_threshold():
    """Where beta z equals the threshold, it is not yet beyond it: the derivative is a sigmoid and not 1."""
    z = np.array([[0.5, np.nextafter(0.5, 1)]])
    softplus = ACTIVATIONS["softplus"](beta=2.0, threshold=1.0)
    derivative = softplus.derivative(z, softplus.phi(z))
    assert derivative[0, 0] < 0.75
    assert derivative[0, 1] == 1
    assert softplus.phi(z)[0, 1] == z[0, 1]


def grid(dtype):
    """Numbers between and around all kinks, and numbers that saturate every exponential, up to the largest number."""
    info = np.finfo(dtype)
    near = np.linspace(-8, 8, 161)
    far = np.array([20, 20.5, 40, 88, 89, 104, 700, 710, 745, 1e4, 1e15, 1e30])
    tiny = np.array([info.smallest_subnormal, info.tiny, 1e-20, 1e-8, 1e-3])
    z = np.concatenate([near, far, -far, tiny, -tiny, [0.0, -0.0, info.max / 2, -info.max / 2]])
    return z.astype(dtype)[:, None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), formulas(rowwise=False))
def test_values_and_derivatives_are_pytorchs_to_rounding(name, options, dtype):
    """Everywhere, saturated and tiny inputs included: no warning, no NaN where PyTorch has none, the dtype kept."""
    z = grid(dtype)
    activation = ACTIVATIONS[name](**options)
    a = activation.phi(z)
    derivative = activation.derivative(z, a)
    assert a.dtype == derivative.dtype == z.dtype
    value, slope = torch_derivative(name, options, z)
    if name == "hardsigmoid":  # PyTorch's float64 slope is float32(1/6)
        slope = np.where(slope > 0, 1 / 6, 0)
    limit = ROUNDINGS * np.finfo(dtype).eps / 2 * np.maximum(1, np.abs(z.astype(np.float64)))
    for ours, theirs in ((a, value), (derivative, slope)):
        decided = np.isfinite(theirs)  # PyTorch's gelu(tanh) slope is NaN and its hardswish infinite for huge z
        assert np.isfinite(ours).all()
        assert (np.abs(ours - theirs)[decided] <= limit[decided]).all()


TAILS = {
    # name: (value, derivative) for z far below 0 in terms of e = e^z, to rounding; None where they are no small numbers
    "sigmoid": (lambda z, e: e, lambda z, e: e),
    "softplus": (lambda z, e: e, lambda z, e: e),
    "silu": (lambda z, e: z * e, lambda z, e: (1 + z) * e),
    "mish": (lambda z, e: z * e, lambda z, e: (1 + z) * e),
    "elu": (lambda z, e: e - 1, lambda z, e: e),
    "selu": (lambda z, e: 1.0507009873554805 * 1.6732632423543772 * (e - 1), lambda z, e: 1.7580993408473766 * e),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TAILS)
def test_lower_tails_keep_their_digits(name, dtype):
    """Values and derivatives that are tiny have errors relative to themselves: ROUNDINGS as above, times u."""
    z = np.linspace(-80, -40, 50, dtype=dtype)[:, None]
    activation = ACTIVATIONS[name]()
    a = activation.phi(z)
    wide = z.astype(np.float64)
    exact = np.array([[math.exp(v)] for v in wide.ravel().tolist()])
    for ours, formula in zip((a, activation.derivative(z, a)), TAILS[name], strict=True):
        expected = formula(wide, exact)
        assert (np.abs(ours - expected) <= ROUNDINGS * np.finfo(dtype).eps / 2 * np.abs(expected)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logsigmoid_keeps_the_digits_of_its_upper_tail(dtype):
    """For z far above 0 both -log s(z) and its slope 1 - s(z) are e^-z, to rounding."""
    z = np.linspace(40, 80, 50, dtype=dtype)[:, None]
    activation = ACTIVATIONS["logsigmoid"]()
    a = activation.phi(z)
    exact = np.array([[math.exp(-v)] for v in z.ravel().tolist()])
    limit = ROUNDINGS * np.finfo(dtype).eps / 2 * exact
    assert (np.abs(a + exact) <= limit).all()
    assert (np.abs(activation.derivative(z, a) - exact) <= limit).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_distribution_is_the_c_librarys(dtype):
    """Phi(z) is erfc(-z / sqrt 2) / 2, by the C library, to 4 units roundoff of 1: two exponentials' worth."""
    z = np.concatenate([np.linspace(-9, 9, 181), [-1e30, 1e30, 0.0, 1e-30]]).astype(dtype)
    expected = np.array([math.erfc(-float(v) / math.sqrt(2)) / 2 for v in z])
    assert (np.abs(normal.cumulative(z) - expected) <= 4 * np.finfo(dtype).eps / 2).all()
    assert normal.cumulative(z).dtype == normal.density(z).dtype == z.dtype


def jacobian(name, z):
    """J_ok = da_o / dz_k of one row, by torch.func."""
    return torch.func.jacrev(lambda row: TORCH[name](row[None])[0])(torch.from_numpy(z)).numpy()


@pytest.mark.parametrize(("name", "options"), formulas(rowwise=True))
def test_rowwise_products_are_those_with_the_jacobian(name, options):
    """Backward is u J and forward is J u, row by row, and the derivative is the diagonal of J."""
    rng = np.random.default_rng(3)
    z, upstream = rng.normal(size=(2, 5, 4))
    activation = ACTIVATIONS[name](**options)
    a = activation.phi(z)
    backward = activation.vector_jacobian(upstream, z, a)
    forward = activation.jacobian_vector(z, a, upstream)
    limit = ROUNDINGS * np.finfo(np.float64).eps / 2 * np.abs(upstream).sum(axis=1, keepdims=True)
    for n in range(5):
        exact = jacobian(name, z[n])
        assert (np.abs(backward[n] - upstream[n] @ exact) <= limit[n]).all()
        assert (np.abs(forward[n] - exact @ upstream[n]) <= limit[n]).all()
        assert (np.abs(activation.derivative(z, a)[n] - np.diag(exact)) <= limit[n]).all()


def test_log_softmax_has_no_symmetric_jacobian():
    """Backward and forward products differ, so that one cannot stand for the other."""
    activation = ACTIVATIONS["log_softmax"]()
    z, u = np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]])
    a = activation.phi(z)
    assert not np.array_equal(activation.vector_jacobian(u, z, a), activation.jacobian_vector(z, a, u))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_rowwise_saturated_rows_stay_finite(name, dtype):
    """Rows whose exponentials would overflow: values and products are finite, and the dtype is kept."""
    huge = np.finfo(dtype).max
    z = np.array([[1e30, -1e30, 0], [huge, -huge, 0], [-1e30, -1e30, -1e30], [800, 0, -800]], dtype=dtype)
    activation = ACTIVATIONS[name]()
    a = activation.phi(z)
    upstream = np.ones_like(z)
    results = (a, activation.vector_jacobian(upstream, z, a), activation.jacobian_vector(z, a, upstream))
    for result in results:
        assert result.dtype == z.dtype
        assert np.isfinite(result).all()
    if name != "log_softmax":
        assert np.array_equal(a[0], [1, 0, 0] if name == "softmax" else [0, 1, 0])


def test_elementwise_products_multiply_by_the_derivative():
    """For an elementwise activation both Jacobian products are phi'(z) times the vector."""
    activation = ACTIVATIONS["relu"]()
    z, vector = np.array([[-1.0, 2.0]]), np.array([[3.0, 5.0]])
    a = activation.phi(z)
    assert np.array_equal(activation.vector_jacobian(vector, z, a), [[0, 5]])
    assert np.array_equal(activation.jacobian_vector(z, a, vector), [[0, 5]])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hardtanh", {"min_val": 2.0}, "hardtanh: max_val must be greater than min_val=2.0, got 1.0"),
        ("celu", {"alpha": 0.0}, "celu: alpha must be greater than 0, got 0.0"),
        ("gelu", {"approximate": "erf"}, "gelu: approximate must be 'none' or 'tanh', got 'erf'"),
        ("softplus", {"beta": 0.0}, "softplus: beta must be greater than 0, got 0.0"),
        ("softshrink", {"lambd": -1.0}, "softshrink: lambd must be at least 0, got -1.0"),
        ("hardshrink", {"lambd": -1.0}, "hardshrink: lambd must be at least 0, got -1.0"),
    ],
)
def test_options_are_checked(name, options, message):
    """A parameter for which the formula makes no sense is refused with its name and value."""
    with pytest.raises(OptionError) as error:
        ACTIVATIONS[name](**options)
    assert str(error.value) == message
