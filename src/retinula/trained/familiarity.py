"""Whether a picture is anything like those that a model was trained on.

A classifier has to name one of its classes, whatever it is shown. Two measures tell where it should not be believed.
The first looks at the picture alone: how far sixteen plain statistics of it (brightness, contrast at every scale,
colour, flatness) lie from those of the training pictures, as a Mahalanobis distance. That finds noise, flat areas,
drawings and text, whatever the network. The second is the energy of the logits (Liu et al. 2020, arXiv:2010.03759):
low where no class has much in its favour, set on pictures that the network was not trained on. The limit of the first
does not depend on the network: pictures that it was trained on will do, as long as means and deviations come of others.

Knows nothing of networks, files or training.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from retinula.files.strict_json import number

FEWEST = 100  # pictures that a limit is set on, since it is a quantile near an end, and that means come of
STATISTICS = 16
AT_ONCE = 512  # pictures looked at: bounds memory
_SCALES = 4
_LEVELS = 16  # of brightness, whose entropy is low in drawings and flat areas
_STEP = 1 / 255  # of a grey value: what is less than that is nothing
_FLAT = 1.5 * _STEP  # neighbours that differ less are alike
_LEAST_VARIANCE = 1e-4  # a statistic that never changed among the training pictures may change by a hundredth


@dataclass(frozen=True)
class Familiarity:
    """What pictures must be like for a model's answers to mean anything.

    Attributes:
        means: of the statistics over the training pictures.
        whitening: `[16, 16]`, row by row: what turns distances from the means into deviations.
        farthest: a picture farther from the means, in deviations, is unfamiliar.
        least_energy: logits with a lower log-sum-exp are unfamiliar; None where pictures are told by their look alone.
        accepted: the share of the pictures that the limits were set on that they let pass, 0..1.
    """

    means: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    farthest: float
    least_energy: float | None
    accepted: float

    def __post_init__(self) -> None:
        rows = (self.means, *self.whitening)
        if len(rows) != STATISTICS + 1 or any(len(row) != STATISTICS for row in rows):
            raise ValueError(f"familiarity needs {STATISTICS} means and {STATISTICS} x {STATISTICS} weights")
        limits = [limit for limit in (self.farthest, self.least_energy) if limit is not None]
        if not all(map(math.isfinite, (*limits, self.accepted, *(value for row in rows for value in row)))):
            raise ValueError("familiarity must be finite numbers")

    def distances(self, images: Tensor) -> Tensor:
        """Return how far each picture (uint8 `[N, C, H, W]`) lies from the training pictures: float64 `[N]`."""
        return self.distances_of(picture_statistics(images))

    def distances_of(self, statistics: Tensor) -> Tensor:
        """Return the same for pictures whose statistics (float64 `[N, 16]`) are known."""
        offsets = statistics - torch.tensor(self.means, dtype=torch.float64)
        distances: Tensor = (offsets @ torch.tensor(self.whitening, dtype=torch.float64)).norm(dim=1)
        return distances

    def unfamiliar(self, images: Tensor, logits: Tensor) -> Tensor:
        """Say which pictures are unlike anything in the training pictures: bool `[N]`.

        Args:
            images: uint8 `[N, C, H, W]`, as the model takes them.
            logits: float `[N, K]`, the model's answers to them, not divided by a temperature.
        """
        far = self.distances(images) > self.farthest
        return far if self.least_energy is None else far | (energy(logits) < self.least_energy)

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold and `from_dict` reads back."""
        return {
            "means": list(self.means),
            "whitening": [list(row) for row in self.whitening],
            "farthest": self.farthest,
            "least_energy": self.least_energy,
            "accepted": self.accepted,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Familiarity":
        """Build from the value of `to_dict`; others raise `InputError`, `LookupError`, `TypeError`, `ValueError`."""
        return cls(
            means=tuple(number(value, "means") for value in values["means"]),
            whitening=tuple(tuple(number(value, "whitening") for value in row) for row in values["whitening"]),
            farthest=number(values["farthest"], "farthest"),
            least_energy=None if values["least_energy"] is None else number(values["least_energy"], "least_energy"),
            accepted=number(values["accepted"], "accepted"),
        )


def fit_familiarity(
    known: Tensor, new: Tensor, logits: Tensor | None = None, accepted: float = 0.99
) -> Familiarity | None:
    """Set the limits so that this share of new pictures passes; None where there are too few of either.

    Args:
        known: `[M, 16]`, what `picture_statistics` gives for training pictures as they are stored.
        new: `[N, 16]`, the same for others, none of which is among the known ones.
        logits: float `[N, K]`, the model's answers to the new ones. None where it was trained on them: it is surer of
            those than of any others, so that they say nothing of its energy, and there is no limit by that.
        accepted: the share, above 0 and below 1. Of two limits each alone refuses half of the rest; a single one
            refuses all of it, so that it means as much whatever the limits.
    """
    if min(len(known), len(new)) < FEWEST or not (logits is None or logits.isfinite().all()):
        return None
    means = known.mean(dim=0)
    covariance = torch.cov(known.T)
    spread = covariance + torch.diag(1e-4 * covariance.diagonal() + _LEAST_VARIANCE)
    whitening = torch.linalg.cholesky(torch.linalg.inv(spread))
    refused = (1 - accepted) / (1 if logits is None else 2)
    distances = ((new - means) @ whitening).norm(dim=1)
    farthest, least = distances.quantile(1 - refused).item(), None
    passed = distances <= farthest
    if logits is not None:
        energies = energy(logits)
        least = energies.quantile(refused).item()
        passed &= energies >= least
    return Familiarity(
        means=tuple(means.tolist()),
        whitening=tuple(tuple(row) for row in whitening.tolist()),
        farthest=farthest,
        least_energy=least,
        accepted=passed.double().mean().item(),
    )


def energy(logits: Tensor) -> Tensor:
    """Return the log-sum-exp of each row of logits: float64 `[N]`; the negative of the energy in the paper."""
    return logits.double().logsumexp(dim=1)


def picture_statistics(images: Tensor) -> Tensor:
    """Return sixteen plain statistics of each picture: float64 `[N, 16]`.

    Mean brightness and two mean colours; the logarithm of the contrast of brightness and of colour at four scales and
    over the whole; the entropy of the grey values; the share of neighbours that are alike; how far few edges hold
    most of the contrast.

    Args:
        images: uint8 `[N, C, H, W]` with one channel or three, of any size.
    """
    return torch.cat([statistics_at_once(part) for part in torch.split(images, AT_ONCE)])


def statistics_at_once(images: Tensor) -> Tensor:
    """Return what `picture_statistics` does, but of all pictures together, in operations that a graph can be made of.

    All of it is in double precision: the sums of a picture's pixels then hardly depend on the order that they are
    added in, so that torch and other programs, which have different ones, come to the same.
    """
    colours = images.double() / 255
    colours = colours.expand(-1, 3, -1, -1)
    grey = colours.mean(dim=1, keepdim=True)
    tints = torch.cat((colours[:, :1] - grey, colours[:, 2:] - grey), dim=1)
    columns = [grey.mean(dim=(1, 2, 3)), *tints.mean(dim=(2, 3)).T]
    columns += _contrasts(grey) + _contrasts(tints)
    levels = (grey * _LEVELS).long().clamp_(max=_LEVELS - 1).flatten(1)
    # The length of the batch is asked of its shape: `len` would fix it in a graph.
    counts = grey.new_zeros(images.shape[0], _LEVELS).scatter_add_(1, levels, grey.new_ones(levels.shape))
    columns.append(torch.special.entr(counts / levels.shape[1]).sum(dim=1))
    across, down = colours.diff(dim=3).abs(), colours.diff(dim=2).abs()
    steps = torch.cat((across.mean(dim=1).flatten(1), down.mean(dim=1).flatten(1)), dim=1)
    if not steps.shape[1]:  # a single pixel has no neighbours
        steps = grey.new_zeros(images.shape[0], 1)
    columns.append((steps < _FLAT).double().mean(dim=1))
    squares = (steps / _STEP).square()
    columns.append((squares.square().mean(dim=1) + 1).log() - 2 * (squares.mean(dim=1) + 1).log())
    return torch.stack(columns, dim=1)


def _contrasts(planes: Tensor) -> list[Tensor]:
    """Return log contrasts, `[N]` each: of each scale what the next coarser one lacks, and that of the coarsest."""
    contrasts = []
    for _ in range(_SCALES):
        coarse = _halved(planes) if min(planes.shape[2:]) > 1 else planes
        contrasts.append((planes - _enlarged(coarse, planes.shape[2:])).square().mean(dim=(1, 2, 3)))
        planes = coarse
    contrasts.append((planes - planes.mean(dim=(2, 3), keepdim=True)).square().mean(dim=(1, 2, 3)))
    return [(each + _STEP**2).log() for each in contrasts]


def _halved(planes: Tensor) -> Tensor:
    """Average pixels two by two; a last row or column without a fellow is left out."""
    height, width = (side // 2 for side in planes.shape[2:])
    whole = planes[:, :, : 2 * height, : 2 * width]
    return whole.reshape(-1, planes.shape[1], height, 2, width, 2).mean(dim=(3, 5))


def _enlarged(planes: Tensor, size: torch.Size) -> Tensor:
    """Bring planes to a size by repeating pixels."""
    for dim, (now, wanted) in enumerate(zip(planes.shape[2:], size, strict=True), start=2):
        planes = planes.index_select(dim, torch.arange(wanted) * now // wanted)
    return planes
