"""What storing pictures as JPEG does to them. Knows nothing of chance: the qualities are arguments."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image


def stored_as_jpeg(images: torch.Tensor, qualities: Sequence[int]) -> torch.Tensor:
    """Store each picture as JPEG, and read it again: uint8 `[N, C, H, W]`, new memory.

    Args:
        images: uint8 `[N, C, H, W]` with one channel or three.
        qualities: of each picture, 1 to 95.
    """
    again = np.empty((len(images), images.shape[2], images.shape[3], images.shape[1]), dtype=np.uint8)
    for number, (picture, quality) in enumerate(zip(images.permute(0, 2, 3, 1).numpy(), qualities, strict=True)):
        stored = io.BytesIO()
        upright = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else np.ascontiguousarray(picture))
        upright.save(stored, "JPEG", quality=quality)
        again[number] = np.asarray(Image.open(stored)).reshape(picture.shape)
    return torch.from_numpy(again).permute(0, 3, 1, 2).contiguous()
