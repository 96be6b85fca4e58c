"""`retinula report`."""

from pathlib import Path
from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import FinishedRun


def report(
    run: FinishedRun,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page goes; report.html in the run unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write all that is known of a run as one HTML file.

    It needs no network and no other file. A page that is there stays where no pictures of the run can be had.
    """
    from retinula.run import find_run

    found = find_run(run)  # before torch is loaded, which takes seconds
    from retinula.report.page import write_report

    with counting() as progress:
        file, contents = write_report(found, out, progress)
    size = file.stat().st_size
    if as_json:
        accuracy = None if contents.answers is None else contents.answers.result.accuracy
        parts = {"file": str(file), "bytes": size, "split": contents.split, "accuracy": accuracy}
        say_json(parts | {"missing": contents.missing})
        return
    for what in dict.fromkeys(contents.missing.values()):  # several parts may be missing for the same reason
        remark(f"left out: {what}")
    say(f"{file} ({size / 1e6:.1f} MB)")
