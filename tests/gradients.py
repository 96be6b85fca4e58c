"""What a pass through a network gives, for comparing two ways of computing the same."""

import torch
from torch import nn


def outputs_and_gradients(network: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    """What a pass gives: outputs, then gradients of the inputs and of every weight, for a loss that tells all apart."""
    inputs = inputs.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    torch.manual_seed(3)  # dropout
    outputs = network(inputs)
    loss = (outputs * torch.linspace(-1, 2, outputs.numel()).to(outputs.dtype).view_as(outputs)).sum()
    wanted = [inputs, *(parameter for parameter in network.parameters() if parameter.requires_grad)]
    return [outputs, *torch.autograd.grad(loss, wanted)]


class Turned(nn.Module):
    """Rows for columns, so that the gradient does not lie in memory as the maps do."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.transpose(2, 3).contiguous()
