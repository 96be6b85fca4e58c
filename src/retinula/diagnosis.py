"""What an installation can do and what it lacks: versions, machine, extras, folders. Leaves nothing behind."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

from retinula.datasets.catalog import CATALOG
from retinula.datasets.load import cache_folder, is_here, search_folders
from retinula.datasets.reading import Progress, silent
from retinula.errors import InputError
from retinula.extras import EXTRAS, how_to_install, missing_modules
from retinula.runs.run import RUNS
from retinula.text.words import plural
from retinula.training.hardware import available_device, describe_machine
from retinula.version import __version__

PACKAGES = ("torch", "numpy", "pillow", "scikit-learn")
LEAST_FREE = 2**30  # bytes; less fills up with a data set and a few checkpoints

_PACKAGE: Final = Path(__file__).parents[1]  # that holds it; behind all others, for it may be the folder we are in
_SECONDS: Final = 120  # that a module may take to be loaded
_TOLD: Final = 17  # exit code of the process that loads one, where its last line says why it could not
_LOADS: Final = f"""
import sys
sys.path.append(sys.argv[3])
from retinula.errors import InputError
from retinula.extras import load
try:
    load(sys.argv[1], "looking at it", sys.argv[2])
except InputError as error:
    print("\\n" + str(error))
    sys.exit({_TOLD})
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: it is.
        state: `fine`, `found` (there, but not loaded), `missing` (something optional), or `failing` (it ought to work).
        detail: what was found, and where something lacks, what to do.
    """

    what: str
    state: Literal["fine", "found", "missing", "failing"]
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)


def diagnose(*, load: bool = False, progress: Progress | None = None) -> list[Finding]:
    """Look at versions, machine, extras, folders and data.

    Args:
        load: whether all that extras bring is loaded, each in a process of its own, which takes seconds; it is only
            looked for otherwise.
        progress: told which of them.
    """
    extras = _loaded(progress or silent) if load else _extras()
    return [*_versions(), _machine(), *extras, _cache(), _writable("runs", RUNS), _data()]


def _versions() -> list[Finding]:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return [Finding("retinula", "fine", f"{__version__}, Python {platform.python_version()}, {packages}")]


def _machine() -> Finding:
    machine = describe_machine()
    memory = f", {machine['memory_gib']} GiB" if machine["memory_gib"] else ""
    return Finding(
        "machine",
        "fine",
        f"{machine['accelerator'] or machine['processor']}, {plural(machine['cores'], 'core')}{memory}, "
        f"bfloat16 units: {machine['bfloat16_units']}; trains on {available_device()}",
    )


def _extras() -> list[Finding]:
    return [_extra(name, purpose, missing_modules(name)) for name, (_, purpose) in EXTRAS.items()]


def _extra(name: str, purpose: str, missing: list[str]) -> Finding:
    if not missing:
        return Finding(f"extra {name}", "found", purpose)
    return Finding(f"extra {name}", "missing", f"{purpose}; without {', '.join(missing)}: {how_to_install(name)}")


def _loaded(told: Progress) -> list[Finding]:
    """Load the modules of all extras that are whole: two may have one in common."""
    found = _extras()
    of_extra = {
        module: name
        for finding, (name, extra) in zip(found, EXTRAS.items(), strict=True)
        for module in extra.modules
        if finding.state == "found"
    }
    faults = {}
    for number, (module, name) in enumerate(of_extra.items()):
        told(f"loading {module}", number, len(of_extra))
        faults[module] = _fault_in(name, module)
    loaded = []
    for finding, extra in zip(found, EXTRAS.values(), strict=True):
        fault = next((faults[module] for module in extra.modules if faults.get(module)), "")
        if finding.state == "found":
            finding = replace(finding, state="failing" if fault else "fine", detail=fault or finding.detail)
        loaded.append(finding)
    return loaded


def _fault_in(extra: str, module: str) -> str:
    """Load a module of an extra in a process of its own, and say why that fails; nothing where it does not.

    What is torn may end the process that loads it, or never return; and what was loaded stays in memory.
    """
    command = [sys.executable, "-P", "-W", "ignore", "-c", _LOADS, extra, module, str(_PACKAGE)]
    stopped = f"{module} cannot be loaded (%s): install it anew"
    try:
        done = subprocess.run(  # noqa: S603  # our own command, no input of anybody
            command, stdin=subprocess.DEVNULL, capture_output=True, errors="replace", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return stopped % f"it took more than {_SECONDS} seconds"
    if done.returncode == _TOLD and done.stdout:
        return done.stdout.splitlines()[-1]
    return stopped % f"its process ended with code {done.returncode}" if done.returncode else ""


def _cache() -> Finding:
    try:
        return _writable("cache", cache_folder())
    except InputError as error:
        return Finding("cache", "failing", str(error))


def _writable(what: str, folder: Path) -> Finding:
    """Write a probe into a folder, or where it would be made."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    shown = folder.absolute()
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"retinula")
    except OSError as error:
        return Finding(what, "failing", f"{shown} cannot be written to ({error.strerror or error})")
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE:
        return Finding(what, "failing", f"{shown} has {free / 2**20:,.0f} MiB left; make room")
    return Finding(what, "fine", f"{shown}, {free / 2**30:,.0f} GiB free")


def _data() -> Finding:
    try:
        folders = search_folders()
    except InputError as error:
        return Finding("data", "failing", str(error))
    here = [name for name in CATALOG if is_here(name)]
    places = os.pathsep.join(map(str, folders)) or "no folder in RETINULA_DATA"
    return Finding("data", "fine", f"{', '.join(here)} here; others: retinula data get NAME ({places})")
