"""Grouped 1x1 convolutions with interleaving: groups, permutation, and the dense matrix they stand for."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from retinula.models.grouped import GroupedPointwise, mobilenetv2_grouped, num_groups
from retinula.models.summary import summarize


def block_diagonal(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Lay the groups' matrices out as one that has zeros elsewhere."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    whole = torch.zeros(weight.shape[0], inputs * groups, 1, 1)
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = weight.detach()[rows]
    return whole


def convolution(network: nn.Module, name: str) -> nn.Conv2d:
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    return layer


def test_layers_counted_by_hand() -> None:
    summary = summarize(mobilenetv2_grouped(100, 3, (32, 32)), (3, 32, 32))
    rows = {row.name: (row.kind, row.parameters, row.multiply_adds) for row in summary.layers}
    # 80 channels widened to 480 in 80 / 16 = 5 groups, each of 16 to 96; no second convolution where it widens.
    assert rows["features.15.conv.0.0"] == ("Conv2d", 5 * 16 * 96, 5 * 16 * 96 * 4 * 4)
    assert rows["features.15.conv.0.3"] == ("ChannelShuffle", 0, 0)
    # 480 narrowed to 80: 30 groups would leave 16 inputs each, but 80 is divided by 20 at most: 24 to 4, then 4 to 4.
    assert rows["features.15.conv.2.first.0"] == ("Conv2d", 20 * 24 * 4, 20 * 24 * 4 * 4 * 4)
    assert rows["features.15.conv.2.second.0"] == ("Conv2d", 20 * 4 * 4, 20 * 4 * 4 * 4 * 4)
    assert rows["features.15.conv.2.second.1"] == ("BatchNorm2d", 2 * 80, 0)
    # 8 channels cannot be cut into groups of 16: whole.
    assert rows["features.2.conv.0.0"] == ("Conv2d", 8 * 48, 8 * 48 * 32 * 32)
    assert rows["features.18.0"] == ("Conv2d", 160 * 1280 // 10, 160 * 1280 // 10 * 4 * 4)


@pytest.mark.parametrize("least", [1, 8, 16, 32])
def test_groups_are_the_most_that_fit(least: int) -> None:
    for channels_in in range(1, 200, 7):
        for channels_out in range(1, 200, 9):
            groups = num_groups(channels_in, channels_out, least)
            assert channels_in % groups == channels_out % groups == 0
            assert groups == 1 or channels_in // groups >= least
            more = range(groups + 1, math.gcd(channels_in, channels_out) + 1)
            assert all(channels_in % each or channels_out % each or channels_in // each < least for each in more)


def test_interleaving_is_a_permutation_that_gives_each_group_some_of_every_group() -> None:
    interleave = GroupedPointwise(24, 12, 3).interleave
    channels = torch.arange(12.0).view(1, 12, 1, 1)
    order = interleave(channels).flatten().int().tolist()
    assert sorted(order) == list(range(12))
    assert order == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert all({number // 4 for number in order[start : start + 4]} == {0, 1, 2} for start in (0, 4, 8))


def test_a_grouped_layer_is_a_block_diagonal_one() -> None:
    torch.manual_seed(0)
    layer = GroupedPointwise(24, 12, 3).eval()
    inputs = torch.rand(2, 24, 4, 4)
    scale = 1 / math.sqrt(1 + nn.BatchNorm2d(1).eps)  # of a normalisation that has seen nothing yet
    first = scale * block_diagonal(convolution(layer, "first.0").weight, 3)
    second = scale * block_diagonal(convolution(layer, "second.0").weight, 3)
    permutation = torch.eye(12)[[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]]
    whole = (torch.eye(12) + second.flatten(1) @ permutation) @ first.flatten(1)
    assert torch.allclose(layer(inputs), F.conv2d(inputs, whole[:, :, None, None]), atol=1e-6)
    # Neither convolution alone lets every input reach every output; both do.
    assert (first != 0).float().mean() == pytest.approx(1 / 3)
    assert bool((whole != 0).all())


def test_groups_of_all_channels_are_the_plain_layers() -> None:
    names = list(mobilenetv2_grouped(10, 3, (32, 32), width=0.25, group_channels=1000).modules())
    assert not any(isinstance(module, GroupedPointwise | nn.ChannelShuffle) for module in names)
