"""Pictures that are nearly the same: shifted by pixels, stored as JPEG, brighter or darker.

Candidates are each picture's nearest neighbours by small thumbnails, whose brightness and contrast are taken out, and
by embeddings where there are any. A candidate counts where the pixels agree once they lie on top of each other as well
as they can, coarse and fine structure both, so that two pictures of blue sky do not. Knows nothing of files.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from retinula.images import Images, copied
from retinula.pictures.equal import pixel_digest

NEIGHBOURS = 3  # candidates of every picture, by each measure
ALIKE = 0.80  # candidates are at least so alike, as a cosine, by either measure
SAME = 0.95  # correlation of pixels that counts as the same picture, of so many pixels
SAME_EDGES = 0.75  # and of what is left of them without their coarse structure
SAME_PIXELS = 32 * 32  # of a smaller picture more is asked: two handwritten ones of 8x8 reach 0.99
REACH = 3  # pixels of shift, each way, of a picture of 32
_THUMBNAIL = 8
_ROWS = 1024  # pictures compared with all others at once: bounds memory


@dataclass(frozen=True)
class NearDuplicate:
    """Two pictures that are nearly the same.

    Attributes:
        index: of the one in the set looked at, from 0.
        other: of the other, in the set that it was compared with.
        exact: whether every pixel is equal.
        correlation: of the pixels where they lie on top of each other as well as they can, at most 1.
        shift: by how many pixels down and right the other lies.
        source: the file that the one came from, or None.
        other_source: that of the other.
    """

    index: int
    other: int
    exact: bool
    correlation: float
    shift: tuple[int, int]
    source: str | None = None
    other_source: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "NearDuplicate":
        """Build from the value of `to_dict`; others raise `LookupError`, `TypeError`, `ValueError`."""
        down, right = values["shift"]
        if min(values["index"], values["other"]) < 0:
            raise ValueError("pictures are numbered from 0")
        return cls(
            index=int(values["index"]),
            other=int(values["other"]),
            exact=bool(values["exact"]),
            correlation=float(values["correlation"]),
            shift=(int(down), int(right)),
            source=values.get("source"),  # earlier versions wrote none
            other_source=values.get("other_source"),
        )


def find_near_duplicates(
    images: Images,
    others: Images | None = None,
    *,
    features: Tensor | None = None,
    other_features: Tensor | None = None,
    sources: Sequence[str] | None = None,
    other_sources: Sequence[str] | None = None,
) -> tuple[NearDuplicate, ...]:
    """Find pairs of pictures that are nearly the same, the closest first.

    Without embeddings many that are shifted are missed, since their thumbnails are less alike than candidates have to
    be: of 100 photos of 32x32 that were shifted by two pixels down and right it finds 49, by three 13. With those of a
    network trained on such photos it finds all of either.

    Args:
        images: uint8 `[N, C, H, W]`.
        others: uint8 `[M, C, H, W]` of the same size to compare with; the pictures among themselves where None.
        features: float `[N, D]`, embeddings of the pictures, or None to go by pixels alone, which misses more.
        other_features: `[M, D]`, those of the others.
        sources: for each picture its file, for the result.
        other_sources: those of the others.

    Returns:
        Each pair once, at most seven for each picture: three neighbours by each measure, and an equal one. So of very
        many pictures that are nearly the same not all pairs are found, but each picture is in one.
    """
    within = others is None
    compared = images if others is None else others
    first = _thumbnails(images)
    candidates = _neighbours(first, first if within else _thumbnails(compared), within)
    candidates |= _equal(images, others)
    if features is not None:
        near = F.normalize(features.float(), dim=1)
        far = near if other_features is None else F.normalize(other_features.float(), dim=1)
        candidates |= _neighbours(near, far, within)
    pairs = np.array(sorted(candidates), dtype=np.int64).reshape(-1, 2)
    found = []
    for start in range(0, len(pairs), _ROWS):
        found += _verified(images, compared, pairs[start : start + _ROWS])
    found.sort(key=lambda pair: (not pair.exact, -pair.correlation, pair.index, pair.other))
    files, other_files = sources, sources if within else other_sources
    return tuple(
        replace(
            pair,
            source=None if files is None else files[pair.index],
            other_source=None if other_files is None else other_files[pair.other],
        )
        for pair in found
    )


def _equal(images: Images, others: Images | None) -> set[tuple[int, int]]:
    """Return positions of pictures that are equal in every pixel: of each the last one before it, or the last other.

    Flat pictures, whose thumbnails are nothing without their brightness, are found by this alone.
    """
    last: dict[bytes, int] = {}
    if others is not None:
        last = {pixel_digest(picture): number for number, picture in enumerate(others)}
    pairs = set()
    for number, picture in enumerate(images):
        key = pixel_digest(picture)
        if key in last:
            pairs.add((last[key], number) if others is None else (number, last[key]))
        if others is None:
            last[key] = number
    return pairs


def _neighbours(vectors: Tensor, others: Tensor, within: bool) -> set[tuple[int, int]]:
    """Return pairs of positions that are alike, each pair once."""
    pairs = set()
    for start in range(0, len(vectors), _ROWS):
        alike = vectors[start : start + _ROWS] @ others.T
        if within:
            rows = torch.arange(len(alike))
            alike[rows, rows + start] = -1
        best = alike.topk(min(NEIGHBOURS, len(others)), dim=1)
        rows, ranks = (best.values >= ALIKE).nonzero(as_tuple=True)
        for one, two in zip((rows + start).tolist(), best.indices[rows, ranks].tolist(), strict=True):
            pairs.add((min(one, two), max(one, two)) if within else (one, two))
    return pairs


def _thumbnails(images: Images) -> Tensor:
    """Return float32 `[N, C * 64]`: small pictures without brightness and contrast, as vectors of length 1."""
    parts = []
    for start in range(0, len(images), _ROWS):
        pictures = torch.from_numpy(copied(images, slice(start, start + _ROWS))).float()
        small = F.interpolate(pictures, size=(_THUMBNAIL, _THUMBNAIL), mode="area").flatten(2)
        parts.append(F.normalize((small - small.mean(dim=2, keepdim=True)).flatten(1), dim=1))
    return torch.cat(parts)


def _verified(images: Images, others: Images, pairs: NDArray[np.int64]) -> list[NearDuplicate]:
    """Return the pairs whose pixels agree at the best shift."""
    one, two = np.array(images[pairs[:, 0]]), np.array(others[pairs[:, 1]])
    exact = (one == two).all(axis=(1, 2, 3))
    first, second = torch.from_numpy(one).float(), torch.from_numpy(two).float()
    reach = max(1, round(REACH * min(first.shape[2:]) / 32))
    best = torch.full((len(pairs),), -1.0)
    shifts = torch.zeros(len(pairs), 2, dtype=torch.int64)
    edges = torch.zeros(len(pairs))
    fine_first, fine_second = _fine(first), _fine(second)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            whole = _correlation(*_overlap(first, second, down, right))
            better = whole > best
            fine = _correlation(*_overlap(fine_first, fine_second, down, right))
            best, edges = torch.where(better, whole, best), torch.where(better, fine, edges)
            shifts[better] = torch.tensor((down, right))
    share = min(1.0, first.shape[2] * first.shape[3] / SAME_PIXELS)
    alike = (best >= 1 - share * (1 - SAME)) & (edges >= 1 - share * (1 - SAME_EDGES))
    same = torch.from_numpy(exact) | alike
    return [
        NearDuplicate(
            index=int(pairs[row, 0]),
            other=int(pairs[row, 1]),
            exact=bool(exact[row]),
            correlation=1.0 if exact[row] else float(best[row]),
            shift=(0, 0) if exact[row] else (int(shifts[row, 0]), int(shifts[row, 1])),
        )
        for row in same.nonzero()[:, 0].tolist()
    ]


def _fine(pictures: Tensor) -> Tensor:
    """Take away coarse structure, and the finest, which JPEG does not keep."""
    smooth = F.avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False)
    fine: Tensor = smooth - F.avg_pool2d(pictures, 7, stride=1, padding=3, count_include_pad=False)
    return fine


def _overlap(first: Tensor, second: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    height, width = first.shape[2:]
    rows = slice(max(0, -down), height - max(0, down)), slice(max(0, down), height - max(0, -down))
    columns = slice(max(0, -right), width - max(0, right)), slice(max(0, right), width - max(0, -right))
    return first[:, :, rows[0], columns[0]], second[:, :, rows[1], columns[1]]


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return the correlation of each pair of pictures over all pixels, each channel about its own mean: `[N]`."""
    a = (first - first.mean(dim=(2, 3), keepdim=True)).flatten(1)
    b = (second - second.mean(dim=(2, 3), keepdim=True)).flatten(1)
    lengths: Tensor = (a.norm(dim=1) * b.norm(dim=1)).clamp(min=1e-6)
    return (a * b).sum(dim=1) / lengths
