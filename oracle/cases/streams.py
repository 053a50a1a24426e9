"""Raw random words that are the same on every machine.

NumPy promises the raw words of its bit generators for good, and the streams of its distributions only for one build; so
everything random here starts from Philox's raw words and goes on in integer arithmetic.
"""

import hashlib
import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Words", "below", "raw_words"]

Words = NDArray[np.uint64]


class _Engine(threading.local):
    """One Philox a thread, set to a new key for each stream: making a new one takes ten times as long as setting it."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(key=0)
        self.state: Any = self.philox.state
        self.start: Any = self.state["state"]


_ENGINE: Final = _Engine()


def raw_words(text: str, count: int) -> Words:
    """The first `count` 64-bit words of the stream that belongs to `text`, shape (count,).

    The stream is Philox4x64-10 from counter zero, keyed by the first 16 bytes (little endian) of the SHA-256 of `text`:
    what `numpy.random.Philox(key=key).random_raw(count)` gives.
    """
    digest = hashlib.sha256(text.encode()).digest()
    key, counter = _ENGINE.start["key"], _ENGINE.start["counter"]
    key[0], key[1] = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")
    counter[:] = 0
    _ENGINE.philox.state = _ENGINE.state
    words: Words = _ENGINE.philox.random_raw(count)
    return words


_HALF: Final = np.uint64(32)


def below(words: Words, count: int) -> NDArray[np.int64]:
    """For each word a whole number in [0, count), even to count / 2^32: the upper half of the word, times count."""
    return (((words >> _HALF) * np.uint64(count)) >> _HALF).astype(np.int64)
