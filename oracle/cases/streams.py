"""Raw random words that are the same on every machine.

NumPy promises the raw words of its bit generators for good, and the streams of its distributions only for one build; so
everything random here starts from Philox's raw words and goes on in integer arithmetic.
"""

import hashlib
import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Words", "below", "philox", "raw_words"]

Words = NDArray[np.uint64]


class _Engine(threading.local):
    """One Philox a thread, set to a new key for each stream: making a new one takes ten times as long as setting it."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(key=0)
        self.state: Any = self.philox.state
        self.start: Any = self.state["state"]


_ENGINE: Final = _Engine()


def philox(text: str) -> np.random.Philox:
    """The stream that belongs to `text`: Philox4x64-10, keyed by the first 16 bytes (little endian) of its SHA-256."""
    return np.random.Philox(key=np.frombuffer(_key(text), dtype="<u8").astype(np.uint64))


def raw_words(text: str, count: int) -> Words:
    """The first `count` 64-bit words of that stream, philox(text).random_raw(count), shape (count,)."""
    digest = _key(text)
    key, counter = _ENGINE.start["key"], _ENGINE.start["counter"]
    key[0], key[1] = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    counter[:] = 0
    _ENGINE.philox.state = _ENGINE.state
    words: Words = _ENGINE.philox.random_raw(count)
    return words


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


_HALF: Final = np.uint64(32)


def below(words: Words, count: int) -> NDArray[np.int64]:
    """For each word a whole number in [0, count), even to count / 2^32: the upper half of the word, times count."""
    return (((words >> _HALF) * np.uint64(count)) >> _HALF).astype(np.int64)
