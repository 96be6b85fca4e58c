"""JPEGs of more pixels than are unpacked: decoded smaller where that costs little, refused where it does not."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinula.datasets.check import check_files
from retinula.pictures import decoding
from retinula.pictures.decoding import MAX_PIXELS, UnreadablePicture, decode, full_size, measure
from retinula.pictures.form import Form
from retinula.pictures.jpeg import is_in_more_passes, is_in_one_pass

PROGRESSIVE_SCAN = b"\xff\xda\0\x08\x01\x01\0\x01\x3f\0"


def encoded(picture: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def photo(width: int, height: int) -> Image.Image:
    """Something with soft and sharp edges, and a corner that tells which way is up."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    picture.paste((255, 0, 0), (0, 0, width // 4, height // 4))
    return picture


def claiming(side: int, *, progressive: bool = False, scans: int = 0) -> bytes:
    """A file of a few hundred bytes that claims to be large, and further scans without content."""
    content = encoded(Image.new("L", (16, 16), 100), progressive=progressive)
    start = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    content = content[: start + 5] + struct.pack(">HH", side, side) + content[start + 9 :]
    return content[:-2] + PROGRESSIVE_SCAN * scans + content[-2:]


def refused(content: bytes, max_pixels: int | None = None) -> str:
    with pytest.raises(UnreadablePicture) as caught:
        decode(content, max_pixels=max_pixels)
    assert caught.value.too_large
    return caught.value.reason


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS", 100_000)
    monkeypatch.setattr(decoding, "MAX_REDUCED_PIXELS", 1_000_000)


@pytest.mark.usefixtures("small_limits")
class TestScaledDown:
    @pytest.mark.parametrize(("size", "scale"), [((400, 250), 1), ((401, 250), 2), ((900, 600), 4), ((999, 1001), 4)])
    def test_so_far_that_no_more_is_unpacked(self, size: tuple[int, int], scale: int) -> None:
        content = encoded(Image.new("L", size, 90))
        width, height = (-(-side // scale) for side in size)
        decoded = decode(content)
        assert (decoded.size, decoded.mode, measure(content)) == ((width, height), "L", (height, width))
        assert full_size(decoded) == size[::-1]

    @pytest.mark.parametrize("subsampling", [0, 2])
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    def test_what_becomes_of_it_is_what_would_of_the_whole(
        self, mode: str, subsampling: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = encoded(photo(900, 700).convert(mode), subsampling=subsampling)
        small = Form(3, (48, 64)).shrink(decode(content)).astype(int)
        monkeypatch.setattr(decoding, "MAX_PIXELS", 1_000_000)
        whole = Form(3, (48, 64)).shrink(decode(content)).astype(int)
        difference = np.abs(small - whole)
        assert difference.max() <= 12, "beside the sharp edges"
        assert difference.mean() < 0.5

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_it_stands_upright(self, orientation: int) -> None:
        tags = Image.Exif()
        tags[0x0112] = orientation
        content = encoded(photo(900, 600), exif=tags)
        decoded = decode(content)
        corner = {1: (0, 0), 3: (-1, -1), 6: (0, -1), 8: (-1, 0)}[orientation]
        red = np.asarray(decoded)[corner].astype(int)
        assert np.abs(red - (255, 0, 0)).max() < 30
        assert decoded.size == ((225, 150) if orientation < 5 else (150, 225))
        assert full_size(decoded) == ((600, 900) if orientation < 5 else (900, 600))

    def test_more_is_refused_and_so_is_all_that_cannot_be_made_smaller(self) -> None:
        assert refused(encoded(Image.new("L", (1001, 1000)))) == "1001 x 1000 is more than 1,000,000 pixels"
        progressive = encoded(photo(401, 250), progressive=True)
        assert refused(progressive) == "401 x 250 is more than 100,000 pixels, too many for a JPEG in several passes"
        assert decode(encoded(photo(400, 250), progressive=True)).size == (400, 250)

    def test_a_limit_that_is_given_is_kept(self) -> None:
        assert refused(encoded(photo(401, 250)), 100_000) == "401 x 250 is more than 100,000 pixels"
        assert decode(encoded(photo(401, 250)), max_pixels=200_000).size == (401, 250)

    def test_a_check_tells_the_size_that_the_file_has(self, tmp_path: Path) -> None:
        for name, size in (("a/1", (900, 600)), ("b/2", (900, 600)), ("b/3", (600, 900))):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            photo(*size).save(tmp_path / f"{name}.jpg")
        report = check_files(tmp_path)
        assert report.size == (600, 900)
        assert [(sized.source, sized.width, sized.height) for sized in report.odd_sizes] == [("b/3.jpg", 600, 900)]

    def test_those_that_become_equal_only_by_that_are_told_apart(self, tmp_path: Path) -> None:
        for name, width in (("a/1", 901), ("a/2", 902), ("b/3", 902)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.new("L", (width, 600), 90).save(tmp_path / f"{name}.jpg")
        (group,) = check_files(tmp_path).duplicates
        assert {place.source for place in group.places} == {"a/2.jpg", "b/3.jpg"}

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_a_flat_picture_is_not_taken_for_cut_short(self, mode: str) -> None:
        content = encoded(Image.new(mode, (1000, 1000), "teal"), optimize=True)
        assert decode(content).size == (250, 250)
        few = claiming(900)
        with pytest.raises(UnreadablePicture, match="the JPEG file is cut short") as caught:
            decode(few)
        assert not caught.value.too_large
        assert decode(claiming(300)).size == (300, 300), "that many are unpacked anyway"


def in_one_scan_each(content: bytes) -> bytes:
    """The same with the first scan said to be of one component."""
    start = content.index(b"\xff\xda")
    return content[: start + 4] + b"\x01" + content[start + 5 :]


def test_passes_are_told_by_the_marks_of_the_file() -> None:
    content = encoded(photo(40, 30))
    assert is_in_one_pass(content)
    assert is_in_one_pass(encoded(photo(40, 30), exif=Image.Exif(), comment=b"\xff\xda", progressive=False))
    assert is_in_one_pass(encoded(photo(40, 30).convert("L"), restart_marker_blocks=1))
    assert not is_in_one_pass(encoded(photo(40, 30), progressive=True))
    assert not is_in_one_pass(in_one_scan_each(content))
    for mark in (0xD8, 0xD0, 0x01, 0xFF, 0xC2, 0xDC, 0xC0):  # what has no length, and what frames begin with
        assert not is_in_one_pass(content[:2] + bytes([0xFF, mark, 0, 4, 0, 0]) + content[2:]), hex(mark)
    assert is_in_one_pass(content[:2] + bytes([0xFF, 0xE5, 0, 4, 0, 0]) + content[2:])
    for length in range(len(content)):
        assert is_in_one_pass(content[:length]) == (length > content.index(b"\xff\xda") + 4)
    filled = content[:2] + b"\xff\xff" + content[2:].replace(b"\xff\xda", b"\xff\xff\xff\xda")
    assert is_in_one_pass(filled)
    assert not is_in_one_pass(content[:2] + bytes([0xFF]) * 9)


def test_passes_are_counted_as_a_decoder_finds_them() -> None:
    def passes(content: bytes) -> int:
        return next(number for number in range(1000) if not is_in_more_passes(content, number))

    several = claiming(16, progressive=True, scans=300)
    number = passes(claiming(16, progressive=True)) + 300
    assert (passes(encoded(photo(40, 30))), passes(several)) == (1, number)
    assert passes(several + b"\xff\xda\0\x08" * 900) == number, "a film behind it"
    start = several.index(b"\xff\xda")
    hidden = several[:start] + b"\xff\xfe\0\x06\xff\xd9\xff\xda" + several[start:]
    assert passes(hidden) == number, "a comment has neither beginnings nor an end"
    assert passes(several.replace(b"\xff\xda", b"\xff\xff\xda")) == number
    for mark in b"\0\1\2\xbf\xd0\xd7":  # they have no length
        assert passes(several[:-2] + bytes([0xFF, mark, 0x70, 0]) + PROGRESSIVE_SCAN + several[-2:]) == number + 1
    assert passes(encoded(photo(400, 300).convert("L"), restart_marker_blocks=1)) == 1
    moving = claiming(16, progressive=True) + b"\xff\xda\0\x08" * 900
    assert decode(moving).size == (16, 16)


def test_a_small_file_of_very_many_passes_is_refused() -> None:
    """Ten thousand would keep a processor busy for a minute."""
    assert refused(claiming(8000, progressive=True, scans=500)) == "it is decoded in more than 500 passes"
    assert measure(claiming(8000, progressive=True, scans=490)) == (8000, 8000)


DECODED = """
import resource, sys
from pathlib import Path
from retinula.pictures.decoding import UnreadablePicture, decode
before = resource.getrusage(resource.RUSAGE_SELF)
try:
    print(*decode(Path(sys.argv[1])).size)
except UnreadablePicture as error:
    print(error.reason)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_maxrss - before.ru_maxrss)
print(after.ru_utime - before.ru_utime)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it cannot be measured")
@pytest.mark.parametrize(
    ("side", "progressive", "said"),
    [
        (22_000, False, "the JPEG file is cut short"),
        (22_000, True, f"22000 x 22000 is more than {MAX_PIXELS:,} pixels, too many for a JPEG in several passes"),
        (30_000, False, "30000 x 30000 is more than 500,000,000 pixels"),
    ],
)
def test_a_small_file_that_claims_to_be_huge_costs_little(
    side: int, progressive: bool, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "huge.jpg"
    path.write_bytes(claiming(side, progressive=progressive))
    assert path.stat().st_size < 1000
    command = [sys.executable, "-c", DECODED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    first, memory, seconds = done.stdout.splitlines()
    assert first == said
    in_bytes = int(memory) * (1 if sys.platform == "darwin" else 1024)
    assert in_bytes < 2 * MAX_PIXELS, "a part of what 484 million pixels would take, in any form"
    assert float(seconds) < 10
