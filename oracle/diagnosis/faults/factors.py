"""The constant factors between one convention of a cost and another."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A constant, times or over the count of samples, of outputs or of both; with words, text and origin."""

    slug: str
    text: str
    constant: float
    why: str
    times: bool = True
    samples: bool = False
    outputs: bool = False

    def of(self, n: int, o: int) -> float:
        """The factor for N samples of O outputs."""
        count = (n if self.samples else 1) * (o if self.outputs else 1)
        return self.constant * count if self.times else self.constant / count


_TWO = "C = sum e^2 has the slope 2 e, and C = 1/2 sum e^2 the slope e: which of them C is decides about the 2"
_BATCH = "whether the samples are summed or averaged is the reduction's to say, and it is said once"
_OUTPUTS = "whether the outputs of a sample are summed or averaged is said by the loss and the reduction, and once"
_ENTRIES = "mean divides by the samples for some losses and by all N * O numbers for others, and it divides once"
_SIGN = "a - y pulls C down when it is subtracted: with y - a the step must add, and dC is then the other way round"

# What a mean may divide by: in words, as text, whether samples and outputs are counted, and where it is from.
_COUNTS: Final = (
    ("batch", "N", True, False, _BATCH),
    ("outputs", "O", False, True, _OUTPUTS),
    ("entries", "(N O)", True, True, _ENTRIES),
)
_CONSTANTS: Final = (("", "", 1.0), ("doubled_", "2 ", 2.0), ("halved_", "1/2 ", 0.5))


def _factors() -> Iterator[Factor]:
    """1, 2 and 1/2, times and over N, O and N O: all that the usual conventions differ by; and the sign."""
    yield Factor(slug="doubled", text="2", constant=2.0, why=_TWO)
    yield Factor(slug="halved", text="1/2", constant=0.5, why=_TWO)
    for words, letter, samples, outputs, why in _COUNTS:
        for prefix, text, constant in _CONSTANTS:
            for times in (True, False):
                yield Factor(
                    slug=f"{prefix}{'times' if times else 'over'}_{words}",
                    text=f"{text}{letter}" if times else f"{text.strip() or 1} / {letter}",
                    constant=constant,
                    why=why,
                    times=times,
                    samples=samples,
                    outputs=outputs,
                )
    yield Factor(slug="negated", text="-1", constant=-1.0, why=_SIGN)


FACTORS: Final = tuple(_factors())
