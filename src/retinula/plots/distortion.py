"""The figure of one picture as training changes it, time after time."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from retinula.errors import InputError
from retinula.images import Images
from retinula.plots.figure import bare, new_figure, styled
from retinula.plots.tiles import tiled, upright
from retinula.transforms.augment import Augment, augment_images, spoil
from retinula.transforms.batches import generator_for
from retinula.transforms.levels import to_bytes

ROWS = 3
_WORDS = {
    "rotate": "turned by up to {0:g}\u00b0 either way",
    "zoom": "made {0[0]:g} to {0[1]:g} times as large",
    "shear": "leaned by up to {0:g}\u00b0 either way",
    "flip": "flipped left to right",
    "vertical_flip": "flipped top to bottom",
    "crop_padding": "shifted by 0 to {0} pixels",
    "random_crop": "cut to {0[1]} x {0[0]}",
    "photo": "reframed, softened and stored as JPEG in {0:.3g} % of cases",
    "hue": "hue \u00b1{0:g}",
    "contrast": "contrast {0[0]:g} to {0[1]:g}",
    "brightness": "brightness \u00b1{0:g}",
    "saturation": "saturation {0[0]:g} to {0[1]:g}",
    "cutout": "a square of {0} x {0} pixels covered",
    "noise": "noise of deviation {0[0]:g} to {0[1]:g}",
}


def happenings(augment: Augment) -> list[str]:
    """Return in words what may happen to a single picture; none where nothing does, as by mixing alone."""
    return [words.format(_value(augment, key)) for key, words in _WORDS.items() if _acts(augment, key)]


def distorted(picture: Images, augment: Augment, *, number: int, seed: int = 0) -> tuple[Images, list[str]]:
    """Return a picture as training changes it, so many times, and in words what may happen to it.

    Args:
        picture: uint8 `[C, H, W]`, at the size that training has it.
        augment: what may happen; what mixes two pictures is left out.
        number: how many times.
        seed: the same seed gives the same pictures.

    Returns:
        uint8 `[number, C, h, w]`, and the words; none where nothing happens to a single picture.

    Raises:
        InputError: the picture is too small.
    """
    happens = happenings(augment)
    images = torch.from_numpy(np.repeat(picture[None], number, axis=0))
    if not happens:
        return images.numpy(), happens
    chances = generator_for(seed, "augment")
    changed = augment_images(images, augment, chances, indices=torch.arange(number), epoch=0, seed=seed)
    changed = spoil(changed, augment, chances)
    if changed.dtype != torch.uint8:
        changed = to_bytes(changed)
    return np.asarray(changed.numpy()), happens


@styled
def distortions(picture: Images, augment: Augment, *, name: str, recipe: str, seed: int = 0) -> Figure:
    """Draw a picture and, beside it, nine of those that training makes of it; all but what mixes two pictures.

    Args:
        picture: uint8 `[C, H, W]`, at the size that training has it.
        augment: what may happen.
        name: of the picture.
        recipe: what the augmentation is called.
        seed: the same seed gives the same nine.

    Raises:
        InputError: nothing happens to a single picture, or it is too small.
    """
    changed, happens = distorted(picture, augment, number=ROWS * ROWS, seed=seed)
    if not happens:
        raise InputError(f"{recipe} shows every picture as it is: there is nothing to draw")
    remark = f"Each time anew: {', '.join(happens)}."
    if augment.probability < 1:
        remark += f" With probability {1 - augment.probability:g} a picture is neither moved nor recoloured."
    figure = new_figure(8, 4.6, f"{name} as training with {recipe} shows it", remark)
    left, right = figure.subplots(1, 2)
    left.imshow(upright(picture), interpolation="nearest")
    gap = max(1, round(max(changed.shape[2:]) / 16))
    sheet = tiled([upright(each) for each in changed], ROWS, gap=gap)
    right.imshow(sheet[gap:-gap, gap:-gap], interpolation="nearest")  # level with the picture beside it
    for axes, words, shape in ((left, "as it is", picture.shape), (right, "in training", changed.shape[1:])):
        axes.set_title(f"{words}, {shape[2]} x {shape[1]}", loc="center")
        bare(axes)
        axes.set_anchor("N")
    return figure


def _value(augment: Augment, key: str) -> Any:
    value = getattr(augment, key)
    return 100 * value if key == "photo" else value


def _acts(augment: Augment, key: str) -> bool:
    value = getattr(augment, key)
    return bool(value) and value != "none"
