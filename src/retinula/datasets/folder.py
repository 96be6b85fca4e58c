"""Class folders: `train/`, `test/` and `val/` with a folder a class each, or one folder of class folders.

Also inside .zip and .tar archives, with or without folders around them. A picture that cannot be used is named
and left out; a layout that cannot be meant is an error that says what is expected.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from retinula.datasets.absent import instead
from retinula.datasets.archives import REFUSED_ENDINGS, Member, is_archive_name, members
from retinula.datasets.layout import Layout, arrange, natural_order
from retinula.datasets.listing import EACH_TOLD, Files, all_foreign, find_in_folder, foreign, is_ignored
from retinula.datasets.options import Options
from retinula.datasets.reading import Chunk, Progress, Reading, Skipped, SplitName, apart, silent, stacked
from retinula.datasets.recognition import past_splits, remembered
from retinula.datasets.split_record import TEST_FRACTION, write_record
from retinula.errors import InputError
from retinula.images import Images
from retinula.pictures.decoding import MAX_BYTES, UnreadablePicture, decode_all, measure, too_many_bytes
from retinula.pictures.formats import START, is_foreign_name, is_misnamed, is_picture_name

LARGEST_KEPT: Final = 64  # pictures that all share a size up to this keep it when no other is asked for

_CHUNK: Final = 256


def read(path: Path, options: Options, record: Path | None = None, files: Files | None = None) -> Reading:
    """Read class folders; a class is the first level below the data set or its `train/`, whatever lies deeper.

    Without `test/` a share of each class is set apart as `layout.with_test_share` does, so that it is exact in every
    class and does not depend on order or place; with a record, pictures that were seen before stay where they were,
    whatever they are called now.

    Args:
        path: a folder, or a .zip or .tar archive of one.
        options: how the pictures are wanted. Without a size they keep the one that all share, if it is up to 64 x 64,
            and become 64 x 64 otherwise. The seed decides which are for testing where the source does not say.
        record: a file that remembers which pictures those are.
        files: what `find` has found, if it has.

    Raises:
        InputError: fewer than two classes, a class only in `test/`, or (while streaming) no readable picture.
    """
    files = files or find(path, options.progress)
    layout = arranged(path, files, options.seed, record)
    return read_arranged(path, remembered(files, record), layout, options, [(record, layout)])


def arranged(path: Path, files: Files, seed: int, record: Path | None) -> Layout:
    """Return what the pictures of a folder or archive are for as `read` would say; nothing is written."""
    if not files.names and (reason := all_foreign(files.skipped, str(path))):
        raise InputError(reason)
    known = past_splits(files, record)
    return arrange(files.names, str(path), TEST_FRACTION, seed, known, files.bare, files.tables)


def read_arranged(
    path: Path, files: Files, layout: Layout, options: Options, records: Sequence[tuple[Path | None, Layout]] = ()
) -> Reading:
    """Read pictures whose classes and splits are known, and remember which were set apart for testing.

    Args:
        path: the folder or archive that they lie in.
        files: what `find` found there.
        layout: says which of them belong where.
        options: how the pictures are wanted, as for `read`.
        records: the files that remember which pictures those are, each with the layout that it is about.

    Raises:
        InputError: pictures of fewer than two classes; while streaming: no readable picture.
        RetinulaError: a record cannot be written.
    """
    _check_classes(path, layout)
    for record, part in records:
        if part.carved:
            write_record(record, part.splits)
    skipped = [*files.skipped, *layout.strays]
    size = options.size or shared_size(files, layout)
    finish = options.form(size, 3).shrink
    # A compressed tar is unpacked once for all splits.
    joint = partial(_stream, _Source(str(path), files, finish, skipped), layout)
    return Reading(
        classes=layout.classes,
        splits=apart(joint, layout.splits),
        skipped=skipped,
        joint=joint,
    )


def _check_classes(path: Path, layout: Layout) -> None:
    # A copy may hold only a part of what was published, or of what its tables name.
    present = set(layout.splits[layout.main_split].values()) if layout.splits else set()
    if len(present) < 2:
        only = f"pictures of one class only, {layout.classes[present.pop()]!r}" if present else "none of its pictures"
        raise InputError(f"{path} has {only}; there must be at least two classes to tell apart")


def find(path: Path, progress: Progress | None = None) -> Files:
    """List the pictures below a folder or in an archive, hidden ones left out.

    Links are followed as far as they stay inside the folder; others are named in `skipped`.

    Args:
        path: the folder or archive.
        progress: told how many were found.

    Raises:
        InputError: there is no such folder or archive.
    """
    if path.is_dir():
        return find_in_folder(path, progress)
    if path.is_file():
        if not is_archive_name(path) and path.suffix.lower() not in REFUSED_ENDINGS:
            remedy = f"; {instead(path)}" if instead(path) else ""
            raise InputError(f"{path} is neither a folder nor a .zip, .tar, .csv, .tsv or .npz file{remedy}")
        return _find_in_archive(path, progress or silent)
    raise InputError(f"there is no folder or archive {path}")


def _find_in_archive(path: Path, told: Progress) -> Files:
    names: list[str] = []
    skipped: list[Skipped] = []
    folders: set[str] = set()
    for number, member in enumerate(members(path, with_folders=True)):
        if number % EACH_TOLD == 0:
            told(f"listing {path.name}", len(names), None)
        parts = PurePosixPath(member.name).parts
        if any(is_ignored(part) for part in parts):
            continue
        folders.add(member.name.rpartition("/")[0])
        if member.name.endswith("/"):
            continue
        if is_picture_name(member.name) and member.size > MAX_BYTES:
            # A file of that size is refused unread as well, but a member would be unpacked before it is looked at.
            skipped.append(Skipped(member.name, too_many_bytes(MAX_BYTES).reason))
        elif is_picture_name(member.name) or is_misnamed(member.name, partial(_start, member)):
            names.append(member.name)
        elif is_foreign_name(member.name):
            skipped.append(foreign(member.name))

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        # In the order of the archive: compressed tars cannot be read in any other.
        return ((member.name, member.read()) for member in members(path) if member.name in wanted)

    bare = _topmost_bare(folders, sorted([*names, *(each.source for each in skipped)]))
    return Files(sorted(names, key=natural_order), contents, skipped, bare=sorted(bare, key=natural_order))


def _start(member: Member) -> bytes:
    """Return the first bytes of a file in an archive, as many as tell its format; none of one that is too large."""
    if member.size > MAX_BYTES:
        return b""
    with member.open() as file:
        return file.read(START)


def _topmost_bare(folders: Iterable[str], ordered: Sequence[str]) -> set[str]:
    """Return which folders, or those that they lie in, have none of some names below them, without what lies in these.

    Of all the folders above a name nothing is kept: an archive may have a million, each with others above it.
    """

    def is_bare(folder: str) -> bool:
        place = bisect_left(ordered, f"{folder}/")
        return place == len(ordered) or not ordered[place].startswith(f"{folder}/")

    bare = (next(filter(is_bare, accumulate(folder.split("/"), "{}/{}".format)), "") for folder in folders if folder)
    return {folder for folder in bare if folder}


def shared_size(files: Files, layout: Layout) -> tuple[int, int]:
    """Return the height and width that all pictures share, if they are up to 64 x 64, which is returned otherwise.

    Args:
        files: the pictures.
        layout: which of them belong anywhere.
    """
    shared: tuple[int, int] | None = None
    for _, content in files.open({name for labels in layout.splits.values() for name in labels}):
        try:
            found = measure(content)
        except UnreadablePicture:
            continue
        if max(found) > LARGEST_KEPT or shared not in (None, found):
            return LARGEST_KEPT, LARGEST_KEPT
        shared = found
    return shared or (LARGEST_KEPT, LARGEST_KEPT)


@dataclass(frozen=True)
class _Source:
    where: str
    files: Files
    finish: Callable[[Image.Image], Images]
    skipped: list[Skipped]


def _stream(source: _Source, layout: Layout) -> Iterator[tuple[SplitName, Chunk]]:
    """Decode the pictures of all splits in the order they lie; too few to train on are an error at the end."""
    pairs = {split: [(split, label) for label in range(len(layout.classes))] for split in layout.splits}
    places = {name: pairs[split][label] for split, labels in layout.splits.items() for name, label in labels.items()}
    already = set(source.skipped)
    waiting: dict[SplitName, list[tuple[Images, int, str]]] = {split: [] for split in layout.splits}
    seen: set[int] = set()
    for name, image in decode_all(source.files.open(places), source.finish):
        split, label = places[name]
        if isinstance(image, UnreadablePicture):
            refused = Skipped(name, image.reason)
            if refused not in already:
                source.skipped.append(refused)
            continue
        waiting[split].append((image, label, name))
        if split == layout.main_split:
            seen.add(label)
        if len(waiting[split]) == _CHUNK:
            yield split, stacked(waiting[split])
            waiting[split] = []
    for split, rest in waiting.items():
        if rest:
            yield split, stacked(rest)
    if len(seen) < 2:
        what = "pictures of one class only" if seen else "none of the pictures"
        first = next((f"; {one.source}: {one.reason}" for one in source.skipped if one.source in places), "")
        raise InputError(f"{what} in {source.where} can be read{first}")
