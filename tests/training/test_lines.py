"""Reporters that are ready: what they say, where, and when they say nothing."""

import pytest

from retinula.errors import Interrupted
from retinula.training.lines import LineReporter, Lines, telling
from retinula.training.reporting import Reporter, StepProgress
from small_runs import epoch_row


def test_of_hundreds_of_quick_epochs_some_are_told_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    with LineReporter(clock=lambda: now) as reporter:
        for epoch in range(1, 242):
            now += 11 if epoch == 42 else 0.01
            reporter.step(StepProgress(2 * epoch, 500, epoch, 250, 0.5, 100, 1))
            reporter.epoch(epoch_row(epoch))
        reporter.message("stopped early")
    *lines, last = capsys.readouterr().err.splitlines()
    assert last == "stopped early"
    assert [int(line.split()[1]) for line in lines] == [1, *range(5, 41, 5), 42, *range(45, 241, 5), 241]


def test_the_last_epoch_is_told_where_nothing_follows_it(capsys: pytest.CaptureFixture[str]) -> None:
    with LineReporter() as reporter:
        for epoch in (1, 2):
            reporter.step(StepProgress(epoch, 99, epoch, 99, 0.5, 100, 1))
            reporter.epoch(epoch_row(epoch))
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["1", "2"]


def test_what_takes_a_while_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    tell = Lines(clock=lambda: now)
    for second in range(31):
        now = 100.0 + second
        tell("preparing digits", second * 10, 300)
        if second == 12:
            tell("copying", 12_345, None)
            tell("waiting", 0, None)
            tell("waiting", 0, None)
            tell("preparing digits", 121, 300)
    assert capsys.readouterr().err.splitlines() == [
        "preparing digits 17 %",
        "copying 12,345",
        "waiting",
        "preparing digits 40 %",
        "preparing digits 73 %",
    ]


def test_lines_go_to_whoever_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    with LineReporter(told.append) as reporter:
        reporter.message("a decision")
        reporter.epoch(epoch_row(1))
    assert [line.split()[0] for line in told] == ["a", "epoch"]
    assert capsys.readouterr() == ("", "")


def test_who_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    own = Reporter()
    for progress in (True, False):
        with telling(own, progress=progress) as told:
            assert told is own
    with telling(None, progress=False) as told:
        told.message("silent")
    with telling(None, progress=True) as told:
        told.message("one\x1b[2J")
    assert capsys.readouterr() == ("", "one\\x1b[2J\n")


def test_what_ends_a_training_is_told_whoever_has_stopped_taking_lines() -> None:
    def write(text: str) -> None:
        raise BrokenPipeError(text)

    def ended(error: Exception | None) -> None:
        with LineReporter(write) as reporter:
            reporter._untold = "epoch 3"
            if error is not None:
                raise error

    with pytest.raises(Interrupted, match="all is saved"):
        ended(Interrupted("all is saved"))
    with pytest.raises(BrokenPipeError, match="epoch 3"):
        ended(None)
