"""Predictions beside the right answers: a score, and a table of them all."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from retinula.errors import InputError
from retinula.evaluation.intervals import wilson_interval
from retinula.files.durable import replacing
from retinula.files.spreadsheets import harmless
from retinula.prediction.predict import Prediction

COLUMNS: Final = ("file", "label", "answer", "right", "probability", "unfamiliar")
WORK_COLUMNS: Final = ("src", "correct", "model", "correct answer", "probability")  # of the first published work


@dataclass(frozen=True)
class Score:
    """How many of the labelled pictures were recognised, and the interval their true share lies in (95 %)."""

    correct: int
    total: int
    accuracy: float
    low: float
    high: float


def score(predictions: Iterable[Prediction], labels: Mapping[str, str]) -> Score:
    """Count right answers among the pictures that have a label and were not skipped.

    Args:
        predictions: what `prediction.predict_files` gives.
        labels: of pictures, by their `src`, as `labels.match_labels` finds them.

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


def write_table(
    path: Path,
    predictions: Iterable[Prediction],
    labels: Mapping[str, str] | None = None,
    *,
    classes: Sequence[str] = (),
) -> None:
    """Write a CSV table, a row a picture that was read: `file,label,answer,right,probability,unfamiliar`.

    `label` is the true class, `right` whether the answer is it, True or False; both empty without a label.
    `probability` is that of the answer, 0..1. `unfamiliar` is True or False, empty where the model cannot tell.

    Args:
        path: the file.
        predictions: what `prediction.predict_files` gives.
        labels: of pictures, by their `src`, as `labels.match_labels` finds them.
        classes: those whose probabilities are columns as well, called as they are; one that is called as another
            column is has `probability of` before its name.

    Raises:
        RetinulaError: the disk refuses; what was there before is untouched.
    """
    named = (f"probability of {name}" if name.lower() in COLUMNS else harmless(name, "'") for name in classes)

    def rows() -> Iterator[list[object]]:
        for prediction, cells in _answers(predictions, labels or {}):
            told = "" if prediction.unfamiliar is None else prediction.unfamiliar
            probability = dict(prediction.answers)
            yield [*cells, told, *(f"{probability[name]:.6g}" for name in classes)]

    _write(path, (*COLUMNS, *named), rows())


def write_work_table(path: Path, predictions: Iterable[Prediction], labels: Mapping[str, str]) -> None:
    """Write the same in the columns of the published work: `src,correct,model,correct answer,probability`.

    Raises:
        RetinulaError: the disk refuses; what was there before is untouched.
    """
    _write(path, WORK_COLUMNS, (cells for _, cells in _answers(predictions, labels)))


def _answers(predictions: Iterable[Prediction], labels: Mapping[str, str]) -> Iterator[tuple[Prediction, list[object]]]:
    """Give of each picture that was read what both tables have: file, label, answer, right, probability."""
    for prediction in predictions:
        if prediction.skipped:
            continue
        label, answer = labels.get(prediction.src), prediction.best
        yield (
            prediction,
            [
                harmless(prediction.src, "./"),
                "" if label is None else harmless(label, "'"),
                harmless(answer.label, "'"),
                "" if label is None else answer.label == label,
                f"{answer.probability:.6f}",
            ],
        )


def _write(path: Path, columns: Iterable[str], rows: Iterable[list[object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
