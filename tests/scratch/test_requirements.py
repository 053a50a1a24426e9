"""What a network refuses, and how: every message says what, where, got and wanted."""

import numpy as np
import pytest

from backproof.scratch import Network
from backproof.scratch.errors import DtypeError, NotFiniteError, PairingError, ShapeError, TargetError

X, Y = np.ones((5, 3)), np.ones((5, 2))

NAN = np.array([[1.0, np.nan, 1.0, 1.0], [np.inf, 1.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weights": [], "biases": []}, ShapeError, "weights: a network has at least one layer, got none"),
        (
            {"biases": [None]},
            ShapeError,
            "biases: wanted one for each of the 2 layers (None where there is none), got 1",
        ),
        (
            {"weights": [np.ones(3), np.ones((2, 4))]},
            ShapeError,
            "layer 1 (`weights[0]`): wanted shape (O, I), at least one of each; got (3,)",
        ),
        (
            {"weights": [np.ones((4, 0)), np.ones((2, 4))]},
            ShapeError,
            "layer 1 (`weights[0]`): wanted shape (O, I), at least one of each; got (4, 0)",
        ),
        (
            {"weights": [np.ones((4, 3)), np.ones((4, 2))]},
            ShapeError,
            "layer 2 (`weights[1]`): wanted shape (O, 4), since layer 1 has 4 outputs; got (4, 2). Is it transposed?",
        ),
        (
            {"weights": [np.ones((4, 3)), np.ones((2, 5))]},
            ShapeError,
            "layer 2 (`weights[1]`): wanted shape (O, 4), since layer 1 has 4 outputs; got (2, 5)",
        ),
        (
            {"biases": [np.ones((1, 4)), None]},
            ShapeError,
            "layer 1 (`biases[0]`): wanted shape (4,), one for each output; got (1, 4)",
        ),
        (
            {"weights": [np.ones((4, 3), int), np.ones((2, 4))]},
            DtypeError,
            "layer 1 (`weights[0]`): wanted float64 or float32, got int64; convert it with .astype(np.float64)",
        ),
        (
            {"weights": [np.ones((4, 3)), np.ones((2, 4), np.float32)]},
            DtypeError,
            "layer 2 (`weights[1]`): wanted float64, the dtype of layer 1 (`weights[0]`), got float32",
        ),
        (
            {"biases": [np.ones(4, np.float32), None]},
            DtypeError,
            "layer 1 (`biases[0]`): wanted float64, the dtype of layer 1 (`weights[0]`), got float32",
        ),
        (
            {"weights": [np.ones((4, 3)), NAN]},
            NotFiniteError,
            "layer 2 (`weights[1]`): wanted finite numbers, got nan at [0, 1]",
        ),
        (
            {"biases": [np.array([1, 1, 1, -np.inf]), None]},
            NotFiniteError,
            "layer 1 (`biases[0]`): wanted finite numbers, got -inf at [3]",
        ),
        (
            {"activations": ["relu"]},
            ShapeError,
            "activations: wanted one name for each of the 2 layers, got ['relu']",
        ),
        (
            {"activations": "relu"},
            ShapeError,
            "activations: wanted one name for each of the 2 layers, got 'relu'",
        ),
        (
            {"activation_options": [{}]},
            ShapeError,
            "activation_options: wanted one mapping for each of the 2 layers, got 1",
        ),
        (
            {"loss": "cross_entropy", "loss_options": {"weight": [1.0, 2.0]}},
            DtypeError,
            "cross_entropy, weight: wanted an array of shape (O), got [1.0, 2.0]",
        ),
        (
            {"loss": "cross_entropy", "loss_options": {"weight": np.ones(3)}},
            ShapeError,
            "cross_entropy, weight: wanted shape (2,), one for each output; got (3,)",
        ),
        (
            {"loss": "bce_with_logits", "loss_options": {"pos_weight": np.ones(2, np.float32)}},
            DtypeError,
            "bce_with_logits, pos_weight: wanted float64, the dtype of layer 1 (`weights[0]`), got float32",
        ),
        (
            {"loss": "cross_entropy", "activations": ["relu", "softmax"]},
            PairingError,
            (
                "cross_entropy applies its own sigmoid or softmax and wants logits, but the last layer's softmax "
                "puts out "
                "probabilities already: take identity there, or a loss on probabilities (bce, "
                "categorical_cross_entropy)"
            ),
        ),
        (
            {"loss": "nll"},
            PairingError,
            (
                "nll wants outputs that are logarithms of probabilities, which those of the last layer's identity "
                "need not be: "
                "take one of logsigmoid, log_softmax there"
            ),
        ),
        (
            {"loss": "bce"},
            PairingError,
            (
                "bce wants outputs that are probabilities, which those of the last layer's identity need not be: "
                "take one of "
                "hardsigmoid, sigmoid, softmax, softmin there"
            ),
        ),
        (
            {"loss": "poisson_nll", "loss_options": {"log_input": False}},
            PairingError,
            (
                "poisson_nll wants outputs that are never negative, which those of the last layer's identity need "
                "not be: "
                "take one of relu, relu6, hardsigmoid, softplus, sigmoid, softmax, softmin there"
            ),
        ),
        (
            {"reduction": "none"},
            PairingError,
            (
                "upstream: the reduction 'none' needs dC/d(loss) of each loss, and no other reduction takes it; got "
                "none "
                "with 'none'"
            ),
        ),
        (
            {"upstream": np.ones((5, 2))},
            PairingError,
            (
                "upstream: the reduction 'none' needs dC/d(loss) of each loss, and no other reduction takes it; got "
                "one "
                "with 'mean'"
            ),
        ),
        (
            {"reduction": "none", "upstream": np.ones((5, 2), int)},
            DtypeError,
            "upstream: wanted float64 or float32, got int64; convert it with .astype(np.float64)",
        ),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, str) else "",
)
def test_building_a_network_is_checked(build, refused, changes, error, message):
    """Shapes, dtypes, numbers, and what goes with what."""
    refused(error, message, build, **changes)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones(3), ShapeError, "x: wanted shape (N, 3), since layer 1 (`weights[0]`) has 3 inputs; got (3,)"),
        (
            np.ones((5, 2)),
            ShapeError,
            "x: wanted shape (N, 3), since layer 1 (`weights[0]`) has 3 inputs; got (5, 2)",
        ),
        (
            np.ones((5, 3), np.float32),
            DtypeError,
            "x: wanted float64, the dtype of the weights, got float32; convert it with .astype(np.float64)",
        ),
        (np.full((5, 3), np.inf), NotFiniteError, "x: wanted finite numbers, got inf at [0, 0]"),
    ],
)
def test_inputs_are_checked(build, refused, x, error, message):
    """By every call, whichever it is."""
    net = build()
    for call in (net.gradients, net.deltas, net.per_sample_gradients):
        refused(error, message, call, x, Y)
    refused(error, message, net.forward, x)


LARGE = np.full((5, 3), 1e200)


def test_large_numbers_are_finite(build):
    """Numbers whose squares overflow are numbers."""
    assert np.isfinite(build().forward(LARGE)).all()


TARGETS = [
    ("mse", np.ones((5, 3)), ShapeError, "y: mse wants targets of the outputs' shape (5, 2), numbers; got (5, 3)"),
    ("mse", np.ones(5), ShapeError, "y: mse wants targets of the outputs' shape (5, 2), numbers; got (5,)"),
    (
        "mse",
        np.ones((5, 2), np.float32),
        DtypeError,
        "y: wanted float64, the dtype of the weights, got float32; convert it with .astype(np.float64)",
    ),
    ("mse", np.full((5, 2), np.nan), NotFiniteError, "y: wanted finite numbers, got nan at [0, 0]"),
    (
        "bce_with_logits",
        np.array([[0, 1]] * 4 + [[0.5, 2]]),
        TargetError,
        "y: bce_with_logits wants numbers in [0, 1]; got y[4, 1] = 2.0 in the row [0.5 2. ]",
    ),
    (
        "poisson_nll",
        -np.ones((5, 2)),
        TargetError,
        "y: poisson_nll wants counts, at least 0; got y[0, 0] = -1.0 in the row [-1. -1.]",
    ),
    (
        "soft_margin",
        np.zeros((5, 2)),
        TargetError,
        "y: soft_margin wants 1 or -1; got y[0, 0] = 0.0 in the row [0. 0.]",
    ),
    (
        "multilabel_soft_margin",
        np.full((5, 2), 0.5),
        TargetError,
        "y: multilabel_soft_margin wants 0 or 1; got y[0, 0] = 0.5 in the row [0.5 0.5]",
    ),
    (
        "cross_entropy",
        np.full((5, 2), 0.75),
        TargetError,
        "y: cross_entropy wants rows of probabilities that sum to 1; got y[0, 0] = 0.75 in the row [0.75 0.75]",
    ),
    (
        "cross_entropy",
        np.array([[1.5, -0.5]] * 5),
        TargetError,
        "y: cross_entropy wants rows of probabilities that sum to 1; got y[0, 1] = -0.5 in the row [ 1.5 -0.5]",
    ),
    (
        "cross_entropy",
        np.ones(5),
        TargetError,
        "y: cross_entropy wants class indices, integers of shape (5,); got float64 of shape (5,)",
    ),
    (
        "cross_entropy",
        np.array([0, 1, 2, 0, 0]),
        TargetError,
        "y: cross_entropy has 2 classes, 0 to 1, or ignore_index=-100; got y[2] = 2",
    ),
    (
        "cross_entropy",
        np.array([0, 1, -1, 0, 0]),
        TargetError,
        "y: cross_entropy has 2 classes, 0 to 1, or ignore_index=-100; got y[2] = -1",
    ),
    (
        "multi_margin",
        np.array([0, 1, 1, 0, -100]),
        TargetError,
        "y: multi_margin has 2 classes, 0 to 1; got y[4] = -100",
    ),
    ("multi_margin", np.zeros(4, int), ShapeError, "y: multi_margin wants class indices, of shape (5,); got (4,)"),
    (
        "multilabel_margin",
        np.zeros(5, int),
        ShapeError,
        "y: multilabel_margin wants lists of class indices that -1 ends, of shape (5, 2); got (5,)",
    ),
    (
        "multilabel_margin",
        np.array([[0, -1]] * 4 + [[1, -2]]),
        TargetError,
        "y: multilabel_margin has 2 classes, 0 to 1; got y[4, 1] = -2",
    ),
]


@pytest.mark.parametrize(("loss", "y", "error", "message"), TARGETS, ids=[f"{row[0]}-{row[3][:40]}" for row in TARGETS])
def test_targets_are_checked(build, refused, *, loss, y, error, message):
    """The kind of target that the loss is about, in shape, dtype and value; the first offending entry is named."""
    net = build(loss=loss, reduction="sum")
    refused(error, message, net.gradients, X, y)
    refused(error, message, net.deltas, X, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [1, 2, 16, 500])
def test_normalised_rows_are_distributions(classes, dtype):
    """Rows divided by their sum, in either dtype, pass however the roundings fall."""
    y = np.random.default_rng(classes).random((50, classes)).astype(dtype)
    y /= y.sum(axis=1, keepdims=True)
    net = Network([np.ones((classes, 1), dtype)], [None], ["identity"], loss="cross_entropy", reduction="sum")
    assert np.isfinite(net.gradients(np.ones((50, 1), dtype), y).loss)


def test_upstream_and_variance_have_the_batchs_shape(build, refused):
    """What comes with each sample is checked where the batch is known."""
    net = build(reduction="none", upstream=np.ones((4, 2)))
    refused(ShapeError, "upstream: wanted the shape of the unreduced losses, (5, 2); got (4, 2)", net.gradients, X, Y)
    net = build(loss="half_squared_error", reduction="none", upstream=np.ones((5, 2)))
    refused(ShapeError, "upstream: wanted the shape of the unreduced losses, (5,); got (5, 2)", net.gradients, X, Y)
    net = build(loss="gaussian_nll", loss_options={"var": np.ones(5)})
    refused(
        ShapeError, "gaussian_nll, var: wanted shape (5, 2) or (5, 1), as the outputs; got (5,)", net.gradients, X, Y
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dweights": [None]}, ShapeError, "dweights: wanted one for each of the 2 layers, got 1"),
        (
            {"dweights": [np.ones((4, 3)), np.ones((4, 2))]},
            ShapeError,
            "layer 2 (`dweights[1]`): wanted the shape (2, 4) of what it changes, got (4, 2)",
        ),
        (
            {"dbiases": [None, np.ones(2)]},
            ShapeError,
            "layer 2 (`dbiases[1]`): wanted None, since the layer has no bias; got shape (2,)",
        ),
        (
            {"dweights": [np.full((4, 3), np.nan), None]},
            NotFiniteError,
            "layer 1 (`dweights[0]`): wanted finite numbers, got nan at [0, 0]",
        ),
        ({"dx": np.ones((4, 3))}, ShapeError, "dx: wanted the shape (5, 3) of what it changes, got (4, 3)"),
    ],
)
def test_tangents_are_checked(build, refused, changes, error, message):
    """A direction has the shapes of what it changes."""
    tangents = {"dweights": [None, None], "dbiases": [None, None], "dx": None} | changes
    refused(error, message, build().differential, X, Y, **tangents)
