import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinula.datasets.check import check_dataset, check_files
from retinula.datasets.load import load
from retinula.datasets.reading import Dataset, Skipped
from retinula.errors import InputError
from retinula.images import ImageSet


def picture(seed: int, size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).convert("RGB" if kind == "BMP" else "L").save(buffer, kind)
    return buffer.getvalue()


def clean(classes: tuple[str, ...] = ("cat", "dog")) -> dict[str, bytes]:
    names = [f"{split}/{name}/{number}.png" for split in ("train", "test") for name in classes for number in range(12)]
    return {name: picture(number) for number, name in enumerate(names)}


def written(where: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(content)
    return where


def test_nothing_wrong(tmp_path: Path) -> None:
    report = check_files(written(tmp_path, clean()))
    assert report.is_clean
    assert report.num_images == {"train": 24, "test": 24}
    assert report.counts == {"cat": 12, "dog": 12}
    assert report.size == (8, 8)
    assert report.lines() == [
        f"{tmp_path}: train 24, test 24; 2 classes (cat, dog), all 8 x 8 pixels",
        "nothing wrong was found",
    ]


@pytest.fixture
def spoilt() -> dict[str, bytes]:
    return {
        **clean(),
        "train/cat/broken.jpg": b"not a picture",
        "train/cat/empty.png": b"",
        "train/cat/twin.bmp": picture(0, kind="BMP"),  # equals train/cat/0.png in another format
        "train/dog/1.png": picture(1),  # equals train/cat/1.png
        "test/cat/2.png": picture(2),  # equals train/cat/2.png
        "test/dog/large.png": picture(900, (9, 8)),
        "train/dog/flat.png": zero_picture(),
        "train/fish/0.png": picture(901),
    }


def zero_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
def test_every_kind_of_fault(tmp_path: Path, spoilt: dict[str, bytes], zipped: bool) -> None:
    path = tmp_path / "set.zip" if zipped else written(tmp_path / "set", spoilt)
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for name in sorted(spoilt):
                archive.writestr(name, spoilt[name])
    report = check_files(path)
    assert not report.is_clean
    assert report.unreadable == (
        Skipped("train/cat/broken.jpg", "it is not a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)"),
    )
    assert report.empty == ("train/cat/empty.png",)
    groups = {frozenset(place.source for place in group.places): group for group in report.duplicates}
    assert groups.keys() == {
        frozenset({"train/cat/0.png", "train/cat/twin.bmp"}),
        frozenset({"train/cat/1.png", "train/dog/1.png"}),
        frozenset({"train/cat/2.png", "test/cat/2.png"}),
    }
    assert [{place.source for place in group.places} for group in report.leaks] == [
        {"train/cat/2.png", "test/cat/2.png"}
    ]
    assert [{place.label for place in group.places} for group in report.conflicts] == [{"cat", "dog"}]
    assert report.size == (8, 8)
    assert report.num_sizes == 2
    assert report.odd_sizes == (("test/dog/large.png", 9, 8),)
    assert report.constant == ("train/dog/flat.png",)
    assert report.few == ("fish",)
    assert report.counts == {"cat": 13, "dog": 13, "fish": 1}
    assert report.num_images == {"train": 27, "test": 25}


def test_as_json(tmp_path: Path, spoilt: dict[str, bytes]) -> None:
    report = json.loads(json.dumps(check_files(written(tmp_path, spoilt)).to_dict()))
    assert report["clean"] is False
    assert report["size"] == [8, 8]
    assert report["few"] == {"fish": 1}
    assert report["empty"] == ["train/cat/empty.png"]
    assert report["unreadable"][0]["source"] == "train/cat/broken.jpg"
    assert report["odd_sizes"] == [{"source": "test/dog/large.png", "height": 9, "width": 8}]
    kinds = sorted((group["leak"], group["conflict"]) for group in report["duplicates"])
    assert kinds == [(False, False), (False, True), (True, False)]
    (leak,) = [group for group in report["duplicates"] if group["leak"]]
    assert leak["pictures"] == [
        {"source": "train/cat/2.png", "split": "train", "label": "cat"},
        {"source": "test/cat/2.png", "split": "test", "label": "cat"},
    ]


def test_lines_for_the_terminal(tmp_path: Path, spoilt: dict[str, bytes]) -> None:
    assert check_files(written(tmp_path, spoilt)).lines() == [
        f"{tmp_path}: train 27, test 25; 3 classes (cat, dog, fish), 2 sizes, most often 8 x 8 pixels",
        "unreadable: 1",
        "  train/cat/broken.jpg: it is not a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)",
        "empty: 1",
        "  train/cat/empty.png",
        "equal in different splits (what was learned is asked: keep one of each): 1",
        "  train/cat/2.png (train, cat) = test/cat/2.png (test, cat)",
        "equal with different labels (at least one is wrong): 1",
        "  train/cat/1.png (train, cat) = train/dog/1.png (train, dog)",
        "equal: 1",
        "  train/cat/0.png (train, cat) = train/cat/twin.bmp (train, cat)",
        "of another size than most: 1",
        "  test/dog/large.png: 8 x 9",
        "classes with fewer than 10 pictures to train on: 1",
        "  fish: 1",
        "of a single colour: 1",
        "  train/dog/flat.png",
    ]


def test_pictures_of_12_bits_in_16(tmp_path: Path) -> None:
    files = clean()
    for number in range(2):
        buffer = io.BytesIO()
        Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * (60 + number)).save(buffer, "PNG")
        files[f"train/cat/{number}.png"] = buffer.getvalue()
    report = check_files(written(tmp_path, files))
    assert (report.faint, report.is_clean) == (("train/cat/0.png", "train/cat/1.png"), False)
    assert report.to_dict()["faint"] == ["train/cat/0.png", "train/cat/1.png"]
    said = "almost black: of 16 bits less than a sixteenth is used (scale their values to 0..65535 before): 2"
    assert said in report.lines()


def test_classes_that_differ_in_case_alone_are_remarked_on(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["Cat", "cat", "dog", "owl"] * 20))
    report = check_dataset(load(tmp_path / "a.npz"))
    assert report.is_clean
    assert report.to_dict()["same_but_case"] == [["Cat", "cat"]]
    assert report.lines()[1:] == [
        "classes called the same but for upper and lower case: Cat and cat",
        "nothing wrong was found",
    ]


@pytest.mark.parametrize("names", [(), ("cat", "dog")])
def test_a_single_class_is_a_fault(tmp_path: Path, names: tuple[str, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8)
    named = {"classes": np.array(names)} if names else {}
    np.savez(tmp_path / "a.npz", x_train=images[:15], y_train=np.zeros(15, int), **named)  # type: ignore[arg-type]
    report = check_dataset(load(tmp_path / "a.npz"))
    lone = names[0] if names else "0"
    assert report.lone_class == report.to_dict()["lone_class"] == lone
    assert not report.is_clean
    lines = report.lines()
    assert lines[0] == f"a: train 12, test 3; {'2 classes (cat, dog)' if names else '1 class (0)'}, all 4 x 4 pixels"
    assert lines[1:3] == ["the only class with pictures to train on (a classifier needs two): 1", f"  {lone}"]
    only_to_test_on = replace(load(tmp_path / "a.npz").splits["test"], name="b/test")
    assert check_dataset(Dataset("b", {"test": only_to_test_on})).lone_class is None


def test_equal_pictures_of_two_labels_in_an_array_are_a_fault(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 4, 4), dtype=np.uint8)
    images[1] = images[0]
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(24) % 2)
    (found,) = check_dataset(load(tmp_path / "a.npz")).conflicts
    assert {(place.split, place.label) for place in found.places} == {("train", "0"), ("train", "1")}


def test_only_the_first_are_named(tmp_path: Path) -> None:
    files = {**clean(), **{f"train/cat/empty{number}.png": b"" for number in range(13)}}
    files |= {f"train/dog/same{number}.png": picture(500) for number in range(6)}
    lines = check_files(written(tmp_path, files)).lines(named=2)
    assert lines[1:] == [
        "empty: 13",
        "  train/cat/empty0.png",
        "  train/cat/empty1.png",
        "  and 11 more",
        "equal: 1",
        "  " + " = ".join(f"train/dog/same{number}.png (train, dog)" for number in range(4)) + " and 2 more",
    ]


def test_photos_of_all_sizes_are_not_odd(tmp_path: Path) -> None:
    names = list(clean())
    files = {name: picture(number, (20 + number, 20)) for number, name in enumerate(names)}
    report = check_files(written(tmp_path, files))
    assert report.num_sizes == 48
    assert report.odd_sizes == ()
    assert [sized.height for sized in report.long] == list(range(61, 68))
    assert report.lines()[1:3] == [
        "more than 3 times as long as wide (inputs.resize=pad keeps their proportions): 7",
        f"  {report.long[0].source}: 20 x 61",
    ]


def test_progress_and_layout(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    check_files(written(tmp_path, clean()), progress=lambda *words: told.append(words))
    assert told[:2] == [(f"listing {tmp_path.name}", 0, None), ("checking", 1, 48)]
    assert told[-1] == ("checking", 48, 48)
    with pytest.raises(InputError, match=r"1\.png is neither a folder nor a \.zip"):
        check_files(tmp_path / "train" / "cat" / "1.png")
    with pytest.raises(InputError, match="expected a folder a class"):
        check_files(written(tmp_path / "flat", {"1.png": picture(1)}))


def test_rows_of_a_table_that_are_left_out_are_not_called_unreadable(tmp_path: Path) -> None:
    names = ["a/1.png", "b/1.png", "a/2.png", "b/3.png"]
    written(tmp_path, {name: picture(number) for number, name in enumerate(names)} | {"cut.png": b"x"})
    rows = [("a/1.png", "cat"), ("b/1.png", "dog"), ("a/2.png", "cat"), ("b/3.png", "dog"), ("1.png", "cat")]
    rows += [("gone.png", "dog"), ("cut.png", "dog")]
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(f"{file},{label}\n" for file, label in rows))
    report = check_files(tmp_path / "labels.csv")
    assert [one.source for one in report.unreadable] == ["cut.png"]
    assert [one["source"] for one in report.to_dict()["rows"]] == ["1.png", "gone.png"]
    assert not replace(report, unreadable=(), few=()).is_clean
    lines = report.lines()
    place = lines.index("rows of the table left out: 2")
    assert lines[place + 1 : place + 3] == [
        "  1.png: it could be a/1.png or b/1.png; write its whole path",
        "  gone.png: there is no such file",
    ]


def test_only_unreadable_pictures(tmp_path: Path) -> None:
    report = check_files(written(tmp_path, {"a/1.png": b"x", "b/1.png": b"x"}))
    assert report.size is None
    assert report.num_images == {"train": 0}
    assert len(report.unreadable) == 2
    assert report.lines()[0] == f"{tmp_path}: train 0; 2 classes (a, b)"


class TestDataset:
    def dataset(self, sources: list[str] | None = None) -> Dataset:
        images = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 4), dtype=np.uint8)
        images[5] = images[3]  # the same label: 3 and 5 are odd
        images[6] = images[7]  # other labels
        images[30] = images[1]  # in the other split
        images[8] = np.reshape([9, 8, 7], (3, 1, 1))
        labels = np.arange(40) % 2
        parts = {
            "train": ImageSet(images[:30], labels[:30], ("even", "odd"), "x/train", sources=sources),
            "test": ImageSet(images[30:], labels[30:], ("even", "odd"), "x/test"),
        }
        return Dataset("x", parts, (Skipped("bad.png", "the file is cut short"),))  # type: ignore[arg-type]  # names of splits

    def test_findings(self) -> None:
        told: list[tuple[str, int, int | None]] = []
        report = check_dataset(self.dataset(), progress=lambda *words: told.append(words))
        assert [[place.source for place in group.places] for group in report.duplicates] == [
            ["train/1", "test/0"],
            ["train/3", "train/5"],
            ["train/6", "train/7"],
        ]
        assert [group.is_leak for group in report.duplicates] == [True, False, False]
        assert [group.is_conflict for group in report.duplicates] == [True, False, True]
        assert report.constant == ("train/8",)
        assert report.size == (4, 4)
        assert report.counts == {"even": 15, "odd": 15}
        assert report.unreadable == (Skipped("bad.png", "the file is cut short"),)
        assert told == [("checking", 30, 40), ("checking", 40, 40)]

    def test_names_of_files_are_used(self) -> None:
        report = check_dataset(self.dataset([f"{number}.jpg" for number in range(30)]))
        assert report.constant == ("8.jpg",)

    def test_without_labels(self) -> None:
        images = np.zeros((3, 1, 2, 2), dtype=np.uint8)
        report = check_dataset(Dataset("x", {"train": ImageSet(images, None, (), "x/train")}))
        assert report.counts == {}
        assert report.few == ()
        assert report.conflicts == ()
        assert len(report.constant) == 3
        assert "  train/0 = train/1 = train/2" in report.lines()


@pytest.mark.data
def test_the_known_state_of_a_published_archive() -> None:
    places = [Path(place) for place in os.environ.get("RETINULA_DATA", "").split(os.pathsep) if place]
    found = [place / "cifar10-imagefolder-jpeg" / "cifar10_imagefolder.zip" for place in places]
    paths = [path for path in found if path.exists()]
    if not paths:
        pytest.skip("the archive is not in RETINULA_DATA")
    report = check_files(paths[0])
    assert report.is_clean
    assert sum(report.num_images.values()) == 450
