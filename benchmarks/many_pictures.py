"""What does a training cost when there are many pictures: does its memory grow with them, does its speed fall?

    python -m benchmarks.many_pictures [--pictures 50000 1000000] [--steps N] [--folder FOLDER]

For each number, in a process of its own: so many pictures of `shapes` (32x32, colour) are prepared in a cache of their
own, opened, a tenth of them is set apart for validation, and the smallest network there is (`cifar10-autoencoder`,
1,495 parameters: so that the pictures count, not the network) is trained for one epoch, or so many steps of 500
pictures from all over the set, as `retinula train` would.
Pictures a second are those of the median step, by the clock; of all that the training did, the processor's time is
given as well, which counts the same on a busy machine. Twenty times a second the kernel is asked for the memory of
the process; what it had once all was imported is taken off. Anonymous memory belongs to the process; mapped pages are
parts of files, which the kernel may take back at any time.

A million pictures take 6 GB of disk: the prepared set, and the part of it that is trained on.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from retinula.datasets import cache, shapes
from retinula.datasets.reading import Reading
from retinula.experiment import train
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.runs.run import find_run
from retinula.training.hardware import describe_machine

NUM_PICTURES = (50_000, 1_000_000)
BATCH_SIZE = 500
WARM_UP = 5  # steps not counted: memory is claimed, kernels are chosen
KINDS = {"anonymous": "RssAnon", "mapped": "RssFile", "resident": "VmRSS"}  # and what the kernel calls them
_PAUSE = 0.05  # seconds between two looks
_STATUS = Path("/proc/self/status")
_COLUMNS = {
    "pictures": "{pictures:,}",
    "prepare": "{preparing_seconds:.0f} s",
    "steps": "{steps:,}",
    "open": "{opening_seconds:.3f} s",
    "pictures/s": "{pictures_per_second:,.0f}",
    "processor, training": "{processor_seconds:,.0f} s",
    **{f"{phase}: {kind}": f"{{{phase}[{kind}]:,.0f}} MiB" for phase in ("preparing", "training") for kind in KINDS},
}


def main(words: Sequence[str] | None = None) -> None:
    """Print what each number of pictures took, as the words of the command line say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=NUM_PICTURES, metavar="N")
    parser.add_argument("--steps", type=int, help="train so many steps instead of an epoch")
    parser.add_argument("--folder", type=Path, help="where the pictures go meanwhile, if not among temporary files")
    parser.add_argument("--one", type=int, metavar="N", help="measure one number in this process")
    options = parser.parse_args(words)
    if not _STATUS.exists():
        raise SystemExit("the kernel keeps account of memory in /proc/self/status on Linux only")
    if options.one is not None:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            print(json.dumps(measure(options.one, options.steps, Path(folder))))
        return
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, torch {torch.__version__}, batch {BATCH_SIZE}")
    found = [in_a_process(number, options.steps, options.folder) for number in options.pictures]
    width = max(map(len, _COLUMNS))
    for name, form in _COLUMNS.items():
        print(f"{name:{width}}", *(f"{form.format(**one):>14}" for one in found))


def in_a_process(num_pictures: int, steps: int | None, folder: Path | None) -> dict[str, Any]:
    """Measure one number of pictures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.many_pictures", "--one", str(num_pictures)]
    for option, value in (("--steps", steps), ("--folder", folder)):
        command += [] if value is None else [option, str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return values


def measure(num_pictures: int, num_steps: int | None, folder: Path) -> dict[str, Any]:
    """Prepare, open and train on so many pictures in this process; times in seconds, memory in MiB above the start."""
    start = held()
    begun = time.perf_counter()
    with watched(start) as preparing:
        shapes_of(num_pictures, folder)
    prepared = time.perf_counter()
    train_set = shapes_of(num_pictures, folder)
    opened = time.perf_counter()
    spent = time.process_time()
    with watched(start) as training:
        rest, apart = train_set.split(0.1, seed=0)
        length = "epochs=1" if num_steps is None else f"steps={num_steps}"
        recipe = load_recipe("cifar10-autoencoder", [length, f"batch_size={BATCH_SIZE}", "figures.ranges=[]"])
        train(recipe, rest, apart, "many", root=folder)
        spent = time.process_time() - spent
    seconds = [row["seconds"] for row in find_run("many", folder).steps()]
    return {
        "pictures": num_pictures,
        "preparing_seconds": prepared - begun,
        "opening_seconds": opened - prepared,
        "pictures_per_second": BATCH_SIZE / statistics.median(seconds[WARM_UP:] or seconds),
        "steps": len(seconds),
        "processor_seconds": spent,
        "preparing": preparing,
        "training": training,
    }


def shapes_of(num_pictures: int, folder: Path) -> ImageSet:
    """Open so many pictures from a cache; draw them before if they are not in it."""

    def read() -> Reading:
        return shapes.read(num_train=num_pictures, num_test=0)

    return cache.prepared("many", read, folder, "many", {}).splits["train"]


def held() -> dict[str, float]:
    """Return how much memory of each kind this process has now, in MiB."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return {kind: int(lines[name].split()[0]) / 1024 for kind, name in KINDS.items()}


@contextmanager
def watched(start: dict[str, float]) -> Iterator[dict[str, float]]:
    """Give the most memory of each kind that this process has during the block, in MiB above `start`."""
    most = dict.fromkeys(KINDS, 0.0)
    over = threading.Event()

    def look() -> None:
        while True:
            now = held()
            for kind in KINDS:
                most[kind] = max(most[kind], now[kind] - start[kind])
            if over.wait(_PAUSE):
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    main()
