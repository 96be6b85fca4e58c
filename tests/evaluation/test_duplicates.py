"""Near-duplicates: planted copies are found, and real pictures of one class are not taken for one another."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinula.datasets.load import load
from retinula.evaluation.duplicates import find_near_duplicates
from retinula.images import Images


@pytest.fixture(scope="module")
def real() -> Images:
    import os

    folders = os.environ.get("RETINULA_DATA")
    if not folders:
        pytest.skip("needs real pictures: set RETINULA_DATA")
    with np.load(next(Path(folders.split(os.pathsep)[0]).glob("cifar-mini/*cifar10*.npz"))) as file:
        images = next(file[name] for name in file.files if file[name].ndim == 4)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if images.shape[3] == 3 else images


def jpeg(image: Images, quality: int = 50) -> Images:
    stored = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored)).transpose(2, 0, 1)


def shifted(image: Images, down: int, right: int) -> Images:
    return np.roll(image, (down, right), axis=(1, 2))


def test_planted_copies_are_found_and_few_others(real: Images) -> None:
    chosen = range(0, 120, 3)
    copies = {
        "jpeg": [jpeg(real[n]) for n in chosen],
        "shifted": [shifted(real[n], 1, -2) for n in chosen],
        "brighter": [np.clip(real[n].astype(int) + 30, 0, 255).astype(np.uint8) for n in chosen],
        "darker": [(real[n] * 0.6).astype(np.uint8) for n in chosen],
        "equal": [real[n] for n in chosen],
    }
    for kind, planted in copies.items():
        pairs = find_near_duplicates(np.stack(planted), real)
        found = {(pair.index, pair.other) for pair in pairs}
        wanted = {(place, n) for place, n in enumerate(chosen)}
        assert len(found & wanted) >= 0.9 * len(wanted), kind
        assert len(found - wanted) <= 2, kind
        if kind == "equal":
            assert wanted <= {(pair.index, pair.other) for pair in pairs if pair.exact}


def test_equal_flat_pictures_are_found_by_their_pixels_alone() -> None:
    levels = (0, 255, 128, 0, 255, 0)
    flat = np.stack([np.full((3, 32, 32), level, dtype=np.uint8) for level in levels])
    assert [(pair.index, pair.other, pair.exact) for pair in find_near_duplicates(flat)] == [
        (0, 3, True),
        (1, 4, True),
        (3, 5, True),
    ]
    assert [(pair.index, pair.other) for pair in find_near_duplicates(flat[:3], flat[3:])] == [(0, 2), (1, 1)]


def test_within_a_set_each_pair_comes_once(real: Images) -> None:
    assert len(find_near_duplicates(real)) <= 2
    both = np.concatenate([real[:50], real[:50]])
    pairs = [pair for pair in find_near_duplicates(both) if pair.exact]
    assert {(pair.index, pair.other) for pair in pairs} == {(n, n + 50) for n in range(50)}


def test_the_shift_is_told(real: Images) -> None:
    (pair,) = find_near_duplicates(shifted(real[4], 1, -1)[None], real[4:5])
    assert pair.shift == (-1, 1)
    assert not pair.exact
    assert pair.correlation > 0.99
    assert not find_near_duplicates(real[:1], real[1:2])


def test_small_pictures_have_to_be_closer() -> None:
    splits = load("digits").splits
    test, train = splits["test"].images, splits["train"].images
    assert not find_near_duplicates(test, train), "different ones, fours and nines"
    darker = (train[:30] * 0.5).astype(np.uint8)
    found = {(pair.index, pair.other) for pair in find_near_duplicates(darker, train)}
    assert len({(n, n) for n in range(30)} & found) >= 27
