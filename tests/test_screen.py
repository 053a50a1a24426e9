"""What a person reads: every kind of result has its line, and nothing passes for agreement that is none."""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from backproof.campaign.tally import Tally
from backproof.cases import NetworkSpec
from backproof.cases.domain import Domain
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.judging.verdicts import Check, Verdict, whole_call
from backproof.outcome import Report
from backproof.scaling import Scaling
from backproof.screen import plain, show, told
from backproof.settling.certificate import Accuracy, Certificate

SPEC = NetworkSpec.parse("1-2,relu,mse,sum,n1,f64,normal,s1")
AGREE = Check("weight", 1, "output", (2, 1), 2, 2, Verdict.AGREE, 0, 0.0, 1.0, 0.25, (1, 0), 1.0, 1.0, None, "")
WRONG = AGREE._replace(
    verdict=Verdict.DISAGREE, max_abs_error=2.0, bound=0.5, error_over_bound=4.0, candidate_value=3.0, exact_value=1.5
)
LOSS = AGREE._replace(quantity="loss", layer=None, position="", worst_index=())
ROW = Scaling("mse", "id", 7, 9, "sum / mean", 63.0, "N*O", 63.0, 63.0, "agree")


def report(*cases: tuple[Check, ...], **fields) -> Report:
    """A report on as many cases as there are tuples of checks."""
    tally = Tally()
    for checks in cases:
        tally.add(SPEC, checks, strict_kinks=fields.get("strict_kinks", False))
    settings = {
        "candidate": "my_net.py:f",
        "text": "my_net.py:f",
        "truth": "torch",
        "domain": Domain(activations="relu", losses="mse"),
        "seed": 3,
        "cases": len(cases),
        "strict_kinks": False,
        "scaling": (),
        "interrupted": False,
    }
    return Report(tally=tally.settle(), **(settings | fields))


def lines(found: Report) -> list[str]:
    """The screen, line by line."""
    return plain(found).splitlines()


def test_first_line_says_who_against_what_on_how_many():
    """Candidate, reference with its version, networks and seed; or the case that was named."""
    first = lines(report((AGREE,), (AGREE,)))[0]
    assert first.startswith("my_net.py:f   against PyTorch 2.")
    assert first.endswith("   2 random networks, seed 3")
    assert lines(report((AGREE,)))[0].endswith("   1 random network, seed 3")
    assert lines(report((AGREE,), ids=(SPEC.id,)))[0].endswith(f"   case {SPEC.id}")
    assert "against exact arithmetic" in lines(report((AGREE,), truth="exact"))[0]


def test_agreement_fits_on_a_screen():
    """What was compared, what was covered, how close it was, what mean divides by."""
    text = lines(report((LOSS, AGREE, AGREE), scaling=(ROW,)))
    assert text[1] == "AGREES: none of 3 compared quantities is further off than rounding explains"
    assert "Compared    1 loss, 2 weight gradients" in text
    assert f"Closest     0.25 of the bound at worst, loss in {SPEC.id}" in text
    assert "mean        divides by N*O (mse)" in text
    assert len(text) < 24


def test_coverage_names_what_was_not_met():
    """Strata of the domain that no case fell into."""
    (line,) = [line for line in lines(report((AGREE,))) if line.startswith("Covered")]
    assert line.startswith("Covered     1 activation, 1 loss; 2 strata; 8 not met (relu/float32, ")
    assert line.endswith(", ...): --cases more")
    whole = replace(
        report((AGREE,)), domain=Domain(activations="relu", losses="mse", reductions="sum", dtypes="float64")
    )
    assert "Covered     1 activation, 1 loss; 2 strata, none left out" in lines(whole)


def test_losses_that_the_domain_cannot_have_are_named():
    """Asked for, and impossible: that is said, once per name."""
    domain = Domain(activations="sigmoid", losses=("mse", "nll", "cross_entropy"))
    text = lines(replace(report((AGREE,)), domain=domain))
    assert "Left out    cross_entropy, nll: no output activation of this domain goes with them" in text
    assert not any(line.startswith("Left out") for line in lines(report((AGREE,))))


def test_disagreement_shows_where_and_numbers():
    """The first failure on the way back, the numbers of the smallest case, and the command that repeats it."""
    text = lines(report((LOSS, WRONG, AGREE), (LOSS, AGREE)))
    assert text[1] == "WRONG GRADIENTS in 1 of 2; right in all of them: losses"
    assert "Where       first wrong on the way back: the weight of the output layer (1)" in text
    assert "What        weight gradient of layer 1[1, 0]: disagree" in text
    assert "Yours       3.0" in text
    (right,) = [line for line in text if line.startswith("Right")]
    assert right.startswith("Right       1.0 says PyTorch 2.")
    assert right.endswith(", 1.5 exact arithmetic")
    assert "Off by      2 at most; rounding explains 0.5" in text
    assert f"Again       backproof check my_net.py:f --case {SPEC.id}" in text


def test_a_call_that_fails_is_not_called_a_wrong_gradient():
    """Where nothing else is wrong; what follows from it in the table of scales is not told again."""
    failed = whole_call(Verdict.ERROR, "ValueError: no tens")
    text = lines(report((failed,), (LOSS, AGREE), scaling=(ROW._replace(verdict="error"),)))
    assert text[1] == "FAILED CALLS in 1 of 2; right wherever they were compared: losses, weight gradients"
    assert "What        ValueError: no tens" in text
    assert not any(line.startswith("Scale") for line in text)
    alone = lines(report((LOSS, AGREE), scaling=(ROW._replace(verdict="error"),)))
    assert alone[1] == ("FAILED CALLS: every network agrees, but 1 comparison of reductions and batches failed: error")
    assert any(line.startswith("Scale") for line in alone)


@pytest.mark.parametrize(("hints", "shown"), [("all", 4), ("where", 2), ("none", 0)])
def test_numbers_without_a_diagnosis_are_hints_too(hints: str, shown: int):
    """The right ones, under all; where they differ, not under none: there the candidate's own exception is all."""
    text = lines(report((LOSS, WRONG), hints=hints))
    assert sum(line.startswith(("Where", "What", "Yours", "Right")) for line in text) == shown
    assert ("right in all of them" in text[1]) == (hints != "none")
    failed = lines(report((whole_call(Verdict.ERROR, "ValueError: no"),), hints=hints))
    assert "What        ValueError: no" in failed


def test_a_wrong_loss_is_not_called_a_wrong_gradient():
    """The loss itself differs."""
    text = lines(report((LOSS._replace(verdict=Verdict.DISAGREE), AGREE)))
    assert text[1] == "WRONG in 1 of 1; right in all of them: weight gradients"


def test_a_failure_without_numbers_shows_its_message():
    """An exception, or a shape."""
    text = lines(report((whole_call(Verdict.ERROR, "ValueError: no (my_net.py:3)"),), (AGREE,)))
    assert "What        ValueError: no (my_net.py:3)" in text
    assert not any(line.startswith("Yours") for line in text)
    assert "Where       your function failed in 1 of 2 calls" in text


@pytest.mark.parametrize(
    ("verdict", "note", "where", "what"),
    [
        (Verdict.ERROR, "returned None", "your function failed in 1 of 1 call", "your function returned None"),
        (Verdict.SHAPE, "weights are", "your function failed in 1 of 1 call", "weights are"),
        (Verdict.TIMEOUT, "", "your function failed in 1 of 1 call", "timeout"),
        (Verdict.NONDETERMINISTIC, "a second", "your function is at fault in 1 of 1 call", "a second"),
    ],
)  # fmt: skip
def test_a_call_at_fault_is_told_in_a_sentence(findings, verdict, note, where, what):
    """And no numbers are said to have no name, where there are none."""
    text = lines(report((whole_call(verdict, note),), findings=replace(findings, diagnoses=())))
    assert f"Where       {where}" in text
    assert f"What        {what}" in text
    assert not any(line.startswith("Mistake") for line in text)
    assert any(line.strip().startswith("--timeout") for line in text) is (verdict is Verdict.TIMEOUT)


def test_calls_that_failed_are_told_before_what_is_wrong_in_others():
    """How many of all."""
    text = lines(report((whole_call(Verdict.ERROR, "ValueError: no"),), (WRONG,)))
    failed = "your function failed in 1 of 2 calls"
    assert f"Where       {failed}; first wrong on the way back: the weight of the output layer (1)" in text


@pytest.mark.parametrize(
    ("cases", "why"),
    [
        ((), "no network was examined"),
        (((AGREE._replace(verdict=Verdict.UNDECIDED, note="depth"),),), "the bound could decide nothing"),
        (((whole_call(Verdict.UNSUPPORTED, "later"),),), "it supports none of these networks"),
        (((whole_call(Verdict.ERROR, "no"),),), "no answer could be compared"),
    ],
    ids=["nothing", "undecided", "unsupported", "error"],
)
def test_cannot_run_says_why(cases: tuple[tuple[Check, ...], ...], why: str):
    """Nothing compared is no agreement."""
    assert lines(report(*cases))[1] == f"CANNOT RUN: {why}"


def test_contradiction_is_shown_with_its_numbers():
    """Where every case agrees and the scaling does not."""
    wrong = ROW._replace(differs="that of the loss is 9", verdict="disagree")
    text = lines(report((AGREE,), scaling=(ROW, wrong)))
    assert text[1] == "WRONG SCALE: every network agrees, but the candidate contradicts itself"
    assert "Scale       mse: sum / mean must be 63 (N*O), that of the loss is 9: disagree" in text
    twice = wrong._replace(compared="stated twice / once", expected=2.0, divisor="2")
    assert "Scale       mse: stated twice / once must be 2, that of the loss is 9: disagree" in lines(
        report((AGREE,), scaling=(twice,))
    )


def test_a_true_error_beyond_the_bound_is_told_as_such():
    """Where every case agrees and exact arithmetic does not: no candidate contradicts itself there."""
    accuracy = Accuracy(quantities=4, exceeded=2, worst_ulps=9.0, worst_case=SPEC.id, ulps=Counter([9.0]))
    text = lines(report((AGREE,), certificate=Certificate({("weight", "float64"): accuracy})))
    assert text[1] == "INACCURATE: every network agrees, but 2 true errors beyond what rounding explains"
    (certified,) = [line for line in text if line.startswith("Certified")]
    assert certified.endswith("; 2 times beyond the bound")


def test_what_is_neither_agreement_nor_failure_is_said():
    """Undecided with reasons, kinks, PyTorch's deviations, lossy forms, not offered, unsupported."""
    undecided = AGREE._replace(verdict=Verdict.UNDECIDED, note="depth")
    checks = (
        AGREE,
        undecided,
        AGREE._replace(note="lossy form"),
        AGREE._replace(verdict=Verdict.KINK, note="another subgradient"),
        AGREE._replace(verdict=Verdict.REFERENCE_WRONG, note="hardsigmoid"),
        AGREE._replace(quantity="input", verdict=Verdict.NOT_OFFERED, error_over_bound=None),
    )
    text = lines(report(checks, (whole_call(Verdict.UNSUPPORTED, "gelu"),)))
    assert "Undecided   1 quantity, on which the bound says nothing: no agreement, no blame" in text
    assert any(line.startswith("            1 depth: rounding errors may have grown") for line in text)
    assert "Noted       lossy form (1 quantity)" in text
    assert "Kinks       another subgradient (1 quantity)" in text
    assert "PyTorch     is wrong here, exact arithmetic agrees with the candidate: hardsigmoid (1 quantity)" in text
    assert "Not offered input gradients: optional, and not returned" in text
    assert "Unsupported 1 network, by its own account" in text
    assert Counter(line.split()[0] for line in text if line)["AGREES:"] == 1


def test_strict_kinks_are_called_what_they_are():
    """A kink that was asked to fail."""
    text = lines(report((AGREE._replace(verdict=Verdict.KINK, note="k"),), strict_kinks=True))
    assert text[1].startswith("OTHER SUBGRADIENTS in 1 of 1")


def test_a_named_case_is_shown_quantity_by_quantity():
    """From the rows of `checks`."""
    from backproof.route import check

    text = lines(check("scratch", ids=["3-2,tanh,mse,sum,n5,f64,normal,s1"]))
    assert [line.split("  ")[0] for line in text[3:]] == [
        "loss", "delta of layer 1", "bias of layer 1", "weight of layer 1", "input",
    ]  # fmt: skip
    assert all("agree      error / bound 0" in line for line in text[3:])


def test_colours_only_where_the_terminal_has_them():
    """A pipe gets plain text, in one line each however long."""
    console = Console(record=True, width=40, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as capture:
        show(report((AGREE,)), console)
    assert "\x1b[1;32mAGREES" in capture.get()
    piped = Console(width=40, force_terminal=False)
    with piped.capture() as capture:
        show(report((AGREE,)), piped)
    assert "\x1b" not in capture.get()
    assert [line.rstrip() for line in capture.get().splitlines()] == lines(report((AGREE,)))


def test_no_colour_where_none_is_wanted(monkeypatch):
    """NO_COLOR, whatever the terminal can do."""
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(width=100, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as capture:
        show(report((WRONG,)), console)
    assert not re.search("\x1b\\[[0-9;]*3[0-9]", capture.get())


def test_messages_do_not_drive_the_terminal():
    """A cursor that moves, a title that is set, a bell: none of it reaches the terminal, or a file."""
    found = report((whole_call(Verdict.ERROR, "\x1b]0;owned\x07\x1b[2J\x9b31m"),), candidate="a\x1b[1Ab")
    console = Console(width=100, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        show(found, console)
    for text in (capture.get(), plain(found), json.dumps(told(found), ensure_ascii=False)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
        assert "]0;owned" in text


def test_the_screen_is_data_too(findings):
    """Every line of it: the verdict in a word, what is wrong, what was compared."""
    wrong = told(report((LOSS, WRONG), findings=findings))
    assert (wrong["tone"], wrong["word"], wrong["headline"]) == (
        "disagrees", "WRONG GRADIENTS", "in 1 of 1; right in all of them: losses",
    )  # fmt: skip
    assert wrong["head"].startswith("my_net.py:f   against PyTorch")
    assert ("Learn", "backproof explain bias_negated") in wrong["card"]
    assert ("Compared", "1 loss, 1 weight gradient") in wrong["facts"]
    assert wrong["text"] == plain(report((LOSS, WRONG), findings=findings))
    right = told(report((AGREE,)))
    assert (right["tone"], right["card"]) == ("agrees", [])
    assert right["headline"] == "none of 1 compared quantity is further off than rounding explains"


def test_a_narrow_terminal_wraps_beside_the_labels():
    """What goes on in the next line does not stand below the label; a command stays in one piece."""
    console = Console(width=60, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        show(report((LOSS, WRONG)), console)
    text = capture.get().splitlines()
    start = next(number for number, line in enumerate(text) if line.startswith("Covered"))
    assert text[start + 1].startswith(" " * 12)
    assert all(len(line) <= 60 for line in text if not line.startswith("Again"))
    assert f"Again       backproof check my_net.py:f --case {SPEC.id}" in text


def test_names_of_candidates_are_no_markup():
    """A hostile name is shown as it is."""
    hostile = "[red]my_net.py:f[/red]"
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        show(replace(report((AGREE,)), candidate=hostile), console)
    assert capture.get().startswith(hostile)


@pytest.fixture(scope="module")
def findings():
    """What is found of a planted fault."""
    domain = Domain(widths=(3, 2), activations="tanh", losses="mse", reductions="sum", dtypes="float64", batch_size=3)
    candidate = Planted([Plant(BY_NAME["bias_negated"])], domain)
    return diagnose(candidate, [NetworkSpec.parse("3-2,tanh,mse,sum,n3,f64,normal,s1")], shrink=False)


def test_diagnosis_stands_in_place_of_the_first_wrong_number(findings):
    """The card, with the command in one piece, then the counts; the number itself only where there is no diagnosis."""
    text = lines(report((WRONG,), findings=findings))
    labels = [line[:12].strip() for line in text]
    assert labels[1:8] == ["WRONG GRADIE", "", "Where", "Yours", "Right", "Why", "Look for"]
    assert "Where       the bias gradient in every layer (BP3)" in text
    assert "Learn       backproof explain bias_negated" in text
    assert f"Again       backproof check my_net.py:f --case {findings.shown.case.spec.id}" in text
    assert "What" not in labels
    assert "Compared    1 weight gradient" in text
    without = [line[:12].strip() for line in lines(report((WRONG,), findings=None))]
    assert "What" in without
    assert "Learn" not in without


def test_mistake_that_no_equation_shows_is_told_as_one_without_a_name(findings):
    """Where it was looked for in vain, beside the first wrong number; not where nobody looked."""
    vain = lines(report((WRONG,), findings=replace(findings, diagnoses=())))
    assert "Where       first wrong on the way back: the weight of the output layer (1)" in vain
    assert "Mistake     none that is known gives these numbers" in vain
    assert not any(line.startswith("Mistake") for line in lines(report((WRONG,), findings=None)))


def test_hints_say_how_much_is_told(findings):
    """The place alone, or the verdict alone: on the screen and in the JSON."""
    where = report((WRONG,), findings=findings, hints="where")
    assert any(line.startswith("Where ") for line in lines(where))
    nothing = report((WRONG,), findings=findings, hints="none")
    for found in (where, nothing):
        told = plain(found) + json.dumps(found.to_json())
        assert "bias_negated" not in told
        assert findings.diagnoses[0].used not in told
        assert findings.diagnoses[0].hint not in told
        assert found.to_json()["conventions"] is None
        assert found.to_json()["verdict"] == "disagrees"
    assert "BP3" not in plain(nothing)
    assert nothing.to_json()["diagnoses"] == []
    assert set(nothing.to_json()["equations"].values()) == {"not_tested"}
    assert where.to_json()["diagnoses"] == [{"equation": "BP3", "position": "all", "condition": None}]
    assert where.to_json()["equations"]["BP3"] == "broken"
    assert report((WRONG,), findings=findings).to_json()["diagnoses"][0]["fault"] == "bias_negated"


def test_what_repeats_a_case_works_where_it_is_read():
    """The text that finds a function again, the call of one that a notebook has defined; nothing for any other."""
    wrong = (WRONG,)
    command = f"Again       backproof check my_net:f --case {SPEC.id}"
    assert command in lines(report(wrong, candidate="f", text="my_net:f"))
    assert f'Again       check(f, ids=["{SPEC.id}"])' in lines(report(wrong, candidate="f", text=None))
    exact = lines(report(wrong, candidate="f", text=None, truth="exact"))
    assert f'Again       check(f, ids=["{SPEC.id}"], truth="exact")' in exact
    for name in ("Net.loss_and_gradients", "main.<locals>.f"):
        assert "Again" not in plain(report(wrong, candidate=name, text=None))
