"""Every lesson: it can be found, it fits a screen, and each number that it prints comes out again by another way."""

import pytest

from backproof.diagnosis.faults import BY_NAME
from backproof.lessons.lesson import GROUPS, Step
from backproof.lessons.library import LESSONS, UnknownLessonError, faults_of, find
from backproof.lessons.page import WIDTH, page
from backproof.lessons.spelling import spelled

TAUGHT = [lesson for lesson in LESSONS if lesson.group != "faults"]
EQUATIONS = {
    "BP0",
    "loss",
    "BP1",
    "BP2",
    "BP3",
    "BP4",
    "batch",
    "scale",
    "penalty",
    "step",
    "state",
    "numerics",
    "shape",
}


def by_name(lesson):
    """The name of a lesson, for the ids of tests."""
    return lesson.name


@pytest.fixture(scope="module")
def examples():
    """Every taught lesson's example, computed once."""
    return {lesson.name: lesson.example() for lesson in TAUGHT}


@pytest.mark.parametrize("lesson", TAUGHT, ids=by_name)
def test_numbers_are_pytorchs(lesson, examples, by_torch):
    """What a line says of a quantity of the network, autograd says too, to each printed digit."""
    for step in examples[lesson.name].steps:
        if step.quantity:
            assert spelled(by_torch(step.case, step.quantity)[step.at], step.digits) == step.text, step.name


@pytest.mark.parametrize("lesson", TAUGHT, ids=by_name)
def test_worked_formulas_give_the_number_behind_them(lesson, examples, evaluated):
    """Whoever works a line out gets the number at its end."""
    for step in examples[lesson.name].steps:
        if step.worked is not None:
            assert spelled(evaluated(step.worked), step.digits) == step.text, step.name


@pytest.mark.parametrize("lesson", TAUGHT, ids=by_name)
def test_no_number_stands_for_itself(lesson, examples):
    """Each is a quantity of a network, or worked out before the reader's eyes: so one of the tests above holds it."""
    steps = examples[lesson.name].steps
    assert steps
    assert [step.name for step in steps if not step.quantity and step.worked is None] == []


@pytest.mark.parametrize("lesson", TAUGHT, ids=by_name)
def test_a_mistake_gives_another_number(lesson, examples):
    """A line that is marked as wrong differs from every right line of its name."""
    steps = examples[lesson.name].steps
    for step in steps:
        rights = [other.text for other in steps if other.name == step.name and not other.wrong]
        assert not step.wrong or (rights and step.text not in rights) or _alone(step, steps), step.name


def _alone(step: Step, steps: tuple[Step, ...]) -> bool:
    """Whether no right line has that name: the mistake computes something that need not be computed."""
    return all(other.wrong for other in steps if other.name == step.name)


@pytest.mark.parametrize("lesson", TAUGHT, ids=by_name)
def test_a_page_fits_a_screen(lesson):
    """At most 100 columns, and about 35 lines, in characters that every terminal has."""
    lines = [text.plain for text in page(lesson, faults=faults_of(lesson))]
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) <= 36
    assert lines[0].startswith(lesson.name)
    assert all(line.isascii() for line in lines)


def test_every_equation_reduction_and_fault_has_a_lesson():
    """What a diagnosis may name can be looked up."""
    names = {lesson.name for lesson in LESSONS}
    assert names >= EQUATIONS
    assert names >= {"none", "sum", "mean", "batchmean"}
    assert names >= {*BY_NAME}


def test_names_are_unique_and_lead_on():
    """No two lessons share a name in any spelling, and each one named under another exists."""
    names = [lesson.name for lesson in LESSONS]
    assert len({name.lower() for name in names}) == len(names)
    for lesson in LESSONS:
        assert {*lesson.see} <= {*names} - {lesson.name}, lesson.name
        assert lesson.group in GROUPS


def test_faults_are_named_below_what_they_break():
    """Under BP3 those of BP3, under a question none."""
    assert "bias_summed_over_neurons" in faults_of(find("BP3"))
    assert faults_of(find("axis_0")) == []


def test_find_takes_a_name_as_people_type_it():
    """Neither capitals nor - for _ matter."""
    assert find("bp3") is find("BP3")
    assert find(" Axis-0 ").name == "axis_0"


def test_find_takes_a_fault_as_a_diagnosis_names_it():
    """With its position and its condition."""
    assert find("bias_zero@hidden?batch>1") is find("bias_zero")
    assert find("bias_zero?batch=1") is find("bias_zero")


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("BP5", "BP0"),
        ("mena", "mean"),
        ("sigmoid", "sigmoid_slope"),
        ("cross entropy loss", "cross_entropy"),
        ("bias_sumed", "bias_summed_over_neurons"),
    ],
)
def test_an_unknown_name_is_told_the_closest(name, closest):
    """And where all are listed."""
    with pytest.raises(UnknownLessonError, match="there is no lesson") as raised:
        find(name)
    assert closest in str(raised.value)
    assert str(raised.value).endswith("`backproof explain` alone lists them all.")


def test_a_name_like_no_other_is_told_the_list():
    """No guess where there is none."""
    with pytest.raises(UnknownLessonError) as raised:
        find("zzzzqqqq")
    assert str(raised.value) == "there is no lesson 'zzzzqqqq'. `backproof explain` alone lists them all."
