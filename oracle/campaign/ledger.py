"""A shard's counts as JSON, and back: what a journal keeps of it beside its rows; no pickle, which might run code.

Everything comes back as it was, in its order too: ties are told in the order in which they were met.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from backproof.campaign.tally import COUNTERS, Failing, Stratum, Tally, Worst
from backproof.judging.verdicts import Check
from backproof.settling.certificate import Accuracy, Certificate

_STRATUM: Final = tuple(each.name for each in fields(Stratum) if each.name != "ratios")
_ACCURACY: Final = tuple(each.name for each in fields(Accuracy) if each.name not in ("ulps", "slack"))


def written(tally: Tally, certificate: Certificate | None) -> str:
    """A settled tally, and the certificate where there is one."""
    numbers = {key: at for at, key in enumerate(tally.strata)}
    content = {
        "cases": tally.cases,
        "wrong_cases": tally.wrong_cases,
        **{name: list(getattr(tally, name).items()) for name in COUNTERS},
        "strata": [[key, [getattr(each, name) for name in _STRATUM]] for key, each in tally.strata.items()],
        "ratios": [[[numbers[key] for key in keys], ratios] for keys, ratios in tally.ratios],
        "worst": tally.worst,
        "smallest": tally.smallest,
        "failing": list(tally.failing.items()),
        "certificate": None if certificate is None else [_accuracy(*item) for item in certificate.accuracies.items()],
    }
    return json.dumps(content, separators=(",", ":"))


def _accuracy(key: tuple[str, str], found: Accuracy) -> list[object]:
    return [key, [getattr(found, name) for name in _ACCURACY], list(found.ulps.items()), list(found.slack.items())]


def read(text: str) -> tuple[Tally, Certificate | None]:
    """What was written.  Raises ValueError, KeyError or TypeError where it was something else."""
    content = json.loads(text)
    tally = Tally(cases=content["cases"], wrong_cases=content["wrong_cases"])
    for name in COUNTERS:
        counter: Counter[Any] = getattr(tally, name)
        counter.update({_key(key): count for key, count in content[name]})
    for key, values in content["strata"]:
        tally.strata[_key(key)] = Stratum(**dict(zip(_STRATUM, values, strict=True)))
    keys = list(tally.strata)
    for numbers, ratios in content["ratios"]:
        tally.measure([keys[number] for number in numbers], ratios)
    if content["worst"] is not None:
        ratio, case, check = content["worst"]
        tally.worst = Worst(ratio, case, Check.read(check))
    if content["smallest"] is not None:
        size, case, check = content["smallest"]
        tally.smallest = tuple(size), case, Check.read(check)
    for kind, (cases, smallest) in content["failing"]:
        tally.failing[_key(kind)] = Failing(cases, tuple((tuple(size), case) for size, case in smallest))
    return tally, _certificate(content)


def _certificate(content: Mapping[str, Any]) -> Certificate | None:
    if content["certificate"] is None:
        return None
    found = Certificate()
    for key, values, ulps, slack in content["certificate"]:
        counts = dict(zip(_ACCURACY, values, strict=True))
        found.accuracies[_key(key)] = Accuracy(**counts, ulps=Counter(dict(ulps)), slack=Counter(dict(slack)))
    return found


def _key(key: Any) -> Any:
    """A key as it was: several words are a tuple, in which a verdict compares like its word."""
    return tuple(key) if isinstance(key, list) else key
