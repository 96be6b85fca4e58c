"""A network as the steps of a training run it: the same weights and the same function, computed in a cheaper way.

Whatever else is done with a network (checkpoints, averages, validation, the model file) is done with the original.
Knows nothing of devices, and of the precision only whether it is float32; which way is the cheapest for a convolution
is measured (`seconds_by_way`).
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, Literal

import torch
from torch import nn

from retinula.models.watching import watched
from retinula.training import winograd
from retinula.training.body import train_mode
from retinula.training.side_by_side import MOST_SIDE_BY_SIDE, SideBySide, memory_format
from retinula.training.stopwatch import Clock, best_seconds
from retinula.training.winograd import Winograd

SMALL = 16  # pixels; the library's convolutions are at their best on maps from here on
FEWEST_CHANNELS = 32  # with fewer on either side Winograd's way has never been seen to gain
# Multiply-adds of one pass of a layer's trial at most, as far as a few pictures suffice; a trial makes some twenty.
TRIAL_MULTIPLY_ADDS = 4_000_000_000

Way = Literal["plain", "side_by_side", "winograd", "winograd_gradients"]


def arrange(network: nn.Module, ways: Iterable[tuple[str, Way]]) -> nn.Module:
    """Return a twin of the network that shares its weights and buffers and is in training mode.

    In the twin a ReLU that a max pooling follows changes places with it: values and gradients are the same to the
    bit, because the first of the largest pixels is also the first of those whose ReLU is the largest, and ReLU has
    but a quarter of them to go through. That cannot be slower, so it is not measured.

    Args:
        network: left as it is; it has to be where it is to be trained already, since moving it parts the twins.
        ways: names of convolutions, each with the way in which it is to be computed.
    """
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    twin = copy.deepcopy(network, dict(shared))
    for name, way in ways:
        twin.set_submodule(name, _computed(twin.get_submodule(name), way))
    for layers in list(twin.modules()):
        if type(layers) is nn.Sequential:
            _pool_before_relu(layers)
    train_mode(twin)
    return twin


def seconds_by_way(
    network: nn.Module,
    inputs: torch.Tensor,
    num_images: int,
    precision: Callable[[], AbstractContextManager[object]],
    clock: Clock = time.perf_counter,
) -> dict[str, dict[Way, float]]:
    """Measure every convolution that can be computed in more than one way in all of them; equal ones only once.

    Args:
        network: runs forward once, in the mode it is in.
        inputs: a few pictures for that, as the network takes them.
        num_images: pictures of a trial at most.
        precision: gives the context in which the network is to run.
        clock: seconds.

    Returns:
        By the convolution's name, of one forward and backward pass.
    """
    fitting = {n: layer for n, layer in network.named_modules() if type(layer) is nn.Conv2d and _pads_by_one(layer)}
    seen: dict[str, torch.Tensor] = {}

    def look(name: str, given: torch.Tensor, _output: torch.Tensor) -> None:
        seen[name] = given

    with watched(fitting, look), precision():
        network(inputs)
        exact = not torch.is_autocast_enabled(inputs.device.type)
    of_kind: dict[tuple[Any, ...], dict[Way, float]] = {}
    of_layer: dict[str, dict[Way, float]] = {}
    for name, layer in fitting.items():
        if name not in seen:
            continue
        maps = seen[name]
        ways = _ways(layer, maps, exact)
        if len(ways) == 1:
            continue
        trained = (layer.weight.requires_grad, maps.requires_grad)
        kind = (str(layer), maps.shape, maps.dtype, memory_format(maps), trained)
        if kind not in of_kind:
            of_kind[kind] = _measured(layer, maps, ways, num_images, precision, clock)
        of_layer[name] = of_kind[kind]
    return of_layer


def _ways(layer: nn.Conv2d, maps: torch.Tensor, exact: bool) -> Sequence[Way]:
    """Return the ways worth a trial, the plain one first."""
    height, width = maps.shape[2:]
    ways: list[Way] = ["plain"]
    if width <= SMALL:
        ways.append("side_by_side")
    # Under autocast products are bfloat16: the library makes them faster than sums in float32 could save them.
    wide = min(layer.in_channels, layer.out_channels) >= FEWEST_CHANNELS
    if exact and wide and memory_format(maps) == torch.channels_last and winograd.fits(height, width):
        ways.append("winograd")
        if maps.requires_grad or layer.weight.requires_grad:
            ways.append("winograd_gradients")
    return ways


def _measured(
    layer: nn.Conv2d,
    maps: torch.Tensor,
    ways: Sequence[Way],
    num_images: int,
    precision: Callable[[], AbstractContextManager[object]],
    clock: Clock,
) -> dict[Way, float]:
    """Return the seconds of a pass of one layer over maps like these, in each way."""
    # Pictures are laid side by side in the largest number that divides them, so there have to be whole groups.
    group = MOST_SIDE_BY_SIDE if "side_by_side" in ways else 1
    groups = max(1, TRIAL_MULTIPLY_ADDS // _multiply_adds(layer, maps) // group)
    batch = maps.detach()[:1].repeat(min(num_images, groups * group), 1, 1, 1)
    batch = batch.contiguous(memory_format=memory_format(maps))
    batch.requires_grad_(maps.requires_grad)
    steps = [_step(_computed(layer, way), batch, precision) for way in ways]
    return dict(zip(ways, best_seconds(steps, clock), strict=True))


def _computed(layer: nn.Module, way: Way) -> nn.Module:
    if way == "side_by_side":
        return SideBySide(layer)
    return layer if way == "plain" else Winograd(layer, forwards=way == "winograd")


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


def _multiply_adds(layer: nn.Conv2d, maps: torch.Tensor) -> int:
    return layer.weight.numel() * maps.shape[2] * maps.shape[3]
