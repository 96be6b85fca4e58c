"""Which pictures of a set excite each channel of a convolution most."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from retinula.explanation.layers import convolution_named
from retinula.images import Images
from retinula.models.watching import watched
from retinula.portions import portions
from retinula.trained.model_file import Model

BATCH = 250


class Exciting(NamedTuple):
    """For each of a convolution's channels the pictures in which its output rises highest, the highest first.

    Attributes:
        pictures: int64 `[channels, k]`, places in the set.
        outputs: float32 `[channels, k]`, the highest output anywhere in the picture, before any activation.
    """

    pictures: NDArray[np.int64]
    outputs: NDArray[np.float32]


def exciting_pictures(model: Model, images: Images, layer: str, number: int = 9) -> Exciting:
    """Find the pictures of a set that excite the channels of a convolution most.

    Args:
        model: any; it is not changed.
        images: uint8 `[N, C, H, W]` of the preprocess's size, N above 0; may be memory-mapped.
        layer: the convolution's name.
        number: of pictures for each channel; fewer where the set has fewer.

    Raises:
        InputError: there is no such convolution.
    """
    convolution = convolution_named(model.network, layer)
    device = next(model.network.parameters()).device
    peaks: list[torch.Tensor] = []

    def record(_name: str, _given: torch.Tensor, output: torch.Tensor) -> None:
        peaks.append(output.float().amax(dim=(2, 3)).cpu())

    model.network.eval()
    highest: list[torch.Tensor] = []
    with watched({layer: convolution}, record), torch.inference_mode():
        for part in portions(len(images), images.shape[1:], most=BATCH):
            batch = torch.from_numpy(images[part].copy()).to(device)
            model.network(model.preprocess.inputs(batch))
            highest.append(peaks.pop())
            peaks.clear()  # of a layer that is used twice the last use counts
    every = torch.cat(highest).T
    outputs, pictures = every.topk(min(number, every.shape[1]), dim=1)
    return Exciting(pictures.numpy(), outputs.numpy())
