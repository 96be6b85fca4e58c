"""What a convolution has learned to look for: its weights, as small pictures."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from retinula.errors import InputError
from retinula.explanation.layers import convolution_named, convolutions
from retinula.trained.model_file import Model


def filters(model: Model, layer: str, channel: int = 0) -> NDArray[np.float32]:
    """Return the weights by which each filter of a convolution takes one of its input channels.

    Args:
        model: any.
        layer: name of the convolution in the network; see `retinula models NAME`.
        channel: counted from 0 among the channels that a filter sees: in a convolution in groups, those of its group,
            so that a depthwise one has only channel 0.

    Returns:
        float32 `[filters, height, width]`, in memory of its own.

    Raises:
        InputError: no such convolution, or no such channel.
    """
    convolution = convolution_named(model.network, layer)
    groups = convolution.groups
    seen = convolution.in_channels // groups
    if not 0 <= channel < seen:
        known = "channel 0 only" if seen == 1 else f"channels 0 to {seen - 1}"
        raise InputError(f"the filters of {layer} see {known}, not {channel}")
    weights = convolution.weight.detach().float().cpu()
    if isinstance(convolution, nn.ConvTranspose2d):  # [inputs, outputs of a group, height, width]
        weights = weights.reshape(groups, seen, *weights.shape[1:]).transpose(1, 2).flatten(0, 1)
    return np.array(weights[:, channel].numpy())


def shaped_convolutions(model: Model) -> list[str]:
    """Return the names of the convolutions whose filters have a shape to look at: all that are not 1x1.

    Raises:
        InputError: there are none.
    """
    names = [name for name, each in convolutions(model.network).items() if tuple(each.kernel_size) != (1, 1)]
    if not names:
        raise InputError(f"{model.network_name} has no convolution larger than 1x1, so there are no filters to look at")
    return names
