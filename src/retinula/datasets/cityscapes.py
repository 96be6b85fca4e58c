"""Objects cut out of the street scenes of Cityscapes by its maps of instances (`gtFine`).

M. Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, 2016. Labels are published for the
scenes of `train` and of `val`; those of `val` are for testing here, as is usual, and those of `test` are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.datasets import folder
from retinula.datasets.entry import Entry
from retinula.datasets.listing import Files
from retinula.datasets.options import Options
from retinula.datasets.reading import Chunk, Reading, Skipped, SplitName, apart, stacked
from retinula.errors import InputError
from retinula.images import Images
from retinula.pictures.decoding import UnreadablePicture, decode_all, decode_numbers

MIN_SIDE: Final = 16  # pixels; of smaller objects little can be seen

# The numbers that the authors gave the classes. A number above a thousand is one of them and an instance of it.
_IDS: Final[Mapping[int, str]] = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
_PER_CLASS: Final = 1000
# Of these the maps do not tell one instance from another: what hangs together is taken for one.
_WHOLE_IDS: Final[Mapping[int, str]] = {19: "traffic light", 20: "traffic sign"}
_SPLITS: Final[Mapping[str, SplitName]] = {"train": "train", "val": "test"}
_MAP: Final = "_gtFine_instanceIds.png"
_SCENE: Final = "_leftImg8bit.png"
_CHUNK: Final = 256


class Cut(NamedTuple):
    """An object in a scene: its class, and its box as left, top, right and bottom in pixels, the last two outside."""

    name: str
    box: tuple[int, int, int, int]


def read(source: Path, entry: Entry, options: Options) -> Reading:
    """Read the objects of at least 16 x 16 pixels, each scaled to the size wanted.

    Args:
        source: a folder with the archives `leftImg8bit*.zip` and `gtFine*.zip`, or what they unpack to.
        entry: of the catalog.
        options: how the pictures are wanted.

    Raises:
        InputError: there are no scenes with maps of instances; while streaming: no readable picture.
    """
    scenes, maps = _find(source, "leftImg8bit*", _SCENE), _find(source, "gtFine*", _MAP)
    splits = tuple(dict.fromkeys(_SPLITS[key.split("/")[0]] for key in scenes.places if key in maps.places))
    if not splits:
        raise InputError(f"{source} is not {entry.name}: it has no scenes (*{_SCENE}) with their maps (*{_MAP})")
    skipped = [
        Skipped(scenes.places[key], "its map of instances is missing")
        for key in scenes.places
        if key not in maps.places
    ]
    joint = partial(_stream, scenes, maps, entry, options, skipped)
    return Reading(
        classes=entry.classes,
        splits=apart(joint, splits),
        skipped=skipped,
        joint=joint,
    )


def cuts(numbers: NDArray[np.int64]) -> list[Cut]:
    """Return the objects in a map of instances, int64 `[H, W]`, that are large enough."""
    found = []
    instances = np.where(np.isin(numbers // _PER_CLASS, list(_IDS)), numbers, 0)
    for number, box in _boxes(instances):
        found.append(Cut(_IDS[number // _PER_CLASS], box))
    for number, name in _WHOLE_IDS.items():
        found += [Cut(name, box) for _, box in _boxes(_connected(numbers == number))]
    return [cut for cut in found if min(cut.box[2] - cut.box[0], cut.box[3] - cut.box[1]) >= MIN_SIDE]


def _boxes(numbers: NDArray[np.int64]) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Give each number but 0 with the box around its pixels."""
    rows, columns = np.nonzero(numbers)
    if not len(rows):
        return
    values = numbers[rows, columns]
    order = np.argsort(values, kind="stable")
    values, rows, columns = values[order], rows[order], columns[order]
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    edges = (np.minimum.reduceat(columns, starts), np.minimum.reduceat(rows, starts))
    ends = (np.maximum.reduceat(columns, starts) + 1, np.maximum.reduceat(rows, starts) + 1)
    for number, left, top, right, bottom in zip(values[starts].tolist(), *edges, *ends, strict=True):
        yield number, (int(left), int(top), int(right), int(bottom))


def _connected(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number what hangs together, over corners too, from 1: int64 `[H, W]`, 0 where the mask is not set."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    rows, starts = np.nonzero(np.diff(padded, axis=1) == 1)
    _, ends = np.nonzero(np.diff(padded, axis=1) == -1)
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    borders = np.searchsorted(rows, np.arange(len(mask) + 1))
    for row in range(1, len(mask)):
        above, run = int(borders[row - 1]), int(borders[row])
        while above < borders[row] and run < borders[row + 1]:
            if starts[run] <= ends[above] and starts[above] <= ends[run]:
                parents[root(run)] = root(above)
            above, run = (above + 1, run) if ends[above] < ends[run] else (above, run + 1)
    numbers = np.zeros(mask.shape, dtype=np.int64)
    for run in range(len(rows)):
        numbers[rows[run], starts[run] : ends[run]] = root(run) + 1
    return numbers


@dataclass(frozen=True)
class _Pictures:
    """Pictures of one kind: for each scene, as `split/city/scene`, the name of its file; and how to open them."""

    places: dict[str, str] = field(default_factory=dict)
    files: list[Files] = field(default_factory=list)

    def open(self) -> Iterator[tuple[str, Path | bytes]]:
        """Give scenes and contents."""
        keys = {name: key for key, name in self.places.items()}
        for files in self.files:
            for name, content in files.open([name for name in files.names if name in keys]):
                yield keys[name], content


def _find(source: Path, pattern: str, ending: str) -> _Pictures:
    found = _Pictures()
    for path in sorted(source.glob(pattern)):
        if not path.is_dir() and path.suffix.lower() != ".zip":
            continue
        files = folder.find(path)
        found.files.append(files)
        for name in files.names:
            parts = PurePosixPath(name).parts[-3:]
            if len(parts) == 3 and parts[0] in _SPLITS and name.endswith(ending):
                found.places["/".join(parts).removesuffix(ending)] = name
    return found


def _stream(
    scenes: _Pictures, maps: _Pictures, entry: Entry, options: Options, skipped: list[Skipped]
) -> Iterator[tuple[SplitName, Chunk]]:
    objects: dict[str, list[Cut]] = {}
    for key, content in maps.open():
        try:
            objects[key] = cuts(decode_numbers(content))
        except UnreadablePicture as error:
            skipped.append(Skipped(maps.places[key], error.reason))
    form = options.form(entry.size, entry.channels)
    waiting: dict[SplitName, list[tuple[Images, int, str]]] = {}
    wanted = ((key, content) for key, content in scenes.open() if objects.get(key))
    for key, scene in decode_all(wanted, Image.Image.copy):
        if isinstance(scene, UnreadablePicture):
            skipped.append(Skipped(scenes.places[key], scene.reason))
            continue
        split = _SPLITS[key.split("/")[0]]
        for name, box in objects[key]:
            if box[2] > scene.width or box[3] > scene.height:
                skipped.append(Skipped(scenes.places[key], "its map of instances is larger than the scene"))
                break
            image = form.shrink(scene.crop(box))
            source = f"{scenes.places[key]} {name} at {box[0]},{box[1]}"
            waiting.setdefault(split, []).append((image, entry.classes.index(name), source))
        if len(waiting.get(split, ())) >= _CHUNK:
            yield split, stacked(waiting.pop(split))
    for split, rest in waiting.items():
        yield split, stacked(rest)
