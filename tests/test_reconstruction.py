"""Photos of any size through a network, tiles that leave no trace, codes there and back, and what is refused."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retinula import reconstruction
from retinula.errors import InputError, RetinulaError
from retinula.images import Images
from retinula.metrics import psnr
from retinula.models.catalog import build
from retinula.prediction.references import find_pictures
from retinula.reconstruction import (
    Reconstruction,
    check_code_file,
    decode_code,
    encoding,
    read_codes,
    reconstruct,
    reconstruct_files,
    side_by_side,
    write_codes,
    write_picture,
)
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess


def model(name: str, channels: int = 3, **arguments: Any) -> Model:
    """A model whose weights are all alive, so that every pixel counts."""
    torch.manual_seed(0)
    network = build(name, num_classes=2, channels=channels, **arguments).eval().requires_grad_(False)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    form = Preprocess(channels, (32, 32), (0.0,) * channels, (1.0,) * channels)
    return Model(network, name, arguments, ("a", "b"), form)


@pytest.fixture(scope="module")
def autoencoder() -> Model:
    return model("cifar10-autoencoder")


def photo(height: int, width: int, channels: int = 3) -> Images:
    return np.random.default_rng(height).integers(0, 256, (channels, height, width), dtype=np.uint8)


def saved(path: Path, image: Images) -> str:
    Image.fromarray(image.transpose(1, 2, 0)).save(path)
    return str(path)


@pytest.mark.parametrize("name", ["cifar10-autoencoder", "cifar10-denoise"])
@pytest.mark.parametrize("size", [(1, 1), (37, 50), (48, 97)])
def test_tiles_leave_no_trace(name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = model(name) if name == "cifar10-autoencoder" else model(name, width=4, layers=3)
    image = photo(*size)
    codes = name == "cifar10-autoencoder"
    whole = reconstruct(asked, image, with_code=codes)
    monkeypatch.setattr(reconstruction, "TILE", 16)
    tiled = reconstruct(asked, image, with_code=codes)
    assert tiled.result.shape == image.shape
    assert np.abs(tiled.result.astype(int) - whole.result.astype(int)).max() <= 1
    assert tiled.psnr == pytest.approx(whole.psnr, abs=1e-4)
    if whole.code is not None and tiled.code is not None:
        assert whole.code.shape == (4, -(-size[0] // 4), -(-size[1] // 4))
        assert np.allclose(tiled.code, whole.code, atol=1e-5)


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_tiles_leave_no_trace_of_squares(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("code-autoencoder", num_classes=2, channels=1, size=(side, side), numbers=4, width=4, blocks=1)
    for parameter in network.eval().requires_grad_(False).parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    form = Preprocess(1, (side, side), (0.0,), (1.0,))
    asked = Model(network, "code-autoencoder", {"numbers": 4, "width": 4, "blocks": 1}, ("a", "b"), form)
    image = photo(150, 70, channels=1)
    whole = reconstruct(asked, image, with_code=True)
    monkeypatch.setattr(reconstruction, "TILE", 64)
    tiled = reconstruct(asked, image, with_code=True)
    assert np.abs(tiled.result.astype(int) - whole.result.astype(int)).max() <= 1
    assert whole.code is not None
    assert whole.code.shape == (4, -(-150 // side), -(-70 // side))
    assert tiled.code is not None
    assert np.allclose(tiled.code, whole.code, atol=1e-4)


def test_a_picture_of_the_models_size_is_what_the_model_gives(autoencoder: Model) -> None:
    image = photo(32, 32)
    expected = torch.sigmoid(autoencoder.outputs(image[None]))[0]
    assert np.abs(reconstruct(autoencoder, image).result / 255 - expected.numpy()).max() <= 0.5 / 255 + 1e-5


def test_noise_is_measured_and_the_same_for_the_same_seed(autoencoder: Model) -> None:
    image = np.full((3, 40, 40), 128, dtype=np.uint8)
    plain = reconstruct(autoencoder, image)
    assert (plain.noised, plain.psnr_noised, plain.ssim_noised) == (None, None, None)
    one, two, other = (reconstruct(autoencoder, image, noise=0.1, seed=seed) for seed in (1, 1, 2))
    assert one.noised is not None
    assert two.noised is not None
    assert other.noised is not None
    assert np.array_equal(one.noised, two.noised)
    assert not np.array_equal(one.noised, other.noised)
    assert one.psnr_noised == pytest.approx(20, abs=0.3)
    assert np.array_equal(one.original, image)
    result, target = torch.from_numpy(one.result)[None] / 255, torch.from_numpy(image)[None] / 255
    assert one.psnr == pytest.approx(psnr(result, target).item(), abs=0.05)


def test_grey_photos_and_colour_photos_become_what_the_model_takes(tmp_path: Path) -> None:
    path = tmp_path / "colour.png"
    Image.new("RGB", (9, 7), (255, 0, 0)).save(path)
    ((_, result),) = reconstruct_files(model("cifar10-autoencoder", channels=1), find_pictures([str(path)]))
    assert isinstance(result, Reconstruction)
    assert result.original.shape == (1, 7, 9)


def test_what_cannot_be_read_is_skipped_in_its_place(
    autoencoder: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "MAX_PIXELS", 100)
    saved(tmp_path / "1.png", photo(10, 10))
    (tmp_path / "2.png").write_bytes(b"no picture")
    saved(tmp_path / "3.png", photo(10, 11))
    (tmp_path / "4.heic").write_bytes(b"x")
    saved(tmp_path / "5.png", photo(3, 4))
    results = list(reconstruct_files(autoencoder, find_pictures([str(tmp_path)])))
    assert [isinstance(result, str) for _, result in results] == [False, True, True, True, False]
    assert results[2][1] == "11 x 10 is more than 100 pixels"
    assert str(results[3][1]).startswith(".heic is not supported")


def test_who_cannot_do_it_is_refused(autoencoder: Model) -> None:
    with pytest.raises(InputError, match="residual is a classifier and gives no pictures back") as refused:
        reconstruct_files(model("residual", width=0.25), [])
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="cifar10-denoise has no code; ask an autoencoder"):
        reconstruct_files(model("cifar10-denoise", width=4), [], with_codes=True)
    for noise in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match=r"a deviation on the scale 0\.\.1, not"):
            reconstruct_files(autoencoder, [], noise=noise)


def test_a_code_becomes_the_picture_again(autoencoder: Model, tmp_path: Path) -> None:
    one = reconstruct(autoencoder, photo(16, 20), with_code=True)
    assert one.code is not None
    assert one.code.dtype == np.float32
    write_codes(tmp_path / "one.npy", {"x": one.code})
    (read,) = read_codes(tmp_path / "one.npy", autoencoder).items()
    assert read[0] == "one"
    assert np.array_equal(read[1], one.code)
    assert np.array_equal(np.load(tmp_path / "one.npy", allow_pickle=False), one.code)
    assert np.abs(decode_code(autoencoder, read[1]).astype(int) - one.result).max() <= 1
    odd = reconstruct(autoencoder, photo(5, 7), with_code=True)
    assert odd.code is not None
    assert decode_code(autoencoder, odd.code).shape == (3, 8, 8)
    write_codes(tmp_path / "all.npz", {"file": one.code, "b": odd.code})
    both = read_codes(tmp_path / "all.npz", autoencoder)
    assert list(both) == ["file", "b"]
    assert np.array_equal(both["b"], odd.code)
    with pytest.raises(InputError, match="values of the code are too large"):
        decode_code(autoencoder, np.full((4, 2, 2), 3e38, dtype=np.float32))
    with np.load(tmp_path / "all.npz", allow_pickle=False) as loaded:
        assert np.array_equal(loaded["file"], one.code)


@pytest.mark.parametrize("name", ["cifar10-autoencoder", "code-autoencoder"])
@pytest.mark.parametrize("size", [(1, 1), (33, 2), (17, 50)])
def test_a_code_is_decoded_in_tiles_that_leave_no_trace(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = model(name) if name == "cifar10-autoencoder" else model(name, size=(8, 8), numbers=4, width=8, blocks=1)
    decode = encoding(asked).decode
    code = np.random.default_rng(0).normal(0, 3, (4, *size)).astype(np.float32)
    with torch.inference_mode():
        whole = (torch.sigmoid(decode(torch.from_numpy(code)[None])) * 255).round().to(torch.uint8)[0].numpy()
    seen: list[torch.Size] = []

    def noting(part: torch.Tensor) -> torch.Tensor:
        seen.append(part.shape[2:])
        return decode(part)

    monkeypatch.setattr(asked.network, "decode", noting)
    monkeypatch.setattr(reconstruction, "TILE", 64)
    assert np.array_equal(decode_code(asked, code), whole)
    side = 64 // (whole.shape[1] // size[0])
    assert len(seen) == -(-size[0] // side) * -(-size[1] // side)
    assert max(max(shape) for shape in seen) <= side + 4, "no more at once than a tile and what is around it"


def test_where_codes_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"codes.txt: codes are written as .npy \(one picture\) or .npz"):
        check_code_file(tmp_path / "codes.txt", 1)
    with pytest.raises(InputError, match=r"takes the code of one picture, not of 2; name a \.npz file"):
        check_code_file(tmp_path / "codes.npy", 2)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a code was unpickled",))


def array_bytes(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


GOOD = np.zeros((4, 2, 3), dtype=np.float32)
CLAIMS = array_bytes(GOOD).replace(b"(4, 2, 3), }      ", b"(4, 99999, 99999)}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no array of numpy"),
        (b"\x93NUMPY\x01\x00", "no array of numpy"),
        (pickle.dumps(Harmful()), "no array of numpy"),
        (array_bytes(np.array([Harmful()], dtype=object)), "holds Python objects, which are never loaded"),
        (array_bytes(GOOD.astype(np.float64)), "is float64, a code is float32"),
        (array_bytes(GOOD[0]), r"is \[2, 3\], a code of this model is \[4, h, w\]"),
        (array_bytes(GOOD[:3]), r"is \[3, 2, 3\], a code of this model is \[4, h, w\]"),
        (array_bytes(GOOD[:, :0]), r"is \[4, 0, 3\], a code of this model"),
        (array_bytes(np.full_like(GOOD, np.nan)), "values that are not finite"),
        (array_bytes(GOOD)[:-1], "is damaged"),
        (array_bytes(GOOD) + b"x", "is damaged"),
        (CLAIMS, "would become 159,996,800,016 pixels, more than 24,000,000"),
        (array_bytes(np.asfortranarray(GOOD)), "is stored column by column"),
    ],
)
def test_codes_from_outside_are_hostile(content: bytes, message: str, autoencoder: Model, tmp_path: Path) -> None:
    (tmp_path / "code.npy").write_bytes(content)
    with pytest.raises(InputError, match=f"code.npy.*{message}") as refused:
        read_codes(tmp_path / "code.npy", autoencoder)
    assert "\n" not in str(refused.value)
    with zipfile.ZipFile(tmp_path / "codes.npz", "w") as archive:
        archive.writestr("good.npy", array_bytes(GOOD))
        archive.writestr("bad.npy", content)
    with pytest.raises(InputError, match=f"codes.npz: bad.*{message}"):
        read_codes(tmp_path / "codes.npz", autoencoder)


def test_files_that_hold_no_codes(autoencoder: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing.npy: no such file"):
        read_codes(tmp_path / "missing.npy", autoencoder)
    with pytest.raises(InputError, match=r"missing.npz"):
        read_codes(tmp_path / "missing.npz", autoencoder)
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(InputError, match="has no arrays"):
        read_codes(tmp_path / "empty.npz", autoencoder)
    with pytest.raises(InputError, match="has no code"):
        read_codes(tmp_path / "empty.npz", model("cifar10-denoise", width=4))


def test_a_network_whose_answers_are_not_finite_is_refused() -> None:
    diverged = model("cifar10-autoencoder")
    with torch.no_grad():
        for parameter in diverged.network.parameters():
            parameter.mul_(1e20)
    with pytest.raises(RetinulaError, match="cifar10-autoencoder gives values that are not finite"):
        reconstruct(diverged, photo(8, 8))


def test_pictures_side_by_side_keep_their_pixels(tmp_path: Path) -> None:
    one, two = photo(100, 128), photo(100, 128)[::-1]
    beside = side_by_side([one, two])
    assert beside.shape == (3, 200, 256 + 8 + 256)
    assert np.array_equal(beside[:, ::2, :256:2], one)
    assert np.array_equal(beside[:, 1::2, 265::2], two)
    assert (beside[:, :, 256:264] == 255).all()
    write_picture(tmp_path / "new" / "x.png", one)
    with Image.open(tmp_path / "new" / "x.png") as read:
        assert np.array_equal(np.asarray(read).transpose(2, 0, 1), one)
    large = photo(300, 20, channels=1)
    assert side_by_side([large, large, large]).shape == (1, 300, 76)
