"""How much memory this process took, where the system keeps account of it."""

import sys
from importlib import import_module
from importlib.util import find_spec

_ACCOUNT = "resource"  # a module of the standard library, but not on Windows


def peak_memory_mib() -> float | None:
    """Return the most memory this process ever held, in MiB; None where the system does not tell."""
    if find_spec(_ACCOUNT) is None:
        return None
    account = import_module(_ACCOUNT)
    peak: int = account.getrusage(account.RUSAGE_SELF).ru_maxrss  # in KiB, on macOS in bytes
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
