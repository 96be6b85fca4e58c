import io
import re
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from retinula.datasets import arrays, load
from retinula.datasets.reading import SPLITS, Chunk, Reading, SplitName
from retinula.datasets.split_record import read_record
from retinula.errors import InputError
from retinula.images import Images

GENERATOR = np.random.default_rng(0)
PICTURES = GENERATOR.integers(0, 256, (6, 3, 8, 9), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def save(path: Path, leave_out: str = "", **changes: Any) -> Path:
    content: dict[str, Any] = {
        "x_train": PICTURES[:4],
        "y_train": LABELS[:4],
        "x_test": PICTURES[4:],
        "y_test": LABELS[4:],
    }
    content.update(changes)
    content.pop(leave_out, None)
    np.savez_compressed(path, **content)
    return path


def gather(reading: Reading) -> dict[SplitName, tuple[Images, list[int]]]:
    found = {}
    for split, stream in reading.splits.items():
        chunks = list(stream())
        assert all(chunk.labels.dtype == np.int64 for chunk in chunks)
        found[split] = (
            np.concatenate([chunk.images for chunk in chunks]),
            [label for chunk in chunks for label in chunk.labels.tolist()],
        )
    return found


def test_reads_pictures_and_labels(tmp_path: Path) -> None:
    reading = arrays.read(save(tmp_path / "a.npz"))
    assert reading.classes == ("0", "1", "2")
    found = gather(reading)
    assert list(found) == ["train", "test"]
    assert np.array_equal(found["train"][0], PICTURES[:4])
    assert np.array_equal(found["test"][0], PICTURES[4:])
    assert found["train"][1] == [0, 1, 2, 0]
    assert found["test"][1] == [1, 2]


def test_reads_validation_pictures_and_class_names(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.npz", x_val=PICTURES[:1], y_val=LABELS[:1], classes=np.array(["cat", "dog", "Eule ü", "none"])
    )
    reading = arrays.read(path)
    assert reading.classes == ("cat", "dog", "Eule ü", "none")
    found = gather(reading)
    assert list(found) == ["train", "validation", "test"]
    assert np.array_equal(found["validation"][0], PICTURES[:1])
    assert arrays.read(save(tmp_path / "b.npz", classes=np.array([b"cat", b"dog", b"owl"]))).classes[0] == "cat"


def test_labels_may_be_names(tmp_path: Path) -> None:
    names = np.array(["10", "9", "übel", "9"])
    for column, last in ((names, ["übel", "10"]), (names[:, np.newaxis], np.array(["10", "übel"])[:, np.newaxis])):
        reading = arrays.read(save(tmp_path / "a.npz", y_train=column, y_test=last))
        assert reading.classes == ("9", "10", "übel"), "as class folders are ordered"
        assert gather(reading)["train"][1] == [1, 0, 2, 0]
    given = np.array(["übel", "9", "none", "10"])
    reading = arrays.read(save(tmp_path / "a.npz", y_train=np.char.encode(names, "utf-8"), y_test=last, classes=given))
    assert reading.classes == tuple(given.tolist())
    assert (gather(reading)["train"][1], gather(reading)["test"][1]) == ([3, 1, 0, 1], [3, 0])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(st.integers(1, 5), st.sampled_from([1, 3]), st.integers(4, 7), st.integers(4, 7)),
    st.sampled_from(["NHWC", "NCHW", "NHW"]),
    st.booleans(),
)
def test_every_order_of_axes_gives_channels_first(
    tmp_path: Path, shape: tuple[int, int, int, int], order: str, compressed: bool
) -> None:
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    if order == "NHW":
        images = images[:, :1]
    stored = {"NHWC": images.transpose(0, 2, 3, 1), "NCHW": images, "NHW": images[:, 0]}[order]
    stored = np.ascontiguousarray(stored)
    labels = np.zeros(len(images), np.uint8)
    write = np.savez_compressed if compressed else np.savez
    write(tmp_path / "a.npz", x_train=stored, y_train=labels, x_test=stored, y_test=labels)
    assert np.array_equal(gather(arrays.read(tmp_path / "a.npz"))["train"][0], images)


def test_channels_come_last_where_both_are_possible(tmp_path: Path) -> None:
    images = GENERATOR.integers(0, 256, (6, 3, 5, 3), dtype=np.uint8)
    found = gather(arrays.read(save(tmp_path / "a.npz", x_train=images[:4], x_test=images[4:])))
    assert np.array_equal(found["train"][0], images[:4].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, ">i4"])
def test_labels_may_be_any_whole_numbers_in_a_column_or_not(tmp_path: Path, dtype: Any) -> None:
    labels = LABELS.astype(dtype)
    path = save(tmp_path / "a.npz", y_train=labels[:4, np.newaxis], y_test=labels[4:])
    assert gather(arrays.read(path))["train"][1] == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ([0, 1, 60000, 1], "y_train has 60000 (picture 2), but no number from 2 to 59999 occurs; write numbers"),
        ([100, 101, 100, 101], "y_train has 100 (picture 0), but no number from 0 to 99 occurs; write numbers"),
        ([1, 2, 3, 1], "the labels run from 1 to 3, so they seem to begin at 1; write labels - 1, or"),
        ([1, 1, 1, 1], "the labels run from 1 to 1, so they seem to begin at 1; write labels - 1, or"),
    ],
)
def test_numbers_that_make_classes_of_nothing_are_refused(tmp_path: Path, labels: list[int], fault: str) -> None:
    changes: dict[str, Any] = {"y_train": np.array(labels), "y_test": np.array(labels[:2])}
    with pytest.raises(InputError, match=re.escape(fault)):
        arrays.read(save(tmp_path / "a.npz", **changes))
    named = arrays.read(save(tmp_path / "a.npz", **changes, classes=np.arange(max(labels) + 1).astype(str)))
    assert len(named.classes) == max(labels) + 1


def test_some_numbers_may_be_missing(tmp_path: Path) -> None:
    for labels in ([0, 2, 0, 2], [0, 1, 4, 1]):
        read = arrays.read(save(tmp_path / "a.npz", y_train=np.array(labels), y_test=np.array([0, 2])))
        assert len(read.classes) == max(labels) + 1
    assert arrays.read(save(tmp_path / "a.npz", y_train=np.array([1, 2, 1, 2]), y_test=np.array([0, 0]))).classes


@pytest.mark.parametrize("split", ["train", "test"])
def test_pictures_without_labels_and_labels_without_pictures_are_named(tmp_path: Path, split: str) -> None:
    needed = "it needs images and labels, or x_train, y_train, x_test, y_test"
    for name, other, what in ((f"x_{split}", f"y_{split}", "pictures"), (f"y_{split}", f"x_{split}", "labels")):
        with pytest.raises(InputError, match=f"lacks the {what} of {other}; {needed}"):
            arrays.read(save(tmp_path / "a.npz", leave_out=name))
    np.savez(tmp_path / "b.npz", x_val=PICTURES, y_val=LABELS)
    with pytest.raises(InputError, match=f"has nothing to train or to test on; {needed}"):
        arrays.read(tmp_path / "b.npz")


def test_all_pictures_may_be_to_test_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_test=PICTURES, y_test=LABELS)
    reading = arrays.read(tmp_path / "a.npz")
    assert {split: labels for split, (_, labels) in gather(reading).items()} == {"test": LABELS.tolist()}
    np.savez(tmp_path / "b.npz", x_test=PICTURES[:0], y_test=LABELS[:0])
    with pytest.raises(InputError, match="b has no pictures that can be used"):
        load.load(tmp_path / "b.npz", cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("images", "labels"), ["train"]),
        (("X", "Y"), ["train"]),
        (("train_images", "train_labels"), ["train"]),
        (("data", "targets", "test_data", "test_targets"), ["train", "test"]),
        (("images_Train", "label_Train", "images_Valid", "label_Valid"), ["train", "validation"]),
        (("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"), list(SPLITS)),
    ],
)
def test_arrays_are_told_by_any_of_their_names(tmp_path: Path, names: tuple[str, ...], splits: list[str]) -> None:
    content: dict[str, Any] = dict(zip(names, (PICTURES, LABELS) * 3, strict=False))
    np.savez(tmp_path / "a.npz", class_names=np.array(["cat", "dog", "owl"]), **content)
    reading = arrays.read(tmp_path / "a.npz")
    assert reading.classes == ("cat", "dog", "owl")
    found = gather(reading)
    assert list(found) == [split for split in SPLITS if split in {*splits, "test"}]
    if "test" in splits:
        assert np.array_equal(found["train"][0], PICTURES)
        assert all(labels == LABELS.tolist() for _, labels in found.values())


def test_without_test_pictures_a_share_of_each_class_is_set_apart(tmp_path: Path) -> None:
    labels = np.arange(250) % 10 // 4  # 100 pictures of two classes, 50 of the third
    pictures = np.broadcast_to(np.arange(250, dtype=np.uint8)[:, None, None], (250, 256, 256))  # of two pieces
    np.savez(tmp_path / "a.npz", images=pictures, labels=labels)
    found = gather(arrays.read(tmp_path / "a.npz"))
    assert np.bincount(found["test"][1]).tolist() == [20, 20, 10]
    numbers = {split: images[:, 0, 0, 0].tolist() for split, (images, _) in found.items()}
    assert sorted(numbers["train"] + numbers["test"]) == list(range(250))
    assert all(found[split][1] == labels[numbers[split]].tolist() for split in found)
    again = gather(arrays.read(tmp_path / "a.npz"))
    assert np.array_equal(found["test"][0], again["test"][0]), "the same pictures each time"


def test_pictures_stay_where_they_are_when_others_come_between(tmp_path: Path) -> None:
    record = tmp_path / "splits" / "a.json"
    pictures = np.arange(400, dtype="<u4").view(np.uint8).reshape(400, 2, 2)  # all of them differ
    labels = np.arange(400) % 3

    def splits(which: Any, record: Path | None = record) -> dict[int, SplitName]:
        np.savez(tmp_path / "a.npz", images=pictures[which], labels=labels[which])
        found = gather(arrays.read(tmp_path / "a.npz", record))
        numbers = {split: np.frombuffer(images.tobytes(), "<u4").tolist() for split, (images, _) in found.items()}
        assert all(found[split][1] == labels[numbers[split]].tolist() for split in found)
        return {number: split for split in found for number in numbers[split]}

    first = splits(np.arange(100, 200))
    both = splits(np.arange(50, 400))
    assert first.items() <= both.items()
    assert sum(split == "test" for split in both.values()) == 69, "23 of each class"
    assert splits(np.arange(399, 49, -1)) == both, "their order says nothing"
    assert splits(np.arange(100, 200)) == first, "what is gone may come back"
    alone = splits(np.arange(100, 200), None)
    assert splits(np.random.default_rng(0).permutation(np.arange(100, 200)), None) == alone == first


def test_equal_pictures_stay_together(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (10, 4, 4), dtype=np.uint8)
    which = generator.permutation(np.repeat(np.arange(10), np.arange(2, 12)))
    np.savez(tmp_path / "a.npz", images=pictures[which], labels=which % 2)
    for _ in range(2):
        found = gather(arrays.read(tmp_path / "a.npz", tmp_path / "record.json"))
        train, test = ({image.tobytes() for image in found[split][0]} for split in ("train", "test"))
        assert (len(train), len(test), train & test) == (8, 2, set())
        assert sum(len(labels) for _, labels in found.values()) == len(which)


def test_a_class_of_copies_of_another_is_trained_on(tmp_path: Path) -> None:
    images, labels = np.concatenate([PICTURES, PICTURES[:3]]), [0, 0, 0, 0, 0, 0, 1, 1, 1]
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    found = gather(arrays.read(tmp_path / "a.npz"))
    assert {split: sorted(labels) for split, (_, labels) in found.items()} == {"train": [0] * 5 + [1] * 3, "test": [0]}
    assert found["test"][0].tobytes() in {image.tobytes() for image in PICTURES[3:]}
    np.savez(tmp_path / "a.npz", images=np.zeros((20, 4, 4), np.uint8), labels=np.arange(20) % 2)
    assert list(gather(arrays.read(tmp_path / "a.npz"))) == ["train"]


def test_pictures_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    for shift in range(3):
        np.savez(tmp_path / "a.npz", images=PICTURES + np.uint8(shift), labels=LABELS)
        arrays.read(tmp_path / "a.npz", record)
        assert len(read_record(record)) == 6


def test_a_share_is_set_apart_in_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", images=PICTURES, labels=LABELS, x_val=PICTURES[:2], y_val=LABELS[:2])
    reading = arrays.read(tmp_path / "a.npz")
    opened: list[str] = []
    stream = arrays._stream

    def counted(array: arrays._Pictures) -> Iterator[Chunk]:
        opened.append(array.header.name)
        return stream(array)

    monkeypatch.setattr(arrays, "_stream", counted)
    assert [(split, len(chunk.labels)) for split, chunk in reading.chunks()] == [
        ("train", 3),
        ("test", 3),
        ("validation", 2),
    ]
    assert len(opened) == 2, "once each"


def test_more_pictures_than_can_be_told_apart_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "a.npz", images=PICTURES, labels=LABELS)
    monkeypatch.setattr(arrays, "_MOST_SHARED_OUT", 5)
    monkeypatch.setattr(arrays, "_stream", None)
    with pytest.raises(InputError, match=r"images has 6 pictures; .* of up to 5: give x_test, y_test$"):
        arrays.read(tmp_path / "a.npz")


def test_what_is_done_before_a_share_is_set_apart_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    np.savez(tmp_path / "a.npz", images=PICTURES, labels=LABELS)
    arrays.read(tmp_path / "a.npz", progress=lambda *words: told.append(words))
    assert told == [("looking at the pictures of a.npz", 6, 6)]
    arrays.read(save(tmp_path / "b.npz"), progress=lambda *words: told.append(words))
    assert len(told) == 1, "where they are given apart there is nothing to do"


def test_names_that_scikit_learn_gives(tmp_path: Path) -> None:
    names = np.array(["Ada", "Bob", "Cyd"])
    np.savez(tmp_path / "a.npz", images=PICTURES, target=LABELS, target_names=names)
    assert arrays.read(tmp_path / "a.npz").classes == ("Ada", "Bob", "Cyd")
    for target_names, why in (
        (np.array(["class"]), "labels run up to 2, but target_names has 1 names"),
        (np.arange(3), r"target_names is int64 \[3\], expected a list of strings; write \.astype\(str\)$"),
        (np.array([["a", "b", "c"]]), r"target_names is <U1 \[1, 3\], expected a list of strings$"),
        (np.array(None), "target_names holds Python objects"),
    ):
        np.savez(tmp_path / "a.npz", images=PICTURES, target=LABELS, target_names=target_names)
        with pytest.raises(InputError, match=why):
            arrays.read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=PICTURES, target=names[LABELS], target_names=names[:2])
    with pytest.raises(InputError, match="target has 'Cyd', which is not among target_names"):
        arrays.read(tmp_path / "a.npz")


def test_a_collection_of_scikit_learn_is_told_what_to_leave_out(tmp_path: Path) -> None:
    bunch = dict(load_digits())
    np.savez(tmp_path / "a.npz", **bunch)
    with pytest.raises(InputError, match="has an array 'frame', which is not among those read; known: classes, images"):
        arrays.read(tmp_path / "a.npz")
    kept = {"target": bunch["target"], "target_names": bunch["target_names"].astype(str)}
    np.savez(tmp_path / "a.npz", data=bunch["data"], images=bunch["images"], **kept)
    with pytest.raises(InputError, match=r"two arrays for the same, 'data' and 'images'; leave one out$"):
        arrays.read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=(bunch["images"] * 15).astype(np.uint8), **kept)
    found = gather(arrays.read(tmp_path / "a.npz"))
    assert sum(len(labels) for _, labels in found.values()) == len(bunch["target"])


def test_arrays_without_pictures_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    images = np.repeat(PICTURES, 3, axis=0)
    labels = np.repeat(LABELS, 3)
    np.savez(tmp_path / "a.npz", images=images, labels=labels, x_test=images[:0], y_test=labels[:0])
    found = gather(arrays.read(tmp_path / "a.npz"))
    assert found["test"][1]
    assert len(found["train"][1]) + len(found["test"][1]) == len(images)


def test_two_arrays_for_the_same_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=PICTURES, labels=LABELS, x_train=PICTURES)
    with pytest.raises(InputError, match="two arrays for the same, 'images' and 'x_train'; leave one out"):
        arrays.read(tmp_path / "a.npz")


def test_a_class_is_one_however_its_accents_are_written(tmp_path: Path) -> None:
    together, apart = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    np.savez(tmp_path / "a.npz", images=PICTURES, labels=np.array([together, apart, "Brot"] * 2))
    assert arrays.read(tmp_path / "a.npz").classes == ("Brot", together)


WIDE = np.array([0, 2**63], dtype=np.uint64)
NAMES = np.array(["a", "b", "c"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"x_vall": PICTURES}, "an array 'x_vall', which is not among those read; did you mean 'x_val'"),
        ({"x_train_test": PICTURES}, "an array 'x_train_test', which is not among those read"),
        ({"x_val": PICTURES}, "lacks the labels of x_val"),
        ({"x_train": PICTURES[:3]}, "x_train has 3 pictures, but y_train 4 labels"),
        (
            {"x_train": PICTURES[:4] / np.float32(255)},
            r'x_train is float32, expected uint8 .*; of values in 0\.\.1: \(x \* 255\)\.round\(\)\.astype\("uint8"\)$',
        ),
        ({"x_train": PICTURES[:4].astype(np.int64)}, "x_train is int64, expected uint8 from 0 to 255$"),
        ({"x_train": PICTURES[:4, :2]}, r"x_train is \[4, 2, 8, 9\], expected"),
        ({"x_train": PICTURES[:4].reshape(4, -1)}, r"x_train is \[4, 216\], expected"),
        ({"x_train": np.zeros((4, 0, 8), np.uint8)}, r"x_train is \[4, 0, 8\], expected"),
        ({"x_test": PICTURES[4:, :, :7]}, "the pictures differ in shape"),
        ({"x_train": np.asfortranarray(PICTURES[:4])}, "x_train is stored column by column; write np.ascontiguous"),
        ({"x_train": np.array([None] * 4)}, "x_train holds Python objects, which are never loaded"),
        ({"y_train": np.eye(4, 3)}, "y_train is float64, expected whole numbers from 0, or names of classes as str"),
        ({"y_train": np.array(["a", "b", "a", "a"])}, "y_train has names, but y_test numbers; write one kind"),
        (
            {"y_train": NAMES[[0, 1, 1, 0]], "y_test": NAMES[:2], "classes": NAMES[1:]},
            "y_train has 'a', which is not among",
        ),
        ({"y_train": NAMES[[0, 1, 1, 0]], "y_test": np.array(["a", "b\n"])}, "no class can be called 'b.n'"),
        ({"y_train": np.array([b"a", b"\xff", b"a", b"a"]), "y_test": NAMES[:2]}, "y_train are no readable strings"),
        ({"y_train": np.eye(4, 3, dtype=int)}, r"y_train is \[4, 3\], expected a label a picture; write .argmax"),
        ({"y_train": np.zeros((4, 1, 1), int)}, r"y_train is \[4, 1, 1\], expected \[N\]"),
        ({"y_train": np.array([0, -1, 0, 0])}, "y_train runs from -1 to 0, expected labels from 0"),
        ({"y_test": WIDE}, "y_test runs from 0 to 9223372036854775808"),
        ({"y_test": np.array([0, 70_000])}, "expected labels from 0 to 65535"),
        ({"classes": NAMES[:2]}, "labels run up to 2, but classes has 2 names"),
        ({"classes": np.array(["a", "b", "a"])}, "a.npz: two classes are called 'a'"),
        ({"classes": np.array(["a", "", "c"])}, "a.npz: no class can be called ''"),
        ({"classes": np.array(["a", "b\x1b[0m", "c"])}, r"no class can be called 'b.x1b\[0m'"),
        ({"classes": np.array(["a", "b" * 256, "c"])}, "a name is one line of 1 to 255 letters"),
        ({"classes": np.array([b"a", b"\xff", b"c"])}, "no readable strings"),
        ({"classes": np.array(["a", "b"], dtype=object)}, "classes holds Python objects, which are never loaded"),
        ({"classes": np.array([1, 2, 3])}, r"classes is int64 \[3\], expected a list of strings; write .astype.str"),
        ({"classes": np.array("abc")}, "expected a list of strings"),
        ({"classes": np.zeros(3, "U0")}, "U0|<U1|no class can be called"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    path = save(tmp_path / "a.npz", **changes)
    with pytest.raises(InputError, match=why) as caught:
        arrays.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_name_is_told_by_its_beginning(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", y_train=np.array(["a", "b", "b", "x" * 5002]), y_test=NAMES[:2], classes=NAMES)
    with pytest.raises(InputError, match=r"y_train has 'x{60}'\.\.\., which is not among classes"):
        arrays.read(path)


def write_members(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_an_array_whose_head_and_body_differ_is_refused(tmp_path: Path) -> None:
    good = {"y_train": npy(LABELS), "x_test": npy(PICTURES), "y_test": npy(LABELS)}
    for content in (npy(PICTURES)[:-1], npy(PICTURES) + b"x", npy(PICTURES).replace(b"(6, 3, 8, 9)", b"(6, 3, 8,10)")):
        with pytest.raises(InputError, match=r"x_train is damaged: \(6, 3, 8, (9|10)\) in"):
            arrays.read(write_members(tmp_path / "a.npz", x_train=content, **good))
    for content in (b"", b"hello", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00" + bytes(80)):
        with pytest.raises(InputError, match=r"x_train is (no array of numpy|in a format)"):
            arrays.read(write_members(tmp_path / "a.npz", x_train=content, **good))
    negative = npy(PICTURES).replace(b"(6, 3, 8, 9)", b"(-6,-3,8, 9)")
    with pytest.raises(InputError, match="x_train"):
        arrays.read(write_members(tmp_path / "a.npz", x_train=negative, **good))


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content in (b"", b"hello", npy(PICTURES)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is not a .npz file; write it by np.savez_compressed"):
            arrays.read(path)


def test_a_flipped_bit_among_the_pictures_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_train=PICTURES, y_train=LABELS, x_test=PICTURES, y_test=LABELS)
    content = bytearray(path.read_bytes())
    content[content.index(PICTURES.tobytes()) + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        gather(arrays.read(path))


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz")
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            arrays.read(path)


def test_pictures_are_read_in_pieces(tmp_path: Path) -> None:
    images = np.broadcast_to(np.arange(250, dtype=np.uint8)[:, None, None], (250, 512, 512))
    save(tmp_path / "a.npz", x_train=images, y_train=np.zeros(250, int), x_test=images[:1], y_test=[0])
    tracemalloc.start()
    try:
        count = 0
        for chunk in arrays.read(tmp_path / "a.npz").splits["train"]():
            assert chunk.images[0, 0, 0, 0] == count
            count += len(chunk.images)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 250
    assert peak < 30_000_000 < images.size
