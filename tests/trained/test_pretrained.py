"""Published weights as model files: where they are looked for, what the file says, what is refused."""

from importlib import metadata
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from retinula.errors import InputError, RetinulaError
from retinula.files.durable import sha256_of
from retinula.files.tensor_file import load_tensors
from retinula.models.timm_networks import published
from retinula.trained.model_file import Model
from retinula.trained.pretrained import pretrained_file, pretrained_model
from small_timm import load_timm, publish

NAME = "test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def _timm() -> None:
    load_timm()


def unreachable(*_asked: Any) -> str:
    raise OSError("Network is unreachable\nand more")


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)


@pytest.mark.usefixtures("no_hub")
def test_weights_in_a_folder_become_a_model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = publish(tmp_path, NAME)
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path))
    path = pretrained_file("timm/test_resnet")
    assert path.name == f"timm-{metadata.version('timm')}-{NAME}.safetensors"
    model = Model.load(path)
    assert (model.network_name, model.arguments, len(model.classes)) == ("timm/test_resnet", {}, 1000)
    form = model.preprocess
    assert (form.channels, form.size, form.mean, form.std) == (3, (160, 160), (0.5,) * 3, (0.5,) * 3)
    assert (form.resample, form.resize, form.crop) == ("bilinear", "squash", None)
    assert model.provenance == {
        "weights": f"timm/{NAME}",
        "repository": f"timm/{NAME}",
        "weights_sha256": sha256_of(weights),
        "licence": "apache-2.0",
    }
    weights.unlink()
    assert pretrained_file(f"timm/{NAME}") == path  # kept, whatever becomes of the weights


@pytest.mark.usefixtures("no_hub")
def test_another_timm_makes_a_model_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, NAME)
    before = pretrained_file(f"timm/{NAME}", search=[tmp_path])
    monkeypatch.setattr(metadata, "version", lambda _package: "9.0")
    assert pretrained_file(f"timm/{NAME}", search=[tmp_path]).name == f"timm-9.0-{NAME}.safetensors"
    assert before.is_file(), "runs that name it go on"


@pytest.mark.usefixtures("no_hub")
def test_two_machines_make_the_same_model(tmp_path: Path) -> None:
    publish(tmp_path, NAME)
    one, other = (pretrained_file(f"timm/{NAME}", search=[tmp_path], cache_dir=tmp_path / each) for each in "ab")
    assert one != other
    (mine, told), (theirs, told_there) = load_tensors(one), load_tensors(other)
    assert told == told_there
    assert all(torch.equal(mine[name], values) for name, values in theirs.items())


def test_weights_are_fetched_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def hub(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(publish(tmp_path, NAME))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    assert pretrained_file("timm/test_resnet") == pretrained_file("timm/test_resnet")
    assert asked == [(f"timm/{NAME}", "model.safetensors")]


@pytest.mark.usefixtures("no_hub")
def test_what_cannot_be_fetched_leaves_nothing_and_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(RetinulaError, match=r"\(Network is unreachable\); get its model.safetensors elsewhere") as told:
        pretrained_file("timm/test_resnet", search=[], cache_dir=tmp_path)
    assert f"{NAME}.safetensors into a folder that RETINULA_DATA names" in str(told.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"\x80\x04no safetensors"])
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a safetensors file, or cut short"):
        pretrained_file("timm/test_resnet", search=[tmp_path], cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_values_that_no_file_holds_are_there_after_loading(tmp_path: Path) -> None:
    model = pretrained_model(
        published("timm/swin_tiny_patch4_window7_224"),
        publish(tmp_path, "swin_tiny_patch4_window7_224.ms_in22k_ft_in1k"),
    )
    model.save(tmp_path / "model.safetensors")
    chance = torch.get_rng_state()
    loaded = Model.load(tmp_path / "model.safetensors")
    assert torch.equal(torch.get_rng_state(), chance)
    images = torch.randint(256, (1, 3, 224, 224), dtype=torch.uint8)
    assert torch.equal(loaded.outputs(images), model.outputs(images))
