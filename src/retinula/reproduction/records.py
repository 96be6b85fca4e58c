"""Records: of a finished run what the page of results is made of, small enough to be kept beside the page.

A record is a run's folder without weights, figures and checkpoints, so that it is read as a run. It is there to be
shown to others, so that its command names no folders of the machine. Copies; measures nothing.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from retinula.durable import replacing_folder, write_json
from retinula.run import Run

RECORDS = Path("docs") / "records"


def keep_records(runs: Iterable[Run], folder: Path = RECORDS) -> list[Run]:
    """Copy of each run what its results are read from; return the copies.

    A record is called by recipe, seed and digest, so that a newer run of the same takes its place, and others stay.

    Args:
        runs: finished ones; those that lie in the folder already are left as they are.
        folder: made where there is none.

    Raises:
        RetinulaError: the folder cannot be written.
    """
    return [run if run.path.parent == folder else _keep(run, folder) for run in runs]


def _keep(run: Run, folder: Path) -> Run:
    recipe = run.recipe()
    record = Run(folder / f"{recipe.name}-seed{recipe.seed}-{recipe.digest()}")
    with replacing_folder(record.path) as made:
        for file in (run.recipe_file, run.steps_file, run.report_file):
            if file.exists():
                shutil.copyfile(file, made / file.name)
        environment = run.environment()
        command = [_without_folders(word) for word in environment.get("command", ())]
        write_json(made / run.environment_file.name, {**environment, "command": command})
    return record


def _without_folders(word: str) -> str:
    """Return a word of a command line; of a full path, also behind `key=`, the last part.

    >>> _without_folders("/home/me/mine.toml"), _without_folders("data=/home/me/photos"), _without_folders("lr=0.1")
    ('mine.toml', 'data=photos', 'lr=0.1')
    """
    key, equals, value = word.rpartition("=")
    return key + equals + (Path(value).name if Path(value).is_absolute() else value)
