"""What the machine is: cores that this process may use, processor, memory. Loads no torch and decides nothing."""

import os
import platform
import time
from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN_GROUP: Final = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Return how many processor cores this process may use, by its affinity and the quota of its control group."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    return min(cores, _quota() or cores)


def processor() -> str:
    """Return what the processor is called."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    """Return how much memory there is, or None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, AttributeError, OSError):
        return None


def bfloat16_units() -> str:
    """Return `amx`, `avx512`, `none` or `unknown`: what the processor has for bfloat16."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    return "amx" if "amx_bf16" in flags else "avx512" if "avx512_bf16" in flags else "none"


def busy_share(seconds: float = 0.2) -> float | None:
    """Return the share of the machine's processor time that others use just now, while this process sleeps.

    What runs at a low priority does not count, since it makes way.

    Args:
        seconds: how long to look.

    Returns:
        Between 0 and 1; None where the system does not tell.
    """
    before = _processor_time()
    time.sleep(seconds)
    after = _processor_time()
    if before is None or after is None:
        return None
    spent = [new - old for new, old in zip(after, before, strict=True)]
    user, _, system, *_ = spent
    return (user + system) / max(1, sum(spent))


def _processor_time() -> list[int] | None:
    """Return the ticks that all processors have spent, in order: user, at a low priority, system, idle, and others."""
    try:
        _, *ticks = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
        return [int(each) for each in ticks[:8]]
    except (OSError, ValueError, IndexError):
        return None  # not Linux


def _quota() -> int | None:
    """Return the cores that the control groups of this process (cgroup v2) give it the time of, rounded up."""
    try:
        lines = _OWN_GROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None  # not Linux
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    quotas = []
    for group in (_GROUPS / own, *(_GROUPS / own).parents):
        try:
            time, period = (group / "cpu.max").read_text(encoding="utf-8").split()
            quotas.append(-(-int(time) // int(period)))
        except (OSError, ValueError):
            pass  # no such group here, or one without a limit: `max`
        if group == _GROUPS:
            break
    return min(quotas, default=None)
