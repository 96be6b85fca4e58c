"""Which pictures make up which batch, as a function of seed and step alone.

Nothing here has a memory: the order of any epoch and the chances of any step can be computed anew, which is why
training can go on from any step exactly as if it had never stopped.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from retinula.forms import Sampling


class Batch(NamedTuple):
    """A step's portion: its number (from 0), its epoch (from 0), and int64 `[n]` positions in the set."""

    step: int
    epoch: int
    indices: torch.Tensor


@dataclass(frozen=True)
class BatchPlan:
    """How a set is cut into batches.

    Attributes:
        num_images: pictures in the set.
        batch_size: pictures in a batch; the last one of an epoch has what is left, unless that is a single
            picture, which normalisation over a batch could not bear.
        seed: of the whole experiment.
        drop_last: leave out a last batch that is not full.
        sampling: `epoch` shows every picture once an epoch; `replacement` draws every batch from all of them;
            `fixed` repeats the batches of the first epoch, in their order, as a cache of batches does.
    """

    num_images: int
    batch_size: int
    seed: int
    drop_last: bool = False
    sampling: Sampling = "epoch"

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in an epoch, at least one."""
        whole, rest = divmod(self.num_images, self.batch_size)
        return max(whole + (rest > 1 and not self.drop_last), 1)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Give the batches of steps `first` up to, but without, `last`."""
        order, order_epoch = torch.empty(0), -1
        for step in range(first, last):
            epoch, place = divmod(step, self.steps_per_epoch)
            if self.sampling == "replacement":
                drawn = torch.randint(
                    self.num_images, (self.batch_size,), generator=generator_for(self.seed, "draw", step)
                )
                yield Batch(step, epoch, drawn)
                continue
            wanted = 0 if self.sampling == "fixed" else epoch
            if wanted != order_epoch:
                order = torch.randperm(self.num_images, generator=generator_for(self.seed, "order", wanted))
                order_epoch = wanted
            yield Batch(step, epoch, order[place * self.batch_size : (place + 1) * self.batch_size])


def seed_for(seed: int, purpose: str, number: int = 0) -> int:
    """Derive an independent seed, 0 to 2**63 - 1, for one purpose and step of an experiment.

    >>> seed_for(0, "order", 1) == seed_for(0, "order", 1) != seed_for(0, "order", 2)
    True
    """
    digest = hashlib.sha256(f"{seed} {purpose} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator_for(seed: int, purpose: str, number: int = 0) -> torch.Generator:
    """Return a generator seeded with `seed_for`."""
    return torch.Generator().manual_seed(seed_for(seed, purpose, number))
