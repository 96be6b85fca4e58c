"""Trainings in several processes, one after another, without a launcher: run as a program by `test_processes`.

Loads everything once and forks the processes of each training, because loading takes longer than training. Nothing is
computed before a fork, so that no thread is lost in it.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import numpy as np
import torch._dynamo  # which the first optimizer of a process loads, for two seconds  # noqa: F401
from torch import nn

from retinula import experiment
from retinula.errors import RetinulaError
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.runs.run import Run
from retinula.training import loop, processes
from retinula.training.arrangement import _pads_by_one
from retinula.training.hardware import Hardware

LONGEST = 200  # seconds for all trainings


def made_set(num_images: int, seed: int) -> ImageSet:
    """Pictures of three classes of unequal numbers that differ in brightness."""
    chances = np.random.default_rng(seed)
    labels = np.arange(num_images, dtype=np.int64) % 6 // 3 + (np.arange(num_images) % 6 == 5)
    images = chances.integers(0, 60, (num_images, 3, 8, 8)) + (labels * 60)[:, None, None, None]
    return ImageSet(images.astype(np.uint8), labels, ("dark", "grey", "light"), "made/train")


def work(root: Path, job: dict[str, Any]) -> NoReturn:
    """Train in this process, one of several, and leave with the exit code that the command would have."""
    signal.alarm(LONGEST)
    try:
        seed = 5 if job.get("other_pictures") == int(os.environ.get("RANK", 0)) else 0
        sets = made_set(job.get("num_images", 50), seed), made_set(24, 1)
        recipe = load_recipe("digits", ["schedule=constant", "batch_size=16", "epochs=2", *job["settings"]])
        run = Run(root / job["run"]) if job.get("resume") else job["run"]
        experiment.train(recipe, *sets, run, root=root, checkpoint_seconds=job.get("checkpoint", 60.0))
    except processes.Elsewhere as error:
        os._exit(error.exit_code)
    except RetinulaError as error:
        print(f"{job['run']}: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)
    os._exit(0)


def by_winograds_way(network: nn.Module, *_: object, **__: object) -> Hardware:
    """Choose for every convolution that can be computed so a way that does not show in what is trained."""
    fitting = [name for name, layer in network.named_modules() if type(layer) is nn.Conv2d and _pads_by_one(layer)]
    return Hardware("cpu", 1, False, "float32", "for the test", tuple((name, "winograd") for name in fitting))


def start(root: Path, job: dict[str, Any]) -> list[int]:
    """Fork the processes of a training."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(job["processes"]):
        child = os.fork()
        if not child:
            size = str(job["processes"])
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": size, "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": size}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            work(root, job)
        children.append(child)
    return children


def run(root: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Run a training, send the signal it asks for, and say how its processes ended."""
    children = start(root, job)
    begun = time.monotonic()
    if "signal" in job:
        steps = Run(root / job["run"]).steps_file
        while not steps.exists() or steps.read_text().count("\n") < 4:  # some steps are logged with a checkpoint
            time.sleep(0.01)
        begun = time.monotonic()
        os.kill(children[job["to"]], job["signal"])
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return {"ends": ends, "seconds": time.monotonic() - begun}


if __name__ == "__main__":
    signal.alarm(LONGEST)
    measured = mock.patch.object(loop, "choose_hardware", side_effect=by_winograds_way)
    with measured, mock.patch.object(experiment, "draw_training"):  # drawing takes longer than such a training
        print(json.dumps([run(Path(sys.argv[1]), job) for job in json.loads(sys.argv[2])]))
