"""Answers that are kept: they come back for the same model, pictures and averaging, and for no others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from retinula.evaluation.answered import load_answered, save_answered
from retinula.evaluation.measuring import evaluate, evaluate_answered
from retinula.evaluation.results import ClassificationResult
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess


@pytest.fixture
def measured(tmp_path: Path, make_set: Callable[..., ImageSet]) -> tuple[Path, Model, ImageSet, ClassificationResult]:
    images = make_set(12)
    torch.manual_seed(0)
    network = build("residual", num_classes=3, channels=1, size=(8, 8), width=0.25).eval()
    model = Model(network, "residual", {"width": 0.25}, images.classes, Preprocess(1, (8, 8), (0.0,), (1.0,)))
    result = evaluate(model, images, split="test", tta="mirror")
    assert isinstance(result, ClassificationResult)
    save_answered(tmp_path / "answers.safetensors", model, images, result)
    return tmp_path / "answers.safetensors", model, images, result


def test_kept_answers_give_the_same_result_and_the_model_is_not_asked(
    measured: tuple[Path, Model, ImageSet, ClassificationResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, model, images, result = measured
    answered = load_answered(file, model, images, "mirror")
    monkeypatch.setattr(Model, "outputs", None)
    assert answered is not None
    again = evaluate_answered(model, images, answered, split="test")
    assert again.to_dict() == result.to_dict()
    assert torch.equal(again.logits, result.logits)


def test_answers_of_others_are_none(measured: tuple[Path, Model, ImageSet, ClassificationResult]) -> None:
    file, model, images, _ = measured
    assert load_answered(file, model, images, "none") is None
    assert load_answered(file, model, images.take(np.arange(11)), "mirror") is None
    assert load_answered(file, replace(model, temperature=2.0), images, "mirror") is not None
    with torch.no_grad():
        next(model.network.parameters()).view(-1)[0] += 1
    assert load_answered(file, model, images, "mirror") is None


def test_without_a_whole_file_there_are_no_answers(
    measured: tuple[Path, Model, ImageSet, ClassificationResult],
) -> None:
    file, model, images, _ = measured
    content = file.read_bytes()
    for broken in (b"", content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b"no tensors"):
        file.write_bytes(broken)
        assert load_answered(file, model, images, "mirror") is None
    file.unlink()
    assert load_answered(file, model, images, "mirror") is None
