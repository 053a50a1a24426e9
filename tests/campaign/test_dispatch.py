"""A run over its shards: when it ends, what it keeps, and what it tells of its way."""

from dataclasses import replace
from pathlib import Path

import pytest

from backproof.campaign import dispatch as campaign
from backproof.campaign.crew import CrewError
from backproof.campaign.dispatch import Campaign
from backproof.campaign.journal import Journal, finished, open_journal
from backproof.campaign.shards import Task, examine_shard
from backproof.candidates.loading import load
from backproof.cases.domain import Domain
from backproof.reports import ReportError
from backproof.route import check

SMALL = Domain(depth=1, width=(1, 2), batch_size=1, activations="tanh", losses=("mse", "linear"), dtypes="float64")


class Half:
    """Wrong where the loss is mse."""

    name = "half"
    domain = SMALL

    def answer(self, case):
        answer = load("scratch")[0].answer(case)
        return replace(answer, loss=answer.loss + (case.spec.loss.name == "mse"))


def tasks(several: int = 4, **settings) -> list[Task]:
    """Shards of five."""
    task = Task(candidate="scratch", domain=SMALL, seed=0, shard=0, count=5, truth="exact", keep=True, **settings)
    return [replace(task, shard=number) for number in range(several)]


@pytest.mark.parametrize("workers", [1, 2])
def test_stop_after_ends_with_the_shard_that_has_enough(workers: int, monkeypatch: pytest.MonkeyPatch):
    """Counted in the order of shards, so that it is the same whoever examines them, and however fast."""
    monkeypatch.setattr(campaign, "pool_of", None)  # an object that stays here is examined here
    found = Campaign(tasks=tasks(8, stop_after=4), workers=workers, stop_after=4)
    found.tasks = [replace(task, candidate=Half()) for task in found.tasks]
    shards = list(found.shards())
    assert found.enough
    assert 4 <= found.tally.wrong_cases <= 7
    assert sum(shard.tally.wrong_cases for shard in shards[:-1]) < 4
    assert len(shards) < 8


def test_stop_after_is_told():
    """On the screen, and by the exit code of what was found."""
    report = check(Half(), cases=200, truth="exact", stop_after=1, keep=False, diagnosis=False)
    assert report.exit_code == 1
    assert report.stopped == f"after {report.tally.cases} of 200 networks, one of which disagrees (--stop-after)"
    assert f"Stopped     {report.stopped}; all of the above is about these" in str(report)
    assert "not met" in str(report)
    assert "--cases more" not in str(report)
    assert check(Half(), cases=3, truth="exact", stop_after=9, keep=False, diagnosis=False).stopped == ""
    with pytest.raises(ValueError, match="stop_after must be a whole number, at least 1; got 0"):
        check(Half(), stop_after=0)


def test_what_was_finished_is_not_examined_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """But for a shard whose file is damaged, and that is said."""
    journal = Journal(tmp_path, 4)
    for task in tasks()[1:3]:
        journal.keep(task, examine_shard(task))
    (tmp_path / "000002.parquet").write_bytes(b"PAR1")
    examined, said, told = [], [], []
    monkeypatch.setattr(
        campaign, "examine_shard", lambda task, *rest: examined.append(task.shard) or examine_shard(task)
    )
    found = Campaign(
        tasks=tasks(), workers=1, journal=journal, notice=said.append, progress=lambda *done: told.append(done)
    )
    assert [shard.tally.cases for shard in found.shards()] == [5] * 4
    assert examined == [0, 2, 3]
    assert said == ["shard 2 was kept, but its file is damaged: it is examined again"]
    assert told[-1] == (20, 0)
    assert len(Journal(tmp_path, 4)) == 4


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error says where, how much is kept, and what to do; when there is room, the run goes on."""
    monkeypatch.setattr("backproof.route.CASES_PER_SHARD", 5)
    options = {"cases": 20, "truth": "exact", "keep": False, "diagnosis": False}
    keep = Journal.keep

    def fails(self, task, shard):
        if task.shard == 2:
            raise ReportError("cannot write it: No space left on device")
        keep(self, task, shard)

    monkeypatch.setattr(Journal, "keep", fails)
    with pytest.raises(ReportError) as raised:
        check("scratch", SMALL, **options, report=tmp_path / "out")
    text = str(raised.value)
    assert "cannot write it: No space left on device. What is done is kept, 2 of 4 shards in " in text
    assert text.endswith(": the same command goes on from there")
    monkeypatch.setattr(Journal, "keep", keep)
    said = []
    check("scratch", SMALL, **options, report=tmp_path / "out", notice=said.append)
    assert said == [f"{tmp_path / 'out'}: goes on where it was, 2 of 4 shards are done"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_what_can_be_known_again_is_resumed(tmp_path: Path):
    """A report, and a candidate with a text."""
    with pytest.raises(ReportError, match="only a run can be resumed that writes a report: name its directory"):
        check("scratch", SMALL, cases=5, resume=True)
    with pytest.raises(ReportError, match="only a run can be resumed whose candidate has a text"):
        check(Half(), cases=5, truth="exact", report=tmp_path / "out", resume=True)


def test_a_lost_crew_says_what_is_kept(tmp_path: Path):
    """As a full disk does."""
    task = tasks()[0]

    def lose() -> None:
        with open_journal(tmp_path / "out", {"seed": "0"}, shards=4) as journal:
            journal.keep(task, examine_shard(task))
            raise CrewError("nobody is left")

    with pytest.raises(CrewError, match=r"^nobody is left\. What is done is kept, 1 of 4 shards in "):
        lose()
    with open_journal(tmp_path / "out", {"seed": "0"}, shards=4) as journal:
        finished(journal)
    assert list(tmp_path.iterdir()) == []
