"""Looking at what goes into the layers of a network and what comes out, while it runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn


@contextmanager
def watched(
    layers: Mapping[str, nn.Module], look: Callable[[str, torch.Tensor, torch.Tensor], object]
) -> Iterator[None]:
    """Call `look` each time one of some layers has been used, until the context is left.

    Args:
        layers: by whatever names `look` is to be told.
        look: given the layer's name, its first input and its output. What is to be kept of an output has to be copied
            at once: an activation in place writes over it.
    """
    hooks = [layer.register_forward_hook(partial(_used, look, name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _used(
    look: Callable[[str, torch.Tensor, torch.Tensor], object],
    name: str,
    _layer: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    output: torch.Tensor,
) -> None:
    look(name, inputs[0], output)  # nothing is returned: torch would take it for the output
