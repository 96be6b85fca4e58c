"""Reproduction: a recipe run for several seeds, measured, and set beside what was published."""

from collections.abc import Sequence
from pathlib import Path

from retinula.durable import make_folder, write_json, write_text
from retinula.errors import InputError
from retinula.experiment import evaluate_run
from retinula.recipe import Recipe
from retinula.reproduction.figures import draw_work
from retinula.reproduction.further import check_better, goes_further
from retinula.reproduction.measures import photos_folder
from retinula.reproduction.outcome import Reproduction
from retinula.reproduction.photos import (
    LABELS,
    AskedPhotos,
    answer_photos,
    check_photos,
    keep_answers,
    photo_folders,
    with_photos,
)
from retinula.reproduction.place import (
    ANSWERS,
    PAGE,
    TABLE,
    check_place,
    files_in,
    forget_answers,
    new_figures,
)
from retinula.reproduction.records import RECORDS
from retinula.reproduction.results import gather
from retinula.reproduction.runs import runs_for
from retinula.reproduction.table import make_rows
from retinula.run import Run
from retinula.run_data import load_dataset, training_sets
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
        folder: takes the table, the figures and answers to photos; those of an earlier reproduction make way.
        photos: a folder of photos to ask about besides the recipe's own, which alone enter reports of runs.
        reporter: told what happens.

    Raises:
        InputError: a recipe without claims or with a better one that there is not, a folder without photos or one that
            is taken, or a run that cannot go on.
    """
    reporter = reporter or Reporter()
    if not recipe.claims:
        raise InputError(f"recipe {recipe.name} claims no published figure: train and evaluate it instead")
    check_better(recipe)
    check_place(folder)  # before hours of training, not after; likewise
    folders = photo_folders(recipe, photos)
    if folders:
        classes = _classes(recipe, reporter)
        for each in folders:
            check_photos(each, classes, reporter)
    runs = runs_for(recipe, seeds, root=root, reporter=reporter)
    for run in runs:
        _measure(run, reporter)
    asked = _ask(recipe, runs, folders, reporter)
    make_folder(folder)
    with new_figures(folder) as figures:
        draw_work(runs[0], figures, next(reversed(folders), None), reporter)
        drawn = files_in(figures)
    rows = with_photos(make_rows(recipe, runs), recipe, asked)
    further = goes_further(recipe, runs, _measured_runs(root) if recipe.better else [])
    result = Reproduction(recipe, tuple(runs), tuple(rows), tuple(asked), further, tuple(drawn), folder)
    _write(result)
    return result


def _measured_runs(root: Path) -> list[list[Run]]:
    try:
        return gather([RECORDS, root])
    except InputError:  # no run here says on what machine it was trained
        return []


def _write(result: Reproduction) -> None:
    """Write the table, first what tells a later reproduction that the folder is one; and the first seed's answers."""
    forget_answers(result.folder)
    write_json(result.folder / TABLE, result.to_dict())
    for photos in result.photos[-1:]:  # others are asked about besides the recipe's own
        photos.answers[0].write(result.folder / ANSWERS)
    write_text(result.folder / PAGE, result.to_markdown())


def _measure(run: Run, reporter: Reporter) -> None:
    """Measure on the run's own pictures what its report has not yet."""
    for split in ("test", *(("train",) if _claims(run.recipe(), "train_accuracy") else ())):
        if not run.evaluation(split):
            reporter.message(f"measuring {run.path} on the {split} pictures")
            evaluate_run(run, split=split, remedy="")


def _ask(recipe: Recipe, runs: Sequence[Run], folders: dict[Path, bool], reporter: Reporter) -> list[AskedPhotos]:
    """Ask about all photos that can be scored, always: there may be others in a folder than last time."""
    if recipe.objective.reconstructs:
        return []
    asked = []
    for folder, own in folders.items():
        if not (folder / LABELS).exists():
            reporter.message(f"{folder} has no {LABELS} to score answers by")
            continue
        answers = [answer_photos(run, folder) for run in runs]
        asked.append(AskedPhotos(folder, own, tuple(answers)))
        if own:
            for run, answered in zip(runs, answers, strict=True):
                keep_answers(run, answered)
    if _claims(recipe, "photos_accuracy") and True not in folders.values():
        name = photos_folder(recipe)
        missing = f"{name} is in no folder of RETINULA_DATA" if name else f"{recipe.name} is measured by none"
        reporter.message(f"no photos to measure a claim by: {missing}; --photos asks about others")
    return asked


def _classes(recipe: Recipe, reporter: Reporter) -> tuple[str, ...]:
    """Return the classes that a recipe's model tells; of a reconstruction none."""
    if recipe.objective.reconstructs:
        return ()
    return training_sets(recipe, load_dataset(recipe, reporter.loading)).train.classes


def _claims(recipe: Recipe, metric: str) -> bool:
    return any(claim.metric == metric for claim in recipe.claims)
