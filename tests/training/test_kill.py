"""A training killed at moments that nobody chose ends as if it had never been stopped."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from retinula.files.tensor_file import load_tensors
from retinula.runs.run import Run

CLOCK = ("seconds", "images_per_second")
KILLS = 3
# One process loads the program and forks a child for each training, because loading takes longer than training.
# The hardware is given, because two runs may measure differently; one run measures once and keeps it.
PROGRAM = """
import os, sys
from pathlib import Path
import torch._dynamo  # which the first optimizer of a process loads, for two seconds
from retinula import experiment
from retinula.training import loop
from retinula.training.hardware import Hardware

experiment.draw_training = lambda *_, **__: None  # which takes longer than such a training
ways = (("stages.0.0.conv1", "winograd"), ("stages.1.0.conv2", "side_by_side"))
loop.choose_hardware = lambda *_, **__: Hardware("cpu", 1, True, "float32", "for the test", ways)
root = Path(sys.argv[1])
for line in sys.stdin:
    name, child = line.strip(), os.fork()
    if child:
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)
    elif (root / name).exists():
        experiment.resume(name, root=root, checkpoint_seconds=0.05)
        os._exit(0)
    else:
        settings = ["classes=[0,1,2]", "epochs=6", "model.arguments.width=0.25", "average=0.9", "crop_padding=1"]
        experiment.train("digits", run=name, settings=settings, root=root, checkpoint_seconds=0.05)
        os._exit(0)
"""


class Trainer:
    """The process that trains, one run at a time."""

    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(root)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, name: str) -> int:
        """Begin or go on; return the child's number."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return self._number()

    def ended(self) -> int:
        """Wait for the child; return its status: 0, or the signal that killed it."""
        return self._number()

    def _number(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


def wait_for_checkpoint(run: Run) -> None:
    """Wait until a checkpoint is there that was not before."""
    before = set(run.checkpoint_files())
    while not set(run.checkpoint_files()) - before and not run.report_file.exists():
        time.sleep(0.005)


def measured(run: Run) -> tuple[list[dict[str, Any]], list[tuple[float, ...]]]:
    metrics = [{key: value for key, value in row.items() if key not in CLOCK} for row in run.metrics()]
    return metrics, [(row["step"], row["epoch"], row["loss"], row["learning_rate"]) for row in run.steps()]


def test_killed_and_resumed_is_never_stopped_bit_for_bit(tmp_path: Path) -> None:
    chance = random.Random(0)  # noqa: S311 (moments, not secrets)
    killed = Run(tmp_path / "killed")
    trainer = Trainer(tmp_path)
    try:
        for _ in range(KILLS):
            child = trainer.start("killed")
            wait_for_checkpoint(killed)
            time.sleep(chance.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            assert trainer.ended() == signal.SIGKILL
            assert not killed.finished
        for name in ("killed", "whole"):
            trainer.start(name)
            assert trainer.ended() == 0
    finally:
        trainer.close()

    whole = Run(tmp_path / "whole")
    assert killed.finished
    assert not killed.checkpoints.exists()
    gone_on = [int(step) for step in re.findall(r"going on from step (\d+)", killed.log_file.read_text())]
    assert len(gone_on) == KILLS
    assert gone_on == sorted(set(gone_on)), "each time from a later checkpoint"
    assert measured(killed) == measured(whole)
    assert len(whole.metrics()) == 6
    one, other = load_tensors(killed.model_file)[0], load_tensors(whole.model_file)[0]
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
