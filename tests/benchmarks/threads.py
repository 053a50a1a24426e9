"""How many threads everybody may use: environment variables that each library reads when it is first imported."""

from __future__ import annotations

from typing import Final

VARIABLES: Final = (
    "OMP_NUM_THREADS",  # PyTorch
    "OPENBLAS_NUM_THREADS",  # NumPy
    "MKL_NUM_THREADS",  # NumPy and PyTorch, where they are built with MKL
    "VECLIB_MAXIMUM_THREADS",  # NumPy on macOS
    "NPROC",  # JAX
)


def environment_for(threads: int) -> dict[str, str]:
    """What a fresh process has to find."""
    return dict.fromkeys(VARIABLES, str(threads))
