"""The card: what people read of a diagnosis, line by line; and how little of it under fewer hints."""

import dataclasses
import json
import re

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.comparison import Bounds, compare
from backproof.diagnosis import card, naming
from backproof.diagnosis.card import LABEL_WIDTH, lines, place
from backproof.diagnosis.diagnosis import Diagnosis, Findings, diagnose, diagnose_answer
from backproof.diagnosis.equations import Charges
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.faults import BY_NAME, FAULTS
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.examine import reference_of
from backproof.judging.verdicts import Verdict, whole_call
from backproof.scratch import Backprop

README = Domain(activations="sigmoid", losses="half_squared_error", reductions="sum", biases="always", dtypes="float64")


class Readme:
    """The network of the README, without the file around it."""

    name = "my_net.py:loss_and_gradients"
    domain = README

    def answer(self, case):
        """Its loss and gradients."""
        x, y = case.x, case.y
        a = [x]
        for W, b in zip(case.weights, case.biases, strict=True):
            a.append(1 / (1 + np.exp(-(a[-1] @ W.T + b))))
        error, dW, db = a[-1] - y, [], []
        for l in reversed(range(len(case.weights))):  # noqa: E741  as the README writes it
            delta = error * (1 - error)
            dW, db = [delta.T @ a[l], *dW], [delta.sum(axis=0), *db]
            error = delta @ case.weights[l]
        return Answer(loss=np.asarray(np.sum((a[-1] - y) ** 2) / 2), weights=tuple(dW), biases=tuple(db))


class Unknown(Backprop):
    """A mistake that is in no catalogue."""

    def weight_gradient(self, delta, layer):
        return delta.T.dot(np.cos(3.0 * layer.inputs))


@pytest.fixture(scope="module")
def planted(failing):
    """What is found of the README's network."""
    candidate = Readme()
    return diagnose(candidate, failing(candidate, 12))


@pytest.fixture(scope="module")
def unexplained(handwritten, failing):
    """What is found of a mistake that has no name."""
    candidate = handwritten(Unknown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "PARTNERS", 1)  # all pairs of faults take seconds
        patch.setattr(naming, "OVERLAPPING", ())
        return diagnose(candidate, failing(candidate, 12))


def told(findings, hints="all"):
    """The card as it is printed."""
    return [f"{label:<{LABEL_WIDTH}}{text}" for label, text in lines(findings, candidate="my_net.py", hints=hints)]


def test_card_of_the_readme(planted):
    """Where, both formulas, why, what to look for; numbers to follow by hand; what holds; how to repeat it."""
    assert (planted.equations["BP1"], planted.equations["BP2"]) == ("broken", "broken")
    where, *rest = told(planted)
    assert where.startswith("Where       delta, the error signal, in every layer (BP1); the other dW and db are wrong")
    assert rest == [
        "Yours       delta = phi' at g in place of a, g forgotten: g * (1 - g) for sigmoid",
        "Right       delta = g * phi'(z): g * a * (1 - a) for sigmoid",
        "Why         the slope is taken where the layer was, at z, which gives a (1 - a); g only multiplies it",
        "Look for    delta = error * (1 - error), or delta = sigmoid_derivative(error)",
        "By hand     x = -1   W = 1   b = 0   y = 2",
        "            z = -1   a = 0.2689   g = dC/da = -1.731",
        "            dC/db1[0]   yours -4.72762   right -0.340347 = -0.340347 exactly",
        "Holds       BP0, BP3, BP4, batch sum, loss (each tested on your own numbers)",
        "Not tested  scale: single samples are wrong already",
        f"Again       backproof check my_net.py --case {planted.shown.case.spec.id}",
        "Learn       backproof explain derivative_at_upstream",
    ]


def test_numbers_of_the_card_are_those_of_its_case(planted):
    """What is written out is what the case holds and what the two sides gave for it."""
    shown = planted.shown
    case, right = shown.case, Scratch().answer(shown.case)
    written = dict(re.findall(r"(\S+) = (\S+)", " ".join(told(planted)[5:7])))
    assert [float(written[name]) for name in ("x", "W", "b", "y")] == [
        float(array.item()) for array in (case.x, case.weights[0], case.biases[0], case.y)
    ]
    z = case.x @ case.weights[0].T + case.biases[0]
    assert written["z"] == f"{z.item():.4g}"
    assert written["a"] == f"{1.0 / (1.0 + np.exp(-z.item())):.4g}"
    assert told(planted)[6].endswith(f"g = dC/da = {1.0 / (1.0 + np.exp(-z.item())) - case.y.item():.4g}")
    assert (
        f"yours {Readme().answer(case).biases[0].item():.6g}   right {right.biases[0].item():.6g}" in told(planted)[7]
    )


@pytest.mark.usefixtures("few_pairs")
def test_small_error_is_written_in_digits_that_show_it(planted):
    """Off by 1e-9: the two numbers are not printed alike."""
    case = planted.shown.case
    right = Scratch().answer(case)
    answer = Answer(
        loss=right.loss, weights=right.weights, biases=tuple(bias * (1.0 + 1e-9) for bias in right.biases)
    )  # fmt: skip
    found = diagnose_answer(Inquiry(Scratch()), case, answer)
    (line,) = [line for line in told(found) if "yours" in line]
    assert line.strip() == "dC/db1[0]   yours -0.340346774   right -0.3403467737 = -0.3403467737 exactly"


def test_card_of_a_mistake_without_a_name(unexplained):
    """The equation and its place stand; nothing is guessed."""
    assert told(unexplained) == [
        "Where       the weight gradient in every layer (BP4)",
        "Mistake     none that is known gives these numbers",
        "Right       dW = delta a_below^T, summed over the batch",
        "By hand     x = -1   W = 1   b = 0   y = 2",
        "            z = -1   a = 0.2689   g = dC/da = -1.731",
        "            dC/dW1[0, 0]   yours 0.336941   right 0.340347 = 0.340347 exactly",
        "Holds       BP0, BP1, BP2, batch sum, scale, loss (each tested on your own numbers)",
        "Not tested  BP3: what it rests on is wrong already",
        f"Again       backproof check my_net.py --case {unexplained.shown.case.spec.id}",
        "Learn       backproof explain BP4",
    ]


@pytest.mark.parametrize("found", ["planted", "unexplained"])
def test_where_tells_the_place_and_no_formula(found, request):
    """For who wants to find the mistake alone: the equation, the layers, how to repeat it."""
    findings = request.getfixturevalue(found)
    labels = [label for label, _ in lines(findings, candidate="my_net.py", hints="where")]
    assert labels == ["Where", "Holds", "Not tested", "Again"]
    table = [row for row in findings.rows("where") if row[1] == "broken"]
    text = " ".join([*told(findings, "where"), str(list(findings.rows("where")))])
    (diagnosis,) = findings.diagnoses
    assert diagnosis.to_json("where") == {"equation": diagnosis.equation, "position": "all", "condition": None}
    assert {row[0] for row in table} >= {diagnosis.equation}
    reveals = [each.to_json("where") for each in findings.diagnoses]
    for secret in (diagnosis.fault, diagnosis.used, diagnosis.wanted, diagnosis.why, diagnosis.hint, "="):
        if secret:
            assert secret not in text
            assert secret not in json.dumps(reveals)


def test_no_hints_tell_nothing(planted):
    """Only the verdict, which is not the card's."""
    assert told(planted, "none") == []
    assert list(planted.rows("none")) == []


def test_all_hints_tell_everything(planted):
    """The table and the JSON have what the card has."""
    first, *others = planted.rows()
    (diagnosis,) = planted.diagnoses
    assert first == (
        "BP1", "broken", "all", "derivative_at_upstream", None, None, diagnosis.used, diagnosis.wanted
    )  # fmt: skip
    assert [row[0] for row in others] == ["BP0", "BP2", "BP3", "BP4", "batch", "scale", "loss"]
    assert {row[1] for row in others} == {"holds", "broken", "not_tested"}
    assert all(row[-1] for row in others)
    assert set(diagnosis.to_json()) == {
        "equation", "position", "fault", "also_fits", "used", "wanted", "why", "condition",
    }  # fmt: skip


def test_cards_stay_short():
    """Whatever is planted, alone or two together: no more than fits on a screen, and no line without an end."""
    for fault in FAULTS:
        diagnosis = Diagnosis(
            equation=fault.equation, position="all", fault=fault.name, used=fault.used, wanted=fault.wanted,
            why=fault.why, hint=fault.hint, also_fits=("bias_zero", "bias_negated"),
        )  # fmt: skip
        text = [place(diagnosis), *(words for _, words in card._mistake(diagnosis))]
        assert len(text) <= 6
        assert all(0 < len(line) <= 200 and "\n" not in line for line in text), fault.name


def test_two_mistakes_on_a_large_network_fit_on_a_screen(failing):
    """Each has its lines; a network that is too large is not written out."""
    domain = Domain(widths=(6, 8, 5), batch_size=4, losses="mse", activations="tanh", dtypes="float64", biases="always")
    candidate = Planted([Plant(BY_NAME["bias_negated"]), Plant(BY_NAME["loss_doubled"])], domain)
    findings = diagnose(candidate, failing(candidate, 6), shrink=False)
    text = told(findings)
    assert len(text) <= 25
    assert [line.split()[0] for line in text if line.startswith(("Where", "Learn"))] == ["Where", "Where", "Learn"]
    (by_hand,) = [number for number, line in enumerate(text) if line.startswith("By hand")]
    assert text[by_hand] == (
        "By hand     x (4, 6), W1 (8, 6), W2 (5, 8), y (4, 5): too many numbers to write out; the first wrong one is"
    )
    assert text[by_hand + 1].startswith(" " * LABEL_WIDTH + "C   yours")
    (loss,) = [line for line in text if line.startswith("Loss")]
    assert "your loss is 2 mse/" in loss
    assert findings.conventions_json() == {"loss_value": findings.conventions.loss_value, "gradient": None}
    (learn,) = [line for line in text if line.startswith("Learn")]
    assert "explain bias_negated" in learn
    assert "explain loss_doubled" in learn


@pytest.mark.parametrize(
    ("diagnosis", "text"),
    [
        (
            Diagnosis(equation="BP3", position="first", fault=None, condition="batch=1"),
            "the bias gradient of the first layer (BP3), only with a batch of one",
        ),
        (
            Diagnosis(equation="BP2", position="hidden", fault=None, condition="equal_widths"),
            (
                "delta, the error signal, of the hidden layers (BP2), only where neighbouring layers are equally wide; "
                "what lies below is wrong only because it flows into it"
            ),
        ),
        (Diagnosis(equation="loss", position="all", fault=None), "the loss"),
        (
            Diagnosis(equation="state", position="all", fault=None, condition="second_call"),
            "what one call leaves to the next, only from the second call on",
        ),
        (Diagnosis(equation="scale", position="all", fault=None), "a factor on every gradient"),
    ],
)
def test_place_in_words(diagnosis, text):
    """The subject, the layers, the equation, the condition, and what is not to blame."""
    assert place(diagnosis) == text


def written(text, answer=None, **fields):
    """The card of a diagnosis of nothing in particular, that shows a case with an answer."""
    case = build_case(NetworkSpec.parse(text))
    inquiry = Inquiry(Scratch())
    shown = inquiry.judged(case, Scratch().answer(case) if answer is None else answer(Scratch().answer(case)))
    diagnosis = Diagnosis(**{"equation": "BP4", "position": "first", "fault": "weight_zero"} | fields)
    nothing = Charges((), frozenset(), readable=False)
    return told(
        Findings(diagnoses=(diagnosis,), equations={}, charges=nothing, conventions=None, shown=shown, hypothesis=None)
    )


@pytest.mark.parametrize(("rate", "written_out"), [(2.0**24, "2^24"), (0.1, "0.1"), (1.0, "1"), (1e6, "1e+06")])
def test_what_was_read_off_a_step_says_of_which(rate, written_out):
    """The rate is named, since the numbers are those of a step divided by it."""
    text = written(
        "1-1,sigmoid,mse,sum,n1,f64,integers,s0", lambda answer: dataclasses.replace(answer, learning_rate=rate)
    )
    (line,) = [line.strip() for line in text if "learning_rate" in line]
    assert line == (
        f"read off a step at learning_rate = {written_out}: dC/dW is (W - W') / {written_out}, W' what it left"
    )


def test_layers_and_samples_are_written_out_with_their_numbers():
    """Several layers are counted, several samples are rows; what a layer does not have is left out."""
    text = written("2-1-2,relu-identity,linear,none,n2,f64,integers,s3,bias=01")
    (by_hand,) = [line for line in text if line.startswith("By hand")]
    assert re.fullmatch(
        r"By hand     x = \[\[.*\], \[.*\]\]   W1 = \[\[.*\]\]   W2 = \[\[.*\], \[.*\]\]   b2 = \[.*\]   y = .*"
        r"   upstream = \[.*\]",
        by_hand,
    )
    first, second = text[text.index(by_hand) + 1 :][:2]
    assert first.split()[0] == "z1"
    assert " a1 = " in first
    assert second.split()[0] == "z2"
    assert " g = dC/da = [[" in second


def test_first_wrong_number_is_shown_with_its_place():
    """The quantity, the layer, the entry; where it has none of its shape, what is the matter."""

    def wrong(**fields):
        def changed(answer):
            values = {name: getattr(answer, name) for name in ("loss", "weights", "biases", "inputs", "deltas")}
            return Answer(**values | {name: change(values[name]) for name, change in fields.items()})

        return written("2-3,tanh,mse,sum,n1,f64,integers,s1", changed)

    case = build_case(NetworkSpec.parse("2-3,tanh,mse,sum,n1,f64,integers,s1"))
    loss = Scratch().answer(case).loss.item()
    assert f"            C   yours {loss + 1.0:.6g}   right {loss:.6g}" in " ".join(wrong(loss=lambda loss: loss + 1.0))
    for field, name in (
        ("inputs", "dC/dx[0, "),
        ("deltas", "delta1[0, "),
        ("weights", "dC/dW1["),
        ("biases", "dC/db1["),
    ):

        def moved(value):
            return tuple(each + 1.0 for each in value) if isinstance(value, tuple) else value + 1.0

        assert any(line.strip().startswith(name) for line in wrong(**{field: moved})), field
    shape = wrong(weights=lambda weights: (weights[0].T,))
    assert "            weight gradient of layer 1: got shape (2, 3), wanted (3, 2)" in " ".join(shape)


def test_equals_are_listed():
    """What gives the same numbers on every network tried is said beside the name."""
    text = written("1-1,tanh,mse,sum,n1,f64,ones,s1", also_fits=("bias_zero", "bias_negated"))
    assert "Or          bias_zero, bias_negated: on every network tried, the same numbers" in text
    assert text[0] == "Where       the weight gradient of the first layer (BP4)"


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        ("my_net.py:f", "your function returned a tuple of length 2; wanted 3"),
        ("exec:./net", "your program returned a tuple of length 2; wanted 3"),
    ],
)
def test_call_that_returned_something_else_is_told_as_its_doing(candidate, told):
    """In a sentence about what the candidate is to its author."""
    assert card.of_the_call(whole_call(Verdict.ERROR, "returned a tuple of length 2; wanted 3"), candidate) == told
    assert card.of_the_call(whole_call(Verdict.ERROR, "ValueError: no"), candidate) == "ValueError: no"


def test_told_is_a_line_for_people():
    """With numbers where there are any, and the reason where there are none."""
    assert card.told(whole_call(Verdict.ERROR, "ValueError: no")) == "  the call itself: error, ValueError: no"
    case = build_case(NetworkSpec.parse("3-4-2,sigmoid,half_squared_error,sum,n5,f64,normal,s7"))
    answer = dataclasses.replace(Scratch().answer(case), loss=np.asarray(7.0))
    loss = compare(case, answer, reference_of("torch")(case), Bounds(case))[0]
    assert card.told(loss).startswith("  loss: disagree; got 7.0, wanted ")
    assert ", exactly " in card.told(loss)
