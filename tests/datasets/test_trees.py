from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retinula.datasets import load
from retinula.datasets.archives import members
from retinula.datasets.catalog import CATALOG
from retinula.datasets.options import Options
from retinula.datasets.reading import Dataset
from retinula.datasets.trees import copy_member, read
from retinula.errors import InputError, RetinulaError
from small_published import jpeg, noise, png, write_folder, write_tar, write_zip

Pack = Callable[[Path, str, dict[str, bytes]], Path]


def as_folder(place: Path, name: str, files: dict[str, bytes]) -> Path:
    top = next(iter(files)).split("/")[0]
    return write_folder(place, files) / top


def as_zip(place: Path, name: str, files: dict[str, bytes]) -> Path:
    return write_zip(place / name, files)


def as_tar(place: Path, name: str, files: dict[str, bytes]) -> Path:
    return write_tar(place / name, files, "gz" if name.endswith("gz") else "")


def pixels(dataset: Dataset) -> dict[str, tuple[str, np.ndarray]]:
    """For each file its class and its picture `[H, W, C]`."""
    found = {}
    for image_set in dataset.splits.values():
        for source, label, image in zip(
            image_set.sources or (), image_set.known_labels(), image_set.images, strict=True
        ):
            found[source] = (image_set.classes[label], image.transpose(1, 2, 0))
    return found


def caltech101(counts: dict[str, int]) -> dict[str, bytes]:
    return {
        f"101_ObjectCategories/{name}/image_{number:04}.jpg": jpeg(noise(20, 30, 3, seed=number))
        for name, count in counts.items()
        for number in range(1, count + 1)
    }


def nested(place: Path, name: str, files: dict[str, bytes]) -> Path:
    """As Caltech gives it away today: the old archive in a new one."""
    inner = write_tar(place / "inner.tar.gz", files, "gz").read_bytes()
    outer = {
        "caltech-101/101_ObjectCategories.tar.gz": inner,
        "caltech-101/Annotations.tar": b"x",
        "__MACOSX/caltech-101/._Annotations.tar": b"y",
    }
    return write_zip(place / "caltech-101.zip", outer)


@pytest.mark.parametrize("pack", [as_folder, as_tar, nested])
def test_caltech101(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Pack) -> None:
    files = caltech101({"accordion": 10, "Faces": 5, "BACKGROUND_Google": 3})
    source = pack(tmp_path / "data", "101_ObjectCategories.tar.gz", files)
    for name, count in (("caltech101", 15), ("caltech101-clutter", 18)):
        entry = CATALOG[name]
        kept = tuple(one for one in entry.classes if one in ("accordion", "Faces", "BACKGROUND_Google"))
        monkeypatch.setitem(CATALOG, name, replace(entry, classes=kept, counts={"train": count}))
        dataset = load.load(name, search=[source.parent], size=(20, 30), cache_dir=tmp_path / "cache", offline=True)
        assert dataset.skipped == ()
        assert dataset.splits["train"].classes == kept
        # A fifth of each class is set apart, the same pictures each time.
        assert dataset.splits["test"].counts() == {
            "accordion": 2,
            "Faces": 1,
            **({"BACKGROUND_Google": 1} if count == 18 else {}),
        }
        assert len(pixels(dataset)) == count
        assert all(source.split("/")[-2] == found[0] for source, found in pixels(dataset).items())
    assert load.load(source, cache_dir=tmp_path / "cache").name == "caltech101"


def test_a_part_of_caltech101_is_called_one(tmp_path: Path) -> None:
    source = as_tar(tmp_path, "101_ObjectCategories.tar.gz", caltech101({"accordion": 3, "yin_yang": 2}))
    for _ in range(2):
        dataset = load.load("caltech101", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)
        assert dataset.splits["train"].classes == ("accordion", "yin_yang")
        assert dataset.splits["train"].shape == (3, 64, 64)
        assert [tuple(one) for one in dataset.skipped] == [
            (source.name, "it holds 5 pictures of 2 of the 101 classes; published are 8,677")
        ]
        assert dataset.splits["train"].provenance["copy"] == "unverified copy"


def test_a_class_that_the_set_does_not_have(tmp_path: Path) -> None:
    as_tar(tmp_path, "101_ObjectCategories.tar.gz", caltech101({"accordion": 3, "unicorn": 2}))
    with pytest.raises(InputError, match=r"is not caltech101: .*unicorn/image_0001.jpg is of a class that it does not"):
        load.load("caltech101", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)


@pytest.mark.parametrize("pack", [as_folder, as_tar])
def test_caltech256(tmp_path: Path, pack: Pack) -> None:
    files = {
        f"256_ObjectCategories/{name}/{name[:3]}_{number:04}.jpg": jpeg(noise(9, 9, 3, seed=number))
        for name in ("001.ak47", "056.dog", "257.clutter")
        for number in range(1, 6)
    }
    files |= {"256_ObjectCategories/198.spider/RENAME2": b"#!/bin/sh", "256_ObjectCategories/056.dog/greg/x": b""}
    pack(tmp_path / "data", "256_ObjectCategories.tar", files)
    plain = load.load("caltech256", search=[tmp_path / "data"], cache_dir=tmp_path / "cache", offline=True)
    assert plain.splits["train"].counts() == {"ak47": 4, "dog": 4}
    assert plain.splits["test"].counts() == {"ak47": 1, "dog": 1}
    clutter = load.load("caltech256-clutter", search=[tmp_path / "data"], cache_dir=tmp_path / "cache", offline=True)
    assert clutter.splits["train"].counts() == {"ak47": 4, "dog": 4, "clutter": 4}
    other = load.load("caltech256", search=[tmp_path / "data"], cache_dir=tmp_path / "cache", offline=True, seed=3)
    assert set(other.splits["test"].sources or ()) != set(plain.splits["test"].sources or ())


@pytest.mark.parametrize("side", [32, 64, 128, 256])
@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_linnaeus5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, pack: Pack) -> None:
    name = f"linnaeus5-{side}"
    top = f"Linnaeus 5 {side}X{side}"
    images = {
        f"{top}/{split}/{label}/{number}_{side}.jpg": noise(side, side, 3, seed=number)
        for split, numbers in (("train", (1, 2)), ("test", (3,)))
        for label in CATALOG[name].classes
        for number in numbers
    }
    pack(tmp_path / "data", f"{top}.zip", {path: png(image) for path, image in images.items()})
    monkeypatch.setitem(CATALOG, name, replace(CATALOG[name], counts={"train": 10, "test": 5}))
    dataset = load.load(name, search=[tmp_path / "data"], cache_dir=tmp_path / "cache", offline=True)
    assert dataset.skipped == ()
    assert dataset.splits["train"].classes == ("berry", "bird", "dog", "flower", "other")
    assert dataset.splits["train"].shape == (3, side, side)
    assert set(dataset.splits["test"].counts().values()) == {1}
    found = pixels(dataset)
    assert len(found) == 15
    for path, image in images.items():
        label, got = found[path if path in found else path.removeprefix(f"{top}/")]
        assert label == path.split("/")[2]
        assert np.array_equal(got, image)


def test_linnaeus5_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"download Linnaeus 5 64X64.rar from http://chaladze.com/l5/ and unpack it"):
        load.load("linnaeus5-64", search=[], cache_dir=tmp_path)
    (tmp_path / "Linnaeus 5 64X64.rar").write_bytes(b"Rar!\x1a\x07\x01\0 and so on")
    with pytest.raises(InputError, match="is a RAR or 7z archive, which is not read; unpack it and give the folder"):
        load.get("linnaeus5-64", tmp_path / "Linnaeus 5 64X64.rar", cache_dir=tmp_path / "cache")


def core50() -> dict[str, tuple[str, np.ndarray]]:
    """For each file the name of its object, and its pixels."""
    return {
        f"core50_128x128/s{session}/o{number}/C_{session:02}_{number:02}_{frame:03}.png": (
            CATALOG["core50"].classes[number - 1],
            noise(128, 128, 3, seed=session + number + frame),
        )
        for session in (1, 3, 7, 10, 11)
        for number in (1, 2, 50)
        for frame in (0, 5)
    }


@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_core50_is_split_by_session(tmp_path: Path, pack: Pack) -> None:
    files = core50()
    pack(tmp_path / "data", "core50_128x128.zip", {path: png(image) for path, (_, image) in files.items()})
    dataset = load.load("core50", search=[tmp_path / "data"], cache_dir=tmp_path / "cache", offline=True)
    assert dataset.splits["train"].classes == ("plug_adapter1", "plug_adapter2", "remote_control5")
    assert dataset.splits["train"].superclasses == ("plug_adapter", "plug_adapter", "remote_control")
    assert {source.split("/")[-3] for source in dataset.splits["train"].sources or ()} == {"s1", "s11"}
    assert {source.split("/")[-3] for source in dataset.splits["test"].sources or ()} == {"s3", "s7", "s10"}
    found = pixels(dataset)
    for path, (name, image) in files.items():
        label, got = found[path if path in found else path.removeprefix("core50_128x128/")]
        assert label == name
        assert np.array_equal(got, image)
    coarse = load.load(
        "core50", search=[tmp_path / "data"], labels="coarse", cache_dir=tmp_path / "cache", offline=True
    )
    assert coarse.splits["train"].counts() == {"plug_adapter": 8, "remote_control": 4}
    assert dataset.skipped[0].reason == "it holds 30 pictures of 3 of the 50 classes; published are 164,866"


def test_what_has_none_of_its_pictures(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "core50_128x128.zip", {"core50_128x128/s1/o51/C_01_51_000.png": b"", "a.png": b""})
    with pytest.raises(InputError, match="is not core50: it has no pictures where that has them"):
        read(path, CATALOG["core50"], Options())


def test_get_keeps_a_tree_and_finds_it_again(tmp_path: Path) -> None:
    files = {path: png(image) for path, (_, image) in core50().items()}
    source = as_folder(tmp_path / "data", "", files).rename(tmp_path / "elsewhere")
    dataset = load.get("core50", source, cache_dir=tmp_path / "cache")
    assert load.is_here("core50", cache_dir=tmp_path / "cache", search=[])
    again = load.load("core50", search=[], cache_dir=tmp_path / "cache", offline=True)
    assert again.splits["train"].fingerprint() == dataset.splits["train"].fingerprint()
    with pytest.raises(InputError, match=r"holds neither core50_128x128.zip nor all of s\*/o\*/C_\*.png"):
        load.get("core50", tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.mark.data
def test_real_pictures_of_caltech101(real_data: Path, tmp_path: Path) -> None:
    dataset = load.load("caltech101", search=[real_data / "caltech-101"], cache_dir=tmp_path, offline=True)
    assert len(dataset.splits["train"].classes) == 11
    assert set(dataset.splits["train"].counts().values()) == {6}
    assert set(dataset.splits["test"].counts().values()) == {2}
    clutter = load.load("caltech101-clutter", search=[real_data / "caltech-101"], cache_dir=tmp_path, offline=True)
    assert clutter.splits["train"].counts()["BACKGROUND_Google"] == 5
    assert clutter.skipped[0].reason == "it holds 94 pictures of 12 of the 102 classes; published are 9,144"


@pytest.mark.data
def test_real_pictures_of_core50(real_data: Path, tmp_path: Path) -> None:
    dataset = load.load("core50", search=[real_data], labels="coarse", cache_dir=tmp_path, offline=True)
    assert len(dataset.splits["train"]) == 20
    assert len(dataset.splits["test"]) == 10
    assert dataset.splits["test"].shape == (3, 128, 128)
    assert set(dataset.splits["train"].classes) <= set(CATALOG["core50"].superclasses or ())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_not_the_fault_of_the_archive(tmp_path: Path) -> None:
    for member in members(write_zip(tmp_path / "a.zip", {"inner.tar": b"x" * 5000})):
        with pytest.raises(RetinulaError, match=r"^cannot write /dev/full: No space left on device$"):
            copy_member(member, Path("/dev/full"))
