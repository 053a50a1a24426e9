"""Real data: the handwritten digits that scikit-learn ships, as x.

A case with values "digits" has them: 64 inputs, the pixels 0..16 of an 8 x 8 image over 16 (exact), and the true labels
as y where the network has ten outputs and the loss can take them.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.cases.spelling import SpecError
from backproof.cases.streams import Words, below

__all__ = ["digits", "digits_rows"]

Array = NDArray[Any]
Labels = NDArray[np.int64]


@cache
def digits() -> tuple[Array, Labels]:
    """All 1,797 images, (1797, 64) in float64 in [0, 1], and their labels 0..9, (1797,); both read-only.

    Raises SpecError, saying what to install, where scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise SpecError(
            "the digits come with scikit-learn, which is not installed: pip install scikit-learn, or choose other "
            "values, like normal"
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    images = np.asarray(pixels, dtype=np.float64) / 16.0
    classes = np.asarray(labels, dtype=np.int64)
    images.flags.writeable = classes.flags.writeable = False
    return images, classes


def digits_rows(words: Words, dtype: str) -> tuple[Array, Labels]:
    """For each word an image, x (N, 64) in `dtype`, and its label, (N,): the same for the same word. Read-only."""
    images, labels = digits()
    chosen = below(words, len(images))
    x, classes = images[chosen].astype(dtype), labels[chosen]
    x.flags.writeable = classes.flags.writeable = False
    return x, classes
