"""What is plain to see is said as it is seen, and no formula is guessed in its place."""

import numpy as np
import pytest

from backproof import candidate
from backproof.candidates.loading import load
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.faults import BY_NAME
from backproof.scratch import Network


def computed(network, x, y):
    """The right loss, dW and db, as lists."""
    own = Network(network.weights, network.biases, network.activations, loss=network.loss, reduction=network.reduction)
    found = own.gradients(x, y)
    return found.loss, list(found.weights), list(found.biases)


def never_filled_in(network, x, y):
    """The names are bound to other arrays than those that are returned."""
    loss, weights, biases = computed(network, x, y)
    dW, db = [np.zeros_like(W) for W in weights], [np.zeros_like(b) for b in biases]
    for gW, gb, own_W, own_b in zip(dW, db, weights, biases, strict=True):
        gW, gb = own_W, own_b  # noqa: F841, PLW2901  the mistake
    return loss, dW, db


def rebound(network, x, y, learning_rate):
    """A step on names."""
    _, dW, db = computed(network, x, y)
    for W, b, gW, gb in zip(network.weights, network.biases, dW, db, strict=True):
        W = W - learning_rate * gW  # noqa: PLW2901  the mistake
        b = b - learning_rate * gb  # noqa: PLW2901


def returned_as_they_were(network, x, y, learning_rate):
    """A step that returns what it was given."""
    return network.weights, network.biases


def changed_before(network, x, y):
    """Another network's gradients."""
    network.weights[0] += 1
    return computed(network, x, y)


def changed_after(network, x, y):
    """The right ones, and a step that nobody asked for."""
    loss, dW, db = computed(network, x, y)
    network.biases[-1] -= 0.1 * db[-1]
    return loss, dW, db


def changed_and_averaged(network, x, y):
    """Two mistakes."""
    loss, dW, db = computed(network, x, y)
    x += 1
    return loss, dW, [gradient / len(x) for gradient in db]


def exchanged(network, x, y):
    """Biases first."""
    loss, dW, db = computed(network, x, y)
    return loss, db, dW


@pytest.fixture
def found(failing, plain):
    """(function, declaration) -> its diagnosis."""

    def of(function, **declared):
        (asked,) = load(candidate(plain, **declared)(function))
        return diagnose(asked, failing(asked, 12), shrink=False)

    return of


def test_gradients_that_are_all_zero_are_said_to_be(found):
    """And not cut to whole numbers, of which they might come as well; only what the loss attests holds."""
    findings = found(never_filled_in)
    (diagnosis,) = findings.diagnoses
    assert (diagnosis.fault, diagnosis.used, diagnosis.subject) == (None, "every gradient is 0", "all gradients")
    assert "zeros_like" in diagnosis.hint
    assert {name for name, status in findings.equations.items() if status == "holds"} == {"BP0", "loss"}
    assert set(findings.untested.values()) == {"every gradient is 0, which shows nothing of it"}


@pytest.mark.parametrize("step", [rebound, returned_as_they_were])
def test_step_that_changes_nothing_is_said_to(found, step):
    """Whether names were rebound or the old arrays returned."""
    (diagnosis,) = found(step, kind="step").diagnoses
    assert (diagnosis.equation, diagnosis.fault) == ("step", None)
    assert diagnosis.used == "W' = W, b' = b: the step changed nothing"
    assert "rebinds a name" in diagnosis.why


@pytest.mark.parametrize(
    ("function", "what"), [(changed_before, "network.weights[0]"), (changed_after, "network.biases[")]
)
def test_changed_argument_is_the_mistake(found, function, what):
    """With its name, whatever comes of it: no equation is to blame for the numbers of another network."""
    findings = found(function)
    (diagnosis,) = findings.diagnoses
    assert (diagnosis.equation, diagnosis.fault, diagnosis.condition) == ("state", None, None)
    assert diagnosis.used.startswith(f"the call changes {what}")
    assert "broken" not in findings.equations.values()


def test_mistake_beside_a_changed_argument_is_named_after_it(found):
    """Where its numbers are reproduced by the arguments as they were."""
    first, second = found(changed_and_averaged).diagnoses
    assert first.used == "the call changes x"
    assert second.fault == "bias_averaged"


def test_exchanged_gradients_have_the_name_of_the_catalogue(found):
    """They are refused where they are read, by the same mistake."""
    (diagnosis,) = found(exchanged).diagnoses
    assert diagnosis.fault == "weights_and_biases_exchanged"
    assert diagnosis.used == BY_NAME[diagnosis.fault].used
