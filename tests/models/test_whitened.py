"""The network of the quick recipes: whitening, blocks, sizes, and what it refuses."""

from typing import Any

import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.catalog import build
from retinula.models.summary import summarize
from retinula.models.whitened import Block, ShiftNorm, WhitenedNetwork, Whitening, whitened


def test_maps_are_halved_by_the_blocks() -> None:
    rows = {row.name: row for row in summarize(whitened(10, 3, (32, 32)), (3, 32, 32)).layers}
    assert rows["whitening"].output_shape == (24, 31, 31)
    assert [rows[f"blocks.{n}.leave"].output_shape for n in range(3)] == [(64, 15, 15), (256, 7, 7), (256, 3, 3)]
    assert sum(row.multiply_adds for row in rows.values()) == 118_147_360


def test_patches_two_pixels_apart_halve_the_map_before_the_blocks() -> None:
    rows = {row.name: row for row in summarize(whitened(10, 3, (32, 32), patch=4, stride=2), (3, 32, 32)).layers}
    assert rows["whitening"].output_shape == (96, 15, 15)
    assert [rows[f"blocks.{n}.leave"].output_shape for n in range(3)] == [(64, 15, 15), (256, 7, 7), (256, 3, 3)]


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({}, 1_971_352),
        ({"patch": 4, "stride": 2}, 2_012_896),
        ({"width1": 128, "width2": 384, "width3": 512, "convolutions": 3}, 9_915_416),
    ],
)
def test_parameters(arguments: dict[str, Any], parameters: int) -> None:
    network = whitened(10, 3, (32, 32), **arguments)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_activation_is_the_same_everywhere() -> None:
    kinds = {"relu": nn.ReLU, "gelu": nn.GELU}
    for name, kind in kinds.items():
        network = whitened(10, 3, (32, 32), convolutions=3, activation=name)
        found = [type(layer) for layer in network.modules() if isinstance(layer, tuple(kinds.values()))]
        assert found == [kind] * 10


@pytest.mark.parametrize("size", [(12, 12), (28, 28), (24, 40)])
@pytest.mark.parametrize("arguments", [{}, {"patch": 4, "stride": 2}, {"convolutions": 3}])
def test_one_network_takes_inputs_of_many_sizes(size: tuple[int, int], arguments: dict[str, Any]) -> None:
    network = whitened(7, 1, (32, 32), width1=8, width2=16, width3=24, **arguments).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, *size)).shape == (2, 7)


def test_whitened_patches_vary_alike_in_every_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = nn.functional.avg_pool2d(torch.randn(64, 3, 40, 40, generator=generator), 3, 1)
    patches = nn.functional.unfold(inputs, 2).transpose(1, 2).reshape(-1, 12)
    eigenvalues, vectors = torch.linalg.eigh(torch.cov(patches.T))
    network = build("whitened", num_classes=10)
    assert isinstance(network, WhitenedNetwork)
    network.start_from(eigenvalues, vectors.T, 1e-7)
    with torch.inference_mode():
        maps = network.whitening(inputs).transpose(0, 1).flatten(1)
    assert torch.allclose(torch.cov(maps[:12]), torch.eye(12), atol=1e-3)
    assert torch.allclose(maps[12:], -maps[:12], atol=1e-5)


def test_a_floor_keeps_directions_without_variance_from_being_blown_up() -> None:
    network = whitened(10, 3, (32, 32))
    network.start_from(torch.zeros(12), torch.eye(12), 0.25)
    assert float(network.whitening.weight.abs().max()) == 2.0


def test_the_whitening_filters_are_kept_but_not_trained() -> None:
    layer = Whitening(3, patch=2, stride=1)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert sorted(layer.state_dict()) == ["bias", "weight"]


def test_normalisation_learns_no_factor() -> None:
    layer = ShiftNorm(4)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    outputs = layer(torch.randn(16, 4, 5, 5, generator=torch.Generator().manual_seed(0)) * 7 + 3)
    assert torch.allclose(outputs.transpose(0, 1).flatten(1).std(dim=1), torch.ones(4), atol=0.01)


def test_a_new_network_begins_with_the_patches_and_their_negatives() -> None:
    pictures = torch.rand(2, 3, 5, 5)
    maps = build("whitened", num_classes=10, patch=2).get_submodule("whitening")(pictures)
    patches = nn.functional.unfold(pictures, 2).view(2, 12, 4, 4)
    assert torch.allclose(maps, torch.cat((patches, -patches), dim=1), atol=1e-6)


def test_a_new_convolution_passes_its_first_maps_on() -> None:
    first = build("whitened", num_classes=10).get_submodule("blocks.0.enter.0")
    maps = torch.rand(2, 24, 9, 9)
    assert torch.allclose(first(maps)[:, :24], maps, atol=1e-6)


@pytest.mark.parametrize(("convolutions", "has"), [(2, False), (3, True)])
def test_three_convolutions_have_a_shortcut(convolutions: int, has: bool) -> None:
    block = Block(4, 4, convolutions=convolutions, shrinks=False, activation=nn.ReLU).eval()
    for layer in block.stay:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    maps = torch.rand(2, 4, 6, 6)
    assert torch.equal(block(maps), block.enter(maps) if has else torch.zeros_like(maps))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (11, 40)}, "whitened takes pictures of at least 12x12 pixels, not 11x40"),
        ({"width1": 0}, "width1 must lie between 1 and 2048, not 0"),
        ({"width3": 9999}, "width3 must lie between 1 and 2048, not 9999"),
        ({"convolutions": 4}, "convolutions must lie between 2 and 3, not 4"),
        ({"patch": 6}, "patch must lie between 1 and 5, not 6"),
        ({"stride": 3}, "stride must lie between 1 and 2, not 3"),
        ({"activation": "tanh"}, "activation must be relu or gelu, not 'tanh'"),
        ({"scale": 0.0}, "scale must be above 0 and at most 1, not 0.0"),
        ({"scale": float("nan")}, "scale must be above 0 and at most 1, not nan"),
    ],
)
def test_what_it_refuses(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("whitened", **{"num_classes": 10, **wrong})
