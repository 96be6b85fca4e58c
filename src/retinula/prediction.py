"""Photos, folders of photos and tables of labels, to answers, a score and a table.

The path is the same for one photo and for ten thousand: pictures are decoded in threads, go through the network
in batches, and come out in the order they were named. Knows nothing of the terminal.
"""

import csv
import glob
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from retinula.answers import Answer, Classifier, judged, ranked
from retinula.datasets.layout import natural_order
from retinula.datasets.listing import find_in_folder
from retinula.datasets.rows import label_columns, read_rows
from retinula.durable import replacing
from retinula.errors import InputError, nearest
from retinula.images import Images
from retinula.intervals import wilson_interval
from retinula.names import printable
from retinula.pairing import composed, paired, parts_of
from retinula.pictures import MAX_BYTES, UnreadablePicture, decode_all, is_picture_name

STANDARD_INPUT: Final = "-"
_MOST_DIGITS: Final = 18  # of a class's number; Python refuses to read thousands of them
COLUMNS: Final = ("src", "correct", "model", "correct answer", "probability")


class Reference(NamedTuple):
    """A picture to be looked at.

    Attributes:
        src: how it is called in answers: its path, beginning as the user wrote it.
        content: the file, or the bytes from standard input; none of one that is refused.
        refused: why it is not even opened, or nothing.
    """

    src: str
    content: Path | bytes
    refused: str = ""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture, every class with the likeliest first; or why it says nothing.

    Attributes:
        src: which picture.
        answers: class names and probabilities; empty where the picture was skipped.
        skipped: why it was skipped, or nothing.
        unfamiliar: whether it is unlike anything the model was trained on, so that the answers mean little; None
            where the model cannot tell.
    """

    src: str
    answers: tuple[Answer, ...] = ()
    skipped: str = ""
    unfamiliar: bool | None = None

    @property
    def best(self) -> Answer:
        """The likeliest class; of a skipped picture there is none."""
        return self.answers[0]


@dataclass(frozen=True)
class Score:
    """How many of the labelled pictures were recognised, and the interval their true share lies in (95 %)."""

    correct: int
    total: int
    accuracy: float
    low: float
    high: float


def find_pictures(sources: Sequence[str], standard_input: BinaryIO | None = None) -> list[Reference]:
    """Find the pictures that files, folders (with all below them), patterns (`new/*.jpg`) and `-` stand for.

    Each picture comes once, sources in the order given, what lies in a folder or fits a pattern in natural order.

    Args:
        sources: as a user writes them; `-` is one picture from standard input.
        standard_input: what `-` reads; the process's own where none is given.

    Raises:
        InputError: a source that does not exist, a folder or pattern without pictures, `-` twice or where it is closed.
    """
    found: dict[str, Reference] = {}
    for source in sources:
        if source == STANDARD_INPUT:
            if STANDARD_INPUT in found:
                raise InputError("standard input (-) holds one picture and can be named once")
            if standard_input is None and sys.stdin is None:
                raise InputError("standard input is closed: there is no picture to read from it")
            stream = standard_input or sys.stdin.buffer
            found[STANDARD_INPUT] = Reference(STANDARD_INPUT, stream.read(MAX_BYTES + 1))
            continue
        for reference in _below(source):
            found.setdefault(str(Path(reference.src).absolute()), reference)
    if not found:
        raise InputError("name at least one picture, folder or pattern")
    return list(found.values())


def predict_files(
    model: Classifier,
    references: Iterable[Reference],
    *,
    batch_size: int = 64,
    on_skip: Callable[[str, str], None] | None = None,
) -> Iterator[Prediction]:
    """Ask a model about pictures, all views of each; one that cannot be read is skipped, never fatal.

    Args:
        model: a classifier.
        references: what `find_pictures` gives.
        batch_size: views that go through the network together, and those that complete the last picture's.
        on_skip: called with the name of each skipped picture and the reason.

    Yields:
        A prediction for each reference, in order.
    """
    if batch_size < 1:
        raise InputError(f"a batch holds at least one picture, not {batch_size}")
    waiting: list[Prediction] = []
    images: list[Images] = []

    def answered() -> Iterator[Prediction]:
        rows = judged(model, images)
        for prediction in waiting:
            if prediction.skipped:
                yield prediction
            else:
                probabilities, unfamiliar = next(rows)
                yield Prediction(prediction.src, tuple(ranked(model.classes, probabilities)), unfamiliar=unfamiliar)
        waiting.clear()
        images.clear()

    for src, result in _small_pictures(model, references):
        if isinstance(result, str):
            waiting.append(Prediction(src, skipped=result))
            if on_skip:
                on_skip(src, result)
        else:
            waiting.append(Prediction(src))
            images.append(result)
        if sum(map(len, images)) >= batch_size or not images:
            yield from answered()
    yield from answered()


def read_labels(path: Path) -> dict[str, str]:
    """Read a table of labels: file as written there, to label as written there.

    CSV in UTF-8 (a byte order mark does no harm), separated by comma, semicolon or tab. The columns are found by
    their names (`file` or `src`, `label` or `correct`); without such names they are the first two. Rows without
    a label are left out. A table that `write_table` wrote can be read again.

    Raises:
        InputError: the table is missing, not a table, or gives a file two labels.
    """
    rows = read_rows(path)
    file_column, label_column, is_header = label_columns(rows)
    labels: dict[str, str] = {}
    for row in rows[1 if is_header else 0 :]:
        if max(file_column, label_column) >= len(row):
            continue
        file, label = row[file_column].strip(), row[label_column].strip()
        if not file or not label:
            continue
        if label[0] == "'" and _is_formula(label[1:]):
            label = label[1:]  # what keeps spreadsheets from computing it is no part of it
        if labels.setdefault(file, label) != label:
            raise InputError(f"{path} gives {file!r} two labels, {labels[file]!r} and {label!r}")
    if not labels:
        raise InputError(f"{path} has no rows with a file and a label")
    return labels


def match_labels(references: Iterable[Reference], labels: Mapping[str, str], classes: Sequence[str]) -> dict[str, str]:
    """Find the label of each picture: `src` to the name of one of the model's classes.

    A file of the table is a picture where one's path is the end of the other's, be it only a name without folders. The
    longest such ends come first, and each file and picture once, so that a name stands for what no path has named.
    Accents may be written in either way of Unicode.
    Classes are named in any case, or by number (`class_number`). Pictures without a label are left out.

    Args:
        references: what `find_pictures` gives.
        labels: what `read_labels` gives.
        classes: the model's.

    Raises:
        InputError: a label that is no class, a file of the table that could be two pictures or the other way
            round, or a table that names none of the pictures.
    """
    known = {file: _class_named(label, file, classes) for file, label in labels.items()}
    files = paired((reference.src for reference in references), known)
    matched = {src: known[file] for src, file in files.items()}
    if not matched:
        raise InputError(f"the table of labels names none of the pictures; it has {next(iter(labels))!r}, ...")
    return matched


def without_picture(references: Iterable[Reference], labels: Mapping[str, str]) -> list[str]:
    """Return the files of a table of labels that are none of the pictures: a score leaves them out and is silent.

    Args:
        references: what `find_pictures` gives.
        labels: what `read_labels` gives.

    Raises:
        InputError: a file of the table that could be two pictures or the other way round.
    """
    found = {parts_of(file) for file in paired((reference.src for reference in references), labels).values()}
    return [file for file in labels if parts_of(file) not in found]


def class_number(name: str, classes: Sequence[str]) -> int | None:
    """Return which class a user means by a name in any case, or by its number from 0; None where there is none.

    Where a class is itself called by a whole number, numbers are names only: to count as well would be to guess.

    >>> class_number("Owl", ("cat", "owl")), class_number("1", ("cat", "owl")), class_number("0", ("1", "2"))
    (1, 1, None)
    """
    if name in classes:
        return classes.index(name)
    folded = [number for number, each in enumerate(classes) if _folded(each) == _folded(name)]
    if len(folded) == 1:
        return folded[0]
    if not name.isdecimal() or len(name) > _MOST_DIGITS or any(each.lstrip("+-").isdecimal() for each in classes):
        return None
    return int(name) if int(name) < len(classes) else None


def _folded(name: str) -> str:
    return composed(name).casefold()


def score(predictions: Iterable[Prediction], labels: Mapping[str, str]) -> Score:
    """Count right answers among the pictures that have a label and were not skipped.

    Args:
        predictions: what `predict_files` gives.
        labels: what `match_labels` gives.

    Raises:
        InputError: there is no such picture.
    """
    right = [
        prediction.best.label == labels[prediction.src]
        for prediction in predictions
        if not prediction.skipped and prediction.src in labels
    ]
    if not right:
        raise InputError("none of the pictures that could be read has a label; there is nothing to score")
    low, high = wilson_interval(sum(right), len(right))
    return Score(sum(right), len(right), sum(right) / len(right), low, high)


def write_table(path: Path, predictions: Iterable[Prediction], labels: Mapping[str, str] | None = None) -> None:
    """Write a CSV table, a row a picture that was read: `src,correct,model,correct answer,probability`.

    The columns of the published work: `correct` is the label, `model` the model's answer, `correct answer` True
    or False; both empty without a label. `probability` is that of the model's answer, 0..1.

    Raises:
        RetinulaError: the disk refuses; what was there before is untouched.
    """
    labels = labels or {}
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for prediction in predictions:
            if prediction.skipped:
                continue
            label, answer = labels.get(prediction.src), prediction.best
            table.writerow(
                [
                    _harmless(prediction.src, "./"),
                    "" if label is None else _harmless(label, "'"),
                    _harmless(answer.label, "'"),
                    "" if label is None else answer.label == label,
                    f"{answer.probability:.6f}",
                ]
            )


def _below(source: str) -> list[Reference]:
    path = Path(source)
    try:
        kind = "folder" if path.is_dir() else "file" if path.exists() else ""
    except OSError:
        kind = "file"  # it cannot be looked at, and decoding will say why
    if kind == "file":
        return [Reference(printable(source), path)]
    if kind == "folder":
        found = _in_folder(path)
        if not found:
            raise InputError(f"there are no pictures in {source}")
        return found
    if not glob.has_magic(source):
        raise InputError(f"there is no file or folder {source}")
    matches = sorted(glob.glob(source, recursive=True), key=natural_order)  # noqa: PTH207 - Path.glob takes no full path
    found = []
    for match in map(Path, matches):
        if match.is_dir():
            found += _in_folder(match)
        elif is_picture_name(match):
            found.append(Reference(printable(str(match)), match))
    if not found:
        raise InputError(f"no picture fits {source}")
    return found


def _in_folder(path: Path) -> list[Reference]:
    files = find_in_folder(path)
    found = [Reference(printable(str(path / name)), files.paths[name]) for name in files.names]
    found += [Reference(printable(str(path / name)), b"", reason) for name, reason in files.skipped]
    return sorted(found, key=lambda reference: natural_order(reference.src))


def _small_pictures(model: Classifier, references: Iterable[Reference]) -> Iterator[tuple[str, Images | str]]:
    """Give what is looked at of each picture, `[V, C, H, W]`, or why it is skipped, in order."""
    refused: dict[str, str] = {}

    def openable() -> Iterator[tuple[str, Path | bytes]]:
        for src, content, reason in references:
            if reason:
                refused[src] = reason
            # Refused ones go along, with nothing in them, so that everything stays in order.
            yield src, content

    for src, result in decode_all(openable(), model.look_at):
        if isinstance(result, UnreadablePicture):
            yield src, refused.get(src) or result.reason
        else:
            yield src, result


def _class_named(label: str, file: str, classes: Sequence[str]) -> str:
    number = class_number(label, classes)
    if number is None:
        raise InputError(f"the label {label!r} of {file} is no class of this model{nearest(label, classes)}")
    return classes[number]


def _is_formula(cell: str) -> bool:
    """Tell whether a spreadsheet computes a cell, or would without the apostrophes before it."""
    return len(cell) > 1 and cell.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r"))


def _harmless(cell: str, prefix: str) -> str:
    """Keep spreadsheets from taking a name for a formula; before a path `./` does that and leaves it a path."""
    return prefix + cell if _is_formula(cell) else cell
