import pytest

from retinula.cli.terminal import TrainingReporter, number, share, table


def test_numbers_stand_to_the_right() -> None:
    assert table(("name", "pictures", "what"), [("a", "1,797", "x"), ("longer", "5", "")]) == [
        "name    pictures  what",
        "a          1,797  x",
        "longer         5",
    ]


def test_shares_and_numbers() -> None:
    assert (share(0.7416), share(0.5, 0), share(None)) == ("74.16%", "50%", "-")
    assert (number(0.90349), number(1.0, 1), number(None)) == ("0.9035", "1.0", "-")


def test_elsewhere_than_on_a_terminal_an_epoch_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingReporter() as reporter:
        reporter.message("computing on cpu")
        reporter.epoch(
            {
                "epoch": 2,
                "step": 780,
                "loss": 1.25,
                "accuracy": 0.5,
                "val_loss": None,
                "val_accuracy": None,
                "seconds": 48.2,
            }
        )
        reporter.epoch(
            {
                "epoch": 3,
                "step": 1170,
                "loss": 1.0,
                "accuracy": None,
                "val_loss": 0.9,
                "val_accuracy": 0.6,
                "seconds": 48,
            }
        )
    assert capsys.readouterr().err.splitlines() == [
        "computing on cpu",
        "epoch   2  step    780  loss 1.2500  accuracy 50.00%  48.2 s",
        "epoch   3  step   1170  loss 1.0000  val_loss 0.9000  val_accuracy 60.00%  48.0 s",
    ]
