"""SIGTERM and a terminal that closes: the command ends in order, and nothing that it has started stays."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backproof.candidates.ending import TerminatedError, in_order
from backproof.candidates.finding import find
from backproof.candidates.loading import load
from backproof.cases import NetworkSpec, build_case

CASE = build_case(NetworkSpec.parse("3-4-2,sigmoid,mse,sum,n5,f64,normal,s7"))
ASKING = """
import signal, sys
from backproof.candidates.child import Child
from backproof.candidates.ending import in_order
signal.signal({number}, signal.SIG_DFL)
with in_order():
    try:
        child = Child([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
        print(child._process.pid, flush=True)
        child.ask(b"question", patience=600.0, limit=9)
    finally:
        print("in order", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_command_that_is_told_to_end_takes_along_what_it_has_started(number: signal.Signals, is_gone):
    """In the middle of an answer; the exit code is the one that shells know."""
    command = [sys.executable, "-c", ASKING.format(number=int(number))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    asked = int(process.stdout.readline())
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "in order\n", f"backproof: ended by {number.name}\n")
    assert is_gone(asked)


def test_the_command_line_is_ended_in_order(tmp_path: Path, is_gone):
    """A program that hangs, and a run that writes a report: neither stays."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, time\n"
        "print(sys.stdin.readline() and '{}', flush=True)\n"
        "sys.stdin.readline()\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-m", "backproof", "check", f"exec:{sys.executable} {program}"]
    process = subprocess.Popen(
        [*command, "--cases", "3", "--timeout", "600", "--report", str(tmp_path / "out")], stderr=subprocess.PIPE
    )
    pid = tmp_path / "pid"
    deadline = time.monotonic() + 120
    while not (pid.exists() and pid.read_text().endswith("\n")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    assert process.communicate(timeout=60)[1].decode().splitlines()[-1] == "backproof: ended by SIGTERM"
    assert process.returncode == 128 + signal.SIGTERM
    assert is_gone(int(pid.read_text()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pid", "program.py"]


def test_a_signal_that_is_another_s_stays_so():
    """Under nohup a terminal may close."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_end_of_the_command_is_no_verdict_on_a_candidate(tmp_path: Path):
    """Where it comes in the middle of a candidate's own code."""

    def ended(network, x, y):
        raise TerminatedError

    (candidate,) = load(ended)
    with pytest.raises(TerminatedError):
        candidate.answer(CASE)
    path = tmp_path / "net.py"
    path.write_text("from backproof.candidates.ending import TerminatedError\nraise TerminatedError\n")
    with pytest.raises(TerminatedError):
        find(str(path))
