"""How much faster than a plain PyTorch loop does `retinula train cifar10-cnn` train the same network here?

    python benchmarks/training_step.py [--rounds 3] [--steps 20]

Each side trains in a process of its own, in turns; the figure of a process is the median time of its steps, the
first ones left out, and the answer is the median of the rounds' ratios. The plain loop is what a tutorial would show:
float32, `DataLoader`, Adam; its pictures are converted beforehand, which a tutorial would not do.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.recipe_files import load_recipe
from retinula.run import create_run
from retinula.training.hardware import describe_machine, keep_memory
from retinula.training.loop import train

BATCH_SIZE = 128
WARM_UP = 3  # steps not counted: memory is claimed, kernels are chosen


def pictures(steps: int) -> ImageSet:
    """Noise in the shape of CIFAR-10: what is on the pictures does not matter for the time."""
    generator = np.random.default_rng(0)
    count = BATCH_SIZE * steps
    images = generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    return ImageSet(images, generator.integers(0, 10, count), tuple("0123456789"), "noise/train")


def plain(steps: int) -> list[float]:
    """Seconds of each step of the plain loop."""
    image_set = pictures(steps)
    inputs, labels = torch.from_numpy(image_set.images).float() / 255, torch.from_numpy(image_set.known_labels())
    network = build("cifar10-cnn", num_classes=10)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    seconds = []
    begun = time.perf_counter()
    for batch, targets in DataLoader(TensorDataset(inputs, labels), batch_size=BATCH_SIZE, shuffle=True):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(batch), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
        float(loss.detach())
        seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    return seconds


def ours(steps: int) -> list[float]:
    """Seconds of each step of the shipped recipe, as its own log has them."""
    keep_memory()
    recipe = load_recipe("cifar10-cnn", [f"steps={steps}"])
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(recipe, {}, root=Path(folder))
        train(recipe, pictures(steps), None, run)
        return [row["seconds"] for row in run.steps()]


def measure(side: str, steps: int) -> float:
    """Median seconds of a step, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print machine, rounds and ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--side", choices=("plain", "ours"), help="measure one side in this process")
    options = parser.parse_args()
    if options.side:
        seconds = plain(options.steps) if options.side == "plain" else ours(options.steps)
        print(statistics.median(seconds[WARM_UP:]))
        return
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, bfloat16: {machine['bfloat16_units']}")
    print(f"torch {torch.__version__}, batch {BATCH_SIZE}, {options.steps} steps")
    ratios = []
    for number in range(1, options.rounds + 1):
        theirs, mine = measure("plain", options.steps), measure("ours", options.steps)
        ratios.append(theirs / mine)
        print(f"round {number}: plain {theirs * 1000:.0f} ms, retinula {mine * 1000:.0f} ms, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
