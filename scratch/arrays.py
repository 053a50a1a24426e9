"""The one array type of this package: float32 or float64 data, int64 class indices."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
