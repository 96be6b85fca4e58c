"""Whether a run's own pictures are where they were when it was trained, by names alone."""

from pathlib import Path

from retinula.datasets.absent import is_path
from retinula.errors import InputError
from retinula.runs.run import Run


def check_own_there(run: Run, others: str = "") -> None:
    """Refuse a run whose pictures are no longer where they were when it was trained.

    Args:
        run: whose own pictures are needed.
        others: what else can be done than to put them back, the end of the message.

    Raises:
        InputError: names the file or folder.
    """
    data = run.recipe().data
    for name in (data.name, *data.more):
        if is_path(name) and not Path(name).exists():
            raise InputError(f"{run.path} was trained on {name}, which is no longer there: put it back{others}")
