"""One call for any data set: by its name in the catalog, or a folder, archive, table or `.npz` file of one's own.

The folders named in RETINULA_DATA and those of the system are searched first, then what was downloaded before, then
the network. What was found is prepared once, and opened from the cache afterwards.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import platformdirs

from retinula.datasets import cache, copies, digits, download, merged, own, readers, shapes
from retinula.datasets.absent import is_path, not_there
from retinula.datasets.catalog import CATALOG, OWN_FILES
from retinula.datasets.converting import converted
from retinula.datasets.copies import Found
from retinula.datasets.entry import Archive, Entry
from retinula.datasets.given import CALLED, Given, root_of, rows_of
from retinula.datasets.options import Options, size_of
from retinula.datasets.reading import Dataset, Progress, Reading
from retinula.datasets.rows import label_columns
from retinula.datasets.source_kind import kind_of_source
from retinula.errors import InputError, nearest
from retinula.forms import LabelKind, Resample, Resize
from retinula.images import kind_of
from retinula.text.names import printable

DATA_VARIABLE: Final = "RETINULA_DATA"
CACHE_VARIABLE: Final = "RETINULA_CACHE"
_LONGEST_NAME: Final = 100
SYSTEM_FOLDERS: Final = (Path("/usr/share/datasets"),)  # of packages, such as Debian's dataset-fashion-mnist

VERIFIED: Final = "verified copy"
UNVERIFIED: Final = "unverified copy"


def load(
    name: str | Path | Given,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    resize: Resize = "squash",
    resample: Resample = "bicubic",
    labels: LabelKind = "fine",
    fold: int = 0,
    more: Sequence[str | Path] | str | Path = (),
    root: str | Path | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    search: Sequence[Path] | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    on_damage: Callable[[str], None] | None = None,
    on_doubt: Callable[[str], None] | None = None,
) -> Dataset:
    """Return a data set ready for use; its pictures are memory-mapped and never written to.

    Args:
        name: a name of the catalog; or class folders, a .zip or .tar of them, a table of pictures (.csv), or a .npz
            file. A `Path` is always a file or folder. Or a table itself: a data frame with columns as those of files
            are, or a tuple of paths and labels.
        size: height and width to bring pictures to, or one number for both; None keeps what they have (of folders, see
            `folder.read`).
        channels: 1 for grey, 3 for colour; None keeps what they have, and is 3 for folders.
        resize: how pictures of other sizes are made to fit.
        resample: by which filter.
        labels: `coarse` makes the groups of the classes the classes, where there are any (CIFAR-100, CORe50).
        more: further class folders, archives, tables or .npz files, or a single one, which are merged with the first.
        root: the folder that the paths of tables begin at and stay in; their own where None, or of a table itself the
            nearest folder that all pictures lie in, or the one we are in if its paths are relative.
        fold: which of the published splits, where there are several; 0 for the usual one.
        seed: draws other `shapes`, and sets other pictures apart for testing where nobody published a split.
        cache_dir: instead of the folder in RETINULA_CACHE or the user's cache.
        search: folders to look in for the archives of the catalog, instead of those in RETINULA_DATA and of the system.
        offline: never use the network.
        progress: told how far a download or the preparation is.
        on_damage: where given, every picture is looked at, not samples, and this is told where a set is prepared anew
            because one is not as it was written.
        on_doubt: told instead of an error where a table lacks many of its pictures, or its labels look like no classes.

    Raises:
        InputError: there is no such data set, or it is not as it must be.
        RetinulaError: it cannot be downloaded, or the cache cannot be written.
    """
    options = Options(
        size_of(size), channels, resize, labels, fold, seed, resample, _root(root), progress, on_damage, on_doubt
    )
    rows = rows_of(name)
    if rows is not None:
        if more:
            raise InputError(f"{CALLED} is merged with nothing: write it to a .csv file, and give that")
        return _tabled(rows, options, cache_folder(cache_dir))
    name, *more = _names(name, more)
    if root is not None and all(is_no_table(each) for each in (name, *more)):
        raise InputError(f"{name} is no table, so its pictures lie nowhere else; leave data.root out")
    if more:
        return _merged([name, *more], options, cache_folder(cache_dir))
    if isinstance(name, str) and name in CATALOG:
        entry = CATALOG[name]
        if entry.archive is None:
            return _made(entry, options, cache_dir)
        where = cache_folder(cache_dir)
        found = _obtain(entry, entry.archive, where, search_folders(search), offline, progress)
        return _official(entry, found, options, where)
    path = Path(name)
    if name == "" or not path.exists():  # the path of nothing is that of the folder we are in
        if is_path(str(name)):
            raise InputError(not_there(str(name)))
        raise InputError(f"there is no data set, folder or file {str(name)!r}{nearest(str(name), CATALOG)}")
    if not path.is_file() and not path.is_dir():  # reading from it might never end
        raise InputError(f"{name} is neither a folder nor an ordinary file")
    meant, where = meant_by(path), cache_folder(cache_dir)
    if meant is not None and meant.archive is not None:
        return _official(meant, copies.examine(meant.archive, path, where), options, where)
    return _own(path, options, where)


def meant_by(path: Path) -> Entry | None:
    """Return the data set of the catalog that a file or folder is taken for by its name; None for one's own."""
    return next((e for e in CATALOG.values() if e.archive and copies.is_official_name(e.archive, path)), None)


def get(
    name: str,
    source: Path | None = None,
    *,
    cache_dir: Path | None = None,
    search: Sequence[Path] | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    on_damage: Callable[[str], None] | None = None,
) -> Dataset:
    """Make a data set of the catalog available from now on, from a local copy or wherever `load` finds it.

    Args:
        name: of the catalog.
        source: the archive, the folder it unpacks to, or a folder with either in it. It is copied to the cache; one
            that is not the official one bit by bit is taken if its structure is right, and is called an unverified
            copy in the provenance of all that comes of it.
        cache_dir: as for `load`, and so the rest.
        search: folders to look in.
        offline: never use the network.
        progress: told how far it is.
        on_damage: as for `load`.

    Raises:
        InputError: no such data set, or the copy is not one of it.
        RetinulaError: it cannot be downloaded, or the cache cannot be written.
    """
    entry = _entry(name)
    if source is None:
        return load(name, cache_dir=cache_dir, search=search, offline=offline, progress=progress, on_damage=on_damage)
    if entry.archive is None:
        raise InputError(f"{name} needs no file; leave out --from")
    where = cache_folder(cache_dir)
    found = _given(entry.archive, source, where)
    # Preparing it is what checks the structure; only then is it kept.
    dataset = _official(entry, found, Options(progress=progress, on_damage=on_damage), where)
    copies.keep(entry.archive, found, where, progress)
    return dataset


def is_here(name: str, *, cache_dir: Path | None = None, search: Sequence[Path] | None = None) -> bool:
    """Say whether a data set of the catalog can be loaded without the network; nothing is opened for that.

    Raises:
        InputError: no such data set, or no such folder to search.
    """
    entry = _entry(name)
    if entry.archive is None:
        return True
    folders = search_folders(search)
    with suppress(InputError):  # nothing was ever downloaded
        folders.append(copies.downloads(cache_folder(cache_dir)))
    try:
        return copies.locate(entry.archive, folders) is not None
    except InputError:
        return False  # an unpacked folder that is not complete


def cache_folder(cache_dir: Path | None = None) -> Path:
    """Return the folder for downloads and prepared sets: the one given, or RETINULA_CACHE, or the user's cache.

    Raises:
        InputError: it lies in the home folder of a user who has none, as in a container, or is not there at all.
    """
    named = cache_dir or os.environ.get(CACHE_VARIABLE)
    try:
        return Path(named or platformdirs.user_cache_dir("retinula")).expanduser()
    except RuntimeError as error:
        without = "this user has no home folder to keep data in: name a folder in"
        fault = f"{named}: there is no such home folder; correct" if named else without
        raise InputError(f"{fault} {CACHE_VARIABLE}") from error


def search_folders(search: Sequence[Path] | None = None) -> list[Path]:
    """Return the folders to search for archives: those given, or those in RETINULA_DATA and of the system.

    Raises:
        InputError: one of them is no folder.
    """
    given = search is not None
    if search is None:
        search = [Path(word) for word in os.environ.get(DATA_VARIABLE, "").split(os.pathsep) if word]
    folders = [Path(os.path.expanduser(folder)) for folder in search]  # noqa: PTH111 - Path's fails without a home
    for place in folders:
        if not place.is_dir():
            raise InputError(f"there is no folder {place} to search for data; correct {DATA_VARIABLE}")
    return folders if given else [*folders, *(place for place in SYSTEM_FOLDERS if place.is_dir())]


def _names(name: object, more: object) -> list[str | Path]:
    """Return what is to be loaded as one set, by its names.

    Raises:
        InputError: one of them is none.
    """
    others = [more] if isinstance(more, str | os.PathLike) or not isinstance(more, Iterable) else list(more)
    names: list[str | Path] = []
    for each in (name, *others):
        if not isinstance(each, str | os.PathLike):
            raise InputError(
                f"a data set is a name, folder or file, not {kind_of(each)}; further ones are given as more"
            )
        names.append(each if isinstance(each, str) else Path(each))
    return names


def is_no_table(name: str | Path) -> bool:
    """Tell what is there and no table; of what is not there, nobody knows what was meant."""
    return (name in CATALOG or Path(name).exists()) and kind_of_source(Path(name)) != "table"


def _root(root: str | Path | None) -> Path | None:
    if root is not None and not Path(root).is_dir():
        raise InputError(f"there is no folder {root}; data.root names the one that the pictures of a table lie in")
    return None if root is None else Path(root).resolve()


def _entry(name: str) -> Entry:
    if name not in CATALOG:
        raise InputError(f"there is no data set {name!r} in the catalog{nearest(name, CATALOG)}")
    return CATALOG[name]


def _obtain(
    entry: Entry, archive: Archive, where: Path, folders: Sequence[Path], offline: bool, progress: Progress | None
) -> Found:
    found = copies.find(archive, [*folders, copies.downloads(where)], where)
    if found is not None:
        return found
    if archive.how:
        raise InputError(
            f"{archive.words} is not on this computer and no program may fetch it: {archive.how}; "
            f"then run: retinula data get {entry.name} --from FOLDER"
        )
    if offline:
        raise InputError(
            f"{archive.words} is not on this computer; put it into a folder named in {DATA_VARIABLE}, "
            f"or run: retinula data get {entry.name} --from FILE"
        )
    return copies.examine(archive, download.fetch(archive, where, progress), where)


def _given(archive: Archive, source: Path, where: Path) -> Found:
    if source.is_file():
        if archive.size and source.stat().st_size > 4 * archive.size:
            raise InputError(f"{source} is far larger than {archive.name}")
        return copies.examine(archive, source, where)
    if not source.is_dir():
        raise InputError(f"there is no file or folder {source}")
    # What is named outright may be called anything, so that only the sums tell MNIST from Fashion-MNIST.
    if copies.holds(archive, source):
        given = copies.examine(archive, source, where)
        for other in CATALOG.values():
            if given.verified or other.archive is None or other.archive.files.keys() != archive.files.keys():
                continue
            if not archive.needs and copies.examine(other.archive, source, where).verified:
                raise InputError(f"{source} is another data set: retinula data get {other.name} --from {source}")
        return given
    found = copies.find(archive, [source], where)
    if found is None:
        wanted = archive.files or archive.needs
        packed = f"neither {archive.name} nor" if archive.name else "not"
        raise InputError(f"{source} holds {packed} all of {', '.join(wanted)}")
    return found


def _official(entry: Entry, found: Found, options: Options, where: Path) -> Dataset:
    provenance = {
        "copy": VERIFIED if found.verified else UNVERIFIED,
        "source": found.path.name,
        "sha256": found.sha256,
        "licence": entry.licence,
        "citation": entry.citation,
    }
    if not entry.carved:
        options = replace(options, seed=0)  # it decides nothing here
    return cache.prepared(
        options.key(entry.name, entry.name, found.sha256),
        lambda: converted(readers.read(found.path, entry, options), options),
        where,
        entry.name,
        provenance,
        progress=options.progress,
        on_damage=options.on_damage,
        num_images=sum(entry.counts.values()) or None,
    )


def _made(entry: Entry, options: Options, cache_dir: Path | None) -> Dataset:
    options.refuse(entry.name)
    provenance = {"source": entry.name, "licence": entry.licence, "citation": entry.citation}
    if entry.name == "digits":
        reading = converted(digits.read(), options)
        return cache.in_memory(reading, entry.name, {"copy": "installed with scikit-learn", **provenance})
    form = options.form(entry.size, entry.channels)
    return cache.prepared(
        options.key(entry.name, entry.name),
        lambda: shapes.read(size=form.size, channels=form.channels, seed=options.seed),
        cache_folder(cache_dir),
        entry.name,
        {"copy": "drawn here", **provenance},
        progress=options.progress,
        on_damage=options.on_damage,
        num_images=sum(entry.counts.values()),
    )


def _own(path: Path, options: Options, where: Path) -> Dataset:
    options.refuse(str(path))
    found = own.look_at(path.resolve(), options, where)
    return _prepared(found.options.key(own.name_of(found.path), str(found.path)), own.name_of(found.path), found, where)


def _tabled(rows: list[list[str]], options: Options, where: Path) -> Dataset:
    """Return the pictures of a table that is given from Python."""
    options.refuse(str(CALLED))
    root = options.root or root_of(rows[1:], label_columns(rows, CALLED).file).resolve()
    options = replace(options, root=root)
    words = ("given", hashlib.sha256(repr(rows).encode(errors="surrogateescape")).hexdigest())
    found = own.look_up(CALLED, options, own.record_of(root, options, where, "given"), rows)
    return _prepared(
        options.key(own.name_of(root), *words), own.name_of(root), found, where, partial(own.read_given, found)
    )


def _prepared(key: str, name: str, found: own.Own, where: Path, read: Callable[[], Reading] | None = None) -> Dataset:
    return cache.prepared(
        key,
        read or found.read,
        where,
        printable(name),
        {"copy": OWN_FILES, "source": printable(found.path.name), **found.origin},
        state=found.state,
        progress=found.options.progress,
        on_damage=found.options.on_damage,
    )


def _merged(names: Sequence[str | Path], options: Options, where: Path) -> Dataset:
    paths = [Path(name).resolve() for name in names]
    for name, path in zip(names, paths, strict=True):
        if name == "" or kind_of_source(path) == "unknown":
            raise InputError(
                f"{str(name)!r} is no folder, archive, table or .npz file of yours: only those can be merged"
            )
        options.refuse(str(name))
    if len(set(paths)) != len(paths):
        raise InputError(f"name each folder or file once: {', '.join(map(str, paths))}")
    parts = [own.look_at(path, options, where) for path in paths]
    provenance = {
        "copy": OWN_FILES,
        "source": ", ".join(printable(path.name) for path in paths),
        "listing": " ".join(part.state for part in parts),
    }
    joined = "+".join(map(own.name_of, paths))[:_LONGEST_NAME]
    return cache.prepared(
        options.key(joined, *map(str, paths)),
        lambda: merged.read(parts, options),
        where,
        printable(joined),
        provenance,
        state=provenance["listing"],
        progress=options.progress,
        on_damage=options.on_damage,
    )


def split_record(path: Path, *, seed: int = 0, root: Path | None = None, cache_dir: Path | None = None) -> Path | None:
    """Return the file that remembers which of one's own pictures were set apart for testing; None without a cache."""
    with suppress(InputError):
        return own.record_of(path.resolve(), Options(seed=seed, root=root), cache_folder(cache_dir))
    return None
