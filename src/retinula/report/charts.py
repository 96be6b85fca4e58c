"""Charts as plain shapes in a box of fixed size, which the page draws as SVG in its own colours.

Knows nothing of what is drawn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 440.0, 270.0  # of the box; letters in it are 13 high, so that a phone still shows them readable
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 12.0, 46.0
LETTER, BESIDE = 8.0, 26.0  # width of a numeral; of the upright words and the gap beside the numbers of an axis
MOST_POINTS = 300  # of a line; of more, means of neighbours
DIGITS = 4  # of a number; of ticks that lie closer together, more
TICKS = 5
SINGLE_DOTS = 60  # points that are marked one by one

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line: what it is called, its corners as SVG points, and its points with their words."""

    words: str
    corners: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class Bar:
    """A bar, in units of the box, its words, and the height of the mark across it."""

    left: float
    top: float
    width: float
    height: float
    words: str
    pale: bool
    mark: float


@dataclass(frozen=True)
class Chart:
    """Axes with lines or bars: ticks are places in the box with the number written there.

    `told` says in words what the lines or bars show, `diagonal` and `marks` what those are called; empty without.
    """

    title: str
    x_words: str
    y_words: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    told: str
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    diagonal: str = ""
    marks: str = ""
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def line_chart(
    title: str,
    x_words: str,
    y_words: str,
    series: Sequence[tuple[str, Points]],
    *,
    logarithmic: bool = False,
    whole: tuple[float, float] | None = None,
    most: float = math.inf,
) -> Chart:
    """Lay out lines.

    Args:
        title: of the chart.
        x_words: what the horizontal axis counts, so that only whole numbers are written there.
        y_words: what the vertical axis measures.
        series: what each line is called, and its points; at least one point in all, all finite.
        logarithmic: whether the vertical axis is; then every y is above 0.
        whole: lowest and highest value of the vertical axis; as the points need where left out.
        most: a round number that no point is above, and no tick will be.
    """
    drawn = [(words, thinned(points)) for words, points in series]
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    low, high = whole or (min(ys), max(ys))
    y_ticks = _decades(low, high) if logarithmic else _round_ticks(low, high, most)
    digits = DIGITS if logarithmic else _digits(y_ticks)
    heights = [_number(tick, digits) for tick in y_ticks]
    left = max(LEFT, BESIDE + LETTER * max(map(len, heights)))
    low, high = min(low, y_ticks[0]), max(high, y_ticks[-1])
    if logarithmic:
        low, high = math.log(low), math.log(high)
    x_ticks = [tick for tick in _round_ticks(min(xs), max(xs)) if min(xs) <= tick <= max(xs) and tick == round(tick)]

    def place(x: float, y: float) -> tuple[float, float]:
        height = math.log(y) if logarithmic else y
        return _along(x, min(xs), max(xs), left, WIDTH - RIGHT), _along(height, low, high, HEIGHT - BOTTOM, TOP)

    lines = []
    for words, points in drawn:
        places = [(*place(x, y), f"{words}: {_number(y, digits)} ({x_words} {_number(x)})") for x, y in points]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        lines.append(Line(words, corners, tuple(places) if len(places) <= SINGLE_DOTS else ()))
    return Chart(
        title,
        x_words,
        y_words,
        tuple((place(tick, y_ticks[0])[0], _number(tick)) for tick in x_ticks or xs[:1]),
        tuple((place(xs[0], tick)[1], words) for tick, words in zip(y_ticks, heights, strict=True)),
        told=" ".join(_told(words, x_words, points, digits) for words, points in drawn),
        lines=tuple(lines),
        left=left,
    )


def share_bars(
    title: str,
    x_words: str,
    y_words: str,
    bars: Sequence[tuple[float, float, float, str, bool, float]],
    *,
    diagonal: str,
    marks: str,
) -> Chart:
    """Lay out bars of percentages over percentages, as of calibration.

    Args:
        title: of the chart.
        x_words: what the horizontal axis measures, 0 to 100.
        y_words: what the vertical axis measures, 0 to 100.
        bars: where each begins and ends, 0..1, its height, 0..1, its words, whether it counts for little, and the
            height of the mark across it, 0..1.
        diagonal: what the line from corner to corner is called.
        marks: what the marks are called.
    """

    def across(share: float) -> float:
        return _along(share, 0, 1, LEFT, WIDTH - RIGHT)

    def up(share: float) -> float:
        return _along(share, 0, 1, HEIGHT - BOTTOM, TOP)

    shapes = [
        Bar(
            across(begin) + 1,
            up(height),
            max(1.0, across(end) - across(begin) - 2),
            max(0.5, up(0) - up(height)),
            words,
            pale,
            up(mark),
        )
        for begin, end, height, words, pale, mark in bars
    ]
    ticks = (0, 0.25, 0.5, 0.75, 1)
    return Chart(
        title,
        x_words,
        y_words,
        tuple((across(tick), f"{100 * tick:.0f}") for tick in ticks),
        tuple((up(tick), f"{100 * tick:.0f}") for tick in ticks),
        told="; ".join(bar.words for bar in shapes) + ".",
        bars=tuple(shapes),
        diagonal=diagonal,
        marks=marks,
    )


def thinned(points: Points, most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Return points or, of more than so many, the means of as many runs of neighbours, each at its run's end."""
    if len(points) <= most:
        return list(points)
    borders = [round(number * len(points) / most) for number in range(most + 1)]
    runs = [points[first:last] for first, last in pairwise(borders)]
    return [(run[-1][0], math.fsum(y for _, y in run) / len(run)) for run in runs]


def _told(words: str, x_words: str, points: Points, digits: int) -> str:
    (first, begin), (last, end) = points[0], points[-1]
    if len(points) == 1:
        return f"{words}: {_number(begin, digits)} ({x_words} {_number(first)})."
    lowest, highest = (_number(extreme(y for _, y in points), digits) for extreme in (min, max))
    return (
        f"{words}: {_number(begin, digits)} ({x_words} {_number(first)}) to {_number(end, digits)} "
        f"({x_words} {_number(last)}), lowest {lowest}, highest {highest}."
    )


def _along(value: float, low: float, high: float, start: float, end: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return start + share * (end - start)


def _round_ticks(low: float, high: float, most: float = math.inf) -> list[float]:
    """Return evenly spaced round numbers from just below `low` to just above `high`, none above `most`."""
    span = high - low or abs(high) or 1.0
    rough = span / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last and (first + 1) * step <= most:
        last += 1
    elif first == last:
        first -= 1
    return [round(number * step, 12) for number in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten that enclose the values; of many, the powers alone."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= 3 else (1,)
    marks = [round(times * 10.0**power, 12) for power in powers for times in steps]
    below = [mark for mark in marks if mark <= low]
    above = [mark for mark in marks if mark >= high]
    first, last = (below or marks)[-1 if below else 0], (above or marks[-1:])[0]
    return [mark for mark in marks if first <= mark <= last]


def _digits(ticks: Sequence[float]) -> int:
    """Return how many significant digits tell neighbours apart, on an axis whose ticks are these."""
    step = min(after - before for before, after in pairwise(ticks))
    largest = max(abs(tick) for tick in ticks)
    return max(DIGITS, math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 1)


def _number(value: float, digits: int = DIGITS) -> str:
    if abs(value) >= 1000 and value == round(value):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"
