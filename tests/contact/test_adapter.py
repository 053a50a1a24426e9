"""What `backproof init` writes: Python that runs, in the layout asked for, right as soon as it is filled in."""

import itertools

import pytest

from backproof import check
from backproof.candidates.layout import WORDS, Layout
from backproof.candidates.loading import load
from backproof.contact.adapter import KINDS, adapter, is_program

LAYOUTS = [
    Layout(samples=samples, weights=weights, bias=bias)
    for samples, weights, bias in itertools.product(WORDS["samples"], WORDS["weights"], WORDS["bias"])
]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not is_program(kind)])
@pytest.mark.parametrize(
    "layout",
    [
        Layout(),
        Layout(samples="columns", weights="in_out", bias="column"),
        Layout(bias="row", targets="vector", arrays="lists"),
        Layout(targets="one_hot"),
        Layout(targets="index"),
    ],
    ids=lambda layout: layout.written() or "default",
)
def test_an_adapter_declares_the_layout_that_was_asked_for(tmp_path, kind: str, layout: Layout):
    """As it stands it can be loaded, and is an error: a template that nobody filled in never passes."""
    path = tmp_path / "my_net.py"
    path.write_text(adapter(kind, layout, address="my_net.py"))
    (found,) = load(str(path))
    assert found.declaration.layout == layout
    assert found.kind == ("step" if kind == "step" else "gradients")
    report = check(found, cases=2, diagnosis=False)
    assert report.exit_code != 0
    assert set(report.tally.verdicts) == {"error"}
    assert max(map(len, path.read_text().splitlines())) <= 120


def network(layout: Layout) -> str:
    """A sigmoid network in a layout, as the body of `loss_and_gradients`."""
    rows, plain = layout.samples == "rows", layout.weights == "out_in"
    forward = {
        (True, True): "a[-1] @ W.T",
        (True, False): "a[-1] @ W",
        (False, True): "W @ a[-1]",
        (False, False): "W.T @ a[-1]",
    }[rows, plain]
    weight = {
        (True, True): "delta.T @ a[l]",
        (True, False): "a[l].T @ delta",
        (False, True): "delta @ a[l].T",
        (False, False): "a[l] @ delta.T",
    }[rows, plain]
    back = {
        (True, True): "delta @ network.weights[l]",
        (True, False): "delta @ network.weights[l].T",
        (False, True): "network.weights[l].T @ delta",
        (False, False): "network.weights[l] @ delta",
    }[rows, plain]
    shift = "b.reshape(1, -1)" if rows else "b.reshape(-1, 1)"
    return f"""
    a = [x]
    for W, b in zip(network.weights, network.biases):
        a.append(1 / (1 + np.exp(-({forward} + {shift}))))
    error, dW, db = a[-1] - y, [], []
    for l in reversed(range(len(network.weights))):
        delta = error * a[l + 1] * (1 - a[l + 1])
        dW, db = [{weight}, *dW], [delta.sum(axis={0 if rows else 1}).reshape(network.biases[l].shape), *db]
        error = {back}
    return np.sum((a[-1] - y) ** 2) / 2, dW, db
"""


def filled(text: str, body: str) -> str:
    """The template with a body in the place that raises."""
    (line,) = (line for line in text.splitlines() if "raise NotImplementedError" in line)
    return text.replace(line + "\n", body)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.written() or "default")
def test_an_adapter_agrees_once_it_is_filled_in(tmp_path, layout: Layout):
    """In every layout, one edit is enough."""
    path = tmp_path / "my_net.py"
    path.write_text(filled(adapter("function", layout, address="my_net.py"), network(layout)))
    report = check(load(str(path))[0], cases=4, diagnosis=False)
    assert report.verdict == "agrees"
    assert report.tally.verdicts["agree"] == report.tally.compared


STEP = """
    loss, dW, db = loss_and_gradients(network, x, y)
    for own, slopes in ((network.weights, dW), (network.biases, db)):
        for parameter, slope in zip(own, slopes):
            parameter -= learning_rate * slope


def loss_and_gradients(network, x, y):
"""

CLASS = """
    mine = Mine(sizes)
    mine.weights, mine.biases = network.weights, network.biases
    return mine.backward(x, y)


class Mine:
    def __init__(self, sizes):
        self.weights = [np.random.randn(o, i) for i, o in zip(sizes, sizes[1:])]
        self.biases = [np.zeros(o) for o in sizes[1:]]

    def backward(self, x, y):
        return loss_and_gradients_of(self, x, y)


def loss_and_gradients_of(network, x, y):
"""


@pytest.mark.parametrize(("kind", "front"), [("step", STEP), ("class", CLASS)])
def test_a_step_and_a_class_agree_too(tmp_path, kind: str, front: str):
    """The network of the README around which they are written."""
    path = tmp_path / "my_net.py"
    path.write_text(filled(adapter(kind, Layout(), address="my_net.py"), front + network(Layout())))
    report = check(load(str(path))[0], cases=10, diagnosis=False)
    assert report.verdict == "agrees"
    assert report.tally.verdicts["agree"] == report.tally.compared > 10


@pytest.mark.parametrize("layout", [LAYOUTS[0], LAYOUTS[-1]], ids=lambda layout: layout.written() or "default")
def test_a_program_agrees_too(tmp_path, layout: Layout):
    """It describes itself, and answers until its input ends."""
    path = tmp_path / "my_net"
    path.write_text(filled(adapter("exec", layout, address="exec:./my_net"), network(layout)))
    path.chmod(0o755)
    report = check(f"exec:{path}", cases=5, diagnosis=False)
    assert report.verdict == "agrees"
    assert report.domain.losses[0].name == "half_squared_error"


@pytest.mark.parametrize("front", [STEP, STEP.replace("\n\n\n", "\n    return network.weights, network.biases\n\n\n")])
def test_a_program_may_take_steps(tmp_path, front: str):
    """On what it was sent, or returned; as it is written it is an error, and filled in it agrees."""
    path = tmp_path / "my_net"
    text = adapter("exec_step", Layout(weights="in_out"), address="exec:./my_net")
    path.write_text(filled(text, front + network(Layout(weights="in_out"))))
    path.chmod(0o755)
    report = check(f"exec:{path}", cases=5, diagnosis=False)
    assert (report.verdict, report.tally.verdicts["agree"]) == ("agrees", report.tally.compared)


def test_a_program_may_have_other_targets():
    """The domain that it describes is the one that such targets need."""
    assert '"output_width": 1},\n    "targets": "vector"\n}' in adapter("exec", Layout(targets="vector"), address="p")
    assert '"losses": "cross_entropy=index"' in adapter("exec", Layout(targets="index"), address="p")
