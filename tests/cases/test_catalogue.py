"""The tables of activations and losses."""

from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.formula import expected_output, target_kind, variants
from backproof.cases.targets import TARGETS

ALL = {**ACTIVATIONS, **LOSSES}


def test_catalogue_names_are_unambiguous():
    """No name is both an activation and a loss, and each reads as one word of an id."""
    assert not set(ACTIVATIONS) & set(LOSSES)
    assert all(name.replace("_", "").isalnum() and name[0].isalpha() for name in ALL)


def test_catalogue_words_are_closed_sets():
    """Every kind of target can be drawn; every output and expectation is a word that `accepts` knows."""
    every_loss = [formula for name in LOSSES for formula in variants(name)]
    assert {target_kind(formula) for formula in every_loss} == set(TARGETS)
    assert {expected_output(formula) for formula in every_loss} == {
        "any",
        "logits",
        "probabilities",
        "log_probabilities",
        "nonnegative",
    }
    assert {entry.output for entry in ACTIVATIONS.values()} == {
        "any",
        "nonnegative",
        "probabilities",
        "log_probabilities",
    }
