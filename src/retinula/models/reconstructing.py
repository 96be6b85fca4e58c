"""What a network can do that gives pictures back: asked for by what it has, never by its class."""

from typing import Protocol, runtime_checkable

import torch

# Positions a multiple of this apart are alike to every network, whose strides and squares all go evenly into it: so
# whole pictures can be done in tiles.
ALIGNMENT = 64


@runtime_checkable
class Reconstructs(Protocol):
    """A network that makes pictures of any size from pictures.

    Attributes:
        reach: how many pixels away from a place its input can change the output there.
    """

    reach: int

    def reconstruct(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the pictures `[N, C, H, W]`, 0..1, that the network makes of the inputs."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A network with a code between pictures and pictures."""

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        """Turn inputs `[N, C, H, W]` into codes `[N, K, ceil(H / f), ceil(W / f)]`."""
        ...

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Turn codes `[N, K, h, w]` into the logits `[N, C, f * h, f * w]` of pictures."""
        ...
