"""`retinula reconstruct` on a model file, in one process."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from command_line import run_command
from retinula.models.catalog import build
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

Call = Callable[..., tuple[str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command in an empty folder with two models and three files; return what it printed and complained."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for name in ("cifar10-autoencoder", "residual"):
        network = build(name, num_classes=2).eval()
        Model(network, name, {}, ("a", "b"), Preprocess(3, (32, 32), (0.0,) * 3, (1.0,) * 3)).save(
            f"{name}.safetensors"
        )
    for name, size in (("one", (30, 21)), ("two", (9, 8))):
        pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"{name}.png")
    Path("broken.png").write_bytes(b"no picture")

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        return run_command(monkeypatch, capsys, "reconstruct", *words, code=code)

    return run


AUTO = "cifar10-autoencoder.safetensors"


def test_pictures_measures_and_files(call: Call) -> None:
    out, err = call(AUTO, "one.png", "broken.png", "two.png", "--noise", "0.1", "--json", "--codes", "all.npz")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["src"] for line in lines] == ["one.png", "broken.png", "two.png"]
    assert lines[1]["skipped"].startswith("it is not a picture")
    assert "skipped broken.png: it is not a picture" in err
    first = lines[0]
    assert (first["height"], first["width"], first["noise"]) == (21, 30, 0.1)
    assert 18 < first["psnr_noised"] < 23
    assert 0 < first["psnr"] < 20
    assert first["ssim"] < first["ssim_noised"] < 1
    with Image.open(first["result"]) as result:
        assert result.size == (30, 21)
    with Image.open(first["compared"]) as compared:
        assert compared.size == (3 * 30 * 8 + 2 * 8, 21 * 8)
    assert sorted(path.name for path in Path("reconstructed").iterdir()) == [
        "one-compared.png",
        "one-reconstructed.png",
        "two-compared.png",
        "two-reconstructed.png",
    ]
    out, _ = call(AUTO, "all.npz", "--json", "--out", "back")
    assert [(line["name"], line["height"], line["width"]) for line in map(json.loads, out.splitlines())] == [
        ("one", 24, 32),
        ("two", 8, 12),
    ]
    assert Path("back/two-decoded.png").exists()
    again, _ = call(AUTO, "one.png", "--noise", "0.1", "--json")
    assert json.loads(again) == first
    other, _ = call(AUTO, "one.png", "--noise", "0.1", "--seed", "1", "--json")
    assert json.loads(other)["psnr_noised"] != first["psnr_noised"]


def test_in_words(call: Call) -> None:
    out, err = call(AUTO, "one.png", "--out", ".", "--codes", "one.npy")
    assert out.startswith("one.png: PSNR ")
    assert "with noise" not in out
    assert "written one.npy" in err
    assert "(with noise of 0.2: " in call(AUTO, "two.png", "--noise", "0.2")[0]
    assert "one decoded to 32 x 24 pixels" in call(AUTO, "one.npy")[0]


def test_nothing_is_decoded_where_a_picture_is_missing(call: Call) -> None:
    np.save("code.npy", np.zeros((4, 2, 5), dtype=np.float32))
    out, err = call(AUTO, "code.npy", "nothing.png", code=2)
    assert out == ""
    assert "there is no file or folder nothing.png" in err
    assert not Path("reconstructed").exists()
    Path("code.npy").write_bytes(b"no array")
    assert "code.npy is no array of numpy, or is damaged; write it anew" in call(AUTO, "code.npy", code=2)[1]


def test_codes_of_one_name_in_several_files_are_all_decoded(call: Call) -> None:
    for folder, height in (("a", 2), ("b", 3)):
        Path(folder).mkdir()
        np.save(f"{folder}/code.npy", np.zeros((4, height, 5), dtype=np.float32))
    out, _ = call(AUTO, "a/code.npy", "b/code.npy", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["name"] for line in lines] == ["code", "code"]
    sizes = []
    for line in lines:
        with Image.open(line["result"]) as picture:
            sizes.append(picture.size)
    assert sizes == [(20, 8), (20, 12)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("residual.safetensors", "one.png"), "residual is a classifier and gives no pictures back"),
        ((AUTO, "broken.png"), "no picture could be read"),
        ((AUTO, "nothing.png"), "there is no file or folder nothing.png"),
        ((AUTO, "one.png", "two.png", "--codes", "c.npy"), "takes the code of one picture, not of 2"),
        ((AUTO, "one.png", "--codes", "no/c.npy"), "no/c.npy: there is no folder no; make it first"),
        ((AUTO, "one.png", "--codes", "c.json"), "codes are written as .npy"),
        ((AUTO, "one.png", "--noise", "2"), "--noise"),
        ((AUTO, "c.npy"), "c.npy: no such file"),
        ((AUTO, "c.npy", "--noise", "0.1"), "c.npy is a code: --noise and --codes go with pictures"),
        (("nothing", "one.png"), "no run 'nothing'"),
    ],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], message: str, call: Call) -> None:
    out, err = call(*words, code=2)
    assert out == ""
    assert message in err
    assert err.splitlines()[-1].startswith("retinula: ")
    assert not Path("reconstructed").exists()
