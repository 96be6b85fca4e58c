"""The layer table: figures of the published summaries, hand-computed work, and no side effects."""

import json

import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.catalog import NETWORKS, build
from retinula.models.summary import Layer, summarize


def megabytes(name: str, batch_size: int) -> list[str]:
    summary = summarize(build(name, num_classes=10), (3, 32, 32), batch_size)
    return [
        f"{value:.2f}"
        for value in (summary.input_mb, summary.forward_backward_mb, summary.parameters_mb, summary.total_mb)
    ]


def test_memory_of_cifar10_cnn_as_published() -> None:
    assert megabytes("cifar10-cnn", 128) == ["1.50", "419.01", "22.32", "442.83"]


def test_memory_of_the_autoencoder_as_published() -> None:
    assert megabytes("cifar10-autoencoder", 128) == ["1.50", "52.25", "0.01", "53.76"]


def test_the_table_of_the_autoencoder_as_published() -> None:
    summary = summarize(build("cifar10-autoencoder", num_classes=10), (3, 32, 32))
    assert [(row.kind, row.output_shape, row.parameters) for row in summary.layers] == [
        ("Conv2d", (16, 32, 32), 448),
        ("ReLU", (16, 32, 32), 0),
        ("MaxPool2d", (16, 16, 16), 0),
        ("Conv2d", (4, 16, 16), 580),
        ("ReLU", (4, 16, 16), 0),
        ("MaxPool2d", (4, 8, 8), 0),
        ("ConvTranspose2d", (16, 16, 16), 272),
        ("ReLU", (16, 16, 16), 0),
        ("ConvTranspose2d", (3, 32, 32), 195),
        ("Sigmoid", (3, 32, 32), 0),
    ]
    # 3*16*9 and 16*4*9 a pixel of the outputs, 4*16*4 and 16*3*4 a pixel of the inputs.
    assert [row.multiply_adds for row in summary.layers if row.multiply_adds] == [
        432 * 32 * 32,
        576 * 16 * 16,
        256 * 8 * 8,
        192 * 16 * 16,
    ]


def test_multiply_adds_of_cifar10_cnn() -> None:
    summary = summarize(build("cifar10-cnn", num_classes=10), (3, 32, 32))
    by_hand = {
        "conv1": 3 * 32 * 9 * 1024,
        "conv2": 32 * 64 * 9 * 1024,
        "conv3": 64 * 128 * 9 * 256,
        "conv4": 128 * 128 * 9 * 256,
        "conv5": 128 * 256 * 9 * 64,
        "conv6": 256 * 256 * 9 * 64,
        "linear1": 4096 * 1024,
        "linear2": 1024 * 512,
        "linear3": 512 * 10,
    }
    assert {row.name: row.multiply_adds for row in summary.layers if row.multiply_adds} == by_hand
    assert summary.multiply_adds == sum(by_hand.values()) == 137_729_024


def test_a_grouped_convolution_and_a_linear_layer_over_many_places() -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2), nn.Flatten(2), nn.Linear(16, 5))
    summary = summarize(network, (4, 8, 8), 2)
    assert [row.multiply_adds for row in summary.layers] == [8 * 4 * 4 * (2 * 9), 0, 8 * 5 * 16]
    assert summary.forward_backward_mb == 2 * 2 * (128 + 128 + 40) * 4 / 2**20


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_add_up(name: str) -> None:
    entry = NETWORKS[name]
    network = build(name, num_classes=entry.num_classes, size=entry.size)
    summary = summarize(network, (3, *entry.size), 7, name=name)
    assert sum(row.parameters for row in summary.layers) == summary.parameters == entry.parameters
    assert sum(row.multiply_adds for row in summary.layers) == summary.multiply_adds == entry.multiply_adds
    assert summary.name == name
    assert summary.batch_size == 7
    last = (entry.num_classes,) if entry.task == "classification" else (3, *entry.size)
    assert summary.layers[-1].output_shape == last


def test_a_shared_layer_has_a_row_for_each_use_but_its_parameters_once() -> None:
    shared = nn.Linear(6, 6)
    summary = summarize(nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared), (1, 2, 3), 1)
    assert [(row.parameters, row.multiply_adds) for row in summary.layers] == [(0, 0), (42, 36), (0, 0), (0, 36)]
    assert summary.parameters == 42


def test_the_network_stays_as_it_was() -> None:
    torch.manual_seed(0)
    network = build("residual", num_classes=3, size=(16, 16))
    network.train()
    network.get_submodule("stem").eval()
    modes = {name: module.training for name, module in network.named_modules()}
    state = {name: value.clone() for name, value in network.state_dict().items()}
    chance = torch.get_rng_state()
    summarize(network, (3, 16, 16), 64)
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    assert not any(module._forward_hooks for module in network.modules())
    assert all(p.grad is None and p.device.type == "cpu" for p in network.parameters())


def test_an_enormous_batch_takes_no_memory() -> None:
    summary = summarize(build("cifar10-cnn", num_classes=10), (3, 32, 32), 10**9)
    assert summary.forward_backward_mb == pytest.approx(419.01 * 10**9 / 128, rel=1e-4)


def test_what_machines_read() -> None:
    summary = summarize(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), (1, 2, 2), 2, name="two")
    assert summary.layers[1] == Layer("1", "Linear", (3,), 15, 12)
    read = json.loads(json.dumps(summary.to_dict()))
    assert read["name"] == "two"
    assert read["parameters"] == 15
    assert read["multiply_adds"] == 12
    assert read["layers"] == [
        {"name": "0", "kind": "Flatten", "output_shape": [4], "parameters": 0, "multiply_adds": 0},
        {"name": "1", "kind": "Linear", "output_shape": [3], "parameters": 15, "multiply_adds": 12},
    ]
    assert read["total_mb"] == (8 + 2 * 14 + 15) * 4 / 2**20


def test_the_name_is_the_type_where_none_is_given() -> None:
    assert summarize(nn.Linear(2, 2), (1, 1, 2), 1).name == "Linear"


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 picture, not 0"):
        summarize(nn.Linear(2, 2), (1, 1, 2), 0)
