import json

import pytest
from rich.progress import Progress

from retinula.cli import terminal
from retinula.cli.terminal import Lines, TrainingReporter, counting, number, remark, say, say_json, share
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


def test_shares_and_numbers() -> None:
    assert (share(0.7416), share(0.5, 0), share(None)) == ("74.16 %", "50 %", "-")
    assert (number(0.90349), number(1.0, 1), number(None)) == ("0.9035", "1.0", "-")


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


def test_of_hundreds_of_quick_epochs_some_are_told_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    with TrainingReporter(lambda: now) as reporter:
        for epoch in range(1, 242):
            now += 11 if epoch == 42 else 0.01
            reporter.step(StepProgress(2 * epoch, 500, epoch, 250, 0.5, 100, 1))
            reporter.epoch(epoch_row(epoch))
        reporter.message("stopped early")
    *lines, last = capsys.readouterr().err.splitlines()
    assert last == "stopped early"
    assert [int(line.split()[1]) for line in lines] == [1, *range(5, 41, 5), 42, *range(45, 241, 5), 241]


def test_the_last_epoch_is_told_where_nothing_follows_it(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingReporter() as reporter:
        for epoch in (1, 2):
            reporter.step(StepProgress(epoch, 99, epoch, 99, 0.5, 100, 1))
            reporter.epoch(epoch_row(epoch))
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["1", "2"]


def test_elsewhere_than_on_a_terminal_what_takes_a_while_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    tell = Lines(lambda: now)
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


def test_what_is_quick_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with counting() as progress, TrainingReporter() as reporter:
        for done in range(100):
            progress("reading", done, 100)
            reporter.loading("reading", done, 100)
    assert capsys.readouterr().err == ""
