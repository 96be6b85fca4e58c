"""Tables and `.npz` files among folders that become one set."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retinula.datasets import load
from retinula.datasets.reading import Dataset
from retinula.errors import InputError


def fill(folder: Path, names: list[str], size: int = 9) -> Path:
    """Pictures whose grey is their number."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (int(path.stem),) * 3).save(path)
    return folder


def folder(path: Path, size: int = 9) -> Path:
    return fill(path, [f"{('cat', 'dog')[number % 2]}/{number}.png" for number in range(10)], size)


def table(path: Path, first: int = 20) -> Path:
    """Eight pictures, of which the last two are to test on."""
    fill(path, [f"{number}.png" for number in range(first, first + 8)])
    rows = [
        f"{n}.png,{('dog', 'owl')[n % 2]},{('val' if n == first else 'train') if n < first + 6 else 'test'}"
        for n in range(first, first + 8)
    ]
    (path / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    return path / "labels.csv"


def arrays(path: Path, side: int = 9, first: int = 50, **others: Any) -> Path:
    images = np.repeat(np.arange(first, first + 10, dtype=np.uint8), side * side).reshape(10, side, side)
    np.savez_compressed(path, x_train=images, y_train=np.array(["cat", "owl"] * 5), **others)
    return path


def greys(dataset: Dataset) -> dict[str, dict[str, list[int]]]:
    """For each split and class the greys of its pictures."""
    return {
        split: {
            name: sorted(
                image[0, 0, 0] for image, label in zip(part.images, part.known_labels(), strict=True) if label == n
            )
            for n, name in enumerate(part.classes)
        }
        for split, part in dataset.splits.items()
    }


def test_tables_and_arrays_are_merged_with_folders(tmp_path: Path) -> None:
    one, two, three = folder(tmp_path / "photos"), table(tmp_path / "more"), arrays(tmp_path / "mine.npz")
    cache = tmp_path / "cache"
    dataset = load.load(one, more=[two, three], cache_dir=cache)
    assert dataset.name == "photos+labels+mine"
    together = greys(dataset)
    assert together["validation"] == {"cat": [], "dog": [20], "owl": []}
    assert (together["train"]["dog"][-2:], together["test"]["dog"][-1], together["test"]["owl"][0]) == (
        [22, 24],
        26,
        27,
    )
    for path in (one, two, three):  # each is split as it would be alone
        for split, classes in greys(load.load(path, cache_dir=cache)).items():
            for name, values in classes.items():
                assert {*values} <= {*together[split][name]}
    assert sum(len(values) for classes in together.values() for values in classes.values()) == 28
    assert dataset.train is not None
    assert dataset.train.shape == (3, 9, 9)
    assert {"photos/cat/0.png", "labels.csv/21.png", "mine.npz/train/0"} <= {*(dataset.train.sources or ())}
    again = load.load(three, more=[one, two], cache_dir=cache)
    assert greys(again) == together
    (two.parent / "30.png").write_bytes(b"")
    two.write_text(f"{two.read_text()}\n30.png,owl,train\n")
    renewed = load.load(one, more=[two, three], cache_dir=cache)
    assert ("labels.csv/30.png", "the file is empty") in renewed.skipped


@pytest.mark.parametrize(
    ("side", "size", "options", "shape"),
    [
        (9, 9, {}, (3, 9, 9)),
        (12, 9, {}, (3, 64, 64)),
        (12, 9, {"size": 7, "channels": 1}, (1, 7, 7)),
        (80, 9, {}, (3, 64, 64)),
        (80, None, {}, (1, 80, 80)),
        (80, None, {"channels": 3}, (3, 80, 80)),
    ],
)
def test_all_are_brought_to_one_form(
    side: int, size: int | None, options: dict[str, Any], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    first, second = arrays(tmp_path / "one.npz", side), arrays(tmp_path / "two.npz", side, first=70)
    others = [second] if size is None else [second, folder(tmp_path / "photos", size)]
    dataset = load.load(first, more=others, cache_dir=tmp_path / "cache", **options)
    assert {part.shape for part in dataset.splits.values()} == {shape}
    assert sum(map(len, dataset.splits.values())) == (20 if size is None else 30)


def test_a_picture_is_not_named_by_two_parts(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos")
    (photos / "new.csv").write_text("file,label\ncat/0.png,dog\ndog/1.png,cat\n")
    with pytest.raises(
        InputError, match=r"cat/0\.png is in .*photos and in .*new\.csv as well; name each picture once"
    ):
        load.load(photos, more=photos / "new.csv", cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("splits/*"))


def test_the_pictures_of_a_merged_table_may_lie_elsewhere(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "photos"), table(tmp_path / "more")
    moved = two.rename(tmp_path / "labels.csv")
    dataset = load.load(one, more=moved, root=tmp_path / "more", cache_dir=tmp_path / "cache")
    assert sum(map(len, dataset.splits.values())) == 18


def test_a_table_that_lacks_its_pictures_is_refused_beside_others_too(tmp_path: Path) -> None:
    path = fill(tmp_path / "more", ["0.png"]) / "labels.csv"
    path.write_text("\n".join(["file,label", *(f"{n}.png,cat" for n in range(20))]))
    with pytest.raises(InputError, match="of 20 rows, 19 name no picture that can be used"):
        load.load(folder(tmp_path / "photos"), more=path, cache_dir=tmp_path / "cache")


def test_arrays_without_pictures_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "none.npz"
    np.savez_compressed(empty, x_train=np.zeros((0, 9, 9), np.uint8), y_train=np.zeros(0, np.int64))
    with pytest.raises(InputError, match="none"):
        load.load(arrays(tmp_path / "mine.npz"), more=empty, cache_dir=tmp_path / "cache")


def test_a_class_that_another_part_has_is_not_lost(tmp_path: Path) -> None:
    path = table(tmp_path / "more")
    path.write_text(f"{path.read_text()}\nx.png,cat,train\ny.png,eel,train\n")
    dataset = load.load(folder(tmp_path / "photos"), more=path, cache_dir=tmp_path / "cache")
    assert [one.source for one in dataset.skipped] == ["labels.csv/x.png", "labels.csv/y.png", "eel"]
