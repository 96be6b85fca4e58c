"""Records: of a finished run what the page of results is made of, small enough to be kept beside the page.

A record is a run's folder without weights, figures and checkpoints, so that it is read as a run. It is there to be
shown to others, so that recipe and command name no folders of the machine. Copies; measures nothing.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from retinula.files.durable import replacing_folder, write_json, write_text
from retinula.recipe.assignment import parse
from retinula.recipe.differences import last_part
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run

RECORDS = Path("docs") / "records"


def keep_records(runs: Iterable[Run], folder: Path = RECORDS) -> list[Run]:
    """Copy of each run what its results are read from; return the copies.

    A record is called by recipe, seed and digest, and by the step where a run was ended early, so that a newer run of
    the same takes its place, and others stay.

    Args:
        runs: finished ones; those that lie in the folder already are left as they are.
        folder: made where there is none.

    Raises:
        RetinulaError: the folder cannot be written.
    """
    return [run if run.path.parent.resolve() == folder.resolve() else _keep(run, folder) for run in runs]


def without_folders(recipe: Recipe) -> Recipe:
    """Return a recipe that names no folders of the machine: of each full path the last part."""
    return recipe.changed(
        data={
            "name": last_part(recipe.data.name),
            "more": tuple(map(last_part, recipe.data.more)),
            "root": last_part(recipe.data.root),
        },
        model={"weights": last_part(recipe.model.weights)},
        figures={"photos": last_part(recipe.figures.photos)},
    )


def _keep(run: Run, folder: Path) -> Run:
    recipe = without_folders(run.recipe())
    cut = f"-step{run.report()['training']['steps']}" if run.ended_early() else ""
    record = Run(folder / f"{recipe.name}-seed{recipe.seed}-{recipe.digest()}{cut}")
    environment = run.environment()
    command = [_without_path(word) for word in environment.get("command", ())]
    with replacing_folder(record.path) as made:
        copy = Run(made)
        write_text(copy.recipe_file, recipe.to_toml())
        write_json(copy.environment_file, {**environment, "command": command})
        for file in (run.metrics_file, run.steps_file, run.report_file):
            if file.exists():
                shutil.copyfile(file, made / file.name)
    return record


def _without_path(word: str) -> str:
    """Return of a full path, also in the value behind `key=`, the last part; relative paths stay.

    >>> _without_path("/home/me/mine.toml"), _without_path("data=/home/me/photos"), _without_path("lr=0.1")
    ('mine.toml', 'data=photos', 'lr=0.1')
    >>> _without_path("data.more=['/home/me/others', 'near']")
    'data.more=["others", "near"]'
    """
    key, equals, text = word.partition("=")
    if Path(word).is_absolute() or not (key and equals):
        return str(last_part(word))
    _, value = parse(word)
    short = last_part(value)
    if short == value:
        return word
    # What was quoted stays so: a folder may be called 2024.
    return f"{key}={short if value == text.strip() else json.dumps(short, ensure_ascii=False, default=str)}"
