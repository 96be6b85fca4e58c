import itertools
import math

import pytest

from retinula.evaluation.intervals import wilson_interval
from retinula.reproduction.chance import difference_interval, share_interval
from retinula.reproduction.measures import Measured


def right(*counts: int, of: int) -> Measured:
    return Measured(tuple(count / of for count in counts))


def test_a_share_has_the_interval_of_wilson_and_nonsense_has_none() -> None:
    assert share_interval(0.75, 144) == pytest.approx(wilson_interval(108, 144))
    assert [share_interval(*each) for each in ((None, 9), (0.5, None), (0.5, 0), (1.5, 9), (-0.1, 9))] == [None] * 5


def test_shares_of_single_runs_differ_as_newcombe_has_it() -> None:
    bounds = difference_interval(right(56, of=70), right(48, of=80), (70, 80))  # his first example
    assert bounds == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_117_and_113_of_144_cannot_be_told_apart() -> None:
    one, other = right(117, of=144), right(113, of=144)
    low, high = difference_interval(one, other, (144, 144)) or (1.0, 1.0)
    assert low < 0 < high
    low, high = difference_interval(one, right(97, of=144), (144, 144)) or (0.0, 0.0)
    assert 0 < low < high


def test_seeds_differ_by_students_t() -> None:
    one, other = Measured((1.0, 3.0)), Measured((2.0, 4.0, 6.0))
    pooled = math.sqrt((2.0 + 8.0) / 3)
    reach = 3.18245 * pooled * math.sqrt(1 / 2 + 1 / 3)
    assert difference_interval(other, one) == pytest.approx((2 - reach, 2 + reach), abs=1e-4)
    reach = 12.7062 * math.sqrt(2.0) * math.sqrt(1 / 2 + 1)
    assert difference_interval(one, Measured((2.0,))) == pytest.approx((-reach, reach), abs=1e-4), "it has no deviation"


def test_of_one_run_each_without_pictures_nobody_can_tell() -> None:
    assert difference_interval(Measured((1.0,)), Measured((9.0,))) is None
    assert difference_interval(Measured((0.5,)), Measured((0.6,)), (144, None)) is None


def test_seeds_and_pictures_add_up() -> None:
    one, other = Measured((0.78, 0.80)), Measured((0.70, 0.74))
    wide, seeds, pictures = (
        difference_interval(*each) or (0.0, 0.0)
        for each in (
            (one, other, (300, 300)),
            (one, other),
            (Measured((one.mean,)), Measured((other.mean,)), (300, 300)),
        )
    )
    for side, (both, by_seeds, by_pictures) in enumerate(zip(wide, seeds, pictures, strict=True)):
        assert (both - 0.07) ** 2 == pytest.approx((by_seeds - 0.07) ** 2 + (by_pictures - 0.07) ** 2), side
    assert all(low < 0.07 < high for low, high in (wide, seeds, pictures))


def test_sides_may_be_exchanged() -> None:
    for one, other in itertools.combinations((right(3, 5, of=9), right(8, of=9), right(9, of=9)), 2):
        low, high = difference_interval(one, other, (9, 9)) or (0.0, 0.0)
        assert difference_interval(other, one, (9, 9)) == pytest.approx((-high, -low))
