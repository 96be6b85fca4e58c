"""Writing a model for others to use: ONNX, a program of torch, or bare weights; each proved before it is kept."""

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from onnx import ModelProto

from retinula.errors import InputError, RetinulaError, first_line
from retinula.export.graph import describe, description, model_graph
from retinula.export.parity import Judged, Parity, Photo, Proof, answers_of, check_parity
from retinula.export.quantisation import QuantisationCost, measured, quantised
from retinula.files.durable import replacing
from retinula.images import Images, ImageSet
from retinula.models.catalog import build
from retinula.models.reconstructing import Reconstructs
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import OnnxModel, in_colour

HEADER: Final = "retinula"  # the entry of an .npz or .pt2 file that says what it is


@dataclass(frozen=True)
class Exported:
    """What was written, and its proof.

    Attributes:
        path: of the file.
        num_bytes: of the file.
        parity: of the file and the model; of an int8 file, of the float32 graph that it was made from.
        int8: the accuracy before and after, where it is an int8 file.
    """

    path: Path
    num_bytes: int
    parity: Parity
    int8: QuantisationCost | None = None


def export_onnx(model: Model, proof: Proof, path: Path) -> Exported:
    """Write a model as one ONNX file from uint8 pictures `[N, H, W, 3]` of any size to calibrated probabilities.

    Raises:
        RetinulaError: the network cannot be written so, the file says something else than the model, or the disk
            refuses; `path` is untouched.
    """
    graph = model_graph(model)
    parity = _onnx_parity(model, proof, graph)
    describe(graph, model, {"parity": parity.to_dict(), "precision": "float32"})
    return Exported(path, _keep(path, graph), parity)


def export_int8(
    model: Model, proof: Proof, path: Path, *, calibration: Images, held_out: ImageSet, split: str, max_loss: float
) -> Exported:
    """Write a classifier as an ONNX file that computes with 8-bit whole numbers.

    Args:
        model: a classifier.
        proof: what the float32 graph is proved on before it is quantised.
        path: of the file.
        calibration: pictures `[N, C, H, W]` of the training set, which show the ranges of values.
        held_out: labelled pictures to measure the accuracy before and after on.
        split: what they are: `validation`, or `test` where there are no others.
        max_loss: percentage points of accuracy that may be lost.

    Raises:
        InputError: the model is not a classifier, or the pictures have no labels.
        RetinulaError: as `export_onnx`, or more accuracy is lost.
    """
    if not model.classifies:
        raise InputError(f"{model.network_name} gives pictures back; only classifiers are quantised")
    held_out.known_labels()  # refuses pictures without labels before the work
    graph = model_graph(model)
    parity = _onnx_parity(model, proof, graph)
    describe(graph, model, {})
    small = quantised(graph, calibration)
    result = measured(graph, small, held_out, split, max_loss)
    describe(small, model, {"parity": parity.to_dict(), "precision": "int8", "int8": result.to_dict()})
    return Exported(path, _keep(path, small), parity, result)


def export_torch(model: Model, proof: Proof, path: Path) -> Exported:
    """Write a model as a program of torch (`.pt2`): from uint8 `[N, C, H, W]` of its size to its answers.

    What it is stands in it as JSON, in the extra file `retinula`.

    Raises:
        RetinulaError: as `export_onnx`.
    """
    example = torch.from_numpy(np.repeat(proof.images[:1], 2, axis=0))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own parts that will go
            program = torch.export.export(
                _Answering(model).eval(), (example,), dynamic_shapes=({0: torch.export.Dim("N")},)
            )
            content = io.BytesIO()
            torch.export.save(program, content, extra_files={HEADER: _as_json(description(model))})
    except Exception as error:
        # Whatever torch cannot trace ends in an error of its own kind.
        raise RetinulaError(f"torch cannot write {model.network_name} as a program: {first_line(error)}") from error
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Given as a file: torch takes a name that does not end in .pt2 for a mistake.
            module = torch.export.load(io.BytesIO(temporary.read_bytes())).module()

        def judge(images: Images) -> Judged:
            with torch.inference_mode():
                return np.asarray(module(torch.from_numpy(images)), dtype=np.float32), None

        parity = check_parity(model, proof, judge)
    return Exported(path, path.stat().st_size, parity)


def export_npz(model: Model, proof: Proof, path: Path) -> Exported:
    """Write the weights by name into an `.npz` file, and what they are of as JSON in its entry `retinula`.

    Raises:
        RetinulaError: as `export_onnx`.
    """
    header = {**description(model), "arguments": model.arguments}
    entries: dict[str, Any] = {name: value.cpu().numpy() for name, value in model.network.state_dict().items()}
    entries[HEADER] = np.array(_as_json(header))
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, **entries)
        again = _from_npz(model, temporary)
        parity = check_parity(model, proof, lambda images: (answers_of(again, images), None))
    return Exported(path, path.stat().st_size, parity)


def _as_json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


class _Answering(torch.nn.Module):
    """A model as one module: from pictures as it takes them to its answers."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.network
        self.preprocess = model.preprocess
        self.temperature = model.temperature

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        inputs = self.preprocess.inputs(images)
        if isinstance(self.network, Reconstructs):
            return self.network.reconstruct(inputs)
        return F.softmax(self.network(inputs) / self.temperature, dim=1)


def _from_npz(model: Model, path: Path) -> Model:
    channels, height, width = model.preprocess.input_shape
    network = build(
        model.network_name, num_classes=len(model.classes), channels=channels, size=(height, width), **model.arguments
    )
    with np.load(path, allow_pickle=False) as archive:
        weights = {name: torch.from_numpy(archive[name]) for name in archive.files if name != HEADER}
    network.load_state_dict(weights, strict=True)
    return Model(
        network.eval(), model.network_name, model.arguments, model.classes, model.preprocess, None, model.temperature
    )


def _onnx_parity(model: Model, proof: Proof, graph: ModelProto) -> Parity:
    """Prove a graph in memory, before anything is written."""
    described = ModelProto()
    described.CopyFrom(graph)
    describe(described, model, {})
    return check_parity(model, proof, *_judges_in_onnx(model, OnnxModel.from_bytes(described.SerializeToString())))


def _judges_in_onnx(model: Model, exported: OnnxModel) -> tuple[Callable[[Images], Judged], Callable[[Photo], Judged]]:
    def judge_photos(photos: Images) -> Judged:
        if model.classifies:
            return exported.judge_photos(photos)
        return exported.reconstruct_photos(photos).transpose(0, 3, 1, 2), None

    return (lambda images: judge_photos(in_colour(images))), (lambda photo: judge_photos(photo[None]))


def _keep(path: Path, graph: ModelProto) -> int:
    """Write a proved graph; return its bytes. What is on the disk is what was proved, or `path` is untouched."""
    content: bytes = graph.SerializeToString()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        if temporary.read_bytes() != content:
            raise RetinulaError(f"{path}: the disk gave back something else than was written; nothing is kept")
    return len(content)
