"""A clock for code that may not come back."""

import signal
import threading
import time
from pathlib import Path

import pytest

from backproof.candidates.watch import OutOfTimeError, place, within


def endless() -> None:
    """Python that does not come back."""
    while True:
        pass


def test_within_gives_what_is_returned_in_time():
    """And leaves neither a timer nor a handler behind."""
    before = signal.getsignal(signal.SIGALRM)
    assert within(10.0, lambda: 3) == 3
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_within_interrupts_an_endless_loop():
    """Sleeping, computing, or catching exceptions on the way."""

    def stubborn() -> None:
        caught = 0
        while caught < 2:
            try:
                endless()
            except BaseException:  # noqa: BLE001  what such code does
                caught += 1
        endless()

    for call in (endless, lambda: time.sleep(60), stubborn):
        with pytest.raises(OutOfTimeError):
            within(0.05, call)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_within_lets_exceptions_through():
    """They are not its business."""
    with pytest.raises(ZeroDivisionError):
        within(10.0, lambda: 1 // 0)


def test_within_lets_another_alarm_ring():
    """Somebody else's timer rings in its time, be it earlier than ours or later."""
    rung = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        for theirs, ours in ((0.02, 10.0), (1.0, 0.9)):
            signal.setitimer(signal.ITIMER_REAL, theirs)
            within(ours, lambda: time.sleep(0.01))
            while signal.getitimer(signal.ITIMER_REAL)[0]:
                time.sleep(0.05)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert rung == [signal.SIGALRM] * 2


def test_within_another_thread_only_calls():
    """Signals are the main thread's."""
    found = []
    thread = threading.Thread(target=lambda: found.append(within(0.01, lambda: time.sleep(0.05) or 3)))
    thread.start()
    thread.join()
    assert found == [3]


def test_place_is_the_innermost_line_of_the_file():
    """The person's own line, also where a library of Python raised; without it, the library's."""
    import json

    with pytest.raises(ValueError, match="Expecting value") as caught:
        within(10.0, lambda: json.loads("x"))
    assert f"{Path(__file__).name}:" in place(caught.value, __file__)
    assert "decoder.py:" in place(caught.value)
    assert place(ValueError()) == ""


def test_within_is_not_interrupted_while_it_puts_its_clock_away(monkeypatch: pytest.MonkeyPatch):
    """An alarm that comes between the call's end and the clock's is none: it would leave the clock running for ever."""
    put_away, before = signal.setitimer, signal.getsignal(signal.SIGALRM)

    def slow(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        if not seconds:
            signal.raise_signal(signal.SIGALRM)
        return put_away(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", slow)
    assert within(10.0, lambda: 3) == 3
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
