"""What is exported answers as the model does; what does not is not written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from PIL import Image

from retinula.errors import InputError, RetinulaError
from retinula.export import files
from retinula.export.files import export_int8, export_npz, export_onnx, export_torch
from retinula.export.graph import description, model_graph
from retinula.export.parity import Proof, proof_of
from retinula.export.preprocessing import INPUTS
from retinula.export.quantisation import quantised
from retinula.images import ImageSet
from retinula.models.catalog import NETWORKS, build
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import OnnxModel
from retinula.transforms.preprocess import Preprocess

CLASSES = ("cat", "dog", "öwl")
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 3, 18, 18), dtype=np.uint8)
SET = ImageSet(IMAGES, np.arange(40, dtype=np.int64) % 3, CLASSES, "made/test")


def model_of(name: str, channels: int = 3, temperature: float = 1.7) -> Model:
    torch.manual_seed(0)
    network = build(name, num_classes=3, channels=channels, size=(16, 16)).eval().requires_grad_(False)
    form = Preprocess(channels, (18, 18), (0.5,) * channels, (0.1,) * channels, resize="crop", crop=(16, 16))
    source = {"name": "theirs", "provenance": {"licence": "not for sale"}}
    provenance = {"run": "mine", "data_licence": "free for all", "source": source}
    return Model(network, name, {}, CLASSES, form, ("pet", "pet", "bird"), temperature, provenance)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of("cifar10-augmented")


@pytest.fixture(scope="module")
def proof() -> Proof:
    photos = [np.random.default_rng(n).integers(0, 256, (9 + 7 * n, 60, 3), dtype=np.uint8) for n in range(4)]
    return proof_of(SET, photos, "noise")


@pytest.fixture(scope="module")
def graph(model: Model) -> ModelProto:
    return model_graph(model)  # takes torch seconds


@pytest.fixture
def with_graph(graph: ModelProto, monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelProto], None]:
    """Put a graph in the place of the one that torch would make."""

    def put(other: ModelProto) -> None:
        def made(model: Model) -> ModelProto:
            copy = ModelProto()
            copy.CopyFrom(other)
            return copy

        monkeypatch.setattr(files, "model_graph", made)

    put(graph)
    return put


def half_as_warm(graph: ModelProto) -> ModelProto:
    """The same graph with another temperature: the same classes, other probabilities."""
    copy = ModelProto()
    copy.CopyFrom(graph)
    (constant,) = [each for each in copy.graph.initializer if each.name.startswith("answer_")]
    constant.raw_data = np.float32(0.8).tobytes()
    return copy


@pytest.mark.usefixtures("with_graph")
def test_one_file_holds_all(model: Model, proof: Proof, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    exported = export_onnx(model, proof, path)
    assert list(tmp_path.iterdir()) == [path]
    assert exported.num_bytes == path.stat().st_size
    assert exported.parity.largest_difference < 1e-5
    assert exported.parity.same_top_class == 44
    loaded = OnnxModel.load(path)
    assert loaded.classes == CLASSES
    said = loaded.metadata
    assert said["provenance"] == model.provenance
    assert (said["data_licence"], said["weights_licence"]) == ("free for all", "not for sale")
    assert said["temperature"] == 1.7
    assert said["superclasses"] == ["pet", "pet", "bird"]
    assert said["parity"] == exported.parity.to_dict()
    assert said["precision"] == "float32"
    photo = np.random.default_rng(9).integers(0, 256, (200, 90, 3), dtype=np.uint8)
    answers = model.predict(photo)
    for given in (
        loaded.predict(Image.fromarray(photo)),
        dict(zip(CLASSES, loaded.probs_of_photos(photo[None])[0], strict=True)),
    ):
        assert dict(given) == pytest.approx(dict(answers), abs=1e-5)
    assert str(Path(torch.__file__).parent).encode() not in path.read_bytes()  # no paths of this machine


def test_what_says_something_else_is_not_written(
    model: Model, graph: ModelProto, proof: Proof, tmp_path: Path, with_graph: Callable[[ModelProto], None]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with_graph(half_as_warm(graph))
    with pytest.raises(RetinulaError, match=r"a value differs by .* nothing is written"):
        export_onnx(model, proof, path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("with_graph")
def test_int8_is_smaller_and_measured(model: Model, proof: Proof, tmp_path: Path) -> None:
    labels = model.probs(IMAGES).argmax(axis=1).astype(np.int64)
    held_out = ImageSet(IMAGES, labels, CLASSES, "made/validation")
    path = tmp_path / "model.onnx"
    exported = export_int8(
        model, proof, path, calibration=IMAGES[:20], held_out=held_out, split="validation", max_loss=20
    )
    assert exported.int8 is not None
    assert exported.int8.accuracy == 1
    assert exported.int8.num_images == 40
    loaded = OnnxModel.load(path)
    assert loaded.metadata["int8"] == exported.int8.to_dict()
    agreeing = loaded.probs(IMAGES).argmax(axis=1) == labels
    assert exported.int8.accuracy_int8 == pytest.approx(agreeing.mean())
    assert len(onnx.load(path).SerializeToString()) < 0.4 * 4 * sum(p.numel() for p in model.network.parameters())


def test_int8_leaves_inputs_and_the_layer_that_reads_them_alone(graph: ModelProto) -> None:
    small = quantised(graph, IMAGES[:8])
    made_by = {name: node.op_type for node in small.graph.node for name in node.output}
    meeting = [node for node in small.graph.node if INPUTS in (*node.input, *node.output)]
    assert [node.op_type for node in meeting] == ["Add", "Conv"]
    assert "DequantizeLinear" not in {made_by.get(name) for node in meeting for name in node.input}
    assert "DequantizeLinear" in made_by.values()


@pytest.mark.usefixtures("with_graph")
def test_int8_that_loses_too_much_is_not_written(
    model: Model, graph: ModelProto, proof: Proof, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blinded(float_graph: ModelProto, calibration: object) -> ModelProto:
        copy = ModelProto()
        copy.CopyFrom(float_graph)
        for weights in copy.graph.initializer:
            if weights.name.endswith(".bias"):
                weights.raw_data = bytes(len(weights.raw_data))
            elif weights.name.endswith(".weight"):
                weights.raw_data = np.frombuffer(weights.raw_data, np.float32)[::-1].tobytes()
        return copy

    monkeypatch.setattr(files, "quantised", blinded)
    labels = model.probs(IMAGES).argmin(axis=1).astype(np.int64)
    labels[:30] = model.probs(IMAGES[:30]).argmax(axis=1)
    held_out = ImageSet(IMAGES, labels, CLASSES, "made/test")
    with pytest.raises(
        RetinulaError, match=r"loses .* points .* 40 test pictures .* more than 0.5; nothing is written"
    ):
        export_int8(
            model, proof, tmp_path / "m.onnx", calibration=IMAGES, held_out=held_out, split="test", max_loss=0.5
        )
    assert not list(tmp_path.iterdir())


def test_a_program_of_torch_answers_alone(model: Model, proof: Proof, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    exported = export_torch(model, proof, path)
    assert exported.parity.num_images == 40
    said = {"retinula": ""}
    program = torch.export.load(path, extra_files=said).module()
    assert json.loads(said["retinula"]) == description(model)
    for images in (IMAGES[:1], IMAGES[:7]):
        assert np.allclose(program(torch.from_numpy(images)).detach(), model.probs(images), atol=1e-6)


def test_weights_by_name(model: Model, proof: Proof, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    assert export_npz(model, proof, path).parity.largest_difference == 0
    with np.load(path, allow_pickle=False) as archive:
        told = json.loads(str(archive["retinula"]))
        assert {*archive.files} == {"retinula", *model.network.state_dict()}
        for name, weights in model.network.state_dict().items():
            assert np.array_equal(archive[name], weights)
    assert told == {**description(model), "arguments": {}}
    assert told["classes"] == list(CLASSES)
    assert told["provenance"] == model.provenance
    assert told["preprocess"]["crop"] == [16, 16]


def test_a_network_that_gives_pictures_back(proof: Proof, tmp_path: Path) -> None:
    model = model_of("cifar10-autoencoder")
    exported = export_onnx(model, proof, tmp_path / "model.onnx")
    assert exported.parity.same_top_class is None
    loaded = OnnxModel.load(tmp_path / "model.onnx")
    photo = next(iter(proof.photos))[None]
    pictures = loaded.reconstruct_photos(photo)
    assert pictures.shape == (1, 16, 16, 3)
    assert 0 <= pictures.min() <= pictures.max() <= 1
    with pytest.raises(InputError, match="gives pictures back; it knows no classes"):
        loaded.probs_of_photos(photo)
    with pytest.raises(InputError, match="only classifiers are quantised"):
        export_int8(model, proof, tmp_path / "8.onnx", calibration=IMAGES, held_out=SET, split="test", max_loss=1)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_exported(name: str, channels: int, tmp_path: Path) -> None:
    model = model_of(name, channels)
    proof = proof_of(ImageSet(IMAGES[:, :channels], None, CLASSES, "made/test"))
    for write, ending in ((export_onnx, "onnx"), (export_torch, "pt2"), (export_npz, "npz")):
        write(model, proof, tmp_path / f"model.{ending}")
    assert len(list(tmp_path.iterdir())) == 3
