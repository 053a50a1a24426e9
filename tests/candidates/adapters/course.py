"""A classifier in the style of a course exercise: relu, softmax on class indices, an l2 penalty, weights (in, out)."""

import numpy as np

from backproof import Domain, candidate


@candidate(
    Domain(
        depth=2,
        activations="relu",
        output_activations="identity",  # the softmax is the loss'
        losses="cross_entropy=index",
        reductions="mean",
        biases="always",
        penalties="0+0.1",
    ),
    weights="in_out",
    bias="row",
    targets="index",
)
def two_layer_loss(network, x, y):
    """The loss and its gradients."""
    (w1, w2), (b1, b2), reg = network.weights, network.biases, network.penalty.l2
    n = x.shape[0]
    hidden = np.maximum(0, x @ w1 + b1)
    scores = hidden @ w2 + b2
    scores -= scores.max(axis=1, keepdims=True)
    odds = np.exp(scores)
    totals = odds.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(totals[:, 0]) - scores[np.arange(n), y])
    loss += 0.5 * reg * (np.sum(w1 * w1) + np.sum(w2 * w2))
    dscores = odds / totals
    dscores[np.arange(n), y] -= 1
    dscores /= n
    dhidden = dscores @ w2.T
    dhidden[hidden <= 0] = 0
    dw = [x.T @ dhidden + reg * w1, hidden.T @ dscores + reg * w2]
    return loss, dw, [dhidden.sum(axis=0, keepdims=True), dscores.sum(axis=0, keepdims=True)]
