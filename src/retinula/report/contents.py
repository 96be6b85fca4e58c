"""Gathering all that a report shows: runs the model over its pictures, and notes what cannot be had and why.

Knows nothing of pages.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from retinula.datasets.reading import Progress, SplitName
from retinula.errors import InputError
from retinula.evaluation.findings import Inspection, read_inspection
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.results import ClassificationResult
from retinula.explanation.attribution import check_explainable
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.recipe import Recipe
from retinula.report.answers import AnswersPart, answers_part
from retinula.report.doubts import LabelsPart, PairsPart, labels_part, pairs_part
from retinula.report.duplicates import DuplicatesPart, duplicates_part
from retinula.report.mapped import MapPart, map_part
from retinula.report.pictures import ContactRow, DistortedPart, FedPart, contact_rows, distorted_part, fed_part
from retinula.report.reasons import ReasonsPart, reasons_part
from retinula.report.reconstruction import ReconstructionPart, reconstruction_part
from retinula.report.sheet import Sheet, SheetPage
from retinula.report.spoilt import SpoiltPart, spoilt_part
from retinula.report.training import TrainingPart, training_part
from retinula.run import Run
from retinula.run_data import find_own

# Before they are written as text, which takes a third more.
SHEET_BYTES, SEEN_BYTES, MAP_BYTES, SMALL_BYTES = 3_000_000, 900_000, 1_000_000, 120_000
SEEN_SIDE = 128  # pixels of a picture with its reasons, at most


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
        learned_sources: for each training picture the file it came from, or None.
        duplicates: pictures both learned from and asked about.
        labels: pictures asked about whose labels are likely wrong.
        pairs: pictures that are nearly the same, and among which.
        spoilt: how it does on spoilt pictures.
        map: where pictures lie.
        distorted: a picture as training shows it.
        fed: the pictures that training began with, as it fed them.
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
    learned_sources: Sequence[str] | None = None
    duplicates: DuplicatesPart | None = None
    labels: LabelsPart | None = None
    pairs: tuple[PairsPart, ...] | None = None
    spoilt: SpoiltPart | None = None
    map: MapPart | None = None
    distorted: DistortedPart | None = None
    fed: FedPart | None = None
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
    measured = None if "measured" in missing else splits.get(split)
    train_set = splits.get("train")
    contents = Contents(run, recipe, training, model.task, split, missing)
    shown = train_set or measured
    if shown is None:
        return contents
    sheet = Sheet((shown.shape[1], shown.shape[2]))
    contents = replace(
        contents,
        contact=contact_rows(shown, sheet),
        contact_split="training" if train_set else split,
        learned_sources=None if train_set is None else train_set.sources,
        distorted=None if train_set is None else distorted_part(recipe, train_set, SMALL_BYTES),
        fed=None if train_set is None else fed_part(recipe, train_set, sheet, SMALL_BYTES),
    )
    if train_set is not None and measured is not None and train_set.shape == measured.shape:
        contents = replace(contents, duplicates=duplicates_part(train_set, measured, split, sheet))
    if measured is not None:
        contents = _with_measurement(contents, model, measured, sheet, progress)
        contents = _with_inspection(contents, measured, train_set, sheet)
    return replace(contents, pictures=sheet.finish(SHEET_BYTES))


def deep_look(run: Run, split: SplitName) -> str:
    """Return the command that looks closer at the pictures that a page is about."""
    which = "" if split == "test" else f" --split {split}"
    return f"retinula evaluate {shlex.quote(str(run.path.resolve()))}{which} --deep"


def _splits(run: Run, missing: dict[str, str], progress: Progress | None) -> Mapping[SplitName, ImageSet]:
    """Return the run's pictures; of those to measure on and to train on that are not there the reason is noted."""
    try:
        own = find_own(run, progress)
    except InputError as error:
        missing |= {"measured": str(error), "train": str(error)}
        return {}
    if "test" in own.changed:
        missing["measured"] = own.changed["test"]
    elif not own.splits.keys() & {"test", "validation"}:
        missing["measured"] = own.changed.get("validation", f"{own.dataset} has no test pictures")
    if "train" in own.changed:
        missing["train"] = own.changed.get("test", own.changed["train"])  # one sentence for both
    return own.splits


def _with_measurement(
    contents: Contents, model: Model, image_set: ImageSet, sheet: Sheet, progress: Progress | None
) -> Contents:
    told = partial(progress, "asking the model") if progress else None
    if not model.classifies:
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
    unexplained = ""
    try:
        check_explainable(model)
    except InputError as error:
        unexplained = str(error)
    reasons = reasons_part(model, result, image_set.images, seen, unexplained)
    return replace(
        contents,
        answers=answers_part(result, image_set.images, sheet),
        reasons=reasons,
        seen=seen.finish(SEEN_BYTES) if len(seen) else None,
    )


def _with_inspection(contents: Contents, asked: ImageSet, train_set: ImageSet | None, sheet: Sheet) -> Contents:
    """Add what `retinula evaluate --deep` has found on the same pictures; what cannot be used is noted."""
    if contents.answers is None:
        return contents
    try:
        inspected = read_inspection(contents.run.inspection_file, contents.split)
        if inspected is None:
            return contents
        if inspected.dataset != asked.name or inspected.fingerprint not in ("", asked.fingerprint()):
            raise InputError(
                f"{contents.run.inspection_file} tells of other pictures ({inspected.dataset}, {inspected.split}); "
                f"look again with: {deep_look(contents.run, contents.split)}"
            )
        return _shown(contents, contents.answers, inspected.found, asked, train_set, sheet)
    except InputError as error:
        contents.missing["inspected"] = str(error)
    except IndexError:
        file = contents.run.inspection_file
        contents.missing["inspected"] = (
            f"{file} names pictures that there are not; look again with: {deep_look(contents.run, contents.split)}"
        )
    return contents


def _shown(
    contents: Contents,
    answers: AnswersPart,
    found: Inspection,
    asked: ImageSet,
    train_set: ImageSet | None,
    sheet: Sheet,
) -> Contents:
    pairs = None
    if found.duplicates is not None:
        sets = {f"within {asked.name}": (asked, False)}
        if train_set is not None and train_set.shape == asked.shape:
            sets = {f"between {asked.name} and {train_set.name}": (train_set, True), **sets}
        pairs = tuple(
            pairs_part(found.duplicates[name], asked, other, sheet, between=between)
            for name, (other, between) in sets.items()
            if name in found.duplicates
        )
    images = asked.images
    return replace(
        contents,
        labels=None if found.label_errors is None else labels_part(found.label_errors, asked, sheet),
        pairs=pairs,
        spoilt=None if found.robustness is None else spoilt_part(found.robustness, answers.result, images, sheet),
        map=None if found.embedding is None else map_part(found.embedding, answers.result, images, MAP_BYTES),
    )
