"""From a float32 graph to one that computes with 8-bit whole numbers, and what that costs in accuracy."""

import logging
import math
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto

from retinula.errors import InputError, RetinulaError, first_line
from retinula.export.preprocessing import INPUTS
from retinula.export.unfamiliar import PREFIX
from retinula.extras import load
from retinula.images import Images, ImageSet, copied, evenly_spread
from retinula.text.words import percent
from retinula.trained.onnx_model import INPUT, OnnxModel, in_colour

NUM_CALIBRATION: Final = 512  # pictures; more change nothing that can be measured

_BATCH: Final = 64
_HEAVY: Final = ("Conv", "Gemm", "MatMul", "MaxPool", "Add", "ReduceMean", "GlobalAveragePool")
_OURS: Final = ("preprocess_", PREFIX, "answer_")  # exact by design, or too little work to gain from


@dataclass(frozen=True)
class QuantisationCost:
    """What quantising costs.

    Attributes:
        split: the pictures that were measured on.
        num_images: how many.
        accuracy: of the float32 graph, 0..1.
        accuracy_int8: of the quantised one.
        unfamiliar: the share of the pictures that the float32 graph does not know, 0..1; None where it cannot tell.
        unfamiliar_int8: likewise of the quantised one, whose limit by the energy is held against coarser logits.
        same_unfamiliar: the share of which both say the same.
    """

    split: str
    num_images: int
    accuracy: float
    accuracy_int8: float
    unfamiliar: float | None = None
    unfamiliar_int8: float | None = None
    same_unfamiliar: float | None = None

    @property
    def loss(self) -> float:
        """Percentage points of accuracy that are lost; negative where some are gained."""
        return 100 * (self.accuracy - self.accuracy_int8)

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {**asdict(self), "loss": self.loss}


def quantised(graph: ModelProto, calibration: Images) -> ModelProto:
    """Quantise the network of a graph statically: weights by channel, values by the range that pictures show.

    What makes or reads the inputs stays as it is: of most networks the first layer.

    Args:
        graph: from `images`, uint8 `[N, H, W, 3]`.
        calibration: pictures uint8 `[N, C, H, W]`, at least one; evenly chosen ones of them are used.

    Raises:
        InputError: there are no pictures, or ONNX Runtime is not installed or broken.
        RetinulaError: ONNX Runtime cannot quantise the graph.
    """
    quantization = load("export", "computing with whole numbers", "onnxruntime.quantization")
    if not len(calibration):
        raise InputError("quantising needs pictures of the training set")
    images = copied(calibration, evenly_spread(len(calibration), NUM_CALIBRATION))
    kept = [node.name for node in graph.graph.node if node.name.startswith(_OURS) or _meets_pictures(node)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger().addFilter(_silent)  # it advises on the root logger
        try:
            onnx.save(graph, Path(folder) / "float32.onnx")  # given as it is, its weights would be moved out of it
            quantization.quantize_static(
                Path(folder) / "float32.onnx",
                Path(folder) / "int8.onnx",
                _Reader(images),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(_HEAVY),
                nodes_to_exclude=kept,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            result = onnx.load(Path(folder) / "int8.onnx")
        except Exception as error:
            # It fails with whatever error its parts have.
            raise RetinulaError(f"ONNX Runtime cannot quantise the network: {first_line(error)}") from error
        finally:
            logging.getLogger().removeFilter(_silent)
    if not any(node.op_type == "QuantizeLinear" for node in result.graph.node):
        raise RetinulaError("ONNX Runtime quantised nothing of the network")
    return result


def measured(graph: ModelProto, small: ModelProto, held_out: ImageSet, split: str, max_loss: float) -> QuantisationCost:
    """Measure a graph and the quantised one on pictures that neither training nor ranges saw.

    Raises:
        InputError: the pictures have no labels.
        RetinulaError: more than `max_loss` percentage points are lost.
    """
    if not math.isfinite(max_loss):
        raise InputError(f"the largest loss is a number of percentage points, not {max_loss}")
    labels = held_out.known_labels()
    right, unfamiliar = [], []
    for each in (graph, small):
        probabilities, told = OnnxModel.from_bytes(_described(graph, each)).judge(held_out.images)
        right.append(float((probabilities.argmax(axis=1) == labels).mean()))
        if told is not None:
            unfamiliar.append(told)
    result = QuantisationCost(split, len(held_out), right[0], right[1])
    if unfamiliar:
        before, after = unfamiliar
        shares = (float(each.mean()) for each in (before, after, before == after))
        result = QuantisationCost(split, len(held_out), right[0], right[1], *shares)
    if not result.loss <= max_loss:
        raise RetinulaError(
            f"int8 loses {result.loss:.2f} points of accuracy on {len(held_out):,} {split} pictures "
            f"({percent(result.accuracy, 2)} before, {percent(result.accuracy_int8, 2)} after), "
            f"more than {max_loss:g}; nothing is written; export without --int8, or allow more with --max-loss"
        )
    return result


def _described(graph: ModelProto, other: ModelProto) -> bytes:
    """Return the content of `other`, saying of itself what `graph` says."""
    copy = ModelProto()
    copy.CopyFrom(other)
    del copy.metadata_props[:]
    copy.metadata_props.extend(graph.metadata_props)
    content: bytes = copy.SerializeToString()
    return content


def _meets_pictures(node: NodeProto) -> bool:
    """Tell whether a node makes the inputs or reads them.

    Pictures have 8 bits of their own, and others do not lie where those do. A first layer that whitens makes a hundred
    times as much of the difference: `whitened` falls by forty points. The layer is a small part of any network's work.
    """
    return INPUTS in (*node.input, *node.output)


class _Reader:
    """Gives pictures in batches in the way that ONNX Runtime asks for them: one by one, then None."""

    def __init__(self, images: Images) -> None:
        self._batches = _batches(images)

    def get_next(self) -> dict[str, Images] | None:
        return next(self._batches, None)


def _batches(images: Images) -> Iterator[dict[str, Images]]:
    for start in range(0, len(images), _BATCH):
        yield {INPUT: np.ascontiguousarray(in_colour(images[start : start + _BATCH]))}


def _silent(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
