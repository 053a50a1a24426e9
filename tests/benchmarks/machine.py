"""The machine and the versions behind the numbers, and how busy it was before they were taken."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from backproof.environment import environment, version

PACKAGES: Final = (
    "torch",
    "numpy",
    "scikit-learn",
    "mygrad",
    "autograd",
    "jax",
    "jaxlib",
    "pytest-benchmark",
    "backproof",
)
QUIET: Final = 0.5
"""A load average per processor above which the output says that the machine was busy."""


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_model() -> str:
    """As the system names it."""
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> list[float]:
    """The load averages over 1, 5 and 15 minutes; none where the system keeps none."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else []


def machine() -> dict[str, Any]:
    """What the output says of the machine."""
    return {
        "processor": processor_model(),
        "processors": processors(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": environment()["blas"],
        "packages": {package: version(package) for package in PACKAGES},
        "load_before": load(),
    }


def told(found: dict[str, Any]) -> Iterator[str]:
    """The same for people, a line each."""
    busy = found["load_before"]
    yield f"{found['processor']}, {found['processors']} processors, {found['system']}, Python {found['python']}"
    yield f"NumPy's products: {found['blas']['name']} {found['blas']['version']}"
    yield ", ".join(f"{name} {number or 'not installed'}" for name, number in found["packages"].items())
    yield "load averages before: " + (", ".join(map(str, busy)) or "unknown")
    if busy and busy[0] > QUIET * found["processors"]:
        yield "**The machine was busy before this began: quiet it and run again before you quote a number.**"
