"""Every method finds what alone decides, and forgets it together with the weights (Adebayo et al. 2018)."""

import copy
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from retinula import extras
from retinula.errors import InputError
from retinula.explanation.attribution import ATTRIBUTIONS, SIGNED, Attribution, attribute, gradcam_layer, plain_colour
from retinula.images import Images
from retinula.models.catalog import NETWORKS, build, build_outline
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

SIDE, PATCH = 16, 5
FORM = Preprocess(1, (SIDE, SIDE), (0.4,), (0.25,))
NORMALISING = [
    name
    for name, each in NETWORKS.items()
    if each.task == "classification"
    and any(isinstance(layer, nn.BatchNorm2d) for layer in build_outline(name, num_classes=2).modules())
]


def planted(number: int, seed: int) -> tuple[Images, NDArray[np.int64], NDArray[np.int64]]:
    """Noise, in every second picture with a bright patch: pictures, whether there is one, and where it begins."""
    generator = np.random.default_rng(seed)
    images = generator.integers(60, 140, (number, 1, SIDE, SIDE), dtype=np.uint8)
    labels = np.arange(number) % 2
    places = generator.integers(0, SIDE - PATCH + 1, (number, 2))
    for image, label, (top, left) in zip(images, labels, places, strict=True):
        if label:
            image[0, top : top + PATCH, left : left + PATCH] = 230
    return images, labels, places


@pytest.fixture(scope="module")
def model() -> Model:
    """A small network that has learned to tell pictures with a patch from those without."""
    torch.manual_seed(0)
    network = build("residual", num_classes=2, channels=1, size=(SIDE, SIDE), width=0.25)
    images, labels, _ = planted(512, seed=1)
    inputs, targets = FORM.normalise(torch.from_numpy(images)), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(60):
        chosen = torch.arange(step * 64, step * 64 + 64) % len(inputs)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs[chosen]), targets[chosen]).backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
    trained = Model(network.eval().requires_grad_(False), "residual", {"width": 0.25}, ("without", "with"), FORM)
    unseen, answers, _ = planted(100, seed=2)
    assert (trained.outputs(unseen).argmax(dim=1).numpy() == answers).mean() > 0.97
    return trained


def test_the_names_are_all_there() -> None:
    assert get_args(Attribution) == ATTRIBUTIONS
    assert set(ATTRIBUTIONS) > SIGNED


@pytest.mark.parametrize("method", ATTRIBUTIONS)
def test_a_planted_patch_is_found(method: Attribution, model: Model) -> None:
    images, labels, places = planted(40, seed=3)
    images, places = images[labels == 1], places[labels == 1]
    maps = attribute(model, images, np.ones(len(images), dtype=np.int64), method)
    assert maps.shape == (20, SIDE, SIDE)
    assert maps.dtype == np.float32
    assert method in SIGNED or maps.min() >= 0
    hits = []
    for values, (top, left) in zip(maps, places, strict=True):
        row, column = np.unravel_index(values.argmax(), values.shape)
        # A place within two pixels of the patch: its edge is what there is to see.
        hits.append(-2 <= row - top < PATCH + 2 and -2 <= column - left < PATCH + 2)
    assert np.mean(hits) >= 0.9
    # By chance it would be: 81 of 256 places are so near to the patch at most.
    assert (9 / SIDE) ** 2 < 0.4


@pytest.mark.parametrize("method", ATTRIBUTIONS)
def test_other_weights_give_another_map(method: Attribution, model: Model) -> None:
    images, _, _ = planted(12, seed=4)
    targets = np.ones(len(images), dtype=np.int64)
    torch.manual_seed(5)
    other = copy.deepcopy(model)
    for layer in other.network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.reset_parameters()
    before, after = (attribute(each, images, targets, method) for each in (model, other))
    # A map that is the same everywhere is like no other.
    pairs = [(one.ravel(), two.ravel()) for one, two in zip(before, after, strict=True) if np.ptp(one) and np.ptp(two)]
    likeness = [abs(spearmanr(one, two).statistic) for one, two in pairs]
    assert sum(likeness) / len(images) < 0.6
    again = attribute(model, images, targets, method)
    assert np.allclose(again, before, atol=1e-4), "the model itself is as it was"


def test_integrated_gradients_add_up_to_the_difference(model: Model) -> None:
    images, _, _ = planted(4, seed=6)
    maps = attribute(model, images, np.ones(4, dtype=np.int64), "integrated-gradients")
    with torch.no_grad():
        grey = model.network(torch.zeros(1, 1, SIDE, SIDE))[0, 1]
    difference = model.outputs(images)[:, 1] - grey
    assert np.allclose(maps.sum(axis=(1, 2)), difference.numpy(), atol=0.15 * float(difference.abs().max()))


def test_each_class_is_asked_about_by_itself(model: Model) -> None:
    images, _, _ = planted(2, seed=7)
    both = attribute(model, images, np.array([0, 1]), "occlusion")
    single = [attribute(model, images[[place]], np.array([place]), "occlusion")[0] for place in (0, 1)]
    assert np.allclose(both, single, atol=1e-4)
    flipped = attribute(model, images, np.array([1, 0]), "occlusion")
    assert not np.allclose(both, flipped, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("cifar10-cnn", 32, "relu6"),
        ("cifar10-augmented", 24, "pool2"),
        ("cifar100-cnn", 32, "relu6"),
        ("residual", 32, "stages.1"),
        ("mobilenetv2", 32, "features.14.conv.0"),
        ("mobilenetv2-bsconv-u", 32, "features.14.conv.0"),
        ("whitened", 32, "blocks.0"),
    ],
)
def test_the_layer_of_gradcam_is_the_last_that_says_where(name: str, size: int, expected: str) -> None:
    network = build(name, num_classes=3, channels=3, size=(size, size)).eval()
    form = Preprocess(3, (size, size), (0.0,) * 3, (1.0,) * 3)
    assert gradcam_layer(Model(network, name, {}, ("a", "b", "c"), form)) == expected


@pytest.mark.parametrize("name", NORMALISING)
def test_a_map_depends_on_what_the_network_computes_alone(name: str) -> None:
    """What is added before every normalisation, and taken away in it, changes no answer and so no map."""
    torch.manual_seed(0)
    network = build(name, num_classes=3, channels=3, size=(32, 32))
    model = Model(network, name, {}, ("a", "b", "c"), Preprocess(3, (32, 32), (0.5,) * 3, (0.25,) * 3))
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(model.preprocess.normalise(torch.from_numpy(images)))
    targets = np.array([0, 1])
    before, answers = attribute(model, images[:2], targets, "hirescam"), model.outputs(images[:2])
    convolution = nn.Conv2d(1, 1, 1)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            convolution = layer
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            constant = 2 * layer.running_var.sqrt() * torch.randn_like(layer.running_var)
            layer.running_mean += constant
            convolution.register_forward_hook(lambda _, __, output, more=constant[:, None, None]: output + more)
    assert torch.allclose(model.outputs(images[:2]), answers, atol=1e-3 * float(answers.abs().max()))
    assert before.max() > 0
    for one, two in zip(before, attribute(model, images[:2], targets, "hirescam"), strict=True):
        assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.999  # a slope may jump at the bend of an activation


def test_a_network_without_activations_is_looked_at_nevertheless() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 5), nn.Flatten(), nn.Linear(18, 2))
    assert gradcam_layer(Model(plain.eval(), "residual", {}, ("a", "b"), FORM)) == "1"


def test_of_maps_that_are_all_too_small_the_last_of_the_largest_is_taken() -> None:
    small = nn.Sequential(nn.Conv2d(1, 2, 8, 8), nn.ReLU(inplace=True), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    assert gradcam_layer(Model(small.eval(), "residual", {}, ("a", "b"), FORM)) == "2"


def test_the_middle_grey_stands_in_for_an_unknown_mean() -> None:
    network = build("cifar10-augmented", num_classes=2, channels=3, size=(8, 8)).eval()
    form = Preprocess(3, (8, 8), (0.0,) * 3, (1.0,) * 3)
    grey = np.full((1, 3, 8, 8), 128, dtype=np.uint8)
    maps = attribute(Model(network, "cifar10-augmented", {}, ("a", "b"), form), grey, np.array([0]), "occlusion")
    assert np.abs(maps).max() < 0.02, "covering grey with grey changes next to nothing"


def test_the_plain_colour_is_told_as_it_is(model: Model) -> None:
    assert plain_colour(model) == "the mean colour"
    assert plain_colour(replace(model, preprocess=replace(FORM, mean=(0.0,)))) == "a middle grey"


def test_what_cannot_be_explained_is_refused(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    images, _, _ = planted(2, seed=8)
    with pytest.raises(InputError, match=r"pictures are uint8 \[N, 1, 16, 16\]"):
        attribute(model, images.astype(np.float32), np.array([0, 1]), "saliency")
    with pytest.raises(InputError, match="with N above 0"):
        attribute(model, images[:0], np.array([], dtype=np.int64), "saliency")
    with pytest.raises(InputError, match="targets are a class for each of the 2 pictures, 0 to 1"):
        attribute(model, images, np.array([0, 2]), "saliency")
    with pytest.raises(InputError, match=r"no method 'lime'; known: gradcam, hirescam, .*saliency$"):
        attribute(model, images, np.array([0, 1]), "lime")  # type: ignore[arg-type]  # what is refused
    coder = build("cifar10-autoencoder", num_classes=2, channels=1, size=(SIDE, SIDE)).eval()
    with pytest.raises(InputError, match="gives pictures back and decides nothing"):
        attribute(Model(coder, "cifar10-autoencoder", {}, ("a", "b"), FORM), images, np.array([0, 1]), "saliency")
    plain = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2))
    flat = Model(plain.eval(), "residual", {}, ("a", "b"), FORM)
    with pytest.raises(InputError, match="no convolution to look at"):
        attribute(flat, images, np.array([0, 1]), "gradcam")
    assert attribute(flat, images, np.array([0, 1]), "saliency").shape == (2, SIDE, SIDE)
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'retinula\[explain\]'"):
        attribute(model, images, np.array([0, 1]), "saliency")


def test_a_broken_captum_is_told_in_one_line(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(name: str) -> None:
        raise ImportError(f"{name} is torn")

    monkeypatch.setattr(extras, "import_module", torn)
    images, labels, _ = planted(2, seed=0)
    with pytest.raises(InputError, match=r"^captum cannot be loaded \(captum\.attr is torn\): install it anew$"):
        attribute(model, images, labels, "saliency")
