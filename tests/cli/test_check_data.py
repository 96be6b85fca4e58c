"""`retinula data check` on what is named by its path."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tiny_cifar
from retinula.cli import main
from retinula.datasets.catalog import CATALOG
from retinula.datasets.load import load


@pytest.mark.parametrize("packed", [True, False])
def test_an_official_archive_is_known_by_its_name(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = tiny_cifar.entry("cifar10")
    assert tiny.archive is not None
    monkeypatch.setitem(CATALOG, "cifar10", tiny)
    files = tiny_cifar.pickled(tiny_cifar.fields("cifar10"))
    path = tmp_path / tiny.archive.name
    if packed:
        tiny_cifar.write_archive(path, tiny.archive.folder, files)
    else:
        path = tmp_path / tiny.archive.folder
        tiny_cifar.write_folder(path, files)
    monkeypatch.setattr(sys, "argv", ["retinula", "data", "check", str(path), "--json"])
    with pytest.raises(SystemExit) as left:
        main.main()
    said = capsys.readouterr()
    assert left.value.code == 0, said.err
    report = json.loads(said.out)
    assert report["num_images"] == {"train": tiny_cifar.NUM_TRAIN, "test": tiny_cifar.NUM_TEST}
    assert report["name"] == "cifar10"


def test_leaks_are_looked_for_in_the_split_that_training_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def add(numbers: range) -> None:
        for name in ("ant", "bee"):
            Path("pets", name).mkdir(parents=True, exist_ok=True)
            for number in numbers:
                values = np.random.default_rng([number, ord(name[0])]).integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(values).save(f"pets/{name}/{number}.png")

    def checked(path: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["retinula", "data", "check", path, "--json"])
        with pytest.raises(SystemExit) as left:
            main.main()
        said = capsys.readouterr()
        assert left.value.code == 0, said.err
        report: dict[str, Any] = json.loads(said.out)
        return report

    add(range(5))
    load("pets")
    add(range(5, 40))  # with so many more a new split would be another one
    splits = load("pets").splits
    sources = {split: image_set.sources or [] for split, image_set in splits.items()}
    assert checked("pets")["clean"]
    shutil.copyfile(Path("pets", sources["test"][0]), Path("pets", sources["train"][0]))
    (found,) = checked("pets")["duplicates"]
    assert found["leak"]
    assert {place["split"] for place in found["pictures"]} == {"train", "test"}


def test_a_table_is_checked_as_folders_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = ["file,label"]
    for number in range(30):
        values = np.full((8, 8), number if number else 7, dtype=np.uint8)
        values[0, 0] = 255
        Image.fromarray(values).save(f"{number}.png")
        rows.append(f"{number}.png,{'odd' if number % 2 else 'even'}")
    Path("all.CSV").write_text("\n".join([*rows, "gone.png,odd"]))
    monkeypatch.setattr(sys, "argv", ["retinula", "data", "check", "all.CSV"])
    with pytest.raises(SystemExit) as left:
        main.main()
    said = capsys.readouterr()
    assert left.value.code == 0, said.err
    assert "0.png (" in said.out
    assert "gone.png" in said.out
