"""Every lesson by its name."""

import difflib
from collections.abc import Iterable
from typing import Final

from backproof.lessons import deltas, equations, fault_lessons, paths, practice, reductions, slopes, training
from backproof.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    *equations.LESSONS,
    *training.LESSONS,
    *reductions.LESSONS,
    *deltas.LESSONS,
    *paths.LESSONS,
    *slopes.LESSONS,
    *practice.LESSONS,
    *fault_lessons.LESSONS,
)


_LIKE: Final = 0.6
"""From this likeness on a name is suggested, as difflib does."""


class UnknownLessonError(ValueError):
    """A name that no lesson has; says which come closest."""


def find(name: str, lessons: Iterable[Lesson] = LESSONS) -> Lesson:
    """The lesson of that name; neither capitals nor - for _ matter, nor where a diagnosis says that a fault is.

    Raises UnknownLessonError.
    """
    by_key = {_key(lesson.name): lesson for lesson in lessons}
    key = _key(name)
    if key in by_key:
        return by_key[key]
    scores = sorted(((_likeness(key, known), known) for known in by_key), key=lambda pair: -pair[0])
    names = [by_key[known].name for score, known in scores[:3] if score >= _LIKE]
    hint = f"Did you mean {' or '.join(names)}? " if names else ""
    raise UnknownLessonError(f"there is no lesson {name!r}. {hint}`backproof explain` alone lists them all.")


def faults_of(lesson: Lesson) -> list[str]:
    """The names of the faults that break what the lesson is about."""
    return [fault.name for fault in LESSONS if fault.chapter == lesson.name]


def _likeness(key: str, known: str) -> float:
    """Between 0 and 1; the beginning of a long name is enough."""
    matcher = difflib.SequenceMatcher(None, key)
    ratios = []
    for name in (known, known[: len(key)]):
        matcher.set_seq2(name)
        ratios.append(matcher.ratio())
    return max(ratios[0], 0.99 * ratios[1])


def _key(name: str) -> str:
    fault = name.partition("@")[0].partition("?")[0]
    return fault.strip().lower().replace("-", "_").replace(" ", "_")
