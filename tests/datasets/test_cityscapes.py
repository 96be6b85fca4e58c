from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from retinula.datasets import load
from retinula.datasets.cityscapes import MIN_SIDE, Cut, cuts
from retinula.errors import InputError
from small_published import noise, png, write_folder, write_zip

SIDE = MIN_SIDE


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, list[tuple[int, int, int, int]]]]:
    """A picture, its map of instances, and the boxes of its objects as left, top, right and bottom."""
    numbers = np.full((96, 128), 7, np.uint16)  # road
    numbers[10:30, 5:25] = 26001  # a car that a person stands before, in two parts
    numbers[10:30, 12:14] = 24000  # which is too narrow to count
    numbers[50:70, 60:90] = 24001
    numbers[0:16, 100:116] = 20  # two signs, which the map does not tell apart
    numbers[60:90, 100:120] = 20
    numbers[40:46, 100:106] = 20  # too small
    numbers[70:90, 10:30] = 26  # a group of cars
    boxes = {
        "car": [(5, 10, 25, 30)],
        "person": [(60, 50, 90, 70)],
        "traffic sign": [(100, 0, 116, 16), (100, 60, 120, 90)],
    }
    return noise(96, 128, 3, seed=seed), numbers, boxes


SCENES = {"train/aachen/aachen_000000_000019": 1, "val/frankfurt/frankfurt_000000_000294": 2}


def files() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The two archives as published, with what else is in them."""
    pictures, maps = {"license.txt": b"x"}, {"license.txt": b"x"}
    for key, seed in SCENES.items():
        picture, numbers, _ = scene(seed)
        pictures[f"leftImg8bit/{key}_leftImg8bit.png"] = png(picture)
        maps[f"gtFine/{key}_gtFine_instanceIds.png"] = png(numbers)
        maps[f"gtFine/{key}_gtFine_labelIds.png"] = png((numbers % 256).astype(np.uint8))
        maps[f"gtFine/{key}_gtFine_polygons.json"] = b"{}"
    pictures["leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png"] = png(noise(96, 128, 3))
    maps["gtFine/test/berlin/berlin_000000_000019_gtFine_instanceIds.png"] = png(np.full((96, 128), 26001, np.uint16))
    return pictures, maps


def as_folders(place: Path) -> Path:
    pictures, maps = files()
    write_folder(place / "cityscapes", pictures)
    return write_folder(place / "cityscapes", maps)


def as_archives(place: Path) -> Path:
    pictures, maps = files()
    write_zip(place / "cityscapes/leftImg8bit_trainvaltest.zip", pictures)
    return write_zip(place / "cityscapes/gtFine_trainvaltest.zip", maps).parent


@pytest.mark.parametrize("pack", [as_folders, as_archives])
def test_cuts_every_object_out(tmp_path: Path, pack: Callable[[Path], Path]) -> None:
    pack(tmp_path)
    size = (20, 20)
    dataset = load.load("cityscapes", search=[tmp_path], size=size, cache_dir=tmp_path / "cache", offline=True)
    assert dataset.skipped == ()
    for split, key in (("train", "train/aachen/aachen_000000_000019"), ("test", "val/frankfurt")):
        found = dataset.splits["train" if split == "train" else "test"]
        picture, _, boxes = scene(1 if split == "train" else 2)
        assert found.counts() == {**dict.fromkeys(found.classes, 0), "car": 1, "person": 1, "traffic sign": 2}
        assert all(key in source for source in found.sources or ())
        left, top, right, bottom = boxes["car"][0]
        assert found.classes[found.known_labels()[0]] in boxes
        cars = found.images[found.known_labels() == found.classes.index("car")]
        assert np.array_equal(cars[0].transpose(1, 2, 0), picture[top:bottom, left:right])


def test_boxes_of_a_map() -> None:
    _, numbers, boxes = scene(0)
    assert sorted(cuts(numbers.astype(np.int64))) == sorted(Cut(name, box) for name in boxes for box in boxes[name])
    assert cuts(np.zeros((20, 20), np.int64)) == []


def test_what_hangs_together_is_one_sign() -> None:
    numbers = np.zeros((60, 60), np.int64)
    numbers[0:40, 0:4] = 20  # a U, whose arms meet at the bottom only
    numbers[0:40, 30:34] = 20
    numbers[36:40, 0:34] = 20
    numbers[40:60, 34:54] = 20  # touches it at a corner
    assert cuts(numbers) == [Cut("traffic sign", (0, 0, 54, 60))]
    numbers[40, 34] = 0
    assert cuts(numbers) == [Cut("traffic sign", (0, 0, 34, 40)), Cut("traffic sign", (34, 40, 54, 60))]


def test_what_hangs_together_is_what_scipy_finds() -> None:
    generator = np.random.default_rng(0)
    for density in (0.2, 0.4, 0.5, 0.6):
        mask = np.kron(generator.random((30, 40)) < density, np.ones((SIDE, SIDE), bool))
        boxes = find_objects(label(mask, np.ones((3, 3)))[0])
        expected = [(across.start, down.start, across.stop, down.stop) for down, across in boxes]
        found = [cut.box for cut in cuts(np.where(mask, 20, 0))]
        assert sorted(found) == sorted(expected)
        assert len(found) > 1


def test_the_order_of_the_cuts_is_the_same_for_ever() -> None:
    """Another one would change the fingerprint of what is prepared: the arm of a U that is on the right decides."""
    numbers = np.zeros((60, 90), np.int64)
    numbers[0:40, 0:4] = 20
    numbers[4:40, 70:74] = 20
    numbers[36:40, 0:74] = 20
    numbers[2:20, 20:40] = 20  # between its arms
    assert [cut.box for cut in cuts(numbers)] == [(20, 2, 40, 20), (0, 0, 74, 40)]


def test_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"register at https://www.cityscapes-dataset.com and download .*--from FOLDER"
    ):
        load.load("cityscapes", search=[], cache_dir=tmp_path)
    with pytest.raises(InputError, match=r"holds not all of leftImg8bit\*, gtFine\*"):
        load.get("cityscapes", tmp_path, cache_dir=tmp_path / "cache")


def test_get_from_a_folder_of_any_name(tmp_path: Path) -> None:
    source = as_archives(tmp_path).rename(tmp_path / "from the authors")
    got = load.get("cityscapes", source, cache_dir=tmp_path / "cache")
    again = load.load("cityscapes", search=[], cache_dir=tmp_path / "cache", offline=True)
    assert got.splits["test"].fingerprint() == again.splits["test"].fingerprint()
    assert got.splits["train"].shape == (3, 64, 64)


def test_scenes_and_maps_that_do_not_fit(tmp_path: Path) -> None:
    pictures, maps = files()
    lone = "leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png"
    pictures[lone] = pictures["leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"]
    small = "leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png"
    pictures[small] = png(noise(20, 20, 3))
    maps["gtFine/val/bonn/bonn_000000_000001_gtFine_instanceIds.png"] = png(noise(20, 20, 3))
    pictures["leftImg8bit/val/bonn/bonn_000000_000001_leftImg8bit.png"] = png(noise(20, 20, 3))
    write_zip(tmp_path / "cityscapes/leftImg8bit.zip", pictures)
    write_zip(tmp_path / "cityscapes/gtFine.zip", maps)
    dataset = load.load("cityscapes", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)
    assert set(dataset.splits) == {"train"}
    assert {one.source.split("/")[-1]: one.reason for one in dataset.skipped} == {
        lone.split("/")[-1]: "its map of instances is missing",
        small.split("/")[-1]: "its map of instances is larger than the scene",
        "bonn_000000_000001_gtFine_instanceIds.png": "it is a picture in colour, not a map of numbers",
    }


def test_a_folder_without_scenes(tmp_path: Path) -> None:
    write_folder(tmp_path / "cityscapes", {"leftImg8bit/a.txt": b"", "gtFine/b.txt": b""})
    with pytest.raises(InputError, match="is not cityscapes: it has no scenes"):
        load.load("cityscapes", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)


@pytest.mark.data
def test_a_real_scene(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "cityscapes").is_dir():
        pytest.skip("needs cityscapes in RETINULA_DATA")
    dataset = load.load("cityscapes", search=[real_data], cache_dir=tmp_path, offline=True)
    assert set(dataset.splits) == {"test"}
    counts = {name: count for name, count in dataset.splits["test"].counts().items() if count}
    assert counts == {"car": 2}
    assert dataset.splits["test"].shape == (3, 64, 64)
