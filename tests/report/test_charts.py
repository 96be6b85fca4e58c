"""Lines and bars stay inside the box, and ticks are round numbers that enclose the values."""

import numpy as np
import pytest

from retinula.report.charts import MOST_POINTS, line_chart, share_bars, thinned


@pytest.mark.parametrize(
    ("points", "logarithmic"),
    [
        ([(1, 0.5)], False),
        ([(1, 0.0), (2, 0.0)], False),
        ([(1, 1e-7), (2, 3e-7)], False),
        ([(1, 250.0), (50, -3.0)], False),
        ([(1, 0.013), (2, 4.0), (3, 0.4)], True),
        ([(1, 1e-6), (9, 40.0)], True),
        ([(step, 1 / step) for step in range(1, 5000)], False),
    ],
)
def test_everything_lies_between_the_axes(points: list[tuple[float, float]], logarithmic: bool) -> None:
    chart = line_chart("t", "x", "y", [("one", points)], logarithmic=logarithmic)
    corners = [tuple(map(float, corner.split(","))) for corner in chart.lines[0].corners.split()]
    assert len(corners) == min(len(points), MOST_POINTS)
    assert all(chart.left - 0.1 <= x <= chart.right + 0.1 for x, _ in corners)
    assert all(chart.top - 0.1 <= y <= chart.bottom + 0.1 for _, y in corners)
    assert 2 <= len(chart.y_ticks) <= 9
    heights = [place for place, _ in chart.y_ticks]
    assert heights == sorted(heights, reverse=True)
    assert chart.x_ticks
    assert all(chart.left <= place <= chart.right for place, _ in chart.x_ticks)


def test_ticks_are_round() -> None:
    chart = line_chart("t", "x", "y", [("a", [(0, 0.31), (100, 0.94)])])
    assert [words for _, words in chart.y_ticks] == ["0.2", "0.4", "0.6", "0.8", "1"]
    assert [words for _, words in chart.x_ticks] == ["0", "20", "40", "60", "80", "100"]


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ([2.3026, 2.3023, 2.3022], False),
        ([99.98, 99.99, 100.0], False),
        ([5e-8, 1.2e-7], False),
        ([0.0, 3e-12], False),
        ([12000.5, 12001.0], False),
        ([0.0, 25000.0], False),
        ([1e-5, 0.4], True),
    ],
)
def test_ticks_that_lie_close_together_are_told_apart(values: list[float], logarithmic: bool) -> None:
    chart = line_chart("t", "epoch", "y", [("a", list(enumerate(values, 1)))], logarithmic=logarithmic)
    words = [words for _, words in chart.y_ticks]
    steps = np.diff([float(each.replace(",", "")) for each in words])
    assert steps.min() > 0
    assert logarithmic or steps.max() == pytest.approx(steps.min()), "a number is where it is written"
    assert 8.0 * max(map(len, words)) < chart.left - 20, "and beside the words of the axis"
    first = float(chart.lines[0].corners.split(",")[0])
    assert first == pytest.approx(chart.left, abs=0.1)


def test_of_powers_of_ten_no_more_digits_are_told_than_usual() -> None:
    told = line_chart("t", "epoch", "loss", [("a", [(1, 2.345678912), (2, 3e-5)])], logarithmic=True).told
    assert "2.346" in told
    assert "2.3457" not in told


def test_what_is_said_of_a_point_is_as_exact_as_the_ticks() -> None:
    chart = line_chart("t", "epoch", "y", [("a", [(1, 99.99), (2, 99.996)])], most=100)
    assert chart.told == "a: 99.99 (epoch 1) to 99.996 (epoch 2), lowest 99.99, highest 99.996."
    assert [words for _, _, words in chart.lines[0].dots] == ["a: 99.99 (epoch 1)", "a: 99.996 (epoch 2)"]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([100.0, 100.0], ["80", "100"]),
        ([0.0, 0.0], ["0", "0.2"]),
        ([96.0, 100.0], ["96", "97", "98", "99", "100"]),
        ([37.5], ["30", "40"]),
    ],
)
def test_no_tick_is_above_what_there_can_be(values: list[float], ticks: list[str]) -> None:
    chart = line_chart("t", "epoch", "right (%)", [("a", list(enumerate(values, 1)))], most=100)
    assert [words for _, words in chart.y_ticks] == ticks


def test_of_many_points_the_means_of_neighbours_are_left() -> None:
    points = [(float(step), float(step % 2)) for step in range(1, 1001)]
    assert thinned(points, 1000) == points
    assert thinned(points, 100) == [(10.0 * number, 0.5) for number in range(1, 101)]
    assert thinned(points[:3], 2) == [(2.0, 0.5), (3.0, 1.0)]


@pytest.mark.parametrize("last", [1, 2, 3, 4, 7, 10])
def test_epochs_are_counted_in_whole_numbers(last: int) -> None:
    chart = line_chart("t", "epoch", "y", [("a", [(epoch, 0.5) for epoch in range(1, last + 1)])])
    ticks = [words for _, words in chart.x_ticks]
    assert ticks
    assert all(words.isdecimal() for words in ticks)


def test_a_line_is_told_in_words() -> None:
    chart = line_chart("t", "epoch", "loss", [("a", [(1, 2.0), (2, 0.25), (3, 0.5)]), ("b", [(3, 0.1)])])
    assert chart.told == "a: 2 (epoch 1) to 0.5 (epoch 3), lowest 0.25, highest 2. b: 0.1 (epoch 3)."


def test_bars_are_as_high_as_their_share() -> None:
    bars = [(0.0, 0.5, 0.25, "low", True, 0.4), (0.5, 1.0, 1.0, "high", False, 0.8)]
    chart = share_bars("t", "x", "y", bars, diagonal="as sure as right", marks="mean of how sure")
    low, high = chart.bars
    assert high.height == pytest.approx(4 * low.height)
    assert high.top == pytest.approx(chart.top)
    assert (low.pale, high.pale) == (True, False)
    span = chart.bottom - chart.top
    assert chart.bottom - low.mark == pytest.approx(0.4 * span), "the mark is where its share is"
    assert high.mark - high.top == pytest.approx(0.2 * span), "and as far from the bar as it is wrong"
    assert low.left + low.width < high.left
