"""Which trained model, or which run, a word means: a file, a folder, the name of a run, or `last`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from retinula.errors import InputError
from retinula.images import kind_of
from retinula.runs.run import RUNS, Run, find_run, list_runs
from retinula.text.names import printable

_PUBLISHED: Final = "timm/"  # begins the names of weights


class Found(NamedTuple):
    """A trained model.

    Attributes:
        file: where it is.
        run: that it came of; None of a file that is named itself, or lies in a folder that is no run.
    """

    file: Path
    run: Run | None = None


def find_trained(word: str | Path, root: Path = RUNS, tell: Callable[[str], None] = lambda _: None) -> Found:
    """Find a model: its file, a folder that has one, or a run's folder or name; `last` is the newest finished run's.

    Args:
        word: of one of these kinds.
        root: the folder of the runs.
        tell: as of `find_finished`.

    Raises:
        InputError: there is none, or published weights are meant.
    """
    if not isinstance(word, str | os.PathLike):
        raise InputError(f"a model is named by its file, or by its run's folder or name, not by {kind_of(word)}")
    file = Path(word) if _is_file(word) else _in_a_folder(word, root)
    if file is not None:
        return Found(file)
    if str(word).startswith(_PUBLISHED) and not any(map(os.path.exists, (word, root / word))):
        raise InputError(
            f"{printable(str(word))} names published weights, which are only begun from: train from them with: "
            f"retinula train FOLDER --model {printable(str(word))}"
        )
    run = find_finished(word, root, tell)
    if not run.model_file.is_file():
        remedy = f"there is no {run.model_file.name} in it" if run.finished else run.unfinished()
        raise InputError(f"{run.path} has no model{'' if run.finished else ' yet'}; {remedy}")
    return Found(run.model_file, run)


def find_finished(word: str | Path, root: Path = RUNS, tell: Callable[[str], None] = lambda _: None) -> Run:
    """Find a run as `find_run`, but that of `last` is the newest finished one, where there is one.

    Only what needs a model asks for it: to go on with a run, or to look at it, `last` is the one begun last.

    Args:
        word: as of `find_run`.
        root: the folder of the runs.
        tell: told which run `last` is where that is not the one begun last, and of folders that cannot be looked into.

    Raises:
        InputError: there is none.
    """
    runs = list_runs(root, tell) if str(word) == "last" else []
    finished = [run for run in runs if run.finished]
    if not finished:
        return find_run(word, root)
    if finished[-1] != runs[-1]:
        tell(printable(f"last: {finished[-1].path}, since {runs[-1].path} is not finished"))
    return finished[-1]


def _in_a_folder(word: str | Path, root: Path) -> Path | None:
    """Return the model file of a folder that is no run; None where there is none, or a run comes first."""
    for folder in () if str(word) == "last" else (Run(word), Run(root / word)):
        if _is_file(folder.recipe_file):
            return None
        if _is_file(folder.model_file):
            return folder.model_file
    return None


def _is_file(path: str | Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - Path's fails at long ones
