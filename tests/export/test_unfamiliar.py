"""The graph tells the pictures that the model does not know, and the same ones."""

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from familiarity_checks import aware
from retinula.export.graph import describe, model_graph
from retinula.export.quantisation import measured, quantised
from retinula.export.unfamiliar import DISTANCES, NUM_STRANGE, PREFIX, SMALL, distances_graph, strange_pictures
from retinula.images import Images, ImageSet
from retinula.models.catalog import build
from retinula.pictures.form import Form
from retinula.trained.familiarity import Familiarity
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import OnnxModel
from retinula.transforms.preprocess import Preprocess

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(3, 13, 18), (1, 5, 1), (1, 1, 1)])
def test_distances_are_those_of_the_model(shape: tuple[int, int, int]) -> None:
    look = RANDOM.normal(0, 3, (16, 16))
    known = Familiarity(tuple(RANDOM.normal(0, 1, 16).tolist()), tuple(map(tuple, look.tolist())), 4.0, None, 0.99)
    graph = distances_graph(known, Form(shape[0], shape[1:]))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    smooth = RANDOM.integers(90, 94, (20, *shape), dtype=np.uint8)
    images = np.concatenate([strange_pictures(shape), smooth])
    (distances,) = session.run([DISTANCES], {SMALL: images})
    assert distances.dtype == np.float64
    assert np.allclose(distances, known.distances(torch.from_numpy(images)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("channels", "with_energy"), [(3, True), (1, False)])
def test_the_whole_graph_tells_what_the_model_does(channels: int, with_energy: bool) -> None:
    torch.manual_seed(0)
    network = build("cifar10-augmented", num_classes=3, channels=channels, size=(16, 16)).eval()
    form = Preprocess(channels, (18, 18), (0.5,) * channels, (0.1,) * channels, resize="pad", crop=(16, 16))
    darker = np.arange(1, 41).reshape(-1, 1, 1, 1)
    images: Images = (RANDOM.integers(0, 256, (40, channels, 18, 18)) // darker).astype(np.uint8)
    model = Model(network, "cifar10-augmented", {}, ("a", "b", "c"), form, None, 1.7)
    model = aware(model, images, with_energy=with_energy)
    graph = model_graph(model)
    describe(graph, model, {})
    exported = OnnxModel.from_bytes(graph.SerializeToString())
    assert exported.metadata["retinula_format"] == 3
    assert [output.name for output in graph.graph.output] == ["probabilities", "unfamiliar"]
    framed = images.copy()  # what the network never sees: its centre stays as it is
    framed[:, :, [0, -1]] = framed[:, :, :, [0, -1]] = 255
    both = []
    for given in (images, framed, strange_pictures((channels, 18, 18))):
        (probabilities, known), (expected, wanted) = exported.judge(given), model.judge(given)
        assert np.allclose(probabilities, expected, atol=1e-5)
        assert np.asarray(known).tolist() == np.asarray(wanted).tolist()
        both.append(np.asarray(known).tolist())
    assert 0 < sum(both[0]) < 40
    assert both[0] != both[1]
    photo = RANDOM.integers(0, 256, (90, 30, 3), dtype=np.uint8)
    wanted = model.judge(model.shrink(Image.fromarray(photo))[None])[1]
    assert np.asarray(exported.judge_photos(photo[None])[1]).tolist() == np.asarray(wanted).tolist()


def test_int8_tells_the_same_by_the_look_of_pictures() -> None:
    torch.manual_seed(0)
    network = build("cifar10-augmented", num_classes=3, channels=1, size=(16, 16)).eval()
    images: Images = (RANDOM.integers(0, 256, (30, 1, 16, 16)) // np.arange(1, 31).reshape(-1, 1, 1, 1)).astype(
        np.uint8
    )
    labels = np.arange(30, dtype=np.int64) % 3
    form = Preprocess(1, (16, 16), (0.5,), (0.1,))
    model = aware(Model(network, "cifar10-augmented", {}, ("a", "b", "c"), form), images, with_energy=False)
    graph = model_graph(model)
    describe(graph, model, {})
    small = quantised(graph, images[:8])
    assert not [node.name for node in small.graph.node if node.name.startswith(PREFIX) and "Quantize" in node.op_type]
    cost = measured(graph, small, ImageSet(images, labels, model.classes, "made/validation"), "validation", 100)
    assert cost.unfamiliar == cost.unfamiliar_int8 == pytest.approx(1 / 3)
    assert cost.same_unfamiliar == 1


def test_strange_pictures_are_of_three_kinds() -> None:
    for shape in ((3, 32, 32), (1, 8, 11), (1, 1, 1)):
        pictures = strange_pictures(shape)
        assert pictures.shape == (NUM_STRANGE, *shape)
        assert np.array_equal(pictures, strange_pictures(shape))
    spread = strange_pictures((3, 32, 32)).std(axis=(2, 3)).mean(axis=1).reshape(3, -1)
    assert spread[0].min() > 60
    assert spread[1].max() == 0
    assert 5 < spread[2].min() < spread[2].max() < 60
