"""Models as a server has them: what it says of a picture is what the model says."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from familiarity_checks import ALL_KNOWN, aware
from retinula.errors import InputError
from retinula.explanation.attribution import attribute
from retinula.export.graph import describe, model_graph
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.serving.from_model import served_model
from retinula.serving.from_onnx import served_onnx
from retinula.serving.neighbours import SHOWN, Neighbours
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import OnnxModel
from retinula.transforms.preprocess import Preprocess

CLASSES = ("class 0", "class 1", "class 2")


def model_of(network: str = "cifar10-augmented", crop: tuple[int, int] | None = (24, 24)) -> Model:
    torch.manual_seed(0)
    form = Preprocess(channels=3, size=(32, 32), crop=crop, mean=(0.5,) * 3, std=(0.25,) * 3)
    size = crop or (32, 32)
    return Model(build(network, num_classes=3, size=size).eval(), network, {}, CLASSES, form, provenance={"run": "x"})


@pytest.fixture
def train_set(make_set: Callable[..., ImageSet]) -> ImageSet:
    return make_set(num_images=90, size=32, channels=3)


def test_torch_says_what_the_model_says(train_set: ImageSet) -> None:
    model = model_of()
    served = served_model(model, "name")
    images = train_set.images[:5]
    probs, unfamiliar = served.classifier.judge(images)
    assert np.array_equal(probs, model.probs(images))
    assert unfamiliar is None
    assert np.array_equal(served.classifier.form.centre(images[0]), images[0][:, 4:28, 4:28])
    assert served.offers == {"seen", "heatmap"}
    assert served.heatmaps
    maps = served.heatmaps(images, probs.argmax(axis=1))
    assert maps.shape == (5, 24, 24)
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    assert served.about["provenance"] == {"run": "x"}
    assert served.about["tells_unfamiliar"] is False
    aware = served_model(replace(model, familiarity=ALL_KNOWN), "name")
    assert aware.about["tells_unfamiliar"] is True
    _, unfamiliar = aware.classifier.judge(images)
    assert unfamiliar is not None
    assert not unfamiliar.any()


def test_a_network_that_lays_its_maps_flat_is_explained_as_explain_does() -> None:
    model = model_of("cifar10-cnn", crop=None)
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    targets = np.array([0, 1, 2])
    heatmaps = served_model(model, "name").heatmaps
    assert heatmaps
    maps = heatmaps(images, targets)
    assert maps.max(axis=(1, 2)).tolist() == [1, 1, 1]
    found = attribute(model, images, targets, "hirescam")
    assert np.allclose(maps, found / found.max(axis=(1, 2), keepdims=True))


def test_the_most_similar_picture_to_one_from_training_is_itself(train_set: ImageSet) -> None:
    model = model_of()
    neighbours = Neighbours(model, train_set, 1000)
    assert len(neighbours) == 90
    served = served_model(model, "name", neighbours)
    assert "similar" in served.offers
    assert served.similar
    for number, found in zip((3, 50), served.similar(train_set.images[[3, 50]]), strict=True):
        assert len(found) == SHOWN
        assert np.array_equal(found[0].image, train_set.images[number][:, 4:28, 4:28])
        assert found[0].label == CLASSES[train_set.known_labels()[number]]
        assert found[0].likeness == pytest.approx(1, abs=1e-4)
        assert [each.likeness for each in found] == sorted((each.likeness for each in found), reverse=True)
    few = Neighbours(model, train_set, 4)
    assert [len(found) for found in few.of(train_set.images[:2])] == [4, 4]


def test_what_reconstructs_is_not_served() -> None:
    form = Preprocess(channels=3, size=(32, 32), mean=(0.0,) * 3, std=(1.0,) * 3)
    model = Model(build("cifar10-autoencoder", num_classes=3).eval(), "cifar10-autoencoder", {}, CLASSES, form)
    with pytest.raises(InputError, match="nothing to serve"):
        served_model(model, "name")


@pytest.mark.parametrize("tells", [False, True])
def test_onnx_says_what_torch_says(train_set: ImageSet, tells: bool) -> None:
    images = train_set.images[:12]
    model = aware(model_of(), images) if tells else model_of()
    graph: onnx.ModelProto = model_graph(model)
    describe(graph, model, {})
    served = served_onnx(OnnxModel.from_bytes(graph.SerializeToString()), "name")
    other = served_model(model, "name")
    (probs, unfamiliar), (expected, known) = served.classifier.judge(images), other.classifier.judge(images)
    assert np.abs(probs - expected).max() < 1e-4
    assert np.array_equal(unfamiliar, known)  # type: ignore[arg-type]  # None is equal to None
    assert (unfamiliar is None) != tells
    assert np.array_equal(served.classifier.form.centre(images[0]), other.classifier.form.centre(images[0]))
    assert served.offers == {"seen"}
    assert served.about["input"] == other.about["input"]
    assert served.about["tells_unfamiliar"] is other.about["tells_unfamiliar"] is tells


def test_onnx_is_served_without_torch() -> None:
    code = (
        "import sys; import retinula.serving.app, retinula.serving.server, retinula.serving.from_onnx;"
        "import retinula.runs.run; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
