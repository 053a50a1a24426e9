"""A program that answers every request with gradients of zero, but does what its argument says at its second request.

It uses nothing but the standard library. "dies at start" needs a second argument, a file by which it knows that it has
been there before.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

how = sys.argv[1]
marks = Path(sys.argv[2]) if len(sys.argv) > 2 else None


def zeros(value):
    """The same nested lists, with zeros for numbers."""
    return [zeros(entry) for entry in value] if isinstance(value, list) else value and 0.0


def say(text):
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def begin(text):
    """A line without an end."""
    sys.stdout.write(text)
    sys.stdout.flush()


def leave(status, *last_words):
    """The end, with last words on stderr."""
    sys.stderr.write("\n".join(last_words))
    sys.exit(status)


def sleep(*_):
    """Longer than anybody waits."""
    time.sleep(60)


def hang_in_a_child(*_):
    """What was started holds stdout open, and outlives who started it."""
    if os.fork() == 0:
        sleep()
    sys.exit(0)


# What is done in place of `say(answer)`.
WAYS = {
    "exit": lambda answer, number: leave(7, "line one", "", "line two", "line three", "out of luck"),
    "signal": lambda answer, number: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": sleep,
    "hang in the middle": lambda answer, number: (begin(answer[:20]), sleep()),
    "child hangs": hang_in_a_child,
    "exit in the middle": lambda answer, number: (begin(answer[:20]), sys.exit(0)),
    "garbage": lambda answer, number: say("loading the model ..."),
    "list": lambda answer, number: say("[1, 2]"),
    "wrong id": lambda answer, number: say(answer.replace(f'"id": {number}', '"id": 1')),
    "no id": lambda answer, number: say('{"loss": 0}'),
    "two lines": lambda answer, number: say(answer + "\nand another one"),
    "late line": lambda answer, number: (say(answer), time.sleep(0.1), say("one more thing")),
    "empty lines": lambda answer, number: say("\n\r\n" + answer + "\r\n"),
    "enormous": lambda answer, number: [sys.stdout.write("0," * 50_000) for _ in range(200)],
    "deep": lambda answer, number: say("[" * 100_000),
    "flood": lambda answer, number: (sys.stderr.write(("noise " * 20_000 + "\n") * 50), say(answer)),
    "unknown key": lambda answer, number: say(f'{{"id": {number}, "gradients": []}}'),
    "unsupported": lambda answer, number: say(f'{{"id": {number}, "unsupported": "gelu"}}'),
    "deaf": lambda answer, number: (os.close(0), say(answer), sleep()),
}

if marks is not None and how == "dies at start" and marks.exists():
    sys.exit("no second time")
number = 0
for line in sys.stdin:
    request = json.loads(line)
    if "describe" in request:
        say('{"domain": {"losses": "mse"}}' if how == "every tenth" else "{}")
        continue
    number += 1
    answer = json.dumps({"id": request["id"], "weights": zeros(request["weights"]), "biases": zeros(request["biases"])})
    if how == "dies at start":
        marks.touch()
        sys.exit(1)
    if how == "every tenth" and request["batch_size"] % 10 == 0:
        sys.exit(1)
    if number == 2 and how in WAYS:
        WAYS[how](answer, request["id"])
    else:
        say(answer)
