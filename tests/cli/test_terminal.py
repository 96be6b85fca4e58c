import pytest

from retinula.cli.terminal import Lines, TrainingReporter, counting, number, share, table
from small_runs import epoch_row


def test_numbers_stand_to_the_right() -> None:
    assert table(("name", "pictures", "what"), [("a", "1,797", "x"), ("longer", "5", "")]) == [
        "name    pictures  what",
        "a          1,797  x",
        "longer         5",
    ]


def test_a_dash_stands_for_a_number_and_wide_letters_take_two_columns() -> None:
    assert table(("run", "test", "x"), [("写真-1", "74.16%", "a"), ("cafe\u0301", "-", "-")]) == [
        "run       test  x",
        "写真-1  74.16%  a",
        "cafe\u0301         -  -",
    ]


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
