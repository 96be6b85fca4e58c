from pathlib import Path

import pytest

from retinula.cli.targets import one_target
from retinula.errors import InputError


def test_a_target_is_told_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    for name in ("./a=b", "a=b", "../gone=1", str(tmp_path / "a=b"), "digits"):
        assert one_target([name, "epochs=4", "lr=0.1"]) == (name, ["epochs=4", "lr=0.1"])
    long = f"classes=[{'0, ' * 200}]"
    assert one_target([long, "gone=1"]) == (None, [long, "gone=1"])
    with pytest.raises(InputError, match=r"one recipe, data set or folder at a time, not digits and \./a=b"):
        one_target(["digits", "./a=b"])


@pytest.mark.parametrize(
    ("words", "mended"),
    [
        (["epochs", "3"], "epochs=3"),
        (["digits", "learning_rate", "0.1"], "lr=0.1"),
        (["digits", "seed=1", "optimizer"], r"optimizer=\.\.\."),
    ],
)
def test_a_setting_without_an_equals_sign_is_told_how_it_is_written(words: list[str], mended: str) -> None:
    with pytest.raises(InputError, match=rf"^settings are written {mended}$"):
        one_target(words)


def test_a_folder_called_as_a_setting_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    with pytest.raises(InputError, match="one recipe, data set or folder at a time, not digits and photos"):
        one_target(["digits", "photos"])
