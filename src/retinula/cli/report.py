"""`retinula report`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import FinishedRun
from retinula.errors import Interrupted
from retinula.text.words import listed


def report(
    run: FinishedRun,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page goes; report.html in the run unless given.")
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="First look closer, as evaluate --deep does, where nobody has yet, and keep it in the run (slow).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write all that is known of a run as one HTML file.

    It needs no network and no other file. A page that is there stays where no pictures of the run can be had.
    """
    from retinula.trained.finding import find_finished

    found = find_finished(run, tell=remark)  # before torch is loaded, which takes seconds
    from retinula.evaluation.text import LOOKS
    from retinula.report.contents import deep_look
    from retinula.report.page import write_report

    again = f"{deep_look(found)}{'' if out is None else f' --out {shlex.quote(str(out))}'}"
    try:
        with counting() as progress:
            file, contents = write_report(found, out, progress, deep=deep, remark=remark)
    except KeyboardInterrupt as stop:
        if not deep:
            raise
        raise Interrupted(f"interrupted; what was measured is kept, go on with: {again}") from stop
    size = file.stat().st_size
    if as_json:
        measured = {} if contents.answers is None else contents.answers.result.to_dict()
        parts = {"file": str(file), "bytes": size, "split": contents.split}
        parts |= {key: measured.get(key) for key in ("accuracy", "plain_accuracy", "tta")}
        say_json(parts | {"missing": contents.missing, "unmeasured": contents.unmeasured})
        return
    for what in dict.fromkeys(contents.missing.values()):  # several parts may be missing for the same reason
        remark(f"left out: {what}")
    if contents.unmeasured:
        remark(f"not measured: {listed([LOOKS[name] for name in contents.unmeasured])}; to measure it: {again}")
    say(f"{file} ({size / 1e6:.1f} MB)")
