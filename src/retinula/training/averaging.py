"""A running average of a network's weights, which errs less than the weights of any one step."""

import copy
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from retinula.training.body import learning_normalisations, train_mode


class WeightAverage:
    """An exponential average of weights (Polyak & Juditsky 1992); of other state, as counters, the newest.

    The running statistics of normalisations are the newest too, and fit the newest weights only: what is noise in these
    cancels in the average, so that its maps are smaller. Before the average is asked, `renew_statistics`.
    `normalisations` are the layers that have statistics which are not frozen.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network)
        train_mode(self.network)  # which leaves normalisation in a frozen body as it is
        self.normalisations = learning_normalisations(self.network)
        self.network.requires_grad_(False).eval()

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

    @torch.no_grad()
    def renew_statistics(
        self,
        batches: Iterable[torch.Tensor],
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> int:
        """Measure the running statistics of the averaged weights (Izmailov et al. 2018, Averaging weights).

        Args:
            batches: of inputs `[N, channels, H, W]`, N at least 2; not asked for where the network normalises nothing.
                The statistics are means weighted by batch size: the last of an epoch may have two.
            autocast: the precision to compute in.

        Returns:
            How many inputs they come from.
        """
        if not self.normalisations:
            return 0
        momenta = [layer.momentum for layer in self.normalisations]
        for layer in self.normalisations:
            layer.reset_running_stats()
            layer.train()
        num_images = 0
        for inputs in batches:
            num_images += len(inputs)
            for layer in self.normalisations:
                layer.momentum = len(inputs) / num_images
            with autocast():
                self.network(inputs)
        for layer, momentum in zip(self.normalisations, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()
        return num_images
