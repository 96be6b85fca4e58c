"""That every benchmark still runs, at the smallest size; how long that takes does not matter here."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F

from benchmarks import augmentation, prediction, record_step, training_step, turns
from retinula.bench import untrained
from tiny_onnx import tiny_onnx

PEERS = {"torchvision": "torchvision", "torchvision-2": "torchvision", "keras": "keras", "kornia": "kornia"}
NARROW = (8, 16, 16)  # widths of the record's three blocks


def skip_without_peer(side: str) -> None:
    if side in PEERS:
        try:
            turns.need(PEERS[side])
        except SystemExit:
            pytest.skip(f"needs {PEERS[side]}")


def one_side(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> float:
    monkeypatch.setattr(sys, "argv", [str(benchmark.__file__), *words])
    benchmark.main()
    return float(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("side", training_step.SIDES)
def test_training_step(side: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    skip_without_peer(side)
    monkeypatch.setattr(training_step, "BATCH_SIZE", 2)
    assert 0 < one_side(training_step, monkeypatch, capsys, "--steps", "4", "--side", side) < 60


@pytest.mark.parametrize("side", augmentation.SIDES)
@pytest.mark.parametrize("words", [[], ["--without-colours", "--one-core"]])
def test_augmentation(
    side: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    skip_without_peer(side)
    monkeypatch.setattr(augmentation, "BATCH_SIZE", 4)
    assert 0 < one_side(augmentation, monkeypatch, capsys, "--pictures", "20", "--side", side, *words) < 10


@pytest.mark.parametrize("side", record_step.SIDES)
def test_record_step(side: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(record_step, "WIDTHS", NARROW)
    narrow = [f"model.arguments.width{number}={width}" for number, width in enumerate(NARROW, start=1)]
    words = ["--steps", "1", "--batch", "4", "--side", side, "--ours", "batch_size=4", *narrow]
    assert one_side(record_step, monkeypatch, capsys, *words) > 1


def test_the_record_has_its_published_form() -> None:
    network = record_step.Record()
    assert sum(one.numel() for one in network.parameters() if one.requires_grad) == 1_971_352
    assert network(torch.rand(2, 3, 32, 32), learns_whitening=True).shape == (2, 10)


def test_the_record_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_step, "WIDTHS", NARROW)
    torch.manual_seed(0)
    network = record_step.Record()
    filters = [one for one in network.parameters() if one.ndim == 4 and one.requires_grad]
    optimizer = record_step.Filters(filters)
    inputs, labels = torch.rand(8, 3, 32, 32), torch.arange(8)
    losses = []
    for _ in range(12):
        loss = F.cross_entropy(network(inputs, learns_whitening=False) * 100, labels)
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4
    assert network.whitening.bias is not None
    assert network.whitening.bias.grad is None, "its constants are fixed in the later epochs"


def test_windows_are_cut_from_where_they_are_said_to_be() -> None:
    padded = torch.arange(36.0 * 36).view(1, 1, 36, 36).expand(50, 3, 36, 36)
    torch.manual_seed(0)
    windows = record_step.shifted(padded, 32)
    corners = {divmod(int(first), 36) for first in windows[:, 0, 0, 0]}
    assert corners <= {(row, column) for row in range(5) for column in range(5)}
    assert len(corners) > 10


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    untrained("cifar10-augmented").save(path)
    return path


@pytest.mark.parametrize("side", ["torch", "model", "onnx"])
def test_prediction(
    side: str, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prediction, "BATCHES", 2)
    shape = "[3, 24, 24]"
    if side == "onnx":
        model, shape = model.with_name("model.onnx"), "[3, 8, 8]"
        model.write_bytes(tiny_onnx())
    assert one_side(prediction, monkeypatch, capsys, str(model), "--batch", "2", "--shape", shape, "--side", side) > 0


MAINS = {
    augmentation: ["--pictures", "20", "--without-colours"],
    record_step: ["--ours", "batch_size=4", "lr=0.1"],
    training_step: ["--steps", "4"],
    prediction: ["model.safetensors", "model.onnx"],
}


@pytest.mark.parametrize("benchmark", MAINS, ids=lambda benchmark: benchmark.__name__)
@pytest.mark.usefixtures("model")
def test_every_side_is_asked_for_by_words_that_are_understood(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def seconds_of(words: list[str]) -> float:
        asked.append(words)
        return float(len(asked))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(turns, "seconds_of", seconds_of)
    monkeypatch.setattr(sys, "argv", [str(benchmark.__file__), *MAINS[benchmark], "--rounds", "1"])
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(f"python -m {benchmark.__name__} ")
    assert len(lines) == 3 + len(asked)
    for words in asked:
        assert words[0] == benchmark.__name__
        assert "--side" in words
