"""A tiny model in ONNX, made without torch: classes by the mean of each channel; dark pictures are unfamiliar to it."""

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper

from retinula.export.nodes import Nodes
from retinula.export.preprocessing import INPUTS, resizing
from retinula.trained.onnx_model import UNFAMILIAR
from retinula.transforms.preprocess import Preprocess

CLASSES = ("cat", "dog", "öwl")
FORM = Preprocess(3, (8, 8), (0.0,) * 3, (1.0,) * 3)


def tiny_onnx(form: Preprocess = FORM, *, darkest: float | None = None, **told: Any) -> bytes:
    """The content of a file as `retinula export` writes it; `told` changes what it says of itself, None leaves out.

    It tells pictures as unfamiliar, whose mean over all channels is less than `darkest`, 0..1, where that is given.
    """
    nodes = Nodes("network_")
    means = nodes("ReduceMean", INPUTS, nodes.constant([2, 3], np.int64), keepdims=0)
    weights = nodes.constant(np.eye(form.channels, 3) * 10, np.float32)
    nodes("Softmax", nodes("MatMul", means, weights), axis=1, output="probabilities")
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])]
    if darkest is not None:
        mean = nodes("ReduceMean", means, nodes.constant([1], np.int64), keepdims=0)
        nodes("Less", mean, nodes.constant(darkest, np.float32), output=UNFAMILIAR)
        outputs.append(helper.make_tensor_value_info(UNFAMILIAR, TensorProto.BOOL, ["N"]))
    network = nodes.graph(
        "network", [helper.make_tensor_value_info(INPUTS, TensorProto.FLOAT, ["N", *form.input_shape])], outputs
    )
    opset = [helper.make_opsetid("", 18)]
    before = helper.make_model(resizing(form), opset_imports=opset, ir_version=10)
    after = helper.make_model(network, opset_imports=opset, ir_version=10)
    merged: onnx.ModelProto = compose.merge_models(before, after, io_map=[(INPUTS, INPUTS)])
    says = {
        "retinula_format": 1 if darkest is None else 3,
        "task": "classification",
        "network": "tiny",
        "classes": list(CLASSES),
        "preprocess": form.to_dict(),
        "provenance": {"run": "none"},
        **told,
    }
    helper.set_model_props(merged, {key: json.dumps(value) for key, value in says.items() if value is not None})
    content: bytes = merged.SerializeToString()
    return content
