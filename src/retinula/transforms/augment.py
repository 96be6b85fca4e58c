"""Augmentation: what is done to pictures while training, so that no epoch shows the same ones twice.

Works on whole batches in memory; every picture has its own parameters, all drawn from one generator, so that a
seed fixes everything. Belongs to training: evaluation and prediction never see it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import torch

from retinula.errors import InputError, nearest
from retinula.forms import Flip
from retinula.transforms import colour
from retinula.transforms.geometry import alternating_flips, crop_and_flip, cut_out, warp, warps
from retinula.transforms.levels import to_bytes, unit
from retinula.transforms.noise import add_noise
from retinula.transforms.photo import as_photos

Drawn = dict[str, torch.Tensor]  # of each picture of a batch, `[N]`, what chance gave it
WHOLE = slice(None)  # of a batch
# Of a channel, whose colours a thread changes together: as many as stay in its cache, and enough to be worth its start.
_PIXELS = 2**16


@dataclass(frozen=True)
class Augment:
    """What may happen to a picture; the default is nothing. Applied in this order.

    Attributes:
        probability: of a picture being changed at all, by a coin of its own; of the others only the centre is cut out
            where `random_crop` is given. Noise and mixing do not ask it.
        rotate: turn about the centre by up to so many degrees either way, 0..180; the picture is mirrored past its
            border.
        zoom: make so many times as large about the centre, by a factor from low to high: below 1 smaller, and more of
            what is mirrored past the border comes in.
        shear: lean to the side by up to so many degrees either way, 0..60.
        flip: left to right: never, by a coin every time, or every other epoch (`alternating`).
        vertical_flip: top to bottom, by a coin.
        crop_padding: shift by up to so many pixels each way; the picture is mirrored past its border.
        random_crop: cut out a window of this height and width, at a place drawn uniformly.
        photo: share of the pictures that are reframed, stretched, softened and stored as JPEG, as small photos are.
        hue: turn colours around the HSV circle by up to this fraction of it, either way, 0..0.5.
        contrast: scale the distance of pixels from their channel's mean by a factor from low to high.
        brightness: add up to this much, up or down, on the scale 0..1.
        saturation: scale the HSV saturation by a factor from low to high.
        cutout: fill a square of this side, in pixels, its centre anywhere on the picture.
        noise: add Gaussian noise of a deviation from low to high on the scale 0..1, and clip; only to what the
            network sees, never to what a reconstruction is compared with.
        mixup: mix whole pictures by a share from Beta(mixup, mixup); 0 for never.
        cutmix: put a box of one picture into another, its area from Beta(cutmix, cutmix); 0 for never.
    """

    probability: float = 1.0
    rotate: float = 0.0
    zoom: tuple[float, float] | None = None
    shear: float = 0.0
    flip: Flip = "none"
    vertical_flip: bool = False
    crop_padding: int = 0
    random_crop: tuple[int, int] | None = None
    photo: float = 0.0
    cutout: int = 0
    brightness: float = 0.0
    contrast: tuple[float, float] | None = None
    saturation: tuple[float, float] | None = None
    hue: float = 0.0
    noise: tuple[float, float] | None = None
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        flips = get_args(Flip)
        if self.flip not in flips:
            raise InputError(f"flip is none, random or alternating, not {self.flip!r}{nearest(self.flip, flips)}")
        for name in ("probability", "photo"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} lies between 0 and 1, not {getattr(self, name)}")
        for name, most in (("rotate", 180), ("shear", 60)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"{name} is in degrees, 0 to {most}, not {getattr(self, name)}")
        for name in ("crop_padding", "cutout", "brightness", "hue", "mixup", "cutmix"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be 0 or above, not {getattr(self, name)}")
        if self.hue > 0.5:
            raise InputError(f"hue must be at most 0.5, half the circle either way, not {self.hue}")
        self._check_ranges()
        if self.random_crop is not None and min(self.random_crop) < 1:
            raise InputError(f"random_crop must be at least 1x1 pixels, not {list(self.random_crop)}")

    def _check_ranges(self) -> None:
        for name in ("contrast", "saturation"):
            limits = getattr(self, name)
            if limits is not None and not 0 <= limits[0] <= limits[1] < float("inf"):
                raise InputError(f"{name} must be two factors, the lower first and 0 or above, not {list(limits)}")
        if self.zoom is not None and not 0 < self.zoom[0] <= self.zoom[1] < float("inf"):
            raise InputError(f"zoom must be two factors, the lower first and above 0, not {list(self.zoom)}")
        if self.noise is not None and not 0 <= self.noise[0] <= self.noise[1] <= 1:
            raise InputError(f"noise must be two deviations in 0..1, the lower first, not {list(self.noise)}")

    @property
    def changes_colour(self) -> bool:
        """Whether pictures come out as float32 in 0..1, not as uint8."""
        return bool(self.hue or self.brightness or self.contrast or self.saturation)

    @property
    def mixes(self) -> bool:
        """Whether pictures and their targets are mixed with others of the batch."""
        return bool(self.mixup or self.cutmix)

    @property
    def separable(self) -> bool:
        """Whether a part of a batch can be changed without the pictures of the rest, and with few of its chances."""
        return not (self.photo or self.noise or self.mixes)


def augment_images(
    images: torch.Tensor,
    augment: Augment,
    generator: torch.Generator,
    *,
    indices: torch.Tensor,
    epoch: int,
    seed: int,
    fill: Sequence[float] | None = None,
    drawn: Drawn | None = None,
    part: slice = WHOLE,
) -> torch.Tensor:
    """Change the pictures of a batch, each by parameters of its own; all but noise and mixing.

    Args:
        images: uint8 `[N, C, H, W]`; never written to.
        augment: what may happen.
        generator: where all chance comes from, but for alternating flips.
        indices: int64 `[N]`, positions in the set, and
        epoch: from 0, and
        seed: of the experiment: from these three come alternating flips.
        fill: for each channel the colour of cutout squares, 0..1; mid-grey where left out. The mean of the set
            makes the squares 0 after normalisation, as in the paper.
        drawn: told what was drawn for each picture, by the names of what happens.
        part: which of the `indices` the images are; the others' parameters are drawn as well, so that every picture
            comes out as it would with the whole batch. Only where `augment.separable`.

    Returns:
        `[N, C, h, w]`, of the size of `random_crop` if given: float32 in 0..1 where colours change, else uint8.
        The very images where nothing is to be done.

    Raises:
        InputError: the pictures are too small for `random_crop` or `crop_padding`.
        ValueError: a part where the pictures of the rest are needed.
    """
    if part != WHOLE and not augment.separable:
        raise ValueError("mixing and photos need the whole batch: cut the part out of what comes of it")
    count, (channels, height, width) = len(indices), images.shape[1:]
    window = augment.random_crop or (height, width)
    originals = images
    _check_fit(augment, (height, width))
    warped = _draw_warps(augment, generator, count)
    sources = warps(count, **warped)[part] if warped else None
    warped = {name: values[part] for name, values in warped.items()}
    moves = _draw_moves(augment, generator, (height, width), indices, epoch, seed)
    moves = {name: values[part] for name, values in moves.items()}
    colours = _draw_colours(augment, generator, count)
    colours = {name: values[part] for name, values in colours.items()}
    drawn = {} if drawn is None else drawn
    drawn |= warped | moves | colours
    if sources is not None:
        images = warp(images, sources, size=window, **moves)
    elif moves:
        images = crop_and_flip(images, size=window, **moves)
    if augment.photo:
        chosen = torch.rand(count, generator=generator) < augment.photo
        images = images.clone()
        amounts: Drawn = {}
        images[chosen] = as_photos(images[chosen], generator, amounts)
        for name, values in amounts.items():
            drawn[name] = torch.full((count,), torch.nan).masked_scatter(chosen, values)
    if augment.changes_colour:
        images = _coloured(images, colours)
    if augment.cutout:
        rows = torch.randint(window[0], (count,), generator=generator)[part]
        columns = torch.randint(window[1], (count,), generator=generator)[part]
        drawn |= {"cutout_row": rows, "cutout_column": columns}
        grey = torch.tensor(fill if fill is not None else (0.5,) * channels)
        if images.dtype == torch.uint8:
            grey = to_bytes(grey)
        images = cut_out(images, side=augment.cutout, rows=rows, columns=columns, fill=grey)
    if augment.probability < 1 and images is not originals:
        changed = torch.rand(count, generator=generator)[part] < augment.probability
        drawn["changed"] = changed
        images = torch.where(changed[:, None, None, None], images, _unchanged(originals, window, images.dtype))
    return images


def spoil(
    images: torch.Tensor, augment: Augment, generator: torch.Generator, drawn: Drawn | None = None
) -> torch.Tensor:
    """Add noise to the pictures of a batch, to each of a deviation of its own.

    Args:
        images: `[N, C, H, W]`, uint8 or float32 in 0..1, as `augment_images` gives them; never written to.
        augment: its `noise` counts.
        generator: where all chance comes from.
        drawn: told the deviation of each picture.

    Returns:
        float32 in 0..1 of the same shape; the very images where there is no noise.
    """
    if augment.noise is None:
        return images
    low, high = augment.noise
    deviations = torch.rand(len(images), generator=generator) * (high - low) + low
    if drawn is not None:
        drawn["noise"] = deviations
    return add_noise(images, deviations, generator)


def _unchanged(images: torch.Tensor, window: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    """Give the centres of the pictures in the form of the changed ones."""
    top, left = (images.shape[2] - window[0]) // 2, (images.shape[3] - window[1]) // 2
    centres = images[:, :, top : top + window[0], left : left + window[1]]
    return centres if dtype == images.dtype else unit(centres)


def _check_fit(augment: Augment, size: tuple[int, int]) -> None:
    shown = f"{size[0]}x{size[1]}"
    if augment.crop_padding >= min(size):
        raise InputError(f"crop_padding is {augment.crop_padding}, but must be below the side of pictures of {shown}")
    if augment.random_crop and (augment.random_crop[0] > size[0] or augment.random_crop[1] > size[1]):
        raise InputError(f"random_crop is {list(augment.random_crop)}, larger than the pictures, {shown}")


def _draw_warps(augment: Augment, generator: torch.Generator, count: int) -> dict[str, torch.Tensor]:
    """Draw how each picture is turned, scaled and sheared, uniformly within the limits: arguments of `warps`."""
    limits = {
        "turned": (-augment.rotate, augment.rotate) if augment.rotate else None,
        "enlarged": augment.zoom,
        "sheared": (-augment.shear, augment.shear) if augment.shear else None,
    }
    return _drawn_within(limits, generator, count)


def _draw_moves(
    augment: Augment,
    generator: torch.Generator,
    size: tuple[int, int],
    indices: torch.Tensor,
    epoch: int,
    seed: int,
) -> dict[str, torch.Tensor]:
    """Draw where each window lies and how it is flipped: arguments of `crop_and_flip`."""
    count, padding = len(indices), augment.crop_padding
    moves = {}
    if augment.flip == "alternating":
        moves["mirrored"] = alternating_flips(indices, epoch=epoch, seed=seed)
    elif augment.flip == "random":
        moves["mirrored"] = torch.rand(count, generator=generator) < 0.5
    if augment.vertical_flip:
        moves["upside_down"] = torch.rand(count, generator=generator) < 0.5
    if padding or augment.random_crop:
        window = augment.random_crop or size
        for name, length, cut in (("top", size[0], window[0]), ("left", size[1], window[1])):
            moves[name] = torch.randint(-padding, length - cut + padding + 1, (count,), generator=generator)
    return moves


def _draw_colours(augment: Augment, generator: torch.Generator, count: int) -> dict[str, torch.Tensor]:
    """Draw how much each picture's colours change, uniformly within the limits, in the order of application."""
    limits = {
        "hue": (-augment.hue, augment.hue) if augment.hue else None,
        "contrast": augment.contrast,
        "brightness": (-augment.brightness, augment.brightness) if augment.brightness else None,
        "saturation": augment.saturation,
    }
    return _drawn_within(limits, generator, count)


def _drawn_within(
    limits: Mapping[str, tuple[float, float] | None], generator: torch.Generator, count: int
) -> dict[str, torch.Tensor]:
    """Draw an amount for each picture uniformly between two limits, for every name that has some."""
    return {
        name: torch.rand(count, generator=generator) * (both[1] - both[0]) + both[0]
        for name, both in limits.items()
        if both is not None
    }


def _coloured(images: torch.Tensor, colours: dict[str, torch.Tensor]) -> torch.Tensor:
    """Change colours in the order of the published work: hue, contrast, brightness, saturation; clip last."""
    count, channels, height, width = images.shape
    coloured = torch.empty(images.shape)
    together = max(1, min(count, _PIXELS * torch.get_num_threads() // (height * width)))
    all_planes, all_scratch = colour.make_scratch(channels, together, (height, width))
    for first in range(0, count, together):
        size = min(together, count - first)
        part = slice(first, first + size)
        own = {name: values[part] for name, values in colours.items()}
        planes, scratch = all_planes[:, :size], all_scratch[:, :size]
        colour.fill_planes(planes, images[part])
        if "hue" in own:
            colour.shift_hue(planes, own["hue"], scratch)
        if "contrast" in own:
            colour.scale_contrast(planes, own["contrast"])
        if "brightness" in own:
            colour.add_brightness(planes, own["brightness"])
        if "saturation" in own:
            colour.scale_saturation(planes, own["saturation"], scratch)
        torch.clamp(planes.transpose(0, 1), 0, 1, out=coloured[part])
    return coloured
