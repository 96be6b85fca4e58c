"""What is kept when a loss is not finite, so that someone can find out why."""

from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import numpy as np

from retinula.errors import Diverged, RetinulaError
from retinula.files.durable import replacing_folder, write_json
from retinula.runs.run import Run
from retinula.training import processes
from retinula.training.plan import Plan
from retinula.transforms.batches import Batch


def keep_failure(plan: Plan, batch: Batch, loss: float, learning_rate: float, run: Run) -> NoReturn:
    """Write down what led to a loss that is not finite, and stop.

    Raises:
        Diverged: always; it says so where a disk refuses what was to be kept.
    """
    reason = f"the loss is {loss} at step {batch.step + 1} (learning rate {learning_rate:g})"
    with suppress(RetinulaError):  # a disk that refuses this is told of below
        run.note(reason)
    kept = f"the batch is kept in {run.failure}"
    if processes.is_first():
        try:
            with replacing_folder(run.failure) as folder:
                _write(folder, plan, batch, loss, learning_rate)
        except RetinulaError as error:
            kept = f"the batch could not be kept: {error}"
    raise Diverged(reason, remedy=f"{kept}; try a lower optimizer.lr, or optimizer.clip_norm=1")


def _write(folder: Path, plan: Plan, batch: Batch, loss: float, learning_rate: float) -> None:
    positions = batch.indices.numpy()
    sources = plan.train_set.sources
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
