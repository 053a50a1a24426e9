"""Every lesson by its name."""

import difflib
from collections.abc import Iterable

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
    part_of = [known for known in by_key if key and (key in known or known in key)]
    closest = dict.fromkeys([*difflib.get_close_matches(key, by_key, n=3), *part_of[:3]])
    names = [by_key[known].name for known in closest][:4]
    hint = f"Did you mean {' or '.join(names)}? " if names else ""
    raise UnknownLessonError(f"there is no lesson {name!r}. {hint}`backproof explain` alone lists them all.")


def faults_of(lesson: Lesson) -> list[str]:
    """The names of the faults that break what the lesson is about."""
    return [fault.name for fault in LESSONS if fault.chapter == lesson.name]


def _key(name: str) -> str:
    fault = name.partition("@")[0].partition("?")[0]
    return fault.strip().lower().replace("-", "_").replace(" ", "_")
