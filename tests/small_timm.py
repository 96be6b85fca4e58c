"""timm for tests, with weights in place of published ones: drawn here, since none can be fetched."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.library import Library

# Of torchvision, by which it says at once whether its operators were built for another build of torch.
_OPERATORS = ("nms", "qnms")
_kept: list[Library] = []


def load_timm() -> Any:
    """Import timm. The wheel of torchvision on PyPI goes with torch for CUDA, and beside the lean build it refuses to
    be imported, for want of operators that timm never uses; they are declared here.
    """
    with suppress(ImportError, RuntimeError):
        return pytest.importorskip("timm", exc_type=ImportError)
    declared = Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # torch's own
    for name in _OPERATORS:
        declared.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")  # type: ignore[no-untyped-call]  # likewise
    _kept.append(declared)  # what is declared lasts as long as this
    return pytest.importorskip("timm")


def publish(folder: Path, name: str, seed: int = 0) -> Path:
    """Write weights of a network of timm as they are published: a safetensors file after the name, tag and all."""
    torch.manual_seed(seed)
    network = load_timm().create_model(name.partition(".")[0])
    path = folder / f"{name}.safetensors"
    save_file(network.state_dict(), path)
    return path
