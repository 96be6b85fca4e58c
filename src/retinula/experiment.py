"""A whole experiment in one call: get the data, set pictures apart, train, draw, report.

Brings the rooms together for the command line and for Python; knows nothing of the terminal.
"""

import shlex
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retinula.datasets.not_classes import doubted_classes
from retinula.datasets.reading import Dataset, lost_classes
from retinula.errors import InputError, Interrupted, RetinulaError, refused_by_system
from retinula.evaluation.learned import Learning, begin_learning
from retinula.evaluation.run_data import (
    Sets,
    check_same_pictures,
    learned_of_validation,
    load_dataset,
    training_sets,
)
from retinula.evaluation.trust import made_trustworthy
from retinula.files.durable import write_json
from retinula.images import ImageSet, kind_of
from retinula.models.catalog import network_named
from retinula.pictures.equal import digests_of
from retinula.plots.training import draw_training
from retinula.recipe.assignment import assignments
from retinula.recipe.files import assigned_keys
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.targets import anchored
from retinula.runs.elsewhere import WrittenElsewhere
from retinula.runs.going_on import going_on, going_on_or_not, more_epochs
from retinula.runs.run import RUNS, Run, create_run, find_run
from retinula.text.names import printable
from retinula.trained.model_file import Model
from retinula.training import loop, processes
from retinula.training.hardware import describe_machine, keep_memory
from retinula.training.interruption import stop_requests
from retinula.training.lines import telling
from retinula.training.loss_words import only_in_training
from retinula.training.outcome import training_report
from retinula.training.plan import check_sets
from retinula.training.reporting import Reporter
from retinula.training.surroundings import describe_environment, describe_session, write_down
from retinula.training.tracking import check_trackers
from retinula.training.unused import said_in_vain
from retinula.transfer import Source, begin_from


def train(
    recipe: Recipe | str | Path,
    train_set: ImageSet | None = None,
    validation_set: ImageSet | None = None,
    run: Run | str | None = None,
    *,
    settings: Iterable[str] | Mapping[str, Any] = (),
    reporter: Reporter | None = None,
    progress: bool = True,
    root: str | Path = RUNS,
    checkpoint_seconds: float = loop.CHECKPOINT_SECONDS,
) -> Model:
    """Train a recipe and leave a finished run: logs, model file, figures, report.

    There is no parameter for test pictures: nothing can be selected on them.

    Args:
        recipe: a recipe, its name or file, or the name of a data set or folder; a `Path` is always a file or folder.
        train_set: pictures to train on, all of them; the recipe's own, split as it says, where None.
        validation_set: pictures to choose by; only together with `train_set`, of which nothing is set apart.
        run: an unfinished run to go on with, a name for a new one, or None for a name made from the recipe's.
        settings: those that replace the recipe's, such as `["epochs=1"]` or `{"epochs": 1}`.
        reporter: told what happens, instead of lines on standard error.
        progress: whether to print these where there is no reporter.
        root: the folder of the runs.
        checkpoint_seconds: the longest time between two checkpoints.

    Raises:
        RetinulaError: with one line that says what failed and what to do.
    """
    if not isinstance(run, Run | str | None):
        raise InputError(f"run must be a name, or a Run to go on with, not {kind_of(run)}")
    with processes.joined(), telling(reporter, progress=progress) as told:
        given, runs = assignments(settings), Path(root)
        return _trained(recipe, train_set, validation_set, run, given, told, runs, checkpoint_seconds)


def resume(
    name: str | Path,
    *,
    reporter: Reporter | None = None,
    progress: bool = True,
    root: str | Path = RUNS,
    checkpoint_seconds: float = loop.CHECKPOINT_SECONDS,
) -> Model:
    """Go on with a training that was interrupted, so that its result is the one it would have had.

    Args:
        name: of the run, or its folder.
        reporter: as of `train`.
        progress: as of `train`.
        root: the folder of the runs.
        checkpoint_seconds: the longest time between two checkpoints.

    Raises:
        InputError: no such run, a finished one, or data that have changed.
    """

    def found(told: Reporter) -> Run:
        run = _unfinished(name, Path(root), told)
        if not run.can_go_on and not run.steps():
            told.message(f"{run.path} has no checkpoint yet: it begins anew")
        return run

    with processes.joined(), telling(reporter, progress=progress) as told:
        run, recipe = processes.by_first(lambda: _with_recipe(found(told)))
        return train(recipe, run=run, reporter=told, checkpoint_seconds=checkpoint_seconds)


def finish(
    name: str | Path,
    train_set: ImageSet | None = None,
    validation_set: ImageSet | None = None,
    *,
    reporter: Reporter | None = None,
    progress: bool = True,
    root: str | Path = RUNS,
) -> Model:
    """End a training that was interrupted where it is: a finished run of what it has learned so far.

    Its report and model file say after how many steps of how many; it goes on no more.

    Args:
        name: of the run, or its folder.
        train_set: those that the run was begun with, where pictures were given.
        validation_set: likewise.
        reporter: as of `train`.
        progress: as of `train`.
        root: the folder of the runs.

    Raises:
        InputError: no such run, a finished one, one that has learned nothing yet, or data that have changed.
    """
    with processes.joined(), telling(reporter, progress=progress) as told:
        run, recipe = processes.by_first(lambda: _with_recipe(_unfinished(name, Path(root), told)))
        sets = train_set, validation_set
        return _trained(recipe, *sets, run, (), told, Path(root), loop.CHECKPOINT_SECONDS, end_here=True)


def _unfinished(name: str | Path, root: Path, reporter: Reporter) -> Run:
    run = find_run(name, root, reporter.message)
    if run.finished:
        anew = f"train anew with: retinula train {shlex.quote(str(run.recipe_file))}"
        raise InputError("; ".join(filter(None, (f"{run.path} is finished", anew, more_epochs(run)))))
    return run


def _with_recipe(run: Run) -> tuple[Run, Recipe]:
    return run, run.recipe()


def _trained(
    recipe: Recipe | str | Path,
    train_set: ImageSet | None,
    validation_set: ImageSet | None,
    run: Run | str | None,
    given: Collection[str],
    reporter: Reporter,
    runs: Path,
    checkpoint_seconds: float,
    *,
    end_here: bool = False,
) -> Model:
    """Begin a training or go on with one, in one process or each of several; `end_here` as of `loop.train`."""
    _check_pictures("train_set", train_set)
    _check_pictures("validation_set", validation_set)
    told = reporter if processes.is_first() else Reporter()
    settled, source = processes.by_first(lambda: _settled(recipe, given, run, runs, train_set is not None, told))
    sets = processes.by_each(lambda: _sets(settled, given, train_set, validation_set, told, isinstance(run, Run)))
    processes.by_each(lambda: check_sets(settled, sets.train, sets.validation))
    begun = processes.by_first(lambda: _begun(run, settled, sets.described(), runs))
    if not processes.is_first():
        return _help_in(begun, settled, sets, source, checkpoint_seconds, end_here)
    try:
        told_once = [*said_in_vain(settled, given), *_other_than_shipped(source), *_doubts(settled, sets)]
        lines = [] if isinstance(run, Run) else told_once
        learning = None if begun.learned_file.exists() else begin_learning(settled, source, sets.train)
        for line in [*lines, *_flattering(learning, sets)]:
            begun.note(line)
            told.message(line)
        if learning is not None:
            learning.whole.write(begun)  # last, since what is kept is told no more
        return _train_in(begun, settled, sets, source, told, checkpoint_seconds, end_here)
    except InputError as error:
        begins = not isinstance(run, Run) and not begun.checkpoints.exists()
        if begins and not refused_by_system(error):  # settings that do not fit: nothing to keep
            shutil.rmtree(begun.path, ignore_errors=True)
        raise


def _check_pictures(parameter: str, given: object) -> None:
    """See that pictures are an image set, or not given.

    Raises:
        InputError: they are something else; says what to give.
    """
    if isinstance(given, ImageSet | None):
        return
    if isinstance(given, Dataset):
        remedy = "give one of its splits, dataset.train or dataset.validation"
    else:
        remedy = "retinula.load reads them from a name, folder or file"
    raise InputError(f"{parameter} must be an ImageSet, not a {type(given).__name__}: {remedy}")


def _settled(
    recipe: Recipe | str | Path,
    settings: Collection[str],
    run: Run | str | None,
    root: Path,
    pictures_given: bool,
    reporter: Reporter,
) -> tuple[Recipe, Source | None]:
    """Return a recipe as it is to run, and the model that it begins from, where it names one."""
    recipe = with_settings(recipe, settings)
    if isinstance(run, Run) and not pictures_given and run.environment()["data"].get("given"):
        raise InputError(f"{run.path}: its pictures were given from Python: {going_on(run, given=True)}")
    source = None
    if recipe.model.weights is not None and not _has_begun(run, recipe):
        recipe, source = begin_from(recipe, root, reporter.message)
    check_trackers(recipe)
    network_named(recipe.model.name)  # refuses an unknown one before pictures are fetched
    return recipe if pictures_given else anchored(recipe), source


def _sets(
    recipe: Recipe,
    settings: Collection[str],
    train_set: ImageSet | None,
    validation_set: ImageSet | None,
    reporter: Reporter,
    goes_on: bool,
) -> Sets:
    if train_set is not None:
        if validation_set is None and recipe.data.validation and "data.validation" in assigned_keys(settings):
            share = recipe.data.validation
            raise InputError(
                f"data.validation={share:g} sets nothing apart from pictures that are given: split them with "
                f"train_set.split({share:g}, seed=0), and give the second part as validation_set"
            )
        return Sets(train_set, validation_set, (), given=True)
    if validation_set is not None:
        raise InputError("pictures to choose by need pictures to train on: give train_set as well")
    dataset = load_dataset(recipe, reporter.loading, reporter.message, reporter.message if goes_on else None)
    sets = training_sets(recipe, dataset)
    if dataset.test is None:
        return sets
    kept = digests_of(dataset.test.images) if processes.is_first() else None
    return sets._replace(test_fingerprint=dataset.test.fingerprint(), test_digests=kept)


def _flattering(learning: Learning | None, sets: Sets) -> list[str]:
    """Say what a run's learning means for the pictures kept apart; nothing once that is done."""
    if learning is None:
        return []
    return learning.told(None if sets.validation is None else digests_of(sets.validation.images), sets.test_digests)


def _doubts(recipe: Recipe, sets: Sets) -> list[str]:
    """Say where classes have lost all their pictures, or look like none."""
    return [] if recipe.objective.reconstructs else [*lost_classes(sets.skipped), *doubted_classes(sets.train.classes)]


def _other_than_shipped(source: Source | None) -> list[str]:
    if source is None or not source.changed:
        return []
    return [f"begins from {printable(source.name)}, which is not as shipped: {printable(', '.join(source.changed))}"]


def _begun(run: Run | str | None, recipe: Recipe, data: dict[str, Any], root: Path) -> Run:
    """Return the run to go on with, or begin one."""
    if isinstance(run, Run):
        _check_goes_on(run, recipe, data)
    else:
        run = create_run(recipe, describe_environment(data, describe_machine(), datetime.now(UTC)), run, root)
    processes.tell_launcher(run.path)
    return run


def _help_in(
    run: Run, recipe: Recipe, sets: Sets, source: Source | None, checkpoint_seconds: float, end_here: bool
) -> Model:
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
                end_here=end_here,
            )
    except RetinulaError as error:  # the first process meets the same one
        raise processes.Elsewhere(error.exit_code) from error


def _train_in(
    run: Run,
    recipe: Recipe,
    sets: Sets,
    source: Source | None,
    reporter: Reporter,
    checkpoint_seconds: float,
    end_here: bool,
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
            if changed := write_down(run, describe_session(describe_machine(), started)):
                run.note(changed)
                reporter.message(changed)
            before = run.checkpoint_step()
            earlier = sum(row["seconds"] for row in run.steps() if row["step"] <= before)
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
                    end_here=end_here,
                )
            learned = learned_of_validation(run, sets, reporter.message)
            model = made_trustworthy(model, sets.train, sets.validation, learned, run.note, reporter.message)
            model.save(run.model_file)
            draw_training(
                run.metrics(),
                run.steps(),
                run.figures,
                ranges=recipe.figures.ranges,
                only_in_training=only_in_training(recipe),
            )
            write_json(run.report_file, training_report(run, recipe, sets.described(), model, started, earlier))
            shutil.rmtree(run.checkpoints, ignore_errors=True)
    except (Interrupted, processes.Lost) as stop:
        raise type(stop)(str(stop), remedy=going_on_or_not(run, given=sets.given)) from stop
    except RetinulaError as error:
        refused = refused_by_system(error)  # of all that can fail only a disk can be better the next time
        if refused and not run.path.exists():
            raise RetinulaError(
                f"{run.path} was moved or removed while it was being trained",
                remedy="if moved, go on with: retinula train --resume ITS-NEW-PLACE",
            ) from error
        if not refused or not run.can_go_on:
            raise
        raise RetinulaError(str(error), remedy=going_on(run, given=sets.given)) from error
    return model


def _has_begun(run: Run | str | None, recipe: Recipe) -> bool:
    """Tell whether a checkpoint has what the recipe's model to begin from gave, so that its file is needed no more."""
    settled = recipe.model.weights_sha256 is not None
    return settled and isinstance(run, Run) and run.can_go_on


def _check_goes_on(run: Run, recipe: Recipe, data: dict[str, Any]) -> None:
    if run.recipe().digest() != recipe.digest():
        raise InputError(f"{run.path} belongs to another recipe; begin a new run for this one")
    check_same_pictures(run, data, "begin a new run")
