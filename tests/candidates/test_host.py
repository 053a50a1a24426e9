"""The process of a Python candidate, seen from within: what it is told, and what it tells."""

import io
from pathlib import Path

import numpy as np
import pytest

from backproof.candidates.contract import CandidateError
from backproof.candidates.host import Host, Load, Question, packed, serve, unpacked
from backproof.candidates.layout import Declaration, Layout
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain

CASE = build_case(NetworkSpec.parse("3-4-2,sigmoid,mse,sum,n5,f64,normal,s7"))
NETS = """
import numpy as np
from backproof import Domain, candidate

kept = [np.zeros((4, 3)), np.zeros((2, 4))]

@candidate(Domain(activations="sigmoid"))
def copies(network, x, y):
    return 0.0, [w + 1 for w in network.weights], [b + 1 for b in network.biases]

@candidate(Domain(activations="sigmoid"))
def aliases(network, x, y):
    for own, w in zip(kept, network.weights):
        own += w
    return 0.0, kept, network.biases

@candidate(Domain(activations="sigmoid"))
def endless(network, x, y):
    while True:
        pass
"""


@pytest.fixture
def host(tmp_path: Path) -> tuple[Host, str]:
    """A host that has loaded NETS, and the path of the file."""
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    found = Host()
    assert [each.name for each in found.reply(Load(str(path)))] == [
        f"{path}:{name}" for name in ("copies", "aliases", "endless")
    ]
    return found, str(path)


def test_serve_answers_each_line_with_a_line(tmp_path: Path):
    """What is sent arrives; arrays keep their bits."""
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    answers = io.BytesIO()
    serve([packed(Load(str(path))), packed(Question(f"{path}:copies", 10.0, CASE)) + b"\n"], answers)
    found, answer = map(unpacked, answers.getvalue().splitlines())
    assert found[0].declaration.domain == Domain(activations="sigmoid", dtypes="float64")
    assert found[0].text == f"{path}:copies"
    assert np.array_equal(answer.weights[1], CASE.weights[1] + 1)


def test_host_tells_why_there_is_no_candidate():
    """The error travels as what it says; what caused it need not be able to."""
    error = unpacked(packed(Host().reply(Load("no_such_file.py"))))
    assert isinstance(error, CandidateError)
    assert str(error).startswith("no file no_such_file.py.")


def test_host_sees_an_answer_that_a_later_call_changes(host: tuple[Host, str]):
    """The copy that was sent cannot show it."""
    found, path = host
    assert [found.reply(Question(f"{path}:aliases", 10.0, CASE)).altered for _ in range(2)] == ["", "weights[0]"]
    assert [found.reply(Question(f"{path}:copies", 10.0, CASE)).altered for _ in range(2)] == ["", ""]


def test_host_outlives_what_only_a_terminal_would_raise(tmp_path: Path):
    """Ctrl-C does not reach it: whoever raises it is the candidate."""
    path = tmp_path / "net.py"
    path.write_text("def loss_and_gradients(network, x, y):\n    raise KeyboardInterrupt\n")
    found = Host()
    (each,) = found.reply(Load(str(path)))
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    answer = found.reply(Question(each.name, 1.0, case))
    assert (answer.failure, answer.message) == ("error", "it raised KeyboardInterrupt")


def test_host_minds_the_time(host: tuple[Host, str]):
    """It interrupts the call itself, where that can be done, and lives on."""
    found, path = host
    answer = found.reply(Question(f"{path}:endless", 0.3, CASE))
    assert (answer.failure, "nets.py:" in answer.message) == ("timeout", True)
    assert found.reply(Question(f"{path}:copies", 10.0, CASE)).failure is None


def test_host_tries_another_declaration(host: tuple[Host, str]):
    """As the first contact does, which looks for the layout."""
    found, path = host
    turned = Declaration(domain=Domain(), layout=Layout(weights="in_out"))
    answer = found.reply(Question(f"{path}:copies", 10.0, CASE, redeclared=True, declaration=turned))
    assert np.array_equal(answer.weights[1], CASE.weights[1] + 1)
    wrong = found.reply(Question(f"{path}:aliases", 10.0, CASE, redeclared=True, declaration=turned))
    assert (wrong.failure, wrong.message.startswith("ValueError: ")) == ("error", True)
