"""What an installation can do and what it lacks: versions, machine, extras, folders. Leaves nothing behind."""

import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from retinula.datasets.catalog import CATALOG
from retinula.datasets.load import cache_folder, is_here, search_folders
from retinula.errors import InputError
from retinula.extras import EXTRAS, how_to_install, missing_modules
from retinula.run import RUNS
from retinula.training.hardware import available_device, describe_machine
from retinula.version import __version__

PACKAGES = ("torch", "numpy", "pillow", "scikit-learn")
LEAST_FREE = 2**30  # bytes; less fills up with a data set and a few checkpoints


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: it is.
        state: `fine`, `missing` (something optional), or `failing` (nothing will work well).
        detail: what was found, and where something lacks, what to do.
    """

    what: str
    state: Literal["fine", "missing", "failing"]
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)


def diagnose() -> list[Finding]:
    """Look at versions, machine, extras, folders and data."""
    return [*_versions(), _machine(), *_extras(), _writable("cache", cache_folder()), _writable("runs", RUNS), _data()]


def _versions() -> list[Finding]:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return [Finding("retinula", "fine", f"{__version__}, Python {platform.python_version()}, {packages}")]


def _machine() -> Finding:
    machine = describe_machine()
    memory = f", {machine['memory_gib']} GiB" if machine["memory_gib"] else ""
    return Finding(
        "machine",
        "fine",
        f"{machine['accelerator'] or machine['processor']}, {machine['cores']} cores{memory}, bfloat16 units: "
        f"{machine['bfloat16_units']}; trains on {available_device()}",
    )


def _extras() -> list[Finding]:
    return [_extra(name, purpose, missing_modules(name)) for name, (_, purpose) in EXTRAS.items()]


def _extra(name: str, purpose: str, missing: list[str]) -> Finding:
    if not missing:
        return Finding(f"extra {name}", "fine", purpose)
    return Finding(f"extra {name}", "missing", f"{purpose}; without {', '.join(missing)}: {how_to_install(name)}")


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
