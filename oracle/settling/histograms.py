"""Histograms of many numbers, to three digits: they stay small, and those of parts add up to that of the whole."""

from __future__ import annotations

from collections import Counter


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
    return [float(f"{ratio:.2e}") for ratio in ratios]
