"""What a lesson is: a question, its answer, the usual mistake, and an example whose numbers are computed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from backproof.cases import Case
from backproof.lessons.spelling import DIGITS, number, spelled

Group = Literal["equations", "batches and training", "reductions", "questions", "faults"]
GROUPS: tuple[Group, ...] = ("equations", "batches and training", "reductions", "questions", "faults")


@dataclass(frozen=True)
class Worked:
    """A formula with numbers in it: `{}` of the template stands for one operand, in order.

    It is Python: evaluated with the operands at full precision, it gives the number that the example says it gives.
    """

    template: str
    operands: tuple[float, ...]

    def text(self, digits: int = DIGITS) -> str:
        """As it is printed, with ^ for **; a negative number that is not the first is put in parentheses."""
        pieces = self.template.split("{}")
        text = pieces[0]
        for piece, operand in zip(pieces[1:], self.operands, strict=True):
            spelt = number(operand, digits)
            first = not text or text.rstrip()[-1] in "[(,"
            text += (spelt if first or not spelt.startswith("-") else f"({spelt})") + piece
        return text.replace("**", "^")


def worked(template: str, *operands: Any) -> Worked:
    """`worked("{} * {}", w, x)`; operands are scalars of any kind."""
    return Worked(template, tuple(float(operand) for operand in operands))


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One line of an example: name = formula = worked = value   note.

    `quantity`, where given, says of which quantity of `case` the value is (see Solved.quantity), and `at` which entry:
    a test holds it to PyTorch. A step without one has to be worked. A `wrong` step is the number that the usual mistake
    gives.
    """

    name: str
    value: Any
    formula: str = ""
    worked: Worked | None = None
    note: str = ""
    wrong: bool = False
    digits: int = DIGITS
    case: Case | None = None
    quantity: str = ""
    at: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The value as it is printed."""
        return spelled(self.value, self.digits)


def line(name: str, value: Any, *, by: Worked, formula: str = "", note: str = "", digits: int = DIGITS) -> Step:
    """A line with a number that is no quantity of the network."""
    return Step(name=name, value=value, formula=formula, worked=by, note=note, digits=digits)


def wrong(name: str, value: Any, *, by: Worked, formula: str = "", note: str = "") -> Step:
    """The line with the number of the usual mistake."""
    return Step(name=name, value=value, formula=formula, worked=by, note=note, wrong=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast:
    """One line of a fault's example: what the mistake makes of a quantity, and what it is.

    first: the first on the way through the network at which the two differ.
    """

    name: str
    right: str
    wrong: str
    first: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A network in small numbers, and what is computed from it, line by line.

    about: the network in words. given: its arrays. contrasts: for a fault, right and wrong side by side. closing: what
    to see in the numbers.
    """

    about: str
    given: tuple[tuple[str, Any], ...] = ()
    steps: tuple[Step, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    closing: str = ""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A page of `backproof explain`.

    question: one line, which is also the lesson's line in the list. rule: the formula. why: the rule in plain words.
    mistake: what people write instead; for a fault its formula. hint: what the code of a fault probably looks like.
    chapter: the equation that a fault breaks. see: names of other lessons.
    """

    name: str
    group: Group
    question: str
    rule: str
    why: str
    mistake: str
    example: Callable[[], Example]
    hint: str = ""
    chapter: str = ""
    see: tuple[str, ...] = ()
