"""Gathering all that a report shows: runs the model over its pictures, and notes what cannot be had and why.

Knows nothing of pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec

from retinula.datasets.reading import SplitName, lacking
from retinula.errors import InputError
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.results import ClassificationResult
from retinula.experiment import own_splits
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.recipe import Recipe
from retinula.report.answers import AnswersPart, answers_part
from retinula.report.duplicates import DuplicatesPart, duplicates_part
from retinula.report.pictures import ContactRow, DistortedPart, contact_rows, distorted_part
from retinula.report.reasons import ReasonsPart, reasons_part
from retinula.report.reconstruction import ReconstructionPart, reconstruction_part
from retinula.report.sheet import Sheet, SheetPage
from retinula.report.training import TrainingPart, training_part
from retinula.run import Run

# Before they are written as text, which takes a third more.
SHEET_BYTES, SEEN_BYTES, SMALL_BYTES = 3_600_000, 900_000, 120_000
SEEN_SIDE = 128  # pixels of a picture with its reasons, at most

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Contents:
    """All that a page shows; a part that is None, or without pictures, has its reason in `missing`.

    Attributes:
        run: of which the page tells.
        recipe: of the run.
        training: what was trained on what, and how it went.
        task: `classification` or `reconstruction`.
        split: which pictures it was measured on.
        missing: why a part is not there, by its name.
        answers: of a classifier.
        reasons: of its answers.
        reconstruction: of a network that gives pictures back.
        contact: pictures of each class, of the training pictures or, without these, of those measured on.
        contact_split: which ones.
        duplicates: pictures both learned from and asked about.
        distorted: a picture as training shows it.
        pictures: the sheet of pictures.
        seen: the sheet of what the network saw, with its reasons.
    """

    run: Run
    recipe: Recipe
    training: TrainingPart
    task: str
    split: SplitName
    missing: dict[str, str]
    answers: AnswersPart | None = None
    reasons: ReasonsPart | None = None
    reconstruction: ReconstructionPart | None = None
    contact: tuple[ContactRow, ...] = ()
    contact_split: str = ""
    duplicates: DuplicatesPart | None = None
    distorted: DistortedPart | None = None
    pictures: SheetPage | None = None
    seen: SheetPage | None = None


def gather(run: Run, progress: Progress | None = None) -> Contents:
    """Measure a finished run's model and gather what a page shows; the run is not changed.

    Args:
        run: a finished run.
        progress: told how far loading and measuring are.

    Raises:
        InputError: the run is not finished, or its model cannot be read.
    """
    training, recipe, model = training_part(run), run.recipe(), Model.load(run.path)
    missing: dict[str, str] = {}
    splits = _splits(run, missing, progress)
    split: SplitName = "validation" if "validation" in splits and "test" not in splits else "test"
    measured, train_set = splits.get(split), splits.get("train")
    contents = Contents(run, recipe, training, model.task, split, missing)
    shown = train_set or measured
    if shown is None:
        return contents
    sheet = Sheet((shown.shape[1], shown.shape[2]))
    contents = replace(
        contents,
        contact=contact_rows(shown, sheet),
        contact_split="training" if train_set else split,
        distorted=None if train_set is None else distorted_part(recipe, train_set, SMALL_BYTES),
    )
    if train_set is not None and measured is not None and train_set.shape == measured.shape:
        contents = replace(contents, duplicates=duplicates_part(train_set, measured, split, sheet))
    if measured is not None:
        contents = _with_measurement(contents, model, measured, sheet, progress)
    return replace(contents, pictures=sheet.finish(SHEET_BYTES))


def _splits(run: Run, missing: dict[str, str], progress: Progress | None) -> Mapping[SplitName, ImageSet]:
    """Return the run's pictures; of those to measure on and to train on that are not there the reason is noted."""
    try:
        splits = own_splits(run, progress)
    except InputError as error:
        missing |= {"measured": str(error), "train": str(error)}
        return {}
    name = run.recipe().data.name
    if not splits.keys() & {"test", "validation"}:
        missing["measured"] = lacking("test", name)
    if "train" not in splits:
        missing["train"] = lacking("train", name)
    return splits


def _with_measurement(
    contents: Contents, model: Model, image_set: ImageSet, sheet: Sheet, progress: Progress | None
) -> Contents:
    told = partial(progress, "asking the model") if progress else None
    if model.task == "reconstruction":
        part = reconstruction_part(contents.run, contents.split, model, image_set, told)
        return replace(contents, reconstruction=part)
    try:
        result = evaluate(model, image_set, split=contents.split, progress=told)
    except InputError as error:  # pictures without labels, of other classes
        contents.missing["measured"] = str(error)
        return contents
    if not isinstance(result, ClassificationResult):
        raise TypeError(f"a {type(result).__name__} of a classifier")
    if progress:
        progress("looking for reasons", 0, None)
    _, *size = model.preprocess.input_shape
    seen = Sheet((size[0], size[1]), longest=SEEN_SIDE)
    unexplained = (
        "" if find_spec("captum") else "captum, which computes them, is not installed: pip install 'retinula[explain]'"
    )
    reasons = reasons_part(model, result, image_set.images, seen, unexplained)
    return replace(
        contents,
        answers=answers_part(result, image_set.images, sheet),
        reasons=reasons,
        seen=seen.finish(SEEN_BYTES) if len(seen) else None,
    )
