"""`retinula doctor`."""

from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.text.words import table

Load = Annotated[
    bool,
    typer.Option("--load", help="Load what the extras bring, too: a broken one is only noticed so. It takes seconds."),
]


def doctor(load: Load = False, as_json: AsJson = False) -> None:
    """Say what this installation can do, and what it lacks.

    Also how to get what it lacks.
    """
    from retinula.diagnosis import diagnose
    from retinula.errors import RetinulaError

    with counting() as progress:
        findings = diagnose(load=load, progress=progress)
    failing = [finding for finding in findings if finding.state == "failing"]
    if as_json:
        say_json([finding.to_dict() for finding in findings])
    else:
        for line in table(("what", "state", "detail"), [(each.what, each.state, each.detail) for each in findings]):
            say(line)
        if any(finding.state == "found" for finding in findings):
            remark("what was found was not loaded; whether it works says: retinula doctor --load")
    if failing:
        raise RetinulaError(f"{failing[0].what}: {failing[0].detail}")
