"""3x3 convolutions that see the small maps of several pictures as one wide map, on which the library is faster.

Knows nothing of when that pays; `training.arrangement` measures it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

MOST_SIDE_BY_SIDE = 16  # pictures

_Way = Callable[[torch.Tensor, int], torch.Tensor]


class SideBySide(nn.Module):
    """A 3x3 convolution of small maps that sees those of up to sixteen pictures as one wide map.

    Between two pictures lies a column of zeros, which is what each of them would have been padded with. The outputs,
    and all gradients, are the plain convolution's up to rounding. A batch that cannot be split into equal groups is
    convolved plainly.
    """

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Convolve `[N, channels, height, width]`."""
        pictures = next(n for n in range(MOST_SIDE_BY_SIDE, 0, -1) if len(inputs) % n == 0)
        if pictures == 1:
            return self.convolution(inputs)  # type: ignore[no-any-return]  # a module's call
        wide = self.convolution(_Rearranged.apply(inputs, pictures, _lay, _cut))  # type: ignore[no-untyped-call]  # torch's own
        return _Rearranged.apply(wide, pictures, _cut, _lay)  # type: ignore[no-untyped-call, no-any-return]  # torch's own


def memory_format(maps: torch.Tensor) -> torch.memory_format:
    """Return whether maps lie in memory with the channels last or one after another."""
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


class _Rearranged(torch.autograd.Function):
    """Maps by `_lay` or `_cut`, each of which takes back what the other has done; so does the gradient."""

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor, pictures: int, there: _Way, back: _Way) -> torch.Tensor:
        ctx.pictures, ctx.back = pictures, back
        return there(maps, pictures)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        return ctx.back(gradient, ctx.pictures), None, None, None


def _lay(maps: torch.Tensor, pictures: int) -> torch.Tensor:
    """From `[N, channels, height, width]` to `[N / pictures, channels, height, pictures * (width + 1)]`."""
    num_images, channels, height, width = maps.shape
    wide = _empty_like(maps, num_images // pictures, height, pictures * (width + 1))
    columns = wide.view(-1, channels, height, pictures, width + 1)
    columns[..., :width] = maps.view(-1, pictures, channels, height, width).permute(0, 2, 3, 1, 4)
    columns[..., width] = 0
    return wide


def _cut(wide: torch.Tensor, pictures: int) -> torch.Tensor:
    """The way back, without the columns between the pictures."""
    num_rows, channels, height, total = wide.shape
    width = total // pictures - 1
    maps = _empty_like(wide, num_rows * pictures, height, width)
    columns = wide.view(-1, channels, height, pictures, width + 1)
    maps.view(-1, pictures, channels, height, width).copy_(columns[..., :width].permute(0, 3, 1, 2, 4))
    return maps


def _empty_like(maps: torch.Tensor, num_images: int, height: int, width: int) -> torch.Tensor:
    shape = (num_images, maps.shape[1], height, width)
    return torch.empty(shape, dtype=maps.dtype, device=maps.device, memory_format=memory_format(maps))
