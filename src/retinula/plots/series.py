"""What the figures of logged values share: columns of rows, numbers as they are written, an axis that counts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

Values = NDArray[np.float64]


def course(first: float, last: float) -> str:
    """Say how a value went from the first to the last, as far as the digits that are written can tell.

    >>> course(2.3, 0.5), course(0.5, 2.3), course(0.69315, 0.69312)
    ('fell from 2.30 to 0.500', 'rose from 0.500 to 2.30', 'stayed at 0.693')
    """
    before, after = short(first), short(last)
    if before == after:
        return f"stayed at {after}"
    return f"{'fell' if last < first else 'rose'} from {before} to {after}"


def count_axis(axes: Axes, places: Values) -> None:
    """Let the horizontal axis count steps or epochs, in whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.margins(x=0.02)
    if len(places) == 1:
        axes.set_xticks(places)


def column(rows: Sequence[Mapping[str, Any]], key: str) -> Values:
    """Return a value of every row, float64 `[n]`; nan where it is missing or None."""
    values = [math.nan if row.get(key) is None else float(row[key]) for row in rows]
    return np.array(values, dtype=np.float64)


def short(value: float) -> str:
    """Write three significant digits, without exponent where it can be read."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2e}"
    digits = 3 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}"
