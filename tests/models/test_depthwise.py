"""Filtering each channel by itself: the same as the library's, in any precision."""

import pytest
import torch
import torch.nn.functional as F

from retinula.models.depthwise import Depthwise


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_it_is_the_grouped_convolution(stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = Depthwise(6, stride)
    inputs = torch.rand(2, 6, *size)
    assert torch.equal(layer(inputs), F.conv2d(inputs, layer.weight, None, stride, 1, 1, 6))


@pytest.mark.parametrize("stride", [1, 2])
def test_bfloat16_keeps_its_type_and_differs_by_rounding_only(stride: int) -> None:
    torch.manual_seed(0)
    layer = Depthwise(16, stride)
    inputs = torch.rand(4, 16, 8, 8).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = layer(inputs)
    outputs.float().square().sum().backward()
    exact_inputs = inputs.detach().float().requires_grad_()
    exact_weight = layer.weight.detach().clone().requires_grad_()
    exact = F.conv2d(exact_inputs, exact_weight, None, stride, 1, 1, 16)
    torch.autograd.backward(exact.square().sum())
    assert outputs.dtype == torch.bfloat16
    assert torch.allclose(outputs.float(), exact, rtol=0.02, atol=0.01)
    for gradient, expected in ((inputs.grad, exact_inputs.grad), (layer.weight.grad, exact_weight.grad)):
        assert gradient is not None
        assert expected is not None
        assert (gradient.float() - expected).norm() < 0.02 * expected.norm()


def test_a_stride_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    layer = Depthwise(16, 2)
    inputs = torch.rand(4, 16, 8, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = layer(inputs)
    assert torch.equal(outputs, F.conv2d(inputs.float(), layer.weight, None, 2, 1, 1, 16).bfloat16())
