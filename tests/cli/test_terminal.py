from pathlib import Path

import pytest

from retinula.cli.terminal import TrainingReporter, number, one_target, share, table
from retinula.errors import InputError


def test_numbers_stand_to_the_right() -> None:
    assert table(("name", "pictures", "what"), [("a", "1,797", "x"), ("longer", "5", "")]) == [
        "name    pictures  what",
        "a          1,797  x",
        "longer         5",
    ]


def test_shares_and_numbers() -> None:
    assert (share(0.7416), share(0.5, 0), share(None)) == ("74.16%", "50%", "-")
    assert (number(0.90349), number(1.0, 1), number(None)) == ("0.9035", "1.0", "-")


def test_a_target_is_told_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    for name in ("./a=b", "a=b", "../gone=1", str(tmp_path / "a=b"), "digits"):
        assert one_target([name, "epochs=4", "lr=0.1"]) == (name, ["epochs=4", "lr=0.1"])
    long = f"classes=[{'0, ' * 200}]"
    assert one_target([long, "gone=1"]) == (None, [long, "gone=1"])
    with pytest.raises(InputError, match=r"one recipe, data set or folder at a time, not digits and \./a=b"):
        one_target(["digits", "./a=b"])


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
