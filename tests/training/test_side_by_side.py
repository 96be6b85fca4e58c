import pytest
import torch
from torch import nn

from gradients import Turned, outputs_and_gradients
from retinula.training.side_by_side import SideBySide


@pytest.mark.parametrize("num_images", [1, 2, 7, 12, 17, 32, 33])
@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 8), (9, 5)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pictures_side_by_side_do_not_see_each_other(
    num_images: int, size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    convolution = nn.Conv2d(3, 5, 3, padding=1).double().to(memory_format=memory_format)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.randn(num_images, 3, *size, dtype=torch.float64).contiguous(memory_format=memory_format)
    plain = outputs_and_gradients(convolution, inputs)
    beside = outputs_and_gradients(SideBySide(convolution), inputs)
    for one, other in zip(plain, beside, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert beside[0].is_contiguous(memory_format=memory_format)


def test_inputs_and_gradients_may_lie_in_memory_in_any_order() -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1).double()
    inputs = torch.randn(5, 4, 3, 6, dtype=torch.float64).permute(1, 2, 3, 0)
    assert not inputs.is_contiguous()
    assert not inputs.is_contiguous(memory_format=torch.channels_last)
    plain = outputs_and_gradients(nn.Sequential(layer, Turned()), inputs)
    beside = outputs_and_gradients(nn.Sequential(SideBySide(layer), Turned()), inputs)
    for one, other in zip(plain, beside, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
