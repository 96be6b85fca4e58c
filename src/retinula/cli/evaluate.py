"""`retinula evaluate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, counting, say, say_json


class Split(StrEnum):
    """Which pictures to measure on."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A folder, a name under runs/, or 'last'.")],
    data: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER", help="Other pictures of the same classes.", show_default=False)
    ] = None,
    split: Annotated[Split, typer.Option(help="Which part of the data set.")] = Split.TEST,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over mirrored and shifted pictures, as the speed records count.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write report and figures there, not into the run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a trained model: accuracy with its interval, per class, calibration, and figures."""
    from retinula.evaluation.text import text_report
    from retinula.experiment import evaluate_run
    from retinula.run import find_run

    found = find_run(run)
    with counting() as progress:
        result = evaluate_run(
            found, data=data, split=split.value, tta="mirror-shift" if tta else None, folder=out, progress=progress
        )
    if as_json:
        say_json(result.to_dict())
        return
    for line in text_report(result):
        say(line)
    say(f"figures: {(out or found.path) / 'figures'}")
