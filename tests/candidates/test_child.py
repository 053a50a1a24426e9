"""One process: asked a line, it answers; or it does something else, and that is said."""

import sys
import time

import pytest

from backproof.candidates.child import Child, ChildError, _signal

LIMIT = 1000
ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"


def python(code: str, **options: bool) -> Child:
    """A bare interpreter that runs `code`."""
    return Child([sys.executable, "-I", "-S", "-c", code], **options)


def failure(child: Child, *, patience: float = 10.0) -> tuple[str, str]:
    """The verdict on one question, and the text."""
    with pytest.raises(ChildError) as caught:
        child.ask(b"question", patience=patience, limit=LIMIT)
    return caught.value.failure, str(caught.value)


def test_child_answers_line_by_line():
    """It lives from one question to the next."""
    child = python(ECHO)
    assert [child.ask(line, patience=10.0, limit=LIMIT) for line in (b"one", b"two")] == [b"eno", b"owt"]
    child.end()


def test_child_takes_and_gives_lines_longer_than_a_pipe():
    """A megabyte each way, and a megabyte on stderr: nobody waits for the other."""
    child = python("import sys\nfor line in sys.stdin:\n  sys.stderr.write(line)\n  print(line, end='', flush=True)")
    line = b"x" * (1 << 20)
    assert child.ask(line, patience=30.0, limit=2 << 20) == line
    child.end()


def test_child_that_closes_its_stdin_still_answers():
    """What it does not want to read to the end stops nobody: the answer counts."""
    child = python("import os, time\nos.read(0, 1)\nos.close(0)\nprint('deaf', flush=True)\ntime.sleep(60)")
    assert child.ask(b"y" * (1 << 20), patience=10.0, limit=LIMIT) == b"deaf"
    child.end()


def test_child_that_answers_without_listening_is_told():
    """What it said cannot be the answer to a question that is still in the pipe."""
    child = python("import os, time\nos.read(0, 1)\nprint('early', flush=True)\ntime.sleep(60)")
    with pytest.raises(ChildError, match=r"^it answered before it had read the request: 'early'$"):
        child.ask(b"y" * (1 << 20), patience=10.0, limit=LIMIT)


def test_child_is_ended_with_all_that_it_started(tmp_path):
    """The group is killed: what a program leaves behind does not go on."""
    mark = tmp_path / "mark"
    code = f"import os, time\nif os.fork() == 0:\n  time.sleep(0.6)\n  open({str(mark)!r}, 'w')\nelse: time.sleep(60)"
    child = python(code)
    assert failure(child, patience=0.2)[0] == "timeout"
    time.sleep(0.8)
    assert not mark.exists()


def test_child_passes_its_stderr_on_where_that_is_wanted(capsys):
    """With echo, what a person's code prints is seen; without, its last lines are kept for a message."""
    code = "import sys\nfor line in sys.stdin:\n  print('hello', file=sys.stderr)\n  print('answer', flush=True)"
    for echo in (True, False):
        child = python(code, echo=echo)
        child.ask(b"question", patience=10.0, limit=LIMIT)
        while not child.noise:
            child._turn(1.0)
        assert child.noise == "hello\n"
        child.end()
        assert capsys.readouterr().err == ("hello\n" if echo else "")


def test_child_that_cannot_start_raises_what_the_system_says(tmp_path):
    """A text file is no program."""
    text = tmp_path / "text"
    text.write_text("words")
    text.chmod(0o755)
    with pytest.raises(OSError, match="Exec format error"):
        Child([str(text)])


def test_child_interrupted_in_a_question_is_ended(monkeypatch):
    """After Ctrl-C its answer would be the next question's."""
    child = python("import time\ntime.sleep(60)")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "_turn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        child.ask(b"question", patience=10.0, limit=LIMIT)
    assert not child.end.alive


@pytest.mark.parametrize(
    ("code", "verdict", "text"),
    [
        ("raise SystemExit(3)", "error", "it ended with exit status 3"),
        ("import os\nos.kill(os.getpid(), 9)", "error", "it was killed by SIGKILL"),
        ("print('half', end='')", "error", "it ended with exit status 0 in the middle of a line: 'half'"),
        (
            "print('x' * 5000, end='', flush=True)\nimport time\ntime.sleep(60)",
            "error",
            "a line of more than 1,000 bytes",
        ),
        ("print('a\\nb', flush=True)\nimport time\ntime.sleep(60)", "error", "more than one line for one request"),
        ("sys.exit('1\\n2\\n\\n3\\n4')", "error", "exit status 1; its last words on stderr: 2 | 3 | 4"),
        ("sys.exit('Error: no\\n2\\n3\\n4\\n5')", "error", "its last words on stderr: Error: no | 3 | 4 | 5"),
    ],
    ids=["exit", "signal", "partial", "long", "two", "words", "error"],
)
def test_child_failure_is_told(code: str, verdict: str, text: str):
    """How it ended, what it had begun to say, its last words."""
    child = python(f"import sys\nsys.stdin.readline()\n{code}")
    found, said = failure(child)
    assert (found, text in said) == (verdict, True), said
    assert not child.end.alive


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("", "no answer within 2 s; where it has answered, is its stdout flushed after each line?"),
        ("print('begun', end='', flush=True)", "no answer within 2 s; the line that it began has no end: 'begun'"),
    ],
    ids=["silent", "begun"],
)
def test_child_timeout_is_told(code: str, text: str):
    """Whether it has begun to answer, once it was asked."""
    child = python(f"import sys, time\nsys.stdin.readline()\n{code}\ntime.sleep(60)")
    assert failure(child, patience=2.0) == ("timeout", text)


def test_child_that_closes_its_stdout_and_goes_on_is_ended(monkeypatch):
    """It is not waited for longer than a moment."""
    monkeypatch.setattr("backproof.candidates.child.PARTING", 0.2)
    child = python("import os, time\nos.close(1)\ntime.sleep(60)")
    assert failure(child) == ("error", "it closed its stdout and went on")


def test_child_that_speaks_unasked_is_told():
    """What it wrote between two questions cannot be the answer to the second."""
    child = python("import time\nprint('hello', flush=True)\ntime.sleep(60)")
    while not child._said:
        child._turn(1.0)
    assert failure(child) == ("error", "nobody had asked for what it wrote before this case: 'hello'")


def test_signals_have_names():
    """Those that the system knows."""
    assert (_signal(11), _signal(63)) == ("SIGSEGV", "signal 63")


def test_windows_is_told_what_goes_there(monkeypatch):
    """A sentence, and no traceback out of the middle of it."""
    monkeypatch.setattr("backproof.candidates.child._WINDOWS", True)
    with pytest.raises(OSError, match="--in-process needs neither"):
        Child([sys.executable, "-c", ""])
