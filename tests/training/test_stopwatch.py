import pytest

from retinula.training.stopwatch import best_seconds


class Bench:
    """Actions whose times are given, and the clock they move."""

    def __init__(self, **seconds: list[float]) -> None:
        self.now, self.log = 0.0, ""
        self.seconds = {name: iter(times) for name, times in seconds.items()}
        self.actions = [lambda name=name: self.act(name) for name in seconds]  # a default binds it

    def act(self, name: str) -> None:
        self.log += name
        self.now += next(self.seconds[name])

    def clock(self) -> float:
        return self.now


def test_the_best_counts_and_the_first_does_not() -> None:
    bench = Bench(a=[0.001, 0.05, 0.03, 0.04])
    assert best_seconds(bench.actions, bench.clock) == pytest.approx([0.03])


def test_actions_are_measured_in_turns() -> None:
    bench = Bench(a=[1.0, 0.01, 0.02, 0.03], b=[1.0, 0.03, 0.01, 0.02])
    assert best_seconds(bench.actions, bench.clock) == pytest.approx([0.01, 0.01])
    assert bench.log == "ab" * 4


def test_what_takes_long_is_measured_once() -> None:
    bench = Bench(a=[1.0, 0.2], b=[1.0, 0.3])
    assert best_seconds(bench.actions, bench.clock) == pytest.approx([0.2, 0.3])
    assert bench.log == "abab"
