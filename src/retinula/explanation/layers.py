"""A network's layers by name: its convolutions, and those whose maps are finished. Knows nothing of pictures."""

import torch
from torch import nn

from retinula.errors import InputError, nearest
from retinula.models.watching import watched

Convolution = nn.Conv2d | nn.ConvTranspose2d
MAPS_NDIM = 4  # [N, C, h, w]
_ACTIVATIONS = nn.ReLU.__module__  # where torch keeps all of them


def convolutions(network: nn.Module) -> dict[str, Convolution]:
    """Return the convolutions of a network by their names in it, transposed ones too, in the order of building."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, Convolution)}


def convolution_named(network: nn.Module, name: str) -> Convolution:
    """Return one convolution.

    Raises:
        InputError: the network has no layer of that name, or it is none; the nearest is named.
    """
    known = convolutions(network)
    if name in known:
        return known[name]
    layer = dict(network.named_modules()).get(name) if name else None
    if layer is None:
        raise InputError(f"no layer {name!r}{nearest(name, known)}")
    raise InputError(f"layer {name!r} is no convolution, but a {type(layer).__name__}{nearest(name, known)}")


def sides_of_maps(network: nn.Module, inputs: torch.Tensor) -> dict[str, int]:
    """Return the shorter side of the maps of every layer that has maps, by its name and in order of use.

    Of convolutions and normalisations, and of what only pools or drops their outputs, there are none as long as any
    other layer has maps: what comes before the activation counts constants that the next layer takes away. So those
    are left of activations, of what pools these, and of whole blocks.

    Args:
        network: any; it is run once.
        inputs: float32 `[N, C, H, W]`.
    """
    layers = {name: layer for name, layer in network.named_modules() if name}
    sides: dict[str, int] = {}
    bare: dict[str, int] = {}
    unactivated: dict[int, torch.Tensor] = {}  # by identity, which none else gets while they are kept

    def record(name: str, given: torch.Tensor, output: torch.Tensor) -> None:
        layer = layers[name]
        if _activates(layer):
            unactivated.pop(id(output), None)  # one in place gives back what it was given
        elif _weighs(layer) or (id(given) in unactivated and not any(layer.children())):
            unactivated[id(output)] = output
        for found in (sides, bare):
            found.pop(name, None)  # of a layer that is used twice the last use counts
        if output.ndim == MAPS_NDIM:
            (bare if id(output) in unactivated else sides)[name] = min(output.shape[2:])

    with watched(layers, record), torch.inference_mode():
        network(inputs)
    return sides or bare


def _activates(layer: nn.Module) -> bool:
    return any(kind.__module__ == _ACTIVATIONS for kind in type(layer).__mro__)


def _weighs(layer: nn.Module) -> bool:
    """Tell whether a layer has weights or running statistics of its own, not in a part of it."""
    return any(True for own in (layer.parameters, layer.buffers) for _ in own(recurse=False))
