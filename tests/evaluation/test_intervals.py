"""The interval against a value worked out by hand, and scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from retinula.evaluation.intervals import interval_of_mean, wilson_interval


def test_wilson_interval_by_hand() -> None:
    # 8 of 10 with z = 1.959964: (0.8 + 0.1920729 +- 1.959964 * sqrt(0.016 + 0.0096036)) / 1.3841459
    assert wilson_interval(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)


def test_interval_of_a_mean_is_narrower_where_values_differ_less() -> None:
    assert interval_of_mean(0.8, 0.16, 10) == pytest.approx(wilson_interval(8, 10), abs=1e-12)
    # (0.8 + 0.1920729 +- 1.959964 * sqrt(0.004 + 0.0096036)) / 1.3841459
    assert interval_of_mean(0.8, 0.04, 10) == pytest.approx((0.551585, 0.881896), abs=1e-6)
    assert interval_of_mean(1.0, 0.0, 3) == pytest.approx((3 / 6.841459, 1.0), abs=1e-6)
    low, high = interval_of_mean(0.8, 0.04, 10, confidence=0.5)
    assert 0.551585 < low < 0.8 < high < 0.881896


@given(st.integers(1, 500), st.floats(0.5, 0.999), st.data())
def test_wilson_interval_agrees_with_scipy(total: int, confidence: float, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, total))
    expected = binomtest(correct, total).proportion_ci(confidence, method="wilson")
    measured = wilson_interval(correct, total, confidence)
    assert measured == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.integers(1, 10_000), st.data())
def test_wilson_interval_holds_the_share_and_mirrors(total: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, total))
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx(wilson_interval(total - correct, total), abs=1e-12)
    assert low == 0 if correct == 0 else low > 0
    assert high == 1 if correct == total else high < 1


@pytest.mark.parametrize(("correct", "total", "confidence"), [(1, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1)])
def test_wilson_interval_refuses_what_is_no_share(correct: int, total: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"is no share|must lie between"):
        wilson_interval(correct, total, confidence)
