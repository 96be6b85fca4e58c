import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import small_idx
from retinula.datasets import copies, idx, load
from retinula.datasets.catalog import CATALOG
from retinula.datasets.entry import Archive
from retinula.datasets.reading import Dataset
from retinula.errors import InputError
from small_idx import NUM_TRAIN

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def official(name: str) -> Archive:
    archive = CATALOG[name].archive
    assert archive is not None
    return archive


def check(dataset: Dataset, name: str, seed: int = 0) -> None:
    images, labels = small_idx.pictures(seed)
    assert set(dataset.splits) == {"train", "test"}
    for split, part in (("train", slice(NUM_TRAIN)), ("test", slice(NUM_TRAIN, None))):
        found = dataset.splits["train" if split == "train" else "test"]
        assert np.array_equal(found.images, images[part][:, np.newaxis])
        assert found.known_labels().tolist() == labels[part].tolist()
        assert found.classes == CATALOG[name].classes


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mnist", "fashion-mnist"):
        monkeypatch.setitem(CATALOG, name, small_idx.entry(name))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "mnist"), ("mnist", "MNIST/raw"), ("fashion-mnist", "FashionMNIST/raw")]
)
def test_gives_every_picture_and_label(tmp_path: Path, name: str, folder: str, packed: bool) -> None:
    small_idx.write(tmp_path / folder, packed=packed)
    check(load.load(name, search=[tmp_path], cache_dir=tmp_path / "cache", offline=True), name)


@pytest.mark.usefixtures("small")
def test_names_with_a_dot_as_some_programs_unpack_them(tmp_path: Path) -> None:
    folder = small_idx.write(tmp_path / "raw", packed=False)
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.replace("-idx", ".idx"))
    check(load.get("mnist", folder, cache_dir=tmp_path / "cache"), "mnist")
    assert load.is_here("mnist", cache_dir=tmp_path / "cache", search=[])


@pytest.mark.usefixtures("small")
def test_the_two_sets_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    small_idx.write(tmp_path / "mnist", seed=1)
    small_idx.write(tmp_path / "fashion-mnist", seed=2)
    cache = tmp_path / "cache"
    for search in ([tmp_path], [tmp_path / "mnist", tmp_path / "fashion-mnist"]):
        check(load.load("mnist", search=search, cache_dir=cache, offline=True), "mnist", seed=1)
        check(load.load("fashion-mnist", search=search, cache_dir=cache, offline=True), "fashion-mnist", seed=2)
    small_idx.write(tmp_path / "raw")
    with pytest.raises(InputError, match=r"^the folder mnist is not on this computer; .*data get mnist --from FILE"):
        load.load("mnist", search=[tmp_path / "raw"], cache_dir=cache, offline=True)
    check(load.load(tmp_path / "mnist", cache_dir=cache), "mnist", seed=1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("packed", [True, False])
def test_get_takes_a_folder_of_any_name_and_keeps_it(tmp_path: Path, packed: bool) -> None:
    folder, cache = small_idx.write(tmp_path / "raw", packed=packed), tmp_path / "cache"
    check(load.get("mnist", folder, cache_dir=cache), "mnist")
    kept = load.load("mnist", search=[], cache_dir=cache, offline=True)
    check(kept, "mnist")
    assert kept.splits["train"].provenance["copy"] == "unverified copy"
    assert load.is_here("mnist", cache_dir=cache, search=[])
    assert not load.is_here("fashion-mnist", cache_dir=cache, search=[])
    (folder / sorted(folder.iterdir())[0].name).unlink()
    with pytest.raises(InputError, match=r"raw holds not all of train-images-idx3-ubyte.gz, "):
        load.get("mnist", folder, cache_dir=cache)


@pytest.mark.usefixtures("small")
def test_the_other_set_is_not_taken_for_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_idx.write(tmp_path / "raw")
    sums = {file: copies.file_digest(folder / file, tmp_path) for file in official("fashion-mnist").files}
    known = replace(official("fashion-mnist"), files=sums)
    monkeypatch.setitem(CATALOG, "fashion-mnist", replace(CATALOG["fashion-mnist"], archive=known))
    with pytest.raises(InputError, match=r"raw is another data set: retinula data get fashion-mnist --from "):
        load.get("mnist", folder, cache_dir=tmp_path / "cache")
    verified = load.get("fashion-mnist", folder, cache_dir=tmp_path / "cache")
    assert verified.splits["test"].provenance["copy"] == "verified copy"


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
images, labels = small_idx.pictures()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (IMAGES, small_idx.idx(images[:11]), r"holds \[11, 28, 28\] values, expected \[12, 28, 28\]"),
        (IMAGES, small_idx.idx(images[:12, :, :27]), r"holds \[12, 28, 27\] values"),
        (IMAGES, small_idx.idx(labels[:12]), "it is no idx file of bytes in 3 dimensions"),
        (IMAGES, small_idx.idx(images[:12]) + b"\0", "it goes on behind its last value"),
        (IMAGES, small_idx.idx(images[:12])[:-1], "damaged .it is cut short.; get it anew"),
        (IMAGES, b"", "damaged .it is cut short."),
        (LABELS, small_idx.idx(labels[:13]), r"holds \[13\] values, expected \[12\]"),
        (LABELS, small_idx.idx(np.full(12, 10, np.uint8)), "labels run up to 10, expected 9"),
        (LABELS, b"\0\0\x0d\x01" + small_idx.idx(labels[:12])[4:], "it is no idx file of bytes in 1 dimensions"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_is_not_as_published_is_refused(
    tmp_path: Path, file: str, content: bytes, words: str, packed: bool
) -> None:
    folder = small_idx.write(tmp_path / "mnist", packed=packed)
    path = folder / (f"{file}.gz" if packed else file)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match=f"{path.name} is .*{words}"):
        list(idx.read(folder, small_idx.entry("mnist")).chunks())


def test_every_cut_and_flip_of_a_packed_file_is_noticed_or_harmless(tmp_path: Path) -> None:
    folder = small_idx.write(tmp_path / "mnist")
    path = folder / f"{LABELS}.gz"
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=f"{LABELS}.gz is "):
            list(idx.read(folder, small_idx.entry("mnist")).chunks())
    harmless = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            chunks = list(idx.read(folder, small_idx.entry("mnist")).splits["train"]())
        except InputError:
            continue
        harmless += 1  # the time stamp, and the like
        assert chunks[0].labels.tolist() == labels[:12].tolist()
    assert harmless < 10


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    folder = small_idx.write(tmp_path / "mnist")
    (folder / f"{LABELS}.gz").chmod(0)
    with pytest.raises(InputError, match=rf"{LABELS}.gz: cannot be read \(Permission denied\)"):
        list(idx.read(folder, small_idx.entry("mnist")).chunks())


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    folder = small_idx.write(tmp_path / "mnist")
    reading = idx.read(folder, small_idx.entry("mnist"))
    (folder / f"{IMAGES}.gz").unlink()
    with pytest.raises(InputError, match=f"{IMAGES}: no such file"):
        list(reading.chunks())


@pytest.mark.data
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_the_pictures_of_debian_are_the_published_ones(tmp_path: Path) -> None:
    dataset = load.load("fashion-mnist", cache_dir=tmp_path / "cache", offline=True)
    entry = CATALOG["fashion-mnist"]
    for split, image_set in dataset.splits.items():
        assert len(image_set) == entry.counts[split]
        assert set(image_set.counts().values()) == {entry.counts[split] // 10}
        assert image_set.provenance["copy"] == "verified copy"
    train = dataset.splits["train"]
    mean, deviation = train.statistics()
    assert (round(mean[0], 4), round(deviation[0], 4)) == (entry.mean[0], entry.deviation[0])
    # An ankle boot and a T-shirt come first, as the authors show them.
    assert [train.classes[label] for label in train.known_labels()[:2]] == ["Ankle boot", "T-shirt/top"]
