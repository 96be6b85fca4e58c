"""Which layer of a network is its head: the one that turns features into the logits of classes."""

from torch import nn

from retinula.errors import InputError


def head_of(network: nn.Module) -> str:
    """Return the name of the head, the last linear layer; all other layers are the body.

    Raises:
        InputError: the network has no linear layer.
    """
    linear: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise InputError(f"{type(network).__name__} has no linear layer that could be replaced for other classes")
    return linear[-1]
