"""The denoiser: it begins as the identity, takes any size, and learns to take noise out."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retinula.models.autoencoder import Autoencoder
from retinula.models.catalog import NETWORKS, build
from retinula.models.denoiser import NEAREST, Denoiser
from retinula.models.reconstructing import Encodes, Reconstructs


def built(**arguments: Any) -> Denoiser:
    network = build("cifar10-denoise", num_classes=0, **arguments)
    assert isinstance(network, Denoiser)
    return network


@pytest.fixture
def network() -> Denoiser:
    """One whose last convolution is no longer 0."""
    torch.manual_seed(0)
    made = built(width=8, layers=3)
    torch.nn.init.normal_(made.last.weight, std=0.05)
    return made.eval()


def test_a_new_network_gives_back_what_it_gets() -> None:
    pictures = torch.rand(2, 3, 6, 8)
    given_back = built(width=8).reconstruct(pictures)
    assert torch.allclose(given_back, pictures.clamp(NEAREST, 1 - NEAREST), atol=1e-6)
    assert torch.equal((given_back * 255).round(), (pictures * 255).round()), "to the last of 8 bits"


def test_logits_stay_finite_at_black_and_white() -> None:
    pictures = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    logits = built(width=8)(pictures)
    assert logits.isfinite().all()
    assert torch.equal((torch.sigmoid(logits) * 255).round(), pictures * 255)


@given(height=st.integers(1, 9), width=st.integers(1, 9), channels=st.sampled_from([1, 3]))
@settings(max_examples=25)
def test_any_size(height: int, width: int, channels: int) -> None:
    pictures = built(channels=channels, width=4, layers=2).reconstruct(torch.rand(2, channels, height, width))
    assert pictures.shape == (2, channels, height, width)
    assert 0 <= pictures.min() <= pictures.max() <= 1


def test_nothing_beyond_its_reach_changes_an_output() -> None:
    for made in (built(width=4, layers=3), Autoencoder()):
        torch.manual_seed(0)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        pictures = torch.rand(1, 3, 64, 64, requires_grad=True)
        for row, column in ((32, 32), (33, 34), (35, 33)):
            (gradient,) = torch.autograd.grad(made(pictures)[0, :, row, column].sum(), pictures)
            rows, columns = gradient[0].abs().sum(0).nonzero().T
            assert (rows - row).abs().max() <= made.reach
            assert (columns - column).abs().max() <= made.reach


def test_it_learns_to_take_noise_out() -> None:
    torch.manual_seed(0)
    network = built(width=16, layers=3)
    clean = torch.rand(16, 3, 1, 1).expand(16, 3, 8, 8)
    noisy = (clean + 0.1 * torch.randn(clean.shape)).clamp(0, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.002)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.mse_loss(torch.sigmoid(network(noisy)), clean)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2.5


@pytest.mark.parametrize("name", NETWORKS)
def test_who_reconstructs_and_who_encodes(name: str) -> None:
    network = build(name, num_classes=2)
    assert isinstance(network, Reconstructs) == (NETWORKS[name].task == "reconstruction")
    assert isinstance(network, Encodes) == (name in ("cifar10-autoencoder", "code-autoencoder"))
