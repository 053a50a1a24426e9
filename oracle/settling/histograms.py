"""Histograms of many numbers, to three digits: they stay small, and those of parts add up to that of the whole."""

from __future__ import annotations

from collections import Counter
from math import inf

import numpy as np


def median(histogram: Counter[float]) -> float | None:
    """The lower median of the numbers in a histogram; None where there are none."""
    half = (histogram.total() + 1) // 2
    for number in sorted(histogram):
        half -= histogram[number]
        if half <= 0:
            return number
    return None


def rounded(ratios: list[float]) -> list[float]:
    """Non-negative numbers, each to three significant digits; zero and infinity are themselves."""
    values = np.array(ratios)
    known = (values > 0.0) & (values < inf)
    with np.errstate(divide="ignore"):
        exponents = np.where(known, np.floor(np.log10(values)), 0.0) - 2.0
    digits = np.rint(np.where(known, values, 0.0) * 10.0**-exponents)
    # By way of text, because 123 * 10**-7 is not always the double that reads 1.23e-5.
    parts = list(zip(digits.tolist(), exponents.tolist(), strict=True))
    names = {part: float(f"{part[0]:.0f}e{part[1]:.0f}") for part in set(parts)}
    return [names[part] if ratio < inf else inf for part, ratio in zip(parts, ratios, strict=True)]
