"""What pictures are, as a user says it: tables of labels, and which row of them is which picture."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from retinula.datasets.rows import label_columns, read_rows
from retinula.errors import InputError, nearest
from retinula.files.spreadsheets import original
from retinula.prediction.references import Reference
from retinula.text.names import class_number, printable
from retinula.text.pairing import paired, parts_of
from retinula.text.words import first_few

_MOST_NAMED: Final = 3  # of the rows without a picture


class MatchedLabels(NamedTuple):
    """A table of labels beside pictures.

    Attributes:
        labels: of each picture that the table names, by its `src`: one of the model's classes.
        without_picture: files of the table that are none of the pictures: a score leaves them out and is silent.
        num_files: how many the table has.
        outside: of each picture whose label is no class of the model, by its `src`, that label: in no score either.
    """

    labels: dict[str, str]
    without_picture: tuple[str, ...]
    num_files: int
    outside: dict[str, str]

    def left_over(self, table: Path) -> str:
        """Say which files of the table are in no score, on one line; nothing where there are none."""
        number = len(self.without_picture)
        if not number:
            return ""
        listed = first_few([*map(printable, self.without_picture)], _MOST_NAMED)
        verb = "names" if number == 1 else "name"
        return f"{number} of {self.num_files} files of {table} {verb} no picture that was given: {listed}"

    def left_outside(self) -> str:
        """Say how many pictures are of no class of the model, and of what, in a line; nothing where there are none."""
        number = len(self.outside)
        if not number:
            return ""
        of = first_few(
            [f"{printable(label)} ({times})" for label, times in Counter(self.outside.values()).most_common()],
            _MOST_NAMED,
        )
        verb = "is" if number == 1 else "are"
        pictures = f"{number} of {len(self.labels) + number} labelled pictures"
        return f"{pictures} {verb} outside the classes of this model, and in no score: {of}"


def read_labels(path: Path) -> dict[str, str]:
    """Read a table of labels: file as written there, to label as written there.

    CSV in UTF-8 (a byte order mark does no harm), separated by comma, semicolon or tab. The columns are found by
    their names (`file` or `src`, `label` or `correct`); without a row of names they are the first two. Rows without
    a label are left out. A table that `scoring.write_table` wrote can be read again.

    Raises:
        InputError: the table is missing, not a table, does not say which column is the label, or gives a file two.
    """
    rows = read_rows(path)
    columns = label_columns(rows, path)
    file_column, label_column = columns.file, columns.label
    labels: dict[str, str] = {}
    for row in rows[1 if columns.header else 0 :]:
        if max(file_column, label_column) >= len(row):
            continue
        file, label = row[file_column].strip(), row[label_column].strip()
        if not file or not label:
            continue
        label = original(label)  # what keeps spreadsheets from computing it is no part of it
        if labels.setdefault(file, label) != label:
            raise InputError(f"{path} gives {file!r} two labels, {labels[file]!r} and {label!r}")
    if not labels:
        raise InputError(f"{path} has no rows with a file and a label")
    return labels


def match_labels(references: Iterable[Reference], labels: Mapping[str, str], classes: Sequence[str]) -> MatchedLabels:
    """Find the label of each picture, and what of the table is no picture.

    A file of the table is a picture where one's path is the end of the other's, be it only a name without folders. The
    longest such ends come first, and each file and picture once, so that a name stands for what no path has named.
    Case and the picture's suffix may be left aside, and accents written in either way of Unicode.
    Classes are named in any case, or by number (`names.class_number`). Pictures without a label are left out; those
    whose label is no class are kept apart.

    Args:
        references: what `references.find_pictures` gives.
        labels: what `read_labels` gives.
        classes: the model's.

    Raises:
        InputError: there is no label; none, or none of the pictures given, is of a class; a file of the table could be
            two pictures or the other way round; or a table names none of the pictures.
    """
    if not labels:
        raise InputError("the table of labels is empty")
    numbers = {label: class_number(label, classes) for label in labels.values()}
    if all(number is None for number in numbers.values()):
        raise _no_class(*next(iter(labels.items())), classes)
    files = paired((reference.src for reference in references), labels)
    if not files:
        raise InputError(f"the table of labels names none of the pictures; it has {next(iter(labels))!r}, ...")
    # A path may stand in the table twice, written in two ways.
    found = {parts_of(file) for file in files.values()}
    rest = tuple(file for file in labels if parts_of(file) not in found)
    known: dict[str, str] = {}
    outside: dict[str, str] = {}
    for src, file in files.items():
        number = numbers[labels[file]]
        if number is None:
            outside[src] = labels[file]
        else:
            known[src] = classes[number]
    if not known:
        file = next(iter(files.values()))
        raise _no_class(file, labels[file], classes)
    return MatchedLabels(known, rest, len(labels), outside)


def _no_class(file: str, label: str, classes: Sequence[str]) -> InputError:
    return InputError(f"the label {label!r} of {file} is no class of this model{nearest(label, classes)}")
