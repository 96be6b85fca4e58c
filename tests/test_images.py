import errno
import os
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinula.errors import InputError, RetinulaError
from retinula.images import ImageSet, copied, drawn

MakeSet = Callable[..., ImageSet]


def labelled(labels: list[int], classes: int) -> ImageSet:
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 2), np.uint8)
    return ImageSet(images, np.array(labels, np.int64), tuple(f"c{n}" for n in range(classes)), "set")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 3, 4, 4), np.float32), [0, 1], r"must be uint8 .*; of values in 0..1: \(images \* 255\)"),
        (np.zeros((2, 3, 4, 4), np.int64), [0, 1], r"must be uint8 .* not int64 \[2, 3, 4, 4\]$"),
        (np.zeros((2, 4, 4), np.uint8), [0, 1], r"must be uint8 .* channel: images\[:, None\]$"),
        (np.zeros((2, 4), np.uint8), [0, 1], r"must be uint8 .* not uint8 \[2, 4\]$"),
        (np.zeros((2, 4, 4, 3), np.uint8), [0, 1], r"1 or 3 channels.*: images\.transpose\(0, 3, 1, 2\)$"),
        (np.zeros((2, 2, 4, 4), np.uint8), [0, 1], r"1 or 3 channels, not uint8 \[2, 2, 4, 4\]$"),
        (np.zeros((2, 3, 4, 4), np.uint8), [0], "2 pictures but 1 labels"),
        (np.zeros((2, 3, 4, 4), np.uint8), [0, 2], "labels run from 0 to 2, but there are 2 classes"),
        (np.zeros((2, 3, 4, 4), np.uint8), [-1, 0], "labels run from -1"),
    ],
)
def test_what_does_not_fit_is_refused(images: np.ndarray, labels: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageSet(images, np.array(labels, np.int64), ("a", "b"), "set")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 3, 4, 4), np.uint8), [0, 1], "labels must be an array of whole numbers, .* not a list$"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2), r"labels must be .* not float64 \[2\]$"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.array(["a", "b"]), r"labels must be .* not <U1 \[2\]$"),
        ([[[[0]]], [[[0]]]], None, "images must be uint8 .* not a list$"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageSet(images, labels, ("a", "b"), "set")


def test_values_in_floating_point_get_the_remedy_for_their_range() -> None:
    for highest, remedy in ((1.0, r"0\.\.1: \(images \* 255\)\.round"), (255.0, r"0\.\.255: images\.round")):
        with pytest.raises(InputError, match=f"; of values in {remedy}"):
            ImageSet(np.full((2, 3, 4, 4), highest), None, ("a", "b"), "set")


def test_labels_in_a_column_are_taken() -> None:
    image_set = ImageSet(np.zeros((2, 1, 2, 2), np.uint8), np.array([[0], [1]]), ("a", "b"), "set")
    assert image_set.known_labels().tolist() == [0, 1]
    with pytest.raises(InputError, match="2 pictures but 4 labels"):
        ImageSet(image_set.images, np.zeros((2, 2), np.int64), ("a", "b"), "set")


def test_names_of_classes_come_in_a_list() -> None:
    full = labelled([0, 1, 2], 3)
    assert replace(full, classes=["a", "b", "c"]).classes == ("a", "b", "c")  # type: ignore[arg-type]  # taken all the same
    for wrong, kind in (("abc", "'abc'"), (None, "a NoneType"), (3, "an int"), ({"a", "b", "c"}, "a set")):
        with pytest.raises(InputError, match=rf"^set: classes are a list of names, such as .*, not {kind}$"):
            replace(full, classes=wrong)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match=r"^set: superclasses are a list of names, .* not 'abc'$"):
        replace(full, superclasses="abc")  # type: ignore[arg-type]  # what is refused


def test_pictures_are_taken_by_numbers_or_a_mask() -> None:
    full = labelled([0, 1, 2, 1], 3)
    for indices, taken in (([2, 0], [2, 0]), (range(1, 3), [1, 2]), (full.known_labels() == 1, [1, 3]), ([], [])):
        assert full.take(indices).images[:, 0, 0, 0].tolist() == taken
    assert full.take(np.array([3], np.uint8)).known_labels().tolist() == [1]
    for wrong, message in (
        (0, r"by their numbers, not by int64 \[\]"),
        ([0.5], r"by their numbers, not by float64 \[1\]"),
        (["c0"], "by their numbers, not by <U2"),
        ([True], r"by their numbers, not by bool \[1\]"),
        ([[1], [1, 2]], "by their numbers, not by a list$"),
        ([0, 4], "set has pictures 0 to 3, not 0 to 4"),
    ):
        with pytest.raises(InputError, match=message):
            full.take(wrong)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, ">i4", np.uint64])
def test_labels_of_any_whole_numbers_become_those_that_networks_take(dtype: Any) -> None:
    image_set = ImageSet(np.zeros((2, 1, 2, 2), np.uint8), np.array([0, 1], dtype), ("a", "b"), "set")
    assert image_set.known_labels().dtype == np.int64
    assert image_set.known_labels().tolist() == [0, 1]


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputError, match=r"^mine: no class can be called 0: names are text, such as '0'$"):
        replace(labelled([0, 1], 2), classes=range(10), name="mine")  # type: ignore[arg-type]  # what is refused


def test_pictures_are_drawn_at_random_in_order() -> None:
    chosen = drawn(5000, 100, 3)
    assert len(set(chosen.tolist())) == 100
    assert np.array_equal(chosen, np.sort(chosen))
    assert 0 <= chosen[0] < 500
    assert 4500 <= chosen[-1] < 5000
    assert np.array_equal(chosen, drawn(5000, 100, 3))
    assert not np.array_equal(chosen, drawn(5000, 100, 4))
    assert drawn(5, 5, 3).tolist() == [0, 1, 2, 3, 4]


def test_a_set_is_shown_in_one_line() -> None:
    images = np.zeros((1442, 1, 8, 9), np.uint8)
    image_set = ImageSet(images, np.zeros(1442, np.int64), ("a", "b"), "digits/train")
    assert repr(image_set) == "ImageSet(digits/train: 1,442 pictures 1x8x9, 2 classes)"
    assert repr(replace(image_set, labels=None)) == "ImageSet(digits/train: 1,442 pictures 1x8x9, 2 classes, no labels)"


@pytest.mark.parametrize("classes", [("a", "a"), ("a", "b\n"), ("a", "")])
def test_classes_that_no_model_could_be_read_with_are_refused(classes: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"set: (two classes are|no class can be) called"):
        ImageSet(np.zeros((0, 3, 4, 4), np.uint8), None, classes, "set")


def test_subset_renumbers_in_the_order_given() -> None:
    full = ImageSet(
        labelled([0, 1, 2, 1, 0], 3).images, np.array([0, 1, 2, 1, 0]), ("a", "b", "c"), "set", ("x", "y", "x")
    )
    part = full.subset(["c", 1])
    assert part.classes == ("c", "b")
    assert part.superclasses == ("x", "y")
    assert part.known_labels().tolist() == [1, 0, 1]
    assert part.images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_subset_takes_a_single_class() -> None:
    full = replace(labelled([0, 1, 2], 3), classes=("cat", "c", "a"))
    assert full.subset("cat").classes == full.subset(0).classes == full.subset(np.int64(0)).classes == ("cat",)


def test_subset_takes_names_in_any_case_and_with_accents_written_either_way() -> None:
    together, apart = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    full = replace(labelled([0, 1, 2], 3), classes=("Brot", together, "3"))
    assert full.subset([apart, "brot"]).classes == (together, "Brot")
    with pytest.raises(InputError, match="no class '1'"):
        full.subset(["1"])  # where a class is called by a number, numbers as words are names
    assert full.subset([1, "3"]).classes == (together, "3")


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["d"], "no class 'd'"), ([3], "classes 0 to 2, not 3"), (["c0", 0], "only once"), ([], "at least one")],
)
def test_subset_refuses_wrong_classes(classes: list[str | int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        labelled([0, 1, 2], 3).subset(classes)


@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(lambda counts: sum(counts) > 1),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_split_is_stratified_and_loses_nothing(counts: list[int], fraction: float, seed: int) -> None:
    labels = [number for number, count in enumerate(counts) for _ in range(count)]
    full = labelled(labels, len(counts))
    rest, share = full.split(fraction, seed)
    assert sorted([*rest.images[:, 0, 0, 0], *share.images[:, 0, 0, 0]]) == list(range(len(labels)))
    for number, count in enumerate(counts):
        taken = int((share.known_labels() == number).sum())
        assert abs(taken - count * fraction) <= 1 or count == 1
        assert taken <= max(count - 1, 0)
    again = full.split(fraction, seed)[1]
    assert np.array_equal(share.images, again.images)


@pytest.mark.parametrize("fraction", ["0.2", None, 0, 1.5, float("nan")])
def test_split_refuses_what_is_no_share(fraction: Any) -> None:
    with pytest.raises(InputError, match=f"must be a number between 0 and 1, not {fraction!r}"):
        labelled([0, 1], 2).split(fraction, 0)


def test_split_takes_the_exact_number_where_it_can() -> None:
    rest, share = labelled([0] * 500 + [1] * 501, 2).split(0.1, 0)
    assert (len(rest), len(share)) == (901, 100)


def test_split_takes_fewer_where_classes_keep_their_only_picture() -> None:
    rest, share = labelled([*range(50), *[50] * 110], 51).split(0.5, 0)
    assert (len(rest), len(share)) == (104, 56)
    assert set(share.known_labels().tolist()) == {50}


def test_other_seeds_give_other_parts(make_set: MakeSet) -> None:
    full = make_set(200)
    assert not np.array_equal(full.split(0.3, 0)[1].images, full.split(0.3, 1)[1].images)


def test_fingerprint_sees_every_change(make_set: MakeSet) -> None:
    full = make_set()
    seen = {full.fingerprint(), make_set(seed=1).fingerprint()}
    images = full.images.copy()
    images[-1, -1, -1, -1] ^= 1
    seen.add(ImageSet(images, full.labels, full.classes, "other name").fingerprint())
    labels = full.known_labels().copy()
    labels[0] = 2
    seen.add(ImageSet(full.images, labels, full.classes, "x").fingerprint())
    seen.add(ImageSet(full.images, full.labels, ("a", "b", "c"), "x").fingerprint())
    seen.add(full.take(np.arange(len(full))[::-1].copy()).fingerprint())
    assert len(seen) == 6
    assert full.fingerprint() == make_set().fingerprint()


def test_pictures_of_a_file_are_looked_at_once_for_their_fingerprint(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = make_set()
    np.save(tmp_path / "a.npy", full.images)
    mapped = replace(full, images=np.load(tmp_path / "a.npy", mmap_mode="r").view(np.ndarray))
    known = mapped.fingerprint()
    assert known == full.fingerprint()
    monkeypatch.setattr("retinula.images.copied", lambda *_: pytest.fail("looked at again"))
    assert mapped.fingerprint() == known
    with pytest.raises(pytest.fail.Exception):
        full.fingerprint()  # may have been written to
    mapped.known_labels()[0] += 1
    with pytest.raises(pytest.fail.Exception):
        mapped.fingerprint()


def test_statistics_are_those_of_numpy(make_set: MakeSet) -> None:
    full = make_set(5000, channels=3)
    mean, deviation = full.statistics()
    assert mean == pytest.approx((full.images / 255).mean(axis=(0, 2, 3)), abs=1e-12)
    assert deviation == pytest.approx((full.images / 255).std(axis=(0, 2, 3)), abs=1e-9)


def test_summary_counts(make_set: MakeSet) -> None:
    summary = make_set(7).summary()
    assert summary["counts"] == {"class 0": 3, "class 1": 2, "class 2": 2}
    assert (summary["num_images"], summary["channels"], summary["height"]) == (7, 1, 8)


def test_an_unlabelled_set_has_no_labels(make_set: MakeSet) -> None:
    bare = ImageSet(make_set().images, None, (), "photos")
    assert bare.counts() == {}
    assert len(bare.take(np.array([3, 1]))) == 2
    with pytest.raises(InputError, match="photos has no labels"):
        bare.known_labels()


def test_a_large_part_is_mapped_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r").view(np.ndarray)
    labels = np.arange(50, dtype=np.int64) % 5
    monkeypatch.setattr("retinula.images.CHUNK", 7)
    for images in (mapped, array):
        image_set = ImageSet(images, labels, tuple("abcde"), "set")
        monkeypatch.setattr("retinula.images.LARGEST_COPY", 1000)
        rest, apart = image_set.split(0.2, seed=1)
        chosen = image_set.subset(["b", "a"])
        monkeypatch.setattr("retinula.images.LARGEST_COPY", 10**9)
        for part, same in zip((rest, apart), image_set.split(0.2, seed=1), strict=True):
            assert part.fingerprint() == same.fingerprint()
        assert chosen.fingerprint() == image_set.subset(["b", "a"]).fingerprint()
        assert not rest.images.flags.writeable
        assert apart.images.flags.writeable  # few: a copy in memory
        assert type(rest.images) is np.ndarray
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_large_part_of_a_set_that_only_somebody_else_may_write_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    array = np.arange(160, dtype=np.uint8).reshape(10, 1, 4, 4)
    np.save(tmp_path / "closed/a.npy", array)
    mapped = np.load(tmp_path / "closed/a.npy", mmap_mode="r").view(np.ndarray)
    make, used = tempfile.TemporaryFile, []

    def guarded(*, dir: Path) -> IO[bytes]:  # noqa: A002 - as tempfile calls it
        if dir == tmp_path / "closed":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        used.append(dir)
        return make(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", guarded)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("retinula.images.LARGEST_COPY", 10)
    part = ImageSet(mapped, np.zeros(10, np.int64), ("a",), "set").take(np.array([3, 1]))
    assert np.array_equal(part.images, array[[3, 1]])
    assert used == [tmp_path]


def test_a_large_part_that_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retinula.images.LARGEST_COPY", 10)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    image_set = ImageSet(np.zeros((4, 1, 8, 8), np.uint8), np.zeros(4, np.int64), ("a",), "set")
    with pytest.raises(
        RetinulaError, match=r"cannot write .*none: No such file .* name another folder in RETINULA_CACHE"
    ):
        image_set.take(np.arange(4))


def test_a_copy_is_an_array_of_its_own_in_the_order_of_the_memory(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    turned = np.load(tmp_path / "a.npy", mmap_mode="r").view(np.ndarray).transpose(0, 3, 1, 2)
    for chosen in (slice(2, 5), np.array([5, 0, 0])):
        part = copied(turned, chosen)
        assert np.array_equal(part, array.transpose(0, 3, 1, 2)[chosen])
        assert part.flags.c_contiguous
        assert part.flags.writeable
        assert not np.shares_memory(part, turned)
    assert len(copied(array, slice(6, 9))) == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much of a file is resident")
@pytest.mark.parametrize("limit", [2**20, 2**30])
def test_of_a_large_mapped_file_little_stays_resident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    size = 64 * 2**20
    np.save(tmp_path / "a.npy", np.ones((size // 3072, 3, 32, 32), np.uint8))
    images = np.load(tmp_path / "a.npy", mmap_mode="r").view(np.ndarray)
    image_set = ImageSet(images, np.arange(len(images)) % 2, ("a", "b"), "set")
    monkeypatch.setattr("retinula.images.LARGEST_MAPPED", limit)
    monkeypatch.setattr("retinula.images.CHUNK", 512)

    def resident() -> int:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
        return int(line.split()[1]) * 1024

    before = resident()
    image_set.fingerprint()
    image_set.statistics()
    image_set.take(np.random.default_rng(0).permutation(len(images))[:5000])
    stays = resident() - before
    assert stays < size / 8 if limit < size else stays > size / 2
