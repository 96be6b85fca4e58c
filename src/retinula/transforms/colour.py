"""Changes of colour on whole batches: every picture by its own hue, contrast, brightness and saturation.

Works on float32 planes `[C, N, H, W]` on the scale 0..1, each channel's pixels together, and changes them in
place; what lies between is written to `scratch`, so that nothing is allocated and all stays in the processor's
cache. Values may leave 0..1 on the way; whoever is last clips them. Knows nothing of chance: the amounts are
arguments.
"""

import torch

_TINY = 1e-12  # in place of a zero span, where it decides nothing: a grey pixel has no hue and stays grey


def make_scratch(channels: int, count: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Make planes `[channels, count, *size]` for so many pictures, and the scratch `[5, count, *size]` they need."""
    return torch.empty(channels, count, *size), torch.empty(5, count, *size)


def fill_planes(planes: torch.Tensor, images: torch.Tensor) -> None:
    """Copy uint8 images `[N, C, H, W]` into planes, on the scale 0..1."""
    planes.copy_(images.transpose(0, 1)).mul_(1 / 255)


def shift_hue(planes: torch.Tensor, turns: torch.Tensor, scratch: torch.Tensor) -> None:
    """Turn every colour around the HSV circle, its value and saturation kept; one channel is left alone.

    Args:
        planes: `[3, N, H, W]`, or `[1, N, H, W]`.
        turns: float `[N]`, in whole turns of the circle: -0.5..0.5.
        scratch: `[5, N, H, W]`, overwritten.
    """
    if len(planes) == 1:
        return
    red, green, blue = planes
    value, span, hue, other, mask = scratch
    _find_span(planes, value, span)
    # The hue in turns, from -1/6 to 5/6: which channel is the largest decides between three formulas. Masks of
    # 0 and 1 in float, and lerp, choose between them: comparisons that give booleans take six times as long.
    torch.sub(red, green, out=hue).add_(span, alpha=4)
    torch.sub(blue, red, out=other).add_(span, alpha=2)
    hue.lerp_(other, torch.ge(green, value, out=mask))
    torch.sub(green, blue, out=other)
    hue.lerp_(other, torch.ge(red, value, out=mask))
    lowest_less_span = torch.sub(value, span, alpha=2, out=mask)
    value_and_span = value.add_(span)
    sixth = span.mul_(6).clamp_(min=_TINY)
    # Turned, and brought to 0..1: frac() rounds towards zero, and one whole turn keeps its argument above that.
    hue.div_(sixth).add_((turns + 1).view(-1, 1, 1)).frac_()
    # Around the circle every channel is the same trapezium, shifted by a third of a turn: the value as far as
    # 1/6 from the channel's own hue, from 1/3 on the lowest, straight between. Green's and blue's own hues, 1/3
    # and 2/3, are so far from the circle's seam that nothing within 1/3 of them lies across it; red's is at the
    # seam, so it is measured from the opposite hue, 1/2.
    distance = torch.sub(hue, 1 / 2, out=other).abs_().clamp_(1 / 6, 1 / 3)
    torch.addcmul(lowest_less_span, sixth, distance, out=red)
    for plane, own in ((green, 1 / 3), (blue, 2 / 3)):
        distance = torch.sub(hue, own, out=other).abs_().clamp_(1 / 6, 1 / 3)
        torch.addcmul(value_and_span, sixth, distance, value=-1, out=plane)


def scale_contrast(planes: torch.Tensor, factors: torch.Tensor) -> None:
    """Move every pixel away from (or towards) the mean of its channel in its picture, as TensorFlow does.

    Args:
        planes: `[C, N, H, W]`.
        factors: float `[N]`; 1 changes nothing, 0 leaves the mean.
    """
    factors = factors.view(-1, 1, 1)
    means = planes.mean((2, 3), keepdim=True)
    planes.mul_(factors).add_(means * (1 - factors))


def add_brightness(planes: torch.Tensor, amounts: torch.Tensor) -> None:
    """Add to every pixel.

    Args:
        planes: `[C, N, H, W]`.
        amounts: float `[N]`, on the scale of the planes.
    """
    planes.add_(amounts.view(-1, 1, 1))


def scale_saturation(planes: torch.Tensor, factors: torch.Tensor, scratch: torch.Tensor) -> None:
    """Scale every colour's HSV saturation, to at most 1, its hue and value kept; one channel is left alone.

    Args:
        planes: `[3, N, H, W]`, or `[1, N, H, W]`.
        factors: float `[N]`, 0 or above; 1 changes nothing, 0 leaves grey.
        scratch: `[5, N, H, W]`, overwritten.
    """
    if len(planes) == 1:
        return
    value, span, grown, *_ = scratch
    _find_span(planes, value, span)
    # Saturation is span / value: what each channel lacks of the value grows by the factor, until the smallest
    # channel is at 0. A pixel brightened below 0 has no saturation and ends at 0 or below whatever is done.
    torch.div(value, span.clamp_(min=_TINY), out=grown)
    torch.minimum(grown, factors.view(-1, 1, 1), out=grown)
    rest = torch.addcmul(value, value, grown, value=-1, out=value)
    for plane in planes:
        torch.addcmul(rest, plane, grown, out=plane)


def _find_span(planes: torch.Tensor, value: torch.Tensor, span: torch.Tensor) -> None:
    """Write the largest channel and its distance to the smallest, both `[N, H, W]`."""
    red, green, blue = planes
    torch.maximum(torch.maximum(red, green, out=value), blue, out=value)
    torch.minimum(torch.minimum(red, green, out=span), blue, out=span)
    torch.sub(value, span, out=span)
