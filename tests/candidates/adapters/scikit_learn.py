"""scikit-learn's multilayer perceptrons, by the private method that all of its solvers take their gradients from."""

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from backproof import Domain, candidate

NAMES = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "softmax": "softmax"}
HIDDEN = ("identity", "sigmoid", "tanh", "relu")
ALPHA = "0+0.1+N"  # 1/2 alpha |W|^2 / N, on weights alone


def put(model, network):
    """The model as `fit` would have made it, with the given numbers in place of random ones."""
    hidden = network.activations[:-1] or ["identity"]
    model.set_params(activation=NAMES[hidden[0]], alpha=0.0 if network.penalty is None else network.penalty.l2)
    model.coefs_, model.intercepts_ = network.weights, network.biases
    model.n_layers_ = len(network.weights) + 1
    model.out_activation_ = NAMES[network.activations[-1]]
    return model


def backprop(model, x, y):
    """Loss and gradients, from the lists that `fit` would have laid out."""
    layers = model.n_layers_ - 1
    lists = [x] + [None] * layers, [None] * layers, [None] * layers, [None] * layers
    return model._backprop(x, y, None, *lists)


@candidate(
    Domain(
        activations=HIDDEN,
        output_activations="softmax",
        losses="categorical_cross_entropy",
        reductions="batchmean",
        same_activation=True,
        biases="always",
        penalties=ALPHA,
    ),
    weights="in_out",
)
def classifier(network, x, y):
    """Several classes, with the penalty alpha."""
    return backprop(put(MLPClassifier(), network), x, y)


@candidate(
    Domain(
        activations=HIDDEN,
        output_activations="sigmoid",
        losses="bce",
        reductions="batchmean",
        same_activation=True,
        biases="always",
    ),
    weights="in_out",
)
def multilabel_classifier(network, x, y):
    """Several labels at once, each by itself."""
    return backprop(put(MLPClassifier(), network), x, y)


REGRESSION = {
    "activations": HIDDEN,
    "output_activations": "identity",
    "losses": "half_squared_error",
    "reductions": "batchmean",
    "same_activation": True,
    "biases": "always",
}


@candidate(Domain(**REGRESSION), weights="in_out")
def regressor(network, x, y):
    """The squared error, with any number of outputs."""
    return backprop(put(MLPRegressor(), network), x, y)


@candidate(Domain(**REGRESSION, output_width=1, penalties=ALPHA), weights="in_out")
def regressor_with_one_output(network, x, y):
    """The squared error as the solver lbfgs is given it: gradients as one long vector."""
    model = put(MLPRegressor(), network)
    layers = model.n_layers_ - 1
    parts = [*network.weights, *network.biases]
    ends = np.cumsum([part.size for part in parts])
    spans = list(zip([0, *ends[:-1]], ends, [part.shape for part in parts], strict=True))
    model._coef_indptr = spans[:layers]
    model._intercept_indptr = [(start, end) for start, end, _ in spans[layers:]]
    lists = [x] + [None] * layers, [None] * layers, [None] * layers, [None] * layers
    packed = np.concatenate([part.ravel() for part in parts])
    loss, slope = model._loss_grad_lbfgs(packed, x, y, None, *lists)
    found = [slope[start:end].reshape(shape) for start, end, shape in spans]
    return loss, found[:layers], found[layers:]
