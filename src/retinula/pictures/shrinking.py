"""Making pictures small: by which filter, by which rule, and which parts of a photo are looked at beside the whole.

Knows nothing of files, labels or networks.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, get_args

import numpy as np
from PIL import Image

from retinula.errors import InputError
from retinula.files.strict_json import number, whole_number
from retinula.forms import LARGEST_SIDE, MOST_PARTS, Resample, Resize
from retinula.images import Images
from retinula.pictures.decoding import MAX_SIDE, flatten
from retinula.text.words import plural

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

# Mid-grey is near the mean of photographs, so after normalisation the border is near zero and says nothing.
BORDER: Final = 128

_FILTERS: Final[dict[Resample, Image.Resampling]] = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Where parts lie between the left or upper edge (0) and the other (1): across, down.
_PLACES: Final[dict[int, tuple[tuple[float, float], ...]]] = {
    0: (),
    1: ((0.5, 0.5),),
    3: ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)),
    5: ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0)),
}


@dataclass(frozen=True)
class Views:
    """Which parts of a photo are looked at beside the whole of it; the answer is the mean over all.

    Attributes:
        crops: parts with the model's proportions: 0, the centre (1), it and both ends (3), or it and the corners (5).
        scales: how long their sides are, as shares of the longest that fit; each scale gives `crops` parts.
        zooms: centred parts with the photo's own proportions, as shares of its sides, made small as the whole is.
        mirror: whether each is looked at mirrored, too.
    """

    crops: int = 0
    scales: tuple[float, ...] = (1.0,)
    zooms: tuple[float, ...] = ()
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.crops not in _PLACES:
            raise InputError(f"crops are {', '.join(map(str, _PLACES))}, not {self.crops}")
        for name, shares in (("scales", self.scales), ("zooms", self.zooms)):
            if len(shares) > MOST_PARTS or not all(0 < share <= 1 for share in shares):
                raise InputError(f"{name} are up to {MOST_PARTS} shares above 0 and at most 1, not {list(shares)}")
        if self.crops and not self.scales:
            raise InputError("crops need at least one scale")

    @property
    def number(self) -> int:
        """How many views of a photo there are, the whole among them."""
        return (1 + len(self.zooms) + self.crops * len(self.scales)) * (2 if self.mirror else 1)

    def boxes(self, size: tuple[int, int], proportion: float) -> list[Box]:
        """Return the parts of a picture, zooms first.

        Args:
            size: the picture's width and height.
            proportion: the model's width by height.
        """
        width, height = size
        widest, highest = min(width, height * proportion), min(height, width / proportion)
        parts = [_part(size, width * zoom, height * zoom, (0.5, 0.5)) for zoom in self.zooms]
        for scale in self.scales:
            parts += [_part(size, widest * scale, highest * scale, place) for place in _PLACES[self.crops]]
        return parts

    def __str__(self) -> str:
        told = ["the whole"]
        told += [f"zoom {', '.join(f'{zoom:g}' for zoom in self.zooms)}"] if self.zooms else []
        if self.crops:
            scaled = "" if self.scales == (1.0,) else f" at scale {', '.join(f'{scale:g}' for scale in self.scales)}"
            told.append(f"{plural(self.crops, 'crop')}{scaled}")
        return " and ".join(told) + (", each mirrored too" if self.mirror else "")

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold and `from_dict` reads back."""
        return {**asdict(self), "scales": list(self.scales), "zooms": list(self.zooms)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Views":
        """Build from the value of `to_dict`; others raise `InputError`, `LookupError`, `TypeError`, `ValueError`."""
        scales, zooms = (tuple(number(share, name) for share in values[name]) for name in ("scales", "zooms"))
        if not isinstance(values["mirror"], bool):
            raise ValueError(f"mirror is true or false, not {values['mirror']!r}")
        return cls(whole_number(values["crops"], "crops"), scales, zooms, values["mirror"])


WHOLE: Final = Views()


def check_form(
    size: tuple[int, int], channels: int, resize: Resize, resample: Resample, largest: int = LARGEST_SIDE
) -> None:
    """Refuse a form that pictures cannot be brought to; the arguments are those of `shrink`.

    Raises:
        InputError: naming what is wrong, be it a side of more than `largest` pixels.
    """
    if not 1 <= min(size) <= max(size) <= largest:
        raise InputError(f"pictures are 1 to {largest} pixels high and wide, not {list(size)}")
    if channels not in (1, 3):
        raise InputError(f"pictures have 1 or 3 channels, not {channels}")
    if resize not in get_args(Resize):
        raise InputError(f"resize is squash, crop or pad, not {resize!r}")
    if resample not in get_args(Resample):
        raise InputError(f"resample is {', '.join(get_args(Resample))}, not {resample!r}")


def shrink(
    picture: Image.Image,
    size: tuple[int, int],
    resize: Resize,
    channels: int,
    resample: Resample = "bicubic",
    part: Box | None = None,
) -> Images:
    """Bring a picture of any size to uint8 `[channels, height, width]`.

    The filter is widened by the factor of reduction, so that it is antialiased always; the same filter enlarges. A
    picture of the right size keeps its exact pixels.

    Args:
        picture: as `decode` gives it; other modes are flattened first.
        size: height and width in pixels.
        resize: `squash` the whole picture whatever its proportions, cut the largest centred part of the right
            proportions (`crop`), or fit the whole with its proportions inside a mid-grey border (`pad`).
        channels: 3, or 1 for luminance (ITU-R 601-2).
        resample: the filter, by Pillow's names; `box` is the mean over an area.
        part: what is made small of it instead of the whole.
    """
    check_form(size, channels, resize, resample, MAX_SIDE)
    picture = flatten(picture)
    if channels == 1:
        picture = picture.convert("L")
    height, width = size
    box = part or (0.0, 0.0, float(picture.width), float(picture.height))
    if resize == "pad":
        small = _padded(picture, width, height, resample, box)
    else:
        box = _centre(box, width / height) if resize == "crop" else box
        small = picture.resize((width, height), _FILTERS[resample], box=box)
    values = np.asarray(small, dtype=np.uint8)
    if values.ndim == 2:
        return np.repeat(values[np.newaxis], channels, axis=0)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def look_at(
    picture: Image.Image,
    size: tuple[int, int],
    resize: Resize,
    channels: int,
    resample: Resample = "bicubic",
    views: Views = WHOLE,
) -> Images:
    """Bring all views of a picture to uint8 `[V, channels, height, width]`, the whole first; as `shrink` does."""
    picture = flatten(picture)  # once, not for every part
    height, width = size
    parts = [None, *views.boxes(picture.size, width / height)]
    small = np.stack([shrink(picture, size, resize, channels, resample, part) for part in parts])
    return np.concatenate([small, small[..., ::-1]]) if views.mirror else small


def centre(small: Images, crop: tuple[int, int] | None) -> Images:
    """Cut `crop`, a height and width, out of the middle of uint8 `[C, H, W]`; all of it where None."""
    height, width = crop or small.shape[1:]
    top, left = (small.shape[1] - height) // 2, (small.shape[2] - width) // 2
    return small[:, top : top + height, left : left + width]


def _part(size: tuple[int, int], width: float, height: float, place: tuple[float, float]) -> Box:
    left, top = (size[0] - width) * place[0], (size[1] - height) * place[1]
    return left, top, left + width, top + height


def _centre(box: Box, proportion: float) -> Box:
    """Return the largest centred part of a box with `proportion` = width / height."""
    left, top, right, bottom = box
    width = min(right - left, (bottom - top) * proportion)
    height = min(bottom - top, (right - left) / proportion)
    left, top = left + (right - left - width) / 2, top + (bottom - top - height) / 2
    return left, top, left + width, top + height


def _padded(picture: Image.Image, width: int, height: int, resample: Resample, box: Box) -> Image.Image:
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    scale = min(width / box_width, height / box_height)
    inner_width = min(width, max(1, round(box_width * scale)))
    inner_height = min(height, max(1, round(box_height * scale)))
    colour = BORDER if picture.mode == "L" else (BORDER, BORDER, BORDER)
    framed = Image.new(picture.mode, (width, height), colour)
    corner = ((width - inner_width) // 2, (height - inner_height) // 2)
    framed.paste(picture.resize((inner_width, inner_height), _FILTERS[resample], box=box), corner)
    return framed
