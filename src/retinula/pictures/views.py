"""Which parts of a photo a model looks at beside the whole, and averages over.

Knows nothing of files, labels or networks, nor how parts are made small.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

from retinula.errors import InputError
from retinula.files.strict_json import number, whole_number
from retinula.forms import MOST_PARTS
from retinula.text.words import plural

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

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


def _part(size: tuple[int, int], width: float, height: float, place: tuple[float, float]) -> Box:
    left, top = (size[0] - width) * place[0], (size[1] - height) * place[1]
    return left, top, left + width, top + height
