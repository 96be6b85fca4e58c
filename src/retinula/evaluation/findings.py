"""What a closer look has found among the pictures of a run, and the file that keeps it for later.

Looks for nothing itself: `inspection` does.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from retinula.datasets.reading import SplitName
from retinula.errors import InputError
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.embedding import EmbeddingMap
from retinula.evaluation.label_errors import LabelErrors
from retinula.evaluation.robustness import Robustness
from retinula.files.durable import make_folder, read_text, reading, write_json
from retinula.files.lock import rewriting
from retinula.files.strict_json import read_json


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was looked for and found; None where it was not asked for.

    Attributes:
        robustness: accuracy under corruptions.
        label_errors: labels that are likely wrong.
        duplicates: near-duplicates, by the names of the two sets between which they are.
        embedding: the map of the pictures.
        impossible: why what was asked for could not be looked for, as `inspection.look_closer` calls it; `between` are
            near-duplicates between the pictures and those to train on alone.
    """

    robustness: Robustness | None = None
    label_errors: LabelErrors | None = None
    duplicates: dict[str, tuple[NearDuplicate, ...]] | None = None
    embedding: EmbeddingMap | None = None
    impossible: dict[str, str] = field(default_factory=dict)

    @property
    def unlooked(self) -> tuple[str, ...]:
        """What was not looked for, as `inspection.look_closer` calls it."""
        parts = {
            "corruptions": self.robustness,
            "labels": self.label_errors,
            "duplicates": self.duplicates,
            "embedding": self.embedding,
        }
        return tuple(name for name, part in parts.items() if part is None)

    def joined(self, newer: "Inspection") -> "Inspection":
        """Return what either was looked for; of what both were, the newer; of near-duplicates set by set."""
        looked = {each.name: getattr(newer, each.name) for each in fields(newer)}
        if self.duplicates and newer.duplicates:
            looked["duplicates"] = self.duplicates | newer.duplicates
        return replace(self, **{name: part for name, part in looked.items() if part is not None})

    def to_dict(self) -> dict[str, Any]:
        """Return what was looked for as values that JSON can hold."""
        found: dict[str, Any] = {"impossible": dict(self.impossible)} if self.impossible else {}
        if self.robustness is not None:
            found["robustness"] = self.robustness.to_dict()
        if self.label_errors is not None:
            found["label_errors"] = self.label_errors.to_dict()
        if self.duplicates is not None:
            found["near_duplicates"] = {
                name: [pair.to_dict() for pair in pairs] for name, pairs in self.duplicates.items()
            }
        if self.embedding is not None:
            found["embedding"] = self.embedding.to_dict()
        return found

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Inspection":
        """Build from the value of `to_dict`; others raise `LookupError`, `TypeError`, `ValueError`, `OverflowError`."""
        spoilt, labels, pairs, placed = (
            values.get(key) for key in ("robustness", "label_errors", "near_duplicates", "embedding")
        )
        return cls(
            robustness=None if spoilt is None else Robustness.from_dict(spoilt),
            label_errors=None if labels is None else LabelErrors.from_dict(labels),
            duplicates=None
            if pairs is None
            else {str(name): tuple(map(NearDuplicate.from_dict, each)) for name, each in pairs.items()},
            embedding=None if placed is None else EmbeddingMap.from_dict(placed),
        )


@dataclass(frozen=True, eq=False)
class Inspected:
    """What was found earlier, and on which pictures.

    Attributes:
        dataset: their name.
        split: which part of the data set they are.
        fingerprint: of them; empty where an earlier version has written it.
        found: what was found.
    """

    dataset: str
    split: SplitName
    fingerprint: str
    found: Inspection


def read_inspection(file: Path, split: SplitName) -> Inspected | None:
    """Read from its file what was found earlier among the pictures of a split; None where nobody has looked.

    Raises:
        InputError: the file cannot be read, or is not whole.
    """
    values = _read(file).get(split)
    if values is None:
        return None
    with _whole(file):
        return Inspected(values["dataset"], split, values.get("fingerprint", ""), Inspection.from_dict(values))


def add_inspection(file: Path, inspected: Inspected) -> None:
    """Write what was found among the pictures of a split beside what was found before: one look forgets no other.

    Forgotten is what was found among other pictures of the same split, and what cannot be read.

    Raises:
        RetinulaError: the file cannot be written, or what lies in its place is none.
    """
    with reading(file):
        is_odd = file.exists() and not file.is_file()
    if is_odd:  # a pipe keeps one waiting who writes to it
        raise InputError(f"{file}: not an ordinary file")
    split, found = inspected.split, inspected.found
    about = {"dataset": inspected.dataset, "split": split, "fingerprint": inspected.fingerprint}
    make_folder(file.parent)
    with rewriting(file):
        before: dict[str, Any] = {}
        same = None
        with suppress(InputError):  # one split that is not whole takes nothing away of another
            before = _read(file)
            same = read_inspection(file, split)
        if same is not None and (same.dataset, same.fingerprint) == (inspected.dataset, inspected.fingerprint):
            found = same.found.joined(found)
        write_json(file, before | {split: about | found.to_dict()})


def _read(file: Path) -> dict[str, Any]:
    """Return what was found by split, as the file holds it; earlier versions wrote that of one split alone."""
    with reading(file):
        if not file.exists():
            return {}
    text = read_text(file)
    with _whole(file):
        values = read_json(text)  # what is kept of it can be written again
        if "dataset" in values:
            return {values["split"]: values}
        return dict(values.items())


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Say in one line why the file of what was found cannot be used."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{file} is not whole; look again with: retinula report {file.parent} --deep") from error
