"""EvenSampler: choices that are random and even, not even by luck."""

from collections.abc import Sequence
from typing import Final, TypeVar

from backproof.cases.streams import philox

__all__ = ["EvenSampler"]

T = TypeVar("T")

# More options than this are not worth a deck: no run deals one to its end.
_LARGEST_DECK: Final = 4096
# A prime, so that it shares no factor with any smaller number of options.
_STRIDE: Final = 2654435761
_WORDS_AT_ONCE: Final = 1024


class EvenSampler:
    """Deals from a shuffled deck for each (label, number of options), to its end before it is shuffled again.

    However many choices have been made, those of one label differ by at most one in how often they came. Of more than
    4,096 options none comes twice before all have come. The same seed and shard deal the same, on every machine.
    """

    def __init__(self, seed: int, shard: int = 0) -> None:
        self._philox = philox(f"sampler,seed={seed},shard={shard}")
        self._words: list[int] = []
        self._decks: dict[tuple[str, int], list[int]] = {}
        self._places: dict[tuple[str, int], int] = {}

    def choose(self, label: str, options: Sequence[T]) -> T:
        """One of `options`, which stand in the same order whenever `label` is the same."""
        count = len(options)
        if count == 1:
            return options[0]
        if count > _LARGEST_DECK:
            return options[self._stride(label, count)]
        deck = self._decks.get((label, count))
        if not deck:
            deck = self._decks[label, count] = self._shuffled(count)
        return options[deck.pop()]

    def _below(self, count: int) -> int:
        if not self._words:
            self._words = self._philox.random_raw(_WORDS_AT_ONCE).tolist()
        return (self._words.pop() >> 32) * count >> 32

    def _shuffled(self, count: int) -> list[int]:
        """Fisher and Yates's shuffle of 0, ..., count - 1."""
        deck = list(range(count))
        for last in range(count - 1, 0, -1):
            other = self._below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck

    def _stride(self, label: str, count: int) -> int:
        """Equal steps from a random start, around [0, count)."""
        place = self._places.get((label, count))
        place = self._below(count) if place is None else (place + _STRIDE) % count
        self._places[label, count] = place
        return place
