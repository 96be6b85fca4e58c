"""Folders may hold a hundred thousand pictures: they are listed once, and it is told."""

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from retinula.datasets import listing, load, tables


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each folder was listed, by its name."""
    times: Counter[str] = Counter()

    def scandir(path: Path) -> Any:
        times[Path(path).name] += 1
        return real(path)

    real = os.scandir
    monkeypatch.setattr(listing.os, "scandir", scandir)  # type: ignore[attr-defined]  # os of listing is os
    monkeypatch.setattr(listing, "EACH_TOLD", 2)
    return times


def filled(folder: Path) -> Path:
    for number in range(6):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    return folder


@pytest.mark.parametrize("kind", ["folder", "table", "merged"])
def test_a_folder_is_listed_once_and_it_is_told(tmp_path: Path, kind: str, entered: Counter[str]) -> None:
    path, more = filled(tmp_path / "set"), []
    if kind == "table":
        path /= "labels.csv"
        path.write_text("file,label\n0.png,cat\ngone,cat\n1.png,dog\ncat/2.png,cat\n3,dog\n")
    if kind == "merged":
        more = [filled(tmp_path / "more")]
    told: list[tuple[str, int, int | None]] = []
    cache = tmp_path / "cache"
    dataset = load.load(path, more=more, cache_dir=cache, progress=lambda *words: told.append(words))
    assert sum(map(len, dataset.splits.values())) == {"folder": 6, "table": 4, "merged": 12}[kind]
    folders = {"set": 1, "cat": 1, "dog": 1} if kind != "merged" else {"set": 1, "more": 1, "cat": 2, "dog": 2}
    assert {name: entered[name] for name in folders} == folders
    numbers = [done for what, done, total in told if (what, total) == ("listing set", None)]
    assert numbers[0] == 0 < numbers[-1] <= 6
    assert numbers == sorted(numbers)
    assert told[-1][0].startswith("preparing ")


def test_a_table_whose_paths_are_all_there_lists_nothing(tmp_path: Path, entered: Counter[str]) -> None:
    path = filled(tmp_path / "set") / "labels.csv"
    path.write_text("file,label\n" + "".join(f"{('cat', 'dog')[n % 2]}/{n}.png,{n % 2}\n" for n in range(6)))
    load.load(path, cache_dir=tmp_path / "cache")
    assert not entered["set"]


def test_the_digest_of_a_listing_is_the_same_for_ever(tmp_path: Path) -> None:
    """Another one would have every folder and table prepared anew."""
    folder = filled(tmp_path / "set")
    names = [f"{('cat', 'dog')[n % 2]}/{n}.png" for n in range(6)]
    for name in names:
        (folder / name).write_bytes(b"12345")
        os.utime(folder / name, ns=(7, 7))
    (folder / "cat/photo.heic").touch()
    found = listing.find_in_folder(folder)
    skipped = ".heic is not supported; convert it to JPEG or PNG cat/photo.heic"
    lines = [skipped, *(f"5 7 {name}" for name in names[::2] + names[1::2])]
    assert listing.listing_digest(found, "set") == hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    (folder / "labels.csv").write_text(f"file,label,split\n{names[1]},b,test\ngone,a,\n{names[2]},a,\n{names[0]},b,\n")
    listed = tables.find(folder / "labels.csv")
    lines = [
        "there is no such file gone",
        f"5 7 test b {names[1]}",
        f"5 7 train a {names[2]}",
        f"5 7 train b {names[0]}",
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert listing.listing_digest(listed.files, "labels.csv", said=listed.said) == digest
