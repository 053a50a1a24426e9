"""What a result depends on besides its cases: versions, and the libraries that multiply matrices."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any, Final

_PACKAGES: Final = ("backproof", "numpy", "torch", "python-flint", "pandas", "pyarrow")


def version(package: str) -> str | None:
    """The installed version of a distribution, without importing it; None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def release(version: str | None) -> str:
    """A version without that of its build: 2.13.0 of 2.13.0+cpu; "" of None."""
    return (version or "").partition("+")[0]


def environment() -> dict[str, Any]:
    """Versions of Python and of the packages that compute, the machine's architecture, and NumPy's BLAS."""
    import numpy as np

    built: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]  # None only in its other mode
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "machine": platform.machine(),
        "system": platform.system(),
        "packages": {package: version(package) for package in _PACKAGES},
        "blas": {key: blas.get(key) for key in ("name", "version")},
    }
