import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from PIL import Image

import tiny_cifar
from retinula.datasets import cifar, copies, download, load
from retinula.datasets.catalog import CATALOG
from retinula.datasets.entry import Archive
from retinula.datasets.reading import Dataset
from retinula.errors import InputError
from retinula.pictures.form import Form
from tiny_cifar import NUM_TEST, NUM_TRAIN


def official(name: str) -> Archive:
    archive = CATALOG[name].archive
    assert archive is not None
    return archive


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tiny archives, taken for the official ones by the catalog, and searched by nothing yet."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for name in ("cifar10", "cifar100"):
        archive = official(name)
        path = folder / archive.name
        files = tiny_cifar.pickled(tiny_cifar.fields(name))
        tiny_cifar.write_archive(path, archive.folder, files)
        sums = {file: copies.file_digest(tiny_file, tmp_path) for file, tiny_file in spread(tmp_path / name, files)}
        sha256 = copies.file_digest(path, tmp_path)
        known = replace(archive, size=path.stat().st_size, sha256=sha256, urls=(), files=sums)
        monkeypatch.setitem(CATALOG, name, tiny_cifar.entry(name, known))
    monkeypatch.delenv("RETINULA_DATA", raising=False)
    return folder


def spread(folder: Path, files: dict[str, bytes]) -> list[tuple[str, Path]]:
    tiny_cifar.write_folder(folder, files)
    return [(file, folder / file) for file in files]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The sources that were read, each time they were."""
    sources: list[Path] = []
    real = cifar.read

    def read(source: Path, *arguments: Any) -> Any:
        sources.append(source)
        return real(source, *arguments)

    monkeypatch.setattr(cifar, "read", read)
    return sources


def check(dataset: Dataset, name: str = "cifar10", seed: int = 0) -> None:
    images, labels = tiny_cifar.pictures(name, seed)
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert (dataset.name, train.name, test.name) == (name, f"{name}/train", f"{name}/test")
    assert np.array_equal(train.images, images[:NUM_TRAIN])
    assert np.array_equal(test.images, images[NUM_TRAIN:])
    assert train.known_labels().tolist() == labels[:NUM_TRAIN]
    assert test.known_labels().tolist() == labels[NUM_TRAIN:]
    assert train.classes == CATALOG[name].classes
    assert train.superclasses == CATALOG[name].superclasses


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_finds_prepares_and_then_only_opens(tiny: Path, cache: Path, opened: list[Path], name: str) -> None:
    for _ in range(2):
        check(load.load(name, search=[tiny], cache_dir=cache), name)
    assert opened == [tiny / official(name).name]


def test_says_where_pictures_come_from(tiny: Path, cache: Path) -> None:
    archive = official("cifar10")
    assert load.load("cifar10", search=[tiny], cache_dir=cache).splits["test"].provenance == {
        "copy": "verified copy",
        "source": "cifar-10-python.tar.gz",
        "sha256": archive.sha256,
        "licence": CATALOG["cifar10"].licence,
        "citation": CATALOG["cifar10"].citation,
    }


def other_archive(folder: Path, seed: int = 1, name: str = "cifar10") -> Path:
    """An archive with other pictures in the right structure."""
    folder.mkdir(exist_ok=True)
    files = tiny_cifar.pickled(tiny_cifar.fields(name, seed))
    return tiny_cifar.write_archive(folder / official(name).name, official(name).folder, files)


def test_a_copy_that_is_not_the_official_one_is_used_and_called_so(tiny: Path, cache: Path, tmp_path: Path) -> None:
    path = other_archive(tmp_path / "other")
    dataset = load.load("cifar10", search=[path.parent], cache_dir=cache)
    check(dataset, seed=1)
    assert dataset.splits["train"].provenance["copy"] == "unverified copy"
    assert dataset.splits["train"].provenance["sha256"] == copies.file_digest(path, cache)
    # The official one is prepared beside it, not mistaken for it.
    check(load.load("cifar10", search=[tiny], cache_dir=cache))


def test_the_environment_names_folders_and_cache(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_archive(tmp_path / "second")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("RETINULA_DATA", os.pathsep.join(map(str, [tmp_path / "empty", tiny, tmp_path / "second"])))
    monkeypatch.setenv("RETINULA_CACHE", str(tmp_path / "named"))
    check(load.load("cifar10"))
    assert (tmp_path / "named/prepared").is_dir()
    assert load.cache_folder(tmp_path) == tmp_path
    monkeypatch.setenv("RETINULA_CACHE", "~nobody-such/c")
    with pytest.raises(InputError, match=r"^~nobody-such/c: there is no such home folder; correct RETINULA_CACHE$"):
        load.cache_folder()
    monkeypatch.delenv("RETINULA_CACHE")
    assert load.cache_folder() == Path(platformdirs.user_cache_dir("retinula"))
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"there is no folder .*gone to search for data; correct RETINULA_DATA"):
        load.load("cifar10")
    load.load("digits")  # which needs none of it


def test_folders_come_before_downloads_and_downloads_before_the_network(
    tiny: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def fetch(archive: Archive, where: Path, progress: object) -> Path:
        fetched.append(archive.name)
        copies.downloads(where).mkdir(parents=True)
        return Path(shutil.copy(tiny / archive.name, copies.downloads(where)))

    monkeypatch.setattr(download, "fetch", fetch)
    with pytest.raises(InputError, match=r"cifar-10-python.tar.gz is not on this computer; .*--from FILE"):
        load.load("cifar10", search=[], cache_dir=cache, offline=True)
    assert fetched == []
    for _ in range(2):
        check(load.load("cifar10", search=[], cache_dir=cache))
    assert fetched == ["cifar-10-python.tar.gz"]
    check(load.load("cifar10", search=[], cache_dir=cache, offline=True))
    other_archive(tmp_path / "other")
    check(load.load("cifar10", search=[tmp_path / "other"], cache_dir=cache), seed=1)


def test_coarse_labels(tiny: Path, cache: Path) -> None:
    fine = load.load("cifar100", search=[tiny], cache_dir=cache).splits["train"]
    coarse = load.load("cifar100", search=[tiny], cache_dir=cache, labels="coarse").splits["train"]
    assert len(coarse.classes) == 20
    assert fine.superclasses is not None
    names = [coarse.classes[label] for label in coarse.known_labels()]
    assert names == [fine.superclasses[label] for label in fine.known_labels()]
    for name in ("cifar10", "digits", "shapes", tiny):
        with pytest.raises(InputError, match="has no coarse labels"):
            load.load(name, search=[tiny], cache_dir=cache, labels="coarse")


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_pictures_are_brought_to_the_size_and_channels_wanted(tiny: Path, cache: Path, resize: Any) -> None:
    dataset = load.load("cifar10", search=[tiny], cache_dir=cache, size=(16, 20), channels=1, resize=resize)
    images = tiny_cifar.pictures("cifar10")[0]
    for split, part in (("train", images[:NUM_TRAIN]), ("test", images[NUM_TRAIN:])):
        found = dataset.splits["train" if split == "train" else "test"].images
        assert found.shape == (len(part), 1, 16, 20)
        for got, original in zip(found, part, strict=True):
            picture = Image.fromarray(np.ascontiguousarray(original.transpose(1, 2, 0)))
            assert np.array_equal(got, Form(1, (16, 20), resize=resize).shrink(picture))
    check(load.load("cifar10", search=[tiny], cache_dir=cache, size=(32, 32), channels=3))


def test_grey_pictures_become_colour(cache: Path) -> None:
    grey = load.load("digits", cache_dir=cache).splits["train"]
    colour = load.load("digits", cache_dir=cache, channels=3).splits["train"]
    assert (len(grey), grey.shape) == (1442, (1, 8, 8))
    assert np.array_equal(colour.images, np.repeat(grey.images, 3, axis=1))
    assert load.load("digits", cache_dir=cache, size=(12, 10)).splits["test"].images.shape == (355, 1, 12, 10)


def test_one_number_is_both_sides(cache: Path) -> None:
    square = load.load("digits", cache_dir=cache, size=12)
    assert square.splits["test"].shape == (1, 12, 12)
    for wrong in ("12", 12.0, (12,), (12, 12.5)):
        with pytest.raises(InputError, match=r"size is height and width in pixels, such as \(24, 32\), or one number"):
            load.load("digits", cache_dir=cache, size=wrong)  # type: ignore[arg-type]  # what is refused


def test_digits_and_shapes_need_nothing(cache: Path) -> None:
    digits = load.load("digits", cache_dir=cache, offline=True)
    assert digits.splits["train"].provenance["copy"] == "installed with scikit-learn"
    assert not cache.exists()
    shapes = load.load("shapes", cache_dir=cache, size=(8, 8), channels=1, seed=3, offline=True)
    assert shapes.splits["train"].images.shape == (4000, 1, 8, 8)
    assert shapes.splits["test"].name == "shapes/test"
    assert shapes.splits["test"].provenance["copy"] == "drawn here"
    other = load.load("shapes", cache_dir=cache, size=(8, 8), channels=1, seed=4)
    assert not np.array_equal(shapes.splits["train"].images, other.splits["train"].images)


# One's own files


def make_photos(folder: Path, size: tuple[int, int] = (20, 30)) -> Path:
    for split, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(["cat", "dog"]):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", size[::-1], (label * 200, number * 10, 50)).save(place / f"{number}.png")
    return folder


def test_loads_folders_and_archives_of_them(tmp_path: Path, cache: Path) -> None:
    folder = make_photos(tmp_path / "pets")
    packed = [Path(shutil.make_archive(str(tmp_path / "packed"), kind, folder)) for kind in ("zip", "gztar")]
    for source in (folder, *packed):
        dataset = load.load(source, cache_dir=cache)
        train = dataset.splits["train"]
        assert dataset.name == ("pets" if source == folder else "packed")
        assert train.classes == ("cat", "dog")
        assert train.images.shape == (6, 3, 20, 30)
        # The pictures of an archive come in the order they lie in it.
        first_pixels = train.images[:, :, 0, 0].tolist()
        assert sorted(zip(train.sources or (), train.known_labels().tolist(), first_pixels, strict=True)) == [
            (f"train/{name}/{number}.png", label, [label * 200, number * 10, 50])
            for label, name in enumerate(["cat", "dog"])
            for number in range(3)
        ]
        assert train.provenance["copy"] == "own files"
        assert train.provenance["source"] == source.name
        assert len(dataset.splits["test"]) == 4
    assert load.load(str(folder), cache_dir=cache, size=(8, 8), channels=1).splits["test"].shape == (1, 8, 8)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="all names are text there")
def test_what_is_told_of_a_folder_can_be_written_whatever_its_name_is(tmp_path: Path, cache: Path) -> None:
    folder = make_photos(tmp_path / os.fsdecode(b"caf\xe9"))
    for more in ((), [make_photos(tmp_path / "more")]):
        train = load.load(folder, more=more, cache_dir=cache).splits["train"]
        assert train.provenance["source"].startswith(r"caf\xe9")
        assert train.name.startswith(r"caf\xe9")


def test_a_single_further_folder_may_be_named(tmp_path: Path, cache: Path) -> None:
    first, second = make_photos(tmp_path / "a"), make_photos(tmp_path / "b")
    both = load.load(first, more=[second], cache_dir=cache).splits["train"].fingerprint()
    for more in (second, str(second)):
        assert load.load(first, more=more, cache_dir=cache).splits["train"].fingerprint() == both


def test_a_folder_is_read_anew_when_a_picture_changes(tmp_path: Path, cache: Path) -> None:
    folder = make_photos(tmp_path / "pets")
    before = load.load(folder, cache_dir=cache).splits["train"]
    Image.new("RGB", (30, 20), (1, 2, 3)).save(folder / "train/cat/9.png")
    after = load.load(folder, cache_dir=cache).splits["train"]
    assert (len(before), len(after)) == (6, 7)
    assert after.images[3, :, 0, 0].tolist() == [1, 2, 3]
    assert len([path for path in (cache / "prepared").iterdir() if path.is_dir()]) == 1


def test_bad_pictures_are_named(tmp_path: Path, cache: Path) -> None:
    folder = make_photos(tmp_path / "pets")
    (folder / "train/dog/bad.png").write_bytes(b"no picture")
    for _ in range(2):
        dataset = load.load(folder, cache_dir=cache)
        assert [skipped.source for skipped in dataset.skipped] == ["train/dog/bad.png"]
        assert len(dataset.splits["train"]) == 6


def test_loads_npz_files(tmp_path: Path, cache: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 10, 12), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=np.arange(6) % 2, x_test=images, y_test=np.arange(6) % 2)
    dataset = load.load(tmp_path / "mine.npz", cache_dir=cache)
    assert dataset.name == "mine"
    assert np.array_equal(dataset.splits["train"].images, images[:, np.newaxis])
    assert dataset.splits["train"].provenance["sha256"] == copies.file_digest(tmp_path / "mine.npz", cache)
    small = load.load(tmp_path / "mine.npz", cache_dir=cache, size=(5, 6), channels=3)
    assert small.splits["test"].shape == (3, 5, 6)
    assert np.array_equal(small.splits["test"].images[0], Form(3, (5, 6)).shrink(Image.fromarray(images[0])))


def test_an_official_archive_may_be_named_by_its_path(tiny: Path, cache: Path, tmp_path: Path) -> None:
    check(load.load(tiny / "cifar-10-python.tar.gz", cache_dir=cache))
    check(load.load(str(tmp_path / "cifar100"), cache_dir=cache), "cifar100")


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("cifar1O", {}, "there is no data set, folder or file 'cifar1O'; did you mean 'cifar10'"),
        (Path("cifar10"), {}, "there is no data set, folder or file 'cifar10'"),
        ("digits", {"size": (0, 8)}, r"1 to 4096 pixels high and wide, not \[0, 8\]"),
        ("digits", {"size": (8, 5000)}, r"not \[8, 5000\]"),
        ("digits", {"channels": 2}, "1 or 3 channels, not 2"),
        ("digits", {"resize": "stretch"}, "resize is squash, crop or pad, not 'stretch'"),
        ("digits", {"labels": "rough"}, "labels are fine or coarse, not 'rough'"),
        (["a", "b"], {}, "a data set is a name, folder or file, not a list; further ones are given as more"),
        ("a", {"more": [3]}, "a data set is a name, folder or file, not an int"),
        ("digits", {"more": 5}, "a data set is a name, folder or file, not an int"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str | Path, options: dict[str, Any], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=why):
        load.load(name, cache_dir=cache, **options)


@pytest.mark.parametrize("name", ["a.h5", "a.parquet", "a.PKL", "a.npy", "a.pt"])
def test_a_file_of_arrays_is_refused_with_what_to_do(name: str, tmp_path: Path, cache: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80arrays")
    with pytest.raises(InputError, match=r'npz file; write its arrays by np\.savez_compressed\("mine\.npz", images='):
        load.load(tmp_path / name, cache_dir=cache)


def test_a_file_of_another_kind_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(InputError, match=r"a.txt is neither a folder nor a .zip, .tar, .csv, .tsv or .npz file$"):
        load.load(tmp_path / "a.txt", cache_dir=cache)


# Getting


@pytest.mark.parametrize("form", ["file", "renamed", "folder", "parent"])
def test_get_keeps_a_copy_that_is_found_from_then_on(tiny: Path, cache: Path, tmp_path: Path, form: str) -> None:
    renamed = Path(shutil.copy(tiny / "cifar-10-python.tar.gz", tmp_path / "mine.tgz"))
    source = {
        "file": tiny / "cifar-10-python.tar.gz",
        "renamed": renamed,
        "folder": tmp_path / "cifar10",
        "parent": tiny,
    }[form]
    dataset = load.get("cifar10", source, cache_dir=cache)
    check(dataset)
    assert dataset.splits["train"].provenance["copy"] == "verified copy"
    for path in (tiny, tmp_path / "cifar10", renamed):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = load.load("cifar10", search=[], cache_dir=cache, offline=True)
    check(again)
    assert again.splits["train"].provenance["copy"] == "verified copy"
    shutil.rmtree(cache / "prepared")
    check(load.load("cifar10", search=[], cache_dir=cache, offline=True))


def test_get_takes_an_unverified_copy_if_its_structure_is_right(tiny: Path, cache: Path, tmp_path: Path) -> None:
    path = other_archive(tmp_path / "other")
    for dataset in (
        load.get("cifar10", path, cache_dir=cache),
        load.load("cifar10", search=[], cache_dir=cache, offline=True),
    ):
        check(dataset, seed=1)
        assert dataset.splits["train"].provenance["copy"] == "unverified copy"


def spoil_structure(folder: Path) -> Path:
    fields = tiny_cifar.fields("cifar10")
    fields["data_batch_2"]["labels"][0] = 77
    return tiny_cifar.write_archive(folder / "cifar-10-python.tar.gz", "a", tiny_cifar.pickled(fields))


def make_large(folder: Path) -> Path:
    path = folder / "cifar-10-python.tar.gz"
    with path.open("wb") as file:
        file.truncate(4 * official("cifar10").size + 1)
    return path


def make_empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_what_lies_on_the_web_is_not_fetched() -> None:
    with pytest.raises(InputError, match=r"^https://a\.org/zoo\.zip is an address on the web: fetch it first \(curl "):
        load.load("https://a.org/zoo.zip")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (spoil_structure, "data_batch_2 is not as published: 'labels' runs from"),
        (make_large, "is far larger than cifar-10-python.tar.gz"),
        (make_empty, "holds neither cifar-10-python.tar.gz nor all of batches.meta, data_batch_1"),
        (lambda folder: folder / "none", "there is no file or folder .*none"),
    ],
)
def test_get_keeps_nothing_of_what_is_not_the_set(
    tiny: Path, cache: Path, tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(InputError, match=why):
        load.get("cifar10", make(place), cache_dir=cache)
    assert not (cache / "downloads").exists()
    with pytest.raises(InputError, match="is not on this computer"):
        load.load("cifar10", search=[], cache_dir=cache, offline=True)


def test_get_without_a_source_finds_it_as_load_does(tiny: Path, cache: Path) -> None:
    check(load.get("cifar10", search=[tiny], cache_dir=cache))
    with pytest.raises(InputError, match="is not on this computer"):
        load.get("cifar100", search=[], cache_dir=cache, offline=True)
    assert len(load.get("digits", cache_dir=cache).splits["test"]) == 355


def test_get_refuses_what_cannot_be_got(tiny: Path, cache: Path) -> None:
    with pytest.raises(InputError, match="there is no data set 'cifar20' in the catalog; did you mean 'cifar10'"):
        load.get("cifar20", cache_dir=cache)
    with pytest.raises(InputError, match="digits needs no file; leave out --from"):
        load.get("digits", tiny, cache_dir=cache)


def test_says_what_is_here(tiny: Path, cache: Path, tmp_path: Path) -> None:
    assert load.is_here("digits", search=[], cache_dir=cache)
    assert load.is_here("shapes", search=[], cache_dir=cache)
    assert load.is_here("cifar10", search=[tiny], cache_dir=cache)
    assert not load.is_here("cifar10", search=[], cache_dir=cache)
    load.get("cifar10", tiny, cache_dir=cache)
    assert load.is_here("cifar10", search=[], cache_dir=cache)
    (tmp_path / "broken/cifar-100-python").mkdir(parents=True)
    (tmp_path / "broken/cifar-100-python/train").write_text("")
    assert not load.is_here("cifar100", search=[tmp_path / "broken"], cache_dir=cache)
    with pytest.raises(InputError, match="there is no data set 'pets' in the catalog"):
        load.is_here("pets")


def test_the_tiny_sets_have_the_published_layout(tiny: Path) -> None:
    assert NUM_TRAIN % 5 == 0
    assert CATALOG["cifar10"].counts == {"train": NUM_TRAIN, "test": NUM_TEST}


@pytest.mark.data
def test_the_real_archive_is_prepared_and_opened(real_data: Path, cache: Path, opened: list[Path]) -> None:
    if not (real_data / official("cifar10").name).exists():
        pytest.skip("needs cifar-10-python.tar.gz in RETINULA_DATA")
    first = load.load("cifar10", search=[real_data], cache_dir=cache, offline=True)
    again = load.load("cifar10", search=[real_data], cache_dir=cache, offline=True)
    assert len(opened) == 1
    for dataset in (first, again):
        assert {split: len(part) for split, part in dataset.splits.items()} == CATALOG["cifar10"].counts
        assert dataset.splits["train"].known_labels()[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    test = again.splits["test"]
    assert np.array_equal(np.bincount(test.known_labels()), [1000] * 10)
    assert [round(value, 4) for value in test.statistics()[0]] == [0.4942, 0.4851, 0.4504]
