"""Reproduction: a recipe run for several seeds, measured, and set beside what was published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinula.durable import check_folder, make_folder, write_json, write_text
from retinula.errors import InputError
from retinula.experiment import evaluate_run
from retinula.recipe import Recipe
from retinula.reproduction.figures import draw_work
from retinula.reproduction.photos import TABLE, answer_photos, check_photos, find_photos
from retinula.reproduction.runs import runs_for
from retinula.reproduction.table import Row, make_rows, markdown
from retinula.run import Run
from retinula.run_data import load_dataset, training_sets
from retinula.training.reporting import Reporter


@dataclass(frozen=True)
class Reproduction:
    """What came of it.

    Attributes:
        recipe: with its first seed.
        runs: a finished one for each seed.
        rows: published beside measured.
        folder: the table, as `table.md` and `table.json`, and `figures/`.
    """

    recipe: Recipe
    runs: tuple[Run, ...]
    rows: tuple[Row, ...]
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {
            "recipe": self.recipe.name,
            "digest": self.recipe.digest(),
            "source": self.recipe.source,
            "runs": [str(run.path) for run in self.runs],
            "table": [row.to_dict() for row in self.rows],
            "folder": str(self.folder),
        }


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
        folder: takes the table and the figures; what was there of an earlier reproduction is written over.
        photos: a folder of photos for the model; the recipe's own where None.
        reporter: told what happens.

    Raises:
        InputError: a recipe without claims, a folder without photos, or a run that cannot go on.
    """
    reporter = reporter or Reporter()
    if not recipe.claims:
        raise InputError(f"recipe {recipe.name} claims no published figure: train and evaluate it instead")
    photos = photos or find_photos(recipe.figures.photos)
    check_folder(folder)  # before hours of training, not after; likewise
    if photos is not None:
        check_photos(photos, _classes(recipe, reporter), reporter)
    runs = runs_for(recipe, seeds, root=root, reporter=reporter)
    make_folder(folder)
    for run in runs:
        _measure(run, photos, reporter)
    draw_work(runs[0], folder / "figures", photos, reporter)
    rows = tuple(make_rows(recipe, runs))
    result = Reproduction(recipe, tuple(runs), rows, folder)
    write_json(folder / "table.json", result.to_dict())
    write_text(folder / "table.md", "\n".join([f"# {recipe.name}", "", recipe.source, "", *markdown(rows), ""]))
    return result


def _measure(run: Run, photos: Path | None, reporter: Reporter) -> None:
    """Measure what a run's report has not yet; photos always, since another folder may be meant than last time."""
    recipe = run.recipe()
    wanted = ["test", *(["train"] if _claims(recipe, "train_accuracy") else [])]
    for split in wanted:
        if not run.evaluation(split):
            reporter.message(f"measuring {run.path} on the {split} pictures")
            evaluate_run(run, split=split, remedy="")  # type: ignore[arg-type]  # one of the two words above
    if photos is not None and (photos / TABLE).exists():
        if not recipe.objective.reconstructs:
            answer_photos(run, photos, run.photos_file)
    elif _claims(recipe, "photos_accuracy"):
        missing = "no photos here to ask about" if photos is None else f"{photos} has no {TABLE} to score answers by"
        reporter.message(f"{missing}: name a folder of photos and {TABLE} with --photos")


def _classes(recipe: Recipe, reporter: Reporter) -> tuple[str, ...]:
    """Return the classes that a recipe's model tells; of a reconstruction none."""
    if recipe.objective.reconstructs:
        return ()
    return training_sets(recipe, load_dataset(recipe, reporter.loading)).train.classes


def _claims(recipe: Recipe, metric: str) -> bool:
    return any(claim.metric == metric for claim in recipe.claims)
