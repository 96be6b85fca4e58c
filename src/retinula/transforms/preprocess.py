"""Preprocess: how pictures become the inputs of a network. It belongs to the model for ever.

Training, photos, export and server all use the one in the model file, so they cannot disagree.
"""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from retinula.errors import InputError
from retinula.files.strict_json import number, whole_number
from retinula.forms import Resample, Resize
from retinula.images import Images
from retinula.pictures.shrinking import WHOLE, Views, check_form, look_at, shrink

# Of mean and std: those of pictures in 0..1 are below 1, and even those given by mistake for 0..255 are far below this.
_LARGEST = 1000.0
_LEAST_STD = 1e-6


@dataclass(frozen=True)
class Preprocess:
    """From a picture of any size to `inputs`, float32 `[N, channels, height, width]`.

    Attributes:
        channels: 1 for grey, 3 for red, green and blue.
        size: height and width that pictures are brought to.
        resize: how: `squash` the whole picture, its centre (`crop`), or with a border (`pad`).
        crop: height and width of the centre that the network sees, or None for all of it.
        mean: for each channel what is subtracted, on the scale 0..1; between -1000 and 1000.
        std: for each channel what the rest is divided by; between 1e-6 and 1000.
        resample: by which filter pictures are brought to their size.
        views: which parts of a photo are looked at beside the whole, and averaged.
    """

    channels: int
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Resize = "squash"
    crop: tuple[int, int] | None = None
    resample: Resample = "bicubic"
    views: Views = WHOLE

    def __post_init__(self) -> None:
        for size in (self.size, self.crop or self.size):
            check_form(size, self.channels, self.resize, self.resample)
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise InputError(f"mean and std need {self.channels} values each")
        # Beyond these bounds inputs can overflow; nan fails both comparisons.
        if not all(-_LARGEST <= value <= _LARGEST for value in self.mean):
            raise InputError(f"mean must lie between -{_LARGEST:g} and {_LARGEST:g}: {list(self.mean)}")
        if not all(_LEAST_STD <= value <= _LARGEST for value in self.std):
            raise InputError(f"std must lie between {_LEAST_STD:g} and {_LARGEST:g}: {list(self.std)}")
        if self.crop and (self.crop[0] > self.size[0] or self.crop[1] > self.size[1]):
            raise InputError(f"the crop {list(self.crop)} is larger than the pictures, {list(self.size)}")

    @property
    def plain(self) -> bool:
        """Whether photos are made small as the first version did: by the bicubic filter, the whole alone."""
        return self.resample == "bicubic" and self.views.number == 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what the network sees."""
        return (self.channels, *(self.crop or self.size))

    def shrink(self, picture: Image.Image) -> Images:
        """Bring a decoded picture to uint8 `[channels, *size]`, with antialiasing."""
        return shrink(picture, self.size, self.resize, self.channels, self.resample)

    def look_at(self, picture: Image.Image) -> Images:
        """Bring all views of a decoded picture to uint8 `[V, channels, *size]`, the whole first, as `shrink` does."""
        return look_at(picture, self.size, self.resize, self.channels, self.resample, self.views)

    def crop_centre(self, images: torch.Tensor) -> torch.Tensor:
        """Cut the centre out of `[N, C, H, W]`, where the network sees only that."""
        if self.crop is None:
            return images
        height, width = self.crop
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        return images[:, :, top : top + height, left : left + width]

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images into inputs: uint8 in 0..255 or float in 0..1, `[N, C, H, W]`, to float32 of the same shape."""
        unit = 255.0 if images.dtype == torch.uint8 else 1.0
        if not any(self.mean) and set(self.std) == {1.0}:
            return images.float() / unit
        view = (1, self.channels, 1, 1)
        scale = torch.tensor(self.std, device=images.device).reciprocal().view(view)
        shift = -torch.tensor(self.mean, device=images.device).view(view) * scale
        return torch.addcmul(shift, images.float(), scale / unit)

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold and `from_dict` reads back."""
        return {
            "channels": self.channels,
            "size": list(self.size),
            "resize": self.resize,
            "crop": None if self.crop is None else list(self.crop),
            "mean": list(self.mean),
            "std": list(self.std),
            "resample": self.resample,
            "views": self.views.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocess":
        """Build from the value of `to_dict`; others raise `InputError`, `LookupError`, `TypeError`, `ValueError`."""
        height, width = values["size"]
        crop_height, crop_width = values["crop"] or (0, 0)
        return cls(
            channels=whole_number(values["channels"], "channels"),
            size=(whole_number(height, "size"), whole_number(width, "size")),
            resize=values["resize"],
            crop=None
            if values["crop"] is None
            else (whole_number(crop_height, "crop"), whole_number(crop_width, "crop")),
            mean=tuple(number(value, "mean") for value in values["mean"]),
            std=tuple(number(value, "std") for value in values["std"]),
            # Files of earlier versions have neither.
            resample=values.get("resample", "bicubic"),
            views=Views.from_dict(values["views"]) if "views" in values else WHOLE,
        )
