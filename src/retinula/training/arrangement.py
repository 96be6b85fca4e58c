"""A network as the steps of a training run it: the same weights and the same function, computed in a cheaper order.

Whatever else is done with a network (checkpoints, averages, validation, the model file) is done with the original.
Knows nothing of precision or device; whether laying pictures side by side pays is measured (`side_by_side_seconds`).
"""

import copy
import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import nn

from retinula.training.body import train_mode
from retinula.training.stopwatch import Clock, best_seconds

SMALL = 16  # pixels; the library's convolutions are at their best on maps from here on
_SIDE_BY_SIDE = 16  # pictures at most


class Seconds(NamedTuple):
    """Of one forward and backward pass of a layer."""

    plain: float
    side_by_side: float


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
        pictures = next(n for n in range(_SIDE_BY_SIDE, 0, -1) if len(inputs) % n == 0)
        if pictures == 1:
            return self.convolution(inputs)  # type: ignore[no-any-return]  # a module's call
        wide = self.convolution(_Lay.apply(inputs, pictures))  # type: ignore[no-untyped-call]  # torch's own
        return _Cut.apply(wide, pictures)  # type: ignore[no-untyped-call, no-any-return]  # torch's own


def arrange(network: nn.Module, side_by_side: Iterable[str]) -> nn.Module:
    """Return a twin of the network that shares its weights and buffers and is in training mode.

    In the twin a ReLU that a max pooling follows changes places with it: values and gradients are the same to the
    bit, because the first of the largest pixels is also the first of those whose ReLU is the largest, and ReLU has
    but a quarter of them to go through. That cannot be slower, so it is not measured.

    Args:
        network: left as it is; it has to be where it is to be trained already, since moving it parts the twins.
        side_by_side: names of convolutions to see several pictures' maps side by side.
    """
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    twin = copy.deepcopy(network, dict(shared))
    for name in side_by_side:
        twin.set_submodule(name, SideBySide(twin.get_submodule(name)))
    for layers in list(twin.modules()):
        if type(layers) is nn.Sequential:
            _pool_before_relu(layers)
    train_mode(twin)
    return twin


def side_by_side_seconds(
    network: nn.Module,
    inputs: torch.Tensor,
    num_images: int,
    precision: Callable[[], AbstractContextManager[object]],
    clock: Clock = time.perf_counter,
) -> dict[str, Seconds]:
    """Measure every convolution that could see pictures side by side, both ways; equal ones only once.

    Args:
        network: runs forward once, in the mode it is in.
        inputs: a few pictures for that, as the network takes them.
        num_images: pictures in a batch of the training.
        precision: gives the context in which the network is to run.
        clock: seconds.

    Returns:
        By the convolution's name.
    """
    fitting = [(n, layer) for n, layer in network.named_modules() if type(layer) is nn.Conv2d and _pads_by_one(layer)]
    seen: dict[nn.Module, torch.Tensor] = {}

    def look(layer: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        seen[layer] = args[0]

    hooks = [layer.register_forward_pre_hook(look) for _, layer in fitting]
    with precision():
        network(inputs)
    for hook in hooks:
        hook.remove()
    small = [(name, layer) for name, layer in fitting if layer in seen and seen[layer].shape[3] <= SMALL]
    of_kind: dict[tuple[Any, ...], Seconds] = {}
    of_layer: dict[str, Seconds] = {}
    for name, layer in small:
        maps = seen[layer]
        kind = (str(layer), layer.weight.requires_grad, maps.shape, maps.dtype, maps.requires_grad)
        if kind not in of_kind:
            batch = maps.detach()[:1].repeat(num_images, 1, 1, 1).contiguous(memory_format=_memory_format(maps))
            batch.requires_grad_(maps.requires_grad)
            of_kind[kind] = Seconds(
                *best_seconds([_step(one, batch, precision) for one in (layer, SideBySide(layer))], clock)
            )
        of_layer[name] = of_kind[kind]
    return of_layer


class _Lay(torch.autograd.Function):
    """From `[N, channels, height, width]` to `[N / pictures, channels, height, pictures * (width + 1)]`."""

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor, pictures: int) -> torch.Tensor:
        ctx.pictures = pictures
        return _lay(maps, pictures)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _cut(gradient, ctx.pictures), None


class _Cut(torch.autograd.Function):
    """The way back, without the columns between the pictures."""

    @staticmethod
    def forward(ctx: Any, wide: torch.Tensor, pictures: int) -> torch.Tensor:
        ctx.pictures = pictures
        return _cut(wide, pictures)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _lay(gradient, ctx.pictures), None


def _lay(maps: torch.Tensor, pictures: int) -> torch.Tensor:
    num_images, channels, height, width = maps.shape
    wide = _empty_like(maps, num_images // pictures, height, pictures * (width + 1))
    columns = wide.view(-1, channels, height, pictures, width + 1)
    columns[..., :width] = maps.view(-1, pictures, channels, height, width).permute(0, 2, 3, 1, 4)
    columns[..., width] = 0
    return wide


def _cut(wide: torch.Tensor, pictures: int) -> torch.Tensor:
    num_rows, channels, height, total = wide.shape
    width = total // pictures - 1
    maps = _empty_like(wide, num_rows * pictures, height, width)
    columns = wide.view(-1, channels, height, pictures, width + 1)
    maps.view(-1, pictures, channels, height, width).copy_(columns[..., :width].permute(0, 3, 1, 2, 4))
    return maps


def _empty_like(maps: torch.Tensor, num_images: int, height: int, width: int) -> torch.Tensor:
    shape = (num_images, maps.shape[1], height, width)
    return torch.empty(shape, dtype=maps.dtype, device=maps.device, memory_format=_memory_format(maps))


def _pool_before_relu(layers: nn.Sequential) -> None:
    for place in range(len(layers) - 1):
        relu, pool = layers[place], layers[place + 1]
        if type(relu) is nn.ReLU and type(pool) is nn.MaxPool2d and _leaves_fewer(pool):
            layers[place], layers[place + 1] = pool, relu


def _step(
    layer: nn.Module, maps: torch.Tensor, precision: Callable[[], AbstractContextManager[object]]
) -> Callable[[], None]:
    """Return what runs a layer forward and backward, without leaving gradients behind."""
    wanted = [tensor for tensor in (maps, *layer.parameters()) if tensor.requires_grad]

    def step() -> None:
        with precision():
            outputs = layer(maps)
        if wanted:
            torch.autograd.grad(outputs, wanted, torch.ones_like(outputs))

    return step


def _pads_by_one(layer: nn.Conv2d) -> bool:
    """Whether a column of zeros between two pictures is all that a convolution sees of either's surroundings."""
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
    return plain and layer.kernel_size == (3, 3) and layer.padding == (1, 1)


def _leaves_fewer(pool: nn.MaxPool2d) -> bool:
    """Whether there are fewer pixels behind a pooling than before it, and nothing but pixels."""
    stride = pool.stride if isinstance(pool.stride, tuple) else (pool.stride, pool.stride)
    return math.prod(stride) > 1 and not pool.return_indices


def _memory_format(maps: torch.Tensor) -> torch.memory_format:
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
