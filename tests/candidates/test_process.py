"""Programs in other languages as candidates: real ones in C and JavaScript, and one that misbehaves in every way."""

import json
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backproof import check_gradients
from backproof.candidates import patience, protocol
from backproof.candidates.contract import CandidateError
from backproof.candidates.layout import Declaration, Layout
from backproof.candidates.loading import load
from backproof.candidates.process import ProcessCandidate, program
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.route import check
from backproof.sessions import assertion

PROGRAMS = Path(__file__).parent / "programs"
CASES = [build_case(NetworkSpec.parse(f"3-4-2,sigmoid,mse,sum,n5,f64,normal,s{seed}")) for seed in range(3)]


def misbehaving(how: str, *more: object, timeout: float = 10.0) -> ProcessCandidate:
    """The program that does what `how` says at its second request."""
    command = [sys.executable, "-I", "-S", PROGRAMS / "misbehaving.py", how, *more]
    return program("exec:" + shlex.join(map(str, command)), timeout=timeout)


@pytest.fixture(scope="session")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The CANDIDATE text of the C program, compiled."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) on this machine")
    program = tmp_path_factory.mktemp("programs") / "sigmoid_net"
    subprocess.run([compiler, "-O2", "-o", program, PROGRAMS / "sigmoid_net.c", "-lm"], check=True)
    return f"exec:{program}"


@pytest.fixture(scope="session")
def in_javascript() -> str:
    """The CANDIDATE text of the JavaScript program."""
    if shutil.which("node") is None:
        pytest.skip("no JavaScript (node) on this machine")
    return f"exec:node {PROGRAMS / 'tanh_net.js'}"


def test_c_program_without_a_json_library_agrees(in_c: str):
    """The whole route, in processes of their own too; the domain is the one that the program describes."""
    found = check(in_c, cases=60)
    assert found.verdict == "agrees"
    assert found.domain == Domain(
        activations="sigmoid", losses="half_squared_error", reductions="sum", biases="always", dtypes="float64"
    )
    assert found.candidate == in_c


def test_javascript_program_agrees(in_javascript: str):
    """With weights (in, out), layers without bias, and the gradient of the inputs."""
    found = check(in_javascript, cases=60)
    assert found.verdict == "agrees"
    (candidate,) = load(in_javascript)
    case = build_case(NetworkSpec.parse("3-4-2,tanh,mse,mean,n5,f64,normal,s1,bias=10"))
    answer = candidate.answer(case)
    assert [weight.shape for weight in answer.weights] == [(4, 3), (2, 4)]
    assert (answer.biases[1], answer.inputs.shape) == (None, (5, 3))
    assert {str(one.verdict) for one in check_gradients(in_javascript, case)} == {"agree", "not_offered"}


STEPS = {"kind": "step", "domain": {"activations": "sigmoid", "losses": "half_squared_error", "biases": "always"}}
STEPS["domain"]["reductions"] = "sum"


def steps(rate: str = "", **said: object) -> str:
    """The CANDIDATE text of the JavaScript program that takes steps: its rate, and what it says when it is asked."""
    if shutil.which("node") is None:
        pytest.skip("no JavaScript (node) on this machine")
    return f"exec:node {PROGRAMS / 'step_net.js'} {shlex.quote(rate)} {shlex.quote(json.dumps(said) if said else '')}"


@pytest.mark.parametrize("rate", ["", "0.1"])
def test_a_program_may_take_a_training_step(rate: str):
    """Its gradients are read off the change of the parameters, also at a rate of its own that it tells."""
    found = check(steps(rate), cases=25)
    assert (found.verdict, found.domain.losses[0].name) == ("agrees", "half_squared_error")
    assert set(found.tally.verdicts) == {"agree", "not_offered"}
    (candidate,) = load(steps(rate))
    answer = candidate.answer(build_case(NetworkSpec.parse("3-4-2,sigmoid,half_squared_error,sum,n5,f64,normal,s1")))
    assert answer.learning_rate == (0.1 if rate else 2.0**24)
    assert set(answer.read_off) == {(name, layer) for name in ("weight", "bias") for layer in (1, 2)}
    candidate.close()


def test_a_step_that_overflows_is_taken_again_at_a_small_rate():
    """As of a function that takes one."""
    (candidate,) = load(steps())
    case = build_case(NetworkSpec.parse("1-1,sigmoid,half_squared_error,sum,n1,f64,normal,s1"))
    huge = replace(case, y=case.y * 1e305)
    assert candidate.answer(huge).learning_rate == 1.0
    assert candidate.answer(case).learning_rate == 2.0**24
    candidate.close()


def test_a_program_that_steps_at_a_rate_of_its_own_says_so():
    """Else every number is wrong by the same factor; without a domain it is told what it looks like, as a step."""
    with pytest.raises(CandidateError, match=re.escape('so beside the kind "step", for instance "learning_rate":0.1;')):
        check(steps("0.1", **STEPS), cases=1)
    with pytest.raises(CandidateError) as caught:
        check(steps(kind="step"), cases=1)
    line = next(line.strip() for line in str(caught.value).splitlines() if line.startswith("    {"))
    assert json.loads(line) == STEPS


def test_what_a_step_returns_beside_parameters_is_explained(tmp_path: Path):
    """Gradients have no place in its answer."""
    (candidate,) = load(f"exec:{sys.executable} {PROGRAMS / 'misbehaving.py'} 'unknown key'")
    declared = replace(candidate, declaration=Declaration(domain=Domain(), layout=Layout(), kind="step"))
    assert [declared.answer(case).failure for case in CASES[:2]] == [None, "error"]
    assert declared.answer(CASES[2]).failure is None
    candidate.close()


def test_what_a_program_promised_and_does_not_support_is_an_error(in_javascript: str):
    """It describes a domain of tanh, so that it was asked within; an empty homework must not pass."""
    (candidate,) = load(in_javascript)
    answer = candidate.answer(build_case(NetworkSpec.parse("3-2,relu,mse,mean,n5,f64,normal,s1")))
    assert (answer.failure, answer.message) == (
        "error",
        "it says unsupported (relu), within the domain that it describes",
    )


@pytest.mark.parametrize(
    ("how", "failure", "message"),
    [
        ("exit", "error", "it ended with exit status 7; its last words on stderr: line two | line three | out of luck"),
        ("signal", "error", "it was killed by SIGSEGV"),
        ("exit in the middle", "error", 'it ended with exit status 0 in the middle of a line: \'{"id": 2, "weights'),
        ("garbage", "error", "no JSON object on one line (Expecting value: line 1 column 1 (char 0)): 'loading the"),
        ("list", "error", "an answer must be a JSON object, {...}; got '[1, 2]'"),
        ("wrong id", "error", 'it answered another request than 2, the one it was asked: \'{"id": 1, "weights":'),
        ("no id", "error", "an answer without the id of its request, 2: '{\"loss\": 0}'"),
        ("two lines", "error", "more than one line for one request; the second begins 'and another one'"),
        ("deep", "error", "no JSON object on one line (maximum recursion depth exceeded"),
        ("enormous", "error", "a line of more than 81,"),
        ("unknown key", "error", "returned a dict with the unknown keys 'gradients'"),
        ("unsupported", "unsupported", "gelu"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_misbehaviour_is_one_verdict_and_the_next_case_is_asked(how: str, failure: str, message: str):
    """One failed answer, with a reason; what came before and what comes after is untouched."""
    candidate = misbehaving(how)
    before, failed, after = map(candidate.answer, CASES)
    assert (before.failure, failed.failure, after.failure) == (None, failure, None)
    assert failed.message.startswith(message)
    candidate.close()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("hang", "no answer within 1 s; where it has answered, is its stdout flushed after each line?"),
        ("hang in the middle", 'no answer within 1 s; the line that it began has no end: \'{"id": 2,'),
        ("child hangs", "no answer within 1 s; "),
    ],
    ids=["hang", "in the middle", "child"],
)
def test_a_hang_is_a_timeout_and_the_next_case_is_asked(how: str, message: str):
    """The process is killed with all that it started, and a new one goes on."""
    candidate = misbehaving(how, timeout=1.0)
    before, failed, after = map(candidate.answer, CASES)
    assert (before.failure, failed.failure, after.failure) == (None, "timeout", None)
    assert failed.message.startswith(message)
    candidate.close()


@pytest.mark.parametrize("how", ["flood", "empty lines", "deaf"])
def test_what_does_no_harm_is_no_failure(how: str):
    """A flood on stderr, empty lines; a program that goes deaf answers what it was asked before."""
    candidate = misbehaving(how)
    assert [candidate.answer(case).failure for case in CASES[:2]] == [None, None]
    candidate.close()


def test_a_line_that_nobody_asked_for_fails_the_case_after(monkeypatch):
    """It comes too late to fail the case that it belongs to."""
    candidate = misbehaving("late line")
    answers = [candidate.answer(case) for case in CASES[:2]]
    candidate.program._child._turn(5.0)
    answers += [candidate.answer(case) for case in CASES[1:]]
    assert [answer.failure for answer in answers] == [None, None, "error", None]
    assert answers[2].message == "nobody had asked for what it wrote before this case: 'one more thing'"
    candidate.close()


def test_a_program_that_crashes_on_every_tenth_case_loses_nothing_else():
    """The run finishes, with the verdict of each case: here batches of 10, 20 and 30 are what it cannot bear."""
    found = check(misbehaving("every tenth"), cases=40, diagnosis=False)
    checks = found.checks
    crashed = checks.quantity == "call"
    assert (found.cases, checks.case.nunique()) == (40, 40)
    assert 1 <= crashed.sum() <= 10
    assert set(checks[crashed].verdict) == {"error"}
    assert set(checks[crashed].note) == {"it ended with exit status 1"}
    assert set(checks[crashed].batch_size) <= {10, 20, 30}
    assert not set(checks[~crashed].batch_size) & {10, 20, 30}


def test_a_program_that_cannot_start_again_is_given_up(tmp_path, monkeypatch):
    """One verdict each, without starting it for each."""
    monkeypatch.setattr(patience, "GIVE_UP", 3)
    candidate = misbehaving("dies at start", tmp_path / "mark")
    messages = [candidate.answer(CASES[0]).message for _ in range(5)]
    again = "it could not be started again: it ended with exit status 1; its last words on stderr: no second time"
    given_up = f"not asked any more, for it failed 3 times in a row, at last: {again}"
    assert messages == ["it ended with exit status 1", again, again, given_up, given_up]


def test_candidate_travels_to_another_process_as_its_text():
    """There it is another program with the same text and patience."""
    candidate = misbehaving("hang", timeout=3.0)
    again = pickle.loads(pickle.dumps(candidate))  # noqa: S301  our own bytes
    assert (again.text, again.patience.timeout, again.domain) == (candidate.text, 3.0, candidate.domain)
    assert again.program is not candidate.program
    again.close()
    candidate.close()


def test_a_program_is_never_called_as_a_function():
    """It is asked in lines, through the candidate."""
    candidate = misbehaving("hang", timeout=3.0)
    with pytest.raises(RuntimeError, match="in another process: ask the candidate"):
        candidate.function()
    candidate.close()


def test_a_program_that_describes_nothing_is_told_what_it_looks_like(in_c: str, tmp_path: Path):
    """The C program, without its own description: the answer to describe that it would need, which it then prints."""
    silent = tmp_path / "silent"
    silent.write_text(f"#!/bin/sh\nread line\necho '{{}}'\nexec {in_c.removeprefix('exec:')}\n")
    silent.chmod(0o755)
    with pytest.raises(CandidateError) as caught:
        check(f"exec:{silent}", cases=10)
    said = str(caught.value)
    line = next(line.strip() for line in said.splitlines() if line.startswith("    {"))
    assert 'let it answer {"describe":1} with' in said
    described = protocol.read_description(line.encode()).declaration.domain
    assert {formula.name for formula in described.activations} == {"sigmoid"}
    assert described.biases == "always"


def test_a_test_suite_starts_a_program_once(in_c: str, monkeypatch: pytest.MonkeyPatch):
    """Not for each example; and one that failed in twenty of them is asked in the next all the same."""
    (candidate,) = assertion._loaded(in_c)
    assert assertion._loaded(in_c) == (candidate,)
    for _ in range(patience.GIVE_UP):
        candidate.patience.failed("error", "it crashed")
    case = build_case(NetworkSpec.parse("3-2,sigmoid,half_squared_error,sum,n5,f64,normal,s1"))
    assert {str(one.verdict) for one in check_gradients(in_c, case)} == {"agree", "not_offered"}
    assertion.end_programs()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exec:", "exec: wants a command: exec:./my_net, or with arguments 'exec:node my_net.js'"),
        ("exec:'open", 'cannot split "exec:\'open" into a command: No closing quotation'),
        ("exec:my_net", "exec:my_net: no program 'my_net' on the PATH. Did you mean exec:./my_net?"),
        ("exec:no_such_net", "exec:no_such_net: no program 'no_such_net' on the PATH."),
        ("exec:./my_nett", "exec:./my_nett: no file ./my_nett. Did you mean exec:./my_net?"),
        ("exec:./q", "exec:./q: no file ./q."),
        ("exec:./plain", "exec:./plain: ./plain is not executable: chmod +x ./plain"),
        ("exec:./folder", "exec:./folder: ./folder is a directory"),
        ("exec:.", "exec:.: . is a directory"),
        ("exec:./a net", "exec:./a net: no file ./a. A path with spaces is quoted: exec:'./a net'"),
        ("exec:./text", 'exec:./text: asked {"describe":1}, to which {} is an answer: it cannot be started: [Errno 8]'),
        ("exec:./my_net 3", 'asked {"describe":1}, to which {} is an answer: it ended with exit status 3'),
        ("exec:./words", "exec:./words: its answer to {\"describe\":1}: 'layout' is not a known field."),
    ],
    ids=lambda value: value if value.startswith("exec:") and len(value) < 20 else "",
)
def test_a_program_that_cannot_be_had_is_explained(tmp_path, monkeypatch, text: str, message: str):
    """What was looked for, and what there is instead."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name, content in (
        ("my_net", '#!/bin/sh\nexit "$1"\n'),
        ("plain", "words"),
        ("a net", "words"),
        ("text", "words"),
        ("words", "#!/bin/sh\nread line\necho '{\"layout\":1}'\n"),
    ):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o644 if name == "plain" else 0o755)
    with pytest.raises(CandidateError, match=re.escape(message)):
        load(text)
