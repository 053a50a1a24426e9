"""Real data. Do the handwritten network and PyTorch learn scikit-learn's digits alike, gradient by gradient?"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backproof.cases import NetworkSpec, build_case
from backproof.cases.digits import digits
from backproof.scratch import SGD
from backproof.truth.autograd import reference
from backproof.truth.rounding import bound

EPOCHS, BATCH, MOMENTUM = 10, 32, 0.5
# The network that training starts from, and the learning rate.
COSTS = {
    "cross-entropy": ("64-30-10,sigmoid-identity,cross_entropy,mean,n32,f64,digits,s1", 1.0),
    "quadratic": ("64-30-10,sigmoid,half_squared_error,batchmean,n32,f64,digits,s1", 4.0),
}


def in_torch(cost, start):
    """The same network and the same cost, as people write them in PyTorch."""
    layers = []
    for layer, (weight, bias) in enumerate(zip(start.weights, start.biases, strict=True), 1):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weight))
            linear.bias.copy_(torch.tensor(bias))
        layers.append(linear)
        if layer < len(start.weights) or cost == "quadratic":
            layers.append(torch.nn.Sigmoid())
    if cost == "cross-entropy":
        return torch.nn.Sequential(*layers), torch.nn.functional.cross_entropy
    return torch.nn.Sequential(*layers), lambda output, y: (output - y).square().sum() / 2 / len(y)


@pytest.mark.parametrize("cost", COSTS)
def test_both_learn_the_digits_alike(cost, network_of, differing):
    """At every step of both trainings the gradients agree within the bound; at the end the accuracy is the same."""
    text, rate = COSTS[cost]
    start = build_case(NetworkSpec.parse(text))
    images, labels = digits()
    targets = labels if cost == "cross-entropy" else np.eye(10)[labels]
    generator = np.random.default_rng(0)
    shuffled = generator.permutation(len(images))
    known, unseen = shuffled[:1500], shuffled[1500:]
    network = network_of(start)
    optimizer = SGD(network, learning_rate=rate, momentum=MOMENTUM)
    model, loss = in_torch(cost, start)
    descent = torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)

    def right(outputs):
        return int((np.argmax(outputs, axis=1) == labels[unseen]).sum())

    for _ in range(EPOCHS):
        batches = generator.permutation(known)[: 1500 - 1500 % BATCH].reshape(-1, BATCH)
        for x, y in ((images[batch], targets[batch]) for batch in batches):
            # Where our training stands.
            found = network.gradients(x, y)
            here = replace(start, weights=tuple(network.weights), biases=tuple(network.biases), x=x, y=y)
            assert not differing(found, reference(here), bound(here))
            # Where PyTorch's stands: its numbers are no longer the same bits.
            descent.zero_grad()
            loss(model(torch.tensor(x)), torch.tensor(y)).backward()
            theirs = [parameter.grad.numpy() for parameter in model.parameters()]
            parameters = [parameter.detach().numpy().copy() for parameter in model.parameters()]
            there = replace(here, weights=tuple(parameters[::2]), biases=tuple(parameters[1::2]))
            ours = network_of(there).gradients(x, y)
            taught = replace(ours, weights=tuple(theirs[::2]), biases=tuple(theirs[1::2]))
            assert not differing(taught, ours, bound(there))
            optimizer.step_in_place(found)
            descent.step()
    with torch.no_grad():
        learned = right(model(torch.tensor(images[unseen])).numpy())
    assert right(network.forward(images[unseen])) == learned
    assert learned > len(unseen) * 9 // 10
    assert right(network_of(start).forward(images[unseen])) < len(unseen) // 3
