"""Options that several commands have, read as fields of a domain."""

from backproof.cases.domain import Domain
from backproof.commands.options import fields
from backproof.narrowing import narrowed


def test_options_become_fields_of_a_domain():
    """Names by commas, spans by a dash, a penalty as it is; what was not given changes nothing."""
    found = fields(activations="relu, tanh", losses=None, depth="1-3", width="4", batch_size=None, penalties="mixed")
    assert found == {
        "activations": ("relu", "tanh"),
        "losses": None,
        "depth": (1, 3),
        "width": 4,
        "batch_size": None,
        "penalties": "mixed",
    }
    assert narrowed(Domain(), **found) == Domain(activations=("relu", "tanh"), depth=(1, 3), width=4, penalties="mixed")
