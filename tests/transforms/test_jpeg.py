"""What comes back from a JPEG, against the library that stores and reads real ones."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retinula.transforms import jpeg
from retinula.transforms.jpeg import stored_as_jpeg

KINDS = ("noise", "smooth", "flat", "black and white")


def by_pillow(images: torch.Tensor, qualities: list[int]) -> torch.Tensor:
    again = []
    for picture, quality in zip(images.permute(0, 2, 3, 1).numpy(), qualities, strict=True):
        stored = io.BytesIO()
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else np.ascontiguousarray(picture)).save(
            stored, "JPEG", quality=quality
        )
        again.append(np.asarray(Image.open(stored)).reshape(picture.shape))
    return torch.from_numpy(np.stack(again)).permute(0, 3, 1, 2)


def pictures(kind: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    if kind == "smooth":
        rough = 255 * torch.rand(*shape[:2], 3, 3, generator=generator)
        return F.interpolate(rough, size=shape[2:], mode="bicubic").clamp(0, 255).to(torch.uint8)
    if kind == "flat":
        return noise[:, :, :1, :1].expand(shape).contiguous()
    return noise if kind == "noise" else (noise > 127).to(torch.uint8) * 255


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_quality_gives_the_bytes_of_the_library(kind: str, channels: int) -> None:
    qualities = list(range(1, 101))
    images = pictures(kind, (100, channels, 32, 32), 1)
    assert torch.equal(stored_as_jpeg(images, qualities), by_pillow(images, qualities))


@given(
    kind=st.sampled_from(KINDS),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    quality=st.integers(1, 100),
    seed=st.integers(0, 1000),
)
def test_so_does_every_size(kind: str, channels: int, height: int, width: int, quality: int, seed: int) -> None:
    images = pictures(kind, (2, channels, height, width), seed)
    assert torch.equal(stored_as_jpeg(images, [quality] * 2), by_pillow(images, [quality] * 2))


def test_portions_make_no_difference_and_nothing_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures("smooth", (7, 3, 16, 24), 2).contiguous(memory_format=torch.channels_last)
    before, qualities = images.clone(), [5, 20, 40, 60, 80, 90, 95]
    whole = stored_as_jpeg(images, qualities)
    monkeypatch.setattr(jpeg, "PIXELS_AT_ONCE", 3 * 16 * 24)
    assert torch.equal(stored_as_jpeg(images, qualities), whole)
    monkeypatch.setattr(jpeg, "LARGEST", 16 * 24 - 1)
    assert torch.equal(stored_as_jpeg(images, qualities), whole), "one by one"
    assert torch.equal(images, before)
    assert stored_as_jpeg(images[:0], []).shape == (0, 3, 16, 24)


@pytest.mark.parametrize("qualities", [[50], [50, 0], [50, 101], [50, 50, 50]])
def test_qualities_that_there_are_not_are_refused(qualities: list[int]) -> None:
    with pytest.raises(ValueError, match="2 pictures need as many qualities from 1 to 100"):
        stored_as_jpeg(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), qualities)
