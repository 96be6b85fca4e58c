"""Layer tables: what each layer of a network gives out, learns, computes and holds in memory.

A copy of the network is shown one empty picture: the network itself, its normalisation's statistics and the random
generators stay as they are.
"""

import copy
import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.reconstructing import Reconstructs
from retinula.models.watching import watched
from retinula.text.words import table

_BYTES = 4  # of a float32, in which the published tables count whatever the precision of the training
_MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Layer:
    """One layer at one place of its use.

    Attributes:
        name: of the module in the network; a module used twice has two rows.
        kind: torch's type for the module, such as `Conv2d`, or else its own.
        output_shape: for one picture, without the batch.
        parameters: numbers it learns, counted at its first use.
        multiply_adds: for one picture; convolutions and linear layers only, their biases not counted.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """The layer table of a network and its totals.

    Attributes:
        name: of the network.
        input_shape: channels, height and width.
        batch_size: pictures the memory is counted for.
        layers: every layer without layers of its own, in order of use.
        parameters: in all; a shared one once.
        multiply_adds: in all, for one picture.
        input_mb: MiB of a batch of inputs in float32.
        forward_backward_mb: MiB of every layer's output, twice, for there is a gradient to each.
        parameters_mb: MiB of the parameters.
    """

    name: str
    input_shape: tuple[int, int, int]
    batch_size: int
    layers: tuple[Layer, ...]
    parameters: int
    multiply_adds: int
    input_mb: float
    forward_backward_mb: float
    parameters_mb: float

    @property
    def total_mb(self) -> float:
        """Memory for a batch as the published tables count it; an estimate, without optimizer and work space."""
        return self.input_mb + self.forward_backward_mb + self.parameters_mb

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {**asdict(self), "total_mb": self.total_mb}


def summarize(
    network: nn.Module, input_shape: tuple[int, int, int], batch_size: int = 128, *, name: str = ""
) -> Summary:
    """Make the layer table of a network, with memory counted as the published works' torchsummary counts it.

    A network that reconstructs is followed to the picture, past its logits.

    Args:
        network: any; it is not changed, and may lie on any device.
        input_shape: channels, height and width of its inputs.
        batch_size: pictures that the memory is counted for, at least 1.
        name: what the summary is called; the module's type where none is given.

    Raises:
        InputError: the batch is empty.
    """
    if batch_size < 1:
        raise InputError(f"a summary is counted for a batch of at least 1 picture, not {batch_size}")
    layers: list[Layer] = []
    # In real memory: torch's meta tensors cost seconds of imports at their first use.
    copied = copy.deepcopy(network).eval()
    leaves = _leaves(copied)
    counted: set[int] = set()

    def record(name: str, given: torch.Tensor, output: torch.Tensor) -> None:
        new = [p for p in leaves[name].parameters() if id(p) not in counted]
        counted.update(map(id, new))
        layers.append(
            Layer(
                name=name,
                kind=_kind(leaves[name]),
                output_shape=tuple(output.shape[1:]),
                parameters=sum(p.numel() for p in new),
                multiply_adds=_multiply_adds(leaves[name], given, output),
            )
        )

    first = next(network.parameters(), torch.empty(0))
    with watched(leaves, record), torch.inference_mode():
        picture = torch.zeros(1, *input_shape, dtype=first.dtype, device=first.device)
        if isinstance(copied, Reconstructs):
            copied.reconstruct(picture)
        else:
            copied(picture)
    numbers = sum(math.prod(layer.output_shape) for layer in layers)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Summary(
        name=name or type(network).__name__,
        input_shape=input_shape,
        batch_size=batch_size,
        layers=tuple(layers),
        parameters=parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        input_mb=_mebibytes(batch_size * math.prod(input_shape)),
        forward_backward_mb=_mebibytes(2 * batch_size * numbers),
        parameters_mb=_mebibytes(parameters),
    )


def layer_table(summary: Summary) -> list[str]:
    """Return the layers and their totals for people, a line each: the published table and its memory."""
    layers = [
        (row.name, row.kind, "x".join(map(str, row.output_shape)), f"{row.parameters:,}", f"{row.multiply_adds:,}")
        for row in summary.layers
    ]
    return [
        *table(("layer", "kind", "output", "parameters", "multiply-adds"), layers),
        f"parameters {summary.parameters:,}, multiply-adds {summary.multiply_adds:,} a picture",
        f"memory for a batch of {summary.batch_size}, MB: input {summary.input_mb:.2f}, "
        f"forward/backward {summary.forward_backward_mb:.2f}, parameters {summary.parameters_mb:.2f}, "
        f"in all {summary.total_mb:.2f}",
    ]


def _leaves(network: nn.Module) -> dict[str, nn.Module]:
    """Return the layers without layers of their own; an empty chain, where a shortcut changes nothing, is none."""
    return {
        name: module
        for name, module in network.named_modules()
        if not isinstance(module, nn.Sequential) and next(module.children(), None) is None
    }


def _kind(module: nn.Module) -> str:
    own = type(module)
    known = (each for each in own.__mro__ if each.__module__.startswith("torch.nn.") and each is not nn.Module)
    return next(known, own).__name__


def _multiply_adds(module: nn.Module, inputs: torch.Tensor, output: torch.Tensor) -> int:
    """Count the multiplications with a weight, for one picture."""
    match module:
        case nn.Conv2d():
            # Every number of the output is a sum over one weight's window.
            return output[0].numel() * math.prod(module.weight.shape[1:])
        case nn.ConvTranspose2d():
            # Every number of the input is spread over one weight's window.
            return inputs[0].numel() * math.prod(module.weight.shape[1:])
        case nn.Linear():
            return output[0].numel() * module.in_features
        case _:
            return 0


def _mebibytes(numbers: int) -> float:
    return numbers * _BYTES / _MEBIBYTE
