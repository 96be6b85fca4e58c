"""The runs of a recipe: those that are there already, gone on with, or trained now. Nothing is begun anew silently."""

import re
from collections.abc import Iterator
from pathlib import Path

from retinula import experiment
from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.recipe.targets import anchored
from retinula.reproduction.begun_from import settled_from_runs
from retinula.runs.run import Run, list_runs
from retinula.training.reporting import Reporter
from retinula.transfer import NEWEST_OF, begin_from


def runs_for(recipe: Recipe, seeds: int, *, root: Path, reporter: Reporter) -> list[Run]:
    """Return a finished run of the recipe for each of so many seeds, counted up from the recipe's own.

    A finished run of the same digest is used again, an unfinished one goes on, and only where there is neither is
    one trained.

    Args:
        recipe: the experiment. One that begins from the run of a shipped recipe takes a run as shipped.
        seeds: how many, at least 1.
        root: the folder of the runs.
        reporter: told which of the three it is, and how training goes.

    Raises:
        InputError: too few or too many seeds; or a run of the same digest that cannot go on or whose report cannot
            be read; the reason is in the message.
    """
    if seeds < 1:
        raise InputError(f"a reproduction needs at least one seed, not {seeds}")
    if recipe.seed + seeds > 2**32:
        raise InputError(f"{seeds} seeds from {recipe.seed} on go beyond {2**32 - 1}: begin with a smaller seed")
    wanted = range(recipe.seed, recipe.seed + seeds)
    settled = _settled(anchored(recipe), wanted, root, reporter)
    return [_run_for(settled.changed(seed=seed), root, reporter) for seed in wanted]


def readable_runs(root: Path, reporter: Reporter) -> Iterator[tuple[Run, Recipe]]:
    """Give every run under `root` with its recipe, the one begun last at the end; broken ones are told and left out."""
    for run in list_runs(root, lambda closed: reporter.message(f"left out {closed}")):
        try:
            recipe = run.recipe()
            if run.finished:
                run.report()
        except InputError as error:
            reporter.message(f"left out {run.path}: {error}")
        else:
            yield run, recipe


def _settled(recipe: Recipe, seeds: range, root: Path, reporter: Reporter) -> Recipe:
    """Write into a recipe what the model gives that it begins from; that one is trained first where there is none."""
    weights = recipe.model.weights
    if weights is None:
        return recipe
    if not weights.startswith(NEWEST_OF):
        return begin_from(recipe, root, reporter.message)[0]
    settled = settled_from_runs(recipe, seeds, list(readable_runs(root, reporter)), root, reporter)
    if settled is not None:
        return settled
    name = weights.removeprefix(NEWEST_OF)
    reporter.message(f"{recipe.name} begins from {name}, which comes first")
    (first,) = runs_for(load_recipe(name), 1, root=root, reporter=reporter)
    return begin_from(recipe.changed(model={"weights": str(first.model_file)}), root)[0]


def _run_for(recipe: Recipe, root: Path, reporter: Reporter) -> Run:
    same = _runs_of(recipe, root, reporter)
    for run in reversed(same):
        if run.finished:
            try:
                ended = run.ended_early()
            except InputError as error:
                raise InputError(f"{error}; to train this seed anew, move {run.path} away") from error
            reporter.message(
                f"seed {recipe.seed}: {run.path} is finished"
                + (ended and f", {ended}; move it away to train a whole one")
            )
            return run
    if same:
        reporter.message(f"seed {recipe.seed}: going on with {same[-1].path}")
        experiment.resume(same[-1].path, reporter=reporter, root=root)
        return same[-1]
    wanted = _name_for(recipe)
    name: str | None = wanted
    if (root / wanted).exists():
        reporter.message(f"{root / wanted} has other settings and stays as it is; this training gets another name")
        name = None
    reporter.message(f"seed {recipe.seed}: training {name or recipe.name}")
    model = experiment.train(recipe, run=name, reporter=reporter, root=root)
    return Run(root / model.provenance["run"])


def _name_for(recipe: Recipe) -> str:
    return f"{recipe.name}-seed{recipe.seed}"


def _runs_of(recipe: Recipe, root: Path, reporter: Reporter) -> list[Run]:
    """Return the runs of a recipe, whatever their reports are like, the newest at the end.

    Raises:
        InputError: one that may well be among them has a recipe that cannot be read, or another than it began with.
    """
    found = []
    wanted = recipe.digest()
    for run in list_runs(root):
        recorded = _recorded_digest(run)
        try:
            digest = run.recipe().digest()
        except InputError as error:
            if recorded == wanted or (recorded is None and _is_named_after(run, recipe)):
                raise InputError(f"{error}; mend it, or move {run.path} away to train this seed anew") from error
            reporter.message(f"left out {run.path}: {error}")
            continue
        if recorded == wanted != digest:
            raise InputError(
                f"{run.recipe_file} is not the recipe that this run was begun with; mend it, or move {run.path} away "
                "to train this seed anew"
            )
        if digest == wanted:
            found.append(run)
    of_that_name = Run(root / _name_for(recipe))
    if of_that_name.path.exists() and not of_that_name.recipe_file.is_file():
        raise InputError(
            f"{of_that_name.path} has no {of_that_name.recipe_file.name} to tell what it is; "
            "move it away to train this seed anew"
        )
    return found


def _recorded_digest(run: Run) -> str | None:
    """Return the digest of the recipe that a run was begun with, as its report or environment has it."""
    for read in (run.report, run.environment):
        try:
            digest = read().get("digest")
        except InputError:  # not finished, or as damaged
            continue
        if isinstance(digest, str):
            return digest
    return None


def _is_named_after(run: Run, recipe: Recipe) -> bool:
    """Tell whether a run is called as this one would be, or as one without a name of its own."""
    return run.name == _name_for(recipe) or bool(re.fullmatch(rf"{re.escape(recipe.name)}-\d+", run.name))
