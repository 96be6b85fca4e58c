"""A running average of a network's weights, which errs less than the weights of any one step."""

import copy

import torch
from torch import nn


class WeightAverage:
    """An exponential average of weights; of other state (running statistics) the newest (Polyak & Juditsky 1992)."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after step number `step`, counted from 1.

        The decay grows with the steps, as (1 + step) / (10 + step), until it is `decay`, so that the weights the
        training began with do not linger.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        mine: list[torch.Tensor] = list(self.network.parameters())
        theirs = [parameter.detach() for parameter in network.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, newest in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(newest)
