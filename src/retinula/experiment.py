"""A whole experiment in one call: get the data, set pictures apart, train, draw, report.

Brings the rooms together for the command line and for Python; knows nothing of the terminal.
"""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from retinula.datasets.catalog import CATALOG
from retinula.datasets.load import load
from retinula.datasets.reading import Dataset, Progress, Skipped, SplitName, pictures_of
from retinula.durable import write_json
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.trust import made_trustworthy
from retinula.images import ImageSet
from retinula.linear_code import linear_code_psnr
from retinula.model_file import Averaging, Model
from retinula.models.catalog import network_named
from retinula.outcome import describe_data, training_report
from retinula.plots.evaluation import draw_evaluation
from retinula.plots.training import draw_training
from retinula.recipe import Recipe
from retinula.recipe_files import checked, load_recipe, override, shipped
from retinula.run import RUNS, Run, WrittenElsewhere, create_run, describe_environment, evaluation_key, find_run
from retinula.training import loop, processes
from retinula.training.hardware import describe_machine, keep_memory
from retinula.training.interruption import stop_requests
from retinula.training.reporting import Reporter
from retinula.training.tracking import check_trackers
from retinula.transfer import Source, begin_from
from retinula.transforms.batches import seed_for

DEFAULT = "default"  # the recipe for whatever is no recipe itself: a data set, a folder, an archive


class Sets(NamedTuple):
    """The pictures of an experiment, apart from those to measure on; and what could not be read."""

    train: ImageSet
    validation: ImageSet | None
    skipped: tuple[Skipped, ...]

    def described(self) -> dict[str, Any]:
        """Say which they are, as reports do."""
        return describe_data(self.train, self.validation, len(self.skipped))


def find_recipe(target: str, overrides: Iterable[str] = ()) -> Recipe:
    """Return the recipe for a recipe's name or file, a data set's name, or a folder or archive of pictures.

    Raises:
        InputError: nothing of that name, or an override that does not fit.
    """
    if target in shipped() or target.endswith(".toml"):
        return load_recipe(target, overrides)
    if target not in CATALOG and not Path(target).exists():
        known = {*shipped(), *CATALOG}
        raise InputError(
            f"{target!r} is no recipe, no data set and no folder here; known by name: {', '.join(sorted(known))}"
        )
    base = load_recipe(DEFAULT).model_dump(mode="json", exclude_unset=True)
    stem = Path(target).resolve().name.split(".")[0]
    letters = (letter if letter.isalpha() or letter.isdecimal() or letter == "_" else "-" for letter in stem[:80])
    base["name"] = "".join(letters).strip("-") or "run"
    base.setdefault("data", {})["name"] = target if target in CATALOG else str(Path(target).resolve())
    return checked(override(base, overrides), f"the default recipe for {target}")


def anchored(recipe: Recipe) -> Recipe:
    """Write a relative path to the data in full, as every run's recipe has it, so that it can go on from any folder."""
    names = [recipe.data.name, *recipe.data.more]
    name, *more = (name if name in CATALOG or not Path(name).exists() else str(Path(name).resolve()) for name in names)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"name": name, "more": tuple(more)})})


def load_dataset(recipe: Recipe, progress: Progress | None = None) -> Dataset:
    """Load the recipe's pictures, all splits of them, in the form and with the classes that it asks for.

    Args:
        recipe: names the data set.
        progress: told how far a download or the preparation is.
    """
    inputs = recipe.inputs
    dataset = load(
        recipe.data.name,
        size=inputs.size,
        channels=inputs.channels,
        resize=inputs.resize,
        resample=inputs.resample,
        labels=recipe.data.labels,
        fold=recipe.data.fold,
        more=recipe.data.more,
        progress=progress,
    )
    if not recipe.data.classes:
        return dataset
    splits = {split: image_set.subset(recipe.data.classes) for split, image_set in dataset.splits.items()}
    return Dataset(dataset.name, splits, dataset.skipped)


def training_sets(recipe: Recipe, dataset: Dataset) -> Sets:
    """Set the validation pictures apart from those to train on. The test pictures are not even looked at.

    Raises:
        InputError: there is nothing to train on, or nothing would be left.
    """
    train_set = dataset.train
    if train_set is None:
        raise InputError(f"{dataset.name} has no pictures to train on")
    share = recipe.data.validation
    if not share:
        return Sets(train_set, None, dataset.skipped)
    if dataset.validation is not None and len(dataset.validation):
        return Sets(train_set, dataset.validation, dataset.skipped)
    if recipe.data.validation_part == "last":
        border = len(train_set) - round(len(train_set) * share)
        rest, apart = train_set.take(np.arange(border)), train_set.take(np.arange(border, len(train_set)))
    else:
        rest, apart = train_set.split(share, seed_for(recipe.seed, "validation") % 2**32)
    if not len(rest) or not len(apart):
        raise InputError(
            f"{train_set.name}: {len(train_set)} pictures are too few to set {share:.0%} apart; "
            "add pictures, or train with validation=0"
        )
    return Sets(rest, apart, dataset.skipped)


def train(
    recipe: Recipe | str,
    train_set: ImageSet | None = None,
    validation_set: ImageSet | None = None,
    run: Run | str | None = None,
    *,
    overrides: Iterable[str] = (),
    reporter: Reporter | None = None,
    root: Path = RUNS,
    checkpoint_seconds: float = loop.CHECKPOINT_SECONDS,
) -> Model:
    """Train a recipe and leave a finished run: logs, model file, figures, report.

    There is no parameter for test pictures: nothing can be selected on them.

    Args:
        recipe: a recipe, its name or file, or the name of a data set or folder.
        train_set: pictures to train on; the recipe's own, split as it says, where None.
        validation_set: pictures to choose by; only together with `train_set`.
        run: an unfinished run to go on with, a name for a new one, or None for a name made from the recipe's.
        overrides: `key=value` settings for a recipe given by name.
        reporter: told what happens.
        root: the folder of the runs.
        checkpoint_seconds: the longest time between two checkpoints.

    Raises:
        RetinulaError: with one line that says what failed and what to do.
    """
    with processes.joined():
        told = reporter if reporter is not None and processes.is_first() else Reporter()
        settled, source = processes.by_first(lambda: _settled(recipe, overrides, run, root, train_set is not None))
        sets = processes.by_each(lambda: _sets(settled, train_set, validation_set, told))
        begun = processes.by_first(lambda: _begun(run, settled, sets.described(), root))
        if not processes.is_first():
            return _help_in(begun, settled, sets, source, checkpoint_seconds)
        try:
            return _train_in(begun, settled, sets, source, told, checkpoint_seconds)
        except InputError:
            if not isinstance(run, Run) and not begun.checkpoints.exists():  # refused: nothing to keep
                shutil.rmtree(begun.path, ignore_errors=True)
            raise


def resume(
    name: str | Path,
    *,
    reporter: Reporter | None = None,
    root: Path = RUNS,
    checkpoint_seconds: float = loop.CHECKPOINT_SECONDS,
) -> Model:
    """Go on with a training that was interrupted, so that its result is the one it would have had.

    Raises:
        InputError: no such run, a finished one, or data that have changed.
    """

    def unfinished() -> tuple[Run, Recipe]:
        run = find_run(name, root)
        if run.finished:
            raise InputError(f"{run.path} is finished; train anew with: retinula train {run.recipe_file}")
        return run, run.recipe()

    with processes.joined():
        run, recipe = processes.by_first(unfinished)
        return train(recipe, run=run, reporter=reporter, checkpoint_seconds=checkpoint_seconds)


def evaluate_run(
    run: Run,
    *,
    data: str | None = None,
    split: SplitName = "test",
    tta: Averaging | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a finished run's model, draw the figures, and add the result to its report.

    Args:
        run: a finished run.
        data: another data set with the same classes; the run's own where None.
        split: which pictures; `validation` are the very ones set apart while training.
        tta: averaging at test time; as the recipe says where None.
        folder: where report and figures go; where None into the run, of other pictures than its own into a folder of
            theirs in it.
        progress: told how far loading and measuring are.
    """
    run.report()  # refuses an unfinished run before the work
    if folder is not None and (folder / run.recipe_file.name).exists():
        raise InputError(f"{folder} is the folder of a run, whose report would be lost; name another one")
    recipe = run.recipe()
    model = Model.load(run.path)
    image_set = other_pictures(data, model, split, progress) if data else own_pictures(run, split, progress)
    told = partial(progress, "evaluating") if progress else None
    result = evaluate(model, image_set, split=split, tta=tta or recipe.evaluation.tta, progress=told)
    if data is None and isinstance(result, ReconstructionResult) and result.code_numbers and not model.preprocess.crop:
        linear = linear_code_psnr(own_pictures(run, "train"), image_set, result.code_numbers)
        result = replace(result, linear_psnr=linear)
    known = CATALOG.get(result.dataset)
    if known is not None and isinstance(result, ClassificationResult):
        result = replace(result, conditions=known.conditions)
    place = folder or run.measured_in(data)
    draw_evaluation(result, image_set, place / "figures")
    if folder is None:
        report = run.report()  # read late: another measurement may have been added meanwhile
        measured = result.dataset if data is None else place.name  # others may be called as its own are
        key = evaluation_key(measured, split, result.tta)
        report.setdefault("evaluations", {})[key] = result.to_dict()
        write_json(run.report_file, report)
    if place != run.path:
        write_json(place / "report.json", result.to_dict())
    return result


def own_pictures(run: Run, split: SplitName, progress: Progress | None = None) -> ImageSet:
    """Return the very pictures that a run's training used or kept away from, by split.

    Raises:
        InputError: there are none of that split; or the training pictures are no longer those it was trained on, so
            that nobody can say which pictures the model has not seen.
    """
    return pictures_of(own_splits(run, progress), split, run.recipe().data.name)


def own_splits(run: Run, progress: Progress | None = None) -> Mapping[SplitName, ImageSet]:
    """Return the very pictures that a run's training used or kept away from, those splits of them that there are.

    Raises:
        InputError: the training pictures are no longer those it was trained on.
    """
    recipe = run.recipe()
    dataset = load_dataset(recipe, progress)
    sets = training_sets(recipe, dataset)
    _check_same_pictures(run, sets.described(), "measure on pictures of your choice with --data")
    splits: dict[SplitName, ImageSet | None] = {"train": sets.train, "validation": sets.validation}
    splits["test"] = dataset.test
    return {split: image_set for split, image_set in splits.items() if image_set is not None and len(image_set)}


def other_pictures(data: str, model: Model, split: SplitName, progress: Progress | None = None) -> ImageSet:
    """Return pictures of another data set, brought to the form that a model takes.

    Raises:
        InputError: there are none of that split.
    """
    form = model.preprocess
    dataset = load(
        data, size=form.size, channels=form.channels, resize=form.resize, resample=form.resample, progress=progress
    )
    if split not in dataset.splits:
        raise InputError(f"{data} has no {split} pictures; it has {', '.join(dataset.splits)}")
    return dataset.splits[split]


def _settled(
    recipe: Recipe | str, overrides: Iterable[str], run: Run | str | None, root: Path, pictures_given: bool
) -> tuple[Recipe, Source | None]:
    """Return a recipe as it is to run, and the model that it begins from, where it names one."""
    if isinstance(recipe, str):
        recipe = find_recipe(recipe, overrides)
    elif overrides:
        given = recipe.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        recipe = checked(override(given, overrides), recipe.name)
    source = None
    if recipe.model.weights is not None and not _has_begun(run, recipe):
        recipe, source = begin_from(recipe, root)
    check_trackers(recipe)
    network_named(recipe.model.name)  # refuses an unknown one before pictures are fetched
    return recipe if pictures_given else anchored(recipe), source


def _sets(recipe: Recipe, train_set: ImageSet | None, validation_set: ImageSet | None, reporter: Reporter) -> Sets:
    if train_set is not None:
        return Sets(train_set, validation_set, ())
    if validation_set is not None:
        raise InputError("pictures to choose by need pictures to train on: give train_set as well")
    return training_sets(recipe, load_dataset(recipe, reporter.loading))


def _begun(run: Run | str | None, recipe: Recipe, data: dict[str, Any], root: Path) -> Run:
    """Return the run to go on with, or begin one."""
    if isinstance(run, Run):
        _check_goes_on(run, recipe, data)
    else:
        run = create_run(recipe, describe_environment(data, describe_machine(), datetime.now(UTC)), run, root)
    processes.tell_launcher(run.path)
    return run


def _help_in(run: Run, recipe: Recipe, sets: Sets, source: Source | None, checkpoint_seconds: float) -> Model:
    """Take part in a training that the first of several processes writes down and speaks of."""
    keep_memory()
    try:
        with stop_requests() as stop_requested:
            return loop.train(
                recipe,
                sets.train,
                sets.validation,
                WrittenElsewhere(run.path),
                source=source,
                stop_requested=lambda: stop_requested() or processes.abandoned(),
                checkpoint_seconds=checkpoint_seconds,
            )
    except RetinulaError as error:  # the first process meets the same one
        raise processes.Elsewhere(error.exit_code) from error


def _train_in(
    run: Run, recipe: Recipe, sets: Sets, source: Source | None, reporter: Reporter, checkpoint_seconds: float
) -> Model:
    started = datetime.now(UTC)
    try:
        with ExitStack() as stack:
            stack.enter_context(run.lock())
            if run.finished:  # perhaps by another process, which held the lock until now
                raise InputError(f"{run.path} is finished; begin a new run")
            stop_requested = stack.enter_context(stop_requests())
            for skipped in sets.skipped:
                run.note(f"left out: {skipped.source}: {skipped.reason}")
            if keep_memory():
                run.note("the C library was told to keep freed memory")
            with processes.noticing():
                model = loop.train(
                    recipe,
                    sets.train,
                    sets.validation,
                    run,
                    source=source,
                    reporter=reporter,
                    stop_requested=lambda: stop_requested() or processes.abandoned(),
                    checkpoint_seconds=checkpoint_seconds,
                )
            model = made_trustworthy(model, sets.train, sets.validation, run.note, reporter.message)
            model.save(run.model_file)
            draw_training(run.metrics(), run.steps(), run.figures, ranges=recipe.figures.ranges)
            write_json(run.report_file, training_report(run, recipe, sets.described(), model, started))
            shutil.rmtree(run.checkpoints, ignore_errors=True)
    except (Interrupted, processes.Lost) as stop:
        raise type(stop)(f"{stop}; go on with: retinula train --resume {run.path}") from stop
    return model


def _has_begun(run: Run | str | None, recipe: Recipe) -> bool:
    """Tell whether a checkpoint has what the recipe's model to begin from gave, so that its file is needed no more."""
    settled = recipe.model.weights_sha256 is not None
    return settled and isinstance(run, Run) and any(run.checkpoints.glob("step-*"))


def _check_goes_on(run: Run, recipe: Recipe, data: dict[str, Any]) -> None:
    if run.recipe().digest() != recipe.digest():
        raise InputError(f"{run.path} belongs to another recipe; begin a new run for this one")
    _check_same_pictures(run, data, "begin a new run")


def _check_same_pictures(run: Run, data: dict[str, Any], remedy: str) -> None:
    before = run.environment().get("data", {})
    for key, what in (("fingerprint", "training"), ("validation_fingerprint", "validation")):
        if before.get(key) != data[key]:
            raise InputError(f"{run.path}: the {what} pictures have changed since it began; {remedy}")
