"""`retinula data show --augmented` draws what training with a recipe makes of a picture."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinula.cli import main


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
