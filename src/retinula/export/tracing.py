"""A module of torch as an ONNX graph, as torch itself writes it."""

import io
import logging
import warnings
from contextlib import redirect_stdout
from typing import Final

import torch
from onnx import ModelProto

from retinula.errors import RetinulaError, first_line
from retinula.extras import load

OPSET: Final = 18


def traced(module: torch.nn.Module, example: torch.Tensor, takes: str, gives: str, what: str) -> ModelProto:
    """Return a module as a graph that takes any number of rows.

    Args:
        module: in evaluation mode; of one tensor it makes one.
        example: what it takes, two rows.
        takes: the name of the graph's input.
        gives: the name of its output.
        what: it is, for the error.

    Raises:
        InputError: onnxscript is not installed, or broken.
        RetinulaError: torch cannot write it.
    """
    load("export", "an ONNX graph", "onnxscript")  # which torch writes it with
    # It complains that torchvision, which nothing here needs, is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        # torch warns of its own parts that will go, and prints as it goes along.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (example,),
                input_names=[takes],
                output_names=[gives],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        # Whatever torch cannot trace ends in an error of its own kind.
        raise RetinulaError(f"torch cannot write {what} as an ONNX graph: {first_line(error)}") from error
    if program is None:
        raise RetinulaError(f"torch gave no ONNX graph for {what}")
    graph: ModelProto = program.model_proto
    del graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]  # paths of this machine, and lines of source
        node.doc_string = ""
    return graph
