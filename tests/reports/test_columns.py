"""The declaration of the tables."""

import re

import pytest

from backproof.reports.columns import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_declared_once_with_a_meaning(name: str):
    """Names that need no quoting anywhere, no name twice, a sentence for each."""
    entry = TABLES[name]
    assert len(set(entry.names)) == len(entry.names)
    assert all(re.fullmatch(r"[a-z_]+", column) for column in entry.names)
    assert all(column.meaning for column in entry.columns)
    assert entry.row


def test_discrepancies_have_the_columns_of_checks():
    """They are rows of it."""
    assert TABLES["discrepancies"].columns == TABLES["checks"].columns
