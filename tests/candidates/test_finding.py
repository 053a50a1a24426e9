"""From a CANDIDATE text to functions, and what is said where there are none."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from backproof import candidate
from backproof.candidates import finding
from backproof.candidates.contract import CandidateError
from backproof.candidates.finding import find, text_of, wrap
from backproof.candidates.loading import load, load_one
from backproof.cases.domain import Domain

NO_FUNCTION = "has no function loss_and_gradients(network, x, y) and nothing under @candidate."
PLAIN = "def loss_and_gradients(network, x, y):\n    return None\n\ndef other(network, x, y):\n    return None\n"
DECLARED = """
from backproof import Domain, candidate

@candidate(Domain(activations="sigmoid"))
def first(network, x, y): ...

@candidate(Domain(activations="tanh"), weights="in_out")
def second(network, x, y): ...

def loss_and_gradients(network, x, y): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to stand in, whose modules can be imported; they leave nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_find_takes_the_usual_name_from_a_file(folder: Path):
    """`my_net.py` means its loss_and_gradients; `my_net.py:other` another one."""
    (folder / "my_net.py").write_text(PLAIN)
    (found,) = find("my_net.py")
    assert (found.name, found.text) == ("my_net.py:loss_and_gradients",) * 2
    assert found.function.__name__ == "loss_and_gradients"
    assert found.declaration is None
    (other,) = find("my_net.py:other")
    assert other.function.__name__ == "other"


def test_find_takes_every_declared_function_of_a_file(folder: Path):
    """Declared ones come before the usual name, in the order of the file."""
    (folder / "several.py").write_text(DECLARED)
    first, second = find("several.py")
    assert [first.name, second.name] == ["several.py:first", "several.py:second"]
    assert first.domain == Domain(activations="sigmoid", dtypes="float64")
    assert second.declaration.layout.weights == "in_out"


def test_find_takes_a_function_or_method_of_a_module(folder: Path):
    """`package.module:name`, and names with dots."""
    (folder / "my_module.py").write_text("class Net:\n    def run(self, network, x, y): ...\nnet = Net()\n" + PLAIN)
    (found,) = find("my_module:other")
    assert found.function.__name__ == "other"
    (method,) = find("my_module:net.run")
    assert method.function.__name__ == "run"


def test_find_lets_a_file_import_its_neighbours(folder: Path):
    """As if it were run as a script, from wherever."""
    (folder / "sub").mkdir()
    (folder / "sub" / "neighbour.py").write_text("VALUE = 1\n")
    (folder / "sub" / "net.py").write_text("from neighbour import VALUE\n" + PLAIN)
    (found,) = find("sub/net.py")
    assert found.name == "sub/net.py:loss_and_gradients"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my_nett.py", "no file my_nett.py. Did you mean my_net.py?"),
        ("zzz/q.py", "no file zzz/q.py."),
        ("folder.py", "folder.py is a directory; a candidate is a file in it, like folder.py/my_net.py"),
        ("kinds.py:nett", "kinds.py has no 'nett'. Did you mean 'net'? It has: Net, net."),
        (
            "classes.py",
            f"classes.py {NO_FUNCTION} It has the class Net: make an object of it, net = Net(), and name classes.py:",
        ),
        ("my_net.py:loss", "my_net.py has no 'loss'. It has: loss_and_gradients, other."),
        ("my_net.py:othr", "my_net.py has no 'othr'. Did you mean 'other'? It has: loss_and_gradients, other."),
        (
            "unnamed.py",
            f"unnamed.py {NO_FUNCTION} It has forward, backward: name one, as in unnamed.py:forward.",
        ),
        (
            "empty.py",
            f"empty.py {NO_FUNCTION} It has no function.",
        ),
        ("broken.py", "importing broken.py failed with ZeroDivisionError: division by zero (broken.py:2)"),
        ("garbled.py", "importing garbled.py failed with SyntaxError: '(' was never closed (garbled.py, line 1)"),
        ("needs.py", "importing needs.py failed with ModuleNotFoundError: No module named 'no_such' (needs.py:1)"),
        ("leaves.py", "importing leaves.py failed with SystemExit: bye"),
        ("no_such_module:f", "importing module 'no_such_module' failed with ModuleNotFoundError: "),
        ("kinds.py:Net", "kinds.py:Net is a class; make an object of it and name that, or a method of it: loss_and_gr"),
        (
            "kinds.py:Net.run",
            "kinds.py:Net.run is a method without an object: write net = Net() and name kinds.py:net.run",
        ),
        ("kinds.py:number", "kinds.py:number is an int, not a function: loss_and_gradients(network, x, y)"),
        ("a b:c", "cannot read 'a b:c' as a candidate: write my_net.py, my_net.py:name or package.module:name"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_find_says_what_is_wrong(folder: Path, text: str, message: str):
    """What, where, and what there is instead."""
    (folder / "my_net.py").write_text(PLAIN)
    (folder / "folder.py").mkdir()
    (folder / "classes.py").write_text("class Net:\n    def loss_and_gradients(self, network, x, y): ...\n")
    (folder / "unnamed.py").write_text("from math import exp\ndef forward(): ...\ndef backward(): ...\n")
    (folder / "empty.py").write_text("X = 1\n")
    (folder / "broken.py").write_text("import json\n1 / 0\n")
    (folder / "garbled.py").write_text("f(\n")
    (folder / "needs.py").write_text("import no_such\n")
    (folder / "leaves.py").write_text("raise SystemExit('bye')\n")
    (folder / "kinds.py").write_text(
        "from backproof import Domain, candidate\nclass Net:\n    def run(self, network, x, y): ...\n"
        "    loss_and_gradients = run\nnet = Net()\nnumber = 3\n"
    )
    with pytest.raises(CandidateError, match="^" + re.escape(message)):
        find(text)


def test_find_stops_a_file_that_trains_when_it_is_imported(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """And says where such code belongs."""
    monkeypatch.setattr(finding, "IMPORT", 0.5)
    (folder / "trains.py").write_text(PLAIN + "\n\nwhile True: ...\n")
    message = (
        "importing trains.py took more than 0.5 s and was stopped (trains.py:8): what is to run only when the file is "
        'a script, like training, goes below `if __name__ == "__main__":`'
    )
    with pytest.raises(CandidateError, match=f"^{re.escape(message)}$"):
        find("trains.py")


def test_find_lets_the_person_at_the_keyboard_through(folder: Path):
    """Ctrl-C during an import is no defect of the file."""
    (folder / "pressed.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        find("pressed.py")


def test_find_hands_the_timeout_on(folder: Path):
    """To each candidate."""
    (folder / "my_net.py").write_text(PLAIN)
    assert find("my_net.py", timeout=3.0)[0].patience.timeout == 3.0
    assert load("my_net.py", timeout=4.0)[0].patience.timeout == 4.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "scrach",
            "no candidate 'scrach'. Did you mean 'scratch'? A candidate is one of the built-in 'scratch' and 'torch'",
        ),
        ("q", "no candidate 'q'. A candidate is one of"),
        (3, "a candidate is a name, a function, an object with a method loss_and_gradients, or a Candidate; got 3"),
        (Path, "Path is a class: hand over an object of it that has a method loss_and_gradients(network, x, y), or a"),
    ],
    ids=["close", "far", "number", "class"],
)
def test_load_says_what_a_candidate_is(given: object, message: str):
    """The built-in names, the closest one, and how a function is written."""
    with pytest.raises(CandidateError, match="^" + re.escape(message)):
        load(given)


def test_load_takes_functions_and_candidates_as_they_are(folder: Path):
    """What is at hand needs no text."""

    def my_function(network, x, y): ...

    (found,) = load(my_function)
    assert found.name.endswith("my_function")
    assert found.text is None
    assert load(found) == (found,)
    assert wrap(my_function).function is my_function
    (folder / "my_net.py").write_text(PLAIN)
    assert load("my_net.py")[0].name == "my_net.py:loss_and_gradients"
    assert [load(name)[0].name for name in ("scratch", "torch")] == ["scratch", "torch"]


OBJECT = """
from backproof import Domain, candidate

class Net:
    def __call__(self, x): ...

    @candidate(Domain(activations="tanh"), bias="row")
    def loss_and_gradients(self, network, x, y):
        return self

net = Net()
"""


def test_find_takes_an_object_with_the_usual_method(folder: Path):
    """By its name, or as what the file has; what its method declares is its declaration."""
    (folder / "objects.py").write_text(OBJECT)
    for text in ("objects.py", "objects.py:net", "objects:net", "objects.py:net.loss_and_gradients"):
        (found,) = find(text)
        assert found.declaration.layout.bias == "row"
        assert type(found.function(1, 2, 3)).__name__ == "Net"
    (at_hand,) = load(sys.modules["objects"].net)
    assert at_hand.name == "Net.loss_and_gradients"
    assert at_hand.declaration.layout.bias == "row"


def test_a_function_that_was_handed_over_has_a_text_where_it_can_be_imported(monkeypatch: pytest.MonkeyPatch):
    """Under its own name, in a module other than the script that runs; and where it has one already, that."""
    text = text_of(wrap(handed_over))
    assert text == f"{__name__}:handed_over"
    assert text_of(load("scratch")[0]) == "scratch"
    monkeypatch.setattr(handed_over, "__module__", "__main__")
    assert text_of(wrap(handed_over)) is None
    for given in (lambda network, x, y: None, SimpleNamespace(loss_and_gradients=lambda *_: None)):
        assert text_of(wrap(given)) is None


def handed_over(network: object, x: object, y: object) -> None:
    """A candidate of this module."""


def test_the_one_that_is_meant_is_named_where_a_file_holds_several(folder: Path) -> None:
    """A name after the colon says which."""
    (folder / "two.py").write_text(DECLARED, encoding="utf-8")
    with pytest.raises(CandidateError, match=r"^two.py holds 2 candidates; name one: two.py:first, two.py:second$"):
        load_one("two.py")
    assert load_one("two.py:second").name == "two.py:second"


def test_an_object_may_be_declared_like_a_function():
    """candidate(Domain(...))(Net()): what is said of the object holds for its method."""

    class Net:
        def loss_and_gradients(self, network, x, y):
            return 0.0, [], []

    declared = candidate(Domain(losses="mse"))(Net())
    assert wrap(declared).domain.losses == Domain(losses="mse").losses
    assert wrap(Net()).declaration is None
    assert wrap(Net(), timeout=60.0).patience.timeout == 60.0
