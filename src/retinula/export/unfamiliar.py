"""What pictures a model does not know, as pieces of an ONNX graph; and pictures to prove it on.

The statistics and their distance are the very lines that the model runs, as torch writes them; the limits are set by
hand.
"""

from typing import Final

import numpy as np
import torch
from onnx import ModelProto, TensorProto, compose
from PIL import Image, ImageDraw

from retinula.export.nodes import Name, Nodes
from retinula.export.tracing import traced
from retinula.images import Images
from retinula.pictures.form import Form, pixels
from retinula.trained.familiarity import Familiarity, statistics_at_once
from retinula.trained.onnx_model import UNFAMILIAR

PREFIX: Final = "familiarity_"
SMALL: Final = f"{PREFIX}small"
DISTANCES: Final = f"{PREFIX}distances"
NUM_STRANGE: Final = 60


class _Distances(torch.nn.Module):
    """From pictures uint8 `[N, C, H, W]` to what `Familiarity.distances` gives."""

    def __init__(self, familiarity: Familiarity) -> None:
        super().__init__()
        self.familiarity = familiarity

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.familiarity.distances_of(statistics_at_once(images))


def distances_graph(familiarity: Familiarity, form: Form) -> ModelProto:
    """Return the graph from `SMALL`, uint8 `[N, *form.shape]`, to `DISTANCES`, float64 `[N]`.

    Raises:
        InputError: onnxscript is not installed, or broken.
        RetinulaError: torch cannot write it as a graph.
    """
    example = torch.zeros(2, *form.shape, dtype=torch.uint8)
    takes, gives = SMALL.removeprefix(PREFIX), DISTANCES.removeprefix(PREFIX)
    graph = traced(_Distances(familiarity).eval(), example, takes, gives, "what pictures the model knows")
    prefixed: ModelProto = compose.add_prefix(graph, PREFIX)  # torch gives names that the network's graph has too
    return prefixed


def add_limits(nodes: Nodes, familiarity: Familiarity, logits: Name) -> None:
    """End with `UNFAMILIAR`: which pictures are farther than the limit, or have less energy than theirs."""
    limit = nodes.constant(familiarity.farthest, np.float64)
    if familiarity.least_energy is None:
        nodes("Greater", DISTANCES, limit, output=UNFAMILIAR)
        return
    far = nodes("Greater", DISTANCES, limit)
    exact = nodes("Cast", logits, to=TensorProto.DOUBLE)
    energies = nodes("ReduceLogSumExp", exact, nodes.constant([1], np.int64), keepdims=0)
    weak = nodes("Less", energies, nodes.constant(familiarity.least_energy, np.float64))
    nodes("Or", far, weak, output=UNFAMILIAR)


def strange_pictures(shape: tuple[int, int, int]) -> Images:
    """Make pictures of noise, flat ones and pages of text, as many of each: uint8 `[NUM_STRANGE, *shape]`."""
    chances = np.random.default_rng(0)
    channels, height, width = shape
    number = NUM_STRANGE // 3
    noise = chances.integers(0, 256, (number, *shape), dtype=np.uint8)
    flat = np.broadcast_to(chances.integers(0, 256, (number, channels, 1, 1), dtype=np.uint8), noise.shape)
    pages = [_page(chances.integers(0, 10, (8, 16)).tolist()).resize((width, height)) for _ in range(number)]
    return np.concatenate([noise, flat, np.stack([pixels(page, channels) for page in pages])])


def _page(lines: list[list[int]]) -> Image.Image:
    page = Image.new("RGB", (96, 96), "white")
    for place, line in enumerate(lines):
        ImageDraw.Draw(page).text((2, 12 * place), "".join(map(str, line)), fill="black")
    return page
