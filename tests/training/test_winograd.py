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


def test_in_float32_it_is_right_to_five_digits_of_the_largest() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(256, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.randn(8, 256, 15, 15).contiguous(memory_format=torch.channels_last)
    exact = outputs_and_gradients(layer.double(), inputs.double())
    quick = outputs_and_gradients(Winograd(layer.float(), forwards=True), inputs)
    for one, other in zip(exact, quick, strict=True):
        assert (other - one).abs().max() < 1e-5 * one.abs().max()


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
