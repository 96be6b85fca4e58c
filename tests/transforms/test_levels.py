import numpy as np
import torch

from retinula.pictures import levels as without_torch
from retinula.transforms.levels import to_bytes, unit

EVERY_BYTE = torch.arange(256, dtype=torch.uint8)


def test_every_byte_comes_back() -> None:
    floats = unit(EVERY_BYTE)
    assert floats.dtype == torch.float32
    assert (floats.min(), floats.max()) == (torch.zeros(()), torch.ones(()))
    assert torch.equal(to_bytes(floats), EVERY_BYTE)


def test_floats_are_in_0_to_1_already_and_are_left_alone() -> None:
    floats = torch.rand(3, 1, 4, 4)
    before = floats.clone()
    assert unit(floats) is floats
    to_bytes(floats)
    assert torch.equal(floats, before)


def test_bytes_are_the_nearest_with_torch_and_without() -> None:
    values = torch.cat((torch.linspace(-0.5, 1.5, 4001), torch.arange(0.5, 255) / 255))
    nearest = to_bytes(values)
    assert (unit(nearest) - values.clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(without_torch.to_bytes(values.numpy()), nearest.numpy())
