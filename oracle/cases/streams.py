"""Raw random words that are the same on every machine.

NumPy promises the raw words of its bit generators for good, and the streams of its distributions only for one build; so
everything random here starts from Philox's raw words and goes on in integer arithmetic.
"""

import hashlib
import struct
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
        # In tuples in place of arrays: NumPy reads the state entry by entry, and an entry of a tuple is quickly had.
        self.start: dict[str, tuple[int, ...]] = {"counter": (0, 0, 0, 0)}
        self.state: Any = {**self.philox.state, "state": self.start, "buffer": (0, 0, 0, 0)}


_ENGINE: Final = _Engine()


def philox(text: str) -> np.random.Philox:
    """The stream that belongs to `text`: Philox4x64-10, keyed by the first 16 bytes (little endian) of its SHA-256."""
    return np.random.Philox(key=np.array(_key(text), dtype=np.uint64))


def raw_words(text: str, count: int) -> Words:
    """The first `count` 64-bit words of that stream, philox(text).random_raw(count), shape (count,).

    Raises MemoryError where nothing holds so many.
    """
    if count > _MOST:
        raise MemoryError
    _ENGINE.start["key"] = _key(text)
    _ENGINE.philox.state = _ENGINE.state
    words: Words = _ENGINE.philox.random_raw(count)
    return words


def _key(text: str) -> tuple[int, ...]:
    return _TWO_WORDS.unpack_from(hashlib.sha256(text.encode()).digest())


_TWO_WORDS: Final = struct.Struct("<2Q")
_MOST: Final = 1 << 56
"""Words of which no machine holds as many; beyond 2^60 an array cannot even be asked for."""
_HALF: Final = np.uint64(32)


def below(words: Words, count: int) -> NDArray[np.int64]:
    """For each word a whole number in [0, count), even to count / 2^32: the upper half of the word, times count."""
    return (((words >> _HALF) * np.uint64(count)) >> _HALF).astype(np.int64)
