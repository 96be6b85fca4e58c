from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from retinula.errors import InputError, Interrupted
from retinula.images import ImageSet
from retinula.metrics import psnr
from retinula.models.catalog import build
from retinula.models.code_autoencoder import CodeAutoencoder
from retinula.models.linear_code import linear_code_psnr
from retinula.models.reconstructing import Encodes, Reconstructs
from retinula.recipe.files import load_recipe
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.training.hardware import Hardware
from retinula.training.loop import train

MakeSet = Callable[..., ImageSet]
PLAIN = Hardware("cpu", 1, False, "float32", "for the test")


def small(**arguments: int) -> CodeAutoencoder:
    torch.manual_seed(0)
    network = build(
        "code-autoencoder", num_classes=0, channels=3, size=(8, 8), **{"numbers": 12, "width": 8, **arguments}
    )
    assert isinstance(network, CodeAutoencoder)
    return network


def test_it_starts_as_the_linear_code() -> None:
    network = small()
    mean = torch.rand(192)
    components = torch.linalg.qr(torch.randn(192, 12))[0].T.contiguous()
    network.start_from(mean, components)
    pictures = torch.rand(5, 3, 8, 8)
    code = (pictures.flatten(1) - mean) @ components.T
    linear = (code @ components + mean).view_as(pictures)
    for each in (pictures, pictures.contiguous(memory_format=torch.channels_last)):
        assert torch.allclose(network.encode(each)[:, :, 0, 0], code, atol=1e-5)
        assert torch.allclose(network.reconstruct(each), linear.clamp(2e-3, 1 - 2e-3), atol=1e-5)


def test_what_it_ends_with_is_zero_at_first_and_nothing_else() -> None:
    zero = {name for name, weights in small(blocks=2).named_parameters() if not weights.any()}
    assert zero == {"correction.weight", "decoder.2.conv2.weight", "decoder.3.conv2.weight", "decoder.4.weight"} | {
        "decoder.4.bias"
    }


def test_a_large_picture_is_a_mosaic_of_squares() -> None:
    network = small()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    picture = torch.rand(2, 3, 16, 24)
    code = network.encode(picture)
    assert code.shape == (2, 12, 2, 3)
    assert torch.allclose(code[:, :, 1, 2], network.encode(picture[:, :, 8:, 16:])[:, :, 0, 0], atol=1e-5)
    whole = network.reconstruct(picture)
    assert torch.allclose(whole, torch.sigmoid(network.decode(code)), atol=1e-6)
    assert torch.allclose(whole[:, :, :8, 8:16], network.reconstruct(picture[:, :, :8, 8:16]), atol=1e-5)
    assert network.encode(picture[:, :, :9, :17]).shape == (2, 12, 2, 3)
    assert network.reconstruct(picture[:, :, :9, :17]).shape == (2, 3, 9, 17)


def test_it_is_one_of_those_that_reconstruct_and_encode() -> None:
    assert isinstance(small(), Reconstructs)
    assert isinstance(small(), Encodes)


def test_every_weight_learns_after_a_step() -> None:
    network = small()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    pictures = torch.rand(6, 3, 8, 8) * 0.2 + 0.4
    for _ in range(3):  # what begins at zero keeps what is before it from learning in the first step
        optimizer.zero_grad()
        (network.reconstruct(pictures) - pictures).square().mean().backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(("side", "crop"), [(8, []), (12, ["crop=8"])])
def test_training_begins_at_the_components_of_its_pictures(
    side: int, crop: list[str], make_set: MakeSet, tmp_path: Path
) -> None:
    settings = ["steps=1", "lr=1e-9", "warmup=0", "numbers=12", "width=8"]
    settings = [f"model.arguments.{word}" if word.startswith(("numbers", "width")) else word for word in settings]
    recipe = load_recipe("cifar10-code256", [*settings, *crop])
    train_set, test_set = make_set(40, size=side), make_set(20, seed=3, size=side)
    run = create_run(recipe, {}, root=tmp_path)
    train(recipe, train_set, None, run, hardware=PLAIN)
    model = Model.load(run.path)
    given = torch.sigmoid(model.outputs(test_set.images))
    seen = model.preprocess.centre(torch.from_numpy(test_set.images.copy()))
    mean = float(psnr(seen.float() / 255, given).mean())
    assert mean == pytest.approx(linear_code_psnr(train_set, test_set, 12, model.preprocess), abs=0.05)


def test_under_muon_all_of_it_learns_and_goes_on_as_if_it_had_not_stopped(make_set: MakeSet, tmp_path: Path) -> None:
    settings = ["steps=6", "optimizer=muon", "lr=0.1", "momentum=0.6", "batch_size=10", "warmup=0", "snapshots=false"]
    recipe = load_recipe("cifar10-code256", [*settings, "model.arguments.numbers=12", "model.arguments.width=8"])
    runs = [create_run(recipe, {}, root=tmp_path) for _ in range(2)]
    whole = train(recipe, make_set(40), None, runs[0], hardware=PLAIN)
    with pytest.raises(Interrupted):
        train(recipe, make_set(40), None, runs[1], hardware=PLAIN, stop_requested=lambda: True)
    resumed = train(recipe, make_set(40), None, runs[1])
    for name, weights in resumed.network.named_parameters():
        assert weights.any(), f"{name} is still zero"
        assert torch.equal(weights, whole.network.get_parameter(name)), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numbers": 0}, "numbers must be 1 to 192"),
        ({"numbers": 193}, "numbers must be 1 to 192"),
        ({"width": 0}, "width must lie between 1 and 512, not 0"),
        ({"width": 513}, "width must lie between 1 and 512, not 513"),
        ({"blocks": -1}, "blocks must lie between 0 and 32, not -1"),
        ({"blocks": 33}, "blocks must lie between 0 and 32, not 33"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**arguments)
    with pytest.raises(InputError, match="squares of 8, 16, 32, 64, not 10x8"):
        build("code-autoencoder", num_classes=0, channels=3, size=(10, 8))
