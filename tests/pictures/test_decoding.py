import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from retinula.pictures.decoding import (
    MAX_PIXELS,
    MAX_SIDE,
    UnreadablePicture,
    as_picture,
    decode,
    decode_all,
    flatten,
    is_faint,
    measure,
)
from retinula.pictures.formats import is_misnamed, is_picture_name

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(picture: Image.Image) -> list[object]:
    values: list[object] = np.asarray(picture).tolist()
    return values


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def refused(source: Path | bytes, **limits: int) -> str:
    with pytest.raises(UnreadablePicture) as caught:
        decode(source, **limits)
    assert str(caught.value).endswith(f": {caught.value.reason}")
    assert "\n" not in str(caught.value)
    return caught.value.reason


def exif(orientation: int, order: str = "<") -> bytes:
    """A block with a tag before the orientation, as cameras write it."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    maker = struct.pack(f"{order}HHII", 0x010F, 2, 4, 0)
    turned = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, 2) + maker + turned + bytes(4)


def png(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """A picture that claims a size and holds nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


class TestModes:
    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
    def test_colour_keeps_every_pixel(self, kind: str) -> None:
        picture = noise(5, 7)
        decoded = decode(encoded(picture, kind))
        assert decoded.mode == "RGB"
        assert pixels(decoded) == pixels(picture)

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
    def test_grey_keeps_every_pixel(self, kind: str) -> None:
        picture = noise(5, 7).convert("L")
        decoded = decode(encoded(picture, kind))
        assert pixels(decoded.convert("L")) == pixels(picture)

    def test_lossless_webp_keeps_every_pixel(self) -> None:
        assert pixels(decode(encoded(noise(5, 7), "WEBP", lossless=True))) == pixels(noise(5, 7))

    def test_jpeg_is_close(self) -> None:
        picture = Image.new("RGB", (16, 16), (200, 100, 50))
        decoded = np.asarray(decode(encoded(picture, "JPEG", quality=95))).astype(int)
        assert np.abs(decoded - [200, 100, 50]).max() <= 3

    def test_grey_jpeg_stays_grey(self) -> None:
        assert decode(encoded(Image.new("L", (8, 8), 90), "JPEG")).mode == "L"

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
    def test_one_bit(self, kind: str) -> None:
        picture = Image.fromarray(np.array([[True, False, True], [False, False, True]]))
        assert picture.mode == "1"
        assert pixels(decode(encoded(picture, kind)).convert("L")) == [[255, 0, 255], [0, 0, 255]]

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_sixteen_bits_are_scaled_not_cut(self, kind: str) -> None:
        values = np.array([[0, 128, 129, 257], [32896, 65279, 65406, 65535]], dtype=np.uint16)
        decoded = decode(encoded(Image.fromarray(values), kind))
        assert decoded.mode == "L"
        assert pixels(decoded) == [[0, 0, 1, 1], [128, 254, 254, 255]]

    def test_sixteen_bit_ppm(self) -> None:
        content = b"P5 2 1 65535\n" + struct.pack(">HH", 32896, 200)
        assert pixels(decode(content)) == [[128, 1]]

    def test_transparent_sixteen_bit_grey_lies_over_white(self) -> None:
        values = np.array([[0, 257, 65535]], dtype=np.uint16)
        content = encoded(Image.fromarray(values), "PNG", transparency=257)
        assert pixels(decode(content)) == [[0, 255, 255]]

    def test_integers_of_a_tiff(self) -> None:
        small = Image.fromarray(np.array([[0, 100, 255]], dtype=np.int32))
        large = Image.fromarray(np.array([[0, 25700, 65535]], dtype=np.int32))
        assert pixels(decode(encoded(small, "TIFF"))) == [[0, 100, 255]]
        assert pixels(decode(encoded(large, "TIFF"))) == [[0, 100, 255]]

    def test_floats_of_a_tiff(self) -> None:
        picture = Image.fromarray(np.array([[0, 0.5, 1]], dtype=np.float32))
        assert pixels(decode(encoded(picture, "TIFF"))) == [[0, 128, 255]]

    @pytest.mark.parametrize(
        "values",
        [
            np.array([[0, 65536]], dtype=np.int32),
            np.array([[-1, 5]], dtype=np.int32),
            np.array([[0, 1.5]], dtype=np.float32),
            np.array([[np.nan, 0.5]], dtype=np.float32),
        ],
    )
    def test_values_without_a_range_are_refused(self, values: NDArray[np.float32]) -> None:
        assert "32-bit" in refused(encoded(Image.fromarray(values), "TIFF"))

    def test_cmyk(self) -> None:
        inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], dtype=np.uint8)
        picture = Image.fromarray(inks, "CMYK")
        assert pixels(decode(encoded(picture, "TIFF"))) == [[[255, 255, 255], [0, 255, 255], [0, 0, 0]]]

    def test_cmyk_jpeg(self) -> None:
        picture = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
        decoded = decode(encoded(picture, "JPEG", quality=100))
        assert decoded.mode == "RGB"
        assert np.abs(np.asarray(decoded).astype(int) - RED).max() <= 4

    def test_lab(self) -> None:
        picture = Image.new("RGB", (4, 4), (200, 40, 90)).convert("LAB")
        decoded = np.asarray(decode(encoded(picture, "TIFF"))).astype(int)
        assert np.abs(decoded - [200, 40, 90]).max() <= 4


class TestTransparency:
    def test_over_white(self) -> None:
        values = np.array([[[0, 0, 0, 0], [255, 0, 0, 255], [0, 0, 0, 51]]], dtype=np.uint8)
        decoded = decode(encoded(Image.fromarray(values), "PNG"))
        assert decoded.mode == "RGB"
        assert pixels(decoded) == [[list(WHITE), list(RED), [204, 204, 204]]]

    @given(colour=st.integers(0, 255), alpha=st.integers(0, 255))
    def test_any_share(self, colour: int, alpha: int) -> None:
        grey = decode(encoded(Image.new("LA", (1, 1), (colour, alpha)), "PNG"))
        expected = (colour * alpha + 255 * (255 - alpha)) / 255
        assert grey.mode == "L"
        assert abs(grey.getpixel((0, 0)) - expected) <= 0.5 + 1e-9  # type: ignore[operator]  # one channel

    def test_palette_with_one_transparent_colour(self) -> None:
        picture = Image.new("P", (3, 1))
        picture.putpalette([*RED, *GREEN, *BLUE])
        picture.putdata([0, 1, 2])
        for kind in ("PNG", "GIF"):
            decoded = decode(encoded(picture, kind, transparency=1))
            assert pixels(decoded) == [[list(RED), list(WHITE), list(BLUE)]]

    def test_palette_with_half_transparent_colours(self) -> None:
        picture = Image.new("P", (2, 1))
        picture.putpalette([*BLACK, *RED])
        picture.putdata([0, 1])
        decoded = decode(encoded(picture, "PNG", transparency=bytes([51, 255])))
        assert pixels(decoded) == [[[204, 204, 204], list(RED)]]

    def test_colour_key(self) -> None:
        picture = Image.new("RGB", (2, 1), RED)
        picture.putpixel((1, 0), BLUE)
        assert pixels(decode(encoded(picture, "PNG", transparency=RED))) == [[list(WHITE), list(BLUE)]]

    def test_colour_key_of_sixteen_bits(self) -> None:
        picture = Image.new("RGB", (2, 1), (200, 10, 20))
        picture.putpixel((1, 0), BLUE)
        picture.info["transparency"] = (200 * 257, 10 * 257, 20 * 257)
        assert pixels(flatten(picture)) == [[list(WHITE), list(BLUE)]]

    def test_grey_key(self) -> None:
        picture = Image.fromarray(np.array([[10, 20, 30]], dtype=np.uint8))
        assert pixels(decode(encoded(picture, "PNG", transparency=20))) == [[10, 255, 30]]

    @pytest.mark.parametrize(("mode", "flat"), [("La", "L"), ("RGBa", "RGB"), ("PA", "RGB")])
    def test_modes_only_in_memory(self, mode: str, flat: str) -> None:
        through = {"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode]
        picture = Image.new("L", (2, 2), 255).convert(through).convert(mode)
        assert flatten(picture).mode == flat
        assert np.asarray(flatten(picture)).min() == 255


class TestFrames:
    @pytest.mark.parametrize(
        ("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})]
    )
    def test_the_first_frame_counts(self, kind: str, options: dict[str, bool]) -> None:
        frames = [Image.new("RGB", (6, 4), colour) for colour in (RED, GREEN, BLUE)]
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        decoded = decode(content)
        assert decoded.mode == "RGB"
        assert decoded.size == (6, 4)
        assert set(map(tuple, np.asarray(decoded).reshape(-1, 3).tolist())) == {RED}


class TestUpright:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_agrees_with_pillow(self, kind: str, orientation: int) -> None:
        picture = noise(3, 5)
        tags = Image.Exif()
        tags[0x0112] = orientation
        content = encoded(picture, kind, exif=tags, **({"lossless": True} if kind == "WEBP" else {}))
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        assert pixels(decode(content)) == pixels(expected.convert("RGB"))
        assert measure(content) == (expected.height, expected.width)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_a_phone_held_upright(self, order: str) -> None:
        # Orientation 6: the top of the stored picture is the right side of the scene.
        stored = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 0, 0]]], dtype=np.uint8))
        content = encoded(stored, "PNG", exif=exif(6, order))
        assert pixels(decode(content)) == [[list(BLUE), list(RED)], [list(BLACK), list(GREEN)]]

    def test_jpeg(self) -> None:
        picture = Image.new("RGB", (16, 8), WHITE)
        picture.paste(BLACK, (0, 0, 8, 8))
        decoded = decode(encoded(picture, "JPEG", quality=95, exif=exif(8)))
        assert decoded.size == (8, 16)
        assert np.asarray(decoded)[:8].mean() > 250
        assert np.asarray(decoded)[8:].mean() < 5

    @pytest.mark.parametrize(
        "block",
        [
            b"",
            b"Exif\0\0",
            b"Exif\0\0II*\0\xff\xff\xff\xff",
            b"Exif\0\0XX*\0\x08\0\0\0",
            exif(6)[:20],
            exif(0),
            exif(99),
        ],
    )
    def test_a_damaged_block_does_no_harm(self, block: bytes) -> None:
        content = encoded(noise(8, 16), "JPEG", exif=block)
        assert decode(content).size == (16, 8)

    @given(block=st.binary(max_size=80))
    def test_any_block_does_no_harm(self, block: bytes) -> None:
        content = encoded(Image.new("L", (4, 4)), "JPEG", exif=b"Exif\0\0MM\0*" + block)
        assert decode(content).size == (4, 4)


class TestRefusals:
    def test_empty(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty.png"
        empty.touch()
        assert refused(empty) == "the file is empty"
        assert refused(b"") == "the file is empty"

    def test_missing_names_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadablePicture, match=r"gone\.png: no such file") as caught:
            decode(tmp_path / "gone.png")
        assert caught.value.name == str(tmp_path / "gone.png")
        assert caught.value.exit_code == 2

    def test_folder(self, tmp_path: Path) -> None:
        assert refused(tmp_path) == "it is a folder"

    def test_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.png")
        assert refused(tmp_path / "pipe.png") == "it is not an ordinary file"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_permission(self, tmp_path: Path) -> None:
        path = tmp_path / "secret.png"
        path.write_bytes(encoded(noise(2, 2), "PNG"))
        path.chmod(0)
        assert refused(path) == "permission denied"

    def test_permission_of_the_system_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def deny(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        path = tmp_path / "secret.png"
        path.touch()
        monkeypatch.setattr(Path, "open", deny)
        assert refused(path) == "permission denied"

    def test_impossible_name(self) -> None:
        assert "null" in refused(Path("a\0b.png"))

    @pytest.mark.parametrize("content", [b"hello", b"RIFF\0\0\0\0WAVEfmt ", b"%PDF-1.7", b"\0" * 100])
    def test_something_else(self, content: bytes) -> None:
        assert refused(content).startswith("it is not a picture (JPEG, PNG")

    @pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX", "EPS", "SGI"])
    def test_formats_off_the_list(self, kind: str) -> None:
        assert "not a picture" in refused(encoded(noise(16, 16), kind))

    def test_photos_of_phones_say_what_to_do(self) -> None:
        assert "convert it to JPEG" in refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")

    def test_content_counts_not_the_name(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.write_bytes(encoded(noise(3, 3), "PNG"))
        assert pixels(decode(path)) == pixels(noise(3, 3))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP"])
    def test_half_a_file(self, kind: str) -> None:
        content = encoded(noise(40, 40), kind)
        reason = refused(content[: len(content) // 2])
        assert "cut short" in reason or "broken" in reason

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
    def test_cut_short_is_called_so(self, kind: str) -> None:
        content = encoded(noise(40, 40), kind)
        assert refused(content[:-300]).endswith("is cut short")

    def test_too_many_bytes(self, tmp_path: Path) -> None:
        content = encoded(noise(20, 20), "PNG")
        path = tmp_path / "large.png"
        path.write_bytes(content)
        assert decode(path, max_bytes=len(content)).size == (20, 20)
        assert refused(path, max_bytes=len(content) - 1) == f"it is larger than {len(content) - 1:,} bytes"
        assert "larger than" in refused(content, max_bytes=100)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP"])
    def test_too_many_pixels(self, kind: str) -> None:
        content = encoded(noise(10, 20), kind)
        assert decode(content, max_pixels=200).size == (20, 10)
        assert refused(content, max_pixels=199) == "20 x 10 is more than 199 pixels"
        with pytest.raises(UnreadablePicture):
            measure(content, max_pixels=199)

    # 81 million lies above this limit and below Pillow's, 100 million in the range where Pillow warns, and
    # 2.5 thousand million where it fails: in each case the refusal must be ours, and warnings are errors here.
    @pytest.mark.parametrize("side", [9_000, 10_000, 50_000, 2**31 - 1])
    def test_bombs_are_refused_by_their_header(self, side: int) -> None:
        assert refused(png(side, side)) == f"{side} x {side} is more than {MAX_PIXELS:,} pixels"

    @pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)])
    def test_thin_pictures_are_refused_by_their_header(self, size: tuple[int, int]) -> None:
        assert decode(encoded(Image.new("L", (MAX_SIDE, 1)), "PNG")).size == (MAX_SIDE, 1)
        reason = f"a side of {size[0]} x {size[1]} is above {MAX_SIDE:,} pixels"
        assert refused(encoded(Image.new("L", size), "PNG")) == reason

    def test_a_bomb_of_frames(self) -> None:
        gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        gif += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x00;"
        assert refused(gif) == f"65535 x 65535 is more than {MAX_PIXELS:,} pixels"

    def test_nothing_behind_the_header(self) -> None:
        assert "PNG" in refused(png(100, 100))

    @settings(max_examples=150)
    @given(data=st.data(), kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP"]))
    def test_damage_never_escapes(self, data: st.DataObject, kind: str) -> None:
        content = bytearray(encoded(noise(8, 8), kind))
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        try:
            decoded = decode(bytes(content), max_pixels=1_000_000)
        except UnreadablePicture:
            return
        assert decoded.mode in ("L", "RGB")
        assert np.asarray(decoded).dtype == np.uint8


class TestDecodeAll:
    def test_keeps_the_order_and_names_the_bad(self, tmp_path: Path) -> None:
        # Large files go to threads, small ones do not: both kinds, and bad ones, in turn.
        large, small = encoded(noise(120, 120), "PNG"), encoded(noise(4, 4), "PNG")
        assert len(large) > 16 * 1024 > len(small)
        path = tmp_path / "large.png"
        path.write_bytes(large)
        kinds: tuple[Path | bytes, ...] = (large, small, path, b"broken", tmp_path / "gone")
        sources = [(str(number), kinds[number % 5]) for number in range(30)]
        result = list(decode_all(sources, lambda picture: picture.size))
        assert [name for name, _ in result] == [str(number) for number in range(30)]
        for number, (_, found) in enumerate(result):
            if number % 5 < 3:
                assert found == ((120, 120), (4, 4), (120, 120))[number % 5]
            else:
                assert isinstance(found, UnreadablePicture)

    def test_reads_only_a_little_ahead(self) -> None:
        taken = 0

        def endless() -> Iterator[tuple[str, bytes]]:
            nonlocal taken
            while True:
                taken += 1
                yield "", encoded(noise(4, 4), "PNG")

        stream = decode_all(endless(), lambda picture: picture.size)
        assert next(stream)[1] == (4, 4)
        stream.close()  # type: ignore[attr-defined]  # it is a generator
        assert taken <= 40

    def test_other_errors_are_not_hidden(self) -> None:
        def fail(_: Image.Image) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(decode_all([("a", encoded(noise(200, 200), "PNG"))], fail))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", True),
        ("a.JPEG", True),
        ("dir.png/a.webp", True),
        ("a.TIFF", True),
        ("a.txt", False),
        ("a.heic", False),
        ("jpg", False),
        ("dir.jpg/a", False),
        ("a.png.zip", False),
    ],
)
def test_picture_names(name: str, expected: bool) -> None:
    assert is_picture_name(name) is expected
    assert is_picture_name(Path(name)) is expected


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_of_an_array_stay_what_they_are(channels: int) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (2, channels, 9, 7), dtype=np.uint8)
    for image in (whole[1], whole[1, :, ::2, 1:6]):  # the second lies scattered in memory
        picture = as_picture(image)
        assert picture.mode == {1: "L", 3: "RGB"}[channels]
        assert np.array_equal(np.asarray(picture).reshape(*image.shape[1:], channels).transpose(2, 0, 1), image)


LOGGED = """
import logging
from retinula.pictures import decoding
logging.getLogger("PIL.TiffImagePlugin").error("More samples per pixel than can be decoded")
"""


def test_what_pillow_logs_stays_off_the_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGED], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""


def test_misnamed_pictures() -> None:
    for kind in ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "PPM"):
        start = partial(bytes, encoded(Image.new("RGB", (4, 4)), kind)[:16])
        assert is_misnamed("1.HEIC", start)
        assert not is_misnamed("raw.dng", start)  # a raw photo is a TIFF with a small preview
    assert not is_misnamed("1.heic", lambda: b"\0\0\0\x18ftypheic")

    def never() -> bytes:
        raise AssertionError

    assert not is_misnamed("1.jpg", never)


@pytest.mark.parametrize(("largest", "faint"), [(0, False), (1, True), (4095, True), (4096, False), (65535, False)])
def test_faint_pictures_of_16_bits(largest: int, faint: bool) -> None:
    values = np.zeros((4, 4), np.uint16)
    values[1, 2] = largest
    assert is_faint(decode(encoded(Image.fromarray(values), "PNG"))) is faint
    assert not is_faint(decode(encoded(Image.fromarray((values >> 8).astype(np.uint8)), "PNG")))
