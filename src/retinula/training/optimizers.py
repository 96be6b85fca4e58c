"""Optimizers by name, and one step of each, SAM's two passes included."""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from pytorch_optimizer import SAM
from torch import nn

from retinula.errors import InputError
from retinula.models.head import head_of
from retinula.recipe.sections import Optimizer
from retinula.training.muon import ORTHOGONALISES, Muon
from retinula.training.parts import settled

RATE_FACTOR = "rate_factor"  # of a group: what the learning rate is multiplied by for it


@dataclass(frozen=True)
class _Subject:
    """What an optimizer is made for: a network, whether steps are fused, and which of its weights began at zero."""

    network: nn.Module
    fused: bool
    began_at_zero: Set[str]


def at_zero(network: nn.Module) -> frozenset[str]:
    """Return the names of a network's weights that are zero throughout."""
    return frozenset(name for name, weights in network.named_parameters() if not weights.any())


def build_optimizer(
    settings: Optimizer, network: nn.Module, device: torch.device, began_at_zero: Set[str] | None = None
) -> torch.optim.Optimizer:
    """Return the optimizer over the network's trainable weights.

    Weight decay touches only weights of two dimensions and more: on biases and normalisation it does harm
    (Goyal et al. 2017, section 5.3). Of Muon it touches what Muon itself moves, none of what it leaves to Adam.

    Args:
        settings: of the recipe.
        network: where it is to be trained already.
        device: on which it is.
        began_at_zero: `at_zero` of the network when its weights were drawn, before it took over any that were trained:
            a training that goes on knows no others. As it is where None.

    Raises:
        InputError: `body_rate` or Muon is asked for, but the network has no head.
    """
    # One fused pass over a weight and its averages reads memory once, where the plain loop reads it many times.
    fused = device.type in ("cpu", "cuda")
    subject = _Subject(network, fused, at_zero(network) if began_at_zero is None else began_at_zero)
    return settled(OPTIMIZERS[settings.name], settings)(settings, subject)


def _groups(settings: Optimizer, network: nn.Module) -> list[dict[str, Any]]:
    parts = [(1.0, [parameter for parameter in network.parameters() if parameter.requires_grad])]
    if settings.body_rate != 1:
        of_head = set(network.get_submodule(head_of(network)).parameters())
        ((_, trainable),) = parts
        parts = [
            (settings.body_rate, [p for p in trainable if p not in of_head]),
            (1.0, [p for p in trainable if p in of_head]),
        ]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in part if (p.ndim > 1) == decays], "weight_decay": decay, RATE_FACTOR: factor}
        for factor, part in parts
        for decays, decay in ((True, settings.weight_decay), (False, 0.0))
    ]
    return [group for group in groups if group["params"]]


def take_step(
    optimizer: torch.optim.Optimizer,
    network: nn.Module,
    backward: Callable[[], torch.Tensor],
    clip_norm: float = 0.0,
) -> torch.Tensor:
    """Compute gradients and move the weights once.

    Args:
        optimizer: from `build_optimizer`.
        network: whose weights move.
        backward: computes the batch's loss, calls `backward()` on it, returns it; called twice for SAM.
        clip_norm: bound on the norm of the whole gradient, 0 for none.

    Returns:
        The loss at the weights before the step, a scalar. Where it is not finite, the weights have not moved.
    """

    def gradients() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        return backward()

    loss = gradients()
    if not torch.isfinite(loss):
        return loss
    if isinstance(optimizer, SAM):
        # The second pass looks at weights that are not the network's own, so its batch statistics
        # must not enter the running ones (Foret et al. 2021).
        optimizer.first_step(zero_grad=True)
        with running_statistics_kept(network):
            gradients()
        _clip(network, clip_norm)
        optimizer.second_step()
    else:
        _clip(network, clip_norm)
        optimizer.step()
    return loss


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group, in proportion to its factor where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(RATE_FACTOR, 1.0)


@contextmanager
def running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """While it lasts, normalisation uses the batch's statistics but does not remember them."""
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    saved = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked = layer.num_batches_tracked.clone()
    try:
        yield
    finally:
        for layer, (momentum, tracked) in zip(layers, saved, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, tracked


def _sgd(settings: Optimizer, subject: _Subject, *, momentum: float, nesterov: bool) -> torch.optim.Optimizer:
    groups = _groups(settings, subject.network)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=momentum, nesterov=nesterov, fused=subject.fused)


def _adam(settings: Optimizer, subject: _Subject, *, betas: tuple[float, float], eps: float) -> torch.optim.Optimizer:
    groups = _groups(settings, subject.network)
    return torch.optim.Adam(groups, lr=settings.lr, betas=betas, eps=eps, fused=subject.fused)


def _adamw(settings: Optimizer, subject: _Subject, *, betas: tuple[float, float], eps: float) -> torch.optim.Optimizer:
    groups = _groups(settings, subject.network)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=betas, eps=eps, fused=subject.fused)


def _sam(
    settings: Optimizer, subject: _Subject, *, momentum: float, nesterov: bool, rho: float
) -> torch.optim.Optimizer:
    moves: dict[str, Any] = {"lr": settings.lr, "momentum": momentum, "nesterov": nesterov}
    return SAM(_groups(settings, subject.network), torch.optim.SGD, rho=rho, **moves)


def _muon(
    settings: Optimizer,
    subject: _Subject,
    *,
    momentum: float,
    nesterov: bool,
    betas: tuple[float, float],
    rest_rate: float,
) -> torch.optim.Optimizer:
    network = subject.network
    try:
        head = set(network.get_submodule(head_of(network)).parameters())
    except InputError as error:
        raise InputError(
            f"Muon needs a network with a head, which it leaves to Adam, and {type(network).__name__} has none: "
            "choose another optimizer.name"
        ) from error
    trainable = {name: weights for name, weights in network.named_parameters() if weights.requires_grad}
    # Muon moves weights by a share of their norm: what begins at zero would stay there.
    inner = {
        name: weights
        for name, weights in trainable.items()
        if weights.ndim > 1 and weights not in head and name not in subject.began_at_zero
    }
    others = [weights for name, weights in trainable.items() if name not in inner]
    groups: list[dict[str, Any]] = [
        {"params": list(inner.values()), ORTHOGONALISES: True, RATE_FACTOR: 1.0, "weight_decay": settings.weight_decay},
        {"params": others, ORTHOGONALISES: False, RATE_FACTOR: rest_rate, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return Muon(groups, lr=settings.lr, momentum=momentum, nesterov=nesterov, betas=betas)


OPTIMIZERS: Final[dict[str, Callable[..., torch.optim.Optimizer]]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "sam": _sam,
    "muon": _muon,
}


def _clip(network: nn.Module, clip_norm: float) -> None:
    if clip_norm:
        nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
