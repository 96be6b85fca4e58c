import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gradients import Turned, outputs_and_gradients
from retinula.training import winograd
from retinula.training.winograd import Winograd, fits

SIZES = [(4, 4), (3, 4), (7, 7), (8, 5), (6, 16), (15, 31)]


def convolution(channels: int = 3, filters: int = 5, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, 3, padding=1, bias=bias).double()


def forbid_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> torch.Tensor:
        raise AssertionError("convolved plainly")

    monkeypatch.setattr(nn.Conv2d, "forward", refuse)
    monkeypatch.setattr(functional, "conv2d", refuse)


@pytest.mark.parametrize("forwards", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("num_images", [1, 3, 300])
@pytest.mark.parametrize("size", SIZES)
def test_outputs_and_gradients_are_the_plain_convolutions(
    size: tuple[int, int], num_images: int, bias: bool, forwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fits(*size)
    layer = convolution(bias=bias).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.randn(num_images, 3, *size, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    plain = outputs_and_gradients(layer, inputs)
    if forwards:
        forbid_plain(monkeypatch)
    quick = outputs_and_gradients(Winograd(layer, forwards=forwards), inputs)
    for one, other in zip(plain, quick, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert quick[0].is_contiguous(memory_format=torch.channels_last)


def test_maps_and_gradients_may_lie_in_memory_in_any_order() -> None:
    layer = convolution()
    inputs = torch.randn(7, 4, 3, 6, dtype=torch.float64).permute(1, 2, 3, 0)
    assert not inputs.is_contiguous()
    assert not inputs.is_contiguous(memory_format=torch.channels_last)
    plain = outputs_and_gradients(nn.Sequential(layer, Turned()), inputs)
    quick = outputs_and_gradients(nn.Sequential(Winograd(layer, forwards=True), Turned()), inputs)
    for one, other in zip(plain, quick, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


# By how much the paper's matrices enlarge the mean square of independent numbers at each of the six points: the sums of
# squares of their rows, of those for a tile's inputs, for a filter, and for the gradient of the outputs.
INPUTS_AT_POINTS = (42, 34, 34, 10, 10, 42)
FILTER_AT_POINTS = (1 / 16, 1 / 12, 1 / 12, 7 / 192, 7 / 192, 1)
GRADIENT_AT_POINTS = (1, 4, 4, 85, 85, 1)


def largest_error(num_summands: int) -> float:
    """Return how large, in the mean, the error of sums of so many products can be, relative to the sums.

    For independent numbers, and roundings that are independent of each other, each of a mean square of at most u^2/3
    (u = 2^-24, half the distance from one to the next number of float32). Where n products are added one after the
    other, which is the worst order, what is rounded grows from one product's mean square to that of n, so that of the
    error is that of n/2 roundings of the sum. To the points and back (3 sums in each direction, and 4), the filter's
    nine products and the product itself are 24 roundings more, none of something larger than what it leads to. On the
    way back the sums at the six points nearly cancel each other: the products of the three squares at them add up to
    129.3, where what they come to is 4 * 3 products of independent numbers. So the mean square of an error is 10.8
    times as large for each of the two directions, be it of outputs, inputs or filters.
    """
    squares = zip(INPUTS_AT_POINTS, FILTER_AT_POINTS, GRADIENT_AT_POINTS, strict=True)
    growth = sum(map(math.prod, squares)) / (4 * 3)
    return growth * math.sqrt((num_summands / 2 + 24) / 3) * 2.0**-24


def test_in_float32_its_errors_are_no_larger_than_the_points_make_them() -> None:
    """In the mean: the largest of a hundred thousand errors is another one with every draw, and on every machine."""
    torch.manual_seed(0)
    layer = nn.Conv2d(256, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.randn(8, 256, 16, 16).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(8, 64, 16, 16)

    def passed(network: nn.Module, kind: torch.dtype) -> list[torch.Tensor]:
        given = inputs.to(kind).requires_grad_()
        outputs = network.to(kind)(given)
        return [outputs.detach(), *torch.autograd.grad(outputs, [given, layer.weight], gradient.to(kind))]

    exact = passed(layer, torch.float64)
    quick = passed(Winograd(layer, forwards=True), torch.float32)
    for one, other, num_summands in zip(exact, quick, (256, 64, 8 * 4 * 4), strict=True):
        error = (other - one).square().mean().sqrt() / one.square().mean().sqrt()
        assert error < largest_error(num_summands)


@pytest.mark.parametrize("trained", ["inputs", "weight", "bias", ""])
def test_only_what_is_asked_for_is_computed(trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = convolution().requires_grad_(False)
    inputs = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert layer.bias is not None
    wanted: dict[str, torch.Tensor] = {"inputs": inputs, "weight": layer.weight, "bias": layer.bias}
    if trained:
        wanted[trained].requires_grad_()
    outputs = Winograd(layer, forwards=True)(inputs)
    assert outputs.requires_grad == bool(trained)
    if not trained:
        return
    needless = {"inputs": "_filters_from_points", "weight": "_gradient_from_points", "bias": "_gradient_at_points"}
    monkeypatch.delattr(winograd, needless[trained])
    outputs.square().sum().backward()
    found = wanted[trained].grad
    (expected,) = torch.autograd.grad(layer(inputs).square().sum(), wanted[trained])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (5, 5), (9, 9), (2, 16)])
def test_maps_that_tiles_fit_badly_are_convolved_plainly(size: tuple[int, int]) -> None:
    assert not fits(*size)
    layer = convolution()
    inputs = torch.randn(2, 3, *size, dtype=torch.float64)
    assert torch.equal(Winograd(layer, forwards=True)(inputs), layer(inputs))


def test_the_same_pass_gives_the_same_bits() -> None:
    layer = Winograd(nn.Conv2d(32, 48, 3, padding=1), forwards=True)
    inputs = torch.randn(40, 32, 12, 12)
    for one, other in zip(outputs_and_gradients(layer, inputs), outputs_and_gradients(layer, inputs), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_add_up_over_passes_and_lie_as_the_weights_do(memory_format: torch.memory_format) -> None:
    layer = convolution().to(memory_format=memory_format)  # type: ignore[call-overload]  # torch's stubs lack it
    twin = Winograd(layer, forwards=True)
    inputs = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    twin(inputs).square().sum().backward()
    once = layer.weight.grad.clone()
    assert layer.weight.grad.stride() == layer.weight.stride()
    twin(inputs).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, 2 * once)


def test_no_pictures_have_no_outputs_and_no_gradient() -> None:
    layer = convolution()
    inputs = torch.empty(0, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    outputs = Winograd(layer, forwards=True)(inputs)
    assert outputs.shape == (0, 5, 8, 8)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.shape == inputs.shape
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()
