"""Pictures as bytes, 0..255, and as floats, 0..1: from the one to the other, the same way everywhere."""

import torch


def unit(images: torch.Tensor) -> torch.Tensor:
    """Bring uint8 pictures to float32 in 0..1; floating ones are there already."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def to_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """Bring floating pictures in 0..1 to uint8, each value to the nearest byte; what lies outside is clipped."""
    return pictures.clamp(0, 1).mul_(255).round_().to(torch.uint8)
