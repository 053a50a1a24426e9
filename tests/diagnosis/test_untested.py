"""Why an equation was not tested is said of the numbers at hand."""

import pytest

from backproof.candidates.builtin import Scratch
from backproof.cases import NetworkSpec
from backproof.cases.case import build_case
from backproof.diagnosis.additivity import Additivity
from backproof.diagnosis.equations import Charge, Charges
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.untested import reasons

HOLDS = Charges((), frozenset(), readable=True)
TORN = Charges((), frozenset(), readable=False)
TIED = Charges((Charge(frozenset({"BP3"}), ()), Charge(frozenset({"BP4"}), ())), frozenset(), readable=True)
APART = Additivity(frozenset(), tested=True)
WHOLE = Additivity(frozenset(), tested=False)


def exhibits(text, **changes):
    """One exhibit of the handwritten network, some of whose answer is left out."""
    from dataclasses import replace

    case = build_case(NetworkSpec.parse(text))
    inquiry = Inquiry(Scratch())
    return [inquiry.judged(case, replace(Scratch().answer(case), **changes))]


DEEP = "2-3-2,tanh,mse,sum,n2,f64,normal,s1"


@pytest.mark.parametrize(
    ("equation", "shown", "read", "added", "why"),
    [
        ("BP1", exhibits(DEEP, weights=(None, None)), HOLDS, APART, "no answer has every gradient in its shape"),
        ("loss", exhibits(DEEP, loss=None), HOLDS, APART, "no loss is returned"),
        ("BP2", exhibits("2-3,tanh,mse,sum,n2,f64,normal,s1"), HOLDS, APART, "no network has a hidden layer"),
        ("BP3", exhibits(f"{DEEP},bias=00"), HOLDS, APART, "no layer has a bias"),
        ("batch", exhibits(DEEP), HOLDS, WHOLE, "no batch could be taken apart into its samples"),
        ("BP4", exhibits(DEEP), TIED, APART, "it or another equation is wrong: these numbers do not tell which"),
        ("scale", exhibits(DEEP), HOLDS, APART, "single samples are wrong already"),
        ("BP0", exhibits(DEEP), TORN, APART, "no reading of the gradients of single samples fits the other equations"),
        ("BP0", exhibits(DEEP), HOLDS, APART, "what it rests on is wrong already"),
    ],
)
def test_reason_is_what_the_numbers_lack(equation, shown, read, added, why):
    """One sentence for each way in which a test can be impossible; none for an equation that was tested."""
    assert reasons({equation: "not_tested", "BP9": "holds"}, shown, read, added) == {equation: why}
