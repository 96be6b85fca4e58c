"""`retinula doctor`."""

from retinula.cli.terminal import AsJson, say, say_json, table


def doctor(as_json: AsJson = False) -> None:
    """Say what this installation can do, and what it lacks.

    Also how to get what it lacks.
    """
    from retinula.diagnosis import diagnose
    from retinula.errors import RetinulaError

    findings = diagnose()
    failing = [finding for finding in findings if finding.state == "failing"]
    if as_json:
        say_json([finding.to_dict() for finding in findings])
    else:
        for line in table(("what", "state", "detail"), [(each.what, each.state, each.detail) for each in findings]):
            say(line)
    if failing:
        raise RetinulaError(f"{failing[0].what}: {failing[0].detail}")
