"""What counts as familiar: pictures like the training's pass, and noise, flat areas and text do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from retinula.datasets import shapes
from retinula.familiarity import Familiarity, fit_familiarity, picture_statistics


def drawn(split: str, number: int) -> torch.Tensor:
    chunks = shapes.read(num_train=2400, num_test=600).splits[split]()  # type: ignore[index]  # a name of a split
    return torch.from_numpy(np.concatenate([chunk.images for chunk in chunks])[:number])


def text(number: int) -> torch.Tensor:
    pictures = []
    for each in range(number):
        page = Image.new("RGB", (96, 96), "white")
        for line in range(8):
            ImageDraw.Draw(page).text((2, 12 * line), f"{each * 7919 + line * 104729:016d}", fill="black")
        pictures.append(np.asarray(page.resize((32, 32))).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(pictures))


@pytest.fixture(scope="module")
def sets() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    train = drawn("train", 2400)
    return train[:1400], train[1400:], drawn("test", 600)


@pytest.fixture(scope="module")
def fitted(sets: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Familiarity:
    train, validation, _ = sets
    familiarity = fit_familiarity(train, validation, sure(len(validation)))
    assert familiarity is not None
    return familiarity


def sure(number: int) -> torch.Tensor:
    return torch.randn(number, 8, generator=torch.Generator().manual_seed(1)) + 9


def test_new_pictures_of_the_same_kind_pass(fitted: Familiarity, sets) -> None:  # type: ignore[no-untyped-def]  # above
    assert 0.98 <= fitted.accepted <= 1
    test = sets[2]
    assert fitted.unfamiliar(test, sure(len(test))).double().mean() <= 0.03


def test_noise_flat_areas_and_text_do_not(fitted: Familiarity) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (100, 3, 32, 32), generator=generator, dtype=torch.uint8)
    flat = torch.randint(0, 256, (100, 3, 1, 1), generator=generator, dtype=torch.uint8).expand(-1, -1, 32, 32)
    for pictures, least in ((noise, 1.0), (flat, 1.0), (text(100), 0.95)):
        assert fitted.unfamiliar(pictures, sure(100)).double().mean() >= least


def test_logits_without_a_favourite_are_unfamiliar_on_any_picture(fitted: Familiarity, sets) -> None:  # type: ignore[no-untyped-def]  # above
    assert fitted.unfamiliar(sets[2], torch.zeros(len(sets[2]), 8)).all()


def test_comes_back_from_its_dictionary(fitted: Familiarity) -> None:
    values = fitted.to_dict()
    assert Familiarity.from_dict(values) == fitted
    for key, value in (("means", [0.0]), ("whitening", []), ("farthest", float("nan")), ("accepted", "much")):
        with pytest.raises(ValueError):  # noqa: PT011 - a model file names itself, whatever is wrong in it
            Familiarity.from_dict({**values, key: value})
    with pytest.raises(ValueError, match="finite"):
        replace(fitted, least_energy=float("-inf"))


def test_too_few_pictures_tell_nothing(sets) -> None:  # type: ignore[no-untyped-def]  # above
    assert fit_familiarity(sets[0], sets[1][:99], sure(99)) is None
    assert fit_familiarity(sets[0], sets[1], torch.full((1000, 8), torch.nan)) is None


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 5), (1, 1, 1), (3, 1, 9), (1, 64, 48)])
def test_pictures_of_any_size_have_statistics(shape: tuple[int, int, int]) -> None:
    pictures = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    values = picture_statistics(pictures)
    assert values.shape == (5, 16)
    assert values.isfinite().all()
    assert torch.equal(values[:2], picture_statistics(pictures[:2]))
