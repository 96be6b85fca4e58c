from pathlib import Path
from typing import Any

import pytest
import torch

from retinula.errors import RetinulaError
from retinula.files.tensor_file import save_tensors
from retinula.runs.run import Run
from retinula.training.checkpoint import load_checkpoint, save_checkpoint

STATE = {
    "step": 3,
    "score": 0.1 + 0.2,
    "none": None,
    "flag": True,
    "text": "ü",
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "groups": [{"betas": (0.9, 0.999), "params": [0]}]},
    "weights": {"a.b": torch.arange(6).view(2, 3), "same": torch.ones(2)},
}


def complain(text: str) -> None:
    raise AssertionError(text)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    save_checkpoint(Run(tmp_path), 3, STATE)
    loaded = load_checkpoint(Run(tmp_path), complain)
    assert loaded is not None
    assert torch.equal(loaded["weights"]["a.b"], torch.arange(6).view(2, 3))
    assert loaded["optimizer"]["groups"] == [{"betas": (0.9, 0.999), "params": [0]}]
    assert list(loaded["optimizer"]["state"]) == [0, 1]
    assert {key: loaded[key] for key in ("step", "score", "none", "flag", "text")} == {
        key: STATE[key] for key in ("step", "score", "none", "flag", "text")
    }


def test_one_tensor_in_two_places(tmp_path: Path) -> None:
    tensor = torch.ones(3)
    save_checkpoint(Run(tmp_path), 1, {"a": tensor, "b": tensor})
    loaded = load_checkpoint(Run(tmp_path), complain)
    assert loaded is not None
    assert torch.equal(loaded["a"], loaded["b"])


def test_two_generations_are_kept_and_the_older_stands_in_for_a_damaged_one(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        save_checkpoint(Run(tmp_path), step, {"step": step})
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "step-000000010.safetensors",
        "step-000000015.safetensors",
    ]
    assert load_checkpoint(Run(tmp_path), complain) == {"step": 15}
    newest = tmp_path / "checkpoint" / "step-000000015.safetensors"
    newest.write_bytes(newest.read_bytes()[:-5])
    said: list[str] = []
    assert load_checkpoint(Run(tmp_path), said.append) == {"step": 10}
    assert len(said) == 1
    assert "step-000000015" in said[0]
    save_checkpoint(Run(tmp_path), 11, {"step": 11})  # gone on from 10: the damaged one must not stand for a generation
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "step-000000010.safetensors",
        "step-000000011.safetensors",
    ]
    for path in (tmp_path / "checkpoint").iterdir():
        path.write_bytes(b"")
    with pytest.raises(RetinulaError, match="none of the 2 checkpoints is whole"):
        load_checkpoint(Run(tmp_path), said.append)


@pytest.mark.parametrize(
    "header", [{}, [], {"state": {"list": 3}}, {"state": {"set": 1}}, {"state": {"tensor": "gone"}}]
)
def test_the_older_stands_in_for_a_whole_file_that_holds_no_state(tmp_path: Path, header: Any) -> None:
    save_checkpoint(Run(tmp_path), 10, {"step": 10})
    save_tensors(Run(tmp_path).checkpoint_file(15), {}, header)
    said: list[str] = []
    assert load_checkpoint(Run(tmp_path), said.append) == {"step": 10}
    assert len(said) == 1


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(Run(tmp_path / "missing"), complain) is None


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\.a\.1: a set cannot be written"):
        save_checkpoint(Run(tmp_path), 1, {"a": [1, {2}]})
    assert list((tmp_path / "checkpoint").iterdir()) == []
