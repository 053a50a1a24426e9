"""First contact: what a candidate without a Domain is told about itself, and that the line to paste then works."""

import json
import re
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from backproof import Domain, candidate, check
from backproof.candidates.contract import CandidateError
from backproof.candidates.loading import load
from backproof.cli import app
from backproof.contact import probe
from backproof.contact.probe import FirstContactError, first_contact
from backproof.scratch import Network


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return 1 / (1 + np.exp(-z))


def plain(network, x, y):
    """Rows, (out, in), vectors; sigmoid everywhere, 1/2 the squared error, summed."""
    a, dw, db = [x], [], []
    for w, b in zip(network.weights, network.biases, strict=True):
        a.append(sigmoid(a[-1] @ w.T + b))
    error = a[-1] - y
    for at in reversed(range(len(network.weights))):
        delta = error * a[at + 1] * (1 - a[at + 1])
        dw.insert(0, delta.T @ a[at])
        db.insert(0, delta.sum(axis=0))
        error = delta @ network.weights[at]
    return np.sum((a[-1] - y) ** 2) / 2, dw, db


STEPS = Domain(activations="sigmoid", losses="half_squared_error", reductions="sum", biases="always")


@candidate(STEPS, kind="step")
def step_with_a_rate(network, x, y, learning_rate):
    """The step of `plain`, at a learning rate that it has built in, and one that it does not say."""
    _, dw, db = plain(network, x, y)
    for own, slopes in ((network.weights, dw), (network.biases, db)):
        for parameter, slope in zip(own, slopes, strict=True):
            np.subtract(parameter, 0.3 * slope, out=parameter)


@candidate(STEPS, kind="step")
def step_without_a_rate(network, x, y, learning_rate):
    """A step that forgets it."""
    _, dw, db = plain(network, x, y)
    moved = (zip(network.weights, dw, strict=True), zip(network.biases, db, strict=True))
    return tuple([parameter - slope for parameter, slope in pairs] for pairs in moved)


@candidate(STEPS, kind="step")
def no_step(network, x, y, learning_rate):
    """Nothing moves."""


@candidate(STEPS, kind="step", learning_rate=0.3)
def step_that_says_its_rate(network, x, y, learning_rate):
    """As the first, and it says so."""
    step_with_a_rate(network, x, y, learning_rate)


def test_a_step_with_a_rate_of_its_own_is_told_to_say_it():
    """With the number that it seems to be; one that declares it is let through."""
    with pytest.raises(FirstContactError) as caught:
        first_contact(load(step_with_a_rate)[0])
    assert str(caught.value) == (
        "step_with_a_rate takes the same step whatever learning_rate it is called with, and nothing was checked. If "
        'its code has one built in, it says so beside the kind "step", for instance learning_rate=0.3; else it should '
        "use the one that it is called with."
    )
    assert check(step_that_says_its_rate, cases=4).verdict == "agrees"


@pytest.mark.parametrize("function", [step_without_a_rate, no_step])
def test_a_step_without_any_rate_is_left_to_the_check(function):
    """Which has names for a learning rate that is forgotten, and for what never moves."""
    first_contact(load(function)[0])


def other_loss(network, x, y):
    """As `plain`, with the loss that belongs to another gradient."""
    loss, dw, db = plain(network, x, y)
    return 2 * loss, dw, db


def books(network, x, y):
    """Columns, one sample at a time, as in Nielsen's book."""
    a, dw, db = [x], [], []
    for w, b in zip(network.weights, network.biases, strict=True):
        a.append(sigmoid(w @ a[-1] + b))
    error = a[-1] - y
    for at in reversed(range(len(network.weights))):
        delta = error * a[at + 1] * (1 - a[at + 1])
        dw.insert(0, delta @ a[at].T)
        db.insert(0, delta)
        error = network.weights[at].T @ delta
    return np.sum((a[-1] - y) ** 2) / 2, dw, db


def course(network, x, y):
    """(in, out), two layers, relu, softmax with the mean cross entropy of class indices."""
    (w1, w2), (b1, b2) = network.weights, network.biases
    hidden = np.maximum(0, x @ w1 + b1)
    odds = np.exp(hidden @ w2 + b2)
    share = odds / odds.sum(axis=1, keepdims=True)
    rows = np.arange(len(x))
    loss = -np.log(share[rows, y]).mean()
    share[rows, y] -= 1
    delta = share / len(x)
    below = delta @ w2.T * (hidden > 0)
    return loss, [x.T @ below, hidden.T @ delta], [below.sum(axis=0), delta.sum(axis=0)]


def single_output(network, x, y):
    """y is a vector; tanh, one linear output, mean squared error."""
    a, dw, db = [x], [], []
    for w, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        a.append(np.tanh(a[-1] @ w.T + b))
    out = (a[-1] @ network.weights[-1].T + network.biases[-1]).ravel()
    if y.ndim != 1:
        raise ValueError("y must be a vector")
    delta = (2 * (out - y) / len(y))[:, None]
    for at in reversed(range(len(network.weights))):
        dw.insert(0, delta.T @ a[at])
        db.insert(0, delta.sum(axis=0))
        delta = (delta @ network.weights[at]) * (1 - a[at] ** 2)
    return np.mean((out - y) ** 2), dw, db


def follows(network, x, y):
    """Everything that `network` asks for."""
    found = Network(
        network.weights,
        network.biases,
        network.activations,
        loss=network.loss,
        reduction=network.reduction,
        loss_options=network.loss_options,
    ).gradients(x, y)
    return found.loss, found.weights, found.biases


def turned(network, x, y):
    """Everything that `network` asks for, with weights (in, out)."""
    loss, dw, db = follows(replace(network, weights=[w.T for w in network.weights]), x, y)
    return loss, [w.T for w in dw], db


def spoken(function) -> str:
    """What first contact says."""
    with pytest.raises(FirstContactError) as raised:
        first_contact(load(function)[0])
    assert isinstance(raised.value, CandidateError)
    return str(raised.value)


@pytest.mark.parametrize(
    ("function", "line", "said"),
    [
        (
            plain,
            "@candidate(Domain(activations='sigmoid', losses='half_squared_error', reductions='sum', biases='always'))",
            (
                "A few small networks show: it gives the same numbers whatever network.activations, "
                "network.activations[-1], network.loss, network.reduction says; it needs a bias in every layer. If"
            ),
        ),
        (
            other_loss,
            "@candidate(Domain(activations='sigmoid', losses='half_squared_error', reductions='sum', biases='always'))",
            "Its gradients are those of the line below, but its loss is another one: the check will say so.",
        ),
        (
            books,
            (
                "@candidate(Domain(batch_size=1, activations='sigmoid', losses='half_squared_error', "
                "reductions=('sum', 'mean'), biases='always'), samples=\"columns\", bias=\"column\")"
            ),
            "it takes single samples only",
        ),
        (
            course,
            (
                "@candidate(Domain(depth=2, activations='relu', output_activations='identity', "
                "losses='cross_entropy=index', reductions='mean', biases='always'), weights=\"in_out\")"
            ),
            "it does not work in the default layout (ValueError: matmul: ",
        ),
        (
            single_output,
            (
                "@candidate(Domain(output_width=1, activations='tanh', output_activations='identity', losses='mse', "
                "reductions='mean', biases='always'), targets=\"vector\")"
            ),
            "(ValueError: y must be a vector",
        ),
        (
            turned,
            (
                "@candidate(Domain(activations=('identity', 'sigmoid', 'tanh', 'relu'), output_activations="
                "('identity', 'sigmoid', 'tanh', 'relu', 'softmax'), losses=('half_squared_error', 'mse', "
                "'cross_entropy'), reductions=('sum', 'mean')), weights=\"in_out\")"
            ),
            'but does with weights="in_out". If this',
        ),
    ],
    ids=["plain", "other loss", "book", "course", "vector", "turned"],
)
def test_first_contact_prints_the_line_that_works(function, line: str, said: str):
    """Layout, activation, loss and reduction are found; pasted as it stands, the line makes the check pass."""
    text = spoken(function)
    assert text.startswith(f"{function.__name__} declares no Domain, and nothing was checked. ")
    assert said in text
    assert text.splitlines()[-1].strip() == line
    (declare,) = re.findall(r"@(candidate\(.*\))", text)
    # A copy, so that the function itself stays undeclared. The line is our own, and to paste it is the point.
    copy = types.FunctionType(function.__code__, function.__globals__)
    declared = eval(declare, {"candidate": candidate, "Domain": Domain})(copy)  # noqa: S307
    report = check(declared, cases=5, diagnosis=False)
    wrong = {quantity for quantity, _ in report.tally.first_wrong}
    assert wrong == ({"loss"} if function is other_loss else set())


def empty(network, x, y):
    """A homework that is not begun."""
    raise NotImplementedError


def broken(network, x, y):
    """What fails in every layout."""
    raise ZeroDivisionError("division by zero")


def zeros(network, x, y):
    """What looks at nothing, not even at its data."""
    return 0, [0 * w for w in network.weights], [None if b is None else 0 * b for b in network.biases]


@candidate(Domain())
def declared(network, x, y):
    """What would be told something, did it not say itself what it is."""
    return plain(network, x, y)


@pytest.mark.parametrize("function", [follows, empty, broken, zeros, declared, "scratch"])
def test_first_contact_is_silent(function):
    """Where the network is followed, or where only the run can say more; and for whoever has a Domain."""
    first_contact(load(function)[0])


def test_an_empty_homework_never_passes():
    """Without a Domain nothing was compared; with one, it is an error."""
    report = check(empty, cases=5)
    assert (report.verdict, report.exit_code) == ("cannot_run", 2)
    report = check(candidate(Domain())(types.FunctionType(empty.__code__, {})), cases=5, diagnosis=False)
    assert report.exit_code != 0
    assert set(report.tally.verdicts) == {"error"}


def test_numbers_that_fit_nothing_are_said_to(monkeypatch: pytest.MonkeyPatch):
    """A hard-wired network with a mistake: what it is meant to be, only its author knows."""
    monkeypatch.setattr(probe, "HIDDEN", ("sigmoid", "tanh"))
    monkeypatch.setattr(probe, "LOSSES_TRIED", ("half_squared_error", "bce"))

    def mistaken(network, x, y):
        loss, dw, db = plain(network, x, y)
        return loss, [1.1 * w for w in dw], db

    text = spoken(mistaken)
    assert "Its gradients fit no usual activation, loss and reduction, so say what it is meant to compute, like" in text
    assert "@candidate(Domain(activations='sigmoid', losses='half_squared_error', reductions='sum'))" in text


def test_a_candidate_that_takes_its_time_is_not_asked_for_long(monkeypatch: pytest.MonkeyPatch):
    """Then the run goes on as it is."""
    monkeypatch.setattr(probe, "PATIENCE", -1.0)
    first_contact(load(plain)[0])


@pytest.mark.parametrize(
    "options",
    [{"domain": Domain(activations="sigmoid", losses="mse")}, {"ids": ["3-2,sigmoid,mse,sum,n5,f64,normal,s1"]}],
    ids=["domain", "case"],
)
def test_whoever_says_what_to_ask_is_not_probed(options):
    """A domain or cases that are named are asked for as they are."""
    assert check(plain, cases=3, diagnosis=False, **options).tally.cases


def test_the_command_prints_the_line_and_exits_with_2(tmp_path):
    """Nothing runs, and no verdict is printed."""
    path = tmp_path / "my_net.py"
    path.write_text(
        "import numpy as np\n"
        "def loss_and_gradients(network, x, y):\n"
        "    e = x @ network.weights[0] + network.biases[0] - y\n"
        "    return (e ** 2).sum() / 2, [x.T @ e], [e.sum(axis=0)]\n"
    )
    done = CliRunner().invoke(app, ["check", str(path)])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert (
        "@candidate(Domain(depth=1, activations='identity', losses='half_squared_error', reductions='sum', "
        "biases='always'), weights=\"in_out\")"
    ) in done.stderr


PROGRAM = """
import json, sys
import numpy as np
for line in sys.stdin:
    asked = json.loads(line)
    if "describe" in asked:
        print(SAID, flush=True)
        continue
    a = [np.array(asked["x"])]
    weights = [np.array(w) for w in asked["weights"]]
    try:
        for w, b in zip(weights, asked["biases"]):
            a.append(a[-1] @ w + b)
    except (ValueError, TypeError):
        print(json.dumps({"id": asked["id"], "loss": 0, "weights": [], "biases": []}), flush=True)
        continue
    e, dw, db = a[-1] - asked["y"], [], []
    loss = (e * e).sum() / 2
    for w, below in zip(weights[::-1], a[-2::-1]):
        dw, db, e = [(below.T @ e).tolist(), *dw], [e.sum(axis=0).tolist(), *db], e @ w.T
    print(json.dumps({"id": asked["id"], "loss": loss, "weights": dw, "biases": db}), flush=True)
"""


@pytest.mark.parametrize("said", ["{}", '{"weights": "in_out"}'], ids=["nothing", "layout"])
def test_a_program_is_told_what_to_answer(tmp_path, said: str):
    """One that names no domain is asked in the layout that it states, if any; what it is told makes it pass."""
    path = tmp_path / "net.py"
    path.write_text(PROGRAM.replace("SAID", repr(said)))
    (found,) = load(f"exec:{sys.executable} {path}")
    with pytest.raises(FirstContactError) as raised:
        first_contact(found)
    assert ("it does not work in the default layout" in str(raised.value)) == (said == "{}")
    answer = json.loads(str(raised.value).splitlines()[-1])
    assert (answer["weights"], answer["domain"]["activations"]) == ("in_out", "identity")
    path.write_text(PROGRAM.replace("SAID", repr(json.dumps(answer))))
    report = check(f"exec:{sys.executable} {path}", cases=5, diagnosis=False)
    assert report.verdict == "agrees"
