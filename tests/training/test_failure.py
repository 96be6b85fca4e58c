"""That a training has diverged is told, whatever becomes of what is kept of it."""

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retinula.errors import Diverged, RetinulaError
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.runs.run import Run, create_run
from retinula.training.hardware import Hardware
from retinula.training.loop import train

STEEP = ("lr=1e30", "optimizer=sgd", "momentum=0", "nesterov=false", "schedule=constant", "model.arguments.width=0.25")


def full(file: Path, **_: object) -> None:
    file.write_bytes(b"half")
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("logs_too", [False, True])
def test_a_full_disk_hides_no_divergence(
    logs_too: bool, make_set: Callable[..., ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RetinulaError("cannot write it: No space left on device")

    run = create_run(load_recipe("digits", STEEP), {}, root=tmp_path)
    monkeypatch.setattr(np, "savez_compressed", full)
    if logs_too:
        monkeypatch.setattr(Run, "add_steps", refuse)
        note = Run.note
        monkeypatch.setattr(
            Run, "note", lambda self, text: (refuse if text.startswith("the loss is") else note)(self, text)
        )
    unkept = rf"the batch could not be kept: cannot write {run.failure}: No space left on device; try a lower"
    with pytest.raises(Diverged, match=rf"^the loss is (nan|inf) at step \d+ \(.*\); {unkept}") as caught:
        train(load_recipe("digits", STEEP), make_set(), None, run, hardware=Hardware("cpu", 1, False, "float32", ""))
    assert not run.failure.exists()
    assert not list(run.path.glob(".retinula-*"))
    assert (str(caught.value).partition(";")[0] in run.log_file.read_text()) == (not logs_too)
