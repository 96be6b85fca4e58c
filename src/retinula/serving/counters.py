"""What a server counts of itself, and how Prometheus wants to read it.

Format: Prometheus text exposition 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
"""

import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass
class Histogram:
    """How many durations were at most so long; the last count is of those longer than every bound.

    >>> durations = Histogram()
    >>> durations.add(0.02)
    >>> durations.counts[2], durations.seconds
    (1, 0.02)
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds


@dataclass
class Counters:
    """Counts since the start. Used from the event loop alone, so without locks.

    Attributes:
        requests: by route and status.
        durations: of requests, by route, from their first byte to the last of the answer.
        pictures: that were answered.
        refused_pictures: that could not be read.
        errors: refused requests by their word.
    """

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    durations: dict[str, Histogram] = field(default_factory=dict)
    pictures: int = 0
    refused_pictures: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.time)

    def finished(self, route: str, status: int, seconds: float) -> None:
        """Count a request. Routes are the server's own, never what a client wrote."""
        self.requests[route, status] += 1
        self.durations.setdefault(route, Histogram()).add(seconds)

    def text(self, *, waiting: int, num_batches: int, num_batched: int) -> str:
        """Write all of it.

        Args:
            waiting: requests that are worked on, or wait for it, now.
            num_batches: that went through the model.
            num_batched: pictures in them.
        """
        lines = _family("retinula_requests_total", "counter", "Requests by route and status.")
        lines += [
            f'retinula_requests_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self.requests.items())
        ]
        lines += _family("retinula_request_seconds", "histogram", "Seconds from a request to the end of its answer.")
        for route, histogram in sorted(self.durations.items()):
            total = 0
            for bound, count in zip((*map(str, SECONDS), "+Inf"), histogram.counts, strict=True):
                total += count
                lines.append(f'retinula_request_seconds_bucket{{route="{route}",le="{bound}"}} {total}')
            lines.append(f'retinula_request_seconds_sum{{route="{route}"}} {histogram.seconds:.6f}')
            lines.append(f'retinula_request_seconds_count{{route="{route}"}} {total}')
        lines += _family("retinula_errors_total", "counter", "Refused requests by reason.")
        lines += [f'retinula_errors_total{{code="{code}"}} {count}' for code, count in sorted(self.errors.items())]
        single = (
            ("retinula_pictures_total", "counter", "Pictures answered.", self.pictures),
            ("retinula_refused_pictures_total", "counter", "Pictures that could not be read.", self.refused_pictures),
            ("retinula_batches_total", "counter", "Batches that went through the model.", num_batches),
            ("retinula_batched_pictures_total", "counter", "Pictures in those batches.", num_batched),
            ("retinula_waiting_requests", "gauge", "Requests being worked on or waiting for it.", waiting),
            ("process_start_time_seconds", "gauge", "When the server started.", f"{self.started:.3f}"),
            ("process_resident_memory_bytes", "gauge", "Memory of the process.", resident_bytes()),
        )
        for name, kind, about, value in single:
            if value is not None:
                lines += [*_family(name, kind, about), f"{name} {value}"]
        return "\n".join(lines) + "\n"


def resident_bytes() -> int | None:
    """Return the memory that this process has in use, where the system tells (Linux)."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _family(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
