"""A network of column vectors, one sample at a time, in the style of Nielsen's book (2015, chapter 1)."""

import numpy as np

from backproof import Domain, candidate


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return 1.0 / (1.0 + np.exp(-z))


class Columns:
    """Weights (O, I) and biases (O, 1) of every layer but the inputs'."""

    def __init__(self, weights, biases):
        self.weights, self.biases = weights, biases

    def gradient(self, x, y):
        """(nabla_w, nabla_b) of 1/2 |a - y|^2 for one sample, a column."""
        a, nabla_w, nabla_b = [x], [], []
        for w, b in zip(self.weights, self.biases, strict=True):
            a.append(sigmoid(np.dot(w, a[-1]) + b))
        delta = (a[-1] - y) * a[-1] * (1 - a[-1])
        for layer in range(len(self.weights), 0, -1):
            nabla_b.insert(0, delta)
            nabla_w.insert(0, np.dot(delta, a[layer - 1].T))
            delta = np.dot(self.weights[layer - 1].T, delta) * a[layer - 1] * (1 - a[layer - 1])
        return nabla_w, nabla_b

    def summed(self, samples):
        """The gradient of many, one after another."""
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        for x, y in samples:
            more_w, more_b = self.gradient(x, y)
            nabla_w = [total + more for total, more in zip(nabla_w, more_w, strict=True)]
            nabla_b = [total + more for total, more in zip(nabla_b, more_b, strict=True)]
        return nabla_w, nabla_b

    def mini_batch(self, samples, eta):
        """One step along the mean gradient."""
        nabla_w, nabla_b = self.summed(samples)
        scale = eta / len(samples)
        self.weights = [w - scale * nabla for w, nabla in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - scale * nabla for b, nabla in zip(self.biases, nabla_b, strict=True)]


SIGMOIDS = {"activations": "sigmoid", "losses": "half_squared_error", "biases": "always"}


@candidate(Domain(**SIGMOIDS, reductions="sum", batch_size=1), samples="columns", bias="column")
def one_sample(network, x, y):
    """The gradient alone; the loss is not offered."""
    weights, biases = Columns(network.weights, network.biases).gradient(x, y)
    return {"weights": weights, "biases": biases}


def columns(x, y):
    """The samples of a batch, each a pair of columns."""
    return [(x[:, [at]], y[:, [at]]) for at in range(x.shape[1])]


@candidate(Domain(**SIGMOIDS, reductions="sum"), samples="columns", bias="column")
def many_samples(network, x, y):
    """The sum over a batch."""
    weights, biases = Columns(network.weights, network.biases).summed(columns(x, y))
    return {"weights": weights, "biases": biases}


@candidate(Domain(**SIGMOIDS, reductions="batchmean"), kind="step", samples="columns", bias="column")
def mini_batch(network, x, y, learning_rate):
    """The step of a mini-batch, with a learning rate for the mean."""
    mine = Columns(network.weights, network.biases)
    mine.mini_batch(columns(x, y), learning_rate)
    return mine
