"""3x3 convolutions with a quarter of the multiplications, by Winograd's way on tiles of 4x4 outputs.

Along one direction the gradient of a tile's six inputs is a product of polynomials, the gradient of its four outputs
and the filter, so it can be had from their values at six points, multiplied place by place. The outputs are the
transposed computation, with as few multiplications: in both directions 36 where a plain convolution makes 144 (A. Lavin
and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016, F(4x4, 3x3)). Over all channels they are 36 matrix
products, which the library computes at nearly the processor's peak. Going to the points and back costs additions on
every map, so this pays where there are many channels; `training.arrangement` measures where. The products nearly cancel
each other on the way back, which in float32 leaves rounding errors that in the mean (root mean square, 64 to 512
channels) are 1.5e-6 to 4e-6 of what is computed: 2 to 6 times the plain convolution's in outputs and gradients of
inputs, 11 to 16 times in those of filters. The largest is about 1e-5 of the largest value.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_SIDE = 4  # of a tile of outputs; its inputs have two more
_POINTS = _SIDE + 2  # 0, 1, -1, 2, -2 and infinity
# Tiles at a time, as far as pictures are not parted: enough for matrix products at full speed, and what lies between
# is read again before it has left the cache.
_TILES = 256
# Tiles reach beyond a map whose sides are no multiples of four; where more than this is beyond, nothing is gained.
_MOST_BEYOND = 0.4
# Filters at the points, by row: a filter's three numbers as a polynomial, divided by what the points have in common.
_FILTER_AT_POINTS = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)


class Winograd(nn.Module):
    """A 3x3 convolution, padded by one, whose gradients and, if asked, outputs are computed by Winograd's way.

    Maps that tiles would fit badly are convolved plainly. Outputs computed by Winograd's way have the channels last in
    memory. Not for autocast.

    Args:
        convolution: shared, not copied.
        forwards: the outputs too; else only the gradients.
    """

    def __init__(self, convolution: nn.Module, *, forwards: bool) -> None:
        super().__init__()
        self.convolution = convolution
        self.forwards = forwards

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Convolve `[N, channels, height, width]`."""
        if not fits(inputs.shape[2], inputs.shape[3]):
            return self.convolution(inputs)  # type: ignore[no-any-return]  # a module's call
        weight, bias = self.convolution.weight, self.convolution.bias
        return _Convolve.apply(inputs, weight, bias, self.forwards)  # type: ignore[no-untyped-call, no-any-return]  # torch's own


def fits(height: int, width: int) -> bool:
    """Return whether tiles of 4x4 outputs cover maps of this size without much beyond them."""
    covered = _tiles(height) * _tiles(width) * _SIDE**2
    return height * width >= (1 - _MOST_BEYOND) * covered


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, forwards: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        if not forwards:
            return functional.conv2d(inputs, weight, bias, padding=1)
        outputs = _outputs(inputs, _filters_at_points(weight))
        return outputs if bias is None else outputs.add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        for_inputs, for_weight, for_bias, _ = ctx.needs_input_grad
        of_inputs, of_weight = None, None
        if for_inputs or for_weight:
            of_inputs, of_weight = _gradients(gradient, inputs, weight, for_inputs, for_weight)
        return of_inputs, of_weight, gradient.sum((0, 2, 3)) if for_bias else None, None


def _outputs(inputs: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Convolve `[N, C, height, width]` with filters at the points `[36, C, K]`."""
    num_images, _, height, width = inputs.shape
    outputs = _empty(inputs, filters.shape[2])
    for part in _portions(num_images, height, width):
        products = torch.bmm(_inputs_at_points(_pixels(inputs)[part]), filters)
        _pixels(outputs)[part] = _outputs_from_points(products, height, width)
    return outputs


def _gradients(
    gradient: torch.Tensor, inputs: torch.Tensor, weight: torch.Tensor, for_inputs: bool, for_weight: bool
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Return the gradients of inputs and weights, each if it is asked for, from that of the outputs."""
    num_images, channels, height, width = inputs.shape
    of_inputs = _empty(inputs, channels) if for_inputs else None
    filters = _filters_at_points(weight).transpose(1, 2) if for_inputs else None
    of_filters = inputs.new_zeros(_POINTS**2, channels, len(weight)) if for_weight else None
    for part in _portions(num_images, height, width):
        at_points = _gradient_at_points(_pixels(gradient)[part])
        if of_filters is not None:
            of_filters.baddbmm_(_inputs_at_points(_pixels(inputs)[part]).transpose(1, 2), at_points)
        if of_inputs is not None and filters is not None:
            _pixels(of_inputs)[part] = _gradient_from_points(torch.bmm(at_points, filters), height, width)
    return of_inputs, None if of_filters is None else _filters_from_points(of_filters)


def _filters_at_points(weight: torch.Tensor) -> torch.Tensor:
    """From `[K, C, 3, 3]` to `[36, C, K]`."""
    num_filters, channels, _, _ = weight.shape
    return (_both_directions(weight) @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(-1, channels, num_filters)


def _filters_from_points(of_filters: torch.Tensor) -> torch.Tensor:
    """The way back for gradients: from `[36, C, K]` to `[K, C, 3, 3]`."""
    _, channels, num_filters = of_filters.shape
    rows = _both_directions(of_filters).T @ of_filters.view(_POINTS**2, -1)
    return rows.view(3, 3, channels, num_filters).permute(3, 2, 0, 1)


def _both_directions(like: torch.Tensor) -> torch.Tensor:
    one = torch.tensor(_FILTER_AT_POINTS, dtype=torch.float64)
    return torch.kron(one, one).to(like)


def _inputs_at_points(maps: torch.Tensor) -> torch.Tensor:
    """From maps `[n, height, width, C]` to `[36, tiles, C]`."""
    num_images, height, width, channels = maps.shape
    down, across = _tiles(height), _tiles(width)
    right, below = across * _SIDE + 1 - width, down * _SIDE + 1 - height
    padded = functional.pad(maps, (0, 0, 1, right, 1, below))
    rows = maps.new_empty(_POINTS, num_images, down, padded.shape[2], channels)
    _to_points(_windows(padded, 1), rows.unbind())
    points = maps.new_empty(_POINTS, _POINTS, num_images, down, across, channels)
    _to_points(_windows(rows, 3), points.unbind(1))
    return points.view(_POINTS**2, -1, channels)


def _gradient_from_points(points: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The way back for gradients: from `[36, tiles, C]` to maps `[n, height, width, C]`."""
    channels, down, across = points.shape[2], _tiles(height), _tiles(width)
    points = points.view(_POINTS, _POINTS, -1, down, across, channels)
    num_images = points.shape[2]
    rows = points.new_empty(_POINTS, num_images, down, across * _SIDE + 2, channels)
    _add_from_points(points.unbind(1), _windows_that_overlap_in_zeros(rows, 3))
    padded = points.new_empty(num_images, down * _SIDE + 2, across * _SIDE + 2, channels)
    _add_from_points(rows.unbind(), _windows_that_overlap_in_zeros(padded, 1))
    return padded[:, 1 : height + 1, 1 : width + 1]


def _outputs_from_points(points: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """From `[36, tiles, K]` to maps `[n, height, width, K]`."""
    channels, down, across = points.shape[2], _tiles(height), _tiles(width)
    points = points.view(_POINTS, _POINTS, -1, down, across, channels)
    num_images = points.shape[2]
    rows = points.new_empty(_SIDE, *points.shape[1:])
    _from_points(points.unbind(), rows.unbind())
    maps = points.new_empty(num_images, down * _SIDE, across * _SIDE, channels)
    _from_points(rows.unbind(1), _places(maps))
    return maps[:, :height, :width]


def _gradient_at_points(maps: torch.Tensor) -> torch.Tensor:
    """The way back for gradients: from maps `[n, height, width, K]` to `[36, tiles, K]`."""
    num_images, height, width, channels = maps.shape
    down, across = _tiles(height), _tiles(width)
    maps = functional.pad(maps, (0, 0, 0, across * _SIDE - width, 0, down * _SIDE - height))
    rows = maps.new_empty(_SIDE, _POINTS, num_images, down, across, channels)
    _outputs_to_points(_places(maps), rows.unbind(1))
    points = maps.new_empty(_POINTS, _POINTS, num_images, down, across, channels)
    _outputs_to_points(rows.unbind(), points.unbind())
    return points.view(_POINTS**2, -1, channels)


# The four functions below work along one direction, on one tensor for each number of a tile. Sums that two results
# share are made once, as in Lavin and Gray.


def _to_points(d: Sequence[torch.Tensor], v: Sequence[torch.Tensor]) -> None:
    """Write to `v` what six inputs `d` give at the points."""
    even, odd = torch.sub(d[4], d[2], alpha=4), torch.sub(d[3], d[1], alpha=4)
    torch.add(even, odd, out=v[1])
    torch.sub(even, odd, out=v[2])
    torch.sub(d[4], d[2], out=even)
    torch.sub(d[3], d[1], out=odd)
    torch.add(even, odd, alpha=2, out=v[3])
    torch.sub(even, odd, alpha=2, out=v[4])
    torch.sub(d[0], d[2], out=v[0])
    torch.add(even, v[0], alpha=4, out=v[0])
    torch.sub(d[5], d[3], out=v[5])
    v[5].sub_(odd, alpha=4)


def _add_from_points(v: Sequence[torch.Tensor], d: Sequence[torch.Tensor]) -> None:
    """Add to the first two and the last two of `d`, and write to the others, what is due to them by gradients `v`."""
    small, large = torch.sub(v[2], v[1]), torch.sub(v[4], v[3])
    d[0].add_(v[0], alpha=4)
    torch.add(small, v[5], out=d[3])
    d[1].add_(d[3], alpha=4).add_(large, alpha=2)
    d[3].add_(large, alpha=2).add_(v[5], alpha=4).neg_()
    torch.add(v[1], v[2], out=small)
    torch.add(v[3], v[4], out=large)
    torch.add(large, small, alpha=4, out=d[2])
    d[2].add_(v[0], alpha=5).neg_()
    d[4].add_(small.add_(large).add_(v[0]))
    d[5].add_(v[5])


def _from_points(m: Sequence[torch.Tensor], y: Sequence[torch.Tensor]) -> None:
    """Write to `y` the four outputs whose products at the points are `m`."""
    small, large = torch.add(m[1], m[2]), torch.add(m[3], m[4])
    torch.add(m[0], small, out=y[0])
    y[0].add_(large)
    torch.add(small, large, alpha=4, out=y[2])
    torch.sub(m[1], m[2], out=small)
    torch.sub(m[3], m[4], out=large)
    torch.add(small, large, alpha=2, out=y[1])
    torch.add(small, large, alpha=8, out=y[3])
    y[3].add_(m[5])


def _outputs_to_points(y: Sequence[torch.Tensor], m: Sequence[torch.Tensor]) -> None:
    """Write to `m` what is due to the values at the points by gradients `y` of four outputs."""
    m[0].copy_(y[0])
    m[5].copy_(y[3])
    even, odd = torch.add(y[0], y[2]), torch.add(y[1], y[3])
    torch.add(even, odd, out=m[1])
    torch.sub(even, odd, out=m[2])
    torch.add(y[0], y[2], alpha=4, out=even)
    torch.add(y[1], y[3], alpha=4, out=odd)
    torch.add(even, odd, alpha=2, out=m[3])
    torch.sub(even, odd, alpha=2, out=m[4])


def _windows(maps: torch.Tensor, dimension: int) -> list[torch.Tensor]:
    """Return the first numbers of all tiles along a dimension, the second, and so on to the sixth."""
    before = (slice(None),) * dimension
    last = maps.shape[dimension] - _POINTS
    return [maps[(*before, slice(first, first + last + 1, _SIDE))] for first in range(_POINTS)]


def _windows_that_overlap_in_zeros(maps: torch.Tensor, dimension: int) -> list[torch.Tensor]:
    """Return `_windows` of maps of which only the numbers that two tiles share are set: to nothing, to be added to."""
    before = (slice(None),) * dimension
    for first in range(_POINTS - _SIDE):
        maps[(*before, slice(first, None, _SIDE))] = 0
    return _windows(maps, dimension)


def _places(maps: torch.Tensor) -> Sequence[torch.Tensor]:
    """Return the four columns of all tiles of `[n, height, width, K]`, each `[4, n, down, across, K]`, rows first."""
    num_images, height, width, channels = maps.shape
    tiles = maps.view(num_images, height // _SIDE, _SIDE, width // _SIDE, _SIDE, channels)
    return tiles.permute(4, 2, 0, 1, 3, 5).unbind()


def _portions(num_images: int, height: int, width: int) -> Iterator[slice]:
    """Part the pictures into portions of about `_TILES` tiles, and of at least one picture."""
    step = -(-_TILES // (_tiles(height) * _tiles(width)))
    return (slice(first, first + step) for first in range(0, num_images, step))


def _pixels(maps: torch.Tensor) -> torch.Tensor:
    """View `[N, channels, height, width]` with the channels last."""
    return maps.permute(0, 2, 3, 1)


def _empty(like: torch.Tensor, channels: int) -> torch.Tensor:
    """Return maps of so many channels that lie in memory with the channels last, as all between them does."""
    num_images, _, height, width = like.shape
    return like.new_empty(num_images, height, width, channels).permute(0, 3, 1, 2)


def _tiles(side: int) -> int:
    return -(-side // _SIDE)
