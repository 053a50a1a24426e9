"""A candidate that is sent: the same answers and messages on the other side, whatever the folder."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from backproof.campaign import shipment as module
from backproof.campaign.shipment import Shipment, ShipmentError, shipment
from backproof.candidates.contract import Answer, CandidateError
from backproof.candidates.loading import load
from backproof.cases.case import build_case
from backproof.cases.spec import NetworkSpec

CASE = build_case(NetworkSpec.parse("2-3,tanh,mse,sum,n2,f64,normal,s1"))
NET = """
from helper import twice
from backproof import Domain, candidate

@candidate(Domain(activations="tanh", losses="mse"))
def loss_and_gradients(network, x, y):
    if len(x) == 2:
        raise RuntimeError("twice is " + str(twice(1)))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A candidate in nets/net.py with a file beside it, the current directory above it."""
    nets = tmp_path / "nets"
    nets.mkdir()
    (nets / "net.py").write_text(NET)
    (nets / "helper.py").write_text("def twice(number):\n    return 2 * number\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_FOLDERS", unpacked := [])
    yield nets
    for each in unpacked:
        each.cleanup()


def test_a_file_travels_with_what_it_imports(folder: Path):
    """As it was when it was sent, and called as it was; an error is where it was."""
    (here,) = load("nets/net.py", apart=True)
    sent = pickle.loads(pickle.dumps(shipment(here)))  # noqa: S301  our own bytes
    assert [name for name, _ in sent.files] == ["net.py", "helper.py"]
    at_home = here.answer(CASE)
    assert at_home.message == "RuntimeError: twice is 2 (nets/net.py:8)"
    for file in folder.glob("*.py"):
        file.unlink()
    there = sent.unpacked()
    assert there.name == here.name == "nets/net.py:loss_and_gradients"
    assert there.domain == here.domain
    assert there.answer(CASE).message == at_home.message
    here.host.close()
    there.found.host.close()
    assert sent.unpacked() is there


def test_a_message_names_a_file_as_at_home_wherever_it_was_unpacked(folder: Path, tmp_path: Path):
    """Also below the current directory of a worker, from which messages name files."""
    (here,) = load("nets/net.py", apart=True)
    (tmp_path / "worker").mkdir()
    there = shipment(here).unpacked(str(tmp_path / "worker"))
    assert Path(there.folder).parent == tmp_path / "worker"
    assert there.answer(CASE).message == here.answer(CASE).message == "RuntimeError: twice is 2 (nets/net.py:8)"
    here.host.close()
    there.found.host.close()


def test_built_in_ones_go_by_name_and_objects_not_at_all():
    """Each machine has its own."""
    assert shipment(load("scratch")[0]) == "scratch"
    with pytest.raises(CandidateError, match=r"is an object of this process and cannot be sent to others: put it into"):
        shipment(load(lambda network, x, y: None)[0])


def test_what_goes_by_name_has_to_be_the_same_there(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A module that the other machine has in another version, or not at all."""
    monkeypatch.syspath_prepend(folder)
    (folder / "right.py").write_text("from backproof.scratch import Network\ndef answer(network, x, y): ...\n")
    (here,) = load("right:answer")
    sent = shipment(here)
    assert isinstance(sent, Shipment)
    assert sent.files == ()
    there = sent.unpacked()
    assert there.name == "right:answer"
    there.host.close()
    module._unpacked.cache_clear()
    (folder / "right.py").write_text("def answer(network, x, y): pass\n")
    with pytest.raises(ShipmentError, match="right:answer is not the same on all machines"):
        sent.unpacked()


def test_messages_name_a_file_from_where_the_run_was_begun(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """From below, from beside it, and from elsewhere; one without a message passes as it is."""
    assert module._prefix(Path("nets/net.py")) == "nets/"
    monkeypatch.chdir(folder)
    assert module._prefix(Path("net.py")) == ""
    (folder.parent / "aside").mkdir()
    monkeypatch.chdir(folder.parent / "aside")
    assert module._prefix(folder / "net.py") == f"{folder}/"
    answer = Answer(failure="error")

    class Quiet:
        domain = None

        def answer(self, case):
            return answer

    assert module.Shipped("quiet", Quiet(), "/there", "").answer(CASE) is answer
