"""The graph makes pictures small as Pillow does, to the bit."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from retinula.export.preprocessing import INPUTS, resizing
from retinula.forms import Resample, Resize
from retinula.trained.onnx_model import INPUT
from retinula.transforms.preprocess import Preprocess

SIZES = ((1, 1), (1, 40), (300, 1), (9, 9), (12, 12), (12, 40), (40, 12), (37, 61), (8, 5), (200, 90), (640, 480))


def session_of(form: Preprocess) -> onnxruntime.InferenceSession:
    model = helper.make_model(resizing(form), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize(
    ("resample", "size", "channels"),
    [
        *(("bicubic", size, channels) for size in ((12, 12), (10, 14)) for channels in (1, 3)),
        ("box", (10, 14), 3),
        ("bilinear", (10, 14), 1),
        ("lanczos", (12, 12), 3),
    ],
)
def test_pictures_of_every_size_are_made_small_as_pillow_does(
    resample: Resample, size: tuple[int, int], channels: int, resize: Resize
) -> None:
    form = Preprocess(channels, size, (0.0,) * channels, (1.0,) * channels, resize=resize, resample=resample)
    session = session_of(form)
    random = np.random.default_rng(0)
    drawn = [tuple(random.integers(1, 90, 2).tolist()) for _ in range(30)]
    for height, width in (*SIZES, *drawn):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        if width % 2:  # edges of black and white, where the filter overshoots and is clipped
            image = np.where(image > 127, 255, 0).astype(np.uint8)
        (inputs,) = session.run([INPUTS], {INPUT: image[None]})
        expected = form.shrink(Image.fromarray(image))
        assert np.array_equal(np.rint(inputs[0] * 255), expected), (height, width)


def test_no_colours_are_held_in_double_precision_where_luminance_is_enough() -> None:
    graph = resizing(Preprocess(1, (10, 14), (0.0,), (1.0,)))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    inside = [each.type.tensor_type for each in onnx.shape_inference.infer_shapes(model).graph.value_info]
    large = [each for each in inside if {"H", "W"} <= {side.dim_param for side in each.shape.dim}]
    in_double = [each for each in large if each.elem_type == TensorProto.DOUBLE]
    assert [[side.dim_param or side.dim_value for side in each.shape.dim] for each in in_double] == [["N", 1, "H", "W"]]
    assert len(large) > 3


def test_centre_and_normalisation_are_the_models() -> None:
    form = Preprocess(3, (13, 14), (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), resize="crop", crop=(8, 9))
    image = np.random.default_rng(1).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    (inputs,) = session_of(form).run([INPUTS], {INPUT: image[None]})
    small = torch.from_numpy(form.shrink(Image.fromarray(image)))[None]
    assert np.allclose(inputs, form.inputs(small), atol=1e-6)


def test_pictures_of_a_batch_do_not_mix() -> None:
    session = session_of(Preprocess(1, (9, 7), (0.2,), (0.5,), resize="pad"))
    images = np.random.default_rng(2).integers(0, 256, (4, 33, 20, 3), dtype=np.uint8)
    (together,) = session.run([INPUTS], {INPUT: images})
    apart = np.concatenate([session.run([INPUTS], {INPUT: image[None]})[0] for image in images])
    assert np.array_equal(together, apart)
