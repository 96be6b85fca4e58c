"""A picture is the same in any form that it is given in."""

import io
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from retinula.errors import InputError
from retinula.pictures.decoding import UnreadablePicture
from retinula.pictures.given import GivenPicture, opened

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
    for several, words in (
        ([tmp_path, tmp_path], "^pictures are given in one list, not in lists of lists$"),
        ((), "^pictures are given in one list, not in lists of lists$"),
        (str(tmp_path), r"is a folder; for several at once: predict\(list\(Path\('.*'\)\.iterdir\(\)\)\)$"),
        (
            "https://a.org/cat.png",
            r"^https://a\.org/cat\.png is an address on the web: fetch it first, and give its bytes",
        ),
        (NOISE[None], r"^a picture is bool, uint8 or .*; for several at once: predict\(list\(pictures\)\)$"),
    ):
        with pytest.raises(InputError, match=words):
            opened(several)  # type: ignore[arg-type]  # what is refused
    for nothing, word in ((None, "a NoneType"), (3, "an int")):
        with pytest.raises(InputError, match=f"a file, open or not, .* image, an array or a tensor, not {word}$"):
            opened(nothing)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(("channels", "mode"), [(4, "RGBA"), (3, "RGB")])
def test_tensors_and_arrays_with_opacity_are_taken_as_files_are(channels: int, mode: str, tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (9, 14, channels), dtype=np.uint8)
    Image.fromarray(values, mode).save(tmp_path / "a.png")
    expected = pixels(tmp_path / "a.png")
    tensor = torch.from_numpy(values)
    for form in (values, values.transpose(2, 0, 1), values.astype(np.uint16) << 8, tensor, tensor.permute(2, 0, 1)):
        assert np.array_equal(pixels(form), expected)
    with pytest.raises(InputError, match=r"^NumPy makes no array of a Tensor \("):
        opened(torch.zeros(3, 3, requires_grad=True))


def test_an_array_of_yes_and_no_is_taken_as_its_file_is(tmp_path: Path) -> None:
    values = NOISE[..., 0] > 99
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.array_equal(pixels(values), pixels(tmp_path / "a.png"))


def test_an_open_file_is_read_from_its_beginning_each_time(tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    buffer = io.BytesIO()
    buffer.write(content)  # and stands at its end
    with (tmp_path / "a.png").open("rb") as file:
        for form in (buffer, file, file, bytearray(content), memoryview(content)):
            assert np.array_equal(pixels(form), NOISE)
    with pytest.raises(InputError, match=r"^cannot read a BufferedReader: .*closed file$"):
        opened(file)
    for wrong, kind in ((io.StringIO("text"), "a str"), (Upload(), "a coroutine")):
        with pytest.raises(InputError, match=rf"reads as {kind}, not as bytes: open the file with mode 'rb'$"):
            opened(wrong)  # type: ignore[arg-type]  # what is refused
    for unreadable, kind in ((Whole(), "a Whole"), (io.BytesIO, "a type")):
        with pytest.raises(InputError, match=f"^cannot read {kind}: "):
            opened(unreadable)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(UnreadablePicture, match="empty"):
        opened(io.BytesIO())


def test_what_stands_for_an_open_file_is_read_as_it_is() -> None:
    content = io.BytesIO()
    Image.fromarray(NOISE).save(content, "PNG")
    with tempfile.NamedTemporaryFile() as file:
        file.write(content.getvalue())
        for form in (file, Standing(content)):
            assert np.array_equal(pixels(form), NOISE)


class Standing:
    """Has nothing of its own, as the uploads of some servers."""

    def __init__(self, file: io.BytesIO):
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Upload:
    """As servers give them that wait for nobody."""

    async def read(self, size: int) -> bytes:
        return bytes(size)


class Whole:
    """Gives all that it has at once, however much that is."""

    def read(self) -> bytes:
        return b""


def test_a_picture_without_pixels_is_refused() -> None:
    for empty in (np.zeros((0, 5), np.uint8), np.zeros((5, 0, 3), np.uint8), Image.new("RGB", (0, 5))):
        with pytest.raises(InputError, match="has no pixels"):
            opened(empty)


def test_a_pillow_image_that_cannot_be_read_is_refused_as_its_file_is(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(NOISE).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with Image.open(path) as picture:
        for form in (path, picture):
            with pytest.raises(UnreadablePicture, match=r"cut\.png: .*(cut short|truncated)"):
                opened(form)
