"""A model as one ONNX graph: pictures of any size in, calibrated probabilities out.

Three pieces in a row: the preprocessing, written by hand; the network, as torch exports it; temperature and softmax.
"""

import io
import json
import logging
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, compose, helper

from retinula.errors import RetinulaError, first_line
from retinula.export.nodes import Nodes
from retinula.export.preprocessing import INPUTS, resizing
from retinula.extras import load
from retinula.models.reconstructing import Reconstructs
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import FORMAT_KEY, FORMATS
from retinula.version import __version__

OPSET: Final = 18
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

    From `images`, uint8 `[N, H, W, 3]` of any size, to `probabilities`, float32 `[N, K]`; of a model that gives
    pictures back to `pictures`, float32 `[N, height, width, C]` in 0..1, of the size that it was trained on.

    Raises:
        InputError: onnxscript is not installed, or broken.
        RetinulaError: torch cannot write the network as a graph.
    """
    network = _network_graph(model)
    before = helper.make_model(resizing(model.preprocess), opset_imports=network.opset_import)
    after = helper.make_model(
        _answer(model) if model.classifies else _pictures(model), opset_imports=network.opset_import
    )
    for each in (before, after):
        each.ir_version = network.ir_version
    merged = compose.merge_models(before, network, io_map=[(INPUTS, INPUTS)])
    merged = compose.merge_models(merged, after, io_map=[(_LOGITS, _LOGITS)])
    del merged.opset_import[:]  # merging gathered the same one three times
    merged.opset_import.extend(network.opset_import)
    merged.ir_version = _IR_VERSION
    merged.producer_name, merged.producer_version = "retinula", __version__
    onnx.checker.check_model(merged, full_check=True)
    return merged


def description(model: Model) -> dict[str, Any]:
    """Return what every exported file says of itself, as values that JSON can hold."""
    return {
        "task": model.task,
        "network": model.network_name,
        "classes": list(model.classes) if model.classifies else [],
        "superclasses": None if model.superclasses is None else list(model.superclasses),
        "preprocess": model.preprocess.to_dict(),
        "temperature": model.temperature,
        "provenance": model.provenance,
        "data_licence": model.provenance.get("data_licence", "not stated"),
        "exported_by": f"retinula {__version__}",
    }


def describe(graph: ModelProto, model: Model, extra: Mapping[str, Any]) -> None:
    """Write into a graph what it is: its description, the format of that, and what else there is to say."""
    written = FORMATS[0] if model.preprocess.plain else FORMATS[1]
    told = {FORMAT_KEY: written, **description(model), **extra}
    helper.set_model_props(
        graph, {key: json.dumps(value, ensure_ascii=False, allow_nan=False) for key, value in told.items()}
    )


def _network_graph(model: Model) -> ModelProto:
    load("export", "an ONNX graph", "onnxscript")  # which torch writes it with
    network: torch.nn.Module = model.network
    if isinstance(network, Reconstructs):
        network = _Reconstruction(network)
    example = torch.zeros(2, *model.preprocess.input_shape)
    # It complains that torchvision, which nothing here needs, is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        # torch warns of its own parts that will go, and prints as it goes along.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network.eval(),
                (example,),
                input_names=[INPUTS],
                output_names=[_LOGITS],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        # Whatever torch cannot trace ends in an error of its own kind.
        raise RetinulaError(f"torch cannot write {model.network_name} as an ONNX graph: {first_line(error)}") from error
    if program is None:
        raise RetinulaError(f"torch gave no ONNX graph for {model.network_name}")
    graph: ModelProto = program.model_proto
    del graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]  # paths of this machine, and lines of source
        node.doc_string = ""
    return graph


def _answer(model: Model) -> onnx.GraphProto:
    nodes = Nodes("answer_")
    logits = _LOGITS
    if model.temperature != 1:
        logits = nodes("Div", logits, nodes.constant(model.temperature, np.float32))
    nodes("Softmax", logits, axis=1, output=PROBABILITIES)
    shape: list[str | int | None] = ["N", len(model.classes)]
    return nodes.graph(
        "answer",
        [helper.make_tensor_value_info(_LOGITS, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, shape)],
    )


def _pictures(model: Model) -> onnx.GraphProto:
    nodes = Nodes("pictures_")
    channels, height, width = model.preprocess.input_shape
    nodes("Transpose", _LOGITS, perm=[0, 2, 3, 1], output=PICTURES)
    return nodes.graph(
        "pictures",
        [helper.make_tensor_value_info(_LOGITS, TensorProto.FLOAT, ["N", channels, height, width])],
        [helper.make_tensor_value_info(PICTURES, TensorProto.FLOAT, ["N", height, width, channels])],
    )
