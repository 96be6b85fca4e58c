"""What every convolution of a network makes of one picture."""

import numpy as np
import torch
from numpy.typing import NDArray

from retinula.errors import InputError
from retinula.explanation.layers import convolutions
from retinula.images import Images
from retinula.models.watching import watched
from retinula.pictures.decoding import as_picture
from retinula.trained.model_file import Model

FeatureMaps = dict[str, NDArray[np.float32]]


def seen_picture(model: Model, picture: Images) -> Images:
    """Return what the network sees of a picture before normalisation: uint8 `[C, h, w]`, its `input_shape`.

    Args:
        model: any.
        picture: uint8 `[1, H, W]` or `[3, H, W]` of any size; made small as the model was trained.

    Raises:
        InputError: it is no such array.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[0] not in (1, 3) or not picture.size:
        raise InputError(f"a picture is uint8 [1, H, W] or [3, H, W], not {picture.dtype} {list(picture.shape)}")
    # A copy always: what a picture of the right size is brought to may be its own pixels, which cannot be written to.
    return np.array(model.preprocess.centre(model.preprocess.shrink(as_picture(picture))))


def feature_maps(model: Model, picture: Images) -> FeatureMaps:
    """Return the outputs of every convolution for one picture, before normalisation and activation.

    Args:
        model: any; it is not changed.
        picture: uint8 `[1, H, W]` or `[3, H, W]` of any size; made small as the model was trained.

    Returns:
        By the convolution's name, in order of use, float32 `[channels, h, w]`; of one that is used twice, its last use.

    Raises:
        InputError: the picture is no such array, or the network has no convolution.
    """
    layers = convolutions(model.network)
    if not layers:
        raise InputError(f"{model.network_name} has no convolution, so there are no feature maps to look at")
    small = torch.from_numpy(seen_picture(model, picture))
    weights = next(iter(layers.values())).weight
    inputs = model.preprocess.normalise(small[None].to(weights.device))
    maps: FeatureMaps = {}

    def record(name: str, _given: torch.Tensor, output: torch.Tensor) -> None:
        maps[name] = np.array(output[0].float().cpu().numpy())

    model.network.eval()
    with watched(layers, record), torch.inference_mode():
        model.network(inputs)
    return maps
