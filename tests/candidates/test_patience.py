"""How long an answer is waited for, from case to case."""

import time

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.patience import GIVE_UP, HURRY, Patience
from backproof.cases import NetworkSpec, build_case


def test_patience_ends_where_answers_between_failures_come_by_chance():
    """They forgive the time that was taken, and nothing else."""
    patience = Patience(8.0)
    for number in range(GIVE_UP):
        assert patience.exhausted is None
        patience.failed("timeout" if number % 2 else "error", "twice", forgivable=False)
        patience.answered()
        assert patience.seconds == 8.0
    assert patience.exhausted.message == f"not asked any more, for it failed {GIVE_UP} times, at last: twice"


def test_patience_halves_with_each_timeout_in_a_row_and_an_answer_restores_it():
    """Down to a part of it; another failure takes no time, and leaves it as it is."""
    patience = Patience(8.0)
    waited = []
    for failure in ("timeout", "error", "timeout", "timeout", "timeout", "timeout"):
        waited.append(patience.seconds)
        patience.failed(failure, "no")
    assert waited == [8.0, 4.0, 4.0, 2.0, 1.0, 8.0 / HURRY]
    assert patience.seconds == 8.0 / HURRY
    patience.answered()
    assert patience.seconds == 8.0


def test_patience_leaves_room_for_answers_as_slow_as_those_before():
    """Code that compiles for each network is slow and no hang: one timeout must not make all answers too late."""
    patience = Patience(8.0)
    patience.answered(0.9)
    waited = []
    for _ in range(5):
        waited.append(patience.seconds)
        patience.failed("timeout", "no")
    assert waited == [8.0, 4.0, 2.0, 2.0, 2.0]
    assert patience.hurry
    patience.answered(5.0)
    patience.failed("timeout", "no")
    assert (patience.seconds, patience.hurry) == (8.0, "")


def test_a_slow_answer_counts_when_there_is_one():
    """By the clock: the second timeout in a row is not left a 16th, with which even the answer before was too late."""
    calls = []

    def slow(network, x, y):
        calls.append(len(calls))
        time.sleep(0.1 if len(calls) == 1 else 10.0)
        raise ValueError

    patience = Patience(0.4)
    candidate = FunctionCandidate(name="f", function=slow, patience=patience)
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    assert [candidate.answer(case).failure for _ in range(4)] == ["error", "timeout", "timeout", "timeout"]
    assert patience.seconds >= 0.2


def test_patience_ends_after_so_many_failures_in_a_row():
    """All further answers are the last one; an answer in between starts the count again."""
    patience = Patience()
    for _ in range(2):
        for _ in range(GIVE_UP - 1):
            patience.failed("timeout", "too slow")
        assert patience.exhausted is None
        patience.answered()
    for _ in range(GIVE_UP):
        patience.failed("error", "it crashed")
    assert patience.exhausted.failure == "error"
    assert (
        patience.exhausted.message == f"not asked any more, for it failed {GIVE_UP} times in a row, at last: it crashed"
    )


def test_function_that_never_answers_is_not_waited_for_in_every_case():
    """A thousand cases of it take a moment, and have a verdict each."""

    def endless(network, x, y):
        while True:
            pass

    candidate = FunctionCandidate(name="f", function=endless, patience=Patience(0.02))
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    answers = [candidate.answer(case) for _ in range(1000)]
    assert {answer.failure for answer in answers} == {"timeout"}
    first, second, *_ = [answer.message.partition(" s without an answer")[::2] for answer in answers]
    assert (first[0], second[0]) == ("interrupted after 0.02", "interrupted after 0.01")
    assert second[1] == f"{first[1]}; it had 0.02 s at first, and each timeout in a row leaves it less, down to a 16th"
    assert answers[-1].message.startswith(f"not asked any more, for it failed {GIVE_UP} times in a row, at last: ")


def test_function_that_raises_has_answered():
    """An exception costs no time: hangs in between are not hangs in a row."""
    calls = []

    def now_and_then(network, x, y):
        calls.append(len(calls))
        while len(calls) % 2:
            pass
        raise ValueError

    patience = Patience(0.02)
    candidate = FunctionCandidate(name="f", function=now_and_then, patience=patience)
    case = build_case(NetworkSpec.parse("3-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    assert [candidate.answer(case).failure for _ in range(4)] == ["timeout", "error"] * 2
    assert patience.seconds == patience.timeout


def test_another_shard_begins_with_new_patience():
    """How often it failed before depends on who examined what; how long to wait is no verdict."""
    patience = Patience(8.0)
    for _ in range(GIVE_UP):
        patience.failed("timeout", "no answer", forgivable=False)
    assert patience.exhausted is not None
    patience.begin()
    assert patience.exhausted is None
    assert patience.seconds == 8.0 / HURRY
