"""`retinula data cache`."""

import json
from pathlib import Path

import pytest

from command_line import run_command
from retinula.datasets.load import cache_folder, load

Capture = pytest.CaptureFixture[str]


def test_the_cache_is_listed_and_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    place = cache_folder() / "prepared"
    empty, _ = run_command(monkeypatch, capsys, "data", "cache")
    assert empty == f"0.0 MB in {place}\n"
    load("shapes", size=(8, 8))
    kept = cache_folder() / "splits" / "mine.json"
    kept.parent.mkdir()
    kept.touch()
    told = json.loads(run_command(monkeypatch, capsys, "data", "cache", "--json")[0])
    (found,) = told["sets"]
    assert (found["name"], found["num_images"], told["folder"]) == ("shapes", 5000, str(place))
    head, row, total = run_command(monkeypatch, capsys, "data", "cache")[0].splitlines()
    assert head.split() == ["name", "pictures", "size", "made", "folder"]
    assert row.split()[:4] == ["shapes", "5,000", "1.1", "MB"]
    assert row.endswith(Path(found["folder"]).name)
    assert total == f"1.1 MB in {place}"
    said, _ = run_command(monkeypatch, capsys, "data", "cache", "--clear")
    assert said == f"1 folder removed from {place}, 1.1 MB\n"
    assert kept.exists()
    emptied = json.loads(run_command(monkeypatch, capsys, "data", "cache", "--clear", "--json")[0])
    assert emptied == {"folder": str(place), "num_bytes": 0, "removed": [], "spared": []}
