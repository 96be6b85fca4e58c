"""What the benchmarks share: sides measured in turns, each in a process of its own, and what is printed of them.

A side's process prints its figure, in seconds, on its last line. One that needs a package which is not installed says
in one line how to get it, and is left out. Knows nothing of what is measured.
"""

import argparse
import importlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from retinula.trained.finding import find_trained

WARM_UP = 3  # laps not counted: memory is claimed, kernels are chosen
LACKING = 3  # exit status of a side that lacks a package


def arguments(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser that knows what every benchmark knows; `doc` is its module's."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--rounds", type=_positive, default=rounds)
    return parser


def add_sides(parser: argparse.ArgumentParser, sides: Sequence[str]) -> None:
    """Let a benchmark of fixed sides be asked for some of them, and its processes for one."""
    parser.add_argument(
        "--sides", nargs="+", choices=sides, default=sides, help="the first is what others are set against"
    )
    parser.add_argument("--side", choices=sides, help="measure one side in this process and print its seconds")


def compare(sides: Mapping[str, Sequence[str]], rounds: int, words: Callable[[float], str]) -> None:
    """Measure sides in turns; print their medians, and the medians of the rounds' ratios to the first of them.

    Args:
        sides: a name, and the words behind `python -m` that measure it, for each.
        rounds: how often each is measured.
        words: what a figure in seconds is called.
    """
    figures = in_turns(sides, rounds)
    if not figures:
        raise SystemExit("no side could be measured")
    reference = next(iter(figures))
    width = max(map(len, figures))
    for name, seconds in figures.items():
        ratios = [other / mine for other, mine in zip(figures[reference], seconds, strict=True)]
        print(f"{name:{width}}  {words(statistics.median(seconds)):>22}  {ratio_words(ratios)} x {reference}")


def in_turns(sides: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Measure every side once a round, one after the other; one that lacks a package is asked only once."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name in list(figures):
            seconds = seconds_of(sides[name])
            if seconds is None:
                del figures[name]
            else:
                figures[name].append(seconds)
    return figures


def seconds_of(words: Sequence[str]) -> float | None:
    """Measure one side in a process of its own; None where it lacks a package, which it has said."""
    done = subprocess.run([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode == LACKING:
        return None
    if done.returncode:
        raise SystemExit(f"this failed: python -m {' '.join(words)}")
    return float(done.stdout.splitlines()[-1])


def need(module: str, package: str = "") -> ModuleType:
    """Import what a side needs, or end its process with one line that says what to install."""
    try:
        return importlib.import_module(module)
    # torchvision raises RuntimeError beside another build of torch than its own.
    except (ImportError, RuntimeError) as error:
        package = package or module.partition(".")[0]
        print(f"left out: {package} is missing or unfit ({error}); pip install {package}", file=sys.stderr)
        raise SystemExit(LACKING) from None


def laps(work: Iterable[object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return the seconds that each item of `work` takes."""
    seconds = []
    begun = clock()
    for _ in work:
        now = clock()
        seconds.append(now - begun)
        begun = now
    return seconds


def typical(seconds: Sequence[float]) -> float:
    """Return the median, the first ones left out."""
    return statistics.median(seconds[WARM_UP:])


def ratio_words(ratios: Sequence[float]) -> str:
    """Write the median of ratios with the lowest and the highest, as in `2.00 (1.00 to 4.00)`."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def print_machine(*packages: str) -> None:
    """Print the processor, the versions of what is installed of the packages, and the command."""
    # Not above: a side that does without torch is to be measured without it.
    from retinula.training.hardware import describe_machine

    machine = describe_machine()
    found = [f"Python {platform.python_version()}"]
    for package in ("torch", *packages):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    print(f"{machine['processor']}, {machine['cores']} cores, bfloat16 units: {machine['bfloat16_units']}")
    print(", ".join(found))
    print(" ".join(["python -m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]))


def model_file(word: str) -> Path:
    """Return the model file that a word means."""
    return find_trained(word).file


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number
