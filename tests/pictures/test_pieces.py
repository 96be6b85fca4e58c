"""Small pictures in very many pieces are refused soon; ordinary ones with all that cameras and editors add are not."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from retinula.pictures import pieces
from retinula.pictures.decoding import UnreadablePicture, decode, measure


def encoded(kind: str, picture: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (picture or Image.new("RGB", (8, 8), "teal")).save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(*parts: bytes, progressive: bool = False) -> bytes:
    content = encoded("JPEG", progressive=progressive)
    return content[:2] + b"".join(parts) + content[2:]


def segment(mark: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body


def png(chunks: bytes, *, behind: bool = False, name: bytes = b"IDAT") -> bytes:
    content = encoded("PNG")
    place = content.index(b"IEND" if behind else name) - 4
    return content[:place] + chunks + content[place:]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gif(blocks: bytes) -> bytes:
    content = encoded("GIF", Image.new("L", (8, 8), 90))
    place = content.index(b",\0\0\0\0\x08")
    return content[:place] + blocks + content[place:]


def webp(chunks: bytes) -> bytes:
    content = encoded("WEBP", exif=Image.Exif().tobytes(), lossless=True) + chunks
    return content[:4] + struct.pack("<I", len(content) - 8) + content[8:]


def tiff(form: str, number: int, code: int, order: str = "<", *, large: bool = False) -> bytes:
    """A grey picture of one strip whose directory says that it has so many numbers for one tag."""
    place, wide = ("Q", 8) if large else ("L", 4)
    tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, 8)]
    tags = sorted([*(tag for tag in tags if tag[0] != code), (code, {"L": 4, "d": 12}[form], number, 400)])
    entries = b"".join(
        struct.pack(f"{order}HH{place}", tag, kind, count)
        + struct.pack(f"{order}{'H' if kind == 3 else 'L'}", value).ljust(wide, b"\0")
        for tag, kind, count, value in tags
    )
    mark = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if large else 42)
    head = mark + (struct.pack(f"{order}HHQ", 8, 0, 16) if large else struct.pack(f"{order}L", 8))
    body = head + struct.pack(f"{order}{'Q' if large else 'H'}", len(tags)) + entries + bytes(wide)
    return body.ljust(400, b"\0") + struct.pack(f"{order}{form}", 8) * number


def rle(width: int, height: int, content: bytes) -> bytes:
    body = struct.pack("<IIIHHIIIIII", 40, width, height, 1, 8, 1, len(content), 0, 0, 256, 0)
    palette = b"".join(bytes([value, value, value // 2, 0]) for value in range(256))
    return b"BM" + struct.pack("<IHHI", 14 + 40 + 1024 + len(content), 0, 0, 14 + 40 + 1024) + body + palette + content


EXIF = segment(0xE1, b"Exif\0\0" + bytes(8))
PROFILE = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1000)))
ALL_THERE_IS: dict[str, tuple[str, Callable[[int], bytes], int]] = {
    "marks of a JPEG": ("JPEG", lambda n: jpeg(segment(0xE5) * n), 10_000),
    "marks behind the first scan": (
        "JPEG",
        lambda n: jpeg(progressive=True)[:-2] + segment(0xE5) * n + b"\xff\xd9",
        10_000,
    ),
    "marks without a length": ("JPEG", lambda n: jpeg(b"\xff\xf0" * n), 10_000),
    "marks inside those without a length": ("JPEG", lambda n: jpeg(b"\xff\xf0\xff\xff" + segment(0xFE) * n), 10_000),
    "filling": ("JPEG", lambda n: jpeg(b"\xff" * n), 160_000),
    "nothing known": ("JPEG", lambda n: jpeg(segment(0xE5) + b"\0" * n), 160_000),
    "blocks of EXIF": ("JPEG", lambda n: jpeg(EXIF * n), 100),
    "resources of Photoshop": (
        "JPEG",
        lambda n: jpeg(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\4\0\0\0\0\0\0" * 1000) * (n // 1000)),
        10_000,
    ),
    "components": ("JPEG", lambda n: jpeg(segment(0xC0, b"\x08\0\x08\0\x08\x03" + bytes(n // 3)) * 3), 160_000),
    "tables": ("JPEG", lambda n: jpeg(segment(0xDB, bytes(65 * 100)) * (n // 6500)), 160_000),
    "chunks of a PNG": ("PNG", lambda n: png(chunk(b"aaAa") * n), 1500),
    "chunks behind the pixels": ("PNG", lambda n: png(chunk(b"tEXt", b"a\0b") * n, behind=True), 1000),
    "chunks of pixels": ("PNG", lambda n: png(chunk(b"IDAT") * n), 1500),
    "profiles of a PNG": ("PNG", lambda n: png(PROFILE * n), 100),
    "blocks of a GIF": ("GIF", lambda n: gif(b"!\xfe" + b"\x01a" * n + b"\0"), 1500),
    "extensions of a GIF": ("GIF", lambda n: gif(b"!\x01\0\0" * n), 1000),
    "chunks of a WebP": ("WebP", lambda n: webp(b"aaaa\0\0\0\0" * n), 3000),
    "places of strips": ("TIFF", lambda n: tiff("L", n, 273), 3000),
    "numbers of a tag": ("TIFF", lambda n: tiff("d", n, 37724, ">"), 3000),
    "numbers of a tag of a large TIFF": ("TIFF", lambda n: tiff("d", n, 37724, large=True), 3000),
    "spaces in the head of a PPM": ("PPM", lambda n: b"P5" + b" " * n + b"1 1 255 a", 3000),
    "comments of a plain PPM": ("PPM", lambda n: b"P2 1 1 255 " + b"#\n" * n + b"7", 1000),
}


@pytest.fixture
def fewer_reads(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if ALL_THERE_IS[what][0] != "JPEG":
        monkeypatch.setattr(pieces, "MOST_READS", 3000)


@pytest.mark.usefixtures("fewer_reads")
@pytest.mark.parametrize("what", ALL_THERE_IS)
def test_a_little_more_than_what_is_taken_is_refused(what: str) -> None:
    kind, build, most = ALL_THERE_IS[what]
    content = build(round(1.2 * most))
    for look in (decode, measure) if "behind" not in what and "of pixels" not in what else (decode,):
        with pytest.raises(UnreadablePicture) as caught:
            look(content)
        assert caught.value.reason == f"the {kind} file is cut into too many pieces"
        assert caught.value.too_large


@pytest.mark.usefixtures("fewer_reads")
# The rest says something that is not so.
@pytest.mark.parametrize(
    "what",
    [
        what
        for what in ALL_THERE_IS
        if what
        not in ("components", "places of strips", "marks without a length", "marks inside those without a length")
    ],
)
def test_as_many_as_a_large_file_may_have_are_taken(what: str) -> None:
    _, build, most = ALL_THERE_IS[what]
    assert decode(build(round(0.7 * most))).size in ((8, 8), (1, 1))


def test_what_cameras_and_editors_add_does_no_harm() -> None:
    large = bytes(20_000)
    added = [EXIF, segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\4\0\0\0\0\0\0" * 40), segment(0xFE, large)]
    added += [segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 255]) + large) for number in range(1, 256)]
    added += [segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + large)] * 300
    assert decode(jpeg(*added)).size == (8, 8)
    assert decode(png(PROFILE + chunk(b"tEXt", b"a\0b") * 500)).size == (8, 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("large", [False, True])
def test_a_directory_that_leads_nowhere_is_no_more_than_broken(order: str, large: bool) -> None:
    content = tiff("L", 1, 273, order, large=large)
    place = 8 if large else 4
    for where in (b"\xff" * place, b"\x7f" + b"\xff" * (place - 1), bytes(place)):
        with pytest.raises(UnreadablePicture, match="TIFF file is"):
            decode(content[:place] + where + content[2 * place :])


def test_directories_inside_a_tiff_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112] = 6
    tags.tagtype[34665] = 4
    tags[34665] = {0x927C: bytes(100)}
    content = encoded("TIFF", Image.new("L", (3, 5)), tiffinfo=tags)
    assert Image.open(io.BytesIO(content)).getexif().get_ifd(34665) == {0x927C: bytes(100)}
    monkeypatch.setattr(Image.Exif, "get_ifd", None)
    assert decode(content).size == (5, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"P3 3 3 255 " + b"9 " * 27,
        b"P2 3 9 255 " + b"9 " * 27,
        b"P6 3 3 200 " + bytes(27),
        b"P5 3 9 200 " + bytes(27),
        rle(27, 1, bytes([27, 7, 0, 1])),
        rle(9, 3, bytes([1, 7, 0, 0] * 3 + [0, 1])),
    ],
)
def test_of_what_is_decoded_slowly_only_so_much_is_taken(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_READS", 60)
    width, height = decode(content).size
    assert decode(content, max_slow=27).size == (width, height)
    for look in (measure, decode):
        with pytest.raises(UnreadablePicture, match="takes too long to decode; save it as PNG") as caught:
            look(content, max_slow=26)
    assert f"with {width} x {height} pixels" in caught.value.reason
    assert caught.value.too_large
    fast = Image.fromarray(np.full((30, 30), 7, dtype=np.uint8))
    for kind in ("PPM", "BMP"):
        assert decode(encoded(kind, fast), max_slow=26).size == (30, 30)


MEASURED = """
import resource, sys
from pathlib import Path
from retinula.pictures.decoding import UnreadablePicture, decode
before = resource.getrusage(resource.RUSAGE_SELF)
try:
    decode(Path(sys.argv[1]))
except UnreadablePicture:
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(after.ru_maxrss - before.ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it cannot be measured")
@pytest.mark.parametrize("what", ["marks of a JPEG", "chunks of a PNG", "places of strips"])
def test_32_megabytes_of_them_take_little_more_memory_than_themselves(what: str, tmp_path: Path) -> None:
    _, build, _ = ALL_THERE_IS[what]
    each = (len(build(2000)) - len(build(1000))) / 1000
    path = tmp_path / "picture"
    path.write_bytes(build(round(2**25 / each)))
    command = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 120 * 2**20
