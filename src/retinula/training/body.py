"""The body of a network, all layers but its head: taken over from a trained model, perhaps with it, and frozen."""

import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.head import head_of


def take_weights(network: nn.Module, trained: nn.Module, *, head: bool) -> None:
    """Give a network the weights and statistics of a trained one.

    Args:
        network: of the same kind, perhaps for another number of classes; it is changed.
        trained: left as it is, and shares no memory with the network afterwards.
        head: whether to take the head as well, as where both tell the same classes apart; else the network's own stays.

    Raises:
        InputError: what would be taken differs.
    """
    mine, theirs = ((each.state_dict() if head else _body_state(each)) for each in (network, trained))
    if {name: values.shape for name, values in mine.items()} != {name: v.shape for name, v in theirs.items()}:
        raise InputError("the trained model's layers are not those of the network that is to begin from it")
    network.load_state_dict(theirs, strict=False)


def freeze_body(network: nn.Module) -> None:
    """Keep all but the head from being trained: no gradient is computed for it, or through it."""
    network.requires_grad_(False)
    network.get_submodule(head_of(network)).requires_grad_(True)


def train_mode(network: nn.Module) -> None:
    """Bring a network to training mode, but for normalisation in a frozen body.

    That uses the statistics it has and leaves them as they are. Dropout works even there: it has nothing to be frozen,
    and the head is better for it.
    """
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            weights = list(layer.parameters())
            if weights and not any(weight.requires_grad for weight in weights):
                layer.eval()


def learning_normalisations(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Return the normalisations of a network in training mode whose statistics are not frozen."""
    layers = (layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm))
    return [layer for layer in layers if layer.training]


def _body_state(network: nn.Module) -> dict[str, torch.Tensor]:
    head = head_of(network)
    return {name: value for name, value in network.state_dict().items() if not name.startswith(f"{head}.")}
