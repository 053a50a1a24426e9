"""What a caller may catch."""

import numpy as np
import pytest


def test_dtype_errors_are_type_errors_too(build):
    """Whoever catches a TypeError catches a wrong dtype."""
    with pytest.raises(TypeError):
        build(weights=[np.ones((4, 3), int), np.ones((2, 4))])
