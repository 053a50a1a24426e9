"""The first screen: what a person reads when a run has ended. Nobody must scroll when all is well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from backproof.diagnosis import card
from backproof.outcome import Report
from backproof.screen.example import example
from backproof.screen.facts import facts
from backproof.screen.headline import headline
from backproof.screen.labels import Labelled, labelled, many

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show(report: Report, console: Console) -> None:
    """Print the screen: in the width of a terminal, below one another and not below the labels; in a pipe as it is."""
    for line in _clean(_lines(report)):
        if isinstance(line, Text):
            console.print(line, soft_wrap=not console.is_terminal)
        elif line.whole or not console.is_terminal:
            console.print(line.joined, soft_wrap=True)
        else:
            for number, part in enumerate(
                line.text.wrap(console, max(console.width - card.LABEL_WIDTH, card.LABEL_WIDTH))
            ):
                console.print(Labelled("" if number else line.label, part).joined, soft_wrap=True)


def plain(report: Report) -> str:
    """The screen without colour or line breaks of a terminal."""
    texts = (line if isinstance(line, Text) else line.joined for line in _clean(_lines(report)))
    return "\n".join(text.plain.rstrip() for text in texts) + "\n"


def told(report: Report) -> dict[str, Any]:
    """The same as data, in the parts that a page arranges anew."""
    verdict = headline(report)
    return {
        "candidate": report.candidate,
        "head": _head(report).plain,
        "tone": report.verdict,
        "word": verdict.word,
        "headline": verdict.rest.removeprefix(":").strip(),
        "card": _pairs(example(report)),
        "facts": _pairs(facts(report)),
        "text": plain(report),
    }


def _pairs(found: Iterable[Text | Labelled]) -> list[tuple[str, str]]:
    lines = (("", line.plain) if isinstance(line, Text) else (line.label, line.text.plain) for line in _clean(found))
    return [(label, text.strip()) for label, text in lines if label or text]


def _lines(report: Report) -> Iterator[Text | Labelled]:
    yield _head(report)
    word, style, rest = headline(report)
    yield Text.assemble((word, style), rest)
    yield from _stopped(report)
    yield Text()
    yield from example(report)
    yield from facts(report)
    yield from _written(report)


def _clean(lines: Iterable[Text | Labelled]) -> Iterator[Text | Labelled]:
    """Without what moves a terminal's cursor or sets its title: messages come from other people's code."""
    for line in lines:
        text = line if isinstance(line, Text) else line.text
        text.plain = _CONTROL.sub("\ufffd", text.plain)
        yield line


def _head(report: Report) -> Text:
    networks = f"{many(report.tally.cases, 'random network')}, seed {report.seed}"
    networks = networks if report.replay is None else many(report.tally.cases, "recorded network")
    networks = ("case " if report.repeatable else "") + ", ".join(report.ids) if report.ids else networks
    return Text.assemble((report.candidate, "bold"), f"   against {report.reference}   {networks}")


def _stopped(report: Report) -> Iterator[Labelled]:
    if report.stopped:
        yield labelled("Stopped", f"{report.stopped}; all of the above is about these")


def _written(report: Report) -> Iterator[Labelled]:
    if report.directory is not None:
        beside = "beside it summary.md, junit.xml, and the tables as csv and parquet"
        yield labelled("Report", f"{report.directory / 'index.html'}; {beside}")
