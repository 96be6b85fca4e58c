"""Two pictures made one, and their targets with them: mixup and cutmix, each picture by its own chance."""

import numpy as np
import torch

from retinula.transforms.geometry import mark_boxes


def mix_pairs(
    inputs: torch.Tensor,
    targets: torch.Tensor,
    *,
    mixup: float,
    cutmix: float,
    generator: torch.Generator,
    drawn: dict[str, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix every picture with another of the batch, by mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019).

    Mixup averages the two, with a share drawn from Beta(mixup, mixup). Cutmix puts a box of the other into the
    picture, at a place drawn uniformly and with an area whose share is drawn from Beta(cutmix, cutmix) before
    what lies past the border is cut off; targets follow the area that is left. Where both are on, a coin decides
    for each picture. Unlike in the papers every picture has a share of its own, not every batch.

    Args:
        inputs: float `[N, C, H, W]`.
        targets: float `[N, K]`, probabilities of classes.
        mixup: the parameter of the distribution, 0 for none.
        cutmix: likewise.
        generator: advanced by the same amount whatever is drawn.
        drawn: told each `partner` in the batch, the `share` of itself that is left, and whether the rest is `boxed`.

    Returns:
        New inputs and targets of the same shapes, or the same ones where both are off.
    """
    if not mixup and not cutmix:
        return inputs, targets
    count = len(inputs)
    partners = torch.randperm(count, generator=generator)
    # torch draws from no beta distribution with a generator of one's own; numpy does, from a seed drawn here.
    chances = np.random.default_rng(int(torch.randint(2**63 - 1, (), generator=generator)))
    boxed = chances.random(count) < (0.5 if mixup and cutmix else float(cutmix > 0))
    kept = np.ones(count)
    mixed, others = inputs, inputs[partners]
    if mixup:
        kept = np.where(boxed, 1.0, chances.beta(mixup, mixup, count))
        mixed = torch.lerp(others, mixed, torch.from_numpy(kept).to(inputs.dtype).view(-1, 1, 1, 1))
    if cutmix:
        height, width = inputs.shape[2:]
        side = np.where(boxed, np.sqrt(1 - chances.beta(cutmix, cutmix, count)), 0)
        inside = mark_boxes(
            (height, width),
            rows=torch.from_numpy(chances.integers(height, size=count)),
            columns=torch.from_numpy(chances.integers(width, size=count)),
            heights=torch.from_numpy((side * height).astype(np.int64)),
            widths=torch.from_numpy((side * width).astype(np.int64)),
        )
        mixed = torch.where(inside, others, mixed)
        kept = kept * (1 - inside.double().mean((1, 2, 3)).numpy())
    if drawn is not None:
        drawn |= {"partner": partners, "share": torch.from_numpy(kept), "boxed": torch.from_numpy(boxed)}
    shares = torch.from_numpy(kept).to(targets.dtype)[:, None]
    return mixed, torch.lerp(targets[partners], targets, shares)
