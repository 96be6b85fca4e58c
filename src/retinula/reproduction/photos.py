"""A model asked about labelled photos, as the first published work asked about 32 from the web."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from retinula.datasets.load import search_folders
from retinula.durable import write_json
from retinula.labels import match_labels, read_labels
from retinula.model_file import Model
from retinula.prediction import Prediction, predict_files
from retinula.references import find_pictures
from retinula.run import Run
from retinula.scoring import score, write_table
from retinula.training.reporting import Reporter

TABLE = "labels.csv"


def find_photos(name: str) -> Path | None:
    """Return the folder of photos of that name in one of the folders of `RETINULA_DATA`, or None."""
    places = [place / name for place in search_folders()] if name else []
    return next((place for place in places if place.is_dir()), None)


def check_photos(folder: Path, classes: Sequence[str], reporter: Reporter) -> None:
    """Refuse a folder whose photos no model of these classes could be asked about.

    Args:
        folder: photos, with a `labels.csv` where their answers are to be scored.
        classes: that the model will have; empty for a reconstruction, which needs no labels.
        reporter: told which rows of the table are none of the photos, and so in no score.

    Raises:
        InputError: no photos, a table of labels that cannot be read, or labels that are no classes.
    """
    references = find_pictures([str(folder)])
    if classes and (folder / TABLE).exists():
        table = folder / TABLE
        if left_over := match_labels(references, read_labels(table), classes).left_over(table):
            reporter.message(left_over)


class AnsweredPhotos(NamedTuple):
    """Predictions in the order of the folder, the right class of each by its `src`, and the score as plain values."""

    predictions: list[Prediction]
    labels: dict[str, str]
    result: dict[str, Any]


def answer_photos(run: Run, folder: Path, out: Path) -> AnsweredPhotos:
    """Ask a run's model about a folder of photos with a `labels.csv`; the score enters the run's report.

    Photos are looked at as the model's preprocess says: the whole, squashed with antialiasing, unless its recipe says
    otherwise.

    Args:
        run: a finished run of a classifier.
        folder: photos and the table.
        out: the CSV of the work: `src,correct,model,correct answer,probability`.

    Raises:
        InputError: no photos, no table, or labels that are no classes of the model.
    """
    model = Model.load(run.path)
    references = find_pictures([str(folder)])
    labels = match_labels(references, read_labels(folder / TABLE), model.classes).labels
    predictions = list(predict_files(model, references))
    looked_at = {"resize": model.resize, "resample": model.resample, "views": str(model.views)}
    result = {"folder": folder.name, **looked_at, **asdict(score(predictions, labels))}
    write_table(out, predictions, labels)
    report = run.report()
    write_json(run.report_file, {**report, "photos": result})
    return AnsweredPhotos(predictions, labels, result)
