"""A model, of a finished run or a file alone, beside the pictures that it is asked about: loaded once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retinula.datasets.reading import Progress, SplitName
from retinula.errors import InputError
from retinula.evaluation.recognised import Learned
from retinula.evaluation.run_data import (
    OTHERS,
    OwnPictures,
    find_own,
    learned_of,
    other_pictures,
    pictures_to_measure,
)
from retinula.files.durable import check_folder
from retinula.images import ImageSet
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run
from retinula.trained.model_file import Model


@dataclass(frozen=True, eq=False)
class Asked:
    """What is measured, or looked at closer.

    Attributes:
        run: a finished run; None of a model file alone.
        recipe: that it was trained by, if there is a run.
        model: that came of it.
        images: the pictures.
        split: which part of their data set they are.
        learned: what the model has learned of them.
        own: all of the run's own pictures; None where it is asked about another data set.
        of_run: whether what is found belongs in the run, not in a folder of somebody's choice.
        place: the folder where what is found and its figures go; None where nothing is written.
    """

    run: Run | None
    recipe: Recipe | None
    model: Model
    images: ImageSet
    split: SplitName
    learned: Learned
    own: OwnPictures | None
    of_run: bool
    place: Path | None


def ask(
    run: Run,
    *,
    data: str | None = None,
    split: SplitName = "test",
    folder: Path | None = None,
    remedy: str = OTHERS,
    progress: Progress | None = None,
    remark: Callable[[str], None] | None = None,
) -> Asked:
    """Load a finished run's model and the pictures that it is to be asked about.

    Args:
        run: a finished run.
        data: another data set with the same classes; the run's own where None.
        split: which pictures; `validation` are the very ones set apart while training.
        folder: where what is found and its figures go; where None into the run, of other pictures than its own into a
            folder of theirs in it.
        remedy: what to do where the run's own pictures have changed, the end of the message.
        progress: told how far loading is.
        remark: told where others of the run's own pictures have changed, but not these, where what it kept of the
            pictures that it learned cannot be read, and where only some of other pictures are of that split.

    Raises:
        InputError: the run is not finished or damaged, the folder is a run's, or there are no such pictures.
        RetinulaError: the folder cannot be written to.
    """
    run.report()  # refuses an unfinished or damaged run before the work
    place = folder or run.measured_in(data)
    _check_place(place, named=folder is not None)
    recipe = run.recipe()
    model = Model.load(run.path)
    if data:
        own, images = None, other_pictures(data, model, split, progress, remark)
    else:
        own = find_own(run, progress, remark)
        images = pictures_to_measure(own, split, remedy, remark)
    learned = learned_of(run, model, images, split, own, remark)
    return Asked(run, recipe, model, images, split, learned, own, of_run=folder is None, place=place)


def ask_file(
    model: Model,
    *,
    data: str,
    split: SplitName = "test",
    folder: Path | None = None,
    progress: Progress | None = None,
    remark: Callable[[str], None] | None = None,
) -> Asked:
    """Load the pictures that a model without a run is to be asked about.

    Args:
        model: what is asked.
        data: a data set with its classes.
        split: which pictures.
        folder: where what is found and its figures go; nothing is written where None.
        progress: told how far loading is.
        remark: told where only some of the pictures are of that split.

    Raises:
        InputError: there are no such pictures, or the folder is a run's.
        RetinulaError: the folder cannot be written to.
    """
    if folder is not None:
        _check_place(folder, named=True)
    images = other_pictures(data, model, split, progress, remark)
    learned = learned_of(None, model, images, split)
    return Asked(None, None, model, images, split, learned, None, of_run=False, place=folder)


def _check_place(place: Path, *, named: bool) -> None:
    if named and Run(place).recipe_file.exists():
        raise InputError(f"{place} is the folder of a run, whose report would be lost; name another one")
    check_folder(place)
