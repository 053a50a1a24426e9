"""Every loss against PyTorch: values, gradients, reductions, ties, saturation, and batches in which nothing counts."""

from dataclasses import MISSING, fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backproof.cases.catalogue import LOSSES as CATALOGUE
from backproof.scratch import LOSSES, Network
from backproof.scratch.errors import OptionError
from backproof.scratch.exponentials import Exponentials
from backproof.scratch.objective import REDUCTIONS, Objective

# A loss and its slope g are chains of at most 8 operations an entry, each rounded to within 2 units roundoff, on
# numbers of size at most S = max(1, |a|, |y|, |g|)^2; a row adds at most four of them.
ROUNDINGS = 64


def _reduced(losses, reduction):
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


def _kl_div(a, y, reduction, *, log_target=False):
    return _reduced(F.kl_div(a, y, reduction="none", log_target=log_target), reduction)


TORCH = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
    "huber": F.huber_loss,
    "bce": F.binary_cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "nll": F.nll_loss,
    "kl_div": _kl_div,
    "poisson_nll": F.poisson_nll_loss,
    "gaussian_nll": F.gaussian_nll_loss,
    "hinge_embedding": F.hinge_embedding_loss,
    "soft_margin": F.soft_margin_loss,
    "multilabel_soft_margin": F.multilabel_soft_margin_loss,
    "multi_margin": F.multi_margin_loss,
    "multilabel_margin": F.multilabel_margin_loss,
    "half_squared_error": lambda a, y, reduction: _reduced((a - y).square().sum(1) / 2, reduction),
    "categorical_cross_entropy": lambda a, y, reduction: _reduced(-torch.xlogy(y, a).sum(1), reduction),
    "linear": lambda a, y, reduction: _reduced((a * y).sum(1), reduction),
}


def torch_loss(name, a, y, reduction, **options):
    """PyTorch's loss and its gradient by a (of the sum, for the reduction none), in float64."""
    outputs = torch.tensor(a.astype(np.float64), requires_grad=True)
    targets = torch.as_tensor(y if y.dtype.kind in "iu" else y.astype(np.float64))
    options = {k: torch.as_tensor(v.astype(np.float64)) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    by_name = {"reduction": "sum" if reduction == "batchmean" else reduction}
    loss = TORCH[name](outputs, targets, **by_name, **options)
    if reduction == "batchmean":
        loss = loss / len(y)
    loss.sum().backward()
    return loss.detach().numpy(), outputs.grad.numpy()


def ours(name, a, y, reduction, **options):
    """Our loss and its gradient by a, with an upstream of ones for the reduction none."""
    loss = LOSSES[name](**options)
    upstream = None
    if reduction == "none":
        upstream = np.ones(len(a) if loss.per_sample else a.shape, a.dtype)
    objective = Objective(loss, reduction, upstream)
    with np.errstate(invalid="ignore"):  # 0/0, where nothing counts
        return objective.value(a, y), loss.gradient(a, y) * objective.weights(a, y)


SAMPLES, OUTPUTS = 6, 4


def arrays(dtype):
    """Outputs and targets of every kind for SAMPLES samples and OUTPUTS outputs."""
    rng = np.random.default_rng(11)
    logits = rng.normal(size=(SAMPLES, OUTPUTS)) * 2
    weights = rng.random((SAMPLES, OUTPUTS)) + 0.1
    distribution = weights / weights.sum(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    lists = np.array([[2, 0, -1, 1], [-1, 0, 1, 2], [0, 1, 2, 3], [3, -1, -1, -1], [1, 1, -1, 0], [2, 3, 0, -1]])
    floats = {
        "any": logits,
        "logits": logits,
        "probabilities": probabilities,
        "log_probabilities": np.log(probabilities),
        "nonnegative": np.abs(logits),
        "real": rng.normal(size=(SAMPLES, OUTPUTS)),
        "unit": rng.random((SAMPLES, OUTPUTS)),
        "count": rng.integers(0, 6, size=(SAMPLES, OUTPUTS)).astype(float),
        "sign": rng.choice([-1.0, 1.0], size=(SAMPLES, OUTPUTS)),
        "binary": rng.integers(0, 2, size=(SAMPLES, OUTPUTS)).astype(float),
        "distribution": distribution,
        "log_distribution": np.log(distribution),
        "weight": rng.random(OUTPUTS) + 0.5,
        "var": rng.random((SAMPLES, OUTPUTS)) + 0.5,
        "var of a sample": rng.random((SAMPLES, 1)) + 0.5,
    }
    found = {kind: array.astype(dtype) for kind, array in floats.items()}
    return found | {"class": np.array([0, 3, 1, 1, 2, 0]), "classes": lists}


# (loss, kind of targets, options; an option that is a kind of array above stands for that array)
VARIANTS = [
    ("mse", "real", {}),
    ("l1", "real", {}),
    ("smooth_l1", "real", {"beta": 0.5}),
    ("huber", "real", {"delta": 0.5}),
    ("bce", "unit", {}),
    ("bce_with_logits", "unit", {}),
    ("bce_with_logits", "unit", {"pos_weight": "weight"}),
    ("cross_entropy", "class", {}),
    ("cross_entropy", "class", {"weight": "weight", "ignore_index": 1, "label_smoothing": 0.25}),
    ("cross_entropy", "distribution", {}),
    ("cross_entropy", "distribution", {"weight": "weight", "label_smoothing": 0.25}),
    ("nll", "class", {}),
    ("nll", "class", {"weight": "weight", "ignore_index": 1}),
    ("kl_div", "distribution", {}),
    ("kl_div", "log_distribution", {"log_target": True}),
    ("poisson_nll", "count", {}),
    ("poisson_nll", "count", {"log_input": False, "eps": 0.125}),
    ("poisson_nll", "count", {"full": True}),
    ("gaussian_nll", "real", {"var": "var"}),
    ("gaussian_nll", "real", {"var": "var of a sample", "full": True, "eps": 0.75}),
    ("hinge_embedding", "sign", {"margin": 2.0}),
    ("soft_margin", "sign", {}),
    ("multilabel_soft_margin", "binary", {}),
    ("multilabel_soft_margin", "binary", {"weight": "weight"}),
    ("multi_margin", "class", {}),
    ("multi_margin", "class", {"p": 2, "margin": 0.5, "weight": "weight"}),
    ("multilabel_margin", "classes", {}),
    ("half_squared_error", "real", {}),
    ("categorical_cross_entropy", "distribution", {}),
    ("linear", "real", {}),
]


def built(variant, dtype):
    """(name, a, y, options) of a variant, in a dtype."""
    name, kind, options = variant
    data = arrays(dtype)
    filled = {key: data.get(value, value) if isinstance(value, str) else value for key, value in options.items()}
    return name, data[LOSSES[name](**filled).expected_output()], data[kind], filled


def test_names_and_parameters_are_the_catalogue():
    """The network offers exactly the losses that cases are made of, with the same parameters and defaults."""
    assert LOSSES.keys() == CATALOGUE.keys() == TORCH.keys() == {name for name, _, _ in VARIANTS}
    for name, entry in CATALOGUE.items():
        kind = LOSSES[name]
        assert (kind.targets, kind.expects, kind.per_sample) == (entry.targets, entry.expects, entry.per_sample)
        options = {field.name: field.default for field in fields(kind)}
        for parameter in entry.parameters:
            if parameter.name != "target":  # which of the two a target is, y itself says
                assert options.pop(parameter.name) in (parameter.default, None)
        assert options in ({}, {"var": MISSING})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_losses_and_gradients_are_pytorchs_to_rounding(variant, reduction, dtype):
    """Every loss under every reduction, in the dtype of its arrays."""
    name, a, y, options = built(variant, dtype)
    value, gradient = ours(name, a, y, reduction, **options)
    expected, slope = torch_loss(name, a, y, reduction, **options)
    assert value.dtype == gradient.dtype == a.dtype
    assert value.shape == expected.shape
    size = max(1.0, *(float(np.abs(array).max()) for array in (a, y, slope))) ** 2
    limit = ROUNDINGS * np.finfo(dtype).eps / 2 * size * (SAMPLES * OUTPUTS if expected.ndim == 0 else 1)
    assert (np.abs(value - expected) <= limit).all()
    assert (np.abs(gradient - slope) <= limit).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_loss_at_one_batch_is_the_same_loss(variant, dtype):
    """What it keeps of that batch changes no bit, and is not taken for other outputs or other targets."""
    name, a, y, options = built(variant, dtype)
    loss = LOSSES[name](**options)
    here = loss.at(a, y)
    assert type(here) is type(loss)
    for outputs, targets in ((a, y), (np.flip(a, axis=0), y), (a, np.roll(y, 1, axis=0)), (a, y)):
        assert np.array_equal(here.value(outputs, targets), loss.value(outputs, targets))
        assert np.array_equal(here.gradient(outputs, targets), loss.gradient(outputs, targets))
        assert here.mean_divisor(outputs, targets) == loss.mean_divisor(outputs, targets)


def test_softmax_is_taken_once_for_value_and_gradient(monkeypatch):
    """One call of `gradients` under cross_entropy takes the exponentials of its outputs one time."""
    taken, of = [], Exponentials.of
    monkeypatch.setattr(Exponentials, "of", lambda z: taken.append(z) or of(z))
    net = Network([np.eye(2)], [None], ["identity"], loss="cross_entropy", reduction="mean")
    net.gradients(np.ones((3, 2)), np.array([0, 1, 1]))
    assert len(taken) == 1


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_mean_divides_by_what_pytorchs_mean_divides_by(variant):
    """PyTorch's `sum` over its `mean` is our divisor, up to the roundings of a quotient, a product and the sums."""
    name, a, y, options = built(variant, "float64")
    total, _ = torch_loss(name, a, y, "sum", **options)
    mean, _ = torch_loss(name, a, y, "mean", **options)
    losses, _ = torch_loss(name, a, y, "none", **options)
    divisor = Objective(LOSSES[name](**options), "mean").divisor(a, y)
    assert (
        abs(mean * divisor - total) <= (2 + 2 * SAMPLES * OUTPUTS) * np.finfo(np.float64).eps / 2 * np.abs(losses).sum()
    )


TIES = [
    ("l1", [[0.5, 1.0]], [[0.5, 2.0]], {}),
    ("smooth_l1", [[1.0, -1.0, 0.0, 2.0]], [[0.0] * 4], {}),
    ("smooth_l1", [[0.5, -0.5, 0.25, 2.0]], [[0.0] * 4], {"beta": 0.5}),
    ("huber", [[0.5, -0.5, 0.25, 2.0]], [[0.0] * 4], {"delta": 0.5}),
    ("hinge_embedding", [[1.0, 1.0, 0.0, 2.0]], [[-1.0, 1.0, -1.0, -1.0]], {}),
    ("hinge_embedding", [[2.0, 2.0, 0.0, 3.0]], [[-1.0, 1.0, -1.0, -1.0]], {"margin": 2.0}),
    ("multi_margin", [[0.0, 1.0, 0.5, 2.0], [1.0, 0.25, 0.0, 0.0]], [1, 0], {}),
    ("multi_margin", [[0.0, 1.0, 0.5, 2.0], [1.0, 0.25, 0.0, 0.0]], [1, 0], {"p": 2}),
    ("multi_margin", [[0.0, 1.0, 0.5, 2.0]], [1], {"p": 2, "margin": 0.5, "weight": np.array([1.0, 0.5, 2.0, 4.0])}),
    ("multilabel_margin", [[0.0, 1.0, 2.0, 0.0]] * 4, [[1, -1, 0, 0], [0, 2, -1, 1], [2, 2, 1, -1], [-1] * 4], {}),
    ("multilabel_margin", [[0.0, 1.0, 2.0, 0.0]] * 2, [[0, 1, 2, 3], [3, 0, -1, -1]], {}),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "a", "y", "options"), TIES, ids=lambda value: str(value)[:40])
def test_ties_take_pytorchs_subgradient(name, a, y, options, reduction):
    """On numbers whose arithmetic is exact, at the edges of every piece: bit for bit PyTorch's value and gradient."""
    a, y = np.array(a), np.array(y)
    value, gradient = ours(name, a, y, reduction, **options)
    expected, slope = torch_loss(name, a, y, reduction, **options)
    assert np.array_equal(value, expected)
    assert np.array_equal(gradient, slope)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_losses_survive_saturation(dtype):
    """With logits up to the largest number: the loss is the distance from the right side, the gradient 0 or 1."""
    huge = np.finfo(dtype).max / 4
    a = np.array([[1e30, -1e30], [huge, -huge], [1000, -1000]], dtype=dtype)
    right, wrong = np.array([[1, 0]] * 3, dtype=dtype), np.array([[0, 1]] * 3, dtype=dtype)
    for y, value, slope in ((right, 0, 0), (wrong, np.abs(a), np.array([[1, -1]] * 3))):
        bce = LOSSES["bce_with_logits"]()
        assert np.array_equal(bce.value(a, y), np.broadcast_to(value, a.shape))
        assert np.array_equal(bce.gradient(a, y), np.broadcast_to(slope, a.shape))
        margin = LOSSES["soft_margin"]()
        assert np.array_equal(margin.value(a, 2 * y - 1), bce.value(a, y))
        assert np.array_equal(margin.gradient(a, 2 * y - 1), bce.gradient(a, y))
        labels = LOSSES["multilabel_soft_margin"]()
        assert np.array_equal(labels.value(a, y), bce.value(a, y).sum(axis=1) / 2)
        assert np.array_equal(labels.gradient(a, y), bce.gradient(a, y) / 2)
        entropy = LOSSES["cross_entropy"]()
        assert np.array_equal(entropy.value(a, y), 2 * np.broadcast_to(value, a.shape)[:, 0])
        assert np.array_equal(entropy.value(a, y.argmax(axis=1)), entropy.value(a, y))
        assert np.array_equal(entropy.gradient(a, y.argmax(axis=1)), np.broadcast_to(slope, a.shape))


def test_cross_entropy_stays_finite_where_the_largest_numbers_meet():
    """The shift by the largest logit overflows: what no target weighs counts nothing, what one weighs stays finite."""
    huge = np.finfo(np.float32).max
    a = np.array([[huge, -huge]] * 2, dtype=np.float32)
    entropy = LOSSES["cross_entropy"]()
    assert np.array_equal(entropy.value(a, np.array([0, 1])), [0, huge])
    assert np.array_equal(entropy.gradient(a, np.array([0, 1])), [[0, 0], [1, -1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bce_at_certainty_takes_pytorchs_stand_ins(dtype):
    """At a = 0 and 1 the logarithm counts as -100 and the denominator as 1e-12, to PyTorch's float32 number."""
    a, y = np.array([[0, 1, 0, 1]], dtype=dtype), np.array([[0, 1, 0.5, 0.5]], dtype=dtype)
    value, gradient = ours("bce", a, y, "none")
    expected, slope = torch_loss("bce", a, y, "none")
    assert np.array_equal(value, expected)
    assert np.array_equal(gradient.astype(np.float32), slope.astype(np.float32))


def test_bce_is_not_clamped_before_certainty():
    """PyTorch's clamps also touch probabilities that are not 0: there ours is the derivative, -1/a, and -log a."""
    a, y = np.array([[2.0**-200]]), np.array([[1.0]])
    assert LOSSES["bce"]().gradient(a, y) == -(2.0**200)
    assert LOSSES["bce"]().value(a, y) == -np.log(2.0**-200)
    assert torch_loss("bce", a, y, "none")[1].astype(np.float32) == np.float32(-1e12)


def test_categorical_cross_entropy_at_an_impossible_class():
    """A class that cannot occur costs nothing even at a = 0; one that can costs infinity, with a finite slope."""
    loss = LOSSES["categorical_cross_entropy"]()
    a, y = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    assert np.array_equal(loss.value(a, y), [0, np.inf])
    assert np.array_equal(loss.gradient(a, y), [[0, -1], [-1e12, 0]])


def test_kl_div_of_an_impossible_class_is_nothing():
    """y log y is 0 at y = 0."""
    assert np.array_equal(LOSSES["kl_div"]().value(np.array([[-3.0]]), np.array([[0.0]])), [[0]])


def test_poisson_full_has_stirlings_term_above_one_only():
    """At counts 0 and 1 the term is left out, as log 0! = log 1! = 0."""
    a, y = np.zeros((1, 3)), np.array([[0.0, 1.0, 2.0]])
    plain, full = LOSSES["poisson_nll"]().value(a, y), LOSSES["poisson_nll"](full=True).value(a, y)
    assert np.array_equal((full - plain)[:, :2], [[0, 0]])
    assert full[0, 2] > plain[0, 2]


# PyTorch returns memory it has not initialised for the sum and the mean of these losses over an empty batch.
UNINITIALISED = {"multi_margin", "multilabel_margin"}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_empty_batch_is_pytorchs(variant, reduction):
    """No samples: an empty array, a sum of 0 or a mean of 0/0 = NaN, and a gradient of no rows."""
    name, a, y, options = built(variant, "float64")
    if "var" in options:
        options["var"] = options["var"][:0]
    value, gradient = ours(name, a[:0], y[:0], reduction, **options)
    expected = {"none": np.zeros(value.shape), "sum": 0.0, "mean": np.nan, "batchmean": np.nan}[reduction]
    assert np.array_equal(value, expected, equal_nan=True)
    assert gradient.shape == (0, OUTPUTS)
    if name not in UNINITIALISED and reduction != "batchmean":
        theirs, slope = torch_loss(name, a[:0], y[:0], reduction, **options)
        assert np.array_equal(value, theirs, equal_nan=True)
        assert slope.shape == gradient.shape


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("options", [{}, {"weight": "weight"}, {"label_smoothing": 0.25}], ids=str)
@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_ignored_targets_are_pytorchs(name, options, reduction):
    """Every target ignored: zeros, a sum of 0 or a mean of 0/0 = NaN, and a gradient of 0 under each."""
    if name == "nll" and "label_smoothing" in options:
        options = {"weight": "weight"}
    name, a, _, options = built((name, "class", options), "float64")
    y = np.full(SAMPLES, -100)
    value, gradient = ours(name, a, y, reduction, **options)
    expected, slope = torch_loss(name, a, y, reduction, **options)
    assert np.array_equal(value, expected, equal_nan=True)
    assert np.array_equal(gradient, slope)
    assert not gradient.any()


def test_class_weights_of_zero_are_pytorchs():
    """Targets that count, but with a weight of 0: the mean is 0/0, and so is its gradient."""
    a, y, weight = np.zeros((2, 3)), np.array([0, 0]), np.array([0.0, 1.0, 2.0])
    value, gradient = ours("cross_entropy", a, y, "mean", weight=weight)
    expected, slope = torch_loss("cross_entropy", a, y, "mean", weight=weight)
    assert np.isnan([value, expected]).all()
    assert np.isnan(gradient).all()
    assert np.isnan(slope).all()


def test_an_ignored_class_in_range_is_ignored():
    """ignore_index may be one of the classes: its rows are zeros, and it is not divided by."""
    a = np.arange(6.0).reshape(2, 3)
    loss = LOSSES["cross_entropy"](ignore_index=1)
    assert not loss.gradient(a, np.array([1, 2]))[0].any()
    assert loss.mean_divisor(a, np.array([1, 2])) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("huber", {"delta": 0.0}, "huber: delta must be greater than 0, got 0.0"),
        ("smooth_l1", {"beta": 0.0}, "smooth_l1: beta must be greater than 0, got 0.0"),
        ("poisson_nll", {"eps": 0.0}, "poisson_nll: eps must be greater than 0, got 0.0"),
        (
            "nll",
            {"ignore_index": 2**63},
            f"nll: ignore_index must be from -2**63 to 2**63 - 1, got {2**63}",
        ),
        ("cross_entropy", {"label_smoothing": 1.5}, "cross_entropy: label_smoothing must be from 0 to 1, got 1.5"),
        ("multi_margin", {"p": 3}, "multi_margin: p must be 1 or 2, got 3"),
        ("gaussian_nll", {"var": np.ones(1), "eps": 0.0}, "gaussian_nll: eps must be greater than 0, got 0.0"),
    ],
    ids=["huber", "smooth_l1", "poisson_nll", "nll", "cross_entropy", "multi_margin", "gaussian_nll"],
)
def test_options_are_checked(name, options, message):
    """A parameter for which the formula makes no sense is refused with its name and value."""
    with pytest.raises(OptionError) as error:
        LOSSES[name](**options)
    assert str(error.value) == message


def test_a_negative_variance_is_refused():
    """A variance below 0 is a mistake upstream, which PyTorch refuses too."""
    with pytest.raises(OptionError, match="var must be at least 0 everywhere"):
        LOSSES["gaussian_nll"](var=np.array([[1.0, -1.0]]))
