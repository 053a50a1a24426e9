"""Lines of the screen: a label in front of a text, counts with their nouns, the names of quantities."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.text import Text

from backproof.diagnosis import card

SINGULAR: Final = {
    "loss": "loss",
    "delta": "delta",
    "bias": "bias gradient",
    "weight": "weight gradient",
    "input": "input gradient",
}
QUANTITIES: Final = {quantity: f"{name}{'es' if name.endswith('s') else 's'}" for quantity, name in SINGULAR.items()}


class Labelled(NamedTuple):
    """A line with its label in front; `whole` keeps what is meant to be copied in one piece."""

    label: str
    text: Text
    whole: bool = False

    @property
    def joined(self) -> Text:
        """Both, as one line."""
        return Text.assemble((f"{self.label:<{card.LABEL_WIDTH}}", "bold"), self.text)


def labelled(label: str, *parts: str | tuple[str, str]) -> Labelled:
    """A label, and what stands behind it: texts, or (text, style)."""
    return Labelled(label, Text.assemble(*parts))


def many(count: int, thing: str) -> str:
    """A count with its noun: 1 loss, 2 losses, 3 quantities."""
    if count != 1:
        thing = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{count:,} {thing}"
