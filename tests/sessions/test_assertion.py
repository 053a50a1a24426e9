"""A check inside somebody's own test: what it is called, what it shows, and when it may not pass."""

import unittest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck, Unsatisfiable

from backproof import Domain, candidate, check_gradients
from backproof.candidates.contract import CandidateError
from backproof.candidates.loading import load
from backproof.cases import NetworkSpec, build_case
from backproof.cases.settings import DomainError
from backproof.examine import ReferenceMissingError
from backproof.scratch import Network as HandWritten
from backproof.sessions import assertion
from backproof.sessions.witnesses import WITNESSES

CASE = build_case(NetworkSpec.parse("2-1,identity,linear,sum,n2,f64,normal,s0"))


def unfilled(network, x, y):
    """An empty homework."""
    raise NotImplementedError("BP1")


@candidate(
    Domain(
        depth=1,
        activations="identity",
        losses="linear",
        reductions="sum",
        width=(1, 3),
        batch_size=(1, 3),
        biases="always",
        dtypes="float64",
    )
)
def doubled(network, x, y):
    """One of its gradients is wrong."""
    return {"weights": [y.T @ x], "biases": [2 * y.sum(axis=0)]}


def main(network, x, y):
    """A function of a script or a notebook."""


main.__module__ = "__main__"


class Net:
    """A candidate by its method."""

    def loss_and_gradients(self, network, x, y):
        """The same."""
        return doubled(network, x, y)


def test_a_candidate_is_called_by_what_finds_it_again():
    """A function by its module and name; what has no such address by its name."""
    assert assertion.address(load("scratch")[0]) == "scratch"
    assert assertion.address(load(doubled)[0]) == f"{__name__}:doubled"
    assert assertion.address(load(main)[0]) == "main"
    assert assertion.address(load(Net())[0]) == "Net.loss_and_gradients"
    assert assertion.address(load(lambda network, x, y: None)[0]).endswith(".<lambda>")


def test_the_card_shows_the_case_at_hand():
    """Not another one that fails as well: Hypothesis has shrunk this one."""
    with pytest.raises(assertion.GradientError) as caught:
        check_gradients(doubled, CASE)
    lines = str(caught.value).splitlines()
    (by_hand,) = (line for line in lines if line.startswith("  By hand "))
    assert f" x = [[{CASE.x[0, 0]:.4g}, {CASE.x[0, 1]:.4g}], " in by_hand
    (again,) = (line for line in lines if line.startswith("  Again "))
    assert again.endswith(f"backproof check {__name__}:doubled --case {CASE.spec.id}")


def test_witnesses_hear_of_every_check():
    """Also of one that fails."""
    heard = []
    WITNESSES.append(lambda *what: heard.append(what))
    try:
        checks = check_gradients("scratch", CASE)
        with pytest.raises(assertion.GradientError) as caught:
            check_gradients(doubled, CASE)
    finally:
        WITNESSES.pop()
    assert heard == [("scratch", CASE.spec, checks), (f"{__name__}:doubled", CASE.spec, caught.value.checks)]


def test_nothing_compared_is_no_pass():
    """A test of one case is skipped; Hypothesis looks for a case that is supported, and says if it finds none."""
    with pytest.raises(unittest.SkipTest, match=r"^unsupported, says the candidate: .*BP1"):
        check_gradients(unfilled, CASE)

    @settings(database=None)
    @given(st.just(CASE))
    def test(case):
        check_gradients(unfilled, case)

    with pytest.raises((Unsatisfiable, FailedHealthCheck)):
        test()


def test_what_is_named_by_a_text_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not for each example, and not for ever; in another folder the same text is another candidate."""
    assertion.end_programs()
    (tmp_path / "net.py").write_text("print('loaded')\ndef loss_and_gradients(network, x, y): ...")
    monkeypatch.chdir(tmp_path)
    first = assertion._loaded("net.py")
    assert assertion._loaded("net.py") is first
    assert assertion._loaded(f"{tmp_path}/net.py") is not first
    for number in range(assertion.KEPT):
        (tmp_path / f"net{number}.py").write_text("def loss_and_gradients(network, x, y): ...")
        assertion._loaded(f"net{number}.py")
    assert assertion._loaded("net.py") is not first
    assert len(assertion._LOADED) == assertion.KEPT
    assertion.end_programs()
    assert not assertion._LOADED


def test_no_candidate_says_so_without_our_frames():
    """The traceback ends in the test."""
    with pytest.raises(CandidateError, match="Did you mean 'scratch'") as caught:
        check_gradients("scrach", CASE)
    assert [entry.name for entry in caught.traceback] == [
        "test_no_candidate_says_so_without_our_frames", "check_gradients",
    ]  # fmt: skip
    assert caught.traceback[-1].ishidden(caught)


def test_the_first_example_is_no_slower_than_others(monkeypatch: pytest.MonkeyPatch):
    """The whole way was gone once at the import, where PyTorch is there."""
    gone = []
    monkeypatch.setattr(assertion, "examine", lambda candidate, case: gone.append(candidate.answer(case)))
    assertion._warm_up()
    assert gone[0].failure is None

    def missing(*_):
        raise ReferenceMissingError

    monkeypatch.setattr(assertion, "examine", missing)
    assertion._warm_up()


def test_hypothesis_finds_the_smallest_case_quickly():
    """Failures are raised, and their texts not made, however many there are on the way."""
    made = []

    def fails(number):
        try:
            check_gradients(doubled, CASE)
        except assertion.GradientError as error:
            made.append("text" in vars(error))
        return number > 3

    assert find(st.integers(0, 9), fails, settings=settings(database=None)) == 4
    assert made
    assert not any(made)


def test_text_names_the_quantities_and_the_mistake():
    """What is wrong by how much, then which mistake that is."""
    with pytest.raises(assertion.GradientError) as caught:
        check_gradients(doubled, CASE)
    first, second, *card = str(caught.value).splitlines()
    assert first == f"{CASE.spec.id}: 1 of 5 quantities are wrong"
    assert second.startswith("  bias gradient of layer 1[0]: disagree; got ")
    assert any(line.startswith("  Where       the bias gradient") for line in card)
    assert "  Learn       backproof explain bias_doubled" in card


def test_a_course_may_tell_less_in_its_tests():
    """The place without numbers, or the verdict alone."""
    with pytest.raises(AssertionError) as where:
        check_gradients(doubled, CASE, hints="where")
    head, quantity, place, *rest = str(where.value).splitlines()
    assert head == f"{CASE.spec.id}: 1 of 5 quantities are wrong"
    assert quantity == "  bias gradient of layer 1: disagree"
    assert place == "  Where       the bias gradient in every layer (BP3)"
    assert not any(line.strip().startswith(("Yours", "Right", "By hand", "Learn", "dC/d")) for line in rest)
    assert "bias_doubled" not in str(where.value)
    with pytest.raises(AssertionError) as none:
        check_gradients(doubled, CASE, hints="none")
    assert str(none.value) == head
    with pytest.raises(ValueError, match=r"^hints are none, where or all; got 'some'$"):
        check_gradients(doubled, CASE, hints="some")


def test_diagnosis_is_made_once_and_when_the_text_is_read(monkeypatch: pytest.MonkeyPatch):
    """Raising is cheap; reading twice, as pytest and Hypothesis do, asks the candidate no second time."""
    asked = []
    diagnose = assertion.diagnose
    monkeypatch.setattr(assertion, "diagnose", lambda *what, **how: asked.append(what) or diagnose(*what, **how))
    monkeypatch.setattr(assertion, "_TOLD", [])
    with pytest.raises(assertion.GradientError) as caught:
        check_gradients(doubled, CASE)
    assert asked == []
    assert str(caught.value) == caught.value.text
    assert len(asked) == 1


def test_a_case_outside_the_declared_domain_is_refused():
    """Correct code is not accused of what it never promised."""
    wide = build_case(NetworkSpec.parse("5-1,identity,linear,sum,n2,f64,normal,s0"))
    with pytest.raises(DomainError, match="is not of the candidate's domain: its width is 1 to 3, not 5"):
        check_gradients(doubled, wide)


def of_one_kind(network, x, y):
    """It knows sigmoid, half_squared_error and sum, says so nowhere, and doubles one gradient."""
    if set(network.activations) != {"sigmoid"} or (network.loss, network.reduction) != ("half_squared_error", "sum"):
        raise KeyError(network.loss)
    answer = network_of_arrays(network).gradients(x, y)
    return answer.loss, answer.weights, [2 * bias for bias in answer.biases]


def network_of_arrays(network):
    """scratch, with the arrays that were handed over."""
    return HandWritten(
        network.weights, network.biases, network.activations, loss=network.loss, reduction=network.reduction
    )


def test_what_declares_nothing_is_asked_for_no_other_kind():
    """Of another loss it has claimed nothing: it is not charged with it."""
    case = build_case(NetworkSpec.parse("2-1,sigmoid,half_squared_error,sum,n2,f64,normal,s0"))
    with pytest.raises(assertion.GradientError) as caught:
        check_gradients(of_one_kind, case)
    text = str(caught.value)
    assert "the bias gradient" in text
    assert "bias_doubled" in text
    assert text.count("Where") == 1

    def local(network, x, y):
        return of_one_kind(network, x, y)

    with pytest.raises(assertion.GradientError) as caught:
        check_gradients(local, case)
    assert "Again" in text
    assert "Again" not in str(caught.value)


def test_no_equation_is_said_to_hold_whose_numbers_are_not_finite():
    """A dW of NaN has no delta to be read from."""

    def broken(network, x, y):
        answer = network_of_arrays(network).gradients(x, y)
        return answer.loss, [np.nan * weight for weight in answer.weights], answer.biases

    case = build_case(NetworkSpec.parse("2-2-1,sigmoid,half_squared_error,sum,n2,f64,normal,s0"))
    with pytest.raises(assertion.GradientError) as caught:
        check_gradients(broken, case)
    (held,) = [line for line in str(caught.value).splitlines() if line.lstrip().startswith("Holds")] or [""]
    assert "BP4" not in held


def test_what_is_no_case_is_said():
    """An id is none."""
    with pytest.raises(TypeError, match=r"case: wanted one of `cases\(domain\)`, .*; got '2-1'"):
        check_gradients(doubled, "2-1")
