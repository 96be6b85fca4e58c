"""The way from pictures of any size to a network's inputs, as a piece of an ONNX graph.

It does what Pillow does, to the bit, so that a photo has the same answer wherever it is made small: the filter's
weights are computed in the graph from the picture's sides, in double precision, rounded to Pillow's 22 bits behind the
point, and after each of the two passes the sums are rounded to bytes. A double holds all these whole numbers exactly.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from onnx import GraphProto, TensorProto, ValueInfoProto, helper
from PIL import Image

from retinula.export.nodes import Name, Nodes
from retinula.forms import Resample
from retinula.pictures.form import BORDER
from retinula.trained.onnx_model import INPUT
from retinula.transforms.preprocess import Preprocess

INPUTS: Final = "inputs"

_BITS: Final = 22  # behind the point of the weights: 32 less 8 of a value and 2 of room
_LUMINANCE: Final = (19595, 38470, 7471)  # of red, green and blue, ITU-R 601-2, in 65536ths
_CUBIC: Final = -0.5  # the parameter of the cubic kernel
_SUPPORT: Final = 2.0  # pixels to each side in which that kernel is not zero
_LOBES: Final = 3.0  # of the Lanczos kernel, to each side


class _Axis(NamedTuple):
    """Names of numbers (double) that say how one side of a picture is brought to its new length.

    Attributes:
        side: pixels that there are.
        begin: where the part begins that is kept, in those pixels.
        extent: how long that part is.
        inner: pixels that it becomes.
        offset: new pixels before it, which are border.
    """

    side: Name
    begin: Name
    extent: Name
    inner: Name
    offset: Name


def resizing(preprocess: Preprocess, *, small: Name | None = None) -> GraphProto:
    """Return the graph from `images`, uint8 `[N, H, W, 3]`, to `inputs`, float32 `[N, *preprocess.input_shape]`.

    Args:
        preprocess: how.
        small: the name of a second output, the pictures before their centre is cut out: uint8 `[N, *shape]`.
    """
    nodes = Nodes("preprocess_")
    planes = _luminance(nodes) if preprocess.channels == 1 else nodes("Transpose", INPUT, perm=[0, 3, 1, 2])
    vertical, horizontal = _axes(nodes, preprocess)
    height, width = preprocess.size
    down = _weights(nodes, vertical, height, preprocess.resample)
    across = nodes("Transpose", _weights(nodes, horizontal, width, preprocess.resample), perm=[1, 0])
    values = nodes("Cast", planes, to=TensorProto.DOUBLE)
    if puts_tall_pictures_down_first():
        lost = [nodes("Sub", axis.side, axis.inner) for axis in (vertical, horizontal)]
        twice = nodes("Mul", lost[1], _number(nodes, 2))
        tall = nodes("Greater", lost[0], nodes("Max", twice, _number(nodes, 0)))
        branches = {
            "then_branch": _passes("preprocess_tall_", values, down, across, down_first=True),
            "else_branch": _passes("preprocess_wide_", values, down, across, down_first=False),
        }
        values = nodes("If", nodes("Squeeze", tall), **branches)
    else:
        values = _two_passes(nodes, values, down, across, down_first=False)
    if preprocess.resize == "pad":
        values = _framed(nodes, values, (vertical, horizontal), preprocess.size)
    _normalised(nodes, _centred(nodes, values, preprocess), preprocess)
    outputs = [_inputs(preprocess)]
    if small:
        nodes("Cast", values, to=TensorProto.UINT8, output=small)
        outputs.append(helper.make_tensor_value_info(small, TensorProto.UINT8, ["N", *preprocess.shape]))
    return nodes.graph("preprocess", [_images()], outputs)


def puts_tall_pictures_down_first() -> bool:
    """Tell in which order this Pillow makes tall pictures small: newer ones change their height first."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 20), dtype=np.uint8))
    across_first = noise.resize((10, 120), Image.Resampling.BICUBIC).resize((10, 10), Image.Resampling.BICUBIC)
    return noise.resize((10, 10), Image.Resampling.BICUBIC).tobytes() != across_first.tobytes()


def _passes(prefix: str, values: Name, down: Name, across: Name, *, down_first: bool) -> GraphProto:
    nodes = Nodes(prefix)
    output = _two_passes(nodes, values, down, across, down_first=down_first)
    return nodes.graph(prefix, [], [helper.make_tensor_value_info(output, TensorProto.DOUBLE, None)])


def _two_passes(nodes: Nodes, values: Name, down: Name, across: Name, *, down_first: bool) -> Name:
    """Make values `[N, C, H, W]` small by the filters `[h, H]` and `[W, w]`, one after the other."""
    if down_first:
        return _rounded(nodes, nodes("MatMul", _rounded(nodes, nodes("MatMul", down, values)), across))
    return _rounded(nodes, nodes("MatMul", down, _rounded(nodes, nodes("MatMul", values, across))))


def _images() -> ValueInfoProto:
    return helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", "H", "W", 3])


def _inputs(preprocess: Preprocess) -> ValueInfoProto:
    return helper.make_tensor_value_info(INPUTS, TensorProto.FLOAT, ["N", *preprocess.input_shape])


def _number(nodes: Nodes, value: float) -> Name:
    return nodes.constant(value, np.float64)


def _luminance(nodes: Nodes) -> Name:
    """Turn the pictures into their luminance, uint8 `[N, 1, H, W]`, colour by colour: photos fill memory."""
    total = nodes.constant(32768, np.int32)  # a half, so that cutting off rounds
    for channel, weight in enumerate(_LUMINANCE):
        plane = nodes("Cast", nodes("Gather", INPUT, nodes.constant(channel, np.int64), axis=3), to=TensorProto.INT32)
        total = nodes("Add", total, nodes("Mul", plane, nodes.constant(weight, np.int32)))
    grey = nodes("Cast", nodes("Div", total, nodes.constant(65536, np.int32)), to=TensorProto.UINT8)
    return nodes("Unsqueeze", grey, nodes.constant([1], np.int64))


def _axes(nodes: Nodes, preprocess: Preprocess) -> tuple[_Axis, _Axis]:
    """Return how height and width change, by the rule of the preprocess."""
    height, width = map(float, preprocess.size)
    sides = [nodes("Cast", nodes("Shape", INPUT, start=axis, end=axis + 1), to=TensorProto.DOUBLE) for axis in (1, 2)]
    tall, wide = sides
    new = (_number(nodes, height), _number(nodes, width))
    nothing = _number(nodes, 0)
    if preprocess.resize == "squash":
        return (
            _Axis(tall, nothing, tall, new[0], nothing),
            _Axis(wide, nothing, wide, new[1], nothing),
        )
    if preprocess.resize == "crop":
        proportion = _number(nodes, width / height)
        kept = (
            nodes("Min", tall, nodes("Div", wide, proportion)),
            nodes("Min", wide, nodes("Mul", tall, proportion)),
        )
        first, second = (_centre(nodes, side, part) for side, part in zip(sides, kept, strict=True))
        return _Axis(tall, *first, new[0], nothing), _Axis(wide, *second, new[1], nothing)
    scale = nodes("Min", nodes("Div", new[1], wide), nodes("Div", new[0], tall))
    axes = []
    for side, most in zip(sides, new, strict=True):
        inner = nodes("Max", _number(nodes, 1), nodes("Round", nodes("Mul", side, scale)))
        inner = nodes("Min", most, inner)
        offset = nodes("Floor", nodes("Mul", nodes("Sub", most, inner), _number(nodes, 0.5)))
        axes.append(_Axis(side, nothing, side, inner, offset))
    return axes[0], axes[1]


def _centre(nodes: Nodes, side: Name, part: Name) -> tuple[Name, Name]:
    """Return begin and extent of the middle part of a side; Pillow takes both ends in single precision."""
    begin = nodes("Mul", nodes("Sub", side, part), _number(nodes, 0.5))
    ends = [nodes("Cast", end, to=TensorProto.FLOAT) for end in (begin, nodes("Add", begin, part))]
    extent = nodes("Sub", ends[1], ends[0])
    return nodes("Cast", ends[0], to=TensorProto.DOUBLE), nodes("Cast", extent, to=TensorProto.DOUBLE)


def _weights(nodes: Nodes, axis: _Axis, length: int, resample: Resample) -> Name:
    """Return the filter of one axis, `[length, side]`: whole numbers as doubles, in units of `2 ** -_BITS`."""
    one = _number(nodes, 1)
    scale = nodes("Div", axis.extent, axis.inner)
    widened = nodes("Max", scale, one)
    middles = nodes("Sub", nodes.constant(np.arange(length).reshape(-1, 1) + 0.5, np.float64), axis.offset)
    centres = nodes("Add", axis.begin, nodes("Mul", middles, scale))
    whole = nodes("Cast", nodes("Squeeze", axis.side), to=TensorProto.INT64)
    pixels = nodes("Range", nodes.constant(0, np.int64), whole, nodes.constant(1, np.int64))
    places = nodes("Cast", pixels, to=TensorProto.DOUBLE)
    distances = nodes("Add", nodes("Sub", places, centres), _number(nodes, 0.5))
    kernel = _kernel(nodes, nodes("Mul", distances, nodes("Div", one, widened)), resample)
    if resample == "box":  # the one kernel that is not zero at its ends, where rounding decides what is still inside
        half = _number(nodes, 0.5)
        support = nodes("Mul", half, widened)
        first = nodes("Floor", nodes("Add", nodes("Sub", centres, support), half))
        end = nodes("Floor", nodes("Add", nodes("Add", centres, support), half))
        inside = nodes("And", nodes("GreaterOrEqual", places, first), nodes("Less", places, end))
        kernel = nodes("Mul", kernel, nodes("Cast", inside, to=TensorProto.DOUBLE))
    sums = nodes("ReduceSum", kernel, nodes.constant([1], np.int64), keepdims=1)
    # Border has no pixels under its filter: zero by one instead of zero by zero.
    empty = nodes("Equal", sums, _number(nodes, 0))
    shares = nodes("Div", kernel, nodes("Where", empty, one, sums))
    # Halves go away from zero.
    units = nodes("Mul", shares, _number(nodes, 2.0**_BITS))
    return nodes("Mul", nodes("Sign", units), nodes("Floor", nodes("Add", nodes("Abs", units), _number(nodes, 0.5))))


def _kernel(nodes: Nodes, offsets: Name, resample: Resample) -> Name:
    """Return a filter's kernel at offsets (double) from its middle, in the order of operations that Pillow has."""
    if resample == "box":
        half = _number(nodes, 0.5)
        inside = nodes("And", nodes("Greater", offsets, _number(nodes, -0.5)), nodes("LessOrEqual", offsets, half))
        return nodes("Cast", inside, to=TensorProto.DOUBLE)
    distance = nodes("Abs", offsets)
    if resample == "bilinear":
        return nodes("Max", nodes("Sub", _number(nodes, 1), distance), _number(nodes, 0))
    if resample == "lanczos":
        waves = nodes("Mul", _sinc(nodes, distance), _sinc(nodes, nodes("Div", distance, _number(nodes, _LOBES))))
        return nodes("Where", nodes("Less", distance, _number(nodes, _LOBES)), waves, _number(nodes, 0))
    return _bicubic(nodes, distance)


def _sinc(nodes: Nodes, distance: Name) -> Name:
    angle = nodes("Mul", distance, _number(nodes, math.pi))
    middle, one = nodes("Equal", angle, _number(nodes, 0)), _number(nodes, 1)
    # In the middle one by one instead of zero by zero.
    return nodes("Where", middle, one, nodes("Div", nodes("Sin", angle), nodes("Where", middle, one, angle)))


def _bicubic(nodes: Nodes, distance: Name) -> Name:
    """Return the cubic kernel at distances (double, not negative)."""

    def number(value: float) -> Name:
        return _number(nodes, value)

    near = nodes("Sub", nodes("Mul", number(_CUBIC + 2), distance), number(_CUBIC + 3))
    near = nodes("Add", nodes("Mul", nodes("Mul", near, distance), distance), number(1))
    far = nodes("Mul", nodes("Sub", distance, number(5)), distance)
    far = nodes("Mul", nodes("Add", far, number(8)), distance)
    far = nodes("Mul", nodes("Sub", far, number(4)), number(_CUBIC))
    outer = nodes("Where", nodes("Less", distance, number(_SUPPORT)), far, number(0))
    return nodes("Where", nodes("Less", distance, number(1)), near, outer)


def _rounded(nodes: Nodes, sums: Name) -> Name:
    """Turn sums of values times weights into values 0..255."""
    half = _number(nodes, 2.0 ** (_BITS - 1))
    values = nodes("Floor", nodes("Mul", nodes("Add", sums, half), _number(nodes, 2.0**-_BITS)))
    return nodes("Min", nodes("Max", values, _number(nodes, 0)), _number(nodes, 255))


def _framed(nodes: Nodes, values: Name, axes: tuple[_Axis, _Axis], size: tuple[int, int]) -> Name:
    """Lay the border over all that is not of the picture."""
    inside = []
    for axis, length, shape in zip(axes, size, ((-1, 1), (1, -1)), strict=True):
        places = nodes("Sub", nodes.constant(np.arange(length).reshape(shape), np.float64), axis.offset)
        after = nodes("Less", places, axis.inner)
        inside.append(nodes("And", nodes("GreaterOrEqual", places, _number(nodes, 0)), after))
    return nodes("Where", nodes("And", *inside), values, _number(nodes, BORDER))


def _centred(nodes: Nodes, values: Name, preprocess: Preprocess) -> Name:
    if preprocess.crop is None:
        return values
    begins = [(side - part) // 2 for side, part in zip(preprocess.size, preprocess.crop, strict=True)]
    ends = [begin + part for begin, part in zip(begins, preprocess.crop, strict=True)]
    return nodes("Slice", values, *(nodes.constant(each, np.int64) for each in (begins, ends, [2, 3])))


def _normalised(nodes: Nodes, values: Name, preprocess: Preprocess) -> None:
    """End with the inputs: values less the mean, by the deviation, in single precision."""
    values = nodes("Cast", values, to=TensorProto.FLOAT)
    std = np.array(preprocess.std, np.float32).reshape(1, -1, 1, 1)
    mean = np.array(preprocess.mean, np.float32).reshape(1, -1, 1, 1)
    if not mean.any() and (std == 1).all():
        nodes("Div", values, nodes.constant(255, np.float32), output=INPUTS)
        return
    scale = 1 / std
    scaled = nodes("Mul", values, nodes.constant(scale / np.float32(255), np.float32))
    nodes("Add", scaled, nodes.constant(-mean * scale, np.float32), output=INPUTS)
