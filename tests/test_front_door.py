"""`import backproof`: light, lazy, and the same names whatever was imported before."""

import subprocess
import sys
import textwrap

import pytest

import backproof
from backproof.cases.domain import Domain
from backproof.cases.strategies import cases


def test_public_names_are_what_they_are_at_home():
    """Each is the object of its own module."""
    from backproof.candidates.layout import candidate
    from backproof.route import check
    from backproof.sessions.assertion import check_gradients

    assert backproof.Domain is Domain
    assert backproof.candidate is candidate
    assert backproof.check is check
    assert backproof.check_gradients is check_gradients
    assert set(backproof.__all__) <= set(dir(backproof))


def test_an_unknown_name_lists_the_live_ones():
    """As a module says it."""
    with pytest.raises(
        AttributeError,
        match=r"no attribute 'chekc'; its public names are Domain, candidate, cases, check, check_arrays",
    ):
        _ = backproof.chekc


@pytest.mark.parametrize(
    "before",
    ["", "import backproof.cases.spec", "from backproof import Domain", "import backproof.route"],
    ids=["nothing", "a submodule", "Domain", "the route"],
)
def test_cases_is_the_strategy_and_the_package(before: str):
    """One name for both, whatever was imported first."""
    code = f"""
        {before}
        from backproof import cases, Domain
        from backproof.cases import Case
        import backproof.cases.spec
        from hypothesis.strategies import SearchStrategy
        assert isinstance(cases(Domain(depth=1)), SearchStrategy)
        assert cases.spec.NetworkSpec is backproof.cases.spec.NetworkSpec
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_cases_draws_cases_of_the_domain():
    """The same strategy as at home."""
    domain = Domain(depth=1, losses="mse")
    assert repr(backproof.cases(domain)) == repr(cases(domain))


def test_importing_costs_nothing():
    """Neither torch nor anything else that is heavy, and not even NumPy."""
    code = "import sys, backproof; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pandas", "pyarrow", "hypothesis", "flint", "typer", "rich"} & set(
        done.stdout.split()
    )
