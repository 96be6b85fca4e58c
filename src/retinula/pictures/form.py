"""The form of the pictures that a model takes, or that a data set is wanted in, and how pictures are brought to it.

Knows nothing of files, labels or networks, and loads no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, get_args

import numpy as np
from PIL import Image

from retinula.errors import InputError
from retinula.files.strict_json import whole_number
from retinula.forms import LARGEST_SIDE, Resample, Resize
from retinula.images import Images
from retinula.pictures.decoding import flatten
from retinula.pictures.views import WHOLE, Box, Views

# Mid-grey is near the mean of photographs, so after normalisation the border is near zero and says nothing.
BORDER: Final = 128

_FILTERS: Final[dict[Resample, Image.Resampling]] = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class _Array(Protocol):
    """What NumPy's arrays and torch's tensors share."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, places: Any, /) -> Any: ...


_Arrays = TypeVar("_Arrays", bound=_Array)


@dataclass(frozen=True)
class Form:
    """From a picture of any size to uint8 `[channels, *size]`, and to what of it a network sees.

    Attributes:
        channels: 1 for grey, the luminance (ITU-R 601-2); 3 for red, green and blue.
        size: height and width that pictures are brought to, in pixels.
        resize: how: `squash` the whole picture whatever its proportions, cut the largest centred part of the right
            proportions (`crop`), or fit the whole with its proportions inside a mid-grey border (`pad`).
        crop: height and width of the centre that the network sees, or None for all of it.
        resample: the filter, by Pillow's names; `box` is the mean over an area.
        views: which parts of a photo are looked at beside the whole, and averaged.

    Raises:
        InputError: pictures cannot be brought to it.
    """

    channels: int
    size: tuple[int, int]
    resize: Resize = field(default="squash", kw_only=True)
    crop: tuple[int, int] | None = field(default=None, kw_only=True)
    resample: Resample = field(default="bicubic", kw_only=True)
    views: Views = field(default=WHOLE, kw_only=True)

    def __post_init__(self) -> None:
        for size in (self.size, self.crop or self.size):
            if not 1 <= min(size) <= max(size) <= LARGEST_SIDE:
                raise InputError(f"pictures are 1 to {LARGEST_SIDE} pixels high and wide, not {list(size)}")
        if self.channels not in (1, 3):
            raise InputError(f"pictures have 1 or 3 channels, not {self.channels}")
        if self.resize not in get_args(Resize):
            raise InputError(f"resize is squash, crop or pad, not {self.resize!r}")
        if self.resample not in get_args(Resample):
            raise InputError(f"resample is {', '.join(get_args(Resample))}, not {self.resample!r}")
        if self.crop and (self.crop[0] > self.size[0] or self.crop[1] > self.size[1]):
            raise InputError(f"the crop {list(self.crop)} is larger than the pictures, {list(self.size)}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width that pictures are brought to."""
        return (self.channels, *self.size)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what the network sees."""
        return (self.channels, *(self.crop or self.size))

    @property
    def plain(self) -> bool:
        """Whether photos are made small as the first version did: by the bicubic filter, the whole alone."""
        return self.resample == "bicubic" and self.views.number == 1

    def shrink(self, picture: Image.Image, part: Box | None = None) -> Images:
        """Bring a picture of any size to uint8 `[channels, *size]`.

        The filter is widened by the factor of reduction, so that it is antialiased always; the same filter enlarges. A
        picture of the right size keeps its exact pixels.

        Args:
            picture: as `decode` gives it; other modes are flattened first.
            part: what is made small of it instead of the whole.
        """
        picture = flatten(picture)
        if self.channels == 1:
            picture = picture.convert("L")
        height, width = self.size
        box = part or (0.0, 0.0, float(picture.width), float(picture.height))
        if self.resize == "pad":
            return pixels(self._padded(picture, box), self.channels)
        if self.resize == "crop":
            box = _centre(box, width / height)
        return pixels(picture.resize((width, height), _FILTERS[self.resample], box=box), self.channels)

    def look_at(self, picture: Image.Image) -> Images:
        """Bring all views of a picture to uint8 `[V, channels, *size]`, the whole first; as `shrink` does."""
        picture = flatten(picture)  # once, not for every part
        height, width = self.size
        parts = [None, *self.views.boxes(picture.size, width / height)]
        small = np.stack([self.shrink(picture, part) for part in parts])
        return np.concatenate([small, small[..., ::-1]]) if self.views.mirror else small

    def centre(self, images: _Arrays) -> _Arrays:
        """Cut the centre out of an array or tensor `[..., H, W]`, where the network sees only that; no copy."""
        if self.crop is None:
            return images
        height, width = self.crop
        top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
        seen: _Arrays = images[..., top : top + height, left : left + width]
        return seen

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold and `from_dict` reads back."""
        return {
            "channels": self.channels,
            "size": list(self.size),
            "resize": self.resize,
            "crop": None if self.crop is None else list(self.crop),
            "resample": self.resample,
            "views": self.views.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Form":
        """Build from the value of `to_dict`; others raise `InputError`, `LookupError`, `TypeError`, `ValueError`."""
        return cls(
            whole_number(values["channels"], "channels"),
            _sides(values["size"], "size"),
            resize=values["resize"],
            crop=None if values["crop"] is None else _sides(values["crop"], "crop"),
            # Files of earlier versions have neither.
            resample=values.get("resample", "bicubic"),
            views=Views.from_dict(values["views"]) if "views" in values else WHOLE,
        )

    def _padded(self, picture: Image.Image, box: Box) -> Image.Image:
        height, width = self.size
        box_width, box_height = box[2] - box[0], box[3] - box[1]
        scale = min(width / box_width, height / box_height)
        inner_width = min(width, max(1, round(box_width * scale)))
        inner_height = min(height, max(1, round(box_height * scale)))
        colour = BORDER if picture.mode == "L" else (BORDER, BORDER, BORDER)
        framed = Image.new(picture.mode, (width, height), colour)
        corner = ((width - inner_width) // 2, (height - inner_height) // 2)
        framed.paste(picture.resize((inner_width, inner_height), _FILTERS[self.resample], box=box), corner)
        return framed


def pixels(picture: Image.Image, channels: int) -> Images:
    """Return a picture at its own size as uint8 `[channels, H, W]`: its luminance, or red, green and blue."""
    values = np.asarray(flatten(picture).convert("L" if channels == 1 else "RGB"))
    return np.ascontiguousarray(np.atleast_3d(values).transpose(2, 0, 1))


def _sides(sides: Any, name: str) -> tuple[int, int]:
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        raise InputError(f"{name} is a height and a width, not {sides!r:.60}")
    height, width = sides
    return whole_number(height, name), whole_number(width, name)


def _centre(box: Box, proportion: float) -> Box:
    """Return the largest centred part of a box with `proportion` = width / height."""
    left, top, right, bottom = box
    width = min(right - left, (bottom - top) * proportion)
    height = min(bottom - top, (right - left) / proportion)
    left, top = left + (right - left - width) / 2, top + (bottom - top - height) / 2
    return left, top, left + width, top + height
