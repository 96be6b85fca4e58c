import io
import json
import sys
from collections.abc import Sequence

import pytest
from rich.progress import Progress

from retinula.cli import terminal
from retinula.cli.terminal import TrainingReporter, counting, remark, say, say_json
from retinula.cli.trials import TrialsReporter
from retinula.training.reporting import StepProgress
from small_runs import epoch_row

HOSTILE = "\x1b[2J[/x]\x9d\u202e"


def test_what_names_say_to_a_terminal_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one\ttwo\nthree {HOSTILE}")
    remark(HOSTILE)
    said = capsys.readouterr()
    assert said.out == "one\ttwo\nthree \\x1b[2J[/x]\\x9d\\u202e\n"
    assert said.err == "\\x1b[2J[/x]\\x9d\\u202e\n"
    say_json({"name": f"{HOSTILE}\x7f\n"})
    assert json.loads(capsys.readouterr().out) == {"name": f"{HOSTILE}\x7f\n"}


def test_names_are_no_markup_of_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn: list[str] = []
    real = Progress.update

    def update(bar: Progress, *arguments: object, **values: object) -> None:
        real(bar, *arguments, **values)  # type: ignore[arg-type]  # whatever it is given
        bar.refresh()
        drawn.append(str(values.get("description")))

    monkeypatch.setattr(Progress, "update", update)
    monkeypatch.setattr(terminal, "on_terminal", lambda: True)
    with counting() as progress:
        progress(f"listing {HOSTILE}", 1, 2)
    with TrainingReporter() as reporter:
        reporter.loading(f"listing {HOSTILE}", 1, 2)
        reporter.message(f":cat: {HOSTILE}")
    assert drawn[:2] == ["listing \\x1b[2J\\[/x]\\x9d\\u202e"] * 2
    assert ":cat: \\x1b[2J[/x]\\x9d\\u202e" in capsys.readouterr().err


def test_elsewhere_than_on_a_terminal_an_epoch_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingReporter() as reporter:
        reporter.message("computing on cpu")
        reporter.epoch(epoch_row(2, 780, loss=1.25, accuracy=0.5, seconds=48.2))
        reporter.epoch(epoch_row(3, 1170, loss=1.0, val_loss=0.9, val_accuracy=0.6, seconds=48))
    assert capsys.readouterr().err.splitlines() == [
        "computing on cpu",
        "epoch   2  step    780  loss 1.2500  accuracy 50.00 %  48.2 s",
        "epoch   3  step   1170  loss 1.0000  val_loss 0.9000  val_accuracy 60.00 %  48.0 s",
    ]


def test_what_is_quick_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with counting() as progress, TrainingReporter() as reporter:
        for done in range(100):
            progress("reading", done, 100)
            reporter.loading("reading", done, 100)
    assert capsys.readouterr().err == ""


class Clock:
    """Says what it is set to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Terminal(io.StringIO):
    """A terminal, which may go while it is drawn on."""

    has_gone = False

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        if self.has_gone:
            raise OSError(5, "Input/output error")


def opened(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def train_a_little(reporter: TrainingReporter, clock: Clock) -> None:
    row = epoch_row(1, 7, loss=2.3, accuracy=0.9771, val_loss=1.23, val_accuracy=0.9722, seconds=3.4)
    for epoch in (12, 13):
        clock.seconds += 10
        reporter.step(StepProgress(10 * epoch, 200, epoch, 200, 1.3051, 12345.6, 90))
        if reporter._bar is not None:
            reporter._bar.refresh()
        reporter.epoch(row)


@pytest.mark.parametrize(
    ("width", "bar", "line"),
    [
        (
            60,
            ["epoch 13/200", "loss 1.305  val_accuracy 97.22 % 0:01:10"],
            "epoch   1  loss 2.3000  val_accuracy 97.22 %",
        ),
        (
            80,
            ["epoch 13/200", "loss 1.305  val_loss 1.2300  val_accuracy 97.22 % 0:01:10"],
            "epoch   1  step      7  loss 2.3000  accuracy 97.71 %  val_accuracy 97.22 %",
        ),
        (
            120,
            ["epoch 13/200", "loss 1.305  val_loss 1.2300  val_accuracy 97.22 %  12,346 images/s 0:01:10"],
            "epoch   1  step      7  loss 2.3000  accuracy 97.71 %  val_loss 1.2300  val_accuracy 97.22 %  3.4 s",
        ),
    ],
)
def test_on_a_narrow_terminal_the_bar_and_the_time_left_stay(
    width: int, bar: Sequence[str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    screen = opened(monkeypatch)
    clock = Clock()
    with TrainingReporter(clock=clock) as reporter:
        train_a_little(reporter, clock)
        reporter.loading("reading " + "x" * 200, 1, 2)
        assert reporter._bar is not None
        reporter._bar.refresh()
    drawn = [each for part in screen.getvalue().split("\n") for each in part.split("\x1b[2K") if each.strip()]
    lines = [each.strip("\r") for each in drawn if not each.startswith("\x1b")]
    (shown,) = {each for each in lines if each.startswith(bar[0])}
    assert len(shown) <= width
    assert shown.rstrip().endswith(bar[1])
    between = shown.rstrip().removeprefix(bar[0]).removesuffix(bar[1])
    assert between[0] == between[-1] == " "
    assert between[1:3] == "\u2501\u2501"
    assert 5 <= len(between) - 2 <= 40
    assert line in lines
    (long,) = {each for each in lines if each.startswith("reading ")}
    assert long.rstrip().endswith("-:--:--")
    assert "x\u2026 \u2501" in long.replace("\u2578", "\u2501").replace("\u257a", "\u2501")


def test_the_bar_of_the_next_seed_shows_nothing_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    opened(monkeypatch)
    with TrainingReporter() as reporter:
        shown = []
        for step in (20, 21, 1, 2, 20):
            reporter.step(StepProgress(step, 40, 1, 2, 1.3, 12345.6, 90))
            assert reporter._bar is not None
            shown.append("val_accuracy" in reporter._bar.tasks[0].fields["figures"])
            if step == 20:
                reporter.epoch(epoch_row(1, 20, val_loss=1.23, val_accuracy=0.9722))
    assert shown == [False, True, False, False, False]


@pytest.mark.parametrize("kind", [TrainingReporter, TrialsReporter])
def test_a_terminal_that_goes_takes_no_training_with_it(
    kind: type[TrainingReporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = opened(monkeypatch)
    with kind() as reporter, counting() as progress:
        screen.has_gone = True
        train_a_little(reporter, Clock())
        progress("evaluating", 1, 2)
        reporter.message("over")


def test_closed_streams_are_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with counting() as progress, TrainingReporter() as reporter:
        progress("evaluating", 1, 2)
        train_a_little(reporter, Clock())
        assert reporter._bar is None


def test_what_is_printed_beside_a_bar_goes_where_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = opened(monkeypatch)
    with counting() as progress:
        progress("reconstructing", 1, 2)
        say("a result")
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in screen.getvalue()
