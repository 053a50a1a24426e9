"""What came of a run: one verdict, the counts behind it, and the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from backproof.campaign import limits
from backproof.campaign.groups import Group
from backproof.campaign.pairs import Pair, never_met
from backproof.campaign.tally import Tally
from backproof.cases.domain import Domain
from backproof.diagnosis.card import Hints
from backproof.diagnosis.diagnosis import EQUATIONS, Findings
from backproof.environment import release, version
from backproof.examine import Truth
from backproof.judging.verdicts import Verdict
from backproof.reports.columns import ROWS
from backproof.scaling import Scaling
from backproof.settling.certificate import Certificate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SCHEMA: Final = 1
INTERRUPTED: Final = 130
"""The exit code of a run that Ctrl-C has ended: what it did not come to may be anything."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Where the cases and the reference were recorded.

    file: its name; torch: the version of PyTorch whose results it holds; recorded: how many cases; left_out: how many
    of them the candidate is not asked, since they lie outside the domain.
    """

    file: str
    torch: str
    recorded: int
    left_out: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """The result of `check`.

    candidate: its name; text: the CANDIDATE text that finds it again, None where there is none.
    repeatable: whether a case's id draws its arrays again; not where somebody gave the arrays.

    cases: how many were asked for; tally.cases were examined, fewer after Ctrl-C, or where `stop_after` of them, that
    disagree, were enough. rows: how many networks have all of their rows in `checks`. ids: the cases, where they were
    named and not drawn. replay: the recording, where they come from one; `truth` is then that of cases beside it, which
    the diagnosis asks for. findings: the diagnosis; groups: what fails, by what is wrong in it; hints: how much of both
    is told. tables: the Arrow tables that were kept, by name. directory: where they were written.
    """

    candidate: str
    text: str | None = None
    truth: Truth
    domain: Domain
    seed: int
    cases: int
    strict_kinks: bool
    tally: Tally
    certificate: Certificate | None = None
    scaling: tuple[Scaling, ...]
    interrupted: bool
    stop_after: int | None = None
    rows: int = ROWS
    ids: tuple[str, ...] = ()
    repeatable: bool = True
    replay: Replay | None = None
    findings: Findings | None = None
    groups: tuple[Group, ...] = ()
    hints: Hints = "all"
    tables: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    directory: Path | None = None

    @property
    def verdict(self) -> Literal["agrees", "disagrees", "cannot_run"]:
        """The one word: `cannot_run` where nothing was compared, `disagrees` where anything at all fails."""
        if not self.tally.compared:
            return "cannot_run"
        wrong = self.tally.wrong_cases or self.contradictions or (self.certificate and self.certificate.exceeded)
        return "disagrees" if wrong else "agrees"

    @property
    def exit_code(self) -> int:
        """0 agrees, 1 disagrees, 2 cannot run; 130, as shells have it for Ctrl-C, where nothing is wrong until then."""
        if self.interrupted and self.verdict != "disagrees" and not self.tally.wrong_cases:
            return INTERRUPTED
        return {"agrees": 0, "disagrees": 1, "cannot_run": 2}[self.verdict]

    @property
    def contradictions(self) -> tuple[Scaling, ...]:
        """Rows of `scaling` in which the candidate contradicts itself."""
        return tuple(row for row in self.scaling if row.fails)

    @property
    def stopped(self) -> str:
        """After how many networks the run ended before its time, and by what; empty where it did not."""
        if not self.interrupted and self.stop_after is None:
            return ""
        done = f"after {self.tally.cases:,} of {self.cases:,} networks"
        if self.interrupted:
            return done
        wrong = self.tally.wrong_cases
        return f"{done}, {'one of which disagrees' if wrong == 1 else f'{wrong:,} of which disagree'} (--stop-after)"

    @property
    def left_out(self) -> int:
        """How many sorts of discrepancies there are of which `discrepancies` has only the first networks."""
        return len(limits.left_out(self.tally))

    @property
    def never_met(self) -> tuple[Pair, ...]:
        """The pairs that the domain allows, and no network had; none where the networks were named."""
        return () if self.ids else never_met(self.domain, self.tally.pairs)

    @property
    def reference(self) -> str:
        """What was held to be right, as people are told it."""
        if self.replay is not None:
            return f"PyTorch {release(self.replay.torch)}, recorded in {self.replay.file}"
        if self.truth == "exact":
            return "exact arithmetic"
        return f"PyTorch {release(version('torch'))}"

    def frame(self, name: str) -> pd.DataFrame:
        """A table as a pandas frame.  Raises LookupError where it was not kept."""
        from backproof.reports.tables import frame

        if name not in self.tables:
            raise LookupError(f"no table {name!r} was kept; there are {', '.join(self.tables) or 'none'}")
        return frame(self.tables[name])

    @cached_property
    def checks(self) -> pd.DataFrame:
        """One row per quantity of each case."""
        return self.frame("checks")

    @cached_property
    def discrepancies(self) -> pd.DataFrame:
        """The rows of `checks` that do not agree."""
        return self.frame("discrepancies")

    @cached_property
    def strata(self) -> pd.DataFrame:
        """Coverage and accuracy per stratum."""
        return self.frame("strata")

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints. Equations are "not_tested" where no diagnosis has looked at them."""
        smallest = None if self.tally.smallest is None else self.tally.smallest[1]
        verdicts = self.tally.verdicts
        findings = None if self.hints == "none" else self.findings
        if findings is not None and findings.shown is not None:
            smallest = findings.shown.case.spec.id
        return {
            "schema": SCHEMA,
            "candidate": self.candidate,
            "verdict": self.verdict,
            "cases": self.tally.cases,
            "seed": self.seed,
            "torch": version("torch") if self.replay is None else self.replay.torch,
            "verdicts": {verdict.value: verdicts[verdict] for verdict in Verdict if verdicts[verdict]},
            "equations": dict.fromkeys(EQUATIONS, "not_tested") if findings is None else findings.equations,
            "diagnoses": [] if findings is None else [told.to_json(self.hints) for told in findings.diagnoses],
            "conventions": None if findings is None or self.hints != "all" else findings.conventions_json(),
            "smallest_case": smallest,
            "report": None if self.directory is None else str(self.directory),
            **({"stopped": self.stopped} if self.stopped else {}),
            **({} if self.replay is None else {"vectors": asdict(self.replay)}),
        }

    def __str__(self) -> str:
        """The screen that the command line shows, without colour."""
        from backproof.screen import plain

        return plain(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from backproof.notebook import as_html

        return as_html(str(self), self.verdict)

    def _repr_markdown_(self) -> str:
        """The same, where a notebook becomes Markdown."""
        from backproof.notebook import as_markdown

        return as_markdown(str(self), self.verdict)
