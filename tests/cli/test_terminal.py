import json

import pytest
from rich.progress import Progress

from retinula.cli import terminal
from retinula.cli.terminal import TrainingReporter, counting, remark, say, say_json
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
