"""Preprocess: how pictures become the inputs of a network. It belongs to the model for ever.

Training, photos, export and server all use the one in the model file, so they cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from retinula.errors import InputError
from retinula.files.strict_json import number
from retinula.pictures.form import Form

# Of mean and std: those of pictures in 0..1 are below 1, and even those given by mistake for 0..255 are far below this.
_LARGEST = 1000.0
_LEAST_STD = 1e-6


@dataclass(frozen=True)
class Preprocess(Form):
    """From a picture of any size to `inputs`, float32 `[N, *input_shape]`: a form, and how its pixels become numbers.

    Attributes:
        mean: for each channel what is subtracted, on the scale 0..1; between -1000 and 1000.
        std: for each channel what the rest is divided by; between 1e-6 and 1000.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise InputError(f"mean and std need {self.channels} values each")
        # Beyond these bounds inputs can overflow; nan fails both comparisons.
        if not all(-_LARGEST <= value <= _LARGEST for value in self.mean):
            raise InputError(f"mean must lie between -{_LARGEST:g} and {_LARGEST:g}: {list(self.mean)}")
        if not all(_LEAST_STD <= value <= _LARGEST for value in self.std):
            raise InputError(f"std must lie between {_LEAST_STD:g} and {_LARGEST:g}: {list(self.std)}")

    def inputs(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images `[N, *shape]` into what the network takes of them, float32 `[N, *input_shape]`: the centre."""
        return self.normalise(self.centre(images))

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
        form = super().to_dict()
        # In files of the first version mean and deviation were the last; filter and views came after them.
        younger = {name: form.pop(name) for name in ("resample", "views")}
        return {**form, "mean": list(self.mean), "std": list(self.std), **younger}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """Build from the value of `to_dict`; others raise `InputError`, `LookupError`, `TypeError`, `ValueError`."""
        mean, std = (tuple(number(value, name) for value in values[name]) for name in ("mean", "std"))
        return cls(**vars(Form.from_dict(values)), mean=mean, std=std)
