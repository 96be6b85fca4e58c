"""MobileNetV2 against the published layer table, row by row."""

import pytest
import torch

from retinula.models.catalog import build, build_outline
from retinula.models.mobilenet import InvertedResidual, mobilenetv2
from retinula.models.summary import summarize

KINDS = {"C": "Conv2d", "N": "BatchNorm2d", "R": "ReLU6"}
# The table of the work, one block a line: kind, channels @ side of the map : parameters. The rows of the blocks
# themselves, of the outer module and of the normalisation before it are left out; a few figures that the
# text of the work has lost are as their neighbours determine them.
TABLE = """
C16@32:432 N16@32:32 R16@32
C16@32:144 N16@32:32 R16@32 C8@32:128 N8@32:16
C48@32:384 N48@32:96 R48@32 C48@32:432 N48@32:96 R48@32 C16@32:768 N16@32:32
C96@32:1536 N96@32:192 R96@32 C96@32:864 N96@32:192 R96@32 C16@32:1536 N16@32:32
C96@32:1536 N96@32:192 R96@32 C96@16:864 N96@16:192 R96@16 C16@16:1536 N16@16:32
C96@16:1536 N96@16:192 R96@16 C96@16:864 N96@16:192 R96@16 C16@16:1536 N16@16:32
C96@16:1536 N96@16:192 R96@16 C96@16:864 N96@16:192 R96@16 C16@16:1536 N16@16:32
C96@16:1536 N96@16:192 R96@16 C96@8:864 N96@8:192 R96@8 C32@8:3072 N32@8:64
C192@8:6144 N192@8:384 R192@8 C192@8:1728 N192@8:384 R192@8 C32@8:6144 N32@8:64
C192@8:6144 N192@8:384 R192@8 C192@8:1728 N192@8:384 R192@8 C32@8:6144 N32@8:64
C192@8:6144 N192@8:384 R192@8 C192@8:1728 N192@8:384 R192@8 C32@8:6144 N32@8:64
C192@8:6144 N192@8:384 R192@8 C192@8:1728 N192@8:384 R192@8 C48@8:9216 N48@8:96
C288@8:13824 N288@8:576 R288@8 C288@8:2592 N288@8:576 R288@8 C48@8:13824 N48@8:96
C288@8:13824 N288@8:576 R288@8 C288@8:2592 N288@8:576 R288@8 C48@8:13824 N48@8:96
C288@8:13824 N288@8:576 R288@8 C288@4:2592 N288@4:576 R288@4 C80@4:23040 N80@4:160
C480@4:38400 N480@4:960 R480@4 C480@4:4320 N480@4:960 R480@4 C80@4:38400 N80@4:160
C480@4:38400 N480@4:960 R480@4 C480@4:4320 N480@4:960 R480@4 C80@4:38400 N80@4:160
C480@4:38400 N480@4:960 R480@4 C480@4:4320 N480@4:960 R480@4 C160@4:76800 N160@4:320
C1280@4:204800 N1280@4:2560 R1280@4
"""

Row = tuple[str, tuple[int, ...], int]


def table() -> list[Row]:
    rows: list[Row] = []
    for item in TABLE.split():
        shape, _, parameters = item.partition(":")
        channels, side = map(int, shape[1:].split("@"))
        rows.append((KINDS[shape[0]], (channels, side, side), int(parameters or 0)))
    return [*rows, ("Dropout", (1280,), 0), ("Linear", (100,), 128_100)]


def test_every_row_of_the_published_table() -> None:
    summary = summarize(mobilenetv2(100, 3, (32, 32)), (3, 32, 32))
    rows = [(layer.kind, layer.output_shape, layer.parameters) for layer in summary.layers]
    assert rows == table()
    # 160 rows in the work, of which one normalises, 17 are blocks and one is the whole.
    assert len(rows) == 160 - 1 - 17 - 1
    assert summary.parameters == 815_780


def test_names_are_those_of_the_pretrained_relatives() -> None:
    names = list(mobilenetv2(100, 3, (32, 32)).state_dict())
    assert names[0] == "features.0.0.weight"
    assert "features.1.conv.0.0.weight" in names
    assert "features.2.conv.3.running_mean" in names
    assert "features.18.1.bias" in names
    assert names[-2:] == ["classifier.1.weight", "classifier.1.bias"]


def test_blocks_that_keep_their_shape_add_their_input() -> None:
    blocks = [m for m in mobilenetv2(10, 3, (32, 32)).modules() if isinstance(m, InvertedResidual)]
    added = "".join("+" if block.added else "." for block in blocks)
    assert added == "..+.++.+++.++.++."
    block = blocks[2].eval()
    torch.nn.init.zeros_(block.get_parameter("conv.3.weight"))
    inputs = torch.rand(1, 16, 5, 5)
    assert torch.equal(block(inputs), inputs)


@pytest.mark.parametrize(("width", "millions"), [(0.75, 1.48), (1.0, 2.35), (1.4, 4.50)])
def test_other_widths(width: float, millions: float) -> None:
    """Figures of the public relatives for CIFAR-100 at these widths."""
    network = build_outline("mobilenetv2", num_classes=100, width=width)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == millions


def test_first_weights() -> None:
    torch.manual_seed(0)
    network = build("mobilenetv2", num_classes=100)
    assert abs(network.get_parameter("classifier.1.weight").std().item() - 0.01) < 0.0005
    assert not network.get_parameter("classifier.1.bias").any()
    wide = network.get_parameter("features.18.0.weight")
    assert abs(wide.std().item() / (2 / 1280) ** 0.5 - 1) < 0.02
