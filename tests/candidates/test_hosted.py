"""Python candidates in a process of their own: whatever they do to it is one verdict, and the run goes on."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from backproof.campaign.shards import Task
from backproof.candidates import correspondence, hosted
from backproof.candidates.child import StrayError
from backproof.candidates.contract import Answer, CandidateError
from backproof.candidates.host import LOST, packed
from backproof.candidates.layout import Declaration, Layout
from backproof.candidates.loading import load
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.cli import app
from backproof.examine import examine
from backproof.route import check

CASES = [build_case(NetworkSpec.parse(f"3-4-2,sigmoid,mse,sum,n{n},f64,normal,s7")) for n in (2, 3, 4, 5)]
HOSTILE = """
import ctypes, os, signal, sys, time

def loss_and_gradients(network, x, y):
    how = {how!r}.get(len(x), "")
    print("computing", len(x))
    os.write(1, b"out of C\\n")
    if how == "exit":
        os._exit(3)
    if how == "crash":
        ctypes.string_at(0)
    if how == "stubborn":
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
    if how == "blocked":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        time.sleep(60)
    if how == "input":
        input()
    if how == "recursion":
        return loss_and_gradients(network, x, y)
    if how == "empty":
        raise NotImplementedError
    if how == "fork":
        time.sleep(0.3 if os.fork() else 0.0)
    if how == "close":
        os.closerange(3, 256)
    if how == "endless":
        while True: pass
    return 0.0, network.weights, network.biases
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that makes a candidate which does what it says with three samples."""
    monkeypatch.chdir(tmp_path)

    def made(how: str, timeout: float = 10.0):
        Path("net.py").write_text(HOSTILE.format(how={3: how}))
        (candidate,) = load("net.py", apart=True, timeout=timeout)
        return candidate

    return made


@pytest.fixture(scope="module")
def at_batch_size(tmp_path_factory: pytest.TempPathFactory):
    """A function that makes a candidate which does to each batch size what it says; one process for many tests."""
    opened = []

    def made(how: dict[int, str], timeout: float = 10.0):
        path = tmp_path_factory.mktemp("hostile") / "net.py"
        path.write_text(HOSTILE.format(how=how))
        (candidate,) = load(str(path), apart=True, timeout=timeout)
        opened.append(candidate)
        return candidate

    yield made
    for candidate in opened:
        candidate.host.close()


@pytest.fixture(scope="module")
def breaking(at_batch_size):
    """A candidate that breaks its process, and how at which batch size."""
    how = {11: "exit", 12: "crash", 13: "input", 14: "recursion"}
    return at_batch_size(how), {name: size for size, name in how.items()}


def test_hosted_candidate_that_makes_a_copy_of_its_process_is_told_so(at_batch_size):
    """The copy answers first here, so that the answer of the process itself is taken for none of the next question."""
    candidate = at_batch_size({11: "fork"})
    forking = build_case(replace(CASES[0].spec, batch_size=11))
    copied, failed, *others = [candidate.answer(case) for case in (forking, *CASES)]
    assert [answer.failure for answer in (copied, failed, *others)] == [None, "error", None, None, None]
    assert failed.message.startswith("its process gave another answer than the one it was asked for: did a copy of it")
    assert all(np.array_equal(found.weights[0], case.weights[0]) for case, found in zip(CASES[1:], others, strict=True))


def test_hosted_candidate_reads_no_answer_to_another_question():
    """Neither one with another number, nor what two processes have written at once."""
    answer = Answer(loss=np.zeros(()))
    assert hosted._answer(packed(answer, 7), 7).loss == 0.0
    for line in (packed(answer, 6), packed("seven", 7), packed(answer, 7)[:20], b"seven"):
        with pytest.raises(StrayError, match=r"^no answer to question 7: "):
            hosted._answer(line, 7)


def test_hosted_candidate_that_closes_what_it_did_not_open_is_told_so(at_batch_size, capfd):
    """In one line, also on stderr."""
    candidate = at_batch_size({11: "close"})
    before, failed, *after = before_and_after(candidate, 11)
    assert [answer.failure for answer in (before, failed, *after)] == [None, "error", None, None]
    assert failed.message == f"the process that it ran in is gone: {LOST}"
    assert "Traceback" not in capfd.readouterr().err


@pytest.fixture(scope="module")
def hanging(at_batch_size):
    """A candidate that hangs, and how at which batch size."""
    how = {11: "endless", 12: "stubborn", 13: "blocked"}
    return at_batch_size(how, timeout=1.0), {name: size for size, name in how.items()}


def before_and_after(candidate, batch_size: int):
    """The answers to four cases, of which the second has that batch size."""
    first, second, *others = CASES
    return map(candidate.answer, (first, build_case(replace(second.spec, batch_size=batch_size)), *others))


def test_hosted_candidate_is_what_its_file_says(hostile, capfd: pytest.CaptureFixture[str]):
    """Its name, its answers; what it prints, in C too, goes to stderr."""
    candidate = hostile("")
    assert (candidate.name, candidate.text) == ("net.py:loss_and_gradients",) * 2
    assert (candidate.declaration, candidate.patience.timeout) == (None, 10.0)
    answer = candidate.answer(CASES[0])
    assert np.array_equal(answer.weights[1], CASES[0].weights[1])
    candidate.host.close()
    out, err = capfd.readouterr()
    assert out == ""
    assert "computing 2" in err
    assert "out of C" in err


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("exit", "the process that it ran in is gone: it ended with exit status 3"),
        ("crash", "the process that it ran in is gone: it was killed by SIGSEGV ("),
        ("input", "EOFError: EOF when reading a line ("),
        ("recursion", "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_hosted_candidate_that_breaks_its_process_costs_one_verdict(breaking, how: str, message: str):
    """The cases before and after have answers of their own."""
    candidate, sizes = breaking
    before, failed, *after = before_and_after(candidate, sizes[how])
    assert [answer.failure for answer in (before, failed, *after)] == [None, "error", None, None]
    assert failed.message.startswith(message)
    assert ("net.py:" in failed.message) == (how != "exit")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("endless", "interrupted after 1 s without an answer ("),
        ("stubborn", "no answer within 1 s, and it could not be interrupted"),
        ("blocked", "no answer within 1 s, and it could not be interrupted"),
    ],
)
def test_hosted_candidate_that_hangs_is_a_timeout(hanging, monkeypatch, how: str, message: str):
    """Interrupted where it can be; else its process is killed, and another goes on."""
    monkeypatch.setattr(hosted, "GRACE", 0.5)
    candidate, sizes = hanging
    before, failed, *after = before_and_after(candidate, sizes[how])
    assert [answer.failure for answer in (before, failed, *after)] == [None, "timeout", None, None]
    assert failed.message.startswith(message)
    assert ("net.py:" in failed.message) == (how == "endless")


def test_hosted_candidates_share_the_host_of_their_file(tmp_path: Path):
    """One import for all; another declaration may be tried on each."""
    path = tmp_path / "several.py"
    path.write_text(
        "from backproof import Domain, candidate\n"
        "@candidate(Domain(activations='sigmoid'))\n"
        "def first(network, x, y): return 1.0, network.weights, network.biases\n"
        "@candidate(Domain(activations='sigmoid'))\n"
        "def second(network, x, y): return 2.0, network.weights, network.biases\n"
    )
    found = load(str(path), apart=True)
    assert found[0].host is found[1].host
    assert found[0].patience is not found[1].patience
    assert [candidate.answer(CASES[0]).loss for candidate in found] == [1.0, 2.0]
    assert found[0].domain == Domain(activations="sigmoid", dtypes="float64")
    turned = replace(found[1], declaration=Declaration(domain=Domain(), layout=Layout(bias="column")))
    assert turned.answer(CASES[0]).biases[0].shape == (4,)
    found[0].host.close()


def test_hosted_candidate_travels_to_another_process(hostile):
    """There it has a host of its own: one, for as many tasks as come."""
    candidate = hostile("")
    bare = Declaration(domain=Domain(), layout=Layout())
    first, second, other = (
        pickle.loads(pickle.dumps(each))  # noqa: S301  our own bytes
        for each in (candidate, candidate, replace(candidate, declaration=bare))
    )
    assert first is second
    assert first.host is other.host is not candidate.host
    assert (first.declaration, other.declaration.layout) == (None, Layout())
    assert first.answer(CASES[0]).failure is None
    task = Task(candidate=candidate, domain=candidate.domain, seed=0, shard=0, count=1)
    assert task.portable() is task
    hosted._host_again.cache_clear()
    first.host.close()
    candidate.host.close()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("absent.py", "", "^no file absent.py\\. Did you mean net.py\\?$"),
        ("net.py", "1 / 0", "^importing net.py failed with ZeroDivisionError: division by zero \\(net.py:1\\)$"),
        ("net.py", "import os; os._exit(4)", "^importing net.py did not come to an end: it ended with exit status 4"),
    ],
    ids=["absent", "raises", "exits"],
)
def test_hosted_candidate_that_cannot_be_imported_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: str, message: str
):
    """As without a host; and where importing ends the process."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(code)
    with pytest.raises(CandidateError, match=message):
        load(text, apart=True)


def test_hosted_candidate_that_trains_in_c_when_it_is_imported_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where nothing can interrupt it; and told where that code belongs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(correspondence, "START", 0.5)
    monkeypatch.setattr(hosted, "GRACE", 0.0)
    Path("net.py").write_text("while True:\n  try:\n    while True: ...\n  except BaseException: ...")
    with pytest.raises(CandidateError, match='below `if __name__ == "__main__":`'):
        load("net.py", apart=True, timeout=0.5)


def test_check_runs_a_file_in_process_where_that_is_wanted(hostile, monkeypatch: pytest.MonkeyPatch):
    """As a debugger needs it."""
    hostile("empty").host.close()
    monkeypatch.setattr(hosted, "hosted", None)
    case = "3-4-2,sigmoid,mse,sum,n3,f64,normal,s7"
    result = CliRunner().invoke(app, ["check", "net.py", "--case", case, "--json", "--in-process"])
    assert json.loads(result.stdout.splitlines()[-1])["verdict"] == "cannot_run"


def test_hosted_function_is_not_here(hostile):
    """Whoever calls it by mistake is told."""
    with pytest.raises(RuntimeError, match="in another process: ask the candidate"):
        hostile("empty").function()


def test_hosted_candidate_that_gives_the_same_buffer_twice_is_found_out(hostile):
    """What arrives here are copies: the host sees that the arrays behind an earlier answer change."""
    Path("buffer.py").write_text(
        "import numpy as np\nkept = np.zeros((2, 3)), np.zeros(2)\n"
        "def loss_and_gradients(network, x, y):\n"
        "    kept[0][...] = x.sum()\n"
        "    return 0.0, kept[:1], kept[1:]\n"
    )
    (candidate,) = load("buffer.py", apart=True)
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    *_, last = examine(candidate, case, repeat=True)
    assert (last.verdict, last.note) == (
        "nondeterministic",
        "a later call changed weights[0] of an earlier answer: return a copy",
    )
    candidate.host.close()


def test_a_debugger_is_sent_where_it_has_a_terminal(hostile):
    """A breakpoint in a hosted file ends the call."""
    Path("stops.py").write_text("def loss_and_gradients(network, x, y):\n    breakpoint()\n    return None\n")
    (candidate,) = load("stops.py", apart=True)
    answer = candidate.answer(CASES[0])
    assert answer.message.startswith("BdbQuit (stops.py:")
    assert answer.message.endswith("it has no terminal here, but has with --in-process")
    candidate.host.close()


def test_a_file_that_ends_its_process_on_every_tenth_case_loses_nothing_else(hostile):
    """The run finishes, with the verdict of each case: here batches of 10, 20 and 30 are what it cannot bear."""
    Path("tenth.py").write_text(
        "import os\nfrom backproof import Domain, candidate\n"
        "@candidate(Domain(losses='mse'))\n"
        "def loss_and_gradients(network, x, y):\n"
        "    if len(x) % 10 == 0: os._exit(1)\n"
        "    return 0.0, network.weights, network.biases\n"
    )
    checks = check("tenth.py", cases=30, diagnosis=False).checks
    crashed = checks.quantity == "call"
    assert checks.case.nunique() == 30
    assert 1 <= crashed.sum() <= 10
    assert set(checks[crashed].verdict) == {"error"}
    assert set(checks[crashed].batch_size) <= {10, 20, 30}
    assert not set(checks[~crashed].batch_size) & {10, 20, 30}


def test_json_is_alone_on_stdout_whatever_a_file_prints(hostile, capfd: pytest.CaptureFixture[str]):
    """Python's own output, and C's."""
    hostile("empty").host.close()
    case = "3-4-2,sigmoid,mse,sum,n3,f64,normal,s7"
    result = CliRunner().invoke(app, ["check", "net.py", "--case", case, "--json", "--timeout", "5"])
    assert json.loads(result.stdout)["verdict"] == "cannot_run"
    assert capfd.readouterr().out == ""
