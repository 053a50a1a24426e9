"""Two runs held against each other."""

import json

import pytest

from backproof.reports import ReportError
from backproof.reports.comparing import Comparison, compared
from backproof.reports.reading import read_run


@pytest.fixture
def against(write):
    """Compares two runs that differ in what is named."""

    def made(before: dict, after: dict) -> Comparison:
        return compared(*(read_run(write(name, **fields)) for name, fields in (("a", before), ("b", after))))

    return made


def told(found: Comparison, *, what: str | None = None) -> list[tuple[str, ...]]:
    """The changes as tuples, less those that say what they are about."""
    return [
        (change.way, change.name, change.before, change.after)
        for change in found.changes
        if what is None or change.what == what
    ]


def test_a_run_is_no_worse_than_itself(against):
    """Nothing changed, whatever its verdict."""
    found = against({}, {})
    assert (found.changes, found.exit_code, found.shared, found.gone, found.new) == ((), 0, 2, (), ())
    assert found.headline == "NOTHING WORSE, nothing better"
    assert [label for label, _ in found.lines()] == ["Before", "After"]


def test_quantities_are_compared_one_by_one(against, small):
    """What they were and are, how often, and a network in which it is so."""
    fixed = [small.check(small.deep, "weight", layer=2, position="output"), small.check(small.deep, "loss", ratio=0.0)]
    found = against({}, {"checks": [*fixed, *small.checks[2:]]})
    assert told(found, what="quantity") == [
        ("better", f"weight, 1 times, as in {small.deep}", "disagree", "agree"),
        ("better", "weight", "error / bound 40", "error / bound 0.25"),
    ]
    assert found.exit_code == 0
    assert found.headline == "BETTER: 2 for the better, none for the worse"
    back = against({"checks": [*fixed, *small.checks[2:]]}, {})
    assert {change.way for change in back.changes} == {"worse"}
    assert back.exit_code == 1
    assert back.headline == "WORSE: 2 for the worse, 0 for the better"


def test_one_failure_for_another_is_a_change(against, small):
    """Neither better nor worse; and of what was checked twice the worst counts."""
    one, other = (small.check(small.deep, "loss", word, None) for word in ("disagree", "shape"))
    found = against({"checks": [one]}, {"checks": [small.check(small.deep, "loss", "agree"), other]})
    assert told(found) == [("changed", f"loss, 1 times, as in {small.deep}", "disagree", "shape")]
    assert found.exit_code == 0


def test_networks_appear_and_disappear(against, small):
    """Which is said, and neither good nor bad."""
    deep, flat = small.checks[:3], small.checks[3:]
    found = against({"checks": deep}, {"checks": flat})
    assert (found.shared, found.gone, found.new) == (0, (small.deep,), (small.flat,))
    assert dict(found.lines())["Gone"] == f"1 networks are in the run before alone, 0 in both: {small.deep}"
    assert told(found, what="quantity") == []


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ((10, 0, 0, 0, 0.1), (10, 0, 0, 0, 0.2), None),
        ((10, 0, 0, 0, 0.1), (10, 0, 0, 0, 0.6), "worse"),
        ((10, 0, 0, 0, 1e-9), (10, 0, 0, 0, 1e-4), None),
        ((10, 0, 0, 0, 0.6), (10, 0, 0, 0, 0.1), "better"),
        ((10, 1, 0, 0, 7.0), (10, 1, 0, 0, 900.0), None),
        ((10, 1, 0, 0, 7.0), (20, 2, 0, 0, 7.0), None),
        ((10, 1, 0, 0, 7.0), (10, 2, 0, 0, 7.0), "worse"),
        ((10, 0, 0, 0, 0.1), (9, 0, 0, 1, 0.1), "worse"),
        ((9, 0, 0, 1, 0.1), (10, 0, 0, 0, 0.1), "better"),
        ((0, 0, 0, 0, None), (10, 0, 0, 0, 0.1), "better"),
        ((10, 0, 0, 0, 0.1), (0, 0, 0, 3, None), "worse"),
        ((0, 0, 0, 0, None), (0, 0, 0, 3, None), None),
        ((10, 0, 0, 0, float("nan")), (10, 0, 0, 0, 0.1), "better"),
    ],
)
def test_strata_are_compared_by_shares_and_by_their_worst(against, before, after, way):
    """An error that chance may bring is no change, and none beyond the bound: that is the verdicts' matter."""
    rows = [("loss", "mse", "sum", "float64", 5, *numbers, 0.01, "id") for numbers in (before, after)]
    found = against({"strata": rows[:1]}, {"strata": rows[1:]})
    assert [change.way for change in found.changes] == ([way] if way else [])
    assert all(change.what == "stratum" and change.name == "loss mse sum float64" for change in found.changes)


def test_strata_that_are_not_there(against, small):
    """Coverage that is lost is worse, what is newly covered is better."""
    found = against({"strata": small.strata[:1]}, {"strata": small.strata[1:2]})
    assert told(found) == [
        ("worse", "activation relu float64", "3 quantities", "not covered"),
        ("better", "loss mse sum float64", "not covered", "2 quantities"),
    ]


def test_verdict_equations_and_scales(against, small):
    """Each in its order from good to bad; a mistake that is found is worse, one that is gone is better."""
    fixed = {
        "verdict": "agrees", "equations": small.equations[1:], "statuses": {"BP1": "not_tested", "BP4": "holds"},
        "scaling": [(*small.scaling[0][:-2], "disagree", "")],
    }  # fmt: skip
    found = against({}, fixed)
    assert told(found) == [
        ("worse", "BP1", "holds", "not_tested"),
        ("worse", "mse, sum / mean", "agree", "disagree"),
        ("better", "the whole run", "disagrees", "agrees"),
        ("better", "BP4", "broken", "holds"),
        ("better", "BP4, output: input_not_activation", "found", "gone"),
    ]
    assert told(against(fixed, {}), what="diagnosis") == [
        ("worse", "BP4, output: input_not_activation", "not found", "found")
    ]
    unknown = against({"statuses": {"BP4": "broken"}}, {"statuses": {"BP4": "not_tested"}})
    assert told(unknown, what="equation") == [("changed", "BP4", "broken", "not_tested")]


def test_what_else_differs_is_noted(against, small):
    """Two candidates are compared as if they were one; another domain or version may be the reason."""
    renamed = [(row[0], "other.py:f", *row[2:]) for row in small.checks]
    found = against(
        {"domain": "Domain()"},
        {"checks": renamed, "screens": [small.screen("other.py:f")], "domain": "Domain(depth=2)",
         "packages": {"backproof": "0.2.0"}},
    )  # fmt: skip
    assert found.changes == ()
    assert found.shared == 2
    assert found.notes == (
        "two candidates are compared: my_net.py:f and other.py:f",
        "domain Domain() before, Domain(depth=2) after",
        "backproof 0.1.0 before, 0.2.0 after",
    )


def test_what_a_run_does_not_say_is_none(against):
    """A test suite that wrote a report has no domain, and may lack a package."""
    found = against({"domain": "Domain()", "packages": {"jax": "0.10.0"}}, {"domain": None})
    assert found.notes == ("domain Domain() before, none after", "jax 0.10.0 before, none after")


def test_result_as_data_and_as_markdown(against, small):
    """Everything that the screen shows, and more; whatever names hold, a table stays a table."""
    strata = [(*small.strata[0][:1], "a|b<c>", *small.strata[0][2:])]
    found = against({"strata": strata}, {"strata": []})
    data = json.loads(json.dumps(found.to_json()))
    assert (data["schema"], data["worse"], data["better"], data["cases"]["shared"]) == (1, 1, 0, 2)
    assert data["changes"][0]["after"] == "not covered"
    text = found.markdown()
    assert text.startswith("## Backproof: WORSE: 1 for the worse, 0 for the better\n\n- Before: ")
    assert "| worse | stratum | activation a\\|b&lt;c> float64 | 3 quantities | not covered |" in text
    assert "|" not in against({}, {}).markdown()


def test_a_report_without_checks_is_not_compared(write):
    """`backproof faults` and `power` write reports as well, in which no network has a verdict to hold another to."""
    other = write("faults")
    for name in ("checks", "discrepancies", "strata", "verdict"):
        for path in other.glob(f"{name}.*"):
            path.unlink()
    for names in (("faults", "report"), ("report", "faults")):
        runs = [read_run(write(name) if name == "report" else other) for name in names]
        with pytest.raises(ReportError, match=r"/faults has no checks to compare: name two runs of `backproof check"):
            compared(*runs)
