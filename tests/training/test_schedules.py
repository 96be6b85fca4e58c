import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinula.recipe.sections import Schedule
from retinula.training.schedules import ONE_CYCLE_END as LAST
from retinula.training.schedules import ONE_CYCLE_START as FIRST
from retinula.training.schedules import multiplier


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), {0.0: 1, 0.5: 1, 1.0: 1}),
        (Schedule(warmup=0.2), {0.0: 0, 0.1: 0.5, 0.2: 1, 0.9: 1}),
        (Schedule(name="step", milestones=(0.5, 0.25), factor=0.5), {0.0: 1, 0.2: 1, 0.25: 0.5, 0.5: 0.25, 1.0: 0.25}),
        (Schedule(name="step", milestones=(0.5,), warmup=0.4), {0.0: 0, 0.2: 0.5, 0.4: 1, 0.5: 0.1}),
        (Schedule(name="cosine"), {0.0: 1, 0.5: 0.5, 1.0: 0}),
        (Schedule(name="cosine", warmup=0.5), {0.25: 0.5, 0.5: 1, 0.75: 0.5, 1.0: 0}),
        (Schedule(name="one-cycle", peak=0.4), {0.0: FIRST, 0.2: (1 + FIRST) / 2, 0.4: 1, 1.0: LAST}),
        (Schedule(name="piecewise", points=((0.0, 0.2), (0.25, 1.0), (1.0, 0.0))), {0.125: 0.6, 0.25: 1, 1.0: 0}),
        (Schedule(name="piecewise", points=((0.5, 2.0), (0.75, 1.0))), {0.0: 2, 0.5: 2, 0.625: 1.5, 0.75: 1, 1.0: 1}),
    ],
)  # fmt: skip
def test_values_worked_out_by_hand(schedule: Schedule, expected: dict[float, float]) -> None:
    rate = multiplier(schedule)
    for done, value in expected.items():
        assert rate(done) == pytest.approx(value, abs=1e-12), done


@given(
    name=st.sampled_from(["constant", "step", "cosine", "one-cycle"]),
    warmup=st.floats(0, 0.9),
    done=st.floats(0, 1),
)
def test_rates_reach_the_highest_and_are_never_negative_or_above_it(name: str, warmup: float, done: float) -> None:
    warmup = 0.0 if name == "one-cycle" else warmup
    schedule = Schedule(name=name, warmup=warmup, milestones=(0.93, 0.96))  # type: ignore[arg-type]  # drawn
    rate = multiplier(schedule)
    assert 0 <= rate(done) <= 1 + 1e-12
    assert math.isfinite(rate(done))
    assert rate(schedule.peak if name == "one-cycle" else warmup) == pytest.approx(1)
