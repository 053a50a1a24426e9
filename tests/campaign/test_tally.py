"""Counts, strata and worst numbers: what is counted, what is not, and that parts add up in any order."""

from collections import Counter
from math import inf, nan

import pytest

from backproof.campaign.tally import Tally, strata_of
from backproof.cases import NetworkSpec
from backproof.judging.verdicts import Check, Verdict, whole_call

SMALL = NetworkSpec.parse("1-2,relu,mse,sum,n1,f64,normal,s1")
LARGE = NetworkSpec.parse("3-4-4-2,relu-tanh-relu,mse,mean,n5,f32,normal,s2")


def check(
    verdict: Verdict = Verdict.AGREE, ratio: float | None = 0.5, *, quantity: str = "weight", note: str = ""
) -> Check:
    """A check with that verdict."""
    return Check(quantity, 1, "first", (2, 1), 2, 2, verdict, 0, 0.0, 1.0, ratio, (0, 0), 1.0, 1.0, None, note)


def tally_of(*cases: tuple[NetworkSpec, tuple[Check, ...]], strict_kinks: bool = False) -> Tally:
    """The settled tally of these cases."""
    tally = Tally()
    for spec, checks in cases:
        tally.add(spec, checks, strict_kinks=strict_kinks)
    return tally.settle()


def test_strata_count_each_activation_once_and_the_loss_with_its_reduction():
    """An activation in two layers is one stratum of the case."""
    assert strata_of(LARGE) == [
        ("activation", "relu", "", "float32"),
        ("activation", "tanh", "", "float32"),
        ("loss", "mse", "mean", "float32"),
    ]


def test_tally_counts_verdicts_and_what_was_compared():
    """Undecided, not offered and failed calls are counted, and are no comparison."""
    tally = tally_of((SMALL, (check(), check(Verdict.UNDECIDED, 0.0, note="depth"), check(Verdict.NOT_OFFERED, None))))
    assert tally.verdicts == Counter({"agree": 1, "undecided": 1, "not_offered": 1})
    assert (tally.cases, tally.wrong_cases, tally.compared) == (1, 0, 1)
    assert tally.reasons == Counter({"depth": 1})
    failed = tally_of((SMALL, (whole_call(Verdict.ERROR, "no"),)))
    assert (failed.wrong_cases, failed.compared) == (1, 0)


def test_tally_counts_strata_by_what_they_decided():
    """Undecided quantities are no coverage; kinks are counted by themselves; every failure is a disagreement."""
    checks = (check(), check(Verdict.KINK), check(Verdict.UNDECIDED, 0.0, note="kink"), check(Verdict.DISAGREE, 7.0))
    tally = tally_of((SMALL, checks))
    rows = {(row[0], row[1]): row for row in tally.rows()}
    assert set(rows) == {("activation", "relu"), ("loss", "mse")}
    reduction, dtype, cases, quantities, wrong, kinks, undecided, worst, median, case = rows["loss", "mse"][2:]
    assert (reduction, dtype, cases, quantities, wrong, kinks, undecided) == ("sum", "float64", 1, 3, 1, 1, 1)
    assert (worst, median, case) == (7.0, 0.5, SMALL.id)
    assert rows["activation", "relu"][2] is None


def test_tally_knows_before_it_is_settled_what_fails():
    """A run that goes on hears of failures at once; settling counts each case once, however often it is asked."""
    tally = Tally()
    tally.add(SMALL, (check(), check(Verdict.DISAGREE, 7.0)))
    assert (tally.cases, tally.wrong_cases, tally.compared) == (1, 1, 0)
    assert [tally.settle().settle().compared, tally.strata["loss", "mse", "sum", "float64"].cases] == [2, 1]
    tally.add(LARGE, (check(),))
    assert (tally.settle().compared, len(tally.strata)) == (3, 5)


def test_tally_fails_a_kink_only_when_asked():
    """--strict-kinks."""
    cases = (SMALL, (check(Verdict.KINK),))
    assert tally_of(cases).wrong_cases == 0
    assert tally_of(cases, strict_kinks=True).wrong_cases == 1
    assert tally_of(cases, strict_kinks=True).first_wrong == Counter({("weight", "first"): 1})


def test_tally_names_the_first_failure_and_the_smallest_case():
    """The first on the way back, and the smallest network in which one occurs, whatever the order of cases."""
    first, second = check(Verdict.DISAGREE, 2.0, quantity="delta"), check(Verdict.MISSING, None)
    for cases in ([SMALL, LARGE], [LARGE, SMALL]):
        tally = tally_of(*((spec, (check(), first, second)) for spec in cases))
        assert tally.first_wrong == Counter({("delta", "first"): 2})
        assert tally.smallest[1:] == (SMALL.id, first)


def test_tally_remembers_the_largest_ratio():
    """NaN is worse than anything; quantities that were not judged do not count."""
    tally = tally_of((SMALL, (check(ratio=0.1), check(ratio=0.7), check(Verdict.UNDECIDED, 0.9, note="depth"))))
    assert (tally.worst.ratio, tally.worst.case) == (0.7, SMALL.id)
    assert tally_of((SMALL, (check(ratio=0.1), check(Verdict.NON_FINITE, nan)))).worst.ratio == inf


def test_what_agrees_beyond_the_bound_is_no_largest_ratio():
    """It was settled otherwise, and PyTorch's number says nothing of it; a failure has its ratio, however large."""
    far = (SMALL, (check(ratio=1e4, note="by the exact value"), check(ratio=0.25)))
    (row,) = [row for row in tally_of(far).rows() if row[0] == "loss"]
    assert (row[9], row[10]) == (0.25, 0.25)
    (row,) = [row for row in tally_of((SMALL, (check(Verdict.DISAGREE, 1e4),))).rows() if row[0] == "loss"]
    assert row[9] == 1e4


def test_tally_notes_what_agrees_with_a_remark():
    """Lossy forms and PyTorch's deviations, by their words."""
    tally = tally_of((SMALL, (check(note="lossy form"), check(Verdict.REFERENCE_WRONG, 9.0, note="hardsigmoid"))))
    assert tally.notes == Counter({"agree: lossy form": 1, "reference_wrong: hardsigmoid": 1})
    assert tally.worst.ratio == 0.5


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_tallies_merge_in_any_order(order: tuple[int, ...]):
    """Shards may come back as they like."""
    cases = [
        (SMALL, (check(ratio=0.25), check(Verdict.DISAGREE, 3.0))),
        (LARGE, (check(ratio=0.75), check(Verdict.UNDECIDED, 0.0, note="depth"))),
        (LARGE, (check(ratio=0.75), check(Verdict.KINK))),
    ]
    merged = Tally()
    for index in order:
        merged.merge(tally_of(cases[index]))
    whole = tally_of(*cases)
    assert list(merged.rows()) == list(whole.rows())
    for name in ("cases", "wrong_cases", "verdicts", "reasons", "notes", "first_wrong", "worst", "smallest"):
        assert getattr(merged, name) == getattr(whole, name)


def test_median_is_over_all_decided_quantities():
    """The lower one of two; none where nothing was decided."""
    tally = tally_of((SMALL, tuple(check(ratio=ratio) for ratio in (0.4, 0.1, 0.2, 0.3))))
    assert tally.strata["loss", "mse", "sum", "float64"].median == 0.2
    nothing = tally_of((SMALL, (check(Verdict.UNDECIDED, 0.0, note="depth"),)))
    assert nothing.strata["loss", "mse", "sum", "float64"].median is None
