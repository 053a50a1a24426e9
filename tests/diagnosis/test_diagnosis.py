"""The whole answer: nothing for right candidates, ever; for wrong ones the equation, the place, and a name if any."""

import dataclasses

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch, Torch
from backproof.candidates.contract import Answer
from backproof.candidates.loading import load
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis import naming
from backproof.diagnosis.additivity import LARGEST_BATCH, LARGEST_WRONG_BATCH
from backproof.diagnosis.card import place
from backproof.diagnosis.diagnosis import EQUATIONS, RULES, Diagnosis, diagnose, diagnose_answer
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.fault import Equation
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.untested import BESIDE_WHAT_IS_WRONG
from backproof.scratch import Backprop


def of(candidate, failing, **settings):
    """The findings on a candidate, without its smallest network."""
    return diagnose(candidate, failing(candidate, 12), shrink=False, **settings)


def planted(*names, domain, position="all"):
    """A candidate with these faults."""
    return Planted([Plant(BY_NAME[name], position) for name in names], domain)


@pytest.mark.parametrize(
    "candidate",
    [Scratch, Torch, lambda: Planted((), Domain(batch_size=6, dtypes="float32", penalties="mixed"))],
    ids=["scratch", "torch", "batch of 6"],
)
def test_right_candidate_gets_no_diagnosis(candidate):
    """Every equation that was tested holds, and nothing is wrong."""
    found = diagnose(candidate(), [])
    assert found.diagnoses == ()
    assert (found.shown, found.hypothesis, found.conventions) == (None, None, None)
    assert not found.named
    assert tuple(found.equations) == EQUATIONS
    assert "broken" not in found.equations.values()
    assert [name for name, status in found.equations.items() if status == "not_tested"] in ([], ["BP3"])


def test_right_candidate_gets_no_diagnosis_wherever_it_was_thought_to_fail():
    """Networks of all fillings, named as failing: nothing is found there."""
    domain = Domain(depth=(1, 3), width=(1, 6), values=("normal", "integers", "saturated", "tiny", "ones"))
    texts = (
        "3-4-2,tanh-softmax,categorical_cross_entropy,mean,n5,f64,saturated,s1",
        "3-3-3,relu-identity,cross_entropy,sum,n4,f32,integers,s2",
        "2-5,softplus,mse,sum,n3,f64,tiny,s3",
    )
    found = diagnose(Planted((), domain), [NetworkSpec.parse(text) for text in texts])
    assert found.diagnoses == ()
    assert "broken" not in found.equations.values()


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_constant_that_is_accounted_for_is_no_mistake():
    """PyTorch's slope of hardsigmoid has seven digits: a deviation that is listed, and no candidate is blamed for."""
    candidate = Torch()
    candidate.domain = Domain(activations="hardsigmoid", dtypes="float64")
    found = diagnose(candidate, [])
    assert found.diagnoses == ()
    assert "broken" not in found.equations.values()
    (exact,) = diagnose(candidate, [], truth="exact", shrink=False).diagnoses
    assert (exact.equation, exact.fault) == ("numerics", "float32_inside")


def test_named_fault_is_told_with_its_words(plain, failing):
    """Everything that the catalogue says of it."""
    found = of(planted("bias_averaged", domain=plain), failing)
    fault = BY_NAME["bias_averaged"]
    (diagnosis,) = found.diagnoses
    assert diagnosis == Diagnosis(
        equation="batch", position="all", fault="bias_averaged", used=fault.used, wanted=fault.wanted, why=fault.why,
        hint=fault.hint,
    )  # fmt: skip
    assert found.named
    assert found.equations["batch"] == "broken"
    assert {found.equations[name] for name in ("BP0", "BP1", "BP2", "BP3", "BP4", "loss")} == {"holds"}


def test_slope_that_is_wrong_in_hidden_layers_is_told_as_theirs(plain, failing):
    """The same step is BP1 at the output and BP2 below it."""
    (hidden,) = of(planted("derivative_missing", domain=plain, position="hidden"), failing).diagnoses
    assert (hidden.equation, hidden.position, hidden.fault) == ("BP2", "hidden", "derivative_missing")


def test_fault_that_keeps_something_is_told_first(failing):
    """What one call leaves to the next, and that it shows from the second call on."""

    class Accumulating(Planted):
        def afresh(self):
            return Planted(self.plants, self.domain)

    domain = Domain(widths=(3, 4, 2), batch_size=3, activations="tanh", losses="mse", dtypes="float64")
    found = diagnose(
        Accumulating([Plant(BY_NAME["gradients_accumulated"])], domain),
        [NetworkSpec.parse("3-4-2,tanh,mse,sum,n3,f64,normal,s1")],
    )
    (diagnosis,) = found.diagnoses
    assert (diagnosis.equation, diagnosis.fault, diagnosis.condition) == (
        "state", "gradients_accumulated", "second_call",
    )  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_state_without_a_name_is_told_as_one():
    """A second call gives other numbers, and no fault of the catalogue gives those."""

    class Decaying:
        name = "decaying"
        domain = Domain(widths=(3, 2), batch_size=3, activations="tanh", losses="mse", dtypes="float64")
        factor = 1.0

        def answer(self, case):
            right = Scratch().answer(case)
            self.factor *= 0.9
            return Answer(loss=right.loss, weights=(self.factor * right.weights[0],), biases=right.biases)

    found = diagnose(Decaying(), [NetworkSpec.parse("3-2,tanh,mse,sum,n3,f64,normal,s1")], shrink=False)
    first = found.diagnoses[0]
    assert (first.equation, first.fault, first.condition) == ("state", None, "second_call")
    assert first.wanted == RULES["state"]


class Cosine(Backprop):
    """BP4 wrong in a way that is in no catalogue."""

    def weight_gradient(self, delta, layer):
        return delta.T.dot(np.cos(3.0 * layer.inputs))


class Factor(Backprop):
    """A factor that nobody would write."""

    def loss_gradient(self, a, y, objective):
        return 1.7 * super().loss_gradient(a, y, objective)


class Batch(Backprop):
    """Right with one sample; with several, something of its own."""

    def bias_gradient(self, delta, layer):
        return delta.sum(axis=0) + (len(delta) - 1) * np.cos(delta[0])


class BatchFactor(Backprop):
    """Right with one sample; with several, everything has a factor of its own."""

    def loss_gradient(self, a, y, objective):
        return (1.0 + 0.3 * (len(a) - 1)) * super().loss_gradient(a, y, objective)


class Shape(Backprop):
    """A gradient of a shape that nobody would give it."""

    def bias_gradient(self, delta, layer):
        return np.zeros((2, 3, 5))


class Penalised(Backprop):
    """A penalty that is in no catalogue."""

    def penalty_gradient(self, parameter, penalty, batch_size):
        return np.cos(parameter)


class Saturated(Backprop):
    """Right for numbers of ordinary size."""

    def loss_gradient(self, a, y, objective):
        g = super().loss_gradient(a, y, objective)
        return np.where(np.abs(y) < 50.0, g, np.cos(g))


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("backprop", "settings", "equation"),
    [
        (Cosine, {}, "BP4"),
        (Factor, {}, "scale"),
        (Batch, {}, "batch"),
        (BatchFactor, {}, "scale"),
        (Shape, {}, "shape"),
        (Penalised, {"penalties": "mixed", "batch_size": 3}, "penalty"),
        (Saturated, {"values": ("normal", "saturated")}, "numerics"),
    ],
)
@pytest.mark.usefixtures("few_pairs")
def test_mistake_without_a_name_has_an_equation_and_a_place(handwritten, failing, backprop, settings, equation):
    """Unexplained is an honest answer: nothing is named, and what is known stands."""
    domain = Domain(
        **{"depth": (1, 3), "width": (2, 4), "batch_size": (1, 4), "activations": "sigmoid", "losses": "mse",
           "reductions": "sum", "dtypes": "float64", "biases": "always"} | settings
    )  # fmt: skip
    found = of(handwritten(backprop, domain, returns="gradients"), failing)
    assert [(each.equation, each.position, each.fault) for each in found.diagnoses] == [(equation, "all", None)]
    assert found.diagnoses[0].wanted == RULES[equation]
    assert found.hypothesis is None
    assert not found.named
    assert found.equations.get(equation, "broken") == "broken"


class LargeBatch(Backprop):
    """Right with as many samples as are taken apart; with more, something of its own."""

    most = LARGEST_WRONG_BATCH

    def weight_gradient(self, delta, layer):
        dw = super().weight_gradient(delta, layer)
        return dw if len(delta) <= self.most else np.cos(dw)


class MiddlingBatch(LargeBatch):
    """Right with as many samples as are taken apart of whatever is at hand."""

    most = LARGEST_BATCH


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_mistake_with_whole_numbers_is_no_loss_of_precision(handwritten):
    """Whole numbers lose no digits: where the equations do not show a mistake, nothing is known of it."""
    domain = Domain(
        widths=(3, 2), batch_size=(1, 40), activations="tanh", losses="mse", reductions="sum", dtypes="float64",
        values=("integers", "ones"),
    )  # fmt: skip
    spec = NetworkSpec.parse("3-2,tanh,mse,sum,n40,f64,integers,s1")
    found = diagnose(handwritten(LargeBatch, domain, returns="gradients"), [spec], shrink=False)
    assert found.shown.case.spec == spec
    assert found.diagnoses == ()
    # What its small batches keep is not said to hold beside a large one that is wrong.
    assert [name for name, status in found.equations.items() if status != "not_tested"] == ["loss"]
    assert set(found.untested.values()) == {"no network has a hidden layer", BESIDE_WHAT_IS_WRONG}


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_batch_that_only_large_ones_show_is_charged(handwritten):
    """Small batches are asked first; where neither they nor single samples are wrong, large ones that are."""
    domain = Domain(
        widths=(3, 2), batch_size=(1, 24), activations="tanh", losses="mse", reductions="sum", dtypes="float64"
    )
    spec = NetworkSpec.parse("3-2,tanh,mse,sum,n12,f64,normal,s1")
    found = diagnose(handwritten(MiddlingBatch, domain, returns="gradients"), [spec], shrink=False)
    assert [(each.equation, each.position, each.fault) for each in found.diagnoses] == [("batch", "all", None)]
    assert (found.equations["batch"], found.equations["BP4"]) == ("broken", "holds")


class LossOfABatch(Backprop):
    """A loss that is wrong with several samples alone, beside right gradients."""

    def loss_value(self, a, y, objective):
        return super().loss_value(a, y, objective) / np.sqrt(len(a))


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_loss_that_single_samples_do_not_show_is_charged(handwritten, failing, plain):
    """Nothing else is wrong, and it is not said to hold."""
    found = of(handwritten(LossOfABatch, plain, returns="gradients"), failing)
    assert [(each.equation, each.position, each.fault) for each in found.diagnoses] == [("loss", "all", None)]
    assert {name for name, status in found.equations.items() if status == "broken"} == {"loss"}


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_what_is_too_deep_to_be_read_is_not_said_to_hold(handwritten, failing):
    """A factor on everything adds up over the batch, and shows in no sample that could be read."""
    domain = Domain(
        depth=(7, 8), width=(2, 3), batch_size=(1, 4), activations="tanh", losses="mse", reductions="sum",
        dtypes="float64", biases="always",
    )  # fmt: skip
    found = of(handwritten(Factor, domain, returns="gradients"), failing)
    assert found.diagnoses == ()
    assert "holds" not in found.equations.values()
    why = "networks of more than 6 layers are not read sample by sample"
    assert found.untested["BP1"] == found.untested["scale"] == why


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_a_dx_of_another_shape_hides_nothing_else(handwritten, failing, plain):
    """What is wrong with dW and db is named all the same."""

    class Turned(handwritten):
        def answer(self, case):
            found = super().answer(case)
            return dataclasses.replace(found, inputs=np.zeros((2, 3, 5)))

    candidate = Turned(Cosine, plain, returns="gradients")
    found = of(candidate, failing)
    assert "BP4" in {each.equation for each in found.diagnoses}


@pytest.mark.usefixtures("few_pairs")
def test_one_answer_to_one_case_is_diagnosed_as_far_as_it_goes(handwritten, plain):
    """Numbers that already exist: nothing more is asked."""
    candidate = handwritten(Factor, plain, returns="gradients")
    case = build_case(NetworkSpec.parse("3-4-2,tanh-sigmoid,half_squared_error,sum,n1,f64,normal,s1"))
    wrong, right = candidate.answer(case), Scratch().answer(case)
    candidate.asked.clear()
    found = diagnose_answer(Inquiry(candidate), case, right)
    assert found.diagnoses == ()
    assert found.equations["BP1"] == "holds"
    assert candidate.asked == []
    doubled = Answer(loss=wrong.loss, weights=wrong.weights, biases=tuple(2.0 * bias for bias in right.biases))
    assert diagnose_answer(Inquiry(candidate), case, doubled).shown.case is case


def test_rules_are_there_for_every_equation():
    """Each of the catalogue's equations in one line."""
    assert set(RULES) == set(Equation.__args__)
    assert set(EQUATIONS) < set(RULES)


def test_training_steps_are_diagnosed_as_what_they_are(tmp_path):
    """Gradients are read off a step, and mistakes of steps are named: a bias that is never stepped."""
    path = tmp_path / "steps.py"
    path.write_text(
        "from backproof import Domain, candidate\n"
        "import numpy as np\n"
        "@candidate(Domain(depth=1, width=(2, 4), activations='identity', losses='half_squared_error',\n"
        "                  reductions='sum', biases='always', batch_size=(1, 4)), kind='step')\n"
        "def step(network, x, y, learning_rate):\n"
        "    (W,), (b,) = network.weights, network.biases\n"
        "    delta = x @ W.T + b - y\n"
        "    return [W - learning_rate * delta.T @ x], [b]\n"
    )
    (candidate,) = load(str(path))
    found = diagnose(candidate, [NetworkSpec.parse("3-2,identity,half_squared_error,sum,n4,f64,normal,s1")])
    (diagnosis,) = found.diagnoses
    assert "bias_not_stepped" in (diagnosis.fault, *diagnosis.also_fits)
    assert found.shown.case.spec.depth == 1


def test_other_cost_is_told_of_the_loss_alone(handwritten, failing, plain):
    """Beside it stands an equation that no other cost explains."""

    class Both(Cosine):
        def loss_value(self, a, y, objective):
            return 1.7 * super().loss_value(a, y, objective)

        def loss_gradient(self, a, y, objective):
            return 1.7 * super().loss_gradient(a, y, objective)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "PARTNERS", 1)
        patch.setattr(naming, "OVERLAPPING", ())
        patch.setattr(naming, "EVERY", 1_000)
        found = of(handwritten(Both, plain), failing)
    why = {diagnosis.equation: diagnosis.why for diagnosis in found.diagnoses}
    assert set(why) == {"loss", "BP4"}
    assert "another cost explains both" in why["loss"]
    assert why["BP4"] == ""


@pytest.mark.usefixtures("few_pairs")
def test_loss_that_is_wrong_somewhere_is_not_said_to_hold(handwritten, failing, plain):
    """Few samples are looked at one by one; what fails beside them is told of the loss."""

    class Wide(Cosine):
        def loss_value(self, a, y, objective):
            return super().loss_value(a, y, objective) * (1.7 if len(a) > 2 else 1.0)

    found = of(handwritten(Wide, plain), failing)
    assert {diagnosis.equation for diagnosis in found.diagnoses} == {"BP4", "loss"}
    assert found.equations["loss"] == "broken"


@pytest.mark.usefixtures("few_pairs")
def test_forward_pass_is_not_blamed_where_the_loss_is_that_of_another_convention(handwritten, failing, plain):
    """The outputs are the right ones, since another reduction of them gives the loss."""

    class Mean(Backprop):
        def loss_value(self, a, y, objective):
            return super().loss_value(a, y, objective) / a.size

        def output_delta(self, loss_gradient, layer):
            return np.cos(3.0 * super().output_delta(loss_gradient, layer)) / loss_gradient.size

    found = of(handwritten(Mean, plain), failing)
    assert "BP0" not in {diagnosis.equation for diagnosis in found.diagnoses}
    assert found.equations["BP0"] == "holds"
    assert found.conventions.loss_value == "1/2 mse/mean"


def test_factor_on_the_cost_does_not_say_that_the_gradient_is_right(plain, failing):
    """It has it as well."""
    domain = dataclasses.replace(plain, reductions=("sum", "mean"))
    found = of(planted("loss_over_outputs", "gradient_over_outputs", domain=domain), failing)
    assert {diagnosis.fault for diagnosis in found.diagnoses} == {"loss_over_outputs", "gradient_over_outputs"}
    assert not any("the gradient has it right" in diagnosis.why for diagnosis in found.diagnoses)


class SecondLayer(Backprop):
    """BP4 wrong in layer 2 alone, which is the output of some networks and hidden in others."""

    def weight_gradient(self, delta, layer):
        dw = super().weight_gradient(delta, layer)
        second = layer.below is not None and layer.below.below is None
        return np.cos(3.0 * dw) if second else dw


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_one_layer_is_told_as_that_layer(handwritten, failing):
    """Not as every layer, though it is the output's here and a hidden one's there."""
    domain = Domain(
        depth=(2, 4), width=(2, 4), batch_size=(1, 4), activations="tanh", losses="mse", reductions="sum",
        dtypes="float64", biases="always",
    )  # fmt: skip
    found = of(handwritten(SecondLayer, domain, returns="gradients"), failing)
    assert [place(each) for each in found.diagnoses] == ["the weight gradient of layer 2 (BP4)"]
