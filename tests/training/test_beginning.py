"""What networks are given of the training pictures before the first step."""

from pathlib import Path

import numpy as np
import pytest
import torch

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.models.whitened import WhitenedNetwork
from retinula.recipe.files import checked
from retinula.recipe.recipe import Recipe
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.training.beginning import begin_from_pictures, check_single, check_sizes, patch_covariance
from retinula.training.body import freeze_body
from retinula.training.hardware import Hardware, choose_hardware
from retinula.training.inputs import shrunk
from retinula.training.loop import train
from retinula.training.plan import side_at
from retinula.transforms.preprocess import Preprocess

PLAIN = Hardware("cpu", 1, False, "float32", "for the test")


def pictures(num_images: int = 60, side: int = 16) -> ImageSet:
    noise = np.random.default_rng(0).normal(size=(num_images, 3, side + 2, side + 2))
    smooth = noise[:, :, :-2, :-2] + noise[:, :, 1:-1, 1:-1] + noise[:, :, 2:, 2:]
    images = np.clip(smooth * 30 + 120, 0, 255).astype(np.uint8)
    return ImageSet(images, np.arange(num_images, dtype=np.int64) % 3, ("a", "b", "c"), "made/train")


def preprocess_of(image_set: ImageSet) -> Preprocess:
    return Preprocess(3, image_set.shape[1:], *image_set.statistics())


def test_patch_covariance_is_that_of_all_patches() -> None:
    image_set = pictures()
    form = preprocess_of(image_set)
    eigenvalues, eigenvectors = patch_covariance(image_set, form, 2)
    inputs = form.normalise(torch.from_numpy(image_set.images.copy()))
    patches = torch.nn.functional.unfold(inputs, 2).transpose(1, 2).reshape(-1, 12)
    expected = torch.cov(patches.T, correction=0)
    assert torch.allclose(eigenvectors.T @ torch.diag(eigenvalues) @ eigenvectors, expected, atol=1e-4)
    assert (eigenvalues.diff() <= 0).all()
    assert (eigenvectors.sum(dim=1) >= 0).all()


def test_a_whitened_network_begins_from_the_pictures_and_others_stay_as_they_are() -> None:
    image_set = pictures()
    form = preprocess_of(image_set)
    network = build("whitened", num_classes=3, size=(16, 16))
    assert isinstance(network, WhitenedNetwork)
    begin_from_pictures(network, image_set, form)
    with torch.inference_mode():
        maps = network.whitening(form.normalise(torch.from_numpy(image_set.images.copy())))
    assert torch.allclose(maps.transpose(0, 1).flatten(1).std(dim=1), torch.ones(24), atol=0.05)
    other = build("cifar10-cnn", num_classes=3)
    before = {name: weights.clone() for name, weights in other.state_dict().items()}
    begin_from_pictures(other, image_set, form)
    assert all(torch.equal(weights, before[name]) for name, weights in other.state_dict().items())


def test_sizes_grow_with_the_training() -> None:
    sizes = [(0.0, 12), (0.5, 16)]
    assert [side_at(sizes, done) for done in (0.0, 0.49, 0.5, 1.0)] == [12, 12, 16, 16]
    assert side_at([], 0.3) is None
    assert shrunk(torch.ones(2, 3, 32, 32), 24).allclose(torch.ones(2, 3, 24, 24))


def small(**training: object) -> Recipe:
    model = {"name": "whitened", "arguments": {"width1": 8, "width2": 8, "width3": 8}}
    values = {"model": model, "data": {"validation": 0.0}, "training": {"batch_size": 15, "steps": 8, **training}}
    return checked({"name": "small", **values, "optimizer": {"name": "muon", "lr": 0.1, "momentum": 0.6}}, "small")


def test_a_training_goes_through_its_sizes_and_leaves_the_last(tmp_path: Path) -> None:
    recipe = small(sizes=[[0.0, 12], [0.5, 16]])
    run = create_run(recipe, {}, root=tmp_path)
    model = train(recipe, pictures(), None, run, hardware=PLAIN)
    assert model.preprocess.size == (16, 16)
    answers = model.outputs(pictures().images)
    assert torch.isfinite(answers).all()
    assert torch.equal(Model.load(run.model_file).outputs(pictures().images), answers)


def test_sizes_that_a_network_does_not_take_are_told_before_the_first_step(tmp_path: Path) -> None:
    network = build("cifar10-cnn", num_classes=3)
    check_sizes(network, "cifar10-cnn", (3, 32, 32), [32])
    with pytest.raises(InputError, match=r"cifar10-cnn takes no inputs of 24x24 pixels .* change training\.sizes"):
        check_sizes(network, "cifar10-cnn", (3, 32, 32), [32, 24])
    assert network.training
    recipe = small(sizes=[[0.0, 5]])
    with pytest.raises(InputError, match="whitened takes no inputs of 5x5"):
        train(recipe, pictures(), None, create_run(recipe, {}, root=tmp_path), hardware=PLAIN)


def test_batches_of_one_picture_are_refused_where_maps_of_one_pixel_are_normalised(tmp_path: Path) -> None:
    recipe = small(batch_size=1)
    with pytest.raises(InputError, match=r"single pixel at inputs of 16x16, .*training\.batch_size of 2"):
        train(recipe, pictures(), None, create_run(recipe, {}, root=tmp_path), hardware=PLAIN)
    recipe = small(batch_size=1, sizes=[[0.0, 12], [0.5, 20]])
    with pytest.raises(InputError, match="inputs of 12x12"):
        train(recipe, pictures(side=20), None, create_run(recipe, {}, root=tmp_path), hardware=PLAIN)


def test_batches_of_one_picture_are_taken_by_all_other_networks(tmp_path: Path) -> None:
    recipe = small(batch_size=1, steps=2)
    train(recipe, pictures(side=20), None, create_run(recipe, {}, root=tmp_path), hardware=PLAIN)
    recipe = checked(
        {"name": "one", "model": {"name": "mobilenetv2"}, "training": {"batch_size": 1, "steps": 1}}, "one"
    )
    network = build("mobilenetv2", num_classes=3)
    statistics = [buffer.clone() for buffer in network.buffers()]
    check_single(network, recipe, (3, 32, 32))
    assert all(torch.equal(one, other) for one, other in zip(network.buffers(), statistics, strict=True))
    with pytest.raises(InputError, match="mobilenetv2 normalises maps of a single pixel"):
        check_single(network, recipe, (3, 8, 8))
    freeze_body(network)  # whose normalisation no longer looks at the batch
    check_single(network, recipe, (3, 8, 8))


def test_it_learns_in_either_precision(tmp_path: Path) -> None:
    """Three brightnesses, told apart after a few steps, whatever the processor has for bfloat16.

    All pictures are in every batch. Of small ones the running statistics are those of the last few, and it was a matter
    of luck in either precision whether answers by them were right after so few steps.
    """
    image_set = pictures(90)
    shade = (np.arange(90) % 3 * 40)[:, None, None, None]
    bright = np.clip(image_set.images // 2 + shade, 0, 255).astype(np.uint8)
    shaded = ImageSet(bright, image_set.labels, image_set.classes, image_set.name)
    network = build("whitened", num_classes=3, size=(16, 16), width1=8, width2=8, width3=8)
    losses = []
    for precision in ("float32", "bfloat16"):
        recipe = small(batch_size=90, steps=24, precision=precision)
        hardware = choose_hardware(network, (3, 16, 16), precision=recipe.training.precision, threads=1, num_images=8)
        run = create_run(recipe, {}, root=tmp_path)
        model = train(recipe, shaded, None, run, hardware=hardware)
        assert f" in {precision}" in str(model.provenance["hardware"])
        answers = model.outputs(shaded.images).argmax(dim=1)
        assert float((answers == torch.from_numpy(np.arange(90) % 3)).float().mean()) > 0.9
        losses.append(run.metrics()[-1]["loss"])
    fallen = np.log(3) - np.array(losses)  # from that of equal probabilities
    assert abs(fallen[1] / fallen[0] - 1) < 0.05


def test_sizes_are_refused_where_the_inputs_are_no_squares(tmp_path: Path) -> None:
    full = pictures(side=16)
    wide = ImageSet(full.images[:, :, :12], full.labels, full.classes, full.name)
    recipe = small(sizes=[[0.0, 12], [0.5, 16]])
    with pytest.raises(InputError, match=r"training\.sizes are sides of squares, and the inputs are of 12x16"):
        train(recipe, wide, None, create_run(recipe, {}, root=tmp_path), hardware=PLAIN)
    cropped = checked({**recipe.model_dump(mode="json", exclude_none=True), "inputs": {"crop": [12, 12]}}, "cropped")
    cropped = cropped.changed(training={"sizes": ((0.0, 10), (0.5, 12))})
    model = train(cropped, wide, None, create_run(cropped, {}, root=tmp_path), hardware=PLAIN)
    assert model.preprocess.input_shape == (3, 12, 12)
    recipe = small(steps=1)
    model = train(recipe, wide, None, create_run(recipe, {}, root=tmp_path), hardware=PLAIN)
    assert model.preprocess.input_shape == (3, 12, 16)
