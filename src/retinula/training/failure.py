"""What is kept when a loss is not finite, so that someone can find out why."""

from pathlib import Path
from typing import NoReturn

import numpy as np

from retinula.errors import Diverged
from retinula.files.durable import explained, write_json
from retinula.runs.run import Run
from retinula.training import processes
from retinula.training.plan import Plan
from retinula.transforms.batches import Batch


def keep_failure(plan: Plan, batch: Batch, loss: float, learning_rate: float, run: Run) -> NoReturn:
    """Write down what led to a loss that is not finite, and stop.

    Raises:
        Diverged: always, unless a disk refuses.
    """
    folder = run.failure
    message = (
        f"the loss is {loss} at step {batch.step + 1} (learning rate {learning_rate:g}); "
        f"the batch is kept in {folder}; try a lower optimizer.lr, or optimizer.clip_norm=1"
    )
    if processes.is_first():
        _write(folder, plan, batch, loss, learning_rate)
    run.note(message)
    raise Diverged(message)


def _write(folder: Path, plan: Plan, batch: Batch, loss: float, learning_rate: float) -> None:
    positions = batch.indices.numpy()
    sources = plan.train_set.sources
    with explained(folder):
        folder.mkdir(exist_ok=True)
        np.savez_compressed(
            folder / "batch.npz",
            images=plan.train_set.images[positions],
            labels=np.empty(0) if plan.train_set.labels is None else plan.train_set.labels[positions],
        )
    write_json(
        folder / "failure.json",
        {
            "step": batch.step + 1,
            "epoch": batch.epoch + 1,
            "loss": str(loss),
            "learning_rate": learning_rate,
            "positions": positions.tolist(),
            "sources": None if sources is None else [sources[position] for position in positions],
        },
    )
