"""Folders of one's own as they come: many classes, odd names, few pictures, several folders, splits that stay."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinula.datasets import load
from retinula.datasets.folder import find
from retinula.datasets.folder import read as read_folder
from retinula.datasets.listing import Files
from retinula.datasets.options import Options
from retinula.datasets.reading import Dataset, SplitName
from retinula.datasets.recognition import past_splits
from retinula.datasets.split_record import read_record, write_record
from retinula.errors import InputError


def fill(folder: Path, counts: dict[str, int], first: int = 0, ending: str = "png") -> Path:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            Image.new("RGB", (8, 8), (number % 256, number // 256, len(name) % 256)).save(
                folder / name / f"{number:04}.{ending}", "PNG"
            )
    return folder


def places(dataset: Dataset) -> dict[str, str]:
    return {source: split for split, found in dataset.splits.items() for source in found.sources or ()}


def test_thousands_of_classes_of_one_picture_and_more(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", {f"class {number}": 1 for number in range(2000)} | {"two": 2})
    dataset = load.load(folder, cache_dir=tmp_path / "cache")
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert len(train.classes) == 2001
    assert train.classes[:3] == ("class 0", "class 1", "class 2")
    # A class of one picture is trained on; of two, one is for testing.
    assert (len(train), len(test)) == (2001, 1)
    assert set(train.counts().values()) == {1}


def test_names_in_any_language_and_of_any_length(tmp_path: Path) -> None:
    names = ["日本語", "عربى", "ñandú 🦤", "x" * 200, "a\nb", "-rf", "Ä", "ä2"]
    folder = fill(tmp_path / "sét", dict.fromkeys(names, 2), ending="PnG")
    (folder / "Ä" / ("y" * 240 + ".PNG")).write_bytes((folder / "Ä/0000.PnG").read_bytes())
    dataset = load.load(folder, cache_dir=tmp_path / "cache")
    assert set(dataset.splits["train"].classes) == {"a\\nb" if name == "a\nb" else name for name in names}
    assert len(places(dataset)) == 17
    assert dataset.skipped == ()


def test_deep_folders_belong_to_the_class_above(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", {"cat/black/small": 2, "cat/white": 2, "dog/a/b/c/d/e": 2})
    dataset = load.load(folder, cache_dir=tmp_path / "cache")
    assert dataset.splits["train"].classes == ("cat", "dog")
    assert len(places(dataset)) == 6


def test_splits_stay_when_pictures_come_and_go(tmp_path: Path) -> None:
    folder, cache = fill(tmp_path / "set", {"cat": 30, "dog": 12}), tmp_path / "cache"
    before = places(load.load(folder, cache_dir=cache))
    assert sum(split == "test" for split in before.values()) == 8
    fill(folder, {"cat": 30, "owl": 10}, first=100)
    after = places(load.load(folder, cache_dir=cache))
    assert before.items() <= after.items()
    assert sum(split == "test" for split in after.values()) == 12 + 2 + 2
    # What is gone may come back, and another size or a lost preparation changes nothing.
    moved = tmp_path / "moved"
    shutil.move(folder / "cat", moved)
    load.load(folder, cache_dir=cache)
    shutil.move(moved, folder / "cat")
    shutil.rmtree(cache / "prepared")
    assert places(load.load(folder, cache_dir=cache, size=(16, 16))) == after


def archived(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


def tabled(folder: Path) -> Path:
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in sorted(folder.rglob("*.png"))]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]))
    return folder / "labels.csv"


@pytest.mark.parametrize("source", [Path, archived, tabled])
def test_what_is_moved_to_another_class_renamed_or_copied_keeps_its_side(
    tmp_path: Path, source: Callable[[Path], Path]
) -> None:
    folder, cache = fill(tmp_path / "set", {"cat": 30, "weasel": 30}), tmp_path / "cache"
    (folder / "cat/0007.png").write_bytes((folder / "cat/0007.png").read_bytes() + bytes(100_000))  # is not read whole
    before = places(load.load(source(folder), cache_dir=cache))
    (folder / "weasel/old").mkdir()
    for number in range(30):
        shutil.move(folder / f"cat/{number:04}.png", folder / f"weasel/old/new name {number}.png")
        shutil.copy(folder / f"weasel/{number:04}.png", folder / f"cat/copy {number}.png")
    fill(folder, {"cat": 10}, first=100)
    after = places(load.load(source(folder), cache_dir=cache))
    for number in range(30):
        assert after[f"weasel/old/new name {number}.png"] == before[f"cat/{number:04}.png"]
        assert after[f"cat/copy {number}.png"] == after[f"weasel/{number:04}.png"] == before[f"weasel/{number:04}.png"]
    assert sum(after[f"cat/{number:04}.png"] == "test" for number in range(100, 110)) == 2, "of those that are new"


def test_only_files_that_may_have_been_there_before_are_opened_to_be_recognised(tmp_path: Path) -> None:
    folder, record = fill(tmp_path / "set", {"cat": 10, "dog": 10}), tmp_path / "record.json"
    opened: list[str] = []

    def looked_through() -> Files:
        files = find(folder)

        def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
            opened.extend(wanted)
            return files.open(wanted)

        return replace(files, open=contents)

    def read() -> dict[str, SplitName]:
        opened.clear()
        return past_splits(looked_through(), record)

    assert (read(), opened) == ({}, [])
    reading = read_folder(folder, Options(size=(8, 8)), record, looked_through())
    assert len(list(reading.chunks())) == 2
    assert len(opened) == 20, "each once"
    assert (read(), opened) == (read_record(record), [])
    Image.new("RGB", (50, 40)).save(folder / "cat/larger.png")
    assert (len(read()), opened) == (20, [])
    shutil.move(folder / "dog/0003.png", folder / "cat/0033.png")
    assert (len(read()), opened) == (21, ["cat/0033.png"])


def test_equal_pictures_on_both_sides_are_trained_on_once_one_is_moved(tmp_path: Path) -> None:
    folder, cache = fill(tmp_path / "set", {"cat": 10, "dog": 10}), tmp_path / "cache"
    before = places(load.load(folder, cache_dir=tmp_path / "other"))
    train, test = (next(name for name in before if before[name] == split) for split in ("train", "test"))
    shutil.copy(folder / train, folder / test)
    assert places(load.load(folder, cache_dir=cache))[test] == "test"
    shutil.move(folder / test, folder / "dog/moved.png")
    assert places(load.load(folder, cache_dir=cache))["dog/moved.png"] == "train"


def test_what_comes_back_is_for_what_it_was(tmp_path: Path) -> None:
    record = tmp_path / "splits/record.json"
    write_record(record, {"train": ["a", "b"], "test": ["c"]})
    write_record(record, {"train": ["b"], "test": ["d"]})
    assert read_record(record) == {"a": "train", "b": "train", "c": "test", "d": "test"}
    write_record(record, {"train": ["c"], "test": ["a"]})
    assert read_record(record) == {"a": "test", "b": "train", "c": "train", "d": "test"}, "the newest counts"
    write_record(record, {"train": ["c"]}, forgetting=True)
    assert read_record(record) == {"c": "train"}


def test_a_class_that_loses_all_it_is_trained_on(tmp_path: Path) -> None:
    folder, cache = fill(tmp_path / "set", {"cat": 10, "dog": 10}), tmp_path / "cache"
    before = places(load.load(folder, cache_dir=cache))
    for source, split in before.items():
        if source.startswith("cat") and split == "train":
            (folder / source).unlink()
    dataset = load.load(folder, cache_dir=cache)
    assert dataset.splits["train"].counts()["cat"] == dataset.splits["test"].counts()["cat"] == 1


def test_a_damaged_record_is_made_anew(tmp_path: Path) -> None:
    folder, cache = fill(tmp_path / "set", {"cat": 10, "dog": 10}), tmp_path / "cache"
    before = places(load.load(folder, cache_dir=cache))
    (record,) = (cache / "splits").glob("*.json")
    whole = json.loads(record.read_bytes())
    without = {split: whole[split] for split in ("train", "test")}  # as earlier versions wrote it
    unusable: tuple[object, ...] = (3, {"train": [1]}, {"train": {}})
    odd = [json.dumps({**without, "digests": digests}).encode() for digests in unusable]
    for content in (b"rubbish", b"{}", b'{"train": 3, "test": 4}', b"[]", json.dumps(without).encode(), *odd):
        record.write_bytes(content)
        shutil.rmtree(cache / "prepared")
        assert places(load.load(folder, cache_dir=cache)) == before
        assert json.loads(record.read_bytes()) == whole


def test_several_folders_and_archives_become_one(tmp_path: Path) -> None:
    one = fill(tmp_path / "one/photos", {"cat": 5, "dog": 5})
    two = fill(tmp_path / "two/photos", {"dog": 10, "owl": 5}, first=50)
    third = fill(tmp_path / "third", {"train/cat": 2, "train/owl": 2, "test/cat": 1, "val/owl": 1}, first=80)
    (two / "owl/broken.png").write_bytes(b"")
    packed = Path(shutil.make_archive(str(tmp_path / "third"), "zip", third))
    dataset = load.load(one, more=[two, packed], cache_dir=tmp_path / "cache")
    assert dataset.name == "photos+photos+third"
    assert dataset.splits["train"].classes == ("cat", "dog", "owl")
    assert {split: found.counts() for split, found in dataset.splits.items()} == {
        "train": {"cat": 4 + 2, "dog": 4 + 8, "owl": 5 - 1 + 2},
        "validation": {"cat": 0, "dog": 0, "owl": 1},
        "test": {"cat": 1 + 1, "dog": 1 + 2, "owl": 1},
    }
    assert [one.source for one in dataset.skipped] == ["photos 2/owl/broken.png"]
    # Each is split as it is alone.
    alone = places(load.load(two, cache_dir=tmp_path / "cache"))
    assert {f"photos 2/{name}": split for name, split in alone.items()}.items() <= places(dataset).items()
    for found in dataset.splits.values():
        for source, image in zip(found.sources or (), np.asarray(found.images), strict=True):
            assert image[0, 0, 0] == int(Path(source).stem)
    fill(one, {"cat": 1}, first=99)
    assert len(places(load.load(one, more=[two, packed], cache_dir=tmp_path / "cache"))) == len(places(dataset)) + 1


def test_a_class_is_one_however_a_folder_writes_it(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", {unicodedata.normalize("NFC", "Kühe"): 5, "dog": 5})
    two = fill(tmp_path / "two", {unicodedata.normalize("NFD", "Kühe"): 5, "dog": 5}, first=50)
    dataset = load.load(one, more=[two], cache_dir=tmp_path / "cache")
    assert dataset.splits["train"].counts() == {"dog": 8, unicodedata.normalize("NFC", "Kühe"): 8}


def test_folders_of_one_name_stay_apart(tmp_path: Path) -> None:
    folders = [
        fill(tmp_path / place, {"cat": 5, "dog": 5}, first=10 * n) for n, place in enumerate(("a/x", "b/x", "c/x 2"))
    ]
    dataset = load.load(folders[0], more=folders[1:], cache_dir=tmp_path / "cache")
    found = places(dataset)
    assert len(found) == 30
    assert {name.split("/")[0] for name in found} == {"x 1", "x 3", "x 2"}


def test_what_was_set_apart_is_remembered_by_the_name_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a\nb \x1b[1m"
    record = load.split_record(path, cache_dir=tmp_path)
    words = (str(path), None, None, "squash", "fine", 0, 0)
    assert record == tmp_path / f"splits/a-b-1m-{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}.json"
    dataset = load.load(fill(path, {"cat": 5, "dog": 5}), cache_dir=tmp_path)
    assert dataset.name == "a\\nb \\x1b[1m"
    assert record.is_file()


def test_what_cannot_be_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "set", {"cat": 2, "dog": 2})
    with pytest.raises(InputError, match="name each folder or file once"):
        load.load(folder, more=[folder], cache_dir=tmp_path)
    monkeypatch.chdir(fill(tmp_path / "here", {"cat": 2, "dog": 2}))
    for other in ("", "cifar10", tmp_path / "none", fill(tmp_path / "x", {"cat": 1}) / "cat/0000.png"):
        with pytest.raises(InputError, match=r"is no folder, archive, table or \.npz file of yours: only those"):
            load.load(folder, more=[other], cache_dir=tmp_path)


def test_what_cannot_be_merged_sets_nothing_apart(tmp_path: Path) -> None:
    folder, other = fill(tmp_path / "set", {"cat": 5, "dog": 5}), fill(tmp_path / "one", {"cat": 2})
    with pytest.raises(InputError, match="only one class"):
        load.load(folder, more=[other], cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("splits/*"))


AS_NOBODY = """
import mmap, os, sys
from pathlib import Path
from retinula.datasets import load
from retinula.errors import InputError
os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    dataset = load.load(Path(sys.argv[1]), cache_dir=Path(sys.argv[2]))
except InputError as error:
    print(error)
else:
    print(len(dataset.splits["train"]), *(f"{one.source}: {one.reason}" for one in dataset.skipped), sep="\\n")
"""


@pytest.mark.skipif(not hasattr(os, "setuid") or os.geteuid() != 0, reason="only root may become somebody else")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(parent.stat().st_mode | 0o055)
        if parent == Path("/tmp"):  # noqa: S108 - only to stop there
            break
    folder = fill(tmp_path / "set", {"cat": 5, "dog": 5, "owl": 5})
    (folder / "cat/0003.png").chmod(0)
    (folder / "owl").chmod(0)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)

    def run(source: Path) -> list[str]:
        command = [sys.executable, "-c", AS_NOBODY, str(source), str(tmp_path / "cache")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert run(folder) == ["7", "owl/: Permission denied", "cat/0003.png: permission denied"]
    (folder / "cat").chmod(0)
    assert run(folder)[0].startswith("there is only one class, 'dog'")
    (tmp_path / "a.zip").write_bytes(b"PK\5\6" + bytes(18))
    (tmp_path / "a.zip").chmod(0)
    assert run(tmp_path / "a.zip") == [f"{tmp_path / 'a.zip'}: cannot be read (Permission denied)"]
