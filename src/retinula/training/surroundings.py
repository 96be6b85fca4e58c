"""In what surroundings a training computes: machine and versions; and how they change where it goes on elsewhere.

Knows nothing of how it is trained.
"""

import platform
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from retinula.files.durable import write_json
from retinula.models.timm_networks import is_of_timm
from retinula.runs.run import Run
from retinula.version import __version__

_PACKAGES: Final = ("torch", "numpy", "pillow", "safetensors", "scikit-learn", "pytorch-optimizer")
# What may change a result, or how long it takes. Not the memory: of a virtual machine it is a little more or less with
# every start.
_PROGRAMS: Final = {"retinula": "Retinula", "python": "Python"}
_MACHINE: Final = ("processor", "cores", "accelerator", "bfloat16_units")


def describe_session(machine: dict[str, Any], started: datetime) -> dict[str, Any]:
    """Gather what one process trains with: versions and machine.

    Args:
        machine: from `hardware.describe_machine`.
        started: with its time zone.
    """
    return {
        "started": started.isoformat(timespec="seconds"),
        "retinula": __version__,
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in _PACKAGES},
        "platform": platform.platform(),
        "machine": machine,
    }


def describe_environment(data: dict[str, Any], machine: dict[str, Any], started: datetime) -> dict[str, Any]:
    """Gather what someone needs to repeat a run: versions, machine, data and the command.

    Args:
        data: the pictures, from `run_data.Sets.described`.
        machine: from `hardware.describe_machine`.
        started: with its time zone.
    """
    return {
        **describe_session(machine, started),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "data": data,
    }


def write_down(run: Run, session: dict[str, Any]) -> str:
    """Write into a run's environment what it is trained with from here on, where that is not what it was trained with.

    Args:
        run: with its checkpoints; without any, or with that of first weights alone, nothing is left of what was
            computed before.
        session: from `describe_session`; where the run's network is of timm, the version of that is written down, too.

    Returns:
        A line on what has changed; empty where nothing has, or nothing is left of before.

    Raises:
        InputError: the file of the run cannot be read or is not whole.
        RetinulaError: it cannot be written.
    """
    environment, step = run.environment(), run.checkpoint_step()
    if is_of_timm(run.recipe().model.name):
        session = {**session, "versions": {**session["versions"], "timm": metadata.version("timm")}}
    known = environment.get("went_on") or []
    # Whoever made no checkpoint has left nothing of its steps.
    kept = [each for each in known if each["after_step"] < step]
    before, now = _facts((kept or [environment])[-1]), _facts(session)
    other = [name for name in now if before.get(name, now[name]) != now[name]]
    changes = [f"{name} {now[name]} instead of {before[name]}" for name in other]
    if not step and not now.items() <= before.items():  # nothing is computed yet: all is as it is now
        begun = {key: value for key, value in session.items() if key != "started"}
        write_json(run.environment_file, {**environment, **begun, "went_on": []})
        return ""
    if changes:
        kept.append({"after_step": step, **session})
    if kept != known:
        write_json(run.environment_file, {**environment, "went_on": kept})
    changed = ", ".join(changes)
    return changed and f"goes on with {changed}: the result may differ from that of a training without a break"


def _facts(session: dict[str, Any]) -> dict[str, str]:
    """Return what is compared of a session, by the names that people read; what an edited file lacks is left out."""
    machine = session["machine"]
    told = {name: session[key] for key, name in _PROGRAMS.items() if key in session}
    told |= session["versions"]
    told |= {key.replace("_", " "): machine[key] for key in _MACHINE if key in machine}
    return {name: "none" if value is None else str(value) for name, value in told.items()}
