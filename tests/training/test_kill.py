"""A training killed at moments that nobody chose ends as if it had never been stopped."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from retinula.run import Run
from retinula.tensor_file import load_tensors

CLOCK = ("seconds", "images_per_second")
KILLS = 3
# The hardware is given, because two runs may measure differently; one run measures once and keeps it.
PROGRAM = """
import sys
from pathlib import Path
from retinula import experiment
from retinula.training import loop
from retinula.training.hardware import Hardware

loop.choose_hardware = lambda *_, **__: Hardware("cpu", 1, True, "float32", "for the test")
root, name = Path(sys.argv[1]), sys.argv[2]
if (root / name).exists():
    experiment.resume(name, root=root, checkpoint_seconds=0.2)
else:
    settings = ["epochs=8", "model.arguments.width=0.25", "average=0.9", "crop_padding=1"]
    experiment.train("digits", run=name, overrides=settings, root=root, checkpoint_seconds=0.2)
"""


def start(root: Path, name: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root), name],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_steps(run: Run, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the process has written a checkpoint of its own."""
    before = set(run.checkpoints.glob("step-*"))
    while process.poll() is None and not set(run.checkpoints.glob("step-*")) - before:
        time.sleep(0.005)


def measured(run: Run) -> tuple[list[dict[str, Any]], list[tuple[float, ...]]]:
    metrics = [{key: value for key, value in row.items() if key not in CLOCK} for row in run.metrics()]
    return metrics, [(row["step"], row["epoch"], row["loss"], row["learning_rate"]) for row in run.steps()]


@pytest.mark.timeout(120)
def test_killed_and_resumed_is_never_stopped_bit_for_bit(tmp_path: Path) -> None:
    chance = random.Random(0)  # noqa: S311 (moments, not secrets)
    killed = Run(tmp_path / "killed")
    kills = 0
    for _ in range(KILLS):
        process = start(tmp_path, "killed")
        wait_for_steps(killed, process)
        time.sleep(chance.uniform(0, 0.3))
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills == KILLS
    assert not killed.finished
    assert start(tmp_path, "killed").wait() == 0
    assert start(tmp_path, "whole").wait() == 0

    whole = Run(tmp_path / "whole")
    assert killed.finished
    assert not killed.checkpoints.exists()
    assert killed.log_file.read_text().count("going on from step") >= 1
    assert measured(killed) == measured(whole)
    assert len(whole.metrics()) == 8
    one, other = load_tensors(killed.model_file)[0], load_tensors(whole.model_file)[0]
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
