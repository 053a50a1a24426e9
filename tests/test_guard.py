"""The guard: what became worse fails, what did not holds."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from backproof.campaign.shards import CASES_PER_SHARD, drawn
from backproof.campaign.tally import strata_of
from backproof.candidates.contract import Answer
from backproof.candidates.loading import load
from backproof.cases import Case, Domain
from backproof.guard import accepted, compared, guard
from backproof.reports.baselines import Baseline, BaselineError, read_baseline
from backproof.route import _diagnosed, check

SMALL = Domain(
    depth=(1, 2),
    width=(1, 3),
    batch_size=(1, 3),
    activations=("tanh", "relu"),
    losses=("mse", "linear"),
    reductions=("sum", "mean"),
    dtypes="float64",
)
SCRATCH = Path(__file__).parent / "baselines" / "scratch.csv"
CASES = 24
DIAGNOSED = _diagnosed


class Scripted:
    """A candidate whose answer is scratch's, changed."""

    name = "scripted"

    def __init__(self, change: Callable[[Case, Answer], Answer] = lambda case, answer: answer) -> None:
        self.domain, self.change = SMALL, change
        (self.scratch,) = load("scratch")

    def answer(self, case: Case) -> Answer:
        """What scratch answers, changed."""
        return self.change(case, self.scratch.answer(case))


@pytest.fixture(autouse=True, scope="module")
def undiagnosed() -> Iterator[None]:
    """What is wrong is not asked here: it takes longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backproof.route._diagnosed", lambda *_, **__: None)
        yield


def of(path: Path) -> Baseline:
    """The baseline at a path."""
    return read_baseline(path, command="make")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of the right candidate; tests that write take a copy."""
    place = tmp_path_factory.mktemp("guard") / "baseline.csv"
    assert accepted(Scripted(), place, before=None, cases=CASES).verdict == "agrees"
    return place


def accepted_as(candidate: Scripted) -> Baseline:
    """Its baseline."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "baseline.csv"
        assert accepted(candidate, place, before=None, cases=CASES).verdict == "agrees"
        return of(place)


@pytest.fixture(scope="module")
def baseline(path: Path) -> Baseline:
    """It, read."""
    return of(path)


def relu(case: Case) -> bool:
    """Whether a layer has it."""
    return any(formula.name == "relu" for formula in case.spec.activations)


def nudged(case: Case, answer: Answer) -> Answer:
    """Gradients off by a unit in the last place where relu is: inside the bound, and less accurate."""
    if not relu(case):
        return answer
    return replace(answer, weights=tuple(weight * (1.0 + np.finfo(float).eps) for weight in answer.weights))


def test_scratch_holds_its_committed_baseline():
    """This project guards its own network: as accurate as when the file was last accepted."""
    held = guard(load("scratch")[0], of(SCRATCH))
    assert held.holds, "\n".join(f"{label}  {text}" for label, text in held.lines())
    assert len(held.held) == 202


def test_what_has_not_changed_holds(baseline: Baseline):
    """Every stratum, on exactly the networks of the baseline."""
    held = guard(Scripted(), baseline)
    assert (held.holds, held.exit_code, held.failed, held.notes) == (True, 0, (), ())
    assert [each.row.key for each in held.held] == [row.key for row in baseline.rows]
    assert held.report.tally.cases == baseline.cases == CASES
    assert all(each.observed <= each.row.allowed <= 1.0 for each in held.held)
    labels = dict(held.lines())
    assert labels["HOLDS"] == f"none of {len(baseline.rows)} strata is worse than allowed"
    assert "allowed" in labels["Closest"]
    assert held.summary().startswith("## Backproof guard: `scripted` holds")
    assert f"{len(baseline.rows)} strata hold" in held.summary()


def test_the_same_candidate_makes_the_same_baseline(path: Path, tmp_path: Path):
    """Byte for byte; cases and seed are those of the one before where nobody says others."""
    accepted(Scripted(), tmp_path / "again.csv", before=of(path))
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
    accepted(Scripted(), tmp_path / "other.csv", before=of(path), seed=1, cases=3, truth="exact")
    other = of(tmp_path / "other.csv")
    assert (other.seed, other.cases, other.reference, other.torch) == (1, 3, "exact", "")
    assert guard(Scripted(), other).report.reference == "exact arithmetic"
    accepted(Scripted(), tmp_path / "other.csv", before=other)
    assert of(tmp_path / "other.csv").reference == "exact"


def test_less_accuracy_inside_the_bound_fails(baseline: Baseline):
    """The verdicts are the same, and the strata are named whose errors are more than allowed, with a case of theirs."""
    tight = replace(baseline, rows=tuple(replace(row, allowed=0.25) for row in baseline.rows))
    held = guard(Scripted(nudged), tight)
    assert held.report.verdict == "agrees"
    assert not held.holds
    assert all("relu" in each.worst_case for each in held.failed)
    (complaint,) = next(each for each in held.failed if each.row.name == "activation relu float64").complaints
    assert complaint.startswith("error / bound 0.")
    assert ", allowed 0.25, was 0.2" in complaint
    assert "backproof check scripted --case " in complaint


def test_a_verdict_that_worsens_fails(baseline: Baseline):
    """From agreement to nothing offered, though the run as such agrees; what is offered anew is no fault."""
    less = Scripted(lambda case, answer: replace(answer, inputs=None))
    held = guard(less, baseline)
    assert held.report.verdict == "agrees"
    assert {each.row.key for each in held.failed} == {row.key for row in baseline.rows}
    assert held.failed[0].complaints[0].startswith("verdicts are worse, ")
    assert " not_offered that did agree: backproof check scripted --case " in held.failed[0].complaints[0]
    assert guard(Scripted(), accepted_as(less)).holds


def test_what_got_better_does_not_make_up_for_what_got_worse():
    """One quantity against another, or one case against another: both show, though there are as many of each."""

    def without(quantity: str, cases: int) -> Scripted:
        """Offers one of two, by turns."""

        def change(case: Case, answer: Answer) -> Answer:
            odd = (case.spec.seed % 2) == cases
            return replace(answer, **{quantity: None}) if odd else answer

        return Scripted(change)

    before = without("inputs", 0)
    accepted_before = accepted_as(before)
    assert guard(before, accepted_before).holds
    for after, number in ((without("deltas", 0), 0), (without("inputs", 1), 1)):
        failed = {each.row.key for each in guard(after, accepted_before).failed}
        specs = drawn(SMALL, seed=0, cases=CASES)
        assert failed == {key for spec in specs if spec.seed % 2 == number for key in strata_of(spec)}


def test_a_case_that_was_not_supported_cannot_get_worse():
    """Whatever it offers now, as long as it is right; and one that was is not left out without a word."""
    picky = Scripted(lambda case, answer: Answer(failure="unsupported") if relu(case) else answer)
    less = Scripted(lambda case, answer: replace(answer, inputs=None) if relu(case) else answer)
    before = accepted_as(picky)
    never = [row for row in before.rows if row.observed is None]
    assert all(row.allowed == 1.0 for row in never)
    assert guard(less, replace(before, rows=tuple(replace(row, allowed=1.0) for row in before.rows))).holds
    failed = guard(picky, accepted_as(less)).failed
    assert any("unsupported that did agree" in complaint for each in failed for complaint in each.complaints)


def test_a_baseline_that_only_counted_verdicts_is_made_anew(path: Path, tmp_path: Path):
    """It is refused, with the command; which takes over how it came about."""
    old = tmp_path / "baseline.csv"
    old.write_text(path.read_text().replace("# schema: 2", "# schema: 1").replace("# seed: 0", "# seed: 3"))
    with pytest.raises(BaselineError, match=r"has schema 1, in which verdicts .*Make it anew:\n    make$"):
        of(old)
    renewed = read_baseline(old, command="make", renew=True)
    assert (renewed.rows, renewed.seed, renewed.cases) == ((), 3, CASES)
    accepted(Scripted(), old, before=renewed)
    assert (of(old).seed, of(old).cases) == (3, CASES)


def test_a_wrong_candidate_fails_where_it_is_wrong(baseline: Baseline):
    """Told as in JUnit XML, in the summary and on the screen; other strata hold."""

    def wrong(case: Case, answer: Answer) -> Answer:
        return replace(answer, loss=answer.loss + 1.0) if case.spec.loss.name == "linear" else answer

    held = guard(Scripted(wrong), baseline)
    names = {each.row.name for each in held.failed}
    assert {"loss linear sum float64", "loss linear mean float64"} <= names
    assert {"loss mse sum float64", "loss mse mean float64"}.isdisjoint(names)
    root = ET.fromstring(held.junit())  # noqa: S314  it was written in this line
    failing = {case.get("name") for case in root.iter("testcase") if case.find("failure") is not None}
    assert names <= failing <= names | {"the whole run"}
    assert len(list(root.iter("testcase"))) == len(baseline.rows) + 1
    assert "disagree of " in next(iter(root.iter("failure"))).text
    assert "| loss linear sum float64 |" in held.summary()
    assert "--update" in held.summary()
    assert dict(held.lines())["FAILS"].startswith(f"{len(names)} of {len(baseline.rows)} strata")


def test_a_stratum_that_is_no_longer_covered_fails(baseline: Baseline):
    """By a narrower domain, and by an exception: neither passes as unsupported."""
    narrower = Scripted()
    narrower.domain = replace(SMALL, losses="mse")
    held = guard(narrower, baseline)
    uncovered = {each.row.name for each in held.failed if "no longer covered" in each.complaints[0]}
    assert uncovered == {"loss linear sum float64", "loss linear mean float64"}
    assert any("domain is another" in note for note in held.notes)
    unsupported = Scripted(lambda case, answer: Answer(failure="unsupported") if relu(case) else answer)
    assert "verdicts are worse" in str(guard(unsupported, baseline).failed)
    elsewhere = Scripted()
    elsewhere.domain = replace(SMALL, depth=5)
    with pytest.raises(BaselineError, match=r"none of the baseline's 24 networks is of .* its depth is 5 to 5, not"):
        guard(elsewhere, baseline)


def test_networks_outside_a_domain_that_has_shrunk_are_not_asked_and_fail(baseline: Baseline):
    """Though every stratum is still covered by those that are left; nothing else is asked, for the diagnosis either."""
    asked: list[Case] = []
    shallow = Scripted(lambda case, answer: asked.append(case) or answer)
    shallow.domain = replace(SMALL, depth=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backproof.route._diagnosed", DIAGNOSED)
        held = guard(shallow, baseline)
    outside = sum(spec.depth == 2 for spec in drawn(SMALL, seed=0, cases=CASES))
    assert 0 < outside < CASES
    assert {case.spec.depth for case in asked} == {1}
    assert (held.holds, held.exit_code, held.failed) == (False, 1, ())
    (complaint,) = held.beside
    assert complaint.startswith(f"{outside} of {CASES} networks are outside its domain now, and were not asked, like ")
    assert complaint.endswith(": its depth is 1 to 1, not 2")
    assert dict(held.lines())["FAILS"].startswith(f"none of {len(baseline.rows)} strata is worse")
    assert held.report.scaling
    assert "random networks, seed 0" in str(held.report)


def test_what_the_baseline_does_not_know_is_noted(baseline: Baseline):
    """A stratum that came in between, another PyTorch, a wider domain: to be accepted, and no failure."""
    wider = Scripted()
    wider.domain = replace(SMALL, batch_size=(1, 9))
    held = guard(wider, replace(baseline, rows=baseline.rows[1:], torch="2.1.0"))
    assert held.holds
    assert [note.partition(",")[0].partition(":")[0] for note in held.notes] == [
        "the baseline was made against PyTorch 2.1.0",
        "not in the baseline",
        "the candidate's domain is another than when the baseline was made; --update takes it over",
    ]
    assert baseline.rows[0].name in held.summary()


def test_other_networks_than_those_of_the_baseline_are_refused(baseline: Baseline):
    """A seed that somebody edited, and a sampler that has changed, look alike."""
    with pytest.raises(BaselineError, match="draws other networks from that domain and seed than 0"):
        guard(Scripted(), replace(baseline, seed=5))
    with pytest.raises(BaselineError, match=r"the baseline's domain .* is none: "):
        guard(Scripted(), replace(baseline, domain='{"depht": 3}'))


def test_mistakes_are_not_accepted(path: Path, tmp_path: Path):
    """The file stays as it was."""
    copy = tmp_path / "baseline.csv"
    copy.write_bytes(path.read_bytes())
    wrong = Scripted(lambda case, answer: replace(answer, inputs=answer.inputs + 1.0))
    assert accepted(wrong, copy, before=of(copy)).verdict == "disagrees"
    assert copy.read_bytes() == path.read_bytes()


def test_a_run_that_was_stopped_does_not_hold(baseline: Baseline):
    """What was not examined may be anything."""

    def pressed(case: Case, answer: Answer) -> Answer:
        if not calls:
            os.kill(os.getpid(), signal.SIGINT)
        calls.append(case)
        return answer

    calls: list[Case] = []
    held = guard(Scripted(pressed), baseline)
    assert not held.holds
    assert held.beside == ("stopped after 1 of 24 networks",)
    assert dict(held.lines())["Run"] == held.beside[0]


def test_a_candidate_that_contradicts_itself_fails(baseline: Baseline):
    """By its own divisor, which no stratum shows."""
    (row, *_) = guard(Scripted(), baseline).report.scaling
    report = replace(guard(Scripted(), baseline).report, scaling=(row._replace(verdict="disagree"),))
    held = compared("scripted", SMALL, baseline, report)
    assert (held.holds, held.failed) == (False, ())
    assert held.beside[0] == row._replace(verdict="disagree").told
    assert held.beside[0].endswith(": disagree")


def test_a_failure_beyond_the_rows_that_a_run_keeps_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run leaves rows out after its first networks; the guard counts all of them."""
    monkeypatch.setattr("backproof.guard.check", partial(check, rows=1))
    many, place = CASES_PER_SHARD + 5, tmp_path / "baseline.csv"
    accepted(Scripted(), place, before=None, cases=many)
    late = {spec.id for spec in list(drawn(SMALL, seed=0, cases=many))[CASES_PER_SHARD:]}
    assert guard(Scripted(), of(place)).holds
    held = guard(Scripted(lambda case, answer: Answer(failure="error") if case.spec.id in late else answer), of(place))
    assert not held.holds
    assert "1 error of " in str(held.failed)


def test_the_summary_is_one_table_whatever_names_hold(baseline: Baseline):
    """A path of Windows, say: nothing in it ends a cell, or takes the next sign's meaning away."""
    held = guard(Scripted(), baseline)
    odd = replace(held, held=(replace(held.held[0], complaints=("C:\\a|b <i>",)),))
    assert "C:\\\\a\\|b &lt;i> |" in odd.summary()


def test_a_run_that_does_not_agree_never_holds(baseline: Baseline):
    """Whatever it disagrees by: the word of the whole run is a complaint of its own."""
    report = replace(guard(Scripted(), baseline).report, certificate=SimpleNamespace(exceeded=1))
    held = compared("scripted", SMALL, baseline, report)
    assert (held.holds, held.beside) == (False, ("the verdict on these networks as a whole is disagrees",))
