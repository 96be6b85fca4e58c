"""Common corruptions: what happens to pictures between the world and the network, at five strengths each.

The kinds follow Hendrycks & Dietterich 2019 (arXiv:1903.12261) and add shift, rotation and zoom; the strengths are our
own, chosen for pictures of some 32 pixels, so figures compare between models of this program and not with CIFAR-10-C.
Whole uint8 batches in memory, each picture by its own chance, all from one generator. Belongs to evaluation.
"""

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from retinula.errors import InputError, nearest
from retinula.transforms.jpeg import stored_as_jpeg
from retinula.transforms.levels import to_bytes, unit

STRENGTHS: Final = (1, 2, 3, 4, 5)
_FEW_PIXELS = 16  # of the shorter side: fewer do not make blocks of five sizes
Corruption = Callable[[Tensor, int, torch.Generator], Tensor]  # float in 0..1 `[N, C, H, W]` to the same, unclipped


def corrupt(images: Tensor, kind: str, strength: int, generator: torch.Generator) -> Tensor:
    """Return the pictures as a corruption leaves them: uint8 `[N, C, H, W]`, new memory.

    Args:
        images: uint8 `[N, C, H, W]` with one channel or three; never written to.
        kind: a name of `CORRUPTIONS`.
        strength: 1 to 5.
        generator: where all chance comes from.

    Raises:
        InputError: an unknown kind or strength.
    """
    if kind not in CORRUPTIONS:
        raise InputError(f"no corruption {kind!r}{nearest(kind, CORRUPTIONS)}")
    if strength not in STRENGTHS:
        raise InputError(f"the strength of a corruption is 1 to 5, not {strength}")
    spoilt = CORRUPTIONS[kind](unit(images), strength - 1, generator)
    return to_bytes(spoilt)


def _gaussian_noise(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    return pictures + (0.04, 0.06, 0.08, 0.10, 0.14)[level] * torch.randn(pictures.shape, generator=generator)


def _shot_noise(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    photons = (500, 250, 120, 75, 40)[level]
    return torch.poisson(pictures * photons, generator=generator) / photons


def _impulse_noise(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    share = (0.01, 0.02, 0.04, 0.07, 0.12)[level]
    drawn = torch.rand(pictures.shape, generator=generator)
    return torch.where(drawn < share / 2, 0.0, torch.where(drawn > 1 - share / 2, 1.0, pictures))


def _gaussian_blur(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    least = (0.40, 0.45, 0.50, 0.55, 0.60)[level]  # pixels: below, hardly anything of a pixel reaches the next one
    return _blurred(pictures, max(least, (0.4, 0.6, 0.8, 1.1, 1.5)[level] * _unit(pictures)))


def _motion_blur(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    length = (2.0, 3.0, 4.0, 5.0, 7.0)[level] * _unit(pictures)
    angles = torch.rand(len(pictures), generator=generator) * torch.pi
    steps = max(3, round(2 * length))
    total = torch.zeros_like(pictures)
    for step in range(steps):
        along = (step / (steps - 1) - 0.5) * length
        total += _moved(pictures, right=along * angles.cos(), down=along * angles.sin())
    return total / steps


def _jpeg(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    quality = (80, 60, 40, 25, 12)[level]
    return unit(stored_as_jpeg(to_bytes(pictures), [quality] * len(pictures)))


def _pixelation(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    if min(pictures.shape[2:]) < _FEW_PIXELS:
        return pictures.lerp(_in_blocks(pictures, 0.25), (0.65, 0.74, 0.82, 0.92, 1.0)[level])
    return _in_blocks(pictures, (0.69, 0.56, 0.44, 0.34, 0.25)[level])


def _in_blocks(pictures: Tensor, share: float) -> Tensor:
    """Keep this share of the pixels of each side, and lay them out over the whole."""
    small = [max(1, round(side * share)) for side in pictures.shape[2:]]
    fewer = F.interpolate(pictures, size=small, mode="area")
    return F.interpolate(fewer, size=pictures.shape[2:], mode="nearest-exact")


def _brightness(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    return pictures + (0.08, 0.15, 0.22, 0.30, 0.40)[level]


def _darkness(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    return pictures * (0.80, 0.65, 0.50, 0.35, 0.20)[level]


def _contrast(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (0.75, 0.55, 0.40, 0.28, 0.15)[level] * (pictures - mean)


def _saturation(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    grey = pictures.mean(dim=1, keepdim=True)
    return grey + (0.6, 0.3, 0.0, 2.0, 3.0)[level] * (pictures - grey)


def _fog(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    thickness = (0.2, 0.35, 0.5, 0.65, 0.8)[level]
    return pictures * (1 - thickness) + thickness * (0.6 + 0.4 * _clouds(pictures, generator))


def _shift(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    least = (0.71, 1.0, 1.3, 1.6, 2.0)[level]  # pixels: at any angle that is more than half a one across or down
    length = max(least, (1.0, 2.0, 3.0, 4.0, 6.0)[level] * _unit(pictures))
    angles = torch.rand(len(pictures), generator=generator) * (2 * torch.pi)
    # By whole pixels: by parts of them it would blur as well.
    return _moved(pictures, right=(length * angles.cos()).round(), down=(length * angles.sin()).round())


def _rotation(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    degrees = (5.0, 10.0, 15.0, 22.0, 30.0)[level]
    sides = torch.where(torch.rand(len(pictures), generator=generator) < 0.5, -1.0, 1.0)
    return _moved(pictures, turn=torch.deg2rad(degrees * sides), sampling="bicubic")


def _zoom_in(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    factor = (1.1, 1.2, 1.35, 1.5, 1.8)[level]
    return _moved(pictures, shrink=torch.full((len(pictures),), 1 / factor), sampling="bicubic")


def _zoom_out(pictures: Tensor, level: int, generator: torch.Generator) -> Tensor:
    factor = (1.1, 1.25, 1.45, 1.7, 2.0)[level]
    softened = _blurred(pictures, 0.35 * (factor - 1))  # as antialiasing would, or thin lines would vanish
    return _moved(softened, shrink=torch.full((len(pictures),), factor), sampling="bicubic")


CORRUPTIONS: Final[dict[str, Corruption]] = {
    "gaussian noise": _gaussian_noise,
    "shot noise": _shot_noise,
    "impulse noise": _impulse_noise,
    "gaussian blur": _gaussian_blur,
    "motion blur": _motion_blur,
    "jpeg": _jpeg,
    "pixelation": _pixelation,
    "brightness": _brightness,
    "darkness": _darkness,
    "contrast": _contrast,
    "saturation": _saturation,
    "fog": _fog,
    "shift": _shift,
    "rotation": _rotation,
    "zoom in": _zoom_in,
    "zoom out": _zoom_out,
}


def corruptions_of(channels: int) -> tuple[str, ...]:
    """Return the names of the corruptions that do anything to pictures of so many channels."""
    return tuple(kind for kind in CORRUPTIONS if channels > 1 or kind != "saturation")


def _unit(pictures: Tensor) -> float:
    """Return how many pixels stand for one pixel of a picture of 32."""
    return min(pictures.shape[2:]) / 32


def _blurred(pictures: Tensor, deviation: float) -> Tensor:
    """Blur by a Gaussian of this deviation in pixels; past the border the edge goes on."""
    reach = max(1, int(3 * deviation + 0.5))
    places = torch.arange(-reach, reach + 1).float()
    weights = torch.exp(-places.square() / (2 * max(deviation, 1e-3) ** 2))
    weights /= weights.sum()
    channels = pictures.shape[1]
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(across, weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def _moved(
    pictures: Tensor,
    *,
    right: Tensor | float = 0.0,
    down: Tensor | float = 0.0,
    turn: Tensor | float = 0.0,
    shrink: Tensor | float = 1.0,
    sampling: str = "bilinear",
) -> Tensor:
    """Move, turn (radians) and shrink every picture by amounts of its own; past the border it is mirrored."""
    count, _, height, width = pictures.shape
    right, down, turn, shrink = (torch.as_tensor(value).float().expand(count) for value in (right, down, turn, shrink))
    cos, sin = shrink * turn.cos(), shrink * turn.sin()
    rows = (
        torch.stack((cos, -sin * height / width, -2 * right / width), dim=1),
        torch.stack((sin * width / height, cos, -2 * down / height), dim=1),
    )
    grid = F.affine_grid(torch.stack(rows, dim=1), [count, 1, height, width], align_corners=False)
    return F.grid_sample(pictures, grid, mode=sampling, padding_mode="reflection", align_corners=False)


def _clouds(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return a field of smooth light and dark for each picture, 0..1 `[N, 1, H, W]`: noise of three sizes."""
    count, _, height, width = pictures.shape
    total = torch.zeros(count, 1, height, width)
    for cells, weight in ((3, 0.5), (6, 0.3), (12, 0.2)):
        noise = torch.rand(count, 1, cells, cells, generator=generator)
        total += weight * F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    return total.clamp_(0, 1)
