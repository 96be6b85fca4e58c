"""From positions in the training set to what the network and the objective take."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from retinula.images import copied
from retinula.training import processes
from retinula.training.plan import Plan, side_at
from retinula.transforms.augment import WHOLE, Drawn, augment_images, spoil
from retinula.transforms.batches import Batch, generator_for
from retinula.transforms.levels import unit
from retinula.transforms.mixing import mix_pairs


class Prepared(NamedTuple):
    """A batch on the device: inputs, targets of the objective, and labels where accuracy can be counted.

    Of several processes each has its part of the batch, whose mean loss makes up the `share` of the batch's.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor | None
    share: float = 1.0


def prepare(plan: Plan, batch: Batch, drawn: Drawn | None = None, *, full_size: bool = False) -> Prepared:
    """Take the pictures of a batch, augment, spoil, normalise and mix them; the same step always gives the same.

    Of several processes each reads and changes its part alone, unless that takes the pictures of the others.

    Args:
        plan: of the training.
        batch: a step of it.
        drawn: told what chance gave each picture.
        full_size: leave inputs at the side that the network is asked with, where that of the step is smaller.
    """
    hardware, recipe = plan.hardware, plan.recipe
    part = processes.part_of(len(batch.indices))
    taken, kept = (part.own, WHOLE) if plan.augment.separable else (WHOLE, part.own)
    positions = batch.indices.numpy()
    chances = generator_for(recipe.seed, "augment", batch.step)
    images = augment_images(
        torch.from_numpy(copied(plan.train_set.images, positions[taken])),
        plan.augment,
        chances,
        indices=batch.indices,
        epoch=batch.epoch,
        seed=recipe.seed,
        fill=plan.preprocess.mean if any(plan.preprocess.mean) else None,
        drawn=drawn,
        part=taken,
    )
    if recipe.augment.random_crop is None:
        images = plan.preprocess.centre(images)
    inputs = plan.preprocess.normalise(spoil(images, plan.augment, chances, drawn))
    if recipe.objective.reconstructs:
        targets, labels = unit(images), None
    else:
        targets = torch.from_numpy(plan.train_set.known_labels()[positions[taken]])
        labels = targets
        if plan.mixes:
            one_hot = F.one_hot(targets, len(plan.train_set.classes)).float()
            mixup, cutmix = plan.augment.mixup, plan.augment.cutmix
            inputs, targets = mix_pairs(inputs, one_hot, mixup=mixup, cutmix=cutmix, generator=chances, drawn=drawn)
            labels = None
    inputs, targets, labels = inputs[kept], targets[kept], None if labels is None else labels[kept]
    side = None if full_size else side_at(recipe.training.sizes, batch.step / plan.num_steps)
    if side is not None and (side, side) != inputs.shape[2:]:
        inputs = shrunk(inputs, side)
    inputs = inputs.to(hardware.device).contiguous(memory_format=hardware.memory_format)
    targets = targets.to(hardware.device)
    labels = None if labels is None else labels.to(hardware.device)
    return Prepared(inputs, targets, labels, _share(plan, positions, part))


def _share(plan: Plan, positions: np.ndarray, part: processes.Part) -> float:
    """Return how much the mean loss of a part counts in that of the whole batch."""
    if not part.counts:
        return 0.0
    if plan.weights is None:
        return len(positions[part.own]) / len(positions)
    weights = plan.weights[torch.from_numpy(plan.train_set.known_labels()[positions])]
    return float(weights[part.own].sum() / weights.sum())


def shrunk(inputs: torch.Tensor, side: int) -> torch.Tensor:
    """Bring inputs `[N, C, H, W]` to `[N, C, side, side]`, every pixel of them counted: bilinear, antialiased."""
    return F.interpolate(inputs, size=(side, side), mode="bilinear", antialias=True)
