"""Which model file a word means: a file, a folder that has one, or a run."""

import os
from pathlib import Path

from retinula.errors import InputError
from retinula.images import kind_of
from retinula.runs.run import Run, find_run, list_runs


def find_model(name: str | Path) -> Path:
    """Find a model file: by its path, in a folder, or as `find_run` finds its run; `last` is the newest finished one.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"a model is named by its file, or by its run's folder or name, not by {kind_of(name)}")
    path = Path(name)
    if path.is_file():
        return path
    if Run(path).model_file.is_file():
        return Run(path).model_file
    finished = [run for run in list_runs() if run.finished] if str(name) == "last" else []
    run = finished[-1] if finished else find_run(name)
    if not run.finished and not run.model_file.exists():
        raise InputError(f"{run.path} has no model yet; {run.unfinished()}")
    return run.model_file
