"""Reproduction: a recipe run for several seeds, measured, and set beside what was published."""

from pathlib import Path

from retinula.errors import InputError
from retinula.evaluation.run_data import load_dataset, training_sets
from retinula.files.durable import write_json, write_text
from retinula.measurement import evaluate_run
from retinula.recipe.recipe import Recipe
from retinula.reproduction.asking import ask_photos, with_photos
from retinula.reproduction.figures import draw_work
from retinula.reproduction.finished import Finished
from retinula.reproduction.further import check_better, goes_further
from retinula.reproduction.outcome import Reproduction
from retinula.reproduction.photos import folders_to_ask
from retinula.reproduction.place import (
    ANSWERS,
    FIGURES,
    PAGE,
    TABLE,
    check_place,
    files_in,
    free_names,
    make_way,
    move_figures,
    unfinished,
)
from retinula.reproduction.records import RECORDS
from retinula.reproduction.results import gather
from retinula.reproduction.runs import runs_for
from retinula.reproduction.table import make_rows
from retinula.reproduction.tables import tables_of
from retinula.runs.run import Run
from retinula.training.reporting import Reporter


def reproduce(
    recipe: Recipe,
    seeds: int,
    *,
    root: Path,
    folder: Path,
    photos: Path | None = None,
    reporter: Reporter | None = None,
) -> Reproduction:
    """Run a recipe for several seeds, measure every figure that it claims, and draw what the work drew.

    Args:
        recipe: one with claims.
        seeds: how many, counted up from the recipe's own.
        root: the folder of the runs; finished ones of the same digest are used again, unfinished ones go on.
        folder: takes the table, figures, tables of layers and classes, and answers to photos; those of an earlier
            reproduction make way.
        photos: a folder of photos to ask about besides the recipe's own, which alone enter reports of runs.
        reporter: told what happens.

    Raises:
        InputError: a recipe without claims or with a better one that there is not, a folder without photos or one that
            is taken, data without test pictures, or a run that cannot go on.
    """
    reporter = reporter or Reporter()
    if not recipe.claims:
        raise InputError(f"recipe {recipe.name} claims no published figure: train and evaluate it instead")
    check_better(recipe)
    check_place(folder)  # before hours of training, not after; likewise
    folders = folders_to_ask(recipe, photos, _classes(recipe, reporter), reporter)
    runs = runs_for(recipe, seeds, root=root, reporter=reporter)
    for run in runs:
        _measure(recipe, run, reporter)
    asked = ask_photos(recipe, runs, folders, reporter)
    finished = tuple(map(Finished.read, runs))
    ended = any(each.ended_early for each in finished)
    rows = with_photos(make_rows(recipe, finished), recipe, asked, so_far=ended)
    further = goes_further(recipe, finished, _measured_runs(root) if recipe.better else [])
    shown = next(reversed(folders), None)
    answered = next((each.answered for each in asked if each.folder == shown), None)
    tables = tables_of(runs[0])
    with unfinished(folder) as made:
        draw_work(runs[0], made, shown, reporter)
        drawn = files_in(made)
        make_way(folder)
        placed = free_names(folder, drawn)
        result = Reproduction(
            recipe,
            finished,
            tuple(rows),
            tuple(asked),
            answered,
            further,
            figures=tuple(placed),
            tables=tuple(tables),
            folder=folder,
        )
        # First the table: by it a later reproduction knows what is its own, however far this one comes.
        write_json(folder / TABLE, result.to_dict())
        move_figures(made, folder, placed)
        if answered is not None:
            answered.write(folder / ANSWERS)
        for name, text in tables.items():
            write_text(folder / name, text)
        write_text(folder / PAGE, result.to_markdown())
    for name in sorted(set(drawn) - set(placed)):
        reporter.message(f"{folder / FIGURES / name} is of no reproduction and stays; ours is left out")
    return result


def _measured_runs(root: Path) -> list[list[Finished]]:
    try:
        return gather([RECORDS, root])
    except InputError:  # no run here says on what machine it was trained
        return []


def _measure(recipe: Recipe, run: Run, reporter: Reporter) -> None:
    """Measure on the run's own pictures what its report has not yet."""
    learned = any(claim.metric == "train_accuracy" for claim in recipe.claims)
    for split in ("test", *(("train",) if learned else ())):
        if not run.evaluation(split):
            reporter.message(f"measuring {run.path} on the {split} pictures")
            evaluate_run(run, split=split, remedy="")


def _classes(recipe: Recipe, reporter: Reporter) -> tuple[str, ...]:
    """Return the classes that a recipe's model tells, of a reconstruction none; refuse data that measure nothing."""
    dataset = load_dataset(recipe, reporter.loading)
    if dataset.test is None or not len(dataset.test):
        raise InputError(f"{recipe.data.name} has no test pictures, by which a reproduction measures")
    return () if recipe.objective.reconstructs else training_sets(recipe, dataset).train.classes
