"""`retinula data check` on what is named by its path."""

import json
import sys
from pathlib import Path

import pytest

import tiny_cifar
from retinula.cli import main
from retinula.datasets.catalog import CATALOG


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
