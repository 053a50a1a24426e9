"""A command that is told to end, by SIGTERM or by a terminal that closes, ends in order, with all that it has started.

Candidates run in process groups of their own, which no signal to the command reaches. So the signal becomes an
exception, and every block on the way out ends what it has begun; what is finished of a run is in its journal.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class TerminatedError(BaseException):
    """The command was told to end; like KeyboardInterrupt, and unlike SystemExit, it is no doing of a candidate."""


@contextmanager
def in_order() -> Iterator[None]:
    """A block that such a signal ends by TerminatedError, and then Python, as a shell tells it; a second one at once.

    Signals that are ignored, as under nohup, or that somebody else handles, stay so.
    """
    told: list[signal.Signals] = []

    def end(number: int, _: object) -> None:
        for each in own:
            signal.signal(each, signal.SIG_DFL)
        told.append(signal.Signals(number))
        raise TerminatedError

    own = [each for each in _SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in own:
        signal.signal(each, end)
    try:
        yield
    except TerminatedError:
        print(f"backproof: ended by {told[0].name}", file=sys.stderr)
        sys.exit(128 + told[0])
