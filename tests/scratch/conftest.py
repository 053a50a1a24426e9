"""A sound network to change, and how what it cannot be is refused."""

import numpy as np
import pytest

from backproof.scratch import Network, RequirementError


@pytest.fixture
def build():
    """Builds a sound network of 3-4-2, with some settings changed."""

    def network(**changes):
        sound = {
            "weights": [np.ones((4, 3)), np.ones((2, 4))],
            "biases": [np.ones(4), None],
            "activations": ["relu", "identity"],
            "loss": "mse",
            "reduction": "mean",
        }
        settings = sound | changes
        return Network(settings.pop("weights"), settings.pop("biases"), settings.pop("activations"), **settings)

    return network


@pytest.fixture
def refused():
    """Asserts that a call is refused with this error and exactly this message."""

    def check(error, message, call, *given, **named):
        with pytest.raises(error) as caught:
            call(*given, **named)
        assert str(caught.value) == message
        assert isinstance(caught.value, RequirementError)
        assert isinstance(caught.value, ValueError)

    return check
