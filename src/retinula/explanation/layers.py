"""Finding a network's convolutions by name. Knows nothing of pictures."""

from torch import nn

from retinula.errors import InputError, nearest

Convolution = nn.Conv2d | nn.ConvTranspose2d


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
