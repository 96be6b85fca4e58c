"""The whole state of a training in one file, two generations of it; no pickle.

Knows nothing of networks or optimizers beyond their `state_dict`: any nesting of dicts, lists, numbers, text and
tensors can be written and comes back equal.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from retinula.errors import InputError, RetinulaError
from retinula.files.durable import explained
from retinula.files.tensor_file import load_tensors, save_tensors
from retinula.runs.run import Run

GENERATIONS = 2


def save_checkpoint(run: Run, step: int, state: dict[str, Any]) -> Path:
    """Write the state after `step` steps, keep the generation before it, and remove all others."""
    with explained(run.checkpoints):
        run.checkpoints.mkdir(exist_ok=True)
    tensors: dict[str, torch.Tensor] = {}
    path = run.checkpoint_file(step)
    skeleton = _take_apart(state, "state", tensors)
    save_tensors(path, tensors, {"step": step, "state": skeleton})
    # Those of later steps are left from a time that this training does not know: they were damaged.
    found = run.checkpoint_files()
    whole = [other for other in found if other.name <= path.name]
    for other in found:
        if other not in whole[-GENERATIONS:]:
            other.unlink(missing_ok=True)
    return path


def load_checkpoint(run: Run, on_damage: Callable[[str], None]) -> dict[str, Any] | None:
    """Read the newest state that is whole; None where there is no checkpoint at all.

    Args:
        run: as for `save_checkpoint`.
        on_damage: told about each generation that cannot be read.

    Raises:
        RetinulaError: there are checkpoints, but none of them is whole.
    """
    paths = run.checkpoint_files()
    for path in reversed(paths):
        try:
            tensors, header = load_tensors(path)
            state: dict[str, Any] = _put_together(header["state"], tensors)
        except (InputError, KeyError, TypeError, ValueError) as error:
            on_damage(f"checkpoint left aside: {error}")
        else:
            return state
    if paths:
        raise RetinulaError(
            f"{run.checkpoints}: none of the {len(paths)} checkpoints is whole; training cannot go on from here"
        )
    return None


def _take_apart(value: Any, place: str, tensors: dict[str, torch.Tensor]) -> Any:
    match value:
        case torch.Tensor():
            # A copy, since one tensor may stand in two places and safetensors shares no memory.
            tensors[place] = value.detach().clone()
            return {"tensor": place}
        case dict():
            # Pairs, because an optimizer's state has numbers for keys and JSON has not.
            return {"dict": [[key, _take_apart(item, f"{place}.{key}", tensors)] for key, item in value.items()]}
        case list() | tuple():
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [_take_apart(item, f"{place}.{number}", tensors) for number, item in enumerate(value)]}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"{place}: a {type(value).__name__} cannot be written to a checkpoint")


def _put_together(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "dict":
            return {key: _put_together(item, tensors) for key, item in content}
        case "list":
            return [_put_together(item, tensors) for item in content]
        case "tuple":
            return tuple(_put_together(item, tensors) for item in content)
        case _:
            raise ValueError(f"unknown kind {kind!r}")
