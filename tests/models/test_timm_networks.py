"""Networks of timm: what is asked of it, what is refused, what comes back."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from retinula import extras
from retinula.errors import InputError
from retinula.models.catalog import build, build_outline, is_network, network_named
from retinula.models.head import head_of
from retinula.models.timm_networks import check_inputs, class_names, published, with_weights
from small_timm import load_timm, publish

SMALL = "timm/test_resnet"


@pytest.fixture(autouse=True, scope="module")
def _timm() -> None:
    load_timm()


def test_what_is_known_of_one() -> None:
    network = network_named(SMALL)
    assert (network.name, network.task, network.num_classes) == (SMALL, "classification", 1000)
    assert (network.channels, network.size) == (3, (160, 160))
    assert network.arguments == {"drop_rate": 0.0, "drop_path_rate": 0.0}
    assert network.parameters is None
    assert [is_network(name) for name in (SMALL, "timm/", "residual", "resnet18")] == [True, True, True, False]


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_the_network_that_timm_builds(channels: int) -> None:
    torch.manual_seed(3)
    theirs = load_timm().create_model("test_resnet", num_classes=5, in_chans=channels).eval()
    torch.manual_seed(3)
    ours = build(SMALL, num_classes=5, channels=channels).eval()
    inputs = torch.rand(2, channels, 32, 32)
    assert torch.equal(ours(inputs), theirs(inputs))
    assert head_of(ours) == "fc"


def test_what_needs_a_size_is_given_it() -> None:
    network = build("timm/test_vit", num_classes=3, size=(48, 32))
    assert network(torch.rand(1, 3, 48, 32)).shape == (1, 3)


def test_what_takes_no_inputs_of_its_size_is_told_and_left_as_it_was() -> None:
    network = build("timm/test_vit", num_classes=3, size=(32, 32))
    check_inputs("timm/test_vit", network, (3, 32, 32))
    assert network.training
    with pytest.raises(InputError, match=r"^timm/test_vit takes no inputs of 8x16 \(.*\): give a larger inputs\.size$"):
        check_inputs("timm/test_vit", build("timm/test_vit", num_classes=3, size=(8, 16)), (3, 8, 16))


def test_its_arguments_arrive() -> None:
    network: Any = build(SMALL, num_classes=3, drop_rate=0.25)
    assert network.drop_rate == 0.25


def test_an_outline_leaves_chance_alone() -> None:
    chance = torch.get_rng_state()
    assert all(values.is_meta for values in build_outline("timm/test_vit", num_classes=3, size=(32, 32)).parameters())
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("timm/resnet81", {}, "timm has no network 'resnet81'; did you mean 'resnet18'"),
        ("timm/", {}, "timm has no network ''"),
        ("timm/hf-hub:someone/evil", {}, "timm has no network 'hf-hub:someone/evil'"),
        ("timm/local-dir:/tmp", {}, "timm has no network 'local-dir:/tmp'"),
        ("timm/test_resnet.r160_in1k", {}, "names weights, not a network: .* or give model.name=timm/test_resnet for"),
        ("timm/deit_tiny_distilled_patch16_224", {}, "does not end in one linear layer"),
        ("timm/dla34", {}, "timm/dla34 does not end in one linear layer"),
        (SMALL, {"pretrained": True}, "has no argument 'pretrained'; known: drop_path_rate, drop_rate"),
        (SMALL, {"checkpoint_path": "evil.pth"}, "has no argument 'checkpoint_path'"),
        (SMALL, {"drop_rate": "0.1"}, "drop_rate must be of type float"),
        (SMALL, {"drop_rate": 1.0}, "timm/test_resnet: drop_rate must be at least 0 and below 1, not 1.0"),
        (SMALL, {"drop_path_rate": -0.1}, "drop_path_rate must be at least 0 and below 1, not -0.1"),
        ("timm/vgg11", {"drop_path_rate": 0.1}, r"timm/vgg11 cannot be built with drop_path_rate=0.1 \(VGG"),
    ],
)
def test_what_is_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_outline(name, num_classes=3, **arguments)


def test_without_timm_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    with pytest.raises(
        InputError, match=r"^a network of timm needs timm, not installed: pip install 'retinula\[models\]'$"
    ):
        network_named("timm/resnet34")


def test_published_weights_are_known_without_being_fetched() -> None:
    weights = published("timm/test_resnet")
    assert weights == published("timm/test_resnet.r160_in1k")
    assert weights.name == "test_resnet.r160_in1k"
    assert weights.repository == "timm/test_resnet.r160_in1k"
    assert (weights.shape, weights.mean, weights.std) == ((3, 160, 160), (0.5,) * 3, (0.5,) * 3)
    assert (weights.resample, weights.num_classes, weights.licence) == ("bilinear", 1000, "apache-2.0")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/test_resnet.r161_in1k", "timm has no weights 'test_resnet.r161_in1k'; did you mean 'test_resnet.r160"),
        ("timm/resnet81.a1_in1k", "timm has no network 'resnet81'"),
        ("timm/gcvit_xxtiny", "timm has no weights of it to be read without pickle; give model.name=timm/gcvit_xxtiny"),
    ],
)
def test_weights_that_are_not_to_be_had(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        published(name)


def test_weights_are_taken_over_as_they_are_published(tmp_path: Path) -> None:
    tensors = load_file(publish(tmp_path, "test_resnet.r160_in1k", seed=5))
    network = with_weights(published("timm/test_resnet"), tensors)
    assert network.state_dict().keys() == tensors.keys()
    assert all(torch.equal(values, tensors[name]) for name, values in network.state_dict().items())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    tensors = load_file(publish(tmp_path, "test_vit.r160_in1k"))
    with pytest.raises(InputError, match=r"timm/test_resnet\.r160_in1k: these are not its weights"):
        with_weights(published("timm/test_resnet"), tensors)


def test_names_of_classes_differ() -> None:
    names = class_names(1000)
    assert names[:2] == ("tench", "goldfish")
    assert len(set(names)) == 1000
    assert [name for name in names if name.startswith("crane")] == ["crane n02012849", "crane n03126707"]
    assert class_names(7) == tuple(f"class {number}" for number in range(7))
