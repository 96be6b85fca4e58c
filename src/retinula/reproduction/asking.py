"""A model asked about labelled photos, as the first published work asked about 32 from the web."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from retinula.errors import InputError
from retinula.files.durable import write_json
from retinula.files.lock import rewriting
from retinula.prediction.labels import match_labels, read_labels
from retinula.prediction.predict import Prediction, predict_files
from retinula.prediction.references import find_pictures
from retinula.prediction.scoring import score, write_work_table
from retinula.recipe.recipe import Recipe
from retinula.reproduction.finished import Finished
from retinula.reproduction.measures import Measured, own_photos, photos_folder
from retinula.reproduction.photos import LABELS, find_photos
from retinula.reproduction.table import Row, claim_row, shown_row
from retinula.runs.run import Run
from retinula.text.names import printable
from retinula.text.words import plural
from retinula.trained.model_file import Model
from retinula.training.reporting import Reporter


class AnsweredPhotos(NamedTuple):
    """Predictions in the order of the folder, the right class of each by its `src`, and the score as plain values."""

    predictions: list[Prediction]
    labels: dict[str, str]
    result: dict[str, Any]

    def write(self, file: Path) -> None:
        """Write the CSV of the work: `src,correct,model,correct answer,probability`."""
        write_work_table(file, self.predictions, self.labels)


@dataclass(frozen=True)
class AskedPhotos:
    """A folder of photos that the models of a reproduction were asked about.

    Attributes:
        folder: of the photos; of those that only the reports of the runs tell of its name.
        own: whether the recipe is measured by them.
        results: of each run's model, in the order of the runs.
        answered: by the first one's; None where only reports tell of it.
    """

    folder: Path
    own: bool
    results: tuple[dict[str, Any], ...]
    answered: AnsweredPhotos | None

    @property
    def measured(self) -> Measured:
        """The accuracies."""
        return Measured(tuple(result["accuracy"] for result in self.results))

    @property
    def figure(self) -> str:
        """What was measured, in words."""
        name = self.folder.name if self.own else str(self.folder)
        return f"accuracy on {plural(self.results[0]['total'], 'photo')} ({printable(name)})"

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {"folder": printable(str(self.folder)), "own": self.own, "results": list(self.results)}


def ask_photos(
    recipe: Recipe, runs: Sequence[Run], folders: Mapping[Path, bool], reporter: Reporter
) -> list[AskedPhotos]:
    """Ask about all photos that can be scored, always: there may be others in a folder than last time.

    Where the recipe's own cannot be asked about, those count that the reports of the runs tell of.

    Args:
        recipe: that is reproduced.
        runs: its finished ones.
        folders: as `photos.folders_to_ask` gives them.
        reporter: told what cannot be scored, and why.
    """
    if recipe.objective.reconstructs:
        return []
    asked = []
    for folder, own in folders.items():
        if not (folder / LABELS).exists():
            reporter.message(f"{folder} has no {LABELS} to score answers by")
            continue
        try:
            answers = [answer_photos(run, folder) for run in runs]
        except InputError as error:
            reporter.message(f"{folder} is left out: {error}")
            continue
        asked.append(AskedPhotos(folder, own, tuple(answered.result for answered in answers), answers[0]))
        if own:
            for run, answered in zip(runs, answers, strict=True):
                keep_answers(run, answered)
    if any(photos.own for photos in asked):
        return asked
    name, known = photos_folder(recipe), tuple(own_photos(Finished.read(run)) for run in runs)
    if all(result.keys() >= {"accuracy", "total"} for result in known):
        return [AskedPhotos(Path(name), True, known, None), *asked]
    if any(claim.metric == "photos_accuracy" for claim in recipe.claims) and find_photos(name) is None:
        missing = f"{name} is in no folder of RETINULA_DATA" if name else f"{recipe.name} is measured by none"
        reporter.message(f"no photos to measure a claim by: {missing}; --photos asks about others")
    return asked


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
    matched = match_labels(references, read_labels(folder / LABELS), model.classes)
    if matched.outside:
        raise InputError(f"{folder / LABELS}: {matched.left_outside()}")
    labels = matched.labels
    predictions = list(predict_files(model, references))
    form = model.form
    looked_at = {"resize": form.resize, "resample": form.resample, "views": str(form.views)}
    result = {"folder": printable(folder.name), **looked_at, **asdict(score(predictions, labels))}
    return AnsweredPhotos(predictions, labels, result)


def keep_answers(run: Run, answered: AnsweredPhotos) -> None:
    """Write a score into a run's report, and the answers beside it, if the run's own recipe is measured by such photos.

    A run may be another recipe's that differs in its name only.
    """
    if Path(photos_folder(run.recipe())).name == answered.result["folder"]:
        answered.write(run.photos_file)
        with rewriting(run.report_file):
            write_json(run.report_file, {**run.report(), "photos": answered.result})


def with_photos(
    rows: Sequence[Row], recipe: Recipe, asked: Sequence[AskedPhotos], *, so_far: bool = False
) -> list[Row]:
    """Measure a claim about photos by the recipe's own, and add rows for what no claim is about.

    Args:
        rows: one for each claim, in their order.
        recipe: whose claims they are.
        asked: folders of photos.
        so_far: whether a training was ended early, so that no claim is judged.
    """
    told = list(rows)
    places = [place for place, claim in enumerate(recipe.claims) if claim.metric == "photos_accuracy"]
    claim = recipe.claims[places[0]] if places else None
    for photos in asked:
        if photos.own and claim:
            told[places[0]] = claim_row(claim, photos.measured, photos.figure, so_far=so_far)
        else:
            told.append(shown_row(photos.figure, "photos_accuracy", photos.measured, claim))
    return told
