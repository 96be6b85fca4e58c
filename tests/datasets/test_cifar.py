import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import tiny_cifar
from retinula.datasets import cifar
from retinula.datasets.catalog import CATALOG
from retinula.datasets.reading import Chunk, Reading, SplitName
from retinula.errors import InputError
from retinula.images import Images, Labels
from tiny_cifar import NUM_TEST, NUM_TRAIN

FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


def gather(reading: Reading) -> dict[SplitName, tuple[Images, Labels, list[str]]]:
    """Put every split together by the places its chunks name."""
    found: dict[SplitName, list[Chunk]] = {}
    for split, chunk in reading.chunks():
        found.setdefault(split, []).append(chunk)
    gathered = {}
    for split, chunks in found.items():
        chunks.sort(key=lambda chunk: chunk.start or 0)
        count = 0
        for chunk in chunks:
            assert chunk.start == count
            assert len(chunk.images) == len(chunk.labels)
            count += len(chunk.images)
        names = [name for chunk in chunks for name in chunk.sources or ()]
        gathered[split] = (
            np.concatenate([chunk.images for chunk in chunks]),
            np.concatenate([chunk.labels for chunk in chunks]),
            names,
        )
    return gathered


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("form", ["archive", "folder"])
@pytest.mark.parametrize("python", [2, 3])
def test_gives_every_picture_label_and_name_in_the_official_order(
    tmp_path: Path, name: str, form: str, python: int
) -> None:
    fields = tiny_cifar.fields(name)
    files = tiny_cifar.pickled(fields) if python == 2 else {file: pickle.dumps(fields[file]) for file in fields}
    if form == "archive":
        source = tiny_cifar.write_archive(tmp_path / "a.tar.gz", FOLDERS[name], {**files, "readme.html": b"<p>"})
    else:
        source = tiny_cifar.write_folder(tmp_path / "any name", files)
    reading = cifar.read(source, tiny_cifar.entry(name))
    assert reading.classes == CATALOG[name].classes
    assert reading.superclasses == CATALOG[name].superclasses
    images, labels = tiny_cifar.pictures(name)
    found = gather(reading)
    assert set(found) == {"train", "test"}
    for split, part in (("train", slice(NUM_TRAIN)), ("test", slice(NUM_TRAIN, None))):
        got_images, got_labels, names = found[split]  # type: ignore[index] # mypy widens the literal
        assert got_images.dtype == np.uint8
        assert np.array_equal(got_images, images[part])
        assert got_labels.dtype == np.int64
        assert got_labels.tolist() == labels[part]
        assert names == [f"picture_{number}.png" for number in range(len(images))][part]


def test_a_split_can_be_read_alone(tmp_path: Path) -> None:
    source = tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(tiny_cifar.fields("cifar10")))
    splits = cifar.read(source, tiny_cifar.entry("cifar10")).splits
    assert {split: sum(len(chunk.images) for chunk in stream()) for split, stream in splits.items()} == {
        "train": NUM_TRAIN,
        "test": NUM_TEST,
    }


def test_coarse_labels_are_the_groups(tmp_path: Path) -> None:
    source = tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(tiny_cifar.fields("cifar100")))
    reading = cifar.read(source, tiny_cifar.entry("cifar100"), "coarse")
    groups = CATALOG["cifar100"].superclasses
    assert groups is not None
    assert reading.classes == tuple(sorted(set(groups)))
    assert len(reading.classes) == 20
    assert reading.superclasses is None
    fine = tiny_cifar.pictures("cifar100")[1][:NUM_TRAIN]
    assert [reading.classes[label] for label in gather(reading)["train"][1]] == [groups[label] for label in fine]


def test_cifar10_has_no_coarse_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cifar10 has no coarse labels"):
        cifar.read(tmp_path, CATALOG["cifar10"], "coarse")


def change(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda batch: batch.__setitem__(field, value)


PIXELS = np.zeros((4, 3072), np.uint8)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda batch: batch.pop("data"), r"'data' is missing; it has 'batch_label', 'filenames', 'labels'$"),
        (lambda batch: batch.pop("labels"), "'labels' is missing"),
        (change("data", [1, 2]), "'data' is no array"),
        (change("data", PIXELS.astype(np.int64)), r"'data' is int64 \[4, 3072\], expected uint8 \[4, 3072\]"),
        (change("data", PIXELS[:3]), r"'data' is uint8 \[3, 3072\], expected uint8 \[4, 3072\]"),
        (change("data", PIXELS[:, :1024]), r"\[4, 1024\]"),
        (change("data", PIXELS.ravel()), r"\[12288\]"),
        (change("labels", [1, 2, 3]), "'labels' has 3 labels for 4 pictures"),
        (change("labels", [1, 2, 3, 10]), "'labels' runs from 1 to 10, expected 0 to 9"),
        (change("labels", [-1, 2, 3, 4]), "'labels' runs from -1 to 4"),
        (change("labels", ["a", "b", "c", "d"]), "'labels' is no list of whole numbers"),
        (change("labels", "abcd"), "'labels' is no list of whole numbers"),
        (change("labels", PIXELS), r"'labels' is uint8 \[4, 3072\]"),
        (change("filenames", ["a"] * 5), "'filenames' has 5 names for 4 pictures"),
        (change("filenames", [1] * 4), "'filenames' is no list of strings"),
    ],
)
def test_a_batch_that_is_not_as_published_is_refused(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], why: str
) -> None:
    fields = tiny_cifar.fields("cifar10")
    spoil(fields["data_batch_3"])
    source = tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(fields))
    with pytest.raises(InputError, match=why) as caught:
        gather(cifar.read(source, tiny_cifar.entry("cifar10")))
    assert str(caught.value).startswith(f"{source}: data_batch_3 is not as published: ")


def test_labels_may_be_an_array_and_names_may_be_absent(tmp_path: Path) -> None:
    fields = tiny_cifar.fields("cifar10")
    for file in set(fields) - {"batches.meta"}:
        fields[file]["labels"] = np.array(fields[file]["labels"])
        del fields[file]["filenames"]
    found = gather(
        cifar.read(tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(fields)), tiny_cifar.entry("cifar10"))
    )
    assert found["train"][1].tolist() == tiny_cifar.pictures("cifar10")[1][:NUM_TRAIN]
    assert found["train"][2] == []


def test_names_that_cannot_be_shown_are_escaped(tmp_path: Path) -> None:
    fields = tiny_cifar.fields("cifar10")
    fields["test_batch"]["filenames"] = ["a.png", "\x1b[31m", "é.png", b"\xff", *["b"] * 4]
    found = gather(
        cifar.read(tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(fields)), tiny_cifar.entry("cifar10"))
    )
    assert found["test"][2][:4] == ["a.png", "\\x1b[31m", "é.png", "\ufffd"]


@pytest.mark.parametrize(
    ("name", "file", "field", "names", "why"),
    [
        ("cifar10", "batches.meta", "label_names", ["airplane", "car"], "has 'car' in place of 'automobile'"),
        ("cifar10", "batches.meta", "label_names", [*CATALOG["cifar10"].classes, "x"], "has 11 in place of 10"),
        ("cifar100", "meta", "fine_label_names", ["apple"], "has None in place of 'aquarium_fish'"),
        ("cifar100", "meta", "coarse_label_names", ["fish"], "has 'fish' in place of 'aquatic_mammals'"),
    ],
)  # fmt: skip
def test_other_classes_are_refused(
    tmp_path: Path, name: str, file: str, field: str, names: list[str], why: str
) -> None:
    fields = tiny_cifar.fields(name)
    fields[file][field] = names
    source = tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(fields))
    with pytest.raises(InputError, match=why):
        gather(cifar.read(source, tiny_cifar.entry(name)))


def test_fine_and_coarse_labels_must_agree(tmp_path: Path) -> None:
    fields = tiny_cifar.fields("cifar100")
    fields["train"]["fine_labels"][5] = CATALOG["cifar100"].classes.index("whale")
    fields["train"]["coarse_labels"][5] = 1
    source = tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(fields))
    with pytest.raises(InputError, match="picture 5 is 'whale' of the group 'fish'"):
        gather(cifar.read(source, tiny_cifar.entry("cifar100")))


@pytest.mark.parametrize("form", ["archive", "folder"])
@pytest.mark.parametrize("file", ["data_batch_2", "batches.meta"])
def test_a_missing_file_is_named(tmp_path: Path, form: str, file: str) -> None:
    files = tiny_cifar.pickled(tiny_cifar.fields("cifar10"))
    del files[file]
    if form == "archive":
        source = tiny_cifar.write_archive(tmp_path / "a.tar.gz", "cifar-10-batches-py", files)
    else:
        source = tiny_cifar.write_folder(tmp_path / "a", files)
    with pytest.raises(InputError, match=f"is not cifar10: it lacks {file}$"):
        gather(cifar.read(source, tiny_cifar.entry("cifar10")))


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.tar"
    content = tiny_cifar.python2_pickle(tiny_cifar.fields("cifar10")["data_batch_1"])
    with tarfile.open(source, "w") as archive:
        for folder in ("a", "b"):
            info = tarfile.TarInfo(f"{folder}/data_batch_1")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(InputError, match="data_batch_1 is in it twice"):
        gather(cifar.read(source, tiny_cifar.entry("cifar10")))


def test_what_is_no_dictionary_is_refused(tmp_path: Path) -> None:
    files = tiny_cifar.pickled(tiny_cifar.fields("cifar10"))
    files["test_batch"] = tiny_cifar.python2_pickle([1, 2])
    source = tiny_cifar.write_folder(tmp_path / "a", files)
    with pytest.raises(InputError, match="test_batch is not as published: it holds no dictionary"):
        gather(cifar.read(source, tiny_cifar.entry("cifar10")))


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    source = tiny_cifar.write_folder(tmp_path / "a", tiny_cifar.pickled(tiny_cifar.fields("cifar10")))
    (source / "data_batch_1").unlink()
    (source / "data_batch_1").mkdir()
    with pytest.raises(InputError, match=r"is not cifar10: it lacks data_batch_1$"):
        gather(cifar.read(source, tiny_cifar.entry("cifar10")))


def test_an_archive_cut_short_is_refused(tmp_path: Path) -> None:
    files = tiny_cifar.pickled(tiny_cifar.fields("cifar10"))
    source = tiny_cifar.write_archive(tmp_path / "a.tar.gz", "cifar-10-batches-py", files)
    source.write_bytes(source.read_bytes()[:-20_000])
    with pytest.raises(InputError, match="damaged"):
        gather(cifar.read(source, tiny_cifar.entry("cifar10")))


@pytest.mark.data
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_real_pictures_are_as_published(real_data: Path, name: Literal["cifar10", "cifar100"]) -> None:
    entry = CATALOG[name]
    assert entry.archive is not None
    source = real_data / entry.archive.name
    if not source.exists():
        pytest.skip(f"needs {entry.archive.name} in RETINULA_DATA")
    counts = {split: np.zeros(len(entry.classes), np.int64) for split in entry.counts}
    sums, squares = np.zeros(3), np.zeros(3)
    for split, chunk in cifar.read(source, entry).chunks():
        counts[split] += np.bincount(chunk.labels, minlength=len(entry.classes))
        if split == "train":
            sums += chunk.images.sum(axis=(0, 2, 3), dtype=np.int64)
            squares += (chunk.images.astype(np.uint16) ** 2).sum(axis=(0, 2, 3), dtype=np.int64)
    for split, count in entry.counts.items():
        assert counts[split].tolist() == [count // len(entry.classes)] * len(entry.classes)
    pixels = entry.counts["train"] * 32 * 32
    means = sums / pixels / 255
    deviations = np.sqrt(squares / pixels / 255**2 - means**2)
    assert means.round(4).tolist() == list(entry.mean)
    assert deviations.round(4).tolist() == list(entry.deviation)
