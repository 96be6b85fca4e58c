"""A picture is the same in any form that it is given in."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from retinula.errors import InputError
from retinula.given_picture import GivenPicture, opened
from retinula.pictures import UnreadablePicture

NOISE = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
DEEP = np.random.default_rng(0).integers(0, 65536, (9, 14, 3), dtype=np.uint16)


def pixels(picture: GivenPicture) -> NDArray[np.uint8]:
    return np.asarray(opened(picture))


def deep_png(values: NDArray[np.uint16]) -> bytes:
    """A PNG in colour of 16 bits a value, which Pillow reads but does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_path_bytes_and_pillow_image_of_a_turned_photo_agree(kind: str, orientation: int, tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    path = tmp_path / f"photo.{kind.lower()}"
    Image.fromarray(NOISE).save(path, kind, exif=tags)
    expected = pixels(path)
    assert expected.shape == ((9, 14, 3) if orientation < 5 else (14, 9, 3))
    forms: list[GivenPicture] = [str(path), path.read_bytes(), Image.open(path), Image.open(path).convert("RGBA")]
    for form in (*forms, ImageOps.exif_transpose(Image.open(path))):
        assert np.array_equal(pixels(form), expected)


def test_sixteen_bits_are_taken_as_of_a_file(tmp_path: Path) -> None:
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "grey.png")
    expected = pixels(tmp_path / "grey.png")
    assert np.array_equal(pixels(Image.open(tmp_path / "grey.png")), expected)
    grey = DEEP[..., 0]
    for array in (grey, grey.astype(">u2"), grey[..., None], grey[None], np.asarray(Image.open(tmp_path / "grey.png"))):
        assert np.array_equal(pixels(array), expected)
    (tmp_path / "colour.png").write_bytes(deep_png(DEEP))
    for array in (DEEP, DEEP.astype(">u2"), DEEP.transpose(2, 0, 1)):
        assert np.array_equal(pixels(array), pixels(tmp_path / "colour.png"))


def test_several_pictures_and_what_is_none_are_refused(tmp_path: Path) -> None:
    one_by_one = r"one picture at a time.*: \[model\.predict\(picture\) for picture in "
    for several, of in (
        ([tmp_path, tmp_path], "pictures"),
        ((), "pictures"),
        (str(tmp_path), r"Path\('.*'\)\.iterdir"),
    ):
        with pytest.raises(InputError, match=one_by_one + of):
            opened(several)  # type: ignore[arg-type]  # what is refused
    for nothing, word in ((None, "NoneType"), (io.BytesIO(), "BytesIO"), (3, "int")):
        with pytest.raises(InputError, match=f"a file, its bytes, a Pillow image or an array, not a {word}"):
            opened(nothing)  # type: ignore[arg-type]  # what is refused


def test_a_pillow_image_that_cannot_be_read_is_refused_as_its_file_is(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(NOISE).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with Image.open(path) as picture:
        for form in (path, picture):
            with pytest.raises(UnreadablePicture, match=r"cut\.png: .*(cut short|truncated)"):
                opened(form)
