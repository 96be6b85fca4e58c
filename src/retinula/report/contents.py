"""Gathering all that a report shows: runs the model over its pictures, and notes what cannot be had and why.

Knows nothing of pages.
"""

import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from retinula.datasets.reading import Progress, SplitName
from retinula.errors import InputError
from retinula.evaluation.answered import load_answered
from retinula.evaluation.asked import Asked
from retinula.evaluation.findings import Inspection, read_inspection
from retinula.evaluation.label_errors import check_findable
from retinula.evaluation.measuring import evaluate_answered, evaluate_known
from retinula.evaluation.recognised import NOTHING_KNOWN, Learned
from retinula.evaluation.results import ClassificationResult
from retinula.evaluation.run_data import OwnPictures, find_own, learned_of
from retinula.explanation.attribution import check_explainable
from retinula.images import ImageSet
from retinula.inspection import check_classifies, look_closer
from retinula.models.head import head_of
from retinula.recipe.recipe import Recipe
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
from retinula.runs.run import Run
from retinula.trained.model_file import Model

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
        tells_unfamiliar: whether the model can tell pictures unlike anything it was trained on.
        missing: why a part is not there, by its name; `inspected` for all parts of a closer look, one of these by
            what `inspection.look_closer` calls it.
        unmeasured: what a closer look could still find, as `inspection.look_closer` calls it.
        answers: of a classifier.
        reasons: of its answers.
        reconstruction: of a network that gives pictures back.
        contact: pictures of each class, of the training pictures or, without these, of those measured on.
        contact_split: which ones.
        learned_sources: for each training picture the file it came from, or None.
        learned: what the model has learned of the pictures asked about, here or in what it began from.
        duplicates: those among the run's own training pictures, where these are at hand.
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
    tells_unfamiliar: bool
    missing: dict[str, str]
    unmeasured: tuple[str, ...] = ()
    answers: AnswersPart | None = None
    reasons: ReasonsPart | None = None
    reconstruction: ReconstructionPart | None = None
    contact: tuple[ContactRow, ...] = ()
    contact_split: str = ""
    learned_sources: Sequence[str] | None = None
    learned: Learned = NOTHING_KNOWN
    duplicates: DuplicatesPart | None = None
    labels: LabelsPart | None = None
    pairs: tuple[PairsPart, ...] | None = None
    spoilt: SpoiltPart | None = None
    map: MapPart | None = None
    distorted: DistortedPart | None = None
    fed: FedPart | None = None
    pictures: SheetPage | None = None
    seen: SheetPage | None = None


def gather(
    run: Run,
    progress: Progress | None = None,
    *,
    deep: bool = False,
    remark: Callable[[str], None] | None = None,
) -> Contents:
    """Measure a finished run's model and gather what a page shows.

    Args:
        run: a finished run; it is changed only by what a closer look finds.
        progress: told how far loading and measuring are.
        deep: whether to look closer first, for what nobody has measured yet; it is kept in the run.
        remark: told where what the run kept of the pictures that it learned cannot be read.

    Raises:
        InputError: the run is not finished, or its model cannot be read; or nothing can be looked at closer.
        RetinulaError: what a closer look finds cannot be written.
    """
    recipe, model = run.recipe(), Model.load(run.path)
    training = training_part(run, _num_head_weights(model) if recipe.model.freeze else None)
    if deep:
        _check_deep(run, model)  # before pictures are loaded
    missing: dict[str, str] = {}
    own = _own_pictures(run, missing, progress)
    splits = {} if own is None else own.splits
    split: SplitName = "validation" if "validation" in splits and "test" not in splits else "test"
    measured = None if "measured" in missing else splits.get(split)
    train_set = splits.get("train")
    found, learned = None, NOTHING_KNOWN
    if measured is not None:
        learned = learned_of(run, model, measured, split, own, remark)
        if model.classifies:
            found = _found(run, split, measured, missing, surely=deep)
    if deep:
        if measured is None:
            raise InputError(f"{missing['measured']}; leave --deep out for a page without pictures")
        asked = Asked(run, recipe, model, measured, split, learned, own, of_run=True, place=run.path)
        found = _completed(found, asked, _comparable(train_set, measured), progress)
        missing.pop("inspected", None)
        missing |= found.impossible
    contents = Contents(run, recipe, training, model.task, split, model.familiarity is not None, missing)
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
    if measured is not None:
        contents = replace(contents, learned=learned)
        learned_from = _comparable(train_set, measured)
        if learned_from is not None:
            contents = replace(contents, duplicates=duplicates_part(learned_from, measured, sheet))
        contents = _with_measurement(contents, model, measured, sheet, progress)
        contents = _with_findings(contents, found, measured, learned_from, sheet)
    return replace(contents, pictures=sheet.finish(SHEET_BYTES))


def deep_look(run: Run) -> str:
    """Return the command that measures what a page still lacks, and writes it anew."""
    return f"retinula report {shlex.quote(str(run.path.resolve()))} --deep"


def _num_head_weights(model: Model) -> int:
    head = model.network.get_submodule(head_of(model.network))
    return sum(weights.numel() for weights in head.parameters())


def _own_pictures(run: Run, missing: dict[str, str], progress: Progress | None) -> OwnPictures | None:
    """Return the run's pictures; of those to measure on and to train on that are not there the reason is noted."""
    try:
        own = find_own(run, progress)
    except InputError as error:
        missing |= {"measured": str(error), "train": str(error)}
        return None
    if "test" in own.changed:
        missing["measured"] = own.changed["test"]
    elif not own.splits.keys() & {"test", "validation"}:
        missing["measured"] = own.changed.get("validation", f"{own.dataset} has no test pictures")
    if "train" in own.changed:
        missing["train"] = own.changed.get("test", own.changed["train"])  # one sentence for both
    return own


def _comparable(train_set: ImageSet | None, measured: ImageSet) -> ImageSet | None:
    """Return the training pictures where there are any of the size of those measured on."""
    return train_set if train_set is not None and train_set.shape == measured.shape else None


def _with_measurement(
    contents: Contents, model: Model, image_set: ImageSet, sheet: Sheet, progress: Progress | None
) -> Contents:
    told = partial(progress, "asking the model") if progress else None
    if not model.classifies:
        part = reconstruction_part(contents.run, contents.split, model, image_set, contents.learned, told)
        return replace(contents, reconstruction=part)
    run, split, tta = contents.run, contents.split, contents.recipe.evaluation.tta
    answered = load_answered(run.answers_file(split), model, image_set, tta)
    try:
        result = (
            evaluate_known(model, image_set, contents.learned, split=split, tta=tta, progress=told)
            if answered is None
            else evaluate_answered(model, image_set, answered, split=split)
        )
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


def _found(
    run: Run, split: SplitName, measured: ImageSet, missing: dict[str, str], *, surely: bool
) -> Inspection | None:
    """Return what was found earlier among the same pictures; what cannot be used is noted.

    Args:
        run: a finished run.
        split: which of its pictures.
        measured: these.
        missing: takes the note.
        surely: whether that they are the same must be known, which it is not of what an earlier version has found.
    """
    try:
        inspected = read_inspection(run.inspection_file, split)
    except InputError as error:
        missing["inspected"] = str(error)
        return None
    if inspected is None:
        return Inspection()
    unknown = not inspected.fingerprint and not surely
    # The name first: the other takes all the pictures.
    if inspected.dataset != measured.name or not (unknown or inspected.fingerprint == measured.fingerprint()):
        missing["inspected"] = (
            f"{run.inspection_file} tells of other pictures ({inspected.dataset}, {inspected.split}); "
            f"look again with: {deep_look(run)}"
        )
        return None
    return inspected.found


def _check_deep(run: Run, model: Model) -> None:
    """Refuse a model that nothing can look closer at, and a cleanlab that will be needed and cannot be."""
    check_classifies(model, run)
    with suppress(InputError):  # not whole: all is looked for again
        known = (read_inspection(run.inspection_file, split) for split in ("test", "validation"))
        if any(each is not None and each.found.label_errors is not None for each in known):
            return
    check_findable()


def _completed(
    found: Inspection | None, asked: Asked, learned: ImageSet | None, progress: Progress | None
) -> Inspection:
    """Look closer for what was not looked for, or cannot be used, and return all of it."""
    found = found or Inspection()
    lacking = _lacking(found, learned)
    if not lacking:
        return found
    looks: dict[str, Any] = dict.fromkeys(lacking, True)
    return found.joined(look_closer(asked, progress=progress, **looks))


def _lacking(found: Inspection, learned: ImageSet | None) -> tuple[str, ...]:
    """Return what can still be looked for; near-duplicates only where there are training pictures, and among them."""
    between = any(name.startswith("between") for name in found.duplicates or ())
    lacks = {name: name in found.unlooked for name in Inspection().unlooked}
    lacks["duplicates"] = learned is not None and not between
    return tuple(name for name, lacking in lacks.items() if lacking and name not in found.impossible)


def _with_findings(
    contents: Contents, found: Inspection | None, asked: ImageSet, learned: ImageSet | None, sheet: Sheet
) -> Contents:
    """Add what a closer look has found; what cannot be used is noted."""
    if contents.answers is None or found is None:
        return contents
    try:
        contents = _shown(contents, contents.answers, found, asked, learned, sheet)
    except IndexError:
        file = contents.run.inspection_file
        contents.missing["inspected"] = (
            f"{file} names pictures that there are not; remove it, and look again with: {deep_look(contents.run)}"
        )
        return contents
    return replace(contents, unmeasured=_lacking(found, learned))


def _shown(
    contents: Contents,
    answers: AnswersPart,
    found: Inspection,
    asked: ImageSet,
    learned: ImageSet | None,
    sheet: Sheet,
) -> Contents:
    pairs = None
    if found.duplicates is not None:
        sets = {f"within {asked.name}": (asked, False)}
        if learned is not None:
            sets = {f"between {asked.name} and {learned.name}": (learned, True), **sets}
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
