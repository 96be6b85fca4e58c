"""Where the pixels of each picture come from: flips, crops past the border, turns, and squares cut out.

Works on whole batches `[N, C, H, W]` and gives new ones. Knows nothing of chance, but for the flips that
alternate: there chance is a function of seed and position alone.
"""

import numpy as np
import torch
import torch.nn.functional as F

_MASK = 2**64 - 1
_POSITIONS = 2**19  # worked out together: bounds the memory that large pictures take


def crop_and_flip(
    images: torch.Tensor,
    *,
    size: tuple[int, int],
    top: torch.Tensor | None = None,
    left: torch.Tensor | None = None,
    mirrored: torch.Tensor | None = None,
    upside_down: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cut a window out of every picture, then flip it; beyond the border the picture is mirrored at its edge.

    Args:
        images: `[N, C, H, W]` of any dtype.
        size: height and width of the windows.
        top: int64 `[N]`, the row of the picture the window begins at, down to `1 - H`; 0 where left out.
        left: int64 `[N]`, the same for columns.
        mirrored: bool `[N]`, which windows are flipped left to right; none where left out.
        upside_down: bool `[N]`, which are flipped top to bottom.

    Returns:
        `[N, C, *size]` of the same dtype. The row and column at the edge are not repeated.
    """
    count, channels, height, width = images.shape
    rows = _folded(_sources(size[0], top, upside_down), height).expand(count, -1)
    columns = _folded(_sources(size[1], left, mirrored), width).expand(count, -1)
    pixels = images.flatten(2)
    windows = images.new_empty(count, channels, size[0] * size[1])
    together = max(1, _POSITIONS // (size[0] * size[1]))
    for first in range(0, count, together):
        part = slice(first, first + together)
        # One gather does it all: the same positions in every channel.
        positions = (rows[part, :, None] * width + columns[part, None, :]).flatten(1)[:, None]
        torch.gather(pixels[part], 2, positions.expand(-1, channels, -1), out=windows[part])
    return windows.view(count, channels, *size)


def warps(
    count: int,
    *,
    turned: torch.Tensor | None = None,
    enlarged: torch.Tensor | None = None,
    sheared: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return for each of so many pictures what `warp` takes, float64 `[N, 2, 2]`: whence a pixel comes, to its centre.

    Args:
        count: of the pictures.
        turned: float `[N]`, degrees against the clock; 0 where left out, as of the others what changes nothing.
        enlarged: float `[N]`, how many times as large it becomes, above 0.
        sheared: float `[N]`, degrees that it leans to the right, before it is turned.
    """
    nothing = torch.zeros(count, dtype=torch.float64)
    turn = torch.deg2rad(nothing if turned is None else turned.double())
    lean = torch.tan(torch.deg2rad(nothing if sheared is None else sheared.double()))
    scale = 1 / (nothing + 1 if enlarged is None else enlarged.double())
    cos, sin = scale * turn.cos(), scale * turn.sin()
    across = torch.stack((cos + lean * sin, lean * cos - sin), dim=1)
    return torch.stack((across, torch.stack((sin, cos), dim=1)), dim=1)


def warp(
    images: torch.Tensor,
    sources: torch.Tensor,
    *,
    size: tuple[int, int],
    top: torch.Tensor | None = None,
    left: torch.Tensor | None = None,
    mirrored: torch.Tensor | None = None,
    upside_down: torch.Tensor | None = None,
) -> torch.Tensor:
    """Turn, scale and shear every picture about its centre, then do what `crop_and_flip` does, all in one pass.

    What lies between pixels is mixed of the four around it; beyond the border the picture is mirrored at its edge.

    Args:
        images: uint8 `[N, C, H, W]`.
        sources: float `[N, 2, 2]`, of `warps`.
        size: height and width of the windows.
        top: int64 `[N]`, the row of the turned picture the window begins at; 0 where left out.
        left: int64 `[N]`, the same for columns.
        mirrored: bool `[N]`, which windows are flipped left to right; none where left out.
        upside_down: bool `[N]`, which are flipped top to bottom.

    Returns:
        uint8 `[N, C, *size]`.
    """
    count, channels, height, width = images.shape
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    rows = (_sources(size[0], top, upside_down) - middle_row).float().expand(count, -1)
    columns = (_sources(size[1], left, mirrored) - middle_column).float().expand(count, -1)
    # On the scale from -1 at the first pixel to 1 at the last one; of a single one that is all the same.
    scales = sources.new_tensor([1 / max(middle_column, 0.5), 1 / max(middle_row, 0.5)])
    shares = (sources * scales.view(1, 2, 1)).float()
    windows = images.new_empty(count, channels, *size)
    together = max(1, _POSITIONS // (size[0] * size[1]))
    for first in range(0, count, together):
        part = slice(first, first + together)
        # Products and sums apart, which round alike whatever stands beside: a part is as with the whole batch.
        from_columns = shares[part, :, :1] * columns[part, None]
        from_rows = shares[part, :, 1:] * rows[part, None]
        grid = (from_columns[:, :, None, :] + from_rows[:, :, :, None]).permute(0, 2, 3, 1)
        moved = F.grid_sample(images[part].float(), grid, "bilinear", padding_mode="reflection", align_corners=True)
        windows[part] = moved.round_().clamp_(0, 255)
    return windows


def alternating_flips(indices: torch.Tensor, *, epoch: int, seed: int) -> torch.Tensor:
    """Say which pictures are flipped in an epoch: at first a random half, from then on each every other time.

    So every picture is seen both ways in any two epochs, which random flips do not promise (Jordan 2024, 94% on
    CIFAR-10 in 3.29 seconds on a single GPU).

    Args:
        indices: int64 `[N]`, the pictures' positions in the set.
        epoch: from 0.
        seed: of the experiment.

    Returns:
        bool `[N]`.
    """
    # The finalizer of SplitMix64 (Steele et al. 2014): neighbouring numbers become unrelated bits.
    bits = indices.numpy().astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 & _MASK)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    first = torch.from_numpy((bits & np.uint64(1)).astype(bool))
    return first.logical_not() if epoch % 2 else first


def cut_out(
    images: torch.Tensor, *, side: int, rows: torch.Tensor, columns: torch.Tensor, fill: torch.Tensor
) -> torch.Tensor:
    """Fill a square of every picture with one colour (DeVries & Taylor 2017).

    Args:
        images: `[N, C, H, W]` of any dtype.
        side: of the squares, in pixels; what of a square lies past the border is lost.
        rows: int64 `[N]`, of their centres; the pixel below the centre where the side is even.
        columns: int64 `[N]`, likewise.
        fill: `[C]`, the colour, in the images' dtype and scale.

    Returns:
        `[N, C, H, W]` of the same dtype.
    """
    sides = torch.full_like(rows, side)
    return torch.where(mark_boxes(images.shape[2:], rows, columns, sides, sides), fill.view(1, -1, 1, 1), images)


def mark_boxes(
    size: tuple[int, int] | torch.Size,
    rows: torch.Tensor,
    columns: torch.Tensor,
    heights: torch.Tensor,
    widths: torch.Tensor,
) -> torch.Tensor:
    """Mark a box of every picture: bool `[N, 1, *size]`, from centres and lengths, int64 `[N]` each."""
    inside_rows = _mark(size[0], rows, heights)
    inside_columns = _mark(size[1], columns, widths)
    return (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]


def _mark(length: int, centres: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    offsets = torch.arange(length)[None] - (centres - lengths // 2)[:, None]
    return (offsets >= 0) & (offsets < lengths[:, None])


def _sources(length: int, start: torch.Tensor | None, flipped: torch.Tensor | None) -> torch.Tensor:
    """Give for each place in the windows the row (or column) it comes from, perhaps past the border: `[N or 1, L]`."""
    places = torch.arange(length)[None]
    if flipped is not None:
        places = torch.where(flipped[:, None], length - 1 - places, places)
    return places if start is None else places + start[:, None]


def _folded(places: torch.Tensor, available: int) -> torch.Tensor:
    """Bring places past the border back: mirrored at the first row by abs, at the last one by the minimum."""
    places = places.abs()
    return torch.minimum(places, 2 * (available - 1) - places)
