"""A model as one ONNX graph: pictures of any size in, calibrated probabilities out, and what it does not know.

Pieces in a row: the preprocessing, written by hand; the network, and how far pictures lie from those of the training,
as torch exports them; temperature, softmax and limits.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, compose, helper

from retinula.export.nodes import Nodes
from retinula.export.preprocessing import INPUTS, resizing
from retinula.export.tracing import traced
from retinula.export.unfamiliar import DISTANCES, SMALL, add_limits, distances_graph
from retinula.models.reconstructing import Reconstructs
from retinula.trained.familiarity import Familiarity
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import FORMAT_KEY, FORMATS, UNFAMILIAR
from retinula.version import __version__

PROBABILITIES: Final = "probabilities"
PICTURES: Final = "pictures"

_LOGITS: Final = "logits"
_IR_VERSION: Final = 10  # what runtimes of 2024 read; a newer one would shut them out for nothing


class _Reconstruction(torch.nn.Module):
    """From inputs to pictures, `[N, C, H, W]` in 0..1: what `reconstruct` gives, as torch exports modules."""

    def __init__(self, network: Reconstructs) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network.reconstruct(inputs)


def model_graph(model: Model) -> ModelProto:
    """Return a model as an ONNX graph, without anything about itself.

    From `images`, uint8 `[N, H, W, 3]` of any size, to `probabilities`, float32 `[N, K]`, and `unfamiliar`, bool `[N]`,
    where the model can tell; of a model that gives pictures back to `pictures`, float32 `[N, height, width, C]` in
    0..1, of the size that it was trained on.

    Raises:
        InputError: onnxscript is not installed, or broken.
        RetinulaError: torch cannot write the network as a graph.
    """
    network = _network_graph(model)
    familiarity = _familiarity(model)

    def piece(nodes: onnx.GraphProto) -> ModelProto:
        return helper.make_model(nodes, opset_imports=network.opset_import, ir_version=network.ir_version)

    before = resizing(model.preprocess, small=None if familiarity is None else SMALL)
    graph = _joined(piece(before), network, INPUTS)
    ends = [_LOGITS]
    if familiarity is not None:
        graph = _joined(graph, distances_graph(familiarity, model.preprocess), SMALL)
        ends.append(DISTANCES)
    graph = _joined(graph, piece(_answer(model) if model.classifies else _pictures(model)), *ends)
    del graph.opset_import[:]  # merging gathered the same one again and again
    graph.opset_import.extend(network.opset_import)
    graph.ir_version = _IR_VERSION
    graph.producer_name, graph.producer_version = "retinula", __version__
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _format(model: Model) -> int:
    if _familiarity(model) is not None:
        return FORMATS[2]
    return FORMATS[0] if model.preprocess.plain else FORMATS[1]


def _familiarity(model: Model) -> Familiarity | None:
    return model.familiarity if model.classifies else None


def _joined(first: ModelProto, second: ModelProto, *names: str) -> ModelProto:
    """Return two graphs as one, these outputs of the first being the inputs of the second."""
    return compose.merge_models(first, second, io_map=[(name, name) for name in names])


def description(model: Model) -> dict[str, Any]:
    """Return what every exported file says of itself, as values that JSON can hold."""
    licence = model.weights_licence
    return {
        "task": model.task,
        "network": model.network_name,
        "classes": list(model.classes) if model.classifies else [],
        "superclasses": None if model.superclasses is None else list(model.superclasses),
        "preprocess": model.preprocess.to_dict(),
        "temperature": model.temperature,
        "provenance": model.provenance,
        "data_licence": model.provenance.get("data_licence", "not stated"),
        **({"weights_licence": licence} if licence else {}),
        "exported_by": f"retinula {__version__}",
    }


def describe(graph: ModelProto, model: Model, extra: Mapping[str, Any]) -> None:
    """Write into a graph what it is: its description, the format of that, and what else there is to say."""
    told = {FORMAT_KEY: _format(model), **description(model), **extra}
    helper.set_model_props(
        graph, {key: json.dumps(value, ensure_ascii=False, allow_nan=False) for key, value in told.items()}
    )


def _network_graph(model: Model) -> ModelProto:
    network: torch.nn.Module = model.network
    if isinstance(network, Reconstructs):
        network = _Reconstruction(network)
    example = torch.zeros(2, *model.preprocess.input_shape)
    return traced(network.eval(), example, INPUTS, _LOGITS, model.network_name)


def _answer(model: Model) -> onnx.GraphProto:
    nodes = Nodes("answer_")
    logits = _LOGITS
    if model.temperature != 1:
        logits = nodes("Div", logits, nodes.constant(model.temperature, np.float32))
    nodes("Softmax", logits, axis=1, output=PROBABILITIES)
    shape: list[str | int | None] = ["N", len(model.classes)]
    takes = [helper.make_tensor_value_info(_LOGITS, TensorProto.FLOAT, shape)]
    gives = [helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, shape)]
    if (familiarity := _familiarity(model)) is not None:
        add_limits(nodes, familiarity, _LOGITS)
        takes.append(helper.make_tensor_value_info(DISTANCES, TensorProto.DOUBLE, ["N"]))
        gives.append(helper.make_tensor_value_info(UNFAMILIAR, TensorProto.BOOL, ["N"]))
    return nodes.graph("answer", takes, gives)


def _pictures(model: Model) -> onnx.GraphProto:
    nodes = Nodes("pictures_")
    channels, height, width = model.preprocess.input_shape
    nodes("Transpose", _LOGITS, perm=[0, 2, 3, 1], output=PICTURES)
    return nodes.graph(
        "pictures",
        [helper.make_tensor_value_info(_LOGITS, TensorProto.FLOAT, ["N", channels, height, width])],
        [helper.make_tensor_value_info(PICTURES, TensorProto.FLOAT, ["N", height, width, channels])],
    )
