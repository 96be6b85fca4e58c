"""Writing every picture of a data set as a file: a folder a split, in it a folder a class."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from retinula.datasets.reading import Dataset, Progress, SplitName
from retinula.errors import InputError
from retinula.files.durable import is_empty, replacing_folder
from retinula.images import CHUNK, Images, ImageSet, copied
from retinula.pictures.decoding import as_picture

Format = Literal["png", "jpeg"]

_FOLDERS: Final[dict[SplitName, str]] = {"train": "train", "validation": "val", "test": "test"}
_ENDINGS: Final[dict[Format, str]] = {"png": "png", "jpeg": "jpg"}
_JPEG_QUALITY: Final = 95
_LONGEST_NAME: Final = 200  # bytes; file systems take 255, and an ending or a number may follow
# What Windows, macOS or Linux refuse in a name, and names that Windows keeps for devices.
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def unpack(
    dataset: Dataset, folder: Path, picture_format: Format = "png", progress: Progress | None = None
) -> dict[str, str]:
    """Write `folder/train/<class>/<number>.png` and so on, whole or not at all.

    Numbers count through a split, so a file's name gives its place in it. PNG keeps every pixel; JPEG, at
    quality 95 without subsampling, nearly.

    Args:
        dataset: a loaded data set.
        folder: where to; must not exist or be empty.
        picture_format: `png` or `jpeg`.
        progress: told how many pictures were written.

    Returns:
        For each class the name of its folder: the same, but where a file system would refuse it.

    Raises:
        InputError: the folder holds something, be it only since the work began; the format is another; or pictures
            have no labels.
        RetinulaError: the disk refuses.
    """
    if picture_format not in _ENDINGS:
        raise InputError(f"pictures are unpacked as png or jpeg, not {picture_format!r}")
    if folder.is_file() or (folder.is_dir() and not is_empty(folder)):
        raise InputError(f"{folder} is not empty; name a new folder to unpack to")
    classes = list(dict.fromkeys(name for image_set in dataset.splits.values() for name in image_set.classes))
    names = dict(zip(classes, safe_names(classes), strict=True))
    total, done = sum(map(len, dataset.splits.values())), 0
    with replacing_folder(folder, may_replace=False) as temporary:
        for split, image_set in dataset.splits.items():
            for written in _write_split(image_set, temporary / _FOLDERS[split], names, picture_format):
                done += written
                if progress:
                    progress("unpacking", done, total)
    return names


def safe_names(names: Iterable[str]) -> list[str]:
    """Turn names into ones that every file system takes, all different also where case does not count.

    >>> safe_names(["cat", "either/or", "CAT", ".."])
    ['cat', 'either_or', 'CAT_2', '_']
    """
    encoding = sys.getfilesystemencoding()  # in the locale C it may be ASCII
    taken: set[str] = set()
    result = []
    for name in names:
        # A leading dot would hide the folder, trailing dots and spaces vanish on Windows.
        named = name.encode(encoding, "replace").decode(encoding)
        short = _UNSAFE.sub("_", named).encode()[:_LONGEST_NAME].decode("utf-8", "ignore")
        plain = short.strip(" ").lstrip(".").rstrip(". ") or "_"
        if _DEVICES.fullmatch(plain):
            plain = f"_{plain}"
        unique, number = plain, 2
        while unique.casefold() in taken:
            unique, number = f"{plain}_{number}", number + 1
        taken.add(unique.casefold())
        result.append(unique)
    return result


def _write_split(image_set: ImageSet, folder: Path, names: Mapping[str, str], picture_format: Format) -> Iterator[int]:
    """Write one split, giving the number of pictures after each piece."""
    labels = image_set.known_labels()
    folders = [folder / names[name] for name in image_set.classes]
    for place in folders:
        place.mkdir(parents=True)
    width = len(str(max(len(image_set) - 1, 0)))
    for start in range(0, len(image_set), CHUNK):
        images = copied(image_set.images, slice(start, start + CHUNK))
        for number, image in enumerate(images, start):
            path = folders[labels[number]] / f"{number:0{width}}.{_ENDINGS[picture_format]}"
            _write_picture(image, path, picture_format)
        yield len(images)


def _write_picture(image: Images, path: Path, picture_format: Format) -> None:
    picture = as_picture(image)
    if picture_format == "png":
        picture.save(path, "PNG")
    else:
        picture.save(path, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
