"""The default network: any size, many classes, and it learns."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn

from retinula.models.catalog import build
from retinula.models.residual import ResidualBlock, residual
from retinula.models.summary import summarize


@given(
    height=st.integers(8, 256),
    width=st.integers(8, 256),
    channels=st.sampled_from([1, 3]),
    num_classes=st.sampled_from([2, 10, 5000]),
)
@settings(max_examples=30)
def test_any_size_channels_and_classes(height: int, width: int, channels: int, num_classes: int) -> None:
    network = residual(num_classes, channels, (height, width)).eval()
    with torch.inference_mode():
        pictures = torch.zeros(1, channels, height, width)
        assert network(pictures).shape == (1, num_classes)
        last = network.stages(network.stem(pictures))
    assert 4 <= min(last.shape[2:]) <= 8
    halvings = int(math.log2(min(height, width) / 4))
    assert last.shape[1] == {1: 128}.get(halvings, 192)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert all(layer.out_channels % 32 == 0 for layer in convolutions)


@pytest.mark.parametrize(
    ("side", "channels", "parameters", "first", "last"),
    [
        (8, 1, 306_122, 8, 4),
        (16, 3, 886_602, 16, 4),
        (32, 3, 904_234, 16, 4),
        (64, 3, 904_234, 16, 4),
        (96, 3, 904_234, 24, 6),
        (128, 3, 913_514, 16, 4),
        (256, 3, 922_794, 16, 4),
    ],
)
def test_maps_and_parameters(side: int, channels: int, parameters: int, first: int, last: int) -> None:
    network = residual(10, channels, (side, side))
    assert sum(p.numel() for p in network.parameters()) == parameters
    rows = summarize(network, (channels, side, side)).layers
    assert next(row for row in rows if row.name.startswith("stages")).output_shape == (64, first, first)
    assert rows[-2].output_shape[1:] == (last, last)
    assert sum(row.multiply_adds for row in rows) < 150_000_000


@pytest.mark.parametrize(("width", "channels"), [(0.25, [32, 32, 64]), (0.5, [32, 64, 96]), (2, [128, 256, 384])])
def test_width_scales_to_multiples_of_32(width: float, channels: list[int]) -> None:
    network = residual(10, 3, (32, 32), width=width)
    assert [network.get_submodule(f"stages.{n}.0.conv2").out_channels for n in range(3)] == channels
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_blocks_deepen_every_stage() -> None:
    network = residual(10, 3, (32, 32), blocks=3)
    assert [len(list(stage.children())) for stage in network.stages] == [3, 3, 3]
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_a_new_block_passes_its_input_on() -> None:
    block = ResidualBlock(32, 32, stride=1)
    nn.init.zeros_(block.norm2.weight)
    inputs = torch.rand(2, 32, 6, 6)
    assert torch.equal(block(inputs), inputs)


def test_blocks_begin_with_scale_zero() -> None:
    blocks = [m for m in build("residual", num_classes=10, blocks=2).modules() if isinstance(m, ResidualBlock)]
    assert len(blocks) == 6
    assert not any(block.norm2.weight.any() for block in blocks)
    assert all((block.norm1.weight == 1).all() for block in blocks)


def test_the_shortcut_of_an_odd_map_has_the_size_of_the_block() -> None:
    block = ResidualBlock(32, 64, stride=2)
    assert block(torch.rand(2, 32, 7, 9)).shape == (2, 64, 4, 5)
    pooled = block.shortcut[0](torch.arange(9.0).view(1, 1, 3, 3))
    assert pooled.tolist() == [[[[2, 3.5], [6.5, 8]]]], "means of what there is, not of padding"


def accuracy_on_digits(epochs: int, width: float) -> float:
    """Train on 1,438 of the digits, 22 batches of 64 an epoch, and measure on the other 359."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(labels), generator=generator)
    train, test = order[:1438], order[1438:]
    torch.manual_seed(0)
    network = build("residual", num_classes=10, channels=1, size=(8, 8), width=width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * 22)
    for _ in range(epochs):
        shuffled = train[torch.randperm(1438, generator=generator)]
        for batch in torch.split(shuffled, 64)[:22]:
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(network(images[batch]), labels[batch]))
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.inference_mode():
        right: torch.Tensor = network(images[test]).argmax(1) == labels[test]
    return int(right.sum()) / len(test)


def test_half_of_it_learns_digits_in_four_epochs() -> None:
    assert accuracy_on_digits(epochs=4, width=0.5) >= 0.95


@pytest.mark.slow
def test_it_learns_digits_well() -> None:
    assert accuracy_on_digits(epochs=12, width=1) >= 0.985
