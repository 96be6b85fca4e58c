"""The autoencoder: its layers, and pictures of any size."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retinula.models.autoencoder import Autoencoder, cifar10_autoencoder


@pytest.fixture
def network() -> Autoencoder:
    torch.manual_seed(0)
    return cifar10_autoencoder(10, 3, (32, 32))


def test_the_published_layers(network: Autoencoder) -> None:
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in network.named_children()}
    learning = {name: count for name, count in counts.items() if count}
    assert learning == {"conv1": 448, "conv2": 580, "t_conv1": 272, "t_conv2": 195}
    assert sum(p.numel() for p in network.parameters()) == 1_495


def test_the_code_is_a_twelfth_of_the_picture(network: Autoencoder) -> None:
    code = network.encode(torch.rand(5, 3, 32, 32))
    assert code.shape == (5, 4, 8, 8)
    assert code.min() >= 0
    assert network.decode(code).shape == (5, 3, 32, 32)


def test_forward_is_decoding_the_code_and_the_picture_its_sigmoid(network: Autoencoder) -> None:
    inputs = torch.rand(2, 3, 32, 32)
    logits = network(inputs)
    assert torch.equal(logits, network.decode(network.encode(inputs)))
    assert torch.equal(network.reconstruct(inputs), torch.sigmoid(logits))


@given(height=st.integers(1, 21), width=st.integers(1, 21), channels=st.sampled_from([1, 3]))
@settings(max_examples=40)
def test_any_size(height: int, width: int, channels: int) -> None:
    pictures = Autoencoder(channels).reconstruct(torch.rand(2, channels, height, width))
    assert pictures.shape == (2, channels, height, width)
    assert 0 <= pictures.min() <= pictures.max() <= 1


def test_a_side_that_is_no_multiple_of_four_is_filled_by_its_edge(network: Autoencoder) -> None:
    inputs = torch.rand(1, 3, 6, 7)
    filled = torch.cat([inputs, inputs[:, :, -1:], inputs[:, :, -1:]], 2)
    filled = torch.cat([filled, filled[:, :, :, -1:]], 3)
    assert torch.equal(network(inputs), network(filled)[:, :, :6, :7])


def test_it_learns_to_reconstruct(network: Autoencoder) -> None:
    pictures = torch.zeros(4, 3, 4, 4)
    pictures[:2, 0] = 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(pictures), pictures)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.6
    assert losses[-1] < 0.1
