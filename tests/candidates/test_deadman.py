"""The dead man's switch: what hangs ends when nobody is left to end it, and nothing else does."""

import os
import subprocess
import sys
import textwrap

import pytest

from backproof.candidates import deadman as module
from backproof.candidates.deadman import Deadman
from backproof.candidates.host import Load, Question, packed
from backproof.cases import NetworkSpec, build_case

HANGING = """
import ctypes, signal

def loss_and_gradients(network, x, y):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    ctypes.PyDLL(None).sleep(600)
"""


def python(code: str) -> list[str]:
    """A command that runs code, with a switch that is quick."""
    quick = "from backproof.candidates import deadman\ndeadman.SPARE, deadman.IDLE = 0.4, 0.2\n"
    return [sys.executable, "-c", quick + textwrap.dedent(code)]


def test_a_host_in_the_middle_of_an_answer_ends_by_itself(tmp_path):
    """In a call to C that keeps Python from running; whoever asked is there, and does not kill it."""
    path = tmp_path / "net.py"
    path.write_text(HANGING)
    code = "from backproof.candidates.host import main\nmain()"
    process = subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(packed(Load(str(path))) + b"\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.stdin.write(packed(Question(f"{path}:loss_and_gradients", 0.2, case)) + b"\n")
    process.stdin.flush()
    assert process.wait(60) == 1
    assert process.communicate()[1] == b""


def test_one_thread_serves_for_many_answers(monkeypatch: pytest.MonkeyPatch):
    """As long as each has its time; at rest there is none."""
    started, clock = [], [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.faulthandler, "dump_traceback_later", lambda seconds, **_: started.append(seconds))
    monkeypatch.setattr(module.faulthandler, "cancel_dump_traceback_later", lambda: started.append(0.0))
    switch = Deadman()
    for _ in range(20):
        switch.watch(10.0)
        clock[0] += module.IDLE / 8
    assert started == [10.0 + module.SPARE + module.IDLE] * 3
    started.clear()
    switch.watch(30.0)
    switch.watch(10.0)
    switch.rest()
    switch.watch(10.0)
    more = module.SPARE + module.IDLE
    assert started == [30.0 + more, 10.0 + more, 0.0, 10.0 + more]


def test_where_no_thread_can_be_started_there_is_no_switch(monkeypatch: pytest.MonkeyPatch):
    """The answer is given all the same."""

    def fails(*_, **__):
        raise RuntimeError("unable to start watchdog thread")

    monkeypatch.setattr(module.faulthandler, "dump_traceback_later", fails)
    Deadman().watch(1.0)


def test_the_switch_rests_while_nobody_asks(monkeypatch: pytest.MonkeyPatch):
    """And wakes up with the next line."""
    monkeypatch.setattr(module, "IDLE", 0.05)
    rested = []
    switch = Deadman()
    monkeypatch.setattr(switch, "rest", lambda: (rested.append(1), os.write(ask, b"two\n"), os.close(ask)))
    given, ask = os.pipe()
    os.write(ask, b"one\n")
    with os.fdopen(given, "rb") as requests:
        assert list(switch.lines(requests)) == [b"one\n", b"two\n"]
    assert rested == [1]
