"""From a CANDIDATE, as people write it, to candidates.

It is the name of a built-in one (`scratch`, `torch`), a place to find a function, `path.py`, `path.py:name` or
`package.module:name`, or a command that runs a program: `exec:./my_net`.
"""

from __future__ import annotations

import difflib
from importlib.util import find_spec
from typing import cast

from backproof.candidates import builtin, finding
from backproof.candidates.contract import LONGEST, PROGRAM, TIMEOUT, Candidate, CandidateError
from backproof.candidates.hosted import hosted
from backproof.candidates.process import program


def load(candidate: object, *, timeout: float = TIMEOUT, apart: bool = False) -> tuple[Candidate, ...]:
    """The candidates that a CANDIDATE text names: one, or all those of a file. A function, or a Candidate, is one.

    timeout: seconds for one case. apart: Python functions that are named by a text run in a process of their own, so
    that nothing they do, not even `os._exit`, ends the run.

    Raises CandidateError where there is none, with the live names and the closest one, and for a timeout that is none.
    """
    if not 0.0 < timeout <= LONGEST:
        raise CandidateError(
            f"timeout must be a number of seconds, above 0 and at most {LONGEST:,.0f}; got {timeout!r}"
        )
    if not isinstance(candidate, str):
        if hasattr(candidate, "answer") and hasattr(candidate, "domain"):
            return (cast("Candidate", candidate),)
        return (finding.wrap(candidate, timeout=timeout),)
    if candidate in builtin.BUILTIN:
        if candidate == "torch" and find_spec("torch") is None:
            raise CandidateError("the candidate torch is PyTorch itself, which is not installed: backproof[torch]")
        return (builtin.BUILTIN[candidate](),)
    if candidate.startswith(PROGRAM):
        return (program(candidate, timeout=timeout),)
    if candidate.endswith(".py") or ":" in candidate:
        if apart:
            return hosted(candidate, timeout=timeout)
        return finding.find(candidate, timeout=timeout)
    names = list(builtin.BUILTIN)
    close = difflib.get_close_matches(candidate, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise CandidateError(
        f"no candidate {candidate!r}.{hint} A candidate is one of the built-in {' and '.join(map(repr, names))}, "
        "a function, my_net.py, my_net.py:name or package.module:name, or a program, exec:./my_net."
    )


def load_one(candidate: object, *, timeout: float = TIMEOUT, apart: bool = False) -> Candidate:
    """The one candidate that is meant, as `load` finds it.  Raises CandidateError, with their names, for several."""
    found = load(candidate, timeout=timeout, apart=apart)
    if len(found) != 1:
        held = ", ".join(each.name for each in found)
        raise CandidateError(f"{candidate} holds {len(found)} candidates; name one: {held}")
    return found[0]
