import inspect
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retinula.datasets import folder
from retinula.datasets.archives import Member
from retinula.datasets.layout import Layout
from retinula.datasets.listing import listing_digest
from retinula.datasets.options import Options
from retinula.datasets.reading import Chunk, Reading, Skipped, SplitName
from retinula.datasets.split_record import read_record
from retinula.errors import InputError
from retinula.images import Images
from retinula.pictures.decoding import MAX_BYTES, decode
from retinula.pictures.form import Form

Contents = Mapping[str, bytes]
Pack = Callable[[Path, Contents], Path]


def picture(seed: int, size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


def cats_and_dogs(count: int = 5, above: str = "", size: tuple[int, int] = (8, 8)) -> dict[str, bytes]:
    return {
        f"{above}{name}/{number}.png": picture(100 * (name == "dog") + number, size)
        for name in ("cat", "dog")
        for number in range(count)
    }


def as_folder(where: Path, files: Contents) -> Path:
    for name, content in files.items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return where


def as_zip(where: Path, files: Contents) -> Path:
    path = where / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def as_tar(where: Path, files: Contents) -> Path:
    path = where / "set.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, record: Path | None = None, **wanted: Any) -> Reading:
    return folder.read(path, Options(**wanted), record)


def gathered(reading: Reading) -> dict[str, tuple[str, Images]]:
    """Name of each picture -> its split and class, and its pixels."""
    found = {}
    for split, stream in reading.splits.items():
        for images, labels, sources, start in stream():
            assert images.dtype == np.uint8
            assert labels.dtype == np.int64
            assert start is None
            for image, label, source in zip(images, labels, sources or [], strict=True):
                found[source] = (f"{split}/{reading.classes[label]}", image)
    return found


def assert_equal_pixels(found: Mapping[str, tuple[str, Images]], files: Contents) -> None:
    assert found.keys() == files.keys()
    for name, content in files.items():
        assert np.array_equal(found[name][1], np.asarray(decode(content)).transpose(2, 0, 1))


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
@pytest.mark.parametrize("above", ["", "pets/"])
def test_every_pixel_and_label(tmp_path: Path, pack: Pack, above: str) -> None:
    files = {
        **cats_and_dogs(3, f"{above}train/"),
        f"{above}test/dog/x.png": picture(7),
        f"{above}val/cat/y.png": picture(8),
    }
    noise = {f"{above}labels.csv": b"file,label", f"{above}train/.hidden/a.png": b"", f"{above}train/cat/._0.png": b""}
    reading = read(pack(tmp_path, {**noise, "__MACOSX/train/cat/1.png": b"", **files}))
    assert reading.classes == ("cat", "dog")
    found = gathered(reading)
    assert_equal_pixels(found, files)
    assert {name: place for name, (place, _) in found.items()} == {
        **{f"{above}train/cat/{number}.png": "train/cat" for number in range(3)},
        **{f"{above}train/dog/{number}.png": "train/dog" for number in range(3)},
        f"{above}test/dog/x.png": "test/dog",
        f"{above}val/cat/y.png": "validation/cat",
    }
    assert reading.skipped == []


def test_folder_and_archives_agree(tmp_path: Path) -> None:
    files = cats_and_dogs(9)
    (tmp_path / "a").mkdir()
    readings = [
        read(as_folder(tmp_path / "a", files), seed=3),
        read(as_zip(tmp_path, files), seed=3),
        read(as_tar(tmp_path, files), seed=3),
    ]
    places = [{name: place for name, (place, _) in gathered(reading).items()} for reading in readings]
    assert places[0] == places[1] == places[2]
    assert sorted(places[0].values()).count("test/cat") == 2


@pytest.mark.parametrize("pack", [as_folder, as_tar])
def test_all_splits_in_one_stream(tmp_path: Path, pack: Pack) -> None:
    reading = read(pack(tmp_path, cats_and_dogs(9)))
    apart = gathered(reading)
    together = {}
    for split, (images, labels, sources, _) in reading.chunks():
        for image, label, source in zip(images, labels, sources or [], strict=True):
            together[source] = (f"{split}/{reading.classes[label]}", image)
    assert together.keys() == apart.keys()
    for name, (place, image) in together.items():
        assert place == apart[name][0]
        assert np.array_equal(image, apart[name][1])


def test_natural_order_of_a_folder(tmp_path: Path) -> None:
    files = {f"train/{name}/{number}.png": picture(1) for name in ("b", "a") for number in (10, 9, 1)}
    reading = read(as_folder(tmp_path, {**files, "test/a/1.png": picture(1)}))
    (chunk,) = reading.splits["train"]()
    assert chunk.sources == [f"train/{name}/{number}.png" for name in ("a", "b") for number in (1, 9, 10)]
    assert chunk.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_streams_in_pieces(tmp_path: Path) -> None:
    content = picture(0)
    files = {f"train/{name}/{number}.png": content for name in ("a", "b") for number in range(200)}
    reading = read(as_folder(tmp_path, {**files, "test/a/0.png": content}))
    chunks = list(reading.splits["train"]())
    assert [len(chunk.images) for chunk in chunks] == [256, 144]
    assert isinstance(chunks[0], Chunk)


class TestSize:
    def shape(self, tmp_path: Path, files: Contents, **arguments: Any) -> tuple[int, ...]:
        reading = read(as_folder(tmp_path, files), **arguments)
        return next(reading.splits["train"]()).images.shape[1:]

    def test_kept_where_all_share_it(self, tmp_path: Path) -> None:
        assert self.shape(tmp_path, cats_and_dogs(2, size=(20, 64))) == (3, 20, 64)

    def test_64_where_they_differ(self, tmp_path: Path) -> None:
        files = {**cats_and_dogs(2), "cat/other.png": picture(0, (9, 8))}
        assert self.shape(tmp_path, files) == (3, 64, 64)

    def test_64_where_they_are_larger(self, tmp_path: Path) -> None:
        assert self.shape(tmp_path, cats_and_dogs(2, size=(8, 65))) == (3, 64, 64)

    def test_bad_pictures_have_no_say(self, tmp_path: Path) -> None:
        assert self.shape(tmp_path, {**cats_and_dogs(2), "cat/bad.png": b"bad"}) == (3, 8, 8)

    def test_asked_for(self, tmp_path: Path) -> None:
        assert self.shape(tmp_path, cats_and_dogs(2), size=(12, 10), channels=1) == (1, 12, 10)

    @pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
    def test_made_small_as_photos_are(self, tmp_path: Path, resize: str) -> None:
        content = picture(5, (70, 40))
        files = {"train/a/1.png": content, "train/b/1.png": content, "test/a/1.png": content}
        reading = read(as_folder(tmp_path, files), size=(16, 16), resize=resize)
        (chunk,) = reading.splits["train"]()
        form = Form(3, (16, 16), resize=resize)  # type: ignore[arg-type]  # a name
        assert np.array_equal(chunk.images[0], form.shrink(decode(content)))


class TestBadPictures:
    @pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
    def test_named_skipped_and_counted(self, tmp_path: Path, pack: Pack) -> None:
        files = {
            **cats_and_dogs(4, "train/"),
            "train/cat/broken.jpg": b"not a picture",
            "train/dog/empty.png": b"",
            "train/dog/short.png": picture(1, (30, 30))[:-100],
            "train/cat/phone.heic": b"",
            "test/cat/1.png": picture(1),
            "test/cat/bad.gif": b"GIF89a",
            "loose.png": picture(2),
        }
        reading = read(pack(tmp_path, files))
        assert len(gathered(reading)) == 9
        assert dict(reading.skipped) == {
            "train/cat/phone.heic": ".heic is not supported; convert it to JPEG or PNG",
            "loose.png": "it does not lie in the folder of a class",
            "train/cat/broken.jpg": "it is not a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)",
            "train/dog/empty.png": "the file is empty",
            "train/dog/short.png": "the PNG file is cut short",
            "test/cat/bad.gif": dict(reading.skipped)["test/cat/bad.gif"],
        }
        assert "GIF" in dict(reading.skipped)["test/cat/bad.gif"]

    def test_counted_once_however_often_read(self, tmp_path: Path) -> None:
        reading = read(as_folder(tmp_path, {**cats_and_dogs(4), "cat/bad.png": b"bad"}))
        for _ in range(3):
            gathered(reading)
        assert len(reading.skipped) == 1

    @pytest.mark.parametrize("pack", [as_folder, as_tar])
    def test_none_readable(self, tmp_path: Path, pack: Pack) -> None:
        files = {f"{name}/{number}.jpg": b"bad" for name in "ab" for number in range(3)}
        reading = read(pack(tmp_path, files))
        with pytest.raises(InputError, match=r"none of the pictures in .* can be read; .\/.\.jpg: it is not a picture"):
            list(reading.splits["train"]())
        with pytest.raises(InputError, match="none of the pictures"):
            list(reading.chunks())

    def test_one_class_readable(self, tmp_path: Path) -> None:
        files = {name: content if name.startswith("cat") else b"" for name, content in cats_and_dogs(4).items()}
        with pytest.raises(InputError, match=r"pictures of one class only in .*; dog/.*: the file is empty"):
            list(read(as_folder(tmp_path, files)).splits["train"]())

    @pytest.mark.parametrize(
        ("splits", "words"),
        [
            (
                {"train": {"cat/0.png": 0, "cat/1.png": 0}},
                "has pictures of one class only, 'cat'; there must be at least",
            ),
            ({}, "has none of its pictures; there must be at least two classes"),
        ],
    )
    def test_a_copy_with_fewer_than_two_classes(
        self, tmp_path: Path, splits: dict[SplitName, dict[str, int]], words: str
    ) -> None:
        as_folder(tmp_path, cats_and_dogs(2))
        layout = Layout(("cat", "dog"), splits, [])
        with pytest.raises(InputError, match=words):
            folder.read_arranged(tmp_path, folder.find(tmp_path), layout, Options())

    @pytest.mark.parametrize("pack", [as_folder, as_tar])
    def test_one_that_is_too_large_is_not_read(
        self, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unpacked: list[str] = []
        real = Member.read

        def listening(member: Member) -> bytes:
            unpacked.append(member.name)
            return real(member)

        monkeypatch.setattr(Member, "read", listening)
        monkeypatch.setattr(folder, "MAX_BYTES", 1000)
        source = pack(tmp_path, {**cats_and_dogs(4), "cat/large.png": picture(1, (40, 40))})
        if pack is as_folder:  # whose limit cannot be lowered: a hole of that size takes no room
            os.truncate(tmp_path / "cat" / "large.png", MAX_BYTES + 1)
        reading = read(source)
        assert len(gathered(reading)) == 8
        limit = MAX_BYTES if pack is as_folder else 1000
        assert reading.skipped == [Skipped("cat/large.png", f"it is larger than {limit:,} bytes")]
        assert "cat/large.png" not in unpacked

    def test_an_unreadable_folder_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        as_folder(tmp_path, {**cats_and_dogs(4), "secret/1.png": b""})
        scan = os.scandir

        def guarded(path: Path) -> object:
            if path.name == "secret":
                raise PermissionError(13, "Permission denied")
            return scan(path)

        monkeypatch.setattr(os, "scandir", guarded)
        reading = read(tmp_path)
        assert reading.classes == ("cat", "dog")
        assert reading.skipped == [Skipped("secret/", "Permission denied")]


class TestLinks:
    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        return as_folder(tmp_path / "outside", {"secret.png": picture(1), "more/2.png": picture(2)})

    @pytest.fixture
    def inside(self, tmp_path: Path) -> Path:
        return as_folder(tmp_path / "set", cats_and_dogs(4))

    def test_leading_out_are_named_and_not_followed(self, inside: Path, outside: Path) -> None:
        (inside / "cat" / "leak.png").symlink_to(outside / "secret.png")
        (inside / "bird").symlink_to(outside / "more")
        (inside / "cat" / "up").symlink_to(inside.parent)
        (inside / "cat" / "notes.txt").symlink_to(outside / "secret.png")
        reading = read(inside)
        assert reading.classes == ("cat", "dog")
        assert len(gathered(reading)) == 8
        out = "the link leads out of the folder"
        assert dict(reading.skipped) == {"cat/leak.png": out, "bird": out, "cat/up": out}

    def test_inside_are_followed(self, inside: Path) -> None:
        (inside / "cat" / "again.png").symlink_to(inside / "cat" / "0.png")
        (inside / "kitten").symlink_to(inside / "cat", target_is_directory=True)
        found = gathered(read(inside))
        assert np.array_equal(found["cat/again.png"][1], found["cat/0.png"][1])
        assert np.array_equal(found["kitten/0.png"][1], found["cat/0.png"][1])
        assert len(found) == 8 + 1 + 5

    def test_circles_end(self, inside: Path) -> None:
        (inside / "cat" / "round").symlink_to(inside / "cat", target_is_directory=True)
        (inside / "cat" / "back").symlink_to(inside, target_is_directory=True)
        (inside / "dog" / "self.png").symlink_to("self.png")
        (inside / "dog" / "self").symlink_to("self")
        (inside / "dog" / "gone.png").symlink_to("nothing.png")
        reading = read(inside)
        back = "the link leads back to a folder it lies in"
        assert dict(reading.skipped) == {
            "cat/round": back,
            "cat/back": back,
            "dog/self.png": "the link leads nowhere",
            "dog/gone.png": "the link leads nowhere",
        }
        assert len(gathered(reading)) == 8

    def test_the_folder_itself_may_be_one(self, inside: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(inside, target_is_directory=True)
        assert len(gathered(read(tmp_path / "link"))) == 8


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
def test_pictures_are_told_by_their_content(tmp_path: Path, pack: Pack) -> None:
    files = {name.replace(".png", ".HEIC"): content for name, content in cats_and_dogs(4).items()}
    real = b"\0\0\0\x18ftypheic\0\0\0\0"
    reading = read(pack(tmp_path, {**files, "cat/real.heic": real}))
    assert len(gathered(reading)) == 8
    assert reading.skipped == [("cat/real.heic", ".heic is not supported; convert it to JPEG or PNG")]


@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_where_all_have_to_be_converted_it_is_told_how(tmp_path: Path, pack: Pack) -> None:
    path = pack(tmp_path, dict.fromkeys(["cat/1.heic", "cat/2.HEIC", "dog/3.avif"], b"\0\0\0\x18ftypheic"))
    with pytest.raises(InputError, match=r"has no pictures but 2 \.heic, 1 \.avif, which .* to JPEG first: by sips"):
        read(path)


def test_what_may_never_end_is_not_opened(tmp_path: Path) -> None:
    as_folder(tmp_path, cats_and_dogs(4))
    os.mkfifo(tmp_path / "cat/pipe.heic")
    assert [one.source for one in read(tmp_path).skipped] == ["cat/pipe.heic"]


def test_a_table_beside_pictures_is_named(tmp_path: Path) -> None:
    as_folder(tmp_path, {"imgs/1.png": picture(1), "labels.csv": b"id,label\n1,cat\n"})
    with pytest.raises(
        InputError, match=rf"only one class, 'imgs', in .*; there is a table {tmp_path}/labels\.csv: give"
    ):
        read(tmp_path)


def test_folders_may_lie_deeper_than_calls(tmp_path: Path) -> None:
    as_folder(tmp_path, {f"{'x/' * 200}{name}": picture(1) for name in ("cat/1.png", "dog/1.png")})
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        files = folder.find(tmp_path)
    finally:
        sys.setrecursionlimit(limit)
    assert files.names == [f"{'x/' * 200}{name}" for name in ("cat/1.png", "dog/1.png")]


def test_what_is_skipped_is_named_in_the_order_of_the_folders(tmp_path: Path) -> None:
    names = ("a/1.heic", "a/b/2.heic", "a/c.heic", "d.heic")
    as_folder(tmp_path, dict.fromkeys(names, b""))
    assert [one.source for one in folder.find(tmp_path).skipped] == list(names)


def test_names_that_are_not_text(tmp_path: Path) -> None:
    as_folder(tmp_path, cats_and_dogs(4))
    raw = os.fsencode(tmp_path / "cat") + b"/\xff\xfe.png"
    Path(os.fsdecode(raw)).write_bytes(picture(3))
    found = gathered(read(tmp_path))
    name = "cat/\\xff\\xfe.png"
    assert name in found
    name.encode()
    assert np.array_equal(found[name][1], np.asarray(decode(picture(3))).transpose(2, 0, 1))


def test_names_are_one_line_each(tmp_path: Path) -> None:
    as_folder(
        tmp_path, {"a\nb/1.png": picture(1), "\x1b[31mred/2\u202e.png": picture(2), "نمی‌دانم 🧑‍🚀/3.png": picture(3)}
    )
    reading = read(tmp_path)
    assert set(reading.classes) == {"a\\nb", "\\x1b[31mred", "نمی‌دانم 🧑‍🚀"}
    found = gathered(reading)
    assert np.array_equal(found["\\x1b[31mred/2\\u202e.png"][1], np.asarray(decode(picture(2))).transpose(2, 0, 1))


def test_a_record_that_is_right_already_is_not_written_again(tmp_path: Path) -> None:
    for split in ("train", "val"):
        as_folder(tmp_path / "set" / split, cats_and_dogs(6))
    record = tmp_path / "record.json"
    read(tmp_path / "set", record=record)
    assert sorted(read_record(record)) == sorted(
        name for name in folder.find(tmp_path / "set").names if "train" in name
    )
    number = record.stat().st_ino
    read(tmp_path / "set", record=record)
    assert record.stat().st_ino == number


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder or archive"):
        read(tmp_path / "gone")


class TestListingDigest:
    def digest(self, path: Path) -> str:
        return listing_digest(folder.find(path), "photos")

    def test_changes_with_what_is_there(self, tmp_path: Path) -> None:
        as_folder(tmp_path, cats_and_dogs(3))
        digests = [self.digest(tmp_path)]
        (tmp_path / "cat" / "new.png").write_bytes(picture(5))
        digests.append(self.digest(tmp_path))
        (tmp_path / "cat" / "new.png").write_bytes(picture(6, (9, 9)))
        digests.append(self.digest(tmp_path))
        (tmp_path / "cat" / "new.png").rename(tmp_path / "dog" / "new.png")
        digests.append(self.digest(tmp_path))
        os.utime(tmp_path / "dog" / "new.png", (1, 1))
        digests.append(self.digest(tmp_path))
        (tmp_path / "dog" / "phone.heic").touch()
        digests.append(self.digest(tmp_path))
        assert len(set(digests)) == len(digests)
        assert all(len(digest) == 16 for digest in digests)

    def test_does_not_change_otherwise(self, tmp_path: Path) -> None:
        as_folder(tmp_path, cats_and_dogs(3))
        before = self.digest(tmp_path)
        (tmp_path / "notes.txt").write_text("nothing")
        (tmp_path / ".hidden.png").write_bytes(b"")
        (tmp_path / "owl").mkdir()
        assert self.digest(tmp_path) == before


def data(name: str) -> Path:
    for place in os.environ.get("RETINULA_DATA", "").split(os.pathsep):
        if place and (Path(place) / name).exists():
            return Path(place) / name
    pytest.skip(f"{name} is not in RETINULA_DATA")


@pytest.mark.data
def test_a_published_archive_of_class_folders() -> None:
    reading = read(data("cifar10-imagefolder-jpeg/cifar10_imagefolder.zip"))
    found = gathered(reading)
    counts: dict[str, int] = {}
    for place, image in found.values():
        counts[place] = counts.get(place, 0) + 1
        assert image.shape == (3, 32, 32)
    assert len(reading.classes) == 10
    assert {place.split("/")[0]: count for place, count in counts.items()} == {"train": 30, "test": 15}
    assert len(set(counts)) == 20
    assert reading.skipped == []


@pytest.mark.data
def test_caltech_in_its_own_layout() -> None:
    reading = read(data("caltech-101/101_ObjectCategories.tar.gz"))
    counts: dict[str, int] = {}
    for place, image in gathered(reading).values():
        counts[place.split("/")[1]] = counts.get(place.split("/")[1], 0) + 1
        assert image.shape == (3, 64, 64)
    assert counts.pop("BACKGROUND_Google") == 6
    assert set(counts.values()) == {8}
    assert len(counts) == 11
