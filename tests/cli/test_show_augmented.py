"""`retinula data show --augmented` draws what training with a recipe makes of a picture."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinula.cli import main
from retinula.images import ImageSet
from retinula.recipe.recipe import Recipe
from retinula.training.shown import FedBatch, fed_batch


def test_figures_are_written_beside_the_sheets_and_of_a_plain_recipe_the_batch_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ant", "bee"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["retinula", "data", "show", "pets", *words])
        with pytest.raises(SystemExit) as left:
            main.main()
        return int(str(left.value.code))

    assert call("--out", "drawn", "--augmented", "cifar10-augmented", "--json") == 0
    files = json.loads(capsys.readouterr().out)["files"]
    figures = [str(Path("drawn") / f"augmented-cifar10-augmented.{kind}") for kind in ("png", "svg")]
    figures += [str(Path("drawn") / f"batch-cifar10-augmented.{kind}") for kind in ("png", "svg")]
    assert files[-4:] == figures
    assert all(Path(file).stat().st_size > 1000 for file in figures)
    assert call("--out", "plain", "--augmented", "cifar10-cnn", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["files"][-2:] == [
        str(Path("plain") / f"batch-cifar10-cnn.{kind}") for kind in ("png", "svg")
    ]
    assert not list(Path("plain").glob("augmented-*"))
    assert "cifar10-cnn changes no picture by itself: only its first batch is drawn" in told.err
    assert call("--augmented", "cifar10-aug") == 2
    assert not Path("sheets").exists()
    assert "did you mean 'cifar10-augmented'" in capsys.readouterr().err


def test_what_is_shown_is_what_the_recipe_trains_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = []

    def drawn(recipe: Recipe, train_set: ImageSet) -> FedBatch:
        shown.append(train_set)
        return fed_batch(recipe, train_set)

    monkeypatch.setattr("retinula.training.shown.fed_batch", drawn)
    Path("own.toml").write_text(
        '[data]\nname = "digits"\nclasses = [0, 1]\n[inputs]\nsize = [16, 16]\n[model]\nname = "residual"\n'
    )
    monkeypatch.setattr(sys, "argv", ["retinula", "data", "show", "digits", "--augmented", "own.toml"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 0, capsys.readouterr().err
    assert shown[0].classes == ("0", "1")
    assert shown[0].shape == (1, 16, 16)
    Path("own.toml").write_text('[model]\nname = "residul"\n')
    with pytest.raises(SystemExit):
        main.main()
    assert "there is no network 'residul'; did you mean 'residual'?" in capsys.readouterr().err
