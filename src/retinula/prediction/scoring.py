"""Predictions beside the right answers: a score, and a table of them all."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from retinula.errors import InputError
from retinula.evaluation.intervals import wilson_interval
from retinula.files.durable import replacing
from retinula.files.spreadsheets import harmless
from retinula.prediction.predict import Prediction

COLUMNS: Final = ("src", "correct", "model", "correct answer", "probability")


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
                    harmless(prediction.src, "./"),
                    "" if label is None else harmless(label, "'"),
                    harmless(answer.label, "'"),
                    "" if label is None else answer.label == label,
                    f"{answer.probability:.6f}",
                ]
            )
