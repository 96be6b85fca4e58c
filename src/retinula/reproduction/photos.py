"""A model asked about labelled photos, as the first published work asked about 32 from the web.

Those that a recipe is measured by, its own, stand in the report of a run; others only beside them in a table.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from retinula.datasets.load import search_folders
from retinula.durable import write_json
from retinula.labels import match_labels, read_labels
from retinula.model_file import Model
from retinula.names import printable
from retinula.prediction import Prediction, predict_files
from retinula.recipe import Recipe
from retinula.references import find_pictures
from retinula.reproduction.measures import Measured, photos_folder
from retinula.reproduction.table import Row, claim_row, shown_row
from retinula.run import Run
from retinula.scoring import score, write_table
from retinula.training.reporting import Reporter
from retinula.words import plural

LABELS = "labels.csv"


def find_photos(name: str) -> Path | None:
    """Return the folder of photos of that name in one of the folders of `RETINULA_DATA`, or None."""
    places = [place / name for place in search_folders()] if name else []
    return next((place for place in places if place.is_dir()), None)


def photo_folders(recipe: Recipe, given: Path | None) -> dict[Path, bool]:
    """Return the folders of photos to ask about, and of each whether the recipe is measured by it; that one first.

    Args:
        recipe: where `figures.photos` of a shipped one was changed, it is not measured by those.
        given: named beside the recipe; its own where it is that very folder.
    """
    own = find_photos(photos_folder(recipe))
    asked = given or find_photos(recipe.figures.photos)
    folders = {} if own is None else {own: True}
    if asked is not None and (own is None or asked.resolve() != own.resolve()):
        folders[asked] = False
    return folders


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
    if classes and (folder / LABELS).exists():
        table = folder / LABELS
        if left_over := match_labels(references, read_labels(table), classes).left_over(table):
            reporter.message(left_over)


class AnsweredPhotos(NamedTuple):
    """Predictions in the order of the folder, the right class of each by its `src`, and the score as plain values."""

    predictions: list[Prediction]
    labels: dict[str, str]
    result: dict[str, Any]

    def write(self, file: Path) -> None:
        """Write the CSV of the work: `src,correct,model,correct answer,probability`."""
        write_table(file, self.predictions, self.labels)


@dataclass(frozen=True)
class AskedPhotos:
    """A folder of photos that the models of a reproduction were asked about.

    Attributes:
        folder: of the photos.
        own: whether the recipe is measured by them.
        answers: of each run's model, in the order of the runs.
    """

    folder: Path
    own: bool
    answers: tuple[AnsweredPhotos, ...]

    @property
    def measured(self) -> Measured:
        """The accuracies."""
        return Measured(tuple(answered.result["accuracy"] for answered in self.answers))

    @property
    def figure(self) -> str:
        """What was measured, in words."""
        name = self.folder.name if self.own else str(self.folder)
        return f"accuracy on {plural(self.answers[0].result['total'], 'photo')} ({printable(name)})"

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        results = [answered.result for answered in self.answers]
        return {"folder": printable(str(self.folder)), "own": self.own, "results": results}


def answer_photos(run: Run, folder: Path) -> AnsweredPhotos:
    """Ask a run's model about a folder of photos with a `labels.csv`.

    Photos are looked at as the model's preprocess says: the whole, squashed with antialiasing, unless its recipe says
    otherwise.

    Args:
        run: a finished run of a classifier.
        folder: photos and the table.

    Raises:
        InputError: no photos, no table, or labels that are no classes of the model.
    """
    model = Model.load(run.path)
    references = find_pictures([str(folder)])
    labels = match_labels(references, read_labels(folder / LABELS), model.classes).labels
    predictions = list(predict_files(model, references))
    looked_at = {"resize": model.resize, "resample": model.resample, "views": str(model.views)}
    result = {"folder": printable(folder.name), **looked_at, **asdict(score(predictions, labels))}
    return AnsweredPhotos(predictions, labels, result)


def keep_answers(run: Run, answered: AnsweredPhotos) -> None:
    """Write a score into a run's report, and the answers beside it, if the run's own recipe is measured by such photos.

    A run may be another recipe's that differs in its name only.
    """
    if Path(photos_folder(run.recipe())).name == answered.result["folder"]:
        answered.write(run.photos_file)
        write_json(run.report_file, {**run.report(), "photos": answered.result})


def with_photos(rows: Sequence[Row], recipe: Recipe, asked: Sequence[AskedPhotos]) -> list[Row]:
    """Measure a claim about photos by the recipe's own, and add rows for what no claim is about.

    Args:
        rows: one for each claim, in their order.
        recipe: whose claims they are.
        asked: folders of photos.
    """
    told = list(rows)
    places = [place for place, claim in enumerate(recipe.claims) if claim.metric == "photos_accuracy"]
    claim = recipe.claims[places[0]] if places else None
    for photos in asked:
        if photos.own and claim:
            told[places[0]] = claim_row(claim, photos.measured, photos.figure)
        else:
            told.append(shown_row(photos.figure, "photos_accuracy", photos.measured, claim))
    return told
