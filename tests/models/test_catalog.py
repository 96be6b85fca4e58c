"""The catalog of networks, and building from it."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from retinula.errors import InputError
from retinula.models.catalog import NETWORKS, build, build_outline


def test_the_catalog_is_complete() -> None:
    golden = {
        "cifar10-cnn": 5_851_338,
        "cifar100-cnn": 13_870_484,
        "cifar10-augmented": 731_658,
        "cifar10-autoencoder": 1_495,
        "code-autoencoder": 2_941_068,
        "cifar10-denoise": 124_684,
        "mobilenetv2": 815_780,
        "mobilenetv2-bsconv-u": 782_844,
        "mobilenetv2-bsconv-s": 815_780,
        "mobilenetv2-grouped": 279_380,
        "residual": 904_234,
        "whitened": 1_971_352,
    }
    assert {name: network.parameters for name, network in NETWORKS.items()} == golden
    assert all(network.name == name and network.about and network.source for name, network in NETWORKS.items())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_published_setting(name: str) -> None:
    entry = NETWORKS[name]
    network = build(name, num_classes=entry.num_classes, channels=entry.channels, size=entry.size).eval()
    assert sum(p.numel() for p in network.parameters()) == entry.parameters
    assert all(p.requires_grad for p in network.parameters())
    with torch.inference_mode():
        outputs = network(torch.rand(2, entry.channels, *entry.size))
    shape = (entry.num_classes,) if entry.task == "classification" else (entry.channels, *entry.size)
    assert outputs.shape == (2, *shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_everywhere(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=4, channels=1, size=(16, 16))
    network(torch.rand(4, 1, 16, 16)).square().sum().backward()
    without = [
        parameter for parameter, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not without


@pytest.mark.parametrize("name", NETWORKS)
def test_channels_last_and_bfloat16_give_nearly_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=10).eval()
    inputs = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        plain = network(inputs)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it
        fast_inputs = inputs.contiguous(memory_format=torch.channels_last)
        assert torch.allclose(network(fast_inputs), plain, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(fast_inputs).float()
        if NETWORKS[name].task == "reconstruction":  # near 0 and 1 logits move far where the picture hardly does
            fast, plain = fast.sigmoid(), plain.sigmoid()
        assert (fast - plain).abs().max() < 0.05 * plain.abs().max() + 0.02


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_can_be_assigned_to_a_network_without_memory(name: str) -> None:
    """As a model file is loaded: whatever the network needs must be in its state."""
    torch.manual_seed(1)
    trained = build(name, num_classes=3).eval()
    empty = build_outline(name, num_classes=3)
    empty.load_state_dict(trained.state_dict(), strict=True, assign=True)
    empty.eval()
    inputs = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(empty(inputs), trained(inputs))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_first_weights(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in build(name, num_classes=3, channels=1).parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("name", NETWORKS)
def test_constructors_leave_the_first_weights_to_be_set(name: str) -> None:
    """What constructors make is PyTorch's alone: no convolution or linear layer is zero."""
    network = NETWORKS[name].build(num_classes=3, channels=3, size=(32, 32))
    weighted = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert weighted
    assert [layer for layer in weighted if not layer.weight.any()] == []


def test_own_arguments_and_their_defaults() -> None:
    assert NETWORKS["cifar10-cnn"].arguments == {}
    assert NETWORKS["mobilenetv2"].arguments == {"width": 0.5, "dropout": 0.2}
    assert NETWORKS["cifar10-denoise"].arguments == {"width": 64, "layers": 5}
    assert NETWORKS["residual"].arguments == {"width": 1.0, "blocks": 1}


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("cifar10-cn", {}, "no network 'cifar10-cn'; did you mean 'cifar10-cnn'"),
        ("", {}, "no network ''; known: cifar10-augmented, "),
        ("residual", {"widht": 2.0}, "residual has no argument 'widht'; did you mean 'width'"),
        ("residual", {"name": "x"}, "residual has no argument 'name'; known: blocks, width"),
        ("cifar10-cnn", {"width": 2.0}, "cifar10-cnn has no argument 'width'; it has no arguments of its own"),
        ("residual", {"width": "2"}, "width must be of type float, as 1.0, not '2'"),
        ("residual", {"width": True}, "width must be of type float, as 1.0, not True"),
        ("residual", {"blocks": 1.5}, "blocks must be of type int, as 1, not 1.5"),
        ("residual", {"blocks": False}, "blocks must be of type int, as 1, not False"),
        ("residual", {"blocks": 0}, "blocks must lie between 1 and 32, not 0"),
        ("residual", {"width": 0.0}, "width must be above 0 and at most 8, not 0.0"),
        ("residual", {"width": float("nan")}, "width must be above 0 and at most 8, not nan"),
        ("mobilenetv2", {"width": -1}, "width must be above 0 and at most 4, not -1"),
        ("mobilenetv2", {"dropout": 1.0}, "dropout must be at least 0 and below 1, not 1.0"),
        ("mobilenetv2-bsconv-u", {"width": 5.0}, "mobilenetv2-bsconv-u: width must be above 0 and at most 4, not 5.0"),
        ("mobilenetv2-bsconv-s", {"orthonormality": -0.1}, "orthonormality must lie between 0 and 1, not -0.1"),
        ("mobilenetv2-bsconv-s", {"dropout": 2}, "mobilenetv2-bsconv-s: dropout must be at least 0 and below 1"),
        ("mobilenetv2-grouped", {"group_channels": 0}, "group_channels must lie between 1 and 4096, not 0"),
        ("mobilenetv2-grouped", {"group_channels": 8.0}, "group_channels must be of type int, as 16, not 8.0"),
        ("cifar10-denoise", {"width": 0}, "width must lie between 1 and 512, not 0"),
        ("cifar10-denoise", {"layers": 1}, "layers must lie between 2 and 32, not 1"),
        ("residual", {"channels": 4}, "1 or 3 channels, not 4"),
        ("residual", {"num_classes": 1}, "residual needs at least 2 classes to tell apart, not 1"),
        ("cifar10-autoencoder", {"num_classes": -1}, "at least 0 classes"),
        ("residual", {"size": (7, 90)}, "at least 8x8 pixels, not 7x90"),
        ("cifar10-autoencoder", {"size": (0, 4)}, "pictures of 0x4 pixels are empty"),
    ],
)
def test_what_cannot_be_built_is_told(name: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(name, **{"num_classes": 10, **wrong})


NUMBERS = [(n, argument) for n in NETWORKS for argument in NETWORKS[n].arguments]


@pytest.mark.parametrize(("name", "argument"), NUMBERS)
def test_no_argument_is_without_bounds(name: str, argument: str) -> None:
    for monstrous in (2**40, -(2**40)):
        wrong: dict[str, Any] = {argument: monstrous}
        with pytest.raises(InputError, match=rf"{argument} must .*, not {monstrous}"):
            build_outline(name, num_classes=10, **wrong)


def test_a_whole_number_is_good_enough_for_a_fraction() -> None:
    assert build("residual", num_classes=2, width=2)(torch.rand(2, 3, 32, 32)).shape == (2, 2)


def test_a_set_without_classes_can_be_reconstructed() -> None:
    assert build("cifar10-autoencoder", num_classes=0)(torch.rand(1, 3, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_without_memory_draws_nothing(name: str) -> None:
    chance = torch.get_rng_state()
    network = build_outline(name, num_classes=5)
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    assert torch.equal(torch.get_rng_state(), chance)


WITHOUT_MEMORY = """
import sys
import torch
from retinula.models.catalog import NETWORKS, build_outline
sys.modules["torch._dynamo"] = None  # what torch imports to draw on the meta device: now whoever asks for it fails
for name in NETWORKS:
    try:
        build_outline(name, num_classes=5)
    except ImportError as error:
        print(name, error)
"""


def test_a_network_without_memory_asks_for_no_slow_imports() -> None:
    # In a process of its own: what is imported once costs nothing more.
    done = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], capture_output=True, text=True, check=True)
    assert done.stdout == ""
