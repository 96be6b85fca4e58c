"""What is known of a data set before it is read: where it comes from, what it holds, and how to tell the true one.

Plain data. Knows nothing of reading or downloading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retinula.datasets.reading import SplitName


@dataclass(frozen=True)
class Archive:
    """The official file of a data set, or the files where it is several loose ones.

    Attributes:
        name: of the file; empty where there are several.
        size: in bytes; 0 where nobody states it.
        sha256: of the file; empty where nobody states it, so that only its structure can be looked at.
        urls: where it can be had, the authors' own address first; the rest are copies of the same bytes.
        folder: what it unpacks to, or what the folder of the loose files is called.
        files: for each file in that folder that is needed, its sha256 (or nothing).
        parts: the loose files.
        folders: other names of the folder, as other programs write them.
        same: for some files sha256 that mean the same content: packed anew, or unpacked.
        needs: of a folder with more files than can be listed, patterns that must each fit something in it.
        names: other names of the file, packed anew.
        how: what its user has to do to get it, where no program can.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]
    folder: str
    files: Mapping[str, str]
    parts: tuple["Archive", ...] = ()
    folders: tuple[str, ...] = ()
    same: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    how: str = ""

    @property
    def words(self) -> str:
        """What to call it in a message."""
        return self.name or f"the folder {self.folder}"


def loose_files(
    folder: str,
    places: Sequence[str],
    files: Sequence[tuple[str, int, str]],
    folders: tuple[str, ...] = (),
    same: Mapping[str, tuple[str, ...]] | None = None,
) -> Archive:
    """Describe several official files that lie in one folder.

    Args:
        folder: what it is called.
        places: addresses of folders that all of them can be had from, the authors' own first.
        files: name, bytes and sha256 of each.
        folders: other names of the folder.
        same: for some files sha256 that mean the same content.
    """
    parts = tuple(
        Archive(name, size, sha256, tuple(f"{place}/{name}" for place in places), "", {})
        for name, size, sha256 in files
    )
    sums = {part.name: part.sha256 for part in parts}
    return Archive("", sum(part.size for part in parts), "", (), folder, sums, parts, folders, same or {})


@dataclass(frozen=True)
class Entry:
    """What is known of a data set before it is read.

    Attributes:
        name: what it is called here.
        about: what it shows, in a line.
        classes: the names of the classes, in the order of their labels; empty where the archive lists them.
        counts: pictures in each split; all together under `train` where the test pictures are set apart here, or
            differ from fold to fold; empty where it depends on how they are cut out.
        channels: 3 for colour, 1 for grey.
        size: height and width in pixels.
        licence: what the authors allow.
        citation: what to cite.
        homepage: the authors' description.
        mean: of each channel over the pixels of the training pictures, on the scale 0..1; empty where not measured.
        deviation: likewise.
        superclasses: for each class its group, or None.
        archive: its official file, or None where nothing has to be fetched.
        family: which reader reads it; empty where nothing has to be fetched.
        carved: whether nobody published a split, so that a share of `train` is set apart for testing.
        folds: how many splits of the same pictures were published; 0 for one.
        fold_train: pictures to train on in each of them, where they are fewer than those of the usual split; else 0.
        conditions: names of the equal stretches of the test pictures that are measured one by one; a set that has
            them, or nothing but test pictures, is for evaluation only.
        num_listed: how many classes there are where the archive lists them.
    """

    name: str
    about: str
    classes: tuple[str, ...]
    counts: Mapping[SplitName, int]
    channels: int
    size: tuple[int, int]
    licence: str
    citation: str
    homepage: str
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    superclasses: tuple[str, ...] | None = None
    archive: Archive | None = None
    family: str = ""
    carved: bool = False
    folds: int = 0
    fold_train: int = 0
    conditions: tuple[str, ...] = ()
    num_listed: int = 0

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes) or self.num_listed
