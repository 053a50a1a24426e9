"""Who hears of what `check_gradients` finds: nobody, unless somebody keeps a record, as the pytest plugin does.

Nothing is imported here, so that a witness can be there before the first check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backproof.cases.spec import NetworkSpec
    from backproof.judging.verdicts import Check

    Witness = Callable[[str, NetworkSpec, tuple[Check, ...]], None]
    """Hears a candidate's name, the network, and the verdict on every quantity."""

WITNESSES: Final[list[Witness]] = []
